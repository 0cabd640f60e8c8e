"""Tables from files: csv, json and parquet, and which file of a folder is which split."""

import itertools
import json
import unicodedata
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from twophase.errors import UserError
from twophase.sources.files.delimited import read_separated

SUFFIXES = {"csv": (".csv", ".tsv", ".txt"), "json": (".json", ".jsonl", ".ndjson"), "parquet": (".parquet", ".pq")}
ALIASES = {"train": "train", "training": "train", "test": "test"} | dict.fromkeys(
    ("validation", "valid", "val", "dev"), "validation"
)
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


def find(kind: str, path: Path, given: dict[str, Path]) -> dict[str, Path]:
    """Split -> file, of `path` (a file, or a folder with a file a split) and of further files.

    Raises:
        UserError: a path is missing, of the wrong sort or suffix; a split is there twice, or training is not.
    """
    sources = _splits_of(kind, path) if exists(path).is_dir() else {"train": path}
    for split, at in given.items():
        if split in sources:
            raise UserError(f"{split} is given twice, {sources[split]} and {at}; leave one out.")
        sources[split] = at
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


def _splits_of(kind: str, folder: Path) -> dict[str, Path]:
    try:
        files = sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES[kind] and p.is_file())
    except OSError as error:
        raise UserError(f"{folder} cannot be listed ({error}); make it readable.") from error
    sources: dict[str, Path] = {}
    for file in files:
        split = ALIASES.get(file.stem.lower())
        if split in sources:
            raise UserError(f"{folder} has {sources[split].name} and {file.name}, both {split}; keep one.")
        if split:
            sources[split] = file
    if "train" not in sources:
        below = itertools.islice(itertools.chain(folder.glob("*/*"), folder.glob("*/*/*")), 1000)
        pictures = not files and any(p.suffix.lower() in PICTURES for p in below)
        raise UserError(
            f"{folder} is a folder without a training file (train{SUFFIXES[kind][0]}); {kind} files in it: "
            f"{shorten([p.name for p in files])}. "
            + (
                "Name a file, or rename the training file."
                if not pictures
                else "Below it are pictures: choose the kind image_folder (task=image_folder)."
            )
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
        table = read_separated(path, notes) if kind == "csv" else {"json": _json, "parquet": _parquet}[kind](path)
    except UnicodeDecodeError as error:
        raise _not_utf8(path) from error
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error}); make it readable, or give another file.") from error
    table.columns = [unicodedata.normalize("NFC", str(name)).strip() for name in table.columns]
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
    try:
        path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as fault:
        byte, at = fault.object[fault.start], fault.start
        line = fault.object.count(b"\n", 0, at) + 1
        return UserError(
            f"{path} is not UTF-8: byte 0x{byte:02x} at offset {at} (line {line}), as Windows-1252 or Latin-1 has it; "
            "save as UTF-8."
        )
    return UserError(f"{path} is not UTF-8; save as UTF-8.")


def _json(path: Path) -> pd.DataFrame:
    text = path.read_text(encoding="utf-8-sig")
    lines = path.suffix.lower() in (".jsonl", ".ndjson")
    try:
        rows = _json_lines(path, text) if lines else json.loads(text)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data" and text[: error.pos].strip().startswith("{"):
            rows = _json_lines(path, text)
        else:
            raise UserError(
                f"{path} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}; mend or export it again."
            ) from error
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
        if line.strip():
            try:
                rows.append(json.loads(line))
            except (ValueError, RecursionError) as error:
                fault = f"{error.msg} at column {error.colno}" if isinstance(error, json.JSONDecodeError) else error
                raise UserError(
                    f"{path} is not JSON lines: line {number}: {fault}; write one object a line."
                ) from error
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


def encodable(text: str) -> bool:
    """Whether a text can be written as UTF-8; half of a surrogate pair, which JSON can escape, cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
