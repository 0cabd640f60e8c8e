"""The vision tasks: pictures that come with the installed packages, cut and rendered to 16 x 16 RGB.

Two regimes on purpose: glyphs (strokes on a plain ground) and photographs (texture, tone). Upstreams,
benchmarks and targets share no characters in the same fonts and no photographs.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pandas as pd

from twophase.sources.live.corpora.glyphs import COMPUTER_MODERN, DEJAVU, DEJAVU_SANS, STIX, Glyphs
from twophase.sources.live.corpora.handwriting import Digits
from twophase.sources.live.corpora.harvest import folder as installed
from twophase.sources.live.corpora.harvest import source
from twophase.sources.live.corpora.photographs import Degradation, Focus, Surfaces, Tissue, Whereabouts

if TYPE_CHECKING:
    import pandas as pd
    from datasets import DatasetDict


class VisionTask(Protocol):
    """What a vision task must offer."""

    classes: tuple[str, ...]

    def sample(self, split: str, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """n pictures (n, 16, 16, 3) uint8 and their labels (n,); splits never share source material."""


def _span(first: int, last: int) -> str:
    return "".join(map(chr, range(first, last + 1)))


UPPER, LOWER, DIGITS = _span(65, 90), _span(97, 122), _span(48, 57)
GREEK = "ΓΔΘΛΞΠΣΦΨΩαβγδεζηθκλμξπρστφχψω"
CYRILLIC = "БГДЖЗИЛПФЦЧШЪЫЭЮЯдвж"
HEBREW = "אבגדהזחטכלמנסעפצקרשת"
MATHEMATICS = "∀∂∃∇∈∏∑√∞∠∧∨∩∫≈≠≡≤⊂⊕"

UPSTREAM_PHOTOS = (
    "astronaut.png", "coffee.png", "chelsea.png", "camera.png",
    "rocket.jpg", "motorcycle_left.png", "grace_hopper.jpg",
)  # fmt: skip
HARDER = {"noise": 0.1, "turn": 15, "shift": 5}  # than the upstreams
BENCHMARK_PHOTOS = ("china.jpg", "flower.jpg", "coins.png", "page.png", "brick.png", "moon.png")
MEDICAL_PHOTOS = ("ihc.png", "retina.jpg", "cell.png")

TASKS: dict[str, VisionTask] = {
    # upstream: what the zoo's models are pre-trained on
    "latin": Glyphs(UPPER + LOWER + DIGITS, DEJAVU),
    "greek": Glyphs(GREEK, DEJAVU),
    "syllabics": Glyphs(_span(0x1401, 0x1407) + _span(0x140A, 0x141B) + _span(0x141D, 0x1428), DEJAVU_SANS),
    "photographs": Surfaces(UPSTREAM_PHOTOS, colour=True),
    "photo_focus": Focus(UPSTREAM_PHOTOS),
    "photo_degradation": Degradation(UPSTREAM_PHOTOS),
    # benchmark: the performance matrix
    "digits": Digits(),
    "capitals": Glyphs(UPPER, COMPUTER_MODERN + STIX, **HARDER),
    "mathematics": Glyphs(MATHEMATICS, (*STIX[:2], *DEJAVU_SANS), **HARDER),
    "georgian": Glyphs(_span(0x10D0, 0x10E3), DEJAVU, **HARDER),
    "hebrew": Glyphs(HEBREW, DEJAVU_SANS, **HARDER),
    "zodiac": Glyphs("♈♉♊♋♌♍♎♏♐♑♒♓☉☿♀♁♃♄♅♆", DEJAVU_SANS, **HARDER, inverted=True),
    "surfaces": Surfaces(
        (
            "brick.png",
            "grass.png",
            "gravel.png",
            "coins.png",
            "page.png",
            "hubble_deep_field.jpg",
            "moon.png",
            "text.png",
        )
    ),
    "whereabouts": Whereabouts(("china.jpg", "flower.jpg"), rows=2, columns=3),
    "degradation": Degradation(BENCHMARK_PHOTOS),
    "focus": Focus(BENCHMARK_PHOTOS),
    # target: the final figure only
    "cyrillic": Glyphs(CYRILLIC, DEJAVU, **HARDER),
    "arabic": Glyphs("ابجدهوحطيكلمنسعفصقرش", DEJAVU_SANS[:2], **HARDER),
    "tissue": Tissue(),
    "microscope_focus": Focus(MEDICAL_PHOTOS),
}


PACKAGES = {  # what pictures come from, and where it lies
    "matplotlib": ("mpl-data/fonts/ttf/*.ttf", "mpl-data/sample_data/grace_hopper.jpg"),
    "skimage": ("data/*.png", "data/*.jpg"),
    "sklearn": ("datasets/images/*.jpg", "datasets/data/digits.csv.gz"),
}


def prepare(tasks: list[str], folder: Path, files: int | None = None) -> pd.DataFrame:
    """Nothing to gather; a row a package: source, version, licence, files, bytes, sha256 of the fonts and pictures."""
    rows = []
    for package, patterns in PACKAGES.items():
        files = sorted(path for pattern in patterns for path in installed(package).glob(pattern))
        content = b"".join(path.read_bytes() for path in files)
        rows.append({"source": package, **source(package), "files": len(files), "bytes": len(content),
                     "sha256": hashlib.sha256(content).hexdigest()})  # fmt: skip
    return pd.DataFrame(rows)


def probe(name: str) -> None:
    """Draw the smallest possible version of a task: whatever font or picture is missing shows."""
    to_dataset(name, dict.fromkeys(("train", "validation", "test"), len(TASKS[name].classes)), 0, Path())


def to_dataset(name: str, sizes: dict[str, int], seed: int, folder: Path, at_most: bool = False) -> DatasetDict:
    """Sample every split of a vision task into a `DatasetDict` with features image and label; sizes are met exactly."""
    from datasets import ClassLabel, Dataset, DatasetDict, Features, Image
    from PIL import Image as Picture

    task = TASKS[name]
    features = Features(image=Image(), label=ClassLabel(names=list(task.classes)))
    splits = {}
    for number, split in enumerate(("train", "validation", "test")):
        pictures, labels = task.sample(split, sizes[split], np.random.default_rng([seed, number]))
        images = [Picture.fromarray(picture) for picture in pictures]
        splits[split] = Dataset.from_dict({"image": images, "label": labels.tolist()}, features=features)
    return DatasetDict(splits)
