"""Kinds of vision task whose pictures are drawn from nothing: stripes, numbers of dots, random fields.

Every picture is drawn anew, so neither two splits nor two tasks share any material.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from twophase.sources.live.corpora.pictures import SIDE, PictureTask

LIGHT = (0.6, 1.0)  # of what is drawn
DARK = (0.0, 0.35)  # of the ground


def _painted(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A mask (16, 16) in [0, 1] as a picture (16, 16, 3): light on dark or dark on light, at a random contrast."""
    low, high = rng.uniform(*DARK), rng.uniform(*LIGHT)
    if rng.integers(2):
        low, high = high, low
    return np.repeat((low + (high - low) * mask)[..., None], 3, axis=-1)


@dataclass(frozen=True)
class Counts(PictureTask):
    """How many dots are there? From one to `most`; no two overlap, and sizes differ, so that light alone does not tell."""

    most: int
    noise = 0.05

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(str(number) for number in range(1, self.most + 1))

    def picture(self, label: int, split: str, rng: np.random.Generator) -> np.ndarray:
        places: list[np.ndarray] = []
        while len(places) <= label:
            new = rng.uniform(1.5, SIDE - 1.5, 2)
            if all(np.hypot(*(new - old)) > 3.6 for old in places):
                places.append(new)
        y, x = np.mgrid[:SIDE, :SIDE] + 0.5
        mask = np.zeros((SIDE, SIDE))
        for py, px in places:
            mask = np.maximum(mask, np.clip(rng.uniform(1.1, 1.7) + 0.5 - np.hypot(y - py, x - px), 0, 1))
        return np.repeat(mask[..., None], 3, axis=-1) * rng.uniform(*LIGHT)


@dataclass(frozen=True)
class Stripes(PictureTask):
    """Which way do the stripes run, and how wide are they? One class an angle and a wavelength.

    Args:
        angles: how many, evenly over the half circle.
        wavelengths: in pixels.
    """

    angles: int
    wavelengths: tuple[float, ...]
    noise = 0.1

    @property
    def classes(self) -> tuple[str, ...]:
        turns = range(0, 180, 180 // self.angles)
        return tuple(f"{turn} degrees, {length:g} pixels" for turn in turns for length in self.wavelengths)

    def picture(self, label: int, split: str, rng: np.random.Generator) -> np.ndarray:
        turn, which = divmod(int(label), len(self.wavelengths))
        angle = (turn + rng.uniform(-0.25, 0.25)) * np.pi / self.angles
        y, x = np.mgrid[:SIDE, :SIDE]
        phase = (x * np.cos(angle) + y * np.sin(angle)) * 2 * np.pi / self.wavelengths[which] * rng.uniform(0.9, 1.1)
        wave = np.sin(phase + rng.uniform(0, 2 * np.pi)) * rng.uniform(1, 4)
        return _painted((np.clip(wave, -1, 1) + 1) / 2, rng)


def field(slope: float, rng: np.random.Generator) -> np.ndarray:
    """A random field (16, 16) in [0, 1] whose amplitudes fall with the frequency to the power `slope`."""
    spectrum = np.fft.rfft2(rng.normal(size=(2 * SIDE, 2 * SIDE)))
    spectrum[0, 0] = 0
    made = np.fft.irfft2(spectrum * _frequencies() ** -slope)[:SIDE, :SIDE]  # a corner, since the whole repeats itself
    return (made - made.min()) / np.ptp(made)


@cache
def _frequencies() -> np.ndarray:
    across, down = np.fft.rfftfreq(2 * SIDE), np.fft.fftfreq(2 * SIDE)
    return np.maximum(np.hypot(down[:, None], across[None]), 1 / (2 * SIDE))


class Roughness(PictureTask):
    """How rough is the field? Five slopes of its spectrum, from nearly white noise to clouds."""

    classes = ("grain", "rough", "uneven", "rolling", "smooth")
    noise = 0.03

    def picture(self, label: int, split: str, rng: np.random.Generator) -> np.ndarray:
        return _painted(field(0.4 + 0.5 * label, rng), rng)


class Palettes(PictureTask):
    """In which of matplotlib's colour maps is the field shown? Two fifths of the map only, from a random start."""

    classes = (
        "viridis",
        "plasma",
        "cividis",
        "magma",
        "coolwarm",
        "terrain",
        "cubehelix",
        "turbo",
        "copper",
        "gist_earth",
    )
    noise = 0.06

    def picture(self, label: int, split: str, rng: np.random.Generator) -> np.ndarray:
        import matplotlib

        start, length = rng.uniform(0, 0.6), 0.4
        shown = start + length * field(rng.uniform(0.8, 2.0), rng)
        return matplotlib.colormaps[self.classes[label]](shown)[..., :3]
