"""Kinds of vision task: characters from matplotlib's fonts, and handwritten digits (see `photographs` for more)."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from twophase.errors import UserError

SIDE = 16


class PictureTask:
    """A task whose examples are drawn one by one.

    Attributes:
        classes: what is told apart.
        noise: standard deviation of the noise, as a share of the full range.
    """

    classes: tuple[str, ...]
    noise: float

    def picture(self, label: int, split: str, rng: np.random.Generator) -> np.ndarray:
        """A fresh picture (16, 16, 3) in [0, 1] of a class; splits never share source material."""
        raise NotImplementedError

    def sample(self, split: str, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """n pictures (n, 16, 16, 3) uint8 and their labels (n,), in random order; class counts differ by at most one."""
        labels = rng.permutation(np.arange(n) % len(self.classes))
        return _finish(np.stack([self.picture(label, split, rng) for label in labels]), self.noise, rng), labels


def _finish(pictures: np.ndarray, noise: float, rng: np.random.Generator) -> np.ndarray:
    """Add grey noise to (n, 16, 16, 3) pictures in [0, 1] and round to uint8."""
    pictures = pictures + rng.normal(0, noise, (*pictures.shape[:-1], 1))
    return np.round(np.clip(pictures, 0, 1) * 255).astype(np.uint8)


CANVAS = 64


@dataclass(frozen=True)
class Glyphs(PictureTask):
    """Which character is it? One class a character.

    Args:
        characters: the classes.
        fonts: file names (without suffix) in matplotlib's font folder; all have every character.
        turn: largest rotation in degrees.
        shift: largest shift, in sixty-fourths of the picture's side.
        inverted: dark on light instead of light on dark.
    """

    characters: str
    fonts: tuple[str, ...]
    noise: float = 0.05
    turn: float = 10
    shift: float = 4
    inverted: bool = False

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(f"U+{ord(c):04X} {c}" for c in self.characters)

    def picture(self, label: int, split: str, rng: np.random.Generator) -> np.ndarray:
        from PIL import Image

        mask = _mask(self.fonts[rng.integers(len(self.fonts))], self.characters[label])
        angle = np.deg2rad(rng.uniform(-self.turn, self.turn))
        zoom, (dx, dy) = rng.uniform(0.85, 1.2), rng.uniform(-self.shift, self.shift, 2)
        cos, sin, half = np.cos(angle) * zoom, np.sin(angle) * zoom, CANVAS / 2
        first = (cos, sin, half - cos * (half + dx) - sin * (half + dy))
        second = (-sin, cos, half + sin * (half + dx) - cos * (half + dy))
        turned = mask.transform(mask.size, Image.Transform.AFFINE, first + second, Image.Resampling.BILINEAR)
        picture = np.asarray(turned.resize((SIDE, SIDE), Image.Resampling.BOX)) / 255
        return np.repeat((1 - picture if self.inverted else picture)[..., None], 3, axis=-1)


@cache
def _mask(font: str, character: str):
    import matplotlib
    from PIL import Image, ImageDraw, ImageFont

    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{font}.ttf"
    canvas = Image.new("L", (CANVAS, CANVAS))
    face = ImageFont.truetype(str(path), 44)
    ImageDraw.Draw(canvas).text((CANVAS / 2, CANVAS / 2), character, fill=255, font=face, anchor="mm")
    return canvas


SPLIT_SHARES = {"train": (0.0, 0.3), "validation": (0.3, 0.5), "test": (0.5, 1.0)}


class Digits(PictureTask):
    """Which handwritten digit is it (UCI optical recognition, 1,797 pictures of 8 x 8, from scikit-learn)?

    Each split has its own share of the pictures, in a fixed shuffled order.
    """

    classes = tuple("0123456789")

    def sample(self, split: str, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """n digits (n, 16, 16, 3) uint8 and labels (n,).

        Raises:
            UserError: more pictures asked for than the split has.
        """
        from sklearn.datasets import load_digits

        data = load_digits()
        start, stop = (round(share * len(data.target)) for share in SPLIT_SHARES[split])
        if n > stop - start:
            raise UserError(
                f"task 'digits' has {stop - start} {split} pictures, {n} were asked for; lower tasks.sizes.{split}."
            )
        rows = np.random.default_rng(0).permutation(len(data.target))[start:stop]
        rows = rng.permutation(rows)[:n]
        pictures = np.kron(data.images[rows] / 16, np.ones((1, SIDE // 8, SIDE // 8)))
        return _finish(np.repeat(pictures[..., None], 3, axis=-1), 0.0, rng), data.target[rows].astype(int)
