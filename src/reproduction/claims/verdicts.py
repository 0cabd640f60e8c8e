"""A claim of the paper, and the rules by which a measurement decides it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from reproduction.evidence import Evidence
from reproduction.n02_clustering.silhouettes import jackknife
from reproduction.tables import interval

HOLDS, FAILS, OPEN, UNTESTED = "holds", "does not hold", "not settled", "cannot be tested here"
SAME = 0.01  # accuracies within a point are called the same: the paper's largest loss in Table VI is .010


@dataclass(frozen=True)
class Measured:
    """What was measured for a claim, and what follows."""

    value: float
    low: float | None  # of its 95 % interval; None where it is a count or an identity
    high: float | None
    verdict: str  # HOLDS, FAILS, OPEN or UNTESTED
    why: str  # what the verdict rests on


@dataclass(frozen=True)
class Claim:
    """A statement of the paper, in our words."""

    place: str  # where the paper makes it
    claim: str  # what it says
    quantity: str  # what is measured, with its unit
    measure: Callable[[Evidence], Measured] | None  # None for what cannot be tested
    paper: Mapping[str, str] = field(default_factory=dict)  # domain -> the value, as text, where one is printed
    why: str = ""  # it cannot be tested
    proxies: tuple[str, ...] = ()  # which must have been computed


def above(values, line: float = 0.0, what: str = "datasets") -> Measured:
    """Holds if the mean's interval lies above the line, does not if it lies below or on it."""
    return given(*_mean(values), line, f"bootstrap over {len(values)} {what}")


def below(values, line: float) -> Measured:
    """Holds if the mean's interval lies below the line, does not if it lies above or on it."""
    value, low, high = _mean(values)
    verdict = HOLDS if high < line else FAILS if low >= line else OPEN
    return Measured(value, low, high, verdict, f"bootstrap over {len(values)} datasets; the line is {line:g}")


def given(value: float, low: float, high: float, line: float, why: str) -> Measured:
    """A value with a known interval, against a line."""
    verdict = HOLDS if low > line else FAILS if high <= line else OPEN
    return Measured(value, low, high, verdict, f"{why}; the line is {line:g}")


def jackknifed(evidence: Evidence, statistic: Callable[[str], float], line: float = 0.0) -> Measured:
    """A statistic of the benchmark (see `silhouettes.jackknife`) against a line."""
    return given(*jackknife(evidence, statistic), line, "jackknife over benchmark datasets")


def same(differences, margin: float = SAME) -> Measured:
    """Holds if the mean's interval lies within the margin on both sides, does not if it lies wholly outside."""
    value, low, high = _mean(differences)
    verdict = HOLDS if -margin < low and high < margin else FAILS if low >= margin or high <= -margin else OPEN
    return Measured(value, low, high, verdict, f"bootstrap over {len(differences)} datasets; the margin is {margin:g}")


def differs(differences, margin: float = SAME) -> Measured:
    """Holds if the interval leaves out zero, does not if it lies within the margin around it."""
    value, low, high = _mean(differences)
    verdict = HOLDS if low > 0 or high < 0 else FAILS if -margin < low and high < margin else OPEN
    return Measured(value, low, high, verdict, f"bootstrap over {len(differences)} datasets; the margin is {margin:g}")


def always(flags) -> Measured:
    """Holds only if true without an exception; the value is the share."""
    flags = np.asarray(flags, dtype=float)
    share = float(flags.mean())
    return Measured(share, *interval(flags), HOLDS if share == 1 else FAILS, f"{int(flags.sum())} of {len(flags)}")


def counted(value: float, holds: bool, why: str) -> Measured:
    """A count or an identity, without an interval."""
    return Measured(value, None, None, HOLDS if holds else FAILS, why)


def untested(why: str) -> Measured:
    """What cannot be measured here."""
    return Measured(np.nan, None, None, UNTESTED, why)


def _mean(values) -> tuple[float, float, float]:
    values = np.asarray(values, dtype=float)
    return float(values.mean()), *interval(values)
