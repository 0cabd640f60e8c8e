"""Pictures from folders, a folder a class, or from a column: RGB, eight bits, upright and at most 512 pixels a side."""

from pathlib import Path

import pandas as pd

from twophase.errors import UserError
from twophase.sources.files.decoding import Reading
from twophase.sources.files.labels import composed
from twophase.sources.files.tables import ALIASES, SUFFIXES, encodable, exists, plural, shorten

LAYOUT = "put pictures in a folder a class, PATH/CLASS/*.jpg or PATH/train/CLASS/*.jpg"


def find(root: Path, given: dict[str, Path], notes: list[str]) -> dict[str, Path]:
    """Split -> folder of class folders, of `root` (classes, or splits with classes) and of further folders.

    Raises:
        UserError: a folder is missing or is a file; a split is there twice, or training is not.
    """
    sources: dict[str, Path] = {}
    below = _list(root)[0]
    for folder in below:
        split = ALIASES.get(folder.name.lower())
        if split in sources:
            raise UserError(f"{root} has {sources[split].name} and {folder.name}, both {split}; keep one.")
        if split:
            sources[split] = folder
    if "train" not in sources:
        if sources and len(sources) == len(below):
            raise UserError(f"{root} has {shorten(f.name for f in below)} and no folder train; {LAYOUT}.")
        sources = {"train": root}  # "test" beside other folders and no "train" is a class of that name
    elif others := [folder.name for folder in below if folder not in sources.values()]:
        notes.append(f"{root.name}: folders beside train left out: {shorten(others)}")
    for split, folder in given.items():
        if split in sources:
            raise UserError(f"{split} is given twice, {sources[split]} and {folder}; leave one out.")
        _list(folder)
        sources[split] = folder
    return sources


def _list(folder: Path) -> tuple[list[Path], list[Path]]:
    """Sub-folders and all else in a folder, sorted by name, hidden ones left out."""
    if not exists(folder).is_dir():
        raise UserError(f"{folder} is a file, where a folder of pictures is needed; {LAYOUT}.")
    try:
        inside = sorted(
            (p for p in folder.iterdir() if p.name[0] != "." and p.name != "__MACOSX"), key=lambda p: p.name
        )
    except OSError as error:
        raise UserError(f"{folder} cannot be listed ({error}); make it readable.") from error
    return [p for p in inside if p.is_dir()], [p for p in inside if not p.is_dir()]


def read(folder: Path, split: str, notes: list[str]) -> pd.DataFrame:
    """A row a picture: image (the bytes of a PNG file) and label (its folder's name), by folder and file name.

    Raises:
        UserError: no class folders (one only, for training), no pictures, or more than half cannot be read.
    """
    classes, loose = _list(folder)
    if not classes or (split == "train" and len(classes) < 2):
        found = f"one class folder only, {classes[0].name!r}" if classes else "no class folders"
        beside = f" and {plural(len(loose), 'file')} ({shorten((p.name for p in loose), 3)})" if loose else ""
        tables = any(p.suffix.lower() in suffixes for p in loose for suffixes in SUFFIXES.values())
        hint = f"; for tables choose the kind {' or '.join(SUFFIXES)}" if tables and not classes else ""
        if len(classes) == 1 and (inner := _list(classes[0])[0]):
            hint = f" (in {classes[0].name} are folders, {shorten((p.name for p in inner), 3)}: is it the one to give?)"
        raise UserError(f"{folder} has {found}{beside}; {LAYOUT}, two classes at least{hint}.")
    if loose:
        notes.append(
            f"{split}: {plural(len(loose), 'file')} beside the class folders left out: {shorten((p.name for p in loose), 3)}"
        )
    reading = Reading()
    for place in classes:
        if not encodable(place.name):
            raise UserError(f"the name of folder {place.name!r} in {folder} is not UTF-8; rename it.")
        deeper, files = _list(place)
        if deeper:
            notes.append(
                f"{split}: folders inside class {place.name!r} left out: {shorten((p.name for p in deeper), 3)}"
            )
        if not files:
            notes.append(f"{split}: class {place.name!r} has no pictures: left out")
        for file in files:
            reading.add(file, composed(place.name), f"{place.name}/{file.name}")
    if reading.empty:
        raise UserError(f"{folder}: there are no pictures in {shorten(p.name for p in classes)}; {LAYOUT}.")
    return reading.told(folder, split, notes)


def image_column(table: pd.DataFrame) -> str | None:
    """The column that holds pictures as the `datasets` library writes them: objects with the file's bytes."""
    for column in table.columns:
        first = next((value for value in table[column] if value is not None), None)
        if isinstance(first, dict) and isinstance(first.get("bytes"), bytes):
            return column
    return None


def read_column(pictures: pd.Series, labels: pd.Series, path: Path, split: str, notes: list[str]) -> pd.DataFrame:
    """As `read`, from a table's column of pictures; rows without a label are left out.

    Raises:
        UserError: more than half cannot be read.
    """
    reading = Reading()
    for number, (picture, name) in enumerate(zip(pictures, labels, strict=True), 1):
        if name is not None:
            content = picture.get("bytes") if isinstance(picture, dict) else None
            reading.add(content, name, f"row {number}")
    return reading.told(path, split, notes)
