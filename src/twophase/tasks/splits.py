"""The splits that a user did not give, drawn class by class, and the faults that labels can have."""

from __future__ import annotations

import math
import re

import numpy as np
import pandas as pd

from ..errors import UserError
from .tables import plural, shorten

SPLITS = ("train", "validation", "test")
UNEVEN = 10  # times the rows of the smallest class


def label(frames: dict[str, pd.DataFrame]) -> tuple[dict[str, pd.DataFrame], list[str]]:
    """Splits whose labels that are whole numbers are written alike in all, and the classes in order."""
    names = set().union(*(frame["label"] for frame in frames.values()))
    if all(re.fullmatch(r"[+-]?\d+(\.0+)?", name) for name in names):
        frames = {split: frame.assign(label=frame["label"].str.split(".").str[0]) for split, frame in frames.items()}
        names = {name.split(".")[0] for name in names}
    values = {name: _number(name) for name in names}
    numeric = all(value is not None for value in values.values())
    return frames, sorted(names, key=(lambda name: (values[name], name)) if numeric else None)


def _number(name: str) -> float | None:
    try:
        value = float(name)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def complete(
    frames: dict[str, pd.DataFrame],
    classes: list[str],
    origin: str,
    shares: dict[str, float],
    max_rows: int | None,
    seed: int,
    notes: list[str],
) -> tuple[dict[str, pd.DataFrame], list[str]]:
    """All three splits, and the classes that are left.

    Args:
        frames: split -> rows with a column label; at least train.
        classes: names in order.
        origin: where labels come from, for messages.
        shares: split -> share of the training rows, for the splits that are not in `frames`.
        max_rows: most training rows, or None.

    Raises:
        UserError: labels that are no classes, fewer than two classes, a label that training lacks, max_rows too low.
    """
    missing = [split for split in ("test", "validation") if split not in frames]
    _check_labels(frames, origin)
    frames, classes = _leave_out_rare(frames, classes, origin, missing, notes)
    if max_rows is not None and max_rows < 2 * len(classes):
        raise UserError(
            f"max_rows is {max_rows} for {len(classes)} classes; give {2 * len(classes)} or more, two a class."
        )
    _note_duplicates(frames, notes)
    rows = len(frames["train"])
    for number, split in enumerate(missing):
        counts = frames["train"]["label"].value_counts().reindex(classes)
        sizes = allot(counts, round(rows * shares[split]), len(missing) - number)
        chosen = _draw(frames["train"], sizes, np.random.default_rng([seed, SPLITS.index(split)]))
        frames[split] = frames["train"][chosen].reset_index(drop=True)
        frames["train"] = frames["train"][~chosen].reset_index(drop=True)
        notes.append(f"{split}: {len(frames[split])} of {rows} rows set apart, class by class (seed {seed})")
    rows = len(frames["train"])
    if max_rows is not None and max_rows < rows:
        sizes = allot(frames["train"]["label"].value_counts().reindex(classes), max_rows, 0)
        frames["train"] = frames["train"][_draw(frames["train"], sizes, np.random.default_rng([seed, 0]))]
        notes.append(f"train: {rows} rows capped to {max_rows}, class by class (seed {seed})")
    _note_balance(frames, classes, notes)
    return {split: frames[split].reset_index(drop=True) for split in SPLITS}, classes


def _check_labels(frames: dict[str, pd.DataFrame], origin: str) -> None:
    labels = frames["train"]["label"]
    if len(labels) < 2:
        raise UserError("1 training row only; give two classes with several examples each.")
    distinct = labels.nunique()
    if distinct < 2:
        raise UserError(f"one class only in {origin}: {labels.iloc[0]!r}; a classifier needs at least two.")
    if distinct == len(labels):
        raise UserError(
            f"all {distinct} labels in {origin} differ ({shorten(labels, 3)}): this is not classification; "
            "name the column with the classes, or make classes of the values."
        )
    for split, frame in frames.items():
        if unknown := sorted(set(frame["label"]) - set(labels)):
            raise UserError(
                f"{split} has labels that training lacks: {shorten(unknown)}; training has {shorten(sorted(set(labels)))}. "
                "Leave these rows out, or add training examples."
            )


def _leave_out_rare(
    frames: dict[str, pd.DataFrame], classes: list[str], origin: str, missing: list[str], notes: list[str]
) -> tuple[dict[str, pd.DataFrame], list[str]]:
    """Without the classes that cannot have a row in training and in each split still to be drawn."""
    counts = frames["train"]["label"].value_counts().reindex(classes)
    needed = 1 + len(missing)
    rare = counts[counts < needed]
    kept = [name for name in classes if name not in rare.index]
    splits = " and ".join(["training", *reversed(missing)])
    if rare.sum() > counts.sum() / 2:
        raise UserError(
            f"{len(rare)} of {len(counts)} labels in {origin} have fewer than {needed} rows, too few for {splits}, and "
            f"more than half of the rows have such labels ({shorten(rare.index, 3)}): this is not classification, or "
            "there are too few examples; name the column with the classes, or add examples."
        )
    if len(kept) < 2:
        raise UserError(
            f"{len(kept)} class in {origin} has the {needed} rows that {splits} need; too few: "
            f"{shorten(f'{name} ({count})' for name, count in rare.items())}. Add examples, two classes are needed."
        )
    for name, count in list(rare.items())[:3]:
        notes.append(f"class {name!r} has {plural(count, 'training row')}, fewer than {needed}: left out")
    if len(rare) > 3:
        notes.append(f"{len(rare) - 3} more classes with fewer than {needed} training rows left out")
    frames = {split: frame[frame["label"].isin(kept)].reset_index(drop=True) for split, frame in frames.items()}
    for split, frame in frames.items():
        if frame.empty:
            raise UserError(f"{split} has no rows of the classes that are left, {shorten(kept)}; give it some.")
    return frames, kept


def allot(counts: pd.Series, total: int, leave: int) -> pd.Series:
    """Rows a class, in proportion to what there is, but at least one, and `leave` left over.

    scikit-learn's stratified splits promise neither (a small class may miss a split), and refuse to leave out fewer
    rows than there are classes.

    Args:
        counts: (classes,) rows there are, each above `leave`.
        total: rows to take; met as nearly as the bounds allow.
        leave: rows of each class not to take.
    """
    most = counts - leave
    total = min(max(total, len(counts)), int(most.sum()))
    quotas = counts * total / counts.sum()
    sizes = np.floor(quotas).astype(int).clip(1, most)
    while sizes.sum() < total:
        sizes[(quotas - sizes).where(sizes < most).idxmax()] += 1
    while sizes.sum() > total:
        sizes[(sizes - quotas).where(sizes > 1).idxmax()] -= 1
    return sizes


def _draw(frame: pd.DataFrame, sizes: pd.Series, rng: np.random.Generator) -> np.ndarray:
    """(rows,) True for those drawn, `sizes` of each class."""
    chosen = np.zeros(len(frame), dtype=bool)
    for name, size in sizes.items():
        chosen[rng.permutation(np.flatnonzero(frame["label"] == name))[:size]] = True
    return chosen


def _note_duplicates(frames: dict[str, pd.DataFrame], notes: list[str]) -> None:
    inputs = [column for column in frames["train"] if column != "label"]
    for split, frame in frames.items():
        if count := int(frame.duplicated().sum()):
            drawn = split == "train" and len(frames) < len(SPLITS)
            notes.append(
                f"{split}: {plural(count, 'duplicate row')} kept"
                + (", which may be in two of the splits drawn" if drawn else "")
            )
        differing = int((frame.drop_duplicates().groupby(inputs)["label"].size() > 1).sum())
        if differing:
            notes.append(f"{split}: {plural(differing, 'input')} with more than one label")
    for split, other in (("validation", "train"), ("test", "train"), ("test", "validation")):
        if split in frames and other in frames:
            count = len(frames[split][inputs].merge(frames[other][inputs].drop_duplicates()))
            if count:
                name = "training" if other == "train" else other
                notes.append(f"{split}: {count} of {plural(len(frames[split]), 'row')} also in the {name} data")


def _note_balance(frames: dict[str, pd.DataFrame], classes: list[str], notes: list[str]) -> None:
    for split in SPLITS[1:]:
        if absent := [name for name in classes if name not in set(frames[split]["label"])]:
            notes.append(f"{split}: no rows of {shorten(absent)}")
    counts = frames["train"]["label"].value_counts()
    if counts.max() >= UNEVEN * counts.min():
        notes.append(
            f"classes are uneven in training: {counts.idxmax()!r} has {counts.max()} rows, "
            f"{counts.idxmin()!r} {counts.min()}; always saying {counts.idxmax()!r} is right for {counts.max() / counts.sum():.0%}"
        )
    if len({name.lower() for name in classes}) < len(classes):
        notes.append("some classes differ by capital letters only")
