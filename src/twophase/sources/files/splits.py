"""The splits that a user did not give, drawn class by class, and the faults that labels can have."""

import math
import re

import numpy as np
import pandas as pd

from twophase.errors import UserError
from twophase.sources.files import notes as findings
from twophase.sources.files.drawing import allot, draw, draw_groups, groups
from twophase.sources.files.tables import plural, shorten, shown

SPLITS = ("train", "validation", "test")


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
) -> tuple[dict[str, pd.DataFrame], list[str], int]:
    """All three splits, the classes that are left, and how many test rows are training or validation rows too.

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
    findings.note_copies(frames, missing, notes)
    rows, alone = len(frames["train"]), set()
    for number, split in enumerate(missing):
        rng = np.random.default_rng([seed, SPLITS.index(split)])
        of = groups(frames["train"], 1 + len(missing) - number)
        chosen = draw_groups(of, round(rows * shares[split]), len(missing) - number, classes, rng)
        frames[split] = frames["train"][chosen].reset_index(drop=True)
        frames["train"] = frames["train"][~chosen].reset_index(drop=True)
        alone |= set(of["stratum"][of["group"] < 0])
        notes.append(f"{split}: {len(frames[split])} of {rows} rows set apart, class by class (seed {seed})")
    if alone:
        notes.append(
            f"copies of rows of {shorten(sorted(alone))} may be in two splits, there are too few different ones"
        )
    rows = len(frames["train"])
    if max_rows is not None and max_rows < rows:
        labels = frames["train"]["label"]
        sizes = allot(labels.value_counts().reindex(classes), max_rows, 0)
        frames["train"] = frames["train"][draw(labels, sizes, np.random.default_rng([seed, 0]))]
        notes.append(f"train: {rows} rows capped to {max_rows}, class by class (seed {seed})")
    leaked = findings.leaked(frames, missing, notes)
    findings.note_sizes(frames, classes, notes)
    return {split: frames[split].reset_index(drop=True) for split in SPLITS}, classes, leaked


def _check_labels(frames: dict[str, pd.DataFrame], origin: str) -> None:
    labels = frames["train"]["label"]
    if len(labels) < 2:
        raise UserError("1 training row only; give two classes with several examples each.")
    distinct = labels.nunique()
    if distinct < 2:
        raise UserError(f"one class only in {origin}: {shown(labels.iloc[0])}; a classifier needs at least two.")
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
        notes.append(f"class {shown(name)} has {plural(count, 'training row')}, fewer than {needed}: left out")
    if len(rare) > 3:
        notes.append(f"{len(rare) - 3} more classes with fewer than {needed} training rows left out")
    frames = {split: frame[frame["label"].isin(kept)].reset_index(drop=True) for split, frame in frames.items()}
    for split, frame in frames.items():
        if frame.empty:
            raise UserError(f"{split} has no rows of the classes that are left, {shorten(kept)}; give it some.")
    return frames, kept
