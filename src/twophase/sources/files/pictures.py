"""Pictures from folders, a folder a class, or from a column: PNG, RGB, eight bits, upright, at most 512 pixels a side."""

import io
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageOps, UnidentifiedImageError

from twophase.errors import UserError
from twophase.sources.files import finding, tables
from twophase.sources.files.account import Account, plural
from twophase.sources.files.columns import check_columns, clean_labels
from twophase.sources.files.names import composed, encodable, shorten, shown

LAYOUT = "put pictures in a folder a class, PATH/CLASS/*.jpg or PATH/train/CLASS/*.jpg"
LARGEST = 512  # pixels a side that are kept
MOST = 64 * 10**6  # pixels that are decoded, in a gigabyte at most; of a JPEG, a fraction of what it has
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")  # no EPS and the like, which start other programs
TOPS = (1, 255, 65535)  # white, in pictures whose mode does not tell


def find(root: Path, given: dict[str, Path], notes: list[str]) -> dict[str, list[Path]]:
    """Split -> one folder of class folders, of `root` (classes, or splits with classes) and of further folders.

    Raises:
        UserError: a folder is missing or is a file; a split is there twice, or training is not.
    """
    below = _list(root)[0]
    named = [folder for folder in below if finding.split_of(folder.name)]
    if len(named) < len(below):  # "train station" may be a class; a split holds folders
        named = [folder for folder in named if folder.name.lower() in finding.KEYWORDS or _list(folder)[0]]
    sources = finding.splits_among(root, named)
    if "train" not in sources:
        if sources and len(sources) == len(below):
            raise UserError(f"{root} has {shorten(f.name for f in below)} and no folder train; {LAYOUT}.")
        sources = {"train": [root]}  # "test" beside other folders and no "train" is a class of that name
    elif others := [
        folder.name for folder in root.iterdir() if [folder] not in sources.values() and folder.name[0] != "."
    ]:
        notes.append(f"{root.name}: not read: {shorten(sorted(others))}")
    finding.add_given(sources, given)
    for folder in given.values():
        _list(folder)
    return sources


def _list(folder: Path) -> tuple[list[Path], list[Path]]:
    """Sub-folders and all else in a folder, sorted by name, hidden ones left out."""
    if not finding.exists(folder).is_dir():
        raise UserError(f"{folder} is a file, where a folder of pictures is needed; {LAYOUT}.")
    shown = finding.inside(folder, lambda path: path.name[0] != "." and path.name != "__MACOSX")
    return [path for path in shown if path.is_dir()], [path for path in shown if not path.is_dir()]


def read(folder: Path, split: str, notes: list[str]) -> tuple[pd.DataFrame, Account]:
    """A row a picture: image (the bytes of a PNG file) and label (its folder's name), by folder and file name; and their account.

    Raises:
        UserError: no class folders (one only, for training), no pictures, or more than half cannot be read.
    """
    classes, loose = _list(folder)
    if not classes or (split == "train" and len(classes) < 2):
        found = f"one class folder only, {classes[0].name!r}" if classes else "no class folders"
        beside = f" and {plural(len(loose), 'file')} ({_names(loose)})" if loose else ""
        is_table = any(path.suffix.lower() in suffixes for path in loose for suffixes in finding.SUFFIXES.values())
        hint = f"; for tables choose the kind {' or '.join(finding.SUFFIXES)}" if is_table and not classes else ""
        if len(classes) == 1 and (inner := _list(classes[0])[0]):
            hint = f" (in {classes[0].name} are folders, {_names(inner)}: is it the one to give?)"
        raise UserError(f"{folder} has {found}{beside}; {LAYOUT}, two classes at least{hint}.")
    if loose:
        notes.append(f"{split}: {plural(len(loose), 'file')} beside the class folders left out: {_names(loose)}")
    reading = _Reading()
    for place in classes:
        if not encodable(place.name):
            raise UserError(f"the name of folder {place.name!r} in {folder} is not UTF-8; rename it.")
        deeper, files = _list(place)
        if deeper:
            notes.append(f"{split}: folders inside class {place.name!r} left out: {_names(deeper)}")
        if not files:
            notes.append(f"{split}: class {place.name!r} has no pictures: left out")
        for file in files:
            reading.add(file, composed(place.name), f"{place.name}/{file.name}")
    if not reading.rows and not reading.broken:
        raise UserError(f"{folder}: there are no pictures in {shorten(p.name for p in classes)}; {LAYOUT}.")
    account = Account(folder, len(reading.rows) + sum(map(len, reading.broken.values())), what="file")
    return reading.told(folder, account, split, notes), account


def _names(paths: list[Path]) -> str:
    return shorten((path.name for path in paths), 3)


def clean(table: pd.DataFrame, chosen: dict[str, str], account: Account, split: str, notes: list[str]) -> pd.DataFrame:
    """As `read`, from a table's column of pictures or of names of files beside it; rows without a label are left out.

    Raises:
        UserError: a column is missing in this file, labels are none, names are addresses, or more than half cannot be read.
    """
    check_columns(table, chosen, account.path)
    labels = clean_labels(table, chosen["label"], account, notes)
    where = f"{account.path}, column {shown(chosen['image'])}"
    reading = _Reading()
    for number, (picture, name) in enumerate(zip(table[chosen["image"]], labels, strict=True), 1):
        if name is None:
            continue
        at, called = picture, f"row {number}"
        if isinstance(picture, dict):
            at = picture.get("bytes") or picture.get("path")
        if isinstance(at, str):
            if "://" in at:
                raise UserError(
                    f"{where}, {called}: {shown(at)} is an address; download the pictures, and write the files' names, or "
                    "put them in a folder a class (task=image_folder)."
                )
            at, called = account.path.parent / at.strip().replace("\\", "/"), at
        reading.add(at if isinstance(at, bytes | Path) else None, name, called)
    return reading.told(where, account, split, notes)


class _Reading:
    """Pictures of one split, those that could not be read and why, and what was changed."""

    def __init__(self) -> None:
        self.rows: list[tuple[bytes, str]] = []
        self.broken: dict[str, list[str]] = {}
        self.changes: Counter[str] = Counter()

    def add(self, source: Path | bytes | None, label: str, name: str) -> None:
        """Decode a picture of a class; `name` is told where it cannot be."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # odd metadata, and sizes that are read all the same
                png, changes = _png(source)
        except Exception as error:  # a decoder raises whatever it likes on a broken file
            self.broken.setdefault(_reason(error, source), []).append(name)
            return
        self.rows.append((png, label))
        self.changes.update(changes)

    def told(self, where: Path | str, account: Account, split: str, notes: list[str]) -> pd.DataFrame:
        """A row a picture: image and label. Raises UserError where more than half could not be read."""
        count = account.left_out["that cannot be read as pictures"] = sum(map(len, self.broken.values()))
        reasons = sorted(self.broken.items(), key=lambda item: -len(item[1]))
        why = "; ".join(f"{shorten(names, 3)} ({reason})" for reason, names in reasons[:3])
        why += f"; and {plural(len(reasons) - 3, 'more reason')}" if len(reasons) > 3 else ""
        if count > len(self.rows):
            raise UserError(
                f"{where}: {count} of {count + len(self.rows)} files cannot be read as pictures: {why}; "
                f"readable are {', '.join(FORMATS)}."
            )
        if count:
            notes.append(f"{split}: {plural(count, 'file')} that cannot be read as pictures left out: {why}")
        notes.extend(f"{split}: {plural(number, 'picture')} {change}" for change, number in self.changes.items())
        return pd.DataFrame(self.rows, columns=["image", "label"])


def _reason(error: Exception, source: Path | bytes | None) -> str:
    if isinstance(error, UnidentifiedImageError) and source is not None:
        sort = tables.sort_of(source[:64] if isinstance(source, bytes) else source.read_bytes()[:64])
        return sort or "none of the formats that are read, or broken at its start"
    if isinstance(error, Image.DecompressionBombError):
        return f"more than {2 * Image.MAX_IMAGE_PIXELS // 10**6} million pixels"
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error).strip().split("\n")[0][:100] or type(error).__name__


def _open(source: Path | bytes | None) -> Path | io.BytesIO:
    on_disk = isinstance(source, Path)
    if on_disk and source.exists() and not source.is_file():  # opening a pipe would wait for ever
        raise ValueError("no plain file")
    if not (source.stat().st_size if on_disk else source):
        raise ValueError("empty")
    return source if on_disk else io.BytesIO(source)


def _png(source: Path | bytes | None) -> tuple[bytes, list[str]]:
    """PNG bytes, since thousands of decoded pictures would not fit in memory; and what was changed."""
    changes = []
    with Image.open(_open(source), formats=FORMATS) as image:
        reduced = max(image.size) > LARGEST
        image.draft(None, (2 * LARGEST, 2 * LARGEST))  # a JPEG of a hundred megapixels is decoded smaller
        if image.width * image.height > MOST:
            raise ValueError(f"more than {MOST // 10**6} million pixels")
        ImageOps.exif_transpose(image, in_place=True)
        picture = _rgb(image, changes)
    if reduced:
        picture.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS)
        changes.append(f"larger than {LARGEST} pixels a side reduced to {LARGEST}")
    picture.info.clear()  # profiles and comments would be written along
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue(), changes


def _rgb(image: Image.Image, changes: list[str]) -> Image.Image:
    """RGB of any mode: more bits scaled, transparency put on white. Raises ValueError where the scale is unknown."""
    if image.mode.startswith("I") or image.mode == "F":
        values, mode = np.asarray(image, dtype=np.float32), image.mode
        tops = TOPS if mode == "F" else TOPS[1:]
        top = next((top for top in tops if values.max() <= top), None)
        if top is None or not values.min() >= 0:
            raise ValueError(f"mode {mode} with values from {values.min():g} to {values.max():g}, not 0 to {tops[-1]}")
        if top != (1 if mode == "F" else 65535):
            changes.append(f"of mode {mode} with values up to {top}: {top} read as white")
        return Image.fromarray(np.round(values * np.float32(255 / top)).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    return image.convert("RGB")
