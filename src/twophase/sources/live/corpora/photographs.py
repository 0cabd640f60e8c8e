"""Patches of the photographs that scikit-image, scikit-learn and matplotlib ship.

A photograph is divided into blocks, and each block belongs to one split: no patch of the test split
shares a pixel with a training patch.
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from io import BytesIO

import numpy as np

from twophase.sources.live.corpora.pictures import SIDE, balanced_labels, finish

FOLDERS = {
    "china.jpg": ("sklearn", "datasets/images"),
    "flower.jpg": ("sklearn", "datasets/images"),
    "grace_hopper.jpg": ("matplotlib", "mpl-data/sample_data"),
}
BLOCK = 32
SPLITS = ("train", "validation", "test")
SPLIT_OF_BLOCK = (0, 2, 1, 0, 2)  # two in five blocks train, one validates, two test


@cache
def photograph(name: str) -> np.ndarray:
    """An RGB photograph (H, W, 3) in [0, 1]."""
    from PIL import Image

    package, folder = FOLDERS.get(name, ("skimage", "data"))
    with files(package).joinpath(folder, name).open("rb") as stream:
        return np.asarray(Image.open(stream).convert("RGB")) / 255


@cache
def blocks(name: str, split: str) -> tuple[tuple[int, int], ...]:
    """Upper left corners of the blocks of a photograph that belong to a split."""
    height, width, _ = photograph(name).shape
    corners = [(y, x) for y in range(0, height - BLOCK + 1, BLOCK) for x in range(0, width - BLOCK + 1, BLOCK)]
    order = np.random.default_rng(len(corners)).permutation(len(corners))
    return tuple(corners[i] for rank, i in enumerate(order) if SPLIT_OF_BLOCK[rank % 5] == SPLITS.index(split))


def crop(name: str, corner: tuple[int, int], rng: np.random.Generator):
    """A random square inside one block, resized to (16, 16, 3)."""
    from PIL import Image

    size = int(rng.integers(round(0.6 * BLOCK), BLOCK + 1))
    y, x = (start + int(rng.integers(BLOCK - size + 1)) for start in corner)
    patch = Image.fromarray(np.uint8(photograph(name)[y : y + size, x : x + size] * 255))
    return np.asarray(patch.resize((SIDE, SIDE), Image.Resampling.BOX)) / 255


def grey(patch: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A patch without its colour and mean tone, at a random contrast: what is left is structure."""
    tone = patch.mean(-1, keepdims=True)
    spread = rng.uniform(0.12, 0.25) / max(float(tone.std()), 0.02)
    return np.clip(0.5 + (tone - tone.mean()) * spread + rng.normal(0, 0.05), 0, 1).repeat(3, -1)


def _any_block(names: tuple[str, ...], split: str, rng: np.random.Generator):
    name = names[rng.integers(len(names))]
    choices = blocks(name, split)
    return name, choices[rng.integers(len(choices))]


@dataclass(frozen=True)
class Surfaces:
    """Which photograph is the patch from?"""

    photographs: tuple[str, ...]
    colour: bool = False

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(name.rpartition(".")[0] for name in self.photographs)

    def sample(self, split: str, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        labels = balanced_labels(n, len(self.photographs), rng)
        pictures = []
        for label in labels:
            name, corner = _any_block((self.photographs[label],), split, rng)
            patch = crop(name, corner, rng)
            pictures.append(patch if self.colour else grey(patch, rng))
        return finish(np.stack(pictures), 0.03, rng), labels


@dataclass(frozen=True)
class Whereabouts:
    """From which part of which photograph is the patch? A grid over each photograph."""

    photographs: tuple[str, ...]
    rows: int
    columns: int

    @property
    def classes(self) -> tuple[str, ...]:
        cells = [(r, c) for r in range(self.rows) for c in range(self.columns)]
        return tuple(f"{name.rpartition('.')[0]} {r}-{c}" for name in self.photographs for r, c in cells)

    def _cell(self, name: str, corner: tuple[int, int]) -> int:
        height, width, _ = photograph(name).shape
        (y, x), half = corner, BLOCK // 2
        return (y + half) * self.rows // height * self.columns + (x + half) * self.columns // width

    def sample(self, split: str, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        labels = balanced_labels(n, len(self.classes), rng)
        pictures = []
        for label in labels:
            which, cell = divmod(int(label), self.rows * self.columns)
            name = self.photographs[which]
            choices = [corner for corner in blocks(name, split) if self._cell(name, corner) == cell]
            pictures.append(crop(name, choices[rng.integers(len(choices))], rng))
        return finish(np.stack(pictures), 0.03, rng), labels


def _jpeg(patch: np.ndarray) -> np.ndarray:
    from PIL import Image

    stream = BytesIO()
    Image.fromarray(np.uint8(patch * 255)).save(stream, "JPEG", quality=8)
    return np.asarray(Image.open(stream)) / 255


def _blur(patch: np.ndarray, sigma: float) -> np.ndarray:
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(patch, (sigma, sigma, 0))


@dataclass(frozen=True)
class Degradation:
    """What was done to the patch?"""

    photographs: tuple[str, ...]
    classes: tuple[str, ...] = ("untouched", "blurred", "noisy", "compressed", "pixelated", "posterised")

    def sample(self, split: str, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        labels = balanced_labels(n, len(self.classes), rng)
        pictures = []
        for label in labels:
            patch = grey(crop(*_any_block(self.photographs, split, rng), rng), rng)
            kind = self.classes[label]
            if kind == "blurred":
                patch = _blur(patch, rng.uniform(0.8, 1.4))
            elif kind == "noisy":
                patch = patch + rng.normal(0, rng.uniform(0.08, 0.16), (SIDE, SIDE, 1))
            elif kind == "compressed":
                patch = _jpeg(patch)
            elif kind == "pixelated":
                patch = patch.reshape(8, 2, 8, 2, 3).mean((1, 3)).repeat(2, 0).repeat(2, 1)
            elif kind == "posterised":
                patch = np.round(patch * 4) / 4
            pictures.append(patch)
        return finish(np.stack(pictures), 0.01, rng), labels


@dataclass(frozen=True)
class Focus:
    """How far out of focus is the patch? Five depths of blur."""

    photographs: tuple[str, ...]
    classes: tuple[str, ...] = ("sharp", "soft", "blurred", "very blurred", "lost")

    def sample(self, split: str, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        labels = balanced_labels(n, len(self.classes), rng)
        pictures = []
        for label in labels:
            patch = crop(*_any_block(self.photographs, split, rng), rng)
            pictures.append(grey(_blur(patch, 0.7 * label), rng))
        return finish(np.stack(pictures), 0.02, rng), labels


@dataclass(frozen=True)
class Tissue:
    """What kind of tissue is the patch from? Structure only: colour and tone are taken away."""

    classes: tuple[str, ...] = ("stained", "unstained", "retina, centre", "retina, periphery", "cell")

    @staticmethod
    def _kind(name: str, corner: tuple[int, int]) -> str | None:
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

    def sample(self, split: str, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        places: dict[str, list] = {kind: [] for kind in self.classes}
        for name in ("ihc.png", "retina.jpg", "cell.png"):
            for corner in blocks(name, split):
                kind = self._kind(name, corner)
                if kind:
                    places[kind].append((name, corner))
        labels = balanced_labels(n, len(self.classes), rng)
        pictures = []
        for label in labels:
            choices = places[self.classes[label]]
            name, corner = choices[rng.integers(len(choices))]
            pictures.append(grey(crop(name, corner, rng), rng))
        return finish(np.stack(pictures), 0.03, rng), labels
