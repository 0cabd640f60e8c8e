"""Tables from files: csv, json and parquet."""

import gzip
import itertools
import json
import re
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from twophase.errors import UserError
from twophase.sources.files.account import Account
from twophase.sources.files.delimited import check_sparse, read_csv
from twophase.sources.files.finding import alike, bare, kind_of
from twophase.sources.files.names import composed, shorten

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
