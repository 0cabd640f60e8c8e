"""The rules by which a measurement decides a claim; notebooks and ledger apply the same ones."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from reproduction.evidence import Evidence
from reproduction.tables import interval

HOLDS, FAILS, OPEN = "holds", "does not hold", "not settled"
BY_DESIGN, UNTESTED = "by design", "cannot be tested here"
SAME = 0.01  # accuracies within a point are called the same: the paper's largest loss in Table VI is .010
FEWEST = 8  # values that a bootstrap interval is made of: of three or four it says nothing


@dataclass(frozen=True)
class Measured:
    """What was measured for a claim, and what follows."""

    value: float
    low: float | None  # of its 95 % interval, or of its range when one dataset is left out; None for counts
    high: float | None
    verdict: str  # HOLDS, FAILS, OPEN, BY_DESIGN or UNTESTED
    why: str  # what the verdict rests on, in a line

    def said(self, digits: int = 3) -> str:
        """The value with its interval, as text."""
        span = "" if self.low is None else f" [{self.low:.{digits}f}, {self.high:.{digits}f}]"
        return f"{self.value:.{digits}f}{span}"


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
    return _against(
        values, lambda low, high: HOLDS if low > line else FAILS if high <= line else OPEN, f"above {line:g}", what
    )


def below(values, line: float, what: str = "datasets") -> Measured:
    """Holds if the mean's interval lies below the line, does not if it lies above or on it."""
    return _against(
        values, lambda low, high: HOLDS if high < line else FAILS if low >= line else OPEN, f"below {line:g}", what
    )


def same(differences, margin: float = SAME, what: str = "datasets") -> Measured:
    """Holds if the mean's interval lies within the margin on both sides, does not if it lies outside on one."""

    def rule(low: float, high: float) -> str:
        return HOLDS if -margin < low and high < margin else FAILS if low >= margin or high <= -margin else OPEN

    return _against(differences, rule, f"within {margin:g} of 0", what)


def differs(differences, margin: float = SAME, what: str = "datasets") -> Measured:
    """Holds if the mean's interval lies outside the margin on one side, does not if it lies within it on both."""
    found = same(differences, margin, what)
    opposite = {HOLDS: FAILS, FAILS: HOLDS}
    why = found.why.replace("within", "more than").replace("of 0", "from 0")
    return Measured(found.value, found.low, found.high, opposite.get(found.verdict, found.verdict), why)


def _against(values, rule: Callable[[float, float], str], line: str, what: str) -> Measured:
    values = np.asarray(values, dtype=float)
    if missing := int(np.isnan(values).sum()):
        values, what = values[~np.isnan(values)], f"{what} ({missing} more have no value)"
    if not len(values):
        return untested(f"none of {missing} has a value")
    if len(values) < FEWEST:
        on_it = sum(rule(value, value) == HOLDS for value in values)
        why = f"{on_it} of {len(values)} {what} are {line}: too few for an interval"
        return Measured(float(values.mean()), None, None, OPEN, why)
    low, high = interval(values)
    why = f"95 % bootstrap over {len(values)} {what}; holds if all of the interval is {line}"
    return Measured(float(values.mean()), low, high, rule(low, high), why)


def left_out(evidence: Evidence, statistic: Callable[[str], float]) -> tuple[float, float, float]:
    """A statistic of the whole benchmark, and its lowest and highest value when one benchmark dataset is left out.

    Clusters jump: neither a jackknife nor a bootstrap over datasets gives an interval of what is computed from them.

    Args:
        evidence: of a domain.
        statistic: target -> value; computed without that target.
    """
    values = [statistic(dataset) for dataset in evidence.benchmarks]
    return statistic(evidence.outside), min(values), max(values)


def stable(evidence: Evidence, statistic: Callable[[str], float], line: float = 0.0) -> Measured:
    """A statistic of the benchmark above a line: holds (or does not) if it is so whichever dataset is left out."""
    value, low, high = left_out(evidence, statistic)
    verdict = HOLDS if min(value, low) > line else FAILS if max(value, high) <= line else OPEN
    why = f"range when one of {len(evidence.benchmarks)} datasets is left out; holds if all of it is above {line:g}"
    return Measured(value, low, high, verdict, why)


def always(flags, what: str = "datasets") -> Measured:
    """Holds only if true without an exception; the value is the share."""
    flags = np.asarray(flags, dtype=bool)
    return Measured(
        float(flags.mean()), None, None, HOLDS if flags.all() else FAILS, f"{flags.sum()} of {len(flags)} {what}"
    )


def counted(value: float, holds: bool, why: str) -> Measured:
    """A count or an identity, without an interval."""
    return Measured(value, None, None, HOLDS if holds else FAILS, why)


def designed(found: Measured, why: str) -> Measured:
    """What the method makes true by itself: no evidence for it; a measurement that contradicts it stays."""
    return found if found.verdict == FAILS else Measured(found.value, found.low, found.high, BY_DESIGN, why)


def untested(why: str) -> Measured:
    """What cannot be measured here."""
    return Measured(np.nan, None, None, UNTESTED, why)
