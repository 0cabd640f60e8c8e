"""Further kinds of vision task from photographs and faces: movement, distance, kinds of noise, parts of a face.

As in `pictures`, a block of a photograph or a face belongs to one split.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from twophase.sources.live.corpora.harvest import folder as installed
from twophase.sources.live.corpora.photographs import BLOCK, any_block, crop, grey, photograph
from twophase.sources.live.corpora.pictures import SIDE, SPLIT_SHARES, PictureTask


@dataclass(frozen=True)
class Movement(PictureTask):
    """Which way did the camera move? The patch is smeared along one of `directions` angles, or not at all."""

    photographs: tuple[str, ...]
    directions: int = 4
    noise = 0.02

    @property
    def classes(self) -> tuple[str, ...]:
        return ("still", *(f"{turn} degrees" for turn in range(0, 180, 180 // self.directions)))

    def picture(self, label: int, split: str, rng: np.random.Generator) -> np.ndarray:
        from scipy.ndimage import convolve

        patch = crop(*any_block(self.photographs, split, rng), rng)
        if label:
            angle = (label - 1 + rng.uniform(-0.1, 0.1)) * np.pi / self.directions
            patch = convolve(patch, _smear(angle, rng.uniform(2.5, 3.5))[..., None], mode="nearest")
        return grey(patch, rng)


def _smear(angle: float, reach: float) -> np.ndarray:
    """Weights (7, 7) along a line through the middle."""
    steps = np.linspace(-reach, reach, 29)
    weights = np.zeros((7, 7))
    places = np.round(3 + np.outer(steps, [np.sin(angle), np.cos(angle)])).astype(int).clip(0, 6)
    np.add.at(weights, tuple(places.T), 1.0)
    return weights / weights.sum()


@dataclass(frozen=True)
class Distance(PictureTask):
    """From how near is the patch taken? One class a length of its side, in pixels of the photograph."""

    photographs: tuple[str, ...]
    sides: tuple[int, ...] = (4, 8, 16, 32)
    noise = 0.03

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(f"{side} pixels" for side in self.sides)

    def picture(self, label: int, split: str, rng: np.random.Generator) -> np.ndarray:
        name, corner = any_block(self.photographs, split, rng)
        side = self.sides[label]
        y, x = (start + int(rng.integers(BLOCK - side + 1)) for start in corner)
        return grey(_resized(photograph(name)[y : y + side, x : x + side]), rng)


def _resized(patch: np.ndarray) -> np.ndarray:
    """A square patch in [0, 1], smoothly, to (16, 16)."""
    from PIL import Image

    return np.asarray(Image.fromarray(np.uint8(patch * 255)).resize((SIDE, SIDE), Image.Resampling.BICUBIC)) / 255


@dataclass(frozen=True)
class Noises(PictureTask):
    """Which kind of noise lies over the patch?"""

    photographs: tuple[str, ...]
    classes = ("grain", "specks", "rows", "columns", "blotches", "shadow")
    noise = 0.02

    def picture(self, label: int, split: str, rng: np.random.Generator) -> np.ndarray:
        patch, kind = grey(crop(*any_block(self.photographs, split, rng), rng), rng), self.classes[label]
        strength = rng.uniform(0.06, 0.14)
        shapes = {"grain": (SIDE, SIDE, 1), "rows": (SIDE, 1, 1), "columns": (1, SIDE, 1)}
        if kind in shapes:
            return patch + rng.normal(0, strength, shapes[kind])
        if kind == "specks":
            struck = rng.random((SIDE, SIDE, 1)) < strength / 2
            return np.where(struck, rng.integers(0, 2, (SIDE, SIDE, 1)), patch)
        if kind == "blotches":
            return patch + rng.normal(0, 1.5 * strength, (4, 4, 1)).repeat(4, 0).repeat(4, 1)
        return patch + 2 * strength * rng.choice([-1, 1]) * np.linspace(-1, 1, SIDE)[:, None, None]


FACES = 100  # of the 200 pictures; the others show none
FACE = "lfw_subset.npy"


@cache
def _faces() -> np.ndarray:
    """Faces (100, 25, 25) in [0, 1] of Labeled Faces in the Wild, which come with scikit-image."""
    return np.load(installed("skimage") / "data" / FACE, allow_pickle=False)[:FACES]


class FaceParts(PictureTask):
    """From which of nine parts of a face is the patch?"""

    photographs = (FACE,)
    classes = tuple(f"{row} {column}" for row in ("top", "middle", "bottom") for column in ("left", "centre", "right"))
    noise = 0.03

    def picture(self, label: int, split: str, rng: np.random.Generator) -> np.ndarray:
        start, stop = (round(share * FACES) for share in SPLIT_SHARES[split])
        face = _faces()[rng.integers(start, stop)]
        y, x = np.array(divmod(int(label), 3)) * 6 + rng.integers(0, 2, 2)
        return grey(_resized(face[y : y + 12, x : x + 12])[..., None].repeat(3, -1), rng)
