"""The vision tasks: pictures that come with the installed packages, cut and rendered to 16 x 16 RGB.

Two regimes on purpose: glyphs (strokes on a plain ground) and photographs with what is drawn like them (texture, tone).
Upstreams, benchmarks and targets share no characters in the same fonts and no photographs.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from twophase.sources.live.corpora.drawn import Counts, Palettes, Roughness, Stripes
from twophase.sources.live.corpora.harvest import folder as installed
from twophase.sources.live.corpora.harvest import source
from twophase.sources.live.corpora.photographs import Degradation, Focus, Surfaces, Tissue
from twophase.sources.live.corpora.pictures import Digits, Glyphs
from twophase.sources.live.corpora.scenes import Distance, FaceParts, Movement, Noises
from twophase.training.tasks import SPLITS

if TYPE_CHECKING:
    from datasets import DatasetDict


def _span(first: int, last: int) -> str:
    return "".join(map(chr, range(first, last + 1)))


UPPER, LOWER, DIGITS = _span(65, 90), _span(97, 122), _span(48, 57)
GREEK = "ΓΔΘΛΞΠΣΦΨΩαβγδεζηθκλμξπρστφχψω"
CYRILLIC = "БГДЖЗИЛПФЦЧШЪЫЭЮЯдвж"
HEBREW = "אבגדהזחטכלמנסעפצקרשת"
TIFINAGH = "ⴰⴱⴲⴳⴷⴹⴻⴼⴽⵀⵃⵄⵅⵇⵉⵊⵍⵎⵏⵓ"
ARROWS = _span(0x2190, 0x2199) + _span(0x21D0, 0x21D9)
BOXES = "─│┌┐└┘├┤┬┴┼═║╔╗╚╝╠╣╬"
MATHEMATICS = "∀∂∃∇∈∏∑√∞∠∧∨∩∫≈≠≡≤⊂⊕"
DEJAVU_SANS = ("DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSans-BoldOblique")
DEJAVU_SERIF = ("DejaVuSerif", "DejaVuSerif-Bold", "DejaVuSerif-Italic")
DEJAVU = (*DEJAVU_SANS, "DejaVuSansMono", "DejaVuSansMono-Bold", *DEJAVU_SERIF)
STIX = ("STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic", "STIXGeneralBolIta")
COMPUTER_MODERN = ("cmr10", "cmb10", "cmss10", "cmti10", "cmtt10")
HARDER = {"noise": 0.1, "turn": 15, "shift": 5}  # than the upstreams

SCENES = ("astronaut.png", "coffee.png", "chelsea.png", "camera.png")
UPSTREAM_PHOTOS = (*SCENES, "rocket.jpg", "motorcycle_left.png", "grace_hopper.jpg")
BENCHMARK_PHOTOS = ("china.jpg", "flower.jpg", "coins.png", "page.png", "brick.png", "moon.png")
MEDICAL_PHOTOS = ("ihc.png", "retina.jpg", "cell.png")
GROUNDS = ("brick.png", "grass.png", "gravel.png", "coins.png", "page.png")
SURFACES = (*GROUNDS, "hubble_deep_field.jpg", "moon.png", "text.png")

TASKS = {
    # upstream: what the zoo's models are pre-trained on
    "latin": Glyphs(UPPER + LOWER + DIGITS, DEJAVU),
    "greek": Glyphs(GREEK, DEJAVU),
    "photographs": Surfaces(UPSTREAM_PHOTOS, colour=True),
    "photo_focus": Focus(UPSTREAM_PHOTOS),
    "photo_degradation": Degradation(UPSTREAM_PHOTOS),
    "stripes": Stripes(8, (3, 5, 8)),
    # benchmark: the performance matrix
    "digits": Digits(),
    "capitals": Glyphs(UPPER, COMPUTER_MODERN + STIX, **HARDER),
    "mathematics": Glyphs(MATHEMATICS, (*STIX[:2], *DEJAVU_SANS), **HARDER),
    "georgian": Glyphs(_span(0x10D0, 0x10E3), DEJAVU, **HARDER),
    "hebrew": Glyphs(HEBREW, DEJAVU_SANS, **HARDER),
    "tifinagh": Glyphs(TIFINAGH, DEJAVU_SANS[:2], **HARDER),
    "zodiac": Glyphs("♈♉♊♋♌♍♎♏♐♑♒♓☉☿♀♁♃♄♅♆", DEJAVU_SANS, **HARDER),
    "arrows": Glyphs(ARROWS, DEJAVU_SANS, **HARDER, inverted=True),
    "braille": Glyphs(_span(0x2801, 0x2814), DEJAVU_SANS, **HARDER),
    "boxes": Glyphs(BOXES, DEJAVU_SANS, **HARDER),
    "hexagrams": Glyphs(_span(0x4DC0, 0x4DCF), DEJAVU_SANS[:2], noise=0.1, turn=5, shift=5),
    "counts": Counts(6),
    "surfaces": Surfaces(SURFACES),
    "degradation": Degradation(BENCHMARK_PHOTOS),
    "focus": Focus(BENCHMARK_PHOTOS),
    "distance": Distance(BENCHMARK_PHOTOS),
    "movement": Movement(BENCHMARK_PHOTOS),
    "noises": Noises(BENCHMARK_PHOTOS),
    "roughness": Roughness(),
    "palettes": Palettes(),
    "face_parts": FaceParts(),
    # target: the final figure only
    "cyrillic": Glyphs(CYRILLIC, DEJAVU, **HARDER),
    "arabic": Glyphs("ابجدهوحطيكلمنسعفصقرش", DEJAVU_SANS[:2], **HARDER),
    "tissue": Tissue(),
    "microscope_focus": Focus(MEDICAL_PHOTOS),
}
PACKAGES = {  # what pictures come from, and where it lies
    "matplotlib": ("mpl-data/fonts/ttf/*.ttf", "mpl-data/sample_data/grace_hopper.jpg"),
    "skimage": ("data/*.png", "data/*.jpg", "data/lfw_subset.npy"),
    "sklearn": ("datasets/images/*.jpg", "datasets/data/digits.csv.gz"),
}


def prepare(tasks: list[str], folder: Path, files: int | None = None) -> pd.DataFrame:
    """Nothing to gather; a row a package: source, version, licence, files, bytes, sha256 of the fonts and pictures."""
    rows = []
    for package, patterns in PACKAGES.items():
        files = sorted(path for pattern in patterns for path in installed(package).glob(pattern))
        content = b"".join(path.read_bytes() for path in files)
        facts = {"files": len(files), "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        rows.append({"source": package, **source(package), **facts})
    return pd.DataFrame(rows)


def probe(name: str) -> None:
    """Draw the smallest possible version of a task: whatever font or picture is missing shows."""
    to_dataset(name, dict.fromkeys(SPLITS, len(TASKS[name].classes)), 0, Path())


def to_dataset(name: str, sizes: dict[str, int], seed: int, folder: Path, at_most: bool = False) -> DatasetDict:
    """Sample every split of a vision task into a `DatasetDict` with features image and label; sizes are met exactly."""
    from datasets import ClassLabel, Dataset, DatasetDict, Features, Image
    from PIL import Image as Picture

    task = TASKS[name]
    features = Features(image=Image(), label=ClassLabel(names=list(task.classes)))
    splits = {}
    for number, split in enumerate(SPLITS):
        pictures, labels = task.sample(split, sizes[split], np.random.default_rng([seed, number]))
        images = [Picture.fromarray(picture) for picture in pictures]
        splits[split] = Dataset.from_dict({"image": images, "label": labels.tolist()}, features=features)
    return DatasetDict(splits)
