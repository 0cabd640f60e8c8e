"""One style of figure: colour-blind safe, legible at column width, the same bytes for the same data."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMN, PAGE = 3.5, 7.2  # inches: one column, and both
BLUE, ORANGE, GREEN, RED, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#7F7F7F"  # Okabe and Ito
STYLE = {  # lines and ticks as in seaborn's context "paper", whose import takes longer than a figure
    "axes.linewidth": 1.0, "lines.markersize": 4.8, "patch.linewidth": 0.8, "xtick.major.width": 1.0, "ytick.major.width": 1.0,
    "xtick.minor.width": 0.8, "ytick.minor.width": 0.8, "xtick.major.size": 4.8, "ytick.major.size": 4.8,
    "xtick.minor.size": 3.2, "ytick.minor.size": 3.2, "legend.title_fontsize": 9.6,
    "font.size": 8, "axes.titlesize": 8, "axes.labelsize": 8, "xtick.labelsize": 7, "ytick.labelsize": 7,
    "legend.fontsize": 7, "legend.frameon": False, "axes.spines.top": False, "axes.spines.right": False,
    "figure.dpi": 110, "savefig.dpi": 200, "svg.hashsalt": "twophase", "svg.fonttype": "none",
    "axes.grid": True, "grid.alpha": 0.3, "grid.linewidth": 0.5, "lines.linewidth": 1.2,
}  # fmt: skip


@contextmanager
def style():
    """The project's style, for the figures drawn inside; of the user's own (`matplotlibrc`) nothing is left."""
    import matplotlib.pyplot as plt

    with plt.rc_context():
        plt.rcdefaults()
        plt.rcParams.update(STYLE)
        yield


def panels(n: int, columns: int = 4, height: float = 1.9, width: float = PAGE, **options):
    """A figure with n axes in rows; returns (figure, list of axes)."""
    import matplotlib.pyplot as plt

    columns = min(n, columns)
    rows = -(-n // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(width, height * rows), squeeze=False, layout="constrained", **options
    )
    for axis in axes.flat[n:]:
        axis.set_axis_off()
    return figure, list(axes.flat[:n])


def close(figure: Figure) -> None:
    """Give a figure back that is not kept."""
    import matplotlib.pyplot as plt

    plt.close(figure)
