"""How the screen, the report and the model card write numbers, names, paths and tables."""

import os
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

import pandas as pd

METRICS = {
    "macro_f1": "macro F1",
    "weighted_f1": "weighted F1",
    "balanced_accuracy": "balanced accuracy",
    "matthews": "Matthews correlation",
}
SCALED = {
    "minmax": "scaled so that the best of them has 1 and the worst 0",
    "exp": "its exponential, scaled so that the best of them has 1",
    "none": "as it is",
}


def counted(n: float, what: str) -> str:
    """A number with its noun: "1 epoch", "15.5 epochs", "1,000 test examples", "2 classes"."""
    number = f"{round(n):,}" if abs(n - round(n)) < 0.05 else f"{n:,.1f}"
    return f"{number} {what if number == '1' else what + ('es' if what.endswith('s') else 's')}"


def seconds(n: float) -> str:
    """A time as a person would say it: "0.4 s", "7 s", "1 min 26 s", "2 h 5 min"; "unknown" for NaN."""
    if n != n:
        return "unknown"
    if n < 9.5:
        return f"{n:.1f} s" if n < 0.95 else f"{n:.0f} s"
    minutes, rest = divmod(round(n), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if minutes else f"{rest} s"
    return f"{minutes // 60:,} h {minutes % 60} min"


def share(n: float) -> str:
    """A share as a score is written, with three digits; empty for NaN."""
    return "" if n != n else f"{n:.3f}"


def metric(name: str) -> str:
    """A metric's usual name."""
    return METRICS.get(name, name)


def named(path: str, kind: str, name: str | None = None) -> str:
    """What data are called: an id of a hub with its configuration, otherwise the file or folder without where it lies."""
    if kind == "hub":
        return f"{path} ({name})" if name else path
    return Path(path).expanduser().absolute().name or path


def short(path: str | Path) -> str:
    """A path relative to the current folder where it lies in it, whole otherwise."""
    path = Path(path).absolute()
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)


def printable(name: object, longest: int = 32) -> str:
    """A name that matplotlib can draw: one line, cut to so many characters, boxes for what its font lacks."""
    text = " ".join(str(name).split())
    text = text if len(text) <= longest else text[: longest - 1] + "…"
    return "".join(c if ord(c) in _glyphs() else "\u25a1" for c in text).replace("$", r"\$")


@cache
def _glyphs() -> frozenset[int]:
    from matplotlib import font_manager, rcParams

    found = font_manager.findfont(font_manager.FontProperties(family=rcParams["font.family"]))
    return frozenset(font_manager.get_font(found).get_charmap())


def table(head: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    """Rows as columns of text."""
    lines = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = (zip(line, widths, strict=True) for line in lines)
    return "\n".join("  ".join(cell.ljust(width) for cell, width in line).rstrip() for line in padded)


def show(head: Sequence[object], rows: Iterable[Sequence[object]]) -> None:
    """Print them."""
    print(table(head, rows))


def frame(scores: pd.DataFrame) -> str:
    """A table of scores, three digits each."""
    return scores.to_string(float_format=lambda value: f"{value:.3f}", na_rep="")
