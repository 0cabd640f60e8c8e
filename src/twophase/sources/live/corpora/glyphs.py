"""Characters rendered from the TrueType fonts that matplotlib ships."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from twophase.sources.live.corpora.pictures import SIDE, balanced_labels, finish

DEJAVU_SANS = ("DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSans-BoldOblique")
DEJAVU = (
    *DEJAVU_SANS, "DejaVuSansMono", "DejaVuSansMono-Bold",
    "DejaVuSerif", "DejaVuSerif-Bold", "DejaVuSerif-Italic",
)  # fmt: skip
STIX = ("STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic", "STIXGeneralBolIta")
COMPUTER_MODERN = ("cmr10", "cmb10", "cmss10", "cmti10", "cmtt10")
CANVAS = 64


@cache
def _mask(font: str, character: str):
    import matplotlib
    from PIL import Image, ImageDraw, ImageFont

    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{font}.ttf"
    canvas = Image.new("L", (CANVAS, CANVAS))
    face = ImageFont.truetype(str(path), 44)
    ImageDraw.Draw(canvas).text((CANVAS / 2, CANVAS / 2), character, fill=255, font=face, anchor="mm")
    return canvas


@dataclass(frozen=True)
class Glyphs:
    """Which character is it? One class a character.

    Args:
        characters: the classes.
        fonts: file names (without suffix) in matplotlib's font folder; all have every character.
        noise: standard deviation of the noise, as a share of the full range.
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

    def sample(self, split: str, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """n renderings (n, 16, 16, 3) uint8 and labels (n,); every rendering is a fresh draw."""
        from PIL import Image

        labels = balanced_labels(n, len(self.characters), rng)
        pictures = np.empty((n, SIDE, SIDE), dtype=np.float64)
        for row, label in enumerate(labels):
            mask = _mask(self.fonts[rng.integers(len(self.fonts))], self.characters[label])
            angle = np.deg2rad(rng.uniform(-self.turn, self.turn))
            zoom, (dx, dy) = rng.uniform(0.85, 1.2), rng.uniform(-self.shift, self.shift, 2)
            cos, sin, half = np.cos(angle) * zoom, np.sin(angle) * zoom, CANVAS / 2
            affine = (cos, sin, half - cos * (half + dx) - sin * (half + dy),
                      -sin, cos, half + sin * (half + dx) - cos * (half + dy))  # fmt: skip
            turned = mask.transform(mask.size, Image.Transform.AFFINE, affine, Image.Resampling.BILINEAR)
            pictures[row] = np.asarray(turned.resize((SIDE, SIDE), Image.Resampling.BOX)) / 255
        ink = 1 - pictures if self.inverted else pictures
        return finish(np.repeat(ink[..., None], 3, axis=-1), self.noise, rng), labels
