"""The measurements of the benchmark (`make bench`), and what tables and figures of them have in common."""

import functools
from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.stats import linregress, t

from reproduction.tables import save_figure, save_table
from twophase.infra import plots
from twophase.infra.config import root

OURS = "twophase"


def load(part: str) -> pd.DataFrame | None:
    """The raw measurements `results/bench/<part>.csv`; None where that part has not been run."""
    path = root() / "results" / "bench" / f"{part}.csv"
    return pd.read_csv(path) if path.is_file() else None


def missing(*parts: str) -> str:
    """What to run where a part's file is not there."""
    return f"{' and '.join(f'`results/bench/{part}.csv`' for part in parts)}: not there; run `make bench`."


def table_of(part: str, name: str | None = None) -> Callable:
    """Makes of a function of a part's measurements one without arguments; its table is empty where they are not there.

    With a name it is saved, empty or not.
    """

    def mark(made: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[], pd.DataFrame]:
        @functools.wraps(made)
        def table() -> pd.DataFrame:
            raw = load(part)
            found = pd.DataFrame() if raw is None else made(raw)
            return save_table(found, name, "bench") if name else found

        return table

    return mark


def figure_of(*parts: str) -> Callable:
    """Makes of a function that draws parts' measurements one without arguments, and saves the figure by its name.

    Where a file is missing the figure says so, so that the stage ends all the same.
    """

    def mark(drawn: Callable) -> Callable:
        @functools.wraps(drawn)
        def figure():
            raw = [load(part) for part in parts]
            with plots.style():
                if all(table is not None for table in raw):
                    made = drawn(*raw)
                else:
                    made, (axis,) = plots.panels(1, height=0.6)
                    axis.set_axis_off()
                    axis.text(0.5, 0.5, missing(*parts).replace("`", ""), ha="center", va="center")
                return save_figure(made, drawn.__name__, "bench")

        return figure

    return mark


def growth(raw: pd.DataFrame, quantity: str) -> pd.DataFrame:
    """Exponents b of quantity (a column) = a * n^b, by least squares of the logarithms over the sizes of each `what`.

    Returns:
        what -> exponent, low, high (95 %, t distribution); without three sizes it is not a number.
    """
    rows = {}
    for what, here in raw[raw[quantity] > 0].groupby("what"):
        slope = width = np.nan
        if here["n"].nunique() >= 3:
            line = linregress(np.log(here["n"]), np.log(here[quantity]))
            slope, width = line.slope, t.ppf(0.975, len(here) - 2) * line.stderr
        rows[what] = {"exponent": slope, "low": slope - width, "high": slope + width}
    return pd.DataFrame(rows).T.rename_axis("what")


def spread(ratio: pd.Series, name: str = "ratio") -> dict[str, float]:
    """Median and quartiles of the repeats' ratios, and how many they are."""
    low, middle, high = ratio.quantile([0.25, 0.5, 0.75])
    return {name: middle, "low": low, "high": high, "repeats": len(ratio)}


def ratios(raw: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Each other side against ours: median and quartiles of the ratio of seconds ours / other, repeat by repeat.

    Args:
        raw: one row per measurement, with `side`, `repeat`, `seconds` and the columns of `by`.
        by: what tells one comparison from another.

    Returns:
        By `by`: against (the other side), ours and other (median seconds), and `spread` of the ratio.
    """
    wide = raw.pivot_table(index=[*by, "repeat"], columns="side", values="seconds", sort=False)
    rows = []
    for other in wide.columns.drop(OURS):
        for key, group in wide[[OURS, other]].dropna().groupby(level=by, sort=False):
            medians = {"against": other, "ours": group[OURS].median(), "other": group[other].median()}
            rows.append(dict(zip(by, key, strict=True)) | medians | spread(group[OURS] / group[other]))
    return pd.DataFrame(rows).set_index(by)
