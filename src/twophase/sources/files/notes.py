"""What looks wrong with the splits of a task, a sentence each."""

import pandas as pd

from twophase.sources.files.tables import plural, shorten, shown

UNEVEN = 10  # times the rows of the smallest class
FEW = 5  # training rows of a class
SMALL = 50  # test rows


def note_copies(frames: dict[str, pd.DataFrame], drawn: list[str], notes: list[str]) -> None:
    """Rows that are there twice, and inputs with two labels, of the splits before some are drawn."""
    inputs = _inputs(frames)
    for split, frame in frames.items():
        if count := int(frame.duplicated().sum()):
            where = ", copies in one split as far as possible" if split == "train" and drawn else ""
            notes.append(f"{split}: {plural(count, 'duplicate row')} kept{where}")
        if differing := int((frame.drop_duplicates().groupby(inputs)["label"].size() > 1).sum()):
            notes.append(f"{split}: {plural(differing, 'input')} with more than one label")


def leaked(frames: dict[str, pd.DataFrame], drawn: list[str], notes: list[str]) -> int:
    """Test rows whose input is a training or validation row too; such rows are noted, also those of validation.

    Args:
        frames: all three splits.
        drawn: those of validation and test that were drawn from training.
    """
    inputs = _inputs(frames)
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


def note_sizes(frames: dict[str, pd.DataFrame], classes: list[str], notes: list[str]) -> None:
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


def _inputs(frames: dict[str, pd.DataFrame]) -> list[str]:
    return [column for column in frames["train"] if column != "label"]


def _shared(frame: pd.DataFrame, known: pd.DataFrame) -> int:
    return len(frame[list(known)].merge(known.drop_duplicates()))
