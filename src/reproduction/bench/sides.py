"""Things that are compared, run in turn: A B A B …, so that whatever else the machine does falls on both."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd


def in_turn(
    sides: Mapping[str, Callable[[], Any]], repeats: int, seconds: float = 0.0, warm: bool = True
) -> list[dict[str, Any]]:
    """Call each side once a repeat, in the order given.

    Args:
        sides: name -> what to time.
        repeats: of all of them, at least.
        seconds: go on repeating until they have taken so long together (short measurements need more of them).
        warm: whether to call each once before, unmeasured: imports, caches and worker processes are then there.

    Returns:
        A dict a call: side, repeat (from 1), seconds (wall-clock) and what it returned (`result`).
    """
    if warm:
        for call in sides.values():
            call()
    rows, spent, repeat = [], 0.0, 0
    while repeat < repeats or spent < seconds:
        repeat += 1
        for side, call in sides.items():
            start = time.perf_counter()
            result = call()
            took = time.perf_counter() - start
            spent += took
            rows.append({"side": side, "repeat": repeat, "seconds": took, "result": result})
    return rows


def ratios(raw: pd.DataFrame, by: list[str], ours: str, value: str = "seconds") -> pd.DataFrame:
    """Each other side against ours: median and quartiles of the ratio ours / other, repeat by repeat.

    Args:
        raw: a row a measurement, with `side`, `repeat`, `value` and the columns of `by`.
        by: what tells one comparison from another.
        ours: the side whose value is the numerator.

    Returns:
        By `by` and other: ours and other (medians of `value`), ratio (median of the repeats' ratios), its quartiles `low`
        and `high`, and repeats.
    """
    wide = raw.pivot_table(index=[*by, "repeat"], columns="side", values=value, sort=False)
    rows = []
    for other in wide.columns.drop(ours):
        both = wide[[ours, other]].dropna()
        for key, group in both.groupby(level=list(range(len(by))), sort=False):
            each = group[ours] / group[other]
            low, middle, high = each.quantile([0.25, 0.5, 0.75])
            names = dict(zip(by, key if isinstance(key, tuple) else (key,), strict=True))
            rows.append(
                names
                | {"against": other, "ours": group[ours].median(), "other": group[other].median()}
                | {"ratio": middle, "low": low, "high": high, "repeats": len(group)}
            )
    return pd.DataFrame(rows)
