"""A user's own labelled task, read from files: a table of texts or of pictures, or folders of pictures, a folder a class."""

import itertools
import math
import numbers
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from datasets import ClassLabel, Dataset, DatasetDict, Features, Image, Value

from twophase.errors import UserError
from twophase.sources.files import columns, finding, names, pictures, splits, tables
from twophase.sources.files.account import Account
from twophase.training.tasks import SPLITS

KINDS = (*finding.SUFFIXES, "image_folder")


@dataclass(frozen=True)
class FileTask:
    """A task and what was done to make it of the files.

    Attributes:
        task: splits train, validation and test; columns text (and text_pair) or image, and label, a `ClassLabel`
            whose names are sorted, by value where all are numbers.
        guesses: a sentence for everything that was not named and was guessed.
        notes: a sentence for every file that was not read, and for everything that was made or looks wrong.
        counts: classes (index) x splits (columns), numbers of rows.
        leaked: number of test rows whose text or picture is that of a training or validation row, so that accuracy on
            them says little about new ones; 0 where both splits were drawn, unless a class has too few different rows.
        accounts: split -> how many rows its source has, which were left out and why.
    """

    task: DatasetDict
    guesses: list[str]
    notes: list[str]
    counts: pd.DataFrame
    leaked: int = 0
    accounts: dict[str, Account] = field(default_factory=dict)

    @property
    def said(self) -> list[str]:
        """All of it in sentences, the accounts first."""
        return [*(account.said(split) for split, account in self.accounts.items()), *self.guesses, *self.notes]


def read(
    kind: str,
    path: str | Path,
    *,
    text: str | None = None,
    text_pair: str | None = None,
    label: str | None = None,
    test: str | Path | None = None,
    validation: str | Path | None = None,
    max_rows: int | None = None,
    max_missing: float = 0.1,
    validation_share: float = 0.1,
    test_share: float = 0.2,
    seed: int = 0,
) -> FileTask:
    """Read a task, deterministically: the same files and arguments give the same rows in the same order.

    Args:
        kind: "csv" (.tsv too; another separator is known by the header), "json" (a list of objects, or a line each),
            "parquet" (with texts, or with pictures as the `datasets` library writes them; .arrow too) or "image_folder".
        path: a file, or a folder with train, test and validation files (or folders of them; parts of one table are joined;
            of another kind where there is none of this); for pictures CLASS/* or SPLIT/CLASS/*. Splits are known by the
            words of the `datasets` library.
        text, text_pair, label: columns of a table; guessed where not named (a pair only under its usual names). A column of
            names of picture files gives the pictures.
        test, validation: further files (folders for pictures) with these splits. A split that is given nowhere is
            drawn from the training rows, class by class.
        max_rows: most training rows to keep, drawn class by class.
        max_missing: share of a split's rows that may lack a text or a label, and are left out then.
        validation_share, test_share: shares of the training rows for the splits that are drawn, each above 0.
        seed: of the draws, 0 or more.

    Raises:
        UserError: whatever is wrong with files, columns, labels or arguments.
    """
    _check_numbers(validation_share, test_share, max_missing, max_rows, seed)
    if kind not in KINDS:
        raise UserError(f"unknown kind of file {kind!r}; known: {', '.join(KINDS)}. Name one of these.")
    given = {split: _path(split, at) for split, at in (("test", test), ("validation", validation)) if at is not None}
    guesses: list[str] = []
    notes: list[str] = []
    path = _path("path", path)
    if kind == "image_folder":
        if named := [name for name, value in dict(text=text, text_pair=text_pair, label=label).items() if value]:
            raise UserError(
                f"{', '.join(named)} given for an image folder, where a picture's label is its folder; "
                "leave it out, or choose the kind of a table."
            )
        sources = pictures.find(path, given, notes)
        _check_distinct(sources)
        origin = "the class folders"
        found = {split: pictures.read(at, split, notes) for split, [at] in sources.items()}
        frames, accounts = _apart(found)
    else:
        sources = finding.find(kind, path, given, notes)
        _check_distinct(sources)
        raw, accounts = _apart({split: tables.read(parts, notes) for split, parts in sources.items()})
        image = columns.image_column(raw["train"]) if text is None and text_pair is None else None
        if image is None:
            chosen = columns.choose(raw["train"], text, text_pair, label, guesses)
            if "text_pair" not in chosen and columns.names_pictures(raw["train"][chosen["text"]]):
                chosen["image"] = chosen.pop("text")
                guesses.append(
                    f"column {names.shown(chosen['image'])} names pictures, which are read from beside the table"
                )
        else:
            guesses.append(f"picture column: {names.shown(image)} (it holds the bytes of pictures)")
            chosen = {"image": image, "label": columns.choose_label(raw["train"].drop(columns=image), label, guesses)}
        columns.note_unused(raw["train"], chosen, notes)
        frames = {
            split: pictures.clean(table, chosen, accounts[split], split, notes)
            if "image" in chosen
            else columns.clean(table, chosen, accounts[split], notes)
            for split, table in raw.items()
        }
        _check_missing(accounts, chosen, max_missing)
        origin = f"column {names.shown(chosen['label'])}"
    shares = {"test": test_share, "validation": validation_share}
    frames, classes, leaked = splits.complete(frames, accounts, origin, shares, max_rows, seed, notes)
    counts = {split: frames[split]["label"].value_counts().reindex(classes, fill_value=0) for split in SPLITS}
    counts = pd.DataFrame(counts).rename_axis("class")
    return FileTask(
        _to_dataset(frames, classes), guesses, notes, counts, leaked, {split: accounts[split] for split in SPLITS}
    )


def _apart(found: dict[str, tuple[pd.DataFrame, Account]]) -> tuple[dict[str, pd.DataFrame], dict[str, Account]]:
    return {split: frame for split, (frame, _) in found.items()}, {split: one for split, (_, one) in found.items()}


def _path(name: str, at: str | Path) -> Path:
    if not at or not isinstance(at, str | os.PathLike):
        raise UserError(f"{name} is {at!r}; give the path of a file or a folder.")
    if re.match(r"[a-z][a-z0-9+.-]+:/+", str(at), re.IGNORECASE):
        raise UserError(
            f"{name} is the address {str(at)!r}; give the path of a file or folder of this machine, downloaded if need be "
            "(for a dataset of a hub there is task=hub)."
        )
    if not names.encodable(str(at)):
        raise UserError(f"{name} is {str(at)!r}, a name that is not UTF-8; rename it.")
    try:
        return Path(at).expanduser()
    except RuntimeError as error:
        raise UserError(f"{name} is {str(at)!r}, and there is no such user; write the path out.") from error


def _check_missing(accounts: dict[str, Account], chosen: dict[str, str], most: float) -> None:
    """Raise UserError where more rows of a split than this share lack a text or a label."""
    for split, account in accounts.items():
        lacking = {why: account.left_out[why] for why in ("without a label", "without a text") if account.left_out[why]}
        if (count := sum(lacking.values())) > most * account.rows:
            says = ", ".join(f"{number} {why}" for why, number in lacking.items())
            share = math.ceil(100 * count / account.rows) / 100
            raise UserError(
                f"{account.path}: {count} of {account.rows} rows of {split} would be left out ({says}; columns "
                f"{names.shorten(chosen.values())}). Name other columns, or fill the cells; to go on without these rows, give "
                f"max_missing={share:g} (task.max_missing={share:g})."
            )


def _check_numbers(
    validation_share: float, test_share: float, max_missing: float, max_rows: int | None, seed: int
) -> None:
    for name, share in (("validation_share", validation_share), ("test_share", test_share)):
        if not isinstance(share, numbers.Real) or not 0 < share < 1:
            raise UserError(f"{name} is {share!r}; give a share of the rows between 0 and 1, for example 0.1.")
    if not isinstance(max_missing, numbers.Real) or not 0 <= max_missing <= 1:
        raise UserError(f"max_missing is {max_missing!r}; give a share of the rows from 0 to 1, for example 0.1.")
    if math.fsum((validation_share, test_share)) >= 1:
        raise UserError(
            f"validation_share {validation_share} and test_share {test_share} sum to 1 or more, which leaves nothing to "
            "train on; give shares that sum to less, for example 0.1 and 0.2."
        )
    for name, value, least in (("max_rows", 1 if max_rows is None else max_rows, 1), ("seed", seed, 0)):
        if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < least:
            raise UserError(f"{name} is {value!r}; give a whole number of {least} or more.")


def _check_distinct(sources: dict[str, list[Path]]) -> None:
    """Raise UserError where two splits are the same rows, or one folder lies in another."""
    every = [(split, path) for split, parts in sources.items() for path in parts]
    for (first, one), (second, other) in itertools.permutations(every, 2):
        if first >= second:
            continue
        if os.path.samefile(one, other):
            judge, data = ("test", second) if first == "test" else ("validation", first)
            data = "training" if data == "train" else data
            raise UserError(
                f"{one} is given for {first} and for {second}: the {judge} would be the {data} data; "
                "name another file, or leave it out and rows are set apart."
            )
        if one.resolve().is_relative_to(other.resolve()) or other.resolve().is_relative_to(one.resolve()):
            raise UserError(
                f"of {one} ({first}) and {other} ({second}) one lies inside the other, so pictures could be in both; "
                "put them side by side."
            )


def _to_dataset(frames: dict[str, pd.DataFrame], classes: list[str]) -> DatasetDict:
    kinds = {
        "text": Value("string"),
        "text_pair": Value("string"),
        "image": Image(),
        "label": ClassLabel(names=classes),
    }
    features = Features({column: kind for column, kind in kinds.items() if column in frames["train"]})
    rows = {split: frame[list(features)].to_dict("list") for split, frame in frames.items()}
    return DatasetDict({split: Dataset.from_dict(rows[split], features) for split in SPLITS})
