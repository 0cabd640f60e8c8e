"""Tables whose cells are set apart by a comma, or by another sign that the header shows."""

import csv
import io
import itertools
import re
import warnings
from pathlib import Path

import pandas as pd

from twophase.errors import UserError

NAMES = {",": "commas", "\t": "tabs", ";": "semicolons", "|": "bars"}
HEADER, ROWS = 1 << 16, 20  # characters and rows in which the separator is looked for


def read_separated(path: Path, notes: list[str]) -> pd.DataFrame:
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
    sign = _sign(head, usual)
    try:
        with warnings.catch_warnings():
            # pandas only warns where it drops the last cells of rows that are all longer than the header
            warnings.simplefilter("error", pd.errors.ParserWarning)
            table = pd.read_csv(
                path, sep=sign, encoding="utf-8-sig", dtype=str, index_col=False, skiprows=skipped,
                keep_default_na=False, na_values=[""],
            )  # fmt: skip
    except (pd.errors.ParserError, pd.errors.EmptyDataError, pd.errors.ParserWarning) as error:
        fault = str(error).strip().removeprefix("Error tokenizing data. C error: ")
        raise UserError(
            f"{path} is no table separated by {NAMES[sign]} ({fault}); every row needs as many cells as "
            'the header, and a text with a separator, a line break or a quote stands in "…" with its quotes doubled.'
        ) from error
    names = next(iter(_rows(head, sign)), [])
    if len(names) == len(table.columns):  # pandas renames the second of two columns of one name
        table.columns = [name or other for name, other in zip(names, table.columns, strict=True)]
    if sign != usual:
        notes.append(
            f"{path.name}: its header shows that {NAMES[sign]} separate the cells, not {NAMES[usual]}; read so"
        )
    return table


def _sign(head: str, usual: str) -> str:
    """The sign that gives the first rows as many cells as the header, or else the header more than one."""
    cells = {sign: [len(row) for row in _rows(head, sign)] for sign in NAMES}
    several = [sign for sign in NAMES if cells[sign] and cells[sign][0] > 1]
    fitting = [sign for sign in several if len(set(cells[sign])) == 1]
    choice = fitting or several or [usual]
    return usual if usual in choice else max(choice, key=lambda sign: cells[sign][0])


def _rows(head: str, sign: str) -> list[list[str]]:
    """The first rows without blank lines; none where a cell is longer than the module allows."""
    try:
        return [row for row in itertools.islice(csv.reader(io.StringIO(head), delimiter=sign), ROWS) if row]
    except csv.Error:
        return []
