"""Kinds of vision task: patches of photographs that come with scikit-image, scikit-learn and matplotlib.

Each photograph is divided into blocks, and a block belongs to one split: no patch of the test split shares a pixel with a
training patch.
"""

from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from io import BytesIO

import numpy as np

from twophase.errors import UserError
from twophase.sources.live.corpora.pictures import SIDE, PictureTask
from twophase.training.tasks import SPLITS

FOLDERS = {  # of the photographs that are not scikit-image's
    "china.jpg": ("sklearn", "datasets/images"),
    "flower.jpg": ("sklearn", "datasets/images"),
    "grace_hopper.jpg": ("matplotlib", "mpl-data/sample_data"),
}
BLOCK = 32
SPLIT_OF_BLOCK = (0, 2, 1, 0, 2)  # two in five blocks train, one validates, two test


@cache
def photograph(name: str) -> np.ndarray:
    """An RGB photograph (H, W, 3) in [0, 1]."""
    from PIL import Image

    package, folder = FOLDERS.get(name, ("skimage", "data"))
    try:
        inside = files(package)
    except ModuleNotFoundError:
        raise UserError(
            f"package {package!r} is not installed, and its pictures are asked for; run `make install`."
        ) from None
    with inside.joinpath(folder, name).open("rb") as stream:
        return np.asarray(Image.open(stream).convert("RGB")) / 255


@cache
def blocks(name: str, split: str) -> tuple[tuple[int, int], ...]:
    """Upper left corners of the blocks of a photograph that belong to a split."""
    height, width, _ = photograph(name).shape
    corners = [(y, x) for y in range(0, height - BLOCK + 1, BLOCK) for x in range(0, width - BLOCK + 1, BLOCK)]
    order = np.random.default_rng(len(corners)).permutation(len(corners))
    return tuple(corners[i] for rank, i in enumerate(order) if SPLIT_OF_BLOCK[rank % 5] == SPLITS.index(split))


def crop(name: str, corner: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """A random square inside one block, resized to (16, 16, 3)."""
    from PIL import Image

    size = int(rng.integers(round(0.6 * BLOCK), BLOCK + 1))
    y, x = (start + int(rng.integers(BLOCK - size + 1)) for start in corner)
    patch = Image.fromarray(np.uint8(photograph(name)[y : y + size, x : x + size] * 255))
    return np.asarray(patch.resize((SIDE, SIDE), Image.Resampling.BOX)) / 255


def any_block(names: tuple[str, ...], split: str, rng: np.random.Generator) -> tuple[str, tuple[int, int]]:
    """Any of the photographs, and the corner of any of its blocks of a split: what `crop` takes."""
    name = names[rng.integers(len(names))]
    choices = blocks(name, split)
    return name, choices[rng.integers(len(choices))]


def grey(patch: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A patch without its colour and mean tone, at a random contrast: what is left is structure."""
    tone = patch.mean(-1, keepdims=True)
    spread = rng.uniform(0.12, 0.25) / max(float(tone.std()), 0.02)
    return np.clip(0.5 + (tone - tone.mean()) * spread + rng.normal(0, 0.05), 0, 1).repeat(3, -1)


def _blur(patch: np.ndarray, sigma: float) -> np.ndarray:
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(patch, (sigma, sigma, 0))


def _jpeg(patch: np.ndarray) -> np.ndarray:
    from PIL import Image

    stream = BytesIO()
    Image.fromarray(np.uint8(patch * 255)).save(stream, "JPEG", quality=8)
    return np.asarray(Image.open(stream)) / 255


@dataclass(frozen=True)
class Surfaces(PictureTask):
    """Which photograph is the patch from?"""

    photographs: tuple[str, ...]
    colour: bool = False
    noise = 0.03

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(name.rpartition(".")[0] for name in self.photographs)

    def picture(self, label: int, split: str, rng: np.random.Generator) -> np.ndarray:
        patch = crop(*any_block((self.photographs[label],), split, rng), rng)
        return patch if self.colour else grey(patch, rng)


@dataclass(frozen=True)
class Degradation(PictureTask):
    """What was done to the patch?"""

    photographs: tuple[str, ...]
    classes = ("untouched", "blurred", "noisy", "compressed", "pixelated", "posterised")
    noise = 0.01

    def picture(self, label: int, split: str, rng: np.random.Generator) -> np.ndarray:
        patch, kind = grey(crop(*any_block(self.photographs, split, rng), rng), rng), self.classes[label]
        if kind == "blurred":
            return _blur(patch, rng.uniform(0.8, 1.4))
        if kind == "noisy":
            return patch + rng.normal(0, rng.uniform(0.08, 0.16), (SIDE, SIDE, 1))
        if kind == "compressed":
            return _jpeg(patch)
        if kind == "pixelated":
            return patch.reshape(8, 2, 8, 2, 3).mean((1, 3)).repeat(2, 0).repeat(2, 1)
        if kind == "posterised":
            return np.round(patch * 4) / 4
        return patch


@dataclass(frozen=True)
class Focus(PictureTask):
    """How far out of focus is the patch? Five depths of blur."""

    photographs: tuple[str, ...]
    classes = ("sharp", "soft", "blurred", "very blurred", "lost")
    noise = 0.02

    def picture(self, label: int, split: str, rng: np.random.Generator) -> np.ndarray:
        return grey(_blur(crop(*any_block(self.photographs, split, rng), rng), 0.7 * label), rng)


class Tissue(PictureTask):
    """What kind of tissue is the patch from? Structure only: colour and tone are taken away."""

    classes = ("stained", "unstained", "retina, centre", "retina, periphery", "cell")
    noise = 0.03

    def picture(self, label: int, split: str, rng: np.random.Generator) -> np.ndarray:
        choices = _tissues(split)[self.classes[label]]
        name, corner = choices[rng.integers(len(choices))]
        return grey(crop(name, corner, rng), rng)


@cache
def _tissues(split: str) -> dict[str | None, list[tuple[str, tuple[int, int]]]]:
    """Kind of tissue -> the blocks of a split that show it."""
    found = defaultdict(list)
    for name in ("ihc.png", "retina.jpg", "cell.png"):
        for corner in blocks(name, split):
            found[_tissue(name, corner)].append((name, corner))
    return found


def _tissue(name: str, corner: tuple[int, int]) -> str | None:
    """The kind of tissue that a block shows; None at the retina's rim."""
    y, x = corner
    picture = photograph(name)
    if name == "cell.png":
        return "cell"
    if name == "ihc.png":
        from skimage.color import rgb2hed

        stain = rgb2hed(picture[y : y + BLOCK, x : x + BLOCK])
        brown, blue = stain[..., 2].mean(), stain[..., 0].mean()
        return "stained" if brown > blue else "unstained"
    distance = np.hypot(*(np.array([y, x]) + BLOCK / 2 - np.array(picture.shape[:2]) / 2))
    if distance < 300:
        return "retina, centre"
    return "retina, periphery" if distance < 600 else None
