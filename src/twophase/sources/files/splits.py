"""The splits that a user did not give, drawn class by class; the faults that labels can have, and what looks wrong."""

import math
import re

import numpy as np
import pandas as pd

from twophase.errors import UserError
from twophase.sources.files.account import Account, plural
from twophase.sources.files.names import shorten, shown
from twophase.training.tasks import SPLITS

UNEVEN = 10  # times the rows of the smallest class
FEW = 5  # training rows of a class
SMALL = 50  # test rows


def complete(
    frames: dict[str, pd.DataFrame],
    accounts: dict[str, Account],
    origin: str,
    shares: dict[str, float],
    max_rows: int | None,
    seed: int,
    notes: list[str],
) -> tuple[dict[str, pd.DataFrame], list[str], int]:
    """All three splits, the classes in order, and how many test rows are training or validation rows too.

    Args:
        frames: split -> rows with a column label; at least train.
        accounts: of these splits; what is drawn or left out here is entered.
        shares: split -> share of the training rows, for the splits that are not in `frames`.

    Raises:
        UserError: labels that are no classes, fewer than two classes, a label that training lacks, max_rows too low.
    """
    missing = [split for split in ("test", "validation") if split not in frames]
    frames, classes = _in_order(frames)
    _check_labels(frames, origin)
    before = {split: len(frame) for split, frame in frames.items()}
    frames, classes = _leave_out_rare(frames, classes, origin, missing, notes)
    for split, frame in frames.items():
        accounts[split].left_out[f"of classes with fewer than {1 + len(missing)} training rows"] += before[split] - len(
            frame
        )
    if max_rows is not None and max_rows < 2 * len(classes):
        raise UserError(
            f"max_rows is {max_rows} for {len(classes)} classes; give {2 * len(classes)} or more, two a class."
        )
    _note_copies(frames, missing, notes)
    rows, alone = len(frames["train"]), set()
    for number, split in enumerate(missing):
        rng = np.random.default_rng([seed, SPLITS.index(split)])
        of = _groups(frames["train"], 1 + len(missing) - number)
        chosen = _draw(of, round(rows * shares[split]), len(missing) - number, classes, rng)
        frames[split] = frames["train"][chosen].reset_index(drop=True)
        frames["train"] = frames["train"][~chosen].reset_index(drop=True)
        alone |= set(of["stratum"][of["group"] < 0])
        accounts["train"].set_apart[split] = len(frames[split])
        accounts[split] = Account(
            accounts["train"].path,
            len(frames[split]),
            what=accounts["train"].what,
            drawn=f"class by class (seed {seed})",
        )
    if alone:
        notes.append(
            f"copies of rows of {shorten(sorted(alone))} may be in two splits, there are too few different ones"
        )
    rows = len(frames["train"])
    if max_rows is not None and max_rows < rows:
        single = pd.DataFrame({"group": np.arange(rows), "stratum": frames["train"]["label"]})
        frames["train"] = frames["train"][_draw(single, max_rows, 0, classes, np.random.default_rng([seed, 0]))]
        accounts["train"].left_out[f"beyond max_rows={max_rows}"] += rows - len(frames["train"])
    leaked = _note_leaks(frames, missing, notes)
    _note_sizes(frames, classes, notes)
    return {split: frames[split].reset_index(drop=True) for split in SPLITS}, classes, leaked


def _in_order(frames: dict[str, pd.DataFrame]) -> tuple[dict[str, pd.DataFrame], list[str]]:
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


def _groups(frame: pd.DataFrame, least: int) -> pd.DataFrame:
    """(rows,) group: a number for the row's input, the same for its copies; stratum: the group's most frequent label.

    Copies in two splits would let a model be tested on what it was trained on. Rows of a class that has fewer than
    `least` groups are a group each, with a negative number, since it could not be in all splits otherwise.
    """
    of = _grouped(frame)
    counts = of.drop_duplicates("group")["stratum"].value_counts()
    poor = [name for name in frame["label"].unique() if counts.get(name, 0) < least]
    if not poor:
        return of
    apart = frame["label"].isin(poor)
    alone = pd.DataFrame({"group": -1 - np.arange(apart.sum()), "stratum": frame["label"][apart]})
    return pd.concat([_grouped(frame[~apart]), alone]).reindex(frame.index)


def _grouped(frame: pd.DataFrame) -> pd.DataFrame:
    of = pd.DataFrame({"group": frame.groupby(_inputs(frame), sort=False).ngroup(), "label": frame["label"]})
    sizes = of.groupby(["group", "label"], sort=False).size().sort_values(ascending=False, kind="stable")
    most = sizes.reset_index().drop_duplicates("group").set_index("group")["label"]
    return pd.DataFrame({"group": of["group"], "stratum": of["group"].map(most)})


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


def _draw(of: pd.DataFrame, total: int, leave: int, classes: list[str], rng: np.random.Generator) -> np.ndarray:
    """(rows,) True for those drawn of what `_groups` gave: whole groups, about `total` rows, each stratum in proportion.

    Without copies a stratum gives its size by `allot`; with them at most that, or its smallest group where all are larger,
    and keeps `leave` groups at least.
    """
    sizes = allot(of["stratum"].value_counts().reindex(classes), total, leave)
    rows = of["group"].value_counts().to_dict()
    chosen: set[int] = set()
    for name, size in sizes.items():
        permuted = rng.permutation(np.flatnonzero(of["stratum"] == name))
        drawn = list(dict.fromkeys(of["group"].to_numpy()[permuted]))
        if min(map(rows.get, drawn)) > size:
            chosen.add(min(drawn, key=rows.get))
            continue
        most = len(drawn) - leave
        for group in drawn:
            if most and rows[group] <= size:
                chosen.add(group)
                size, most = size - rows[group], most - 1
    return of["group"].isin(chosen).to_numpy()


def _note_copies(frames: dict[str, pd.DataFrame], drawn: list[str], notes: list[str]) -> None:
    """Rows that are there twice, and inputs with two labels, of the splits before some are drawn."""
    inputs = _inputs(frames["train"])
    for split, frame in frames.items():
        if count := int(frame.duplicated().sum()):
            where = ", copies in one split as far as possible" if split == "train" and drawn else ""
            notes.append(f"{split}: {plural(count, 'duplicate row')} kept{where}")
        if differing := int((frame.drop_duplicates().groupby(inputs)["label"].size() > 1).sum()):
            notes.append(f"{split}: {plural(differing, 'input')} with more than one label")


def _note_leaks(frames: dict[str, pd.DataFrame], drawn: list[str], notes: list[str]) -> int:
    """Test rows whose input is a training or validation row too; such rows are noted, also those of validation.

    Args:
        frames: all three splits.
        drawn: those of validation and test that were drawn from training.
    """
    inputs = _inputs(frames["train"])
    known = {split: frame[inputs] for split, frame in frames.items()}
    if "validation" in drawn:
        known["train"] = pd.concat([known["train"], known.pop("validation")])
    for split, other in (("validation", "train"), ("test", "train"), ("test", "validation")):
        if other not in known or (split == "validation" and split in drawn):
            continue
        if count := _shared(frames[split], known[other]):
            name = "training" if other == "train" else other
            says = "; accuracy on these says little about new ones" if split == "test" else ""
            notes.append(f"{split}: {count} of {plural(len(frames[split]), 'row')} also in the {name} data{says}")
    return _shared(frames["test"], pd.concat([known[split] for split in known if split != "test"]))


def _note_sizes(frames: dict[str, pd.DataFrame], classes: list[str], notes: list[str]) -> None:
    """Classes without rows, with few, with very many, or alike in name; and a small test."""
    for split in ("validation", "test"):
        if absent := [name for name in classes if name not in set(frames[split]["label"])]:
            notes.append(f"{split}: no rows of {shorten(absent)}")
    counts = frames["train"]["label"].value_counts()
    if few := int((counts < FEW).sum()):
        notes.append(
            f"train: {few} of {len(counts)} classes have fewer than {FEW} rows to learn from (the smallest "
            f"{counts.min()}); expect little of them"
        )
    if (rows := len(frames["test"])) < SMALL:
        notes.append(
            f"test: {plural(rows, 'row')} only; an accuracy on so few is uncertain by up to ± {98 / rows**0.5:.0f} points"
        )
    if counts.max() >= UNEVEN * counts.min():
        notes.append(
            f"classes are uneven in training: {shown(counts.idxmax())} has {counts.max()} rows, "
            f"{shown(counts.idxmin())} {counts.min()}; always saying {shown(counts.idxmax())} is right for {counts.max() / counts.sum():.0%}"
        )
    if len({name.lower() for name in classes}) < len(classes):
        notes.append("some classes differ by capital letters only")


def _inputs(frame: pd.DataFrame) -> list[str]:
    return [column for column in frame if column != "label"]


def _shared(frame: pd.DataFrame, known: pd.DataFrame) -> int:
    return len(frame[list(known)].merge(known.drop_duplicates()))
