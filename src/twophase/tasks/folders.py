"""Pictures from folders, a folder a class, or from a column: RGB, eight bits, upright and at most 512 pixels a side."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..errors import UserError
from .tables import ALIASES, encodable, exists, plural, shorten

if TYPE_CHECKING:
    from PIL.Image import Image

LARGEST = 512  # pixels a side that are kept
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")  # no EPS and the like, which start other programs
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
        raise UserError(f"{folder} has {found}{beside}; {LAYOUT}, two classes at least.")
    if loose:
        notes.append(
            f"{split}: {plural(len(loose), 'file')} beside the class folders left out: {shorten((p.name for p in loose), 3)}"
        )
    rows, broken, reduced = [], [], 0
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
            try:
                png, smaller = _png(_plain(file))
            except Exception:  # a decoder raises whatever it likes on a broken file
                broken.append(f"{place.name}/{file.name}")
                continue
            rows.append((png, place.name))
            reduced += smaller
    if not rows and not broken:
        raise UserError(f"{folder}: there are no pictures in {shorten(p.name for p in classes)}; {LAYOUT}.")
    return _told(rows, broken, reduced, f"{folder}", split, notes)


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
    rows, broken, reduced = [], [], 0
    for number, (picture, name) in enumerate(zip(pictures, labels, strict=True), 1):
        if name is None:
            continue
        try:
            png, smaller = _png(io.BytesIO(picture["bytes"]))
        except Exception:  # as above
            broken.append(f"row {number}")
            continue
        rows.append((png, name))
        reduced += smaller
    return _told(rows, broken, reduced, f"{path}", split, notes)


def _told(rows: list, broken: list[str], reduced: int, where: str, split: str, notes: list[str]) -> pd.DataFrame:
    if len(broken) > len(rows):
        raise UserError(
            f"{where}: {len(broken)} of {len(broken) + len(rows)} files cannot be read as pictures "
            f"({shorten(broken, 3)}); readable are {', '.join(FORMATS)}."
        )
    if broken:
        notes.append(
            f"{split}: {plural(len(broken), 'file')} that cannot be read as pictures left out: {shorten(broken, 3)}"
        )
    if reduced:
        notes.append(f"{split}: {plural(reduced, 'picture')} larger than {LARGEST} pixels a side reduced to {LARGEST}")
    return pd.DataFrame(rows, columns=["image", "label"])


def _plain(file: Path) -> Path:
    if not file.is_file():  # opening a pipe would wait for ever
        raise OSError(f"{file} is no plain file")
    return file


def _png(file: Path | io.BytesIO) -> tuple[bytes, bool]:
    """PNG bytes, since thousands of decoded pictures would not fit in memory; and whether it was reduced."""
    from PIL import Image, ImageOps

    with Image.open(file, formats=FORMATS) as image:
        reduced = max(image.size) > LARGEST
        image.draft(None, (2 * LARGEST, 2 * LARGEST))  # a JPEG of a hundred megapixels is decoded smaller
        picture = _rgb(ImageOps.exif_transpose(image))
    if reduced:
        picture.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS)
    picture.info.clear()  # profiles and comments would be written along
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue(), reduced


def _rgb(image: Image) -> Image:
    """RGB of any mode: 16 bits scaled, transparency put on white. Raises ValueError where the scale is unknown."""
    from PIL import Image

    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image, dtype=float)
        top = 1 if image.mode == "F" else 65535
        if not (values.min() >= 0 and values.max() <= top):
            raise ValueError(f"mode {image.mode} with values that are not from 0 to {top}")
        return Image.fromarray(np.round(values * (255 / top)).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    return image.convert("RGB")
