"""Names of classes from the cells of a label column."""

import math
import numbers
import unicodedata
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd

from twophase.errors import UserError
from twophase.sources.files.tables import encodable, plural, shorten, shown

NOT_A_NUMBER = ("nan", "-nan", "+nan")  # what tools write for a number that is missing
INVISIBLE = "\u200b\u2060\ufeff"  # spaces of no width, which str.strip leaves
WORDS = (
    "na",
    "n/a",
    "#n/a",
    "<na>",
    "none",
    "null",
    "nil",
    "nat",
    "inf",
    "-inf",
)  # may be classes: an intent "None", the region "NA"


def clean_labels(table: pd.DataFrame, column: str, path: Path, notes: list[str]) -> pd.Series:
    """Names of classes, None where a row has none.

    A label is missing in an empty cell and where it is NaN; words such as NA, None and null are classes, with a note.
    Blanks around a name go, and its Unicode form is the composed one, so that what looks alike is one class.

    Raises:
        UserError: no row has a label, or one is no label.
    """
    labels = pd.Series([_label(value, row, column, path) for row, value in enumerate(table[column], 1)], dtype=object)
    if labels.isna().all():
        raise UserError(f"{path}: all {len(table)} labels in column {column!r} are missing; name another column.")
    if count := int(labels.isna().sum()):
        written = sum(isinstance(value, str) and value.strip() != "" for value in table[column][labels.isna()])
        says = f" ({written} of them: 'nan' is written there)" if written else ""
        notes.append(f"{path.name}: {plural(count, 'row')} without a label left out{says}")
    _note_forms(table[column], labels, path, notes)
    if words := sorted({name for name in labels.dropna().unique() if name.lower() in WORDS}):
        notes.append(
            f"{path.name}: {shorten(words)} in column {column!r} taken as the name of a class; "
            "where the label is missing, empty the cell"
        )
    return labels


def _note_forms(values: pd.Series, labels: pd.Series, path: Path, notes: list[str]) -> None:
    forms: dict[str, set[str]] = {}
    for value, name in zip(values, labels, strict=True):
        if isinstance(value, str) and name is not None:
            forms.setdefault(name, set()).add(value)
    if merged := sorted(name for name, written in forms.items() if len(written) > 1):
        notes.append(
            f"{path.name}: labels that differ by blanks around them or by Unicode form only are one class: {shorten(merged)}"
        )


def composed(name: str) -> str:
    """A name in Unicode's composed form (NFC): é may be one character or two, and looks the same."""
    return unicodedata.normalize("NFC", name)


def missing(value: object) -> bool:
    """Whether a cell holds nothing."""
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value))


def _label(value: object, row: int, column: str, path: Path) -> str | None:
    """The class's name, None if missing."""
    if missing(value):
        return None
    if isinstance(value, str):
        if not encodable(value):
            raise UserError(f"{path}, row {row}: label {value!r} is not valid Unicode; save the file as UTF-8.")
        name = composed(value.strip().strip(INVISIBLE).strip())
        return None if name == "" or name.lower() in NOT_A_NUMBER else name
    if isinstance(value, bool | np.bool_):
        return str(value)
    if isinstance(value, numbers.Integral):
        return str(value)
    if isinstance(value, numbers.Real | Decimal):
        return str(int(value)) if math.isfinite(value) and value == int(value) else str(value)
    raise UserError(
        f"{path}, row {row}: the label in column {column!r} is {shown(value)}; a string or a number is needed, one a row."
    )
