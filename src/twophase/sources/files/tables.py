"""Tables from files: csv, json and parquet, and which file of a folder is which split."""

import csv
import io
import itertools
import json
import re
import unicodedata
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from twophase.errors import UserError

SUFFIXES = {"csv": (".csv", ".tsv", ".txt"), "json": (".json", ".jsonl", ".ndjson"), "parquet": (".parquet", ".pq")}
NAMED = {"train": ("train", "training"), "validation": ("validation", "valid", "val", "dev"), "test": ("test",)}
ALIASES = {alias: split for split, aliases in NAMED.items() for alias in aliases}
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
NAMES = {",": "commas", "\t": "tabs", ";": "semicolons", "|": "bars"}
HEADER, ROWS = 1 << 16, 20  # characters and rows in which the separator is looked for


def find(kind: str, path: Path, given: dict[str, Path]) -> dict[str, Path]:
    """Split -> file, of `path` (a file, or a folder with a file a split) and of further files.

    Raises:
        UserError: a path is missing, of the wrong sort or suffix; a split is there twice, or training is not.
    """
    sources = _splits_of(kind, path) if exists(path).is_dir() else {"train": path}
    add_given(sources, given)
    for at in sources.values():
        if not exists(at).is_file():
            raise UserError(f"{at} is a folder or no plain file, where a {kind} file is needed; name the file in it.")
        if at.suffix.lower() not in SUFFIXES[kind]:
            raise UserError(
                f"{at}: a {kind} file ends in {' or '.join(SUFFIXES[kind])}, not {at.suffix or 'nothing'}; "
                "choose the kind that the file is, or save it as one of these."
            )
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


def splits_among(folder: Path, paths: Iterable[Path]) -> dict[str, Path]:
    """Split -> the file or folder with its name. Raises UserError where one is there twice."""
    sources: dict[str, Path] = {}
    for path in paths:
        split = ALIASES.get((path.name if path.is_dir() else path.stem).lower())
        if split in sources:
            raise UserError(f"{folder} has {sources[split].name} and {path.name}, both {split}; keep one.")
        if split:
            sources[split] = path
    return sources


def add_given(sources: dict[str, Path], given: dict[str, Path]) -> None:
    """Enter the splits that the user named. Raises UserError where one is there already."""
    for split, at in given.items():
        if split in sources:
            raise UserError(f"{split} is given twice, {sources[split]} and {at}; leave one out.")
        sources[split] = at


def _splits_of(kind: str, folder: Path) -> dict[str, Path]:
    files = inside(folder, lambda path: path.suffix.lower() in SUFFIXES[kind] and path.is_file())
    sources = splits_among(folder, files)
    if "train" not in sources:
        advice = "Name a file, or rename the training file."
        below = itertools.islice(itertools.chain(folder.glob("*/*"), folder.glob("*/*/*")), 1000)
        if not files and any(path.suffix.lower() in PICTURES for path in below):
            advice = "Below it are pictures: choose the kind image_folder (task=image_folder)."
        raise UserError(
            f"{folder} is a folder without a training file (train{SUFFIXES[kind][0]}); {kind} files in it: "
            f"{shorten(path.name for path in files)}. {advice}"
        )
    return sources


def read(kind: str, path: Path, notes: list[str]) -> pd.DataFrame:
    """All rows of a file; columns are named by stripped strings; csv gives strings only, and NaN for empty cells.

    A separator that the suffix does not tell is added to `notes`.

    Raises:
        UserError: the file is empty, has no rows, is of another format, broken, not UTF-8 or not permitted.
    """
    try:
        _check_content(path, kind)
        table = _csv(path, notes) if kind == "csv" else _json(path) if kind == "json" else _parquet(path)
    except UnicodeDecodeError as error:
        raise _not_utf8(path) from error
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error}); make it readable, or give another file.") from error
    table.columns = [composed(str(name)).strip() for name in table.columns]
    if doubled := sorted(set(table.columns[table.columns.duplicated()])):
        raise UserError(f"{path} has more than one column named {shorten(doubled)}; rename them.")
    if table.empty:
        raise UserError(
            f"{path} has columns ({shorten(table.columns)}) and no rows; give a file with a row an example."
        )
    return table.reset_index(drop=True)


def _check_content(path: Path, kind: str) -> None:
    with path.open("rb") as stream:
        blocks = iter(lambda: stream.read(1 << 20), b"")
        head = next(blocks, b"")
        if not head.strip():
            raise UserError(f"{path} is empty; give a file with a row an example.")
        sort = sort_of(head)
        if kind == "parquet" and (sort is None or head.startswith(b"PAR1")):
            return
        if sort is None and any(b"\0" in block for block in itertools.chain([head], blocks)):
            sort = "a binary or damaged file (it holds zero bytes)"
    if sort:
        wanted = "parquet" if kind == "parquet" else "UTF-8 text"
        raise UserError(
            f"{path} is {sort}, whatever its name says; export it as {wanted}, or choose the kind that it is."
        )


def sort_of(head: bytes) -> str | None:
    """What a file is by its first bytes, None if that is not known."""
    start = head[:64].lstrip().lower()
    return next((sort for magic, sort in MAGIC.items() if start.startswith(magic.lower())), None)


def _not_utf8(path: Path) -> UserError:
    where = ""
    try:
        path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as fault:
        byte, at = fault.object[fault.start], fault.start
        line = fault.object.count(b"\n", 0, at) + 1
        where = f": byte 0x{byte:02x} at offset {at} (line {line}), as Windows-1252 or Latin-1 has it"
    return UserError(f"{path} is not UTF-8{where}; save as UTF-8.")


def _csv(path: Path, notes: list[str]) -> pd.DataFrame:
    """All rows as strings, NaN for empty cells; the header may show another separator than the suffix, with a note.

    Raises:
        UserError: rows with more cells than the header, or an open quote.
    """
    usual = "\t" if path.suffix.lower() == ".tsv" else ","
    with path.open(encoding="utf-8-sig") as stream:
        head = stream.read(HEADER)
    skipped = 0
    if first := re.match(r'"?sep=.?"?\n', head, re.IGNORECASE):  # Excel's line that names the separator
        head, skipped = head[first.end() :], 1
    sign = _separator(head, usual)
    options = dict(sep=sign, dtype=str, index_col=False, keep_default_na=False, na_values=[""], skiprows=skipped)
    try:
        with warnings.catch_warnings():
            # pandas only warns where it drops the last cells of rows that are all longer than the header
            warnings.simplefilter("error", pd.errors.ParserWarning)
            table = pd.read_csv(path, encoding="utf-8-sig", **options)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, pd.errors.ParserWarning) as error:
        fault = str(error).strip().removeprefix("Error tokenizing data. C error: ")
        raise UserError(
            f"{path} is no table separated by {NAMES[sign]} ({fault}); every row needs as many cells as "
            'the header, and a text with a separator, a line break or a quote stands in "…" with its quotes doubled.'
        ) from error
    names = next(iter(_first_rows(head, sign)), [])
    if len(names) == len(table.columns):  # pandas renames the second of two columns of one name
        table.columns = [name or other for name, other in zip(names, table.columns, strict=True)]
    if sign != usual:
        notes.append(
            f"{path.name}: its header shows that {NAMES[sign]} separate the cells, not {NAMES[usual]}; read so"
        )
    return table


def _separator(head: str, usual: str) -> str:
    """The sign that gives the first rows as many cells as the header, or else the header more than one."""
    cells = {sign: [len(row) for row in _first_rows(head, sign)] for sign in NAMES}
    several = [sign for sign in NAMES if cells[sign] and cells[sign][0] > 1]
    fitting = [sign for sign in several if len(set(cells[sign])) == 1]
    choice = fitting or several or [usual]
    return usual if usual in choice else max(choice, key=lambda sign: cells[sign][0])


def _first_rows(head: str, sign: str) -> list[list[str]]:
    """Those that are not blank; none where a cell is longer than the module allows."""
    try:
        return [row for row in itertools.islice(csv.reader(io.StringIO(head), delimiter=sign), ROWS) if row]
    except csv.Error:
        return []


def _json(path: Path) -> pd.DataFrame:
    text = path.read_text(encoding="utf-8-sig")
    try:
        rows = _json_lines(path, text) if path.suffix.lower() in (".jsonl", ".ndjson") else json.loads(text)
    except json.JSONDecodeError as error:
        if not (error.msg == "Extra data" and text[: error.pos].strip().startswith("{")):
            raise UserError(
                f"{path} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}; mend or export it again."
            ) from error
        rows = _json_lines(path, text)
    except (RecursionError, ValueError) as error:  # nested too deep; a number of thousands of digits
        raise UserError(f"{path} cannot be read as JSON ({error}); give a list of flat objects.") from error
    wanted = (
        'give a list of objects, [{"text": …, "label": …}, …], or one object a line (pandas: to_json(orient="records"))'
    )
    if not isinstance(rows, list):
        raise UserError(f"{path} holds one {_sort(rows)}, not a list of objects; {wanted}.")
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise UserError(f"{path}: item {number} is a {_sort(row)}, not an object; {wanted}.")
    # dtype object, so that whole numbers beside a missing one do not become floats
    return pd.DataFrame(rows, dtype=object)


def _json_lines(path: Path, text: str) -> list:
    rows = []
    for number, line in enumerate(text.split("\n"), 1):
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
        table = pq.ParquetFile(path).read()
        table.validate(full=True)  # text that is not UTF-8 would otherwise show in the middle of a run
        return table.to_pandas().astype(object)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise UserError(
            f"{path} cannot be read as parquet ({error}); it is cut short, broken or another format: write it again."
        ) from error


def shorten(names, most: int = 8) -> str:
    """'a', 'b', … and N more, for messages; "none" for no names."""
    names = list(names)
    listed = ", ".join(shown(str(name)) for name in names[:most]) or "none"
    return listed + (f" and {len(names) - most} more" if len(names) > most else "")


def shown(value: object) -> str:
    """A value for a message, cut at 60 characters."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"


def plural(count: int, what: str) -> str:
    """ "1 row", "2 rows", for messages."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def composed(name: str) -> str:
    """A name in Unicode's composed form (NFC): é may be one character or two, and looks the same."""
    return unicodedata.normalize("NFC", name)


def encodable(text: str) -> bool:
    """Whether a text can be written as UTF-8; half of a surrogate pair, which JSON can escape, cannot."""
    return text == text.encode("utf-8", "ignore").decode()
