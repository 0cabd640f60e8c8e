"""Tables as text: which sign separates the cells, and quotation marks that stand open."""

import csv
import io
import itertools
import re
import sys
import warnings
from pathlib import Path

import pandas as pd

from twophase.errors import UserError

NAMES = {",": "commas", "\t": "tabs", ";": "semicolons", "|": "bars"}
ROWS = 20  # in which the separator is looked for
SPARSE = (10**7, 20)  # cells, and cells for each that is filled, above which a table is not made


def read_csv(path: Path, text: str, usual: str, notes: list[str]) -> tuple[pd.DataFrame, int]:
    """All rows as strings, NaN for empty cells; and the number of lines.

    The header may show another separator than the `usual` one of the suffix, with a note. Where a quotation mark stands open,
    and every line has as many cells as the header, the table is read without quoting, with a note.

    Raises:
        UserError: rows with more cells than the header, or a quotation mark whose cell takes in further rows.
    """
    csv.field_size_limit(sys.maxsize)  # texts may be long
    lines = list(io.StringIO(text, newline=""))
    # Excel's line that names the separator
    skipped = bool(lines and re.fullmatch(r'"?sep=.?"?\s*', lines[0], re.IGNORECASE))
    sign = _separator(lines[skipped:], usual)
    names = next(iter(_first_rows(lines[skipped:], sign)), [])
    filled = [line for line in lines[skipped:] if line.strip(" \r\n")]
    check_sparse(path, len(names), len(filled), text.count(sign) + len(filled))
    options = dict(sep=sign, dtype=str, index_col=False, keep_default_na=False, na_values=[""], skiprows=int(skipped))
    fault = opened = table = None
    try:
        table = _parsed(text, options)
        opened = _open_quote(lines, sign, table) if len(table) + 1 < len(filled) else None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, pd.errors.ParserWarning) as error:
        fault = error
    if fault or opened:
        if '"' not in text or any(line.count(sign) != len(names) - 1 for line in filled):
            raise _unreadable(path, sign, fault, opened, lines, table) from fault
        table = _parsed(text, options | {"quoting": csv.QUOTE_NONE})
        table = table.apply(lambda cells: cells.str.replace(r'^"(.*)"$', r"\1", regex=True))
        where = f" (the first in line {opened})" if opened else ""
        notes.append(f"{path.name}: quotation marks stand open{where}; read without quoting, a row a line")
    if len(names) == len(table.columns):  # pandas renames the second of two columns of one name
        table.columns = [name or other for name, other in zip(names, table.columns, strict=True)]
    if sign != usual:
        notes.append(
            f"{path.name}: its header shows that {NAMES[sign]} separate the cells, not {NAMES[usual]}; read so"
        )
    return table, len(lines)


def _parsed(text: str, options: dict) -> pd.DataFrame:
    with warnings.catch_warnings():
        # pandas only warns where it drops the last cells of rows that are all longer than the header
        warnings.simplefilter("error", pd.errors.ParserWarning)
        return pd.read_csv(io.StringIO(text), **options)


def _open_quote(lines: list[str], sign: str, table: pd.DataFrame) -> int | None:
    """The line of a quotation mark whose cell takes in further rows of the file; None if there is none.

    Such a cell ends in the midst of another one; or else each of its row's lines has as many cells as the header, and in one
    column nothing but what other rows have there too, which is not so for a text of several lines.
    """
    known = [set(table[column]) for column in table]
    rows = csv.reader(lines, delimiter=sign, strict=True)
    while True:
        start, broken = rows.line_num, False
        try:
            next(rows)
        except StopIteration:
            return None
        except csv.Error:
            broken = True
        if rows.line_num - start < 2:
            continue
        cells = [line.rstrip("\r\n").split(sign) for line in lines[start : rows.line_num]]
        full = all(len(row) == len(known) for row in cells)
        if broken or (full and any(seen.issuperset(row[at] for row in cells) for at, seen in enumerate(known))):
            return start + 1


def _unreadable(path, sign, fault, opened, lines, table) -> UserError:
    remedy = 'a text with a separator, a line break or a quote stands in "…" with its quotes doubled'
    if fault is None:
        return UserError(
            f"{path}, line {opened}: a quotation mark opens a cell that takes in further rows, so that {len(lines)} lines "
            f"become {len(table)} rows; {remedy}."
        )
    says = str(fault).strip().removeprefix("Error tokenizing data. C error: ")
    return UserError(
        f"{path} is no table separated by {NAMES[sign]} ({says}); every row needs as many cells as the header, and {remedy}."
    )


def check_sparse(path: Path, columns: int, rows: int, filled: int) -> None:
    """Raise UserError where a table would be made of empty cells nearly all, which a small file can ask for by the billion."""
    most, share = SPARSE
    if columns * rows > max(most, share * filled):
        raise UserError(
            f"{path} has {rows:,} rows and {columns:,} different columns, nearly all of them empty; give every row the "
            "same few, a text and a label."
        )


def _separator(lines: list[str], usual: str) -> str:
    """The sign that gives the first rows as many cells as the header, or else the header more than one."""
    cells = {sign: [len(row) for row in _first_rows(lines, sign)] for sign in NAMES}
    several = [sign for sign in NAMES if cells[sign] and cells[sign][0] > 1]
    fitting = [sign for sign in several if len(set(cells[sign])) == 1]
    choice = fitting or several or [usual]
    return usual if usual in choice else max(choice, key=lambda sign: cells[sign][0])


def _first_rows(lines: list[str], sign: str) -> list[list[str]]:
    """Those that are not blank."""
    return [row for row in itertools.islice(csv.reader(lines, delimiter=sign), ROWS) if row]
