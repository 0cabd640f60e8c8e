"""Pictures as they are kept: PNG, RGB, eight bits, upright and at most 512 pixels a side; and what was done to them."""

import io
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageOps, UnidentifiedImageError

from twophase.errors import UserError
from twophase.sources.files.tables import plural, shorten, sort_of

LARGEST = 512  # pixels a side that are kept
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")  # no EPS and the like, which start other programs
TOPS = (1, 255, 65535)  # white, in pictures whose mode does not tell


class Reading:
    """Pictures of one split, those that could not be read and why, and what was changed."""

    def __init__(self) -> None:
        self.rows: list[tuple[bytes, str]] = []
        self.broken: dict[str, list[str]] = {}
        self.changes: Counter[str] = Counter()

    @property
    def empty(self) -> bool:
        """Whether there was nothing to read."""
        return not self.rows and not self.broken

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

    def told(self, path: Path, split: str, notes: list[str]) -> pd.DataFrame:
        """A row a picture: image and label. Raises UserError where more than half could not be read."""
        count = sum(map(len, self.broken.values()))
        reasons = sorted(self.broken.items(), key=lambda item: -len(item[1]))
        why = "; ".join(f"{shorten(names, 3)} ({reason})" for reason, names in reasons[:3])
        why += f"; and {plural(len(reasons) - 3, 'more reason')}" if len(reasons) > 3 else ""
        if count > len(self.rows):
            raise UserError(
                f"{path}: {count} of {count + len(self.rows)} files cannot be read as pictures: {why}; "
                f"readable are {', '.join(FORMATS)}."
            )
        if count:
            notes.append(f"{split}: {plural(count, 'file')} that cannot be read as pictures left out: {why}")
        notes.extend(f"{split}: {plural(number, 'picture')} {change}" for change, number in self.changes.items())
        return pd.DataFrame(self.rows, columns=["image", "label"])


def _reason(error: Exception, source: Path | bytes | None) -> str:
    if isinstance(error, UnidentifiedImageError) and source is not None:
        sort = sort_of(source[:64] if isinstance(source, bytes) else source.read_bytes()[:64])
        return sort or "none of the formats that are read, or broken at its start"
    if isinstance(error, Image.DecompressionBombError):
        return f"more than {2 * Image.MAX_IMAGE_PIXELS // 10**6} million pixels"
    if isinstance(error, FileNotFoundError):
        return "a link that leads nowhere"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error).strip().split("\n")[0][:100] or type(error).__name__


def _open(source: Path | bytes | None) -> Path | io.BytesIO:
    if isinstance(source, Path):
        if source.exists() and not source.is_file():  # opening a pipe would wait for ever
            raise ValueError("no plain file")
        if source.stat().st_size == 0:
            raise ValueError("empty")
        return source
    if not source:
        raise ValueError("empty")
    return io.BytesIO(source)


def _png(source: Path | bytes | None) -> tuple[bytes, list[str]]:
    """PNG bytes, since thousands of decoded pictures would not fit in memory; and what was changed."""
    changes = []
    with Image.open(_open(source), formats=FORMATS) as image:
        reduced = max(image.size) > LARGEST
        image.draft(None, (2 * LARGEST, 2 * LARGEST))  # a JPEG of a hundred megapixels is decoded smaller
        picture = _rgb(ImageOps.exif_transpose(image), changes)
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
        values, mode = np.asarray(image, dtype=float), image.mode
        tops = TOPS if mode == "F" else TOPS[1:]
        top = next((top for top in tops if values.max() <= top), None)
        if top is None or not values.min() >= 0:
            raise ValueError(f"mode {mode} with values from {values.min():g} to {values.max():g}, not 0 to {tops[-1]}")
        if top != (1 if mode == "F" else 65535):
            changes.append(f"of mode {mode} with values up to {top}: {top} read as white")
        return Image.fromarray(np.round(values * (255 / top)).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    return image.convert("RGB")
