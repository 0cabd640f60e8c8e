"""Tables from files: csv, json and parquet, and which file of a folder is which split."""

import gzip
import itertools
import json
import re
import unicodedata
import zlib
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import BinaryIO

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from datasets.data_files import SPLIT_KEYWORDS

from twophase.errors import UserError
from twophase.sources.files.account import Account
from twophase.sources.files.delimited import check_sparse, read_csv

SUFFIXES = {
    "csv": (".csv", ".tsv", ".txt"),
    "json": (".json", ".jsonl", ".ndjson"),
    "parquet": (".parquet", ".pq", ".arrow"),  # arrow: what `save_to_disk` of the `datasets` library writes
}
KEYWORDS = {word: str(split) for split, words in SPLIT_KEYWORDS.items() for word in words}
DESCRIPTIONS = {"dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json", "config.json"}
PICTURES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
MAGIC = {
    b"PK\x03\x04": "an Excel or zip file",
    b"\xd0\xcf\x11\xe0": "an old Excel file",
    b"\x1f\x8b": "a gzip file",
    b"PAR1": "a parquet file",
    b"%PDF": "a PDF",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
    b"version https://git-lfs": "a pointer of Git LFS (its content was not fetched)",
    b"<!doctype html": "a web page",
    b"<html": "a web page",
}
UNPACKED = 2000  # MB that a compressed table may become


def kind_of(path: Path) -> str | None:
    """The kind of table that a file is by its suffix, with or without .gz behind it; None for none."""
    return next((kind for kind, suffixes in SUFFIXES.items() if bare(path).endswith(suffixes)), None)


def bare(path: Path) -> str:
    """A file's name in small letters, without .gz."""
    return path.name.lower().removesuffix(".gz")


def split_of(name: str) -> str | None:
    """The split that a file or folder holds by a word in its name, of those that the `datasets` library knows."""
    return next((KEYWORDS[word] for word in re.split(r"[-._ 0-9]+", name.lower()) if word in KEYWORDS), None)


def find(kind: str, path: Path, given: dict[str, Path], notes: list[str]) -> dict[str, list[Path]]:
    """Split -> its files, of `path` (a file, or a folder with files or folders a split) and of further files.

    Raises:
        UserError: a path is missing, of the wrong sort or suffix; a split is there twice or in part, or training is not.
    """
    folder = exists(path).is_dir()
    sources = _splits_of(kind, path, given.values(), notes) if folder else {"train": [path]}
    add_given(sources, given)
    for at in [*([] if folder else [path]), *given.values()]:
        if not exists(at).is_file():
            raise UserError(f"{at} is a folder or no plain file, where a {kind} file is needed; name the file in it.")
        if kind_of(at) != kind:
            fitting = f"task={kind_of(at)}" if kind_of(at) else "the kind that the file is"
            raise UserError(
                f"{at}: a {kind} file ends in {' or '.join(SUFFIXES[kind])}, not {at.suffix or 'nothing'}; "
                f"choose {fitting}, or save it as one of these."
            )
    for at in itertools.chain(*sources.values()):
        if not encodable(at.name):
            raise UserError(f"the name of {str(at)!r} is not UTF-8; rename it.")
    return sources


def exists(path: Path) -> Path:
    """The path. Raises UserError if nothing is there, a link leads nowhere, or it may not be looked at."""
    try:
        path.stat()
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist; give the path of the data.") from error
    except (OSError, ValueError) as error:  # a loop of links, no permission, a NUL in the name
        raise UserError(f"{path} cannot be opened ({error}); give the path of data that can be read.") from error
    return path


def inside(folder: Path, wanted: Callable[[Path], bool]) -> list[Path]:
    """What is wanted of a folder, by name. Raises UserError if it cannot be listed."""
    try:
        return sorted((path for path in folder.iterdir() if wanted(path)), key=lambda path: path.name)
    except OSError as error:
        raise UserError(f"{folder} cannot be listed ({error}); make it readable.") from error


def splits_among(folder: Path, paths: Iterable[Path]) -> dict[str, list[Path]]:
    """Split -> the file or folder with its name, or files whose names differ by numbers only: parts of one.

    Raises:
        UserError: a split is there twice.
    """
    found: dict[str, list[Path]] = {}
    for path in paths:
        if split := split_of(path.name):
            found.setdefault(split, []).append(path)
    for split, parts in found.items():
        for path in parts[1:]:
            if path.is_dir() or alike(path) != alike(parts[0]):
                raise UserError(f"{folder} has {parts[0].name} and {path.name}, both {split}; keep one.")
    return found


def alike(path: Path) -> str:
    """A file's name with a star for each number: the same for all parts of one table."""
    return re.sub(r"\d+", "*", path.name)


def add_given(sources: dict[str, list[Path]], given: dict[str, Path]) -> None:
    """Enter the splits that the user named. Raises UserError where one is there already."""
    for split, at in given.items():
        if split in sources:
            raise UserError(f"{split} is given twice, {sources[split][0]} and {at}; leave one out.")
        sources[split] = [at]


def tables_in(path: Path) -> list[Path]:
    """A file that is a table, or those of a folder."""
    files = inside(path, Path.is_file) if path.is_dir() else [path]
    return [file for file in files if kind_of(file) and file.name not in DESCRIPTIONS and file.name[0] != "."]


def kind_in(path: Path) -> str | None:
    """The kind of a file, or of the tables in a folder and in its folders that are named as splits; None for others.

    A .txt, which may be a note, is of none.
    """
    there = [path]
    if path.is_dir():
        there = inside(path, lambda one: one.name[0] != "." and (not one.is_dir() or split_of(one.name) is not None))
    kinds = [kind_of(file) for one in there for file in tables_in(one) if not bare(file).endswith(".txt")]
    return kinds[0] if kinds else None


def _splits_of(kind: str, folder: Path, given: Collection[Path], notes: list[str]) -> dict[str, list[Path]]:
    def rank(file: Path) -> tuple[bool, bool, str]:
        """The kind that is asked for comes first, and last what may be a note beside the data."""
        return bare(file).endswith(".txt"), kind_of(file) != kind, kind_of(file)

    there = inside(folder, lambda path: path.name[0] != ".")
    named = {path: split_of(path.name) for path in there}
    ranks = {
        path: min(map(rank, files))
        for path, split in named.items()
        if (split or not path.is_dir()) and (files := tables_in(path))
    }
    first = {split: min(ranks[path] for path in ranks if named[path] == split) for split in map(named.get, ranks)}
    chosen = [path for path in ranks if ranks[path] == first[named[path]]]
    sources = splits_among(folder, chosen)
    if not sources and len(set(map(alike, chosen))) == 1:
        sources = {"train": chosen}
    if "train" not in sources:
        advice = "Name a file, or rename the training file."
        below = itertools.islice(itertools.chain(folder.glob("*/*"), folder.glob("*/*/*")), 1000)
        if not ranks and any(path.suffix.lower() in PICTURES for path in below):
            advice = "Below it are pictures: choose the kind image_folder (task=image_folder)."
        raise UserError(
            f"{folder} is a folder without a training file (train{SUFFIXES[kind][0]}); tables in it: "
            f"{shorten(path.name for path in ranks)}. {advice}"
        )
    sources = {
        split: [file for path in parts for file in tables_in(path) if rank(file) == ranks[path]]
        for split, parts in sources.items()
    }
    for split, files in sources.items():
        for count in set(re.findall(r"-of-(\d+)", " ".join(file.name for file in files))):
            if (here := sum(f"-of-{count}" in file.name for file in files)) != int(count):
                raise UserError(
                    f"{folder} has {here} of the {int(count)} parts of {split} ({shorten(p.name for p in files)}); "
                    "bring the others, or rename what is there."
                )
    used = {*itertools.chain(*sources.values()), *given}
    every = [file for path in there for file in (path.iterdir() if path in ranks and path.is_dir() else [path])]
    if unread := sorted(str(path.relative_to(folder)) for path in every if path not in used and path.name[0] != "."):
        notes.append(f"{folder.name}: not read: {shorten(unread)}")
    return sources


def read(parts: Sequence[Path], notes: list[str]) -> tuple[pd.DataFrame, Account]:
    """All rows of a table in one or more files, and their account.

    Columns are named by stripped strings; csv gives strings only, and NaN for empty cells. A separator that the suffix does
    not tell is added to `notes`.

    Raises:
        UserError: a file is empty, has no rows, is of another format, broken, not UTF-8 or not permitted, or parts differ in
            their columns.
    """
    tables, lines = zip(*(_read(path, notes) for path in parts), strict=True)
    for path, table in zip(parts, tables, strict=True):
        if odd := set(table.columns) ^ set(tables[0].columns):
            raise UserError(f"{path} and {parts[0].name} differ in columns ({shorten(sorted(odd))}); mend one of them.")
    whole = tables[0] if len(tables) == 1 else pd.concat(tables, ignore_index=True)
    one = parts[0] if len(parts) == 1 else parts[0].with_name(alike(parts[0]))
    if len(set(map(alike, parts))) > 1:
        one = parts[0].parent
    return whole, Account(one, len(whole), None if None in lines else sum(lines))


def _read(path: Path, notes: list[str]) -> tuple[pd.DataFrame, int | None]:
    kind, lines = kind_of(path), None
    try:
        _check_content(path, kind)
        if kind == "parquet":
            table = _parquet(path)
        else:
            with _opened(path) as stream:
                text = stream.read().decode("utf-8-sig")
            usual = "\t" if bare(path).endswith(".tsv") else ","
            table, lines = read_csv(path, text, usual, notes) if kind == "csv" else (_json(path, text), None)
    except UnicodeDecodeError as fault:
        byte, at = fault.object[fault.start], fault.start
        line = fault.object.count(b"\n", 0, at) + 1
        raise UserError(
            f"{path} is not UTF-8: byte 0x{byte:02x} at offset {at} (line {line}), as Windows-1252 or Latin-1 has it; "
            "save as UTF-8."
        ) from fault
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} cannot be read ({error}); make it readable, or give another file.") from error
    table.columns = [composed(str(name)).strip() for name in table.columns]
    if doubled := sorted(set(table.columns[table.columns.duplicated()])):
        raise UserError(f"{path} has more than one column named {shorten(doubled)}; rename them.")
    if table.empty:
        raise UserError(
            f"{path} has columns ({shorten(table.columns)}) and no rows; give a file with a row an example."
        )
    return table.reset_index(drop=True), lines


def _opened(path: Path) -> BinaryIO:
    return gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb")


def _check_content(path: Path, kind: str) -> None:
    with _opened(path) as stream:
        blocks = iter(lambda: stream.read(1 << 20), b"")
        head = next(blocks, b"")
        if not head.strip():
            raise UserError(f"{path} is empty; give a file with a row an example.")
        sort = sort_of(head)
        if kind == "parquet" and (sort is None or head.startswith(b"PAR1")):
            return
        for number, block in enumerate(itertools.chain([head], blocks)):
            if sort is None and b"\0" in block:
                sort = "a binary or damaged file (it holds zero bytes)"
            if path.suffix.lower() == ".gz" and number > UNPACKED:
                raise UserError(f"{path} becomes more than {UNPACKED:,} MB; unpack it, and give a part of its rows.")
            if sort:
                break
    if sort:
        wanted = "parquet" if kind == "parquet" else "UTF-8 text"
        raise UserError(
            f"{path} is {sort}, whatever its name says; export it as {wanted}, or choose the kind that it is."
        )


def sort_of(head: bytes) -> str | None:
    """What a file is by its first bytes, None if that is not known."""
    start = head[:64].lstrip().lower()
    return next((sort for magic, sort in MAGIC.items() if start.startswith(magic.lower())), None)


def _json(path: Path, text: str) -> pd.DataFrame:
    rows = None
    if bare(path).endswith(".json"):
        try:
            rows = json.loads(text)
        except json.JSONDecodeError as error:
            if not (error.msg == "Extra data" and text[: error.pos].strip().startswith("{")):
                raise UserError(
                    f"{path} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}; mend or export it again."
                ) from error
        except (RecursionError, ValueError) as error:  # nested too deep; a number of thousands of digits
            raise UserError(f"{path} cannot be read as JSON ({error}); give a list of flat objects.") from error
    rows = _json_lines(path, text) if rows is None else rows
    wanted = (
        'give a list of objects, [{"text": …, "label": …}, …], or one object a line (pandas: to_json(orient="records"))'
    )
    if not isinstance(rows, list):
        raise UserError(f"{path} holds one {_sort(rows)}, not a list of objects; {wanted}.")
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise UserError(f"{path}: item {number} is a {_sort(row)}, not an object; {wanted}.")
    check_sparse(path, len(set().union(*rows)), len(rows), sum(map(len, rows)))
    # dtype object, so that whole numbers beside a missing one do not become floats
    return pd.DataFrame(rows, dtype=object)


def _json_lines(path: Path, text: str) -> list:
    rows = []
    for number, line in enumerate(re.split(r"\r\n?|\n", text), 1):
        try:
            rows += [json.loads(line)] if line.strip() else []
        except (ValueError, RecursionError) as error:
            fault = f"{error.msg} at column {error.colno}" if isinstance(error, json.JSONDecodeError) else error
            raise UserError(f"{path} is not JSON lines: line {number}: {fault}; write one object a line.") from error
    return rows


def _sort(value: object) -> str:
    return {dict: "object", list: "list", str: "string", bool: "boolean", type(None): "null"}.get(type(value), "number")


def _parquet(path: Path) -> pd.DataFrame:
    try:
        if path.suffix.lower() == ".arrow":
            table = pa.ipc.open_stream(path.read_bytes()).read_all()
        else:
            table = pq.ParquetFile(path).read()
        table.validate(full=True)  # text that is not UTF-8 would otherwise show in the middle of a run
        return named_classes(table).astype(object)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise UserError(
            f"{path} cannot be read as parquet ({error}); it is cut short, broken or another format: write it again."
        ) from error


def named_classes(table: pa.Table) -> pd.DataFrame:
    """A table with names where the `datasets` library noted in the schema which numbers of classes have names.

    -1, which is no label, and other numbers without a name become None.
    """
    frame = table.to_pandas()
    try:
        features = dict(json.loads(table.schema.metadata[b"huggingface"])["info"]["features"])
    except (TypeError, KeyError, ValueError):  # no note, or another one
        return frame
    for column, kind in features.items():
        if isinstance(kind, dict) and kind.get("_type") == "ClassLabel" and column in frame and kind.get("names"):
            names = dict(enumerate(kind["names"]))
            if pa.types.is_integer(table[column].type):
                frame[column] = [names.get(number) for number in table[column].to_pylist()]
    return frame


def shorten(names, most: int = 8) -> str:
    """'a', 'b', … and N more, for messages; "none" for no names."""
    names = list(names)
    listed = ", ".join(shown(str(name)) for name in names[:most]) or "none"
    return listed + (f" and {len(names) - most} more" if len(names) > most else "")


def shown(value: object) -> str:
    """A value for a message, cut at 60 characters."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"


def composed(name: str) -> str:
    """A name in Unicode's composed form (NFC): é may be one character or two, and looks the same."""
    return unicodedata.normalize("NFC", name)


def encodable(text: str) -> bool:
    """Whether a text can be written as UTF-8; half of a surrogate pair, which JSON can escape, cannot."""
    return text == text.encode("utf-8", "ignore").decode()
