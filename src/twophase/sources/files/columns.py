"""Which column of a table is the text (or picture) and which the label; and the texts and names of classes in them."""

import difflib
import math
import numbers
import re
from collections.abc import Iterable, Set
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd

from twophase.errors import UserError
from twophase.sources.files.account import Account, plural
from twophase.sources.files.finding import KEYWORDS, PICTURES
from twophase.sources.files.names import composed, encodable, shorten, shown

LABELS = ("label", "labels", "category", "class", "target", "sentiment", "intent", "stars", "rating", "topic", "genre",
          "emotion", "language", "tag", "y")  # fmt: skip
TEXTS = ("text", "sentence", "review", "content", "message", "utterance", "document", "body", "comment", "tweet",
         "query", "question", "description", "abstract", "title")  # fmt: skip
PAIRS = (("text", "text_pair"), ("text1", "text2"), ("sentence1", "sentence2"), ("premise", "hypothesis"),
         ("question1", "question2"), ("question", "sentence"))  # fmt: skip
NOT_A_NUMBER = ("nan", "-nan", "+nan")  # what tools write for a number that is missing
FULL = 0.9  # share of the rows that a column which is guessed has a value in, where there is such a column
PICTURE = re.compile(rf"(?s).*({'|'.join(map(re.escape, PICTURES))})(\?.*)?", re.IGNORECASE)
FILE = re.compile(r"\w+://\S+|[^\s]+\.[a-z]\w{1,4}", re.IGNORECASE)
INVISIBLE = "\u200b\u2060\ufeff"  # spaces of no width, which str.strip leaves
# these may be classes: an intent "None", the region "NA"
WORDS = ("na", "n/a", "#n/a", "<na>", "none", "null", "nil", "nat", "inf", "-inf")


def choose(
    table: pd.DataFrame, text: str | None, text_pair: str | None, label: str | None, guesses: list[str]
) -> dict[str, str]:
    """Role (text, text_pair, label) -> column; what was not named is guessed, and said in `guesses`.

    Raises:
        UserError: no such column, one column in two roles, or nothing to guess.
    """
    named = {"text": text, "text_pair": text_pair, "label": label}
    chosen = {role: _named(table, role, column) for role, column in named.items() if column is not None}
    if len(table.columns) < 2:
        raise UserError(
            f"one column only, {shown(table.columns[0])}; a text column and a label column are needed. "
            "The cells of a csv file are separated by commas, tabs, semicolons or bars: save it so."
        )
    for first, second in (("text", "label"), ("text_pair", "label"), ("text", "text_pair")):
        if first in chosen and chosen[first] == chosen.get(second):
            raise UserError(
                f"column {shown(chosen[first])} is named as {first} and as {second}; "
                f"name two of the columns {shorten(table.columns)}."
            )
    if "label" not in chosen:
        chosen["label"] = choose_label(table, None, guesses, set(chosen.values()))
    if "text" not in chosen:
        pair = None if "text_pair" in chosen else _guess_pair(table, chosen["label"])
        if pair:
            chosen["text"], chosen["text_pair"] = pair
            guesses.append(f"text columns: {shown(pair[0])} and {shown(pair[1])} (a pair by their names)")
        else:
            chosen["text"], why = _guess_text(table, set(chosen.values()))
            guesses.append(f"text column: {shown(chosen['text'])} ({why})")
            values = table[chosen["text"]]
            if _mostly(FILE, values) and not names_pictures(values):
                raise UserError(
                    f"column {shown(chosen['text'])} holds names or addresses of files ({shown(values.dropna().iloc[0])}), no "
                    "texts; give a column with the texts themselves, or name this one if the names are to be classified."
                )
    return chosen


def choose_label(table: pd.DataFrame, label: str | None, guesses: list[str], taken: Set[str] = frozenset()) -> str:
    """The column of the labels, guessed if it is not named; see `choose`."""
    if label is not None:
        return _named(table, "label", label)
    label, why = _guess_label(table, taken)
    if label in set(table[label].dropna().map(str)):
        raise UserError(
            f"the first row ({shorten(table.columns, 3)}) looks like data: {shown(label)} is a label of other rows "
            "too. Put a row with the names of the columns first, or name the label column."
        )
    guesses.append(f"label column: {shown(label)} ({why})")
    return label


def _named(table: pd.DataFrame, role: str, column: str) -> str:
    if isinstance(column, str) and composed(column) in table.columns:
        return composed(column)
    near = difflib.get_close_matches(str(column).lower(), [name.lower() for name in table.columns], 1, 0.5)
    meant = [name for name in table.columns if near and name.lower() == near[0]]
    raise UserError(
        f"no column {shown(column)} for {role}; columns: {shorten(table.columns, 30)}."
        + (f" Did you mean {shown(meant[0])}?" if meant else " Name one of these.")
    )


def _full(table: pd.DataFrame, columns: Iterable[str]) -> list[str]:
    """The columns with a value in nearly all rows; all of them where none has."""
    columns = list(columns)
    empty = {name: sum(_missing(v) or (isinstance(v, str) and not v.strip()) for v in table[name]) for name in columns}
    return [name for name in columns if empty[name] <= (1 - FULL) * len(table)] or columns


def _by_name(columns: list[str], known: tuple[str, ...]) -> str | None:
    names = {name.lower(): name for name in reversed(columns)}
    return next((names[name] for name in known if name in names), None)


def _guess_label(table: pd.DataFrame, taken: Set[str]) -> tuple[str, str]:
    free = [name for name in table.columns if name not in taken]
    full = _full(table, free)
    if column := _by_name(full, LABELS) or _by_name(free, LABELS):
        return column, "by its name"
    distinct = {name: table[name].dropna().map(str).nunique() for name in full if name.lower() not in TEXTS}
    fit = {name: count for name, count in distinct.items() if 2 <= count <= len(table) / 2}
    if not fit:
        raise UserError(
            f"no column looks like a label (2 distinct values or more, {len(table) // 2} at most); "
            f"columns: {shorten(table.columns)}. Name the label column."
        )
    column = min(fit, key=fit.get)
    return column, f"the fewest distinct values, {fit[column]}"


def _guess_pair(table: pd.DataFrame, label: str) -> tuple[str, str] | None:
    names = {name.lower(): name for name in table.columns if name != label}
    return next(((names[a], names[b]) for a, b in PAIRS if a in names and b in names), None)


def _guess_text(table: pd.DataFrame, taken: Set[str]) -> tuple[str, str]:
    free = [name for name in table.columns if name not in taken]
    full = _full(table, free)
    if column := _by_name(full, TEXTS) or _by_name(free, TEXTS):
        return column, "by its name"
    lengths = {}
    for name in full:
        values = [value for value in table[name] if isinstance(value, str)]
        if values and not _all_numbers(values):
            lengths[name] = sum(map(len, values)) / len(values)
    if not lengths:
        raise UserError(
            f"no column holds texts beside the label; columns: {shorten(table.columns)}. Name the text column."
        )
    return max(lengths, key=lengths.get), "the longest texts"


def image_column(table: pd.DataFrame) -> str | None:
    """The column that holds pictures as the `datasets` library writes them: objects with the file's bytes or path."""
    for column in table.columns:
        first = next((value for value in table[column] if value is not None), None)
        if isinstance(first, dict) and {"bytes", "path"} == set(first):
            return column
    return None


def names_pictures(values: pd.Series) -> bool:
    """Whether most of a column's texts are names or addresses of picture files."""
    return _mostly(PICTURE, values)


def _mostly(pattern: re.Pattern, values: pd.Series) -> bool:
    texts = [value.strip() for value in values if isinstance(value, str) and value.strip()]
    return sum(pattern.fullmatch(text) is not None for text in texts) > len(texts) / 2


def clean(table: pd.DataFrame, chosen: dict[str, str], account: Account, notes: list[str]) -> pd.DataFrame:
    """Rows with a text and a label: columns text (and text_pair) and label, all strings.

    Raises:
        UserError: a column is missing in this file; a cell that is no text, or no label; no text or no label at all.
    """
    check_columns(table, chosen, account.path)
    labels, path = clean_labels(table, chosen["label"], account, notes), account.path
    roles = [role for role in ("text", "text_pair") if role in chosen]
    frame = pd.DataFrame({role: _texts(table[chosen[role]], chosen[role], path) for role in roles})
    account.left_out["without a text"] += int((frame.isna().any(axis=1) & labels.notna()).sum())
    frame = frame.assign(label=labels).dropna()
    if frame.empty:
        raise UserError(f"{path} has no row with both a text and a label; fill the cells, or name other columns.")
    return frame.reset_index(drop=True)


def note_unused(table: pd.DataFrame, chosen: dict[str, str], notes: list[str]) -> None:
    """Say which columns were not read, and that one of them seems to name splits, which are drawn anew."""
    unused = [name for name in table.columns if name not in chosen.values()]
    if unused:
        notes.append(f"columns not used: {shorten(unused)}")
    for name in unused:
        values = {value.strip().lower() for value in table[name] if isinstance(value, str)}
        if len(values) > 1 and values <= set(KEYWORDS):
            notes.append(
                f"column {shown(name)} seems to name splits ({shorten(sorted(values))}) and is not used: rows of all of "
                "them are taken alike; to keep them apart, write a file for each"
            )


def check_columns(table: pd.DataFrame, chosen: dict[str, str], path: Path) -> None:
    """Raise UserError where a file lacks a column that was chosen from the training file."""
    for role, column in chosen.items():
        if column not in table.columns:
            raise UserError(
                f"{path} lacks column {shown(column)} ({role}), which the training file has; "
                f"its columns: {shorten(table.columns)}. Give the files of a task the same columns."
            )


def _texts(values: pd.Series, column: str, path: Path) -> pd.Series:
    """Texts, None where missing or blank. Raises UserError where one is no text, or all are numbers or blank."""
    present = [value for value in values if not _missing(value)]
    kept = [value if isinstance(value, str) and value.strip() else None for value in values]
    texts = [value for value in kept if value is not None]
    if present and (_all_numbers(texts) if texts else not any(isinstance(value, str) for value in present)):
        raise UserError(
            f"{path}: column {shown(column)} holds no text (numbers or the like, for example {shown(present[0])}); "
            "name the column with the texts."
        )
    for row, value in enumerate(values, 1):
        if not _missing(value) and not isinstance(value, str):
            raise UserError(
                f"{path}, row {row}: {shown(value)} in column {shown(column)} is no text, where other rows have text; "
                "write it as a string, or leave the row out."
            )
        if isinstance(value, str) and not encodable(value):
            raise UserError(
                f"{path}, row {row}: the text in column {shown(column)} is not valid Unicode; save it as UTF-8."
            )
    if not texts:
        raise UserError(
            f"{path}: all {len(values)} texts in column {shown(column)} are empty; name the column with the texts."
        )
    return pd.Series(kept, dtype=object)


def _all_numbers(texts: list[str]) -> bool:
    return bool(pd.to_numeric(pd.Series(texts, dtype=object), errors="coerce").notna().all())


def clean_labels(table: pd.DataFrame, column: str, account: Account, notes: list[str]) -> pd.Series:
    """Names of classes, None where a row has none.

    A label is missing in an empty cell and where it is NaN; words such as NA, None and null are classes, with a note.
    Blanks around a name go, and its Unicode form is the composed one, so that what looks alike is one class.

    Raises:
        UserError: no row has a label, or one is no label.
    """
    path = account.path
    labels = pd.Series([_label(value, row, column, path) for row, value in enumerate(table[column], 1)], dtype=object)
    if labels.isna().all():
        raise UserError(f"{path}: all {len(table)} labels in column {shown(column)} are missing; name another column.")
    account.left_out["without a label"] += int(labels.isna().sum())
    if written := sum(isinstance(value, str) and value.strip() != "" for value in table[column][labels.isna()]):
        notes.append(f"{path.name}: 'nan' in column {shown(column)} taken as no label in {plural(written, 'row')}")
    forms: dict[str, set[str]] = {}
    for value, name in zip(table[column], labels, strict=True):
        if isinstance(value, str) and name is not None:
            forms.setdefault(name, set()).add(value)
    if merged := sorted(name for name, written in forms.items() if len(written) > 1):
        notes.append(
            f"{path.name}: labels that differ by blanks around them or by Unicode form only are one class: {shorten(merged)}"
        )
    if words := sorted({name for name in labels.dropna().unique() if name.lower() in WORDS}):
        notes.append(
            f"{path.name}: {shorten(words)} in column {shown(column)} taken as the name of a class; "
            "where the label is missing, empty the cell"
        )
    return labels


def _missing(value: object) -> bool:
    """Whether a cell holds nothing."""
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value))


def _label(value: object, row: int, column: str, path: Path) -> str | None:
    """The class's name, None if missing."""
    if _missing(value):
        return None
    if isinstance(value, str):
        if not encodable(value):
            raise UserError(f"{path}, row {row}: label {shown(value)} is not valid Unicode; save the file as UTF-8.")
        name = composed(value.strip().strip(INVISIBLE).strip())
        return None if name == "" or name.lower() in NOT_A_NUMBER else name
    if isinstance(value, bool | np.bool_ | numbers.Integral):
        return str(value)
    if isinstance(value, numbers.Real | Decimal):
        return str(int(value)) if math.isfinite(value) and value == int(value) else str(value)
    raise UserError(
        f"{path}, row {row}: the label in column {shown(column)} is {shown(value)}; a string or a number is needed, one a row."
    )
