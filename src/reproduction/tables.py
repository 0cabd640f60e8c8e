"""How results are said: intervals, tables and figures that are kept, sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from twophase.infra import plots
from twophase.infra.config import root

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RESAMPLES = 2000


def interval(values) -> tuple[float, float]:
    """95 % bootstrap interval of a mean, over the given values (targets), whatever their order."""
    values = np.sort(np.asarray(values, dtype=float))
    draws = np.random.default_rng(0).integers(len(values), size=(RESAMPLES, len(values)))
    low, high = np.quantile(values[draws].mean(1), [(1 - 0.95) / 2, (1 + 0.95) / 2])
    return float(low), float(high)


def against_zero(values, above: str, below: str, neither: str) -> str:
    """The word for a mean whose interval lies above zero, below it, or on both sides."""
    low, high = interval(values)
    return above if low > 0 else below if high < 0 else neither


def with_interval(values, digits: int = 3) -> str:
    """A mean with its 95 % bootstrap interval, as text."""
    mean, low, high = (
        round(number, digits) + 0.0 for number in (float(np.mean(values)), *interval(values))
    )  # no "-0.000"
    return f"{mean:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def tidy(table: pd.DataFrame) -> pd.DataFrame:
    """The table with whole-number columns as integers."""
    table = table.infer_objects()
    for name in table:
        values = table[name]
        if pd.api.types.is_numeric_dtype(values) and values.notna().any() and (values.dropna() % 1 == 0).all():
            table[name] = values.astype("Int64")
    return table


def save_table(table: pd.DataFrame, name: str, domain: str) -> pd.DataFrame:
    """Write results/tables/<name>_<domain>.csv (index included, four decimals); returns the table."""
    table = tidy(table)
    folder = root() / "results" / "tables"
    folder.mkdir(parents=True, exist_ok=True)
    table.to_csv(folder / f"{name}_{domain}.csv", float_format="%.4f", lineterminator="\n")
    return table


def save_figure(figure: Figure, name: str, domain: str | None = None) -> Figure:
    """Write results/figures/<name>_<domain>.svg and .png (of no domain: <name>) without dates; returns it, closed."""
    folder = root() / "results" / "figures"
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{name}_{domain}" if domain else name
    figure.savefig(folder / f"{name}.svg", metadata={"Date": None, "Creator": None})
    figure.savefig(folder / f"{name}.png", metadata={"Software": None})
    plots.close(figure)
    return figure


def say(*sentences: str):
    """Sentences as a Markdown cell output."""
    from IPython.display import Markdown

    return Markdown(" ".join(sentences))
