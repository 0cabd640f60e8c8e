"""The report of a run: pictures of the ranking, of who was cut when, of the cost and of the errors."""

from __future__ import annotations

import base64
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from .. import plots

if TYPE_CHECKING:
    from .outcome import Outcome

TEMPLATES = Path(__file__).with_name("templates")
SHOWN = 15  # models of the ranking
NAMED = 3  # classes


def pictures(outcome: Outcome) -> dict[str, str]:
    """Title -> an image tag that holds its picture."""
    drawn = {
        "Who was cut when": curves(outcome), "Ranking": ranking(outcome), "Cost": cost(outcome), "Classes": classes(outcome),
    }  # fmt: skip
    return {title: _tag(figure, title) for title, figure in drawn.items()}


def write(outcome: Outcome) -> Path:
    """Write the report into the run's folder: one file, which loads nothing."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    from ..site import TEMPLATES as SITE

    environment = Environment(
        loader=FileSystemLoader([TEMPLATES, SITE]), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    ranked = outcome.recall.head(2 * SHOWN)
    html = environment.get_template("report.html.j2").render(
        outcome=outcome, facts=outcome.facts, summary=_html(outcome.summary(), header=False),
        pictures=pictures(outcome), ranking=_html(ranked.reset_index(), index=False), left_out=len(outcome.recall) - len(ranked),
        history=_html(outcome.history, index=False), costs=_html(outcome.costs.reset_index(), index=False),
        classes=_by_class(outcome.classes),
    )  # fmt: skip
    temporary = outcome.report.with_suffix(".tmp")
    temporary.write_text(html, encoding="utf-8")
    temporary.replace(outcome.report)
    return outcome.report


def _html(table: pd.DataFrame, **options) -> str:
    yes = {name: table[name].map({True: "yes", False: "no"}) for name in table.columns if table[name].dtype == bool}
    return table.assign(**yes).to_html(border=0, na_rep="", float_format=lambda value: f"{value:.3f}", **options)


def _by_class(table: pd.DataFrame) -> str:
    """The worst first; the share with its interval in one column."""
    table = table.sort_values("right")
    right = [f"{row.right:.2f} [{row.low:.2f}, {row.high:.2f}]" for row in table.itertuples()]
    return _html(table.drop(columns=["low", "high"]).assign(right=right).reset_index(), index=False)


def _tag(figure, title: str) -> str:
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=160)
    plots.close(figure)
    width = round(figure.get_figwidth() * 96)
    return f'<img width="{width}" alt="{title}" src="data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}">'


def curves(outcome: Outcome):
    """Validation by stage, a line a model; a cross where it was cut, the winner in colour."""
    history = outcome.history
    with plots.style():
        figure, (axis,) = plots.panels(1, height=3.2, width=6.2)
        for model, rows in history.groupby("model", sort=False):
            won = model == outcome.winner
            colour = plots.BLUE if won else plots.GREY
            axis.plot(rows["stage"], rows["val"], color=colour, lw=1.8 if won else 0.9, zorder=3 if won else 2,
                      marker="o", ms=3.5 if won else 2.5, alpha=1 if won else 0.7)  # fmt: skip
            last = rows.iloc[-1]
            if not won and not last["kept"]:
                predicted = "predict" in str(last["reason"])
                axis.plot(last["stage"], last["val"], ls="", marker="x", ms=6, mew=1.4, zorder=4,
                          color=plots.RED if predicted else plots.ORANGE)  # fmt: skip
        from matplotlib.lines import Line2D

        kinds = [(plots.BLUE, "o", f"selected: {outcome.winner}"), (plots.RED, "x", "cut by predicted result"),
                 (plots.ORANGE, "x", "cut by halving")]  # fmt: skip
        handles = [Line2D([], [], color=c, marker=m, ls="-" if m == "o" else "", label=text) for c, m, text in kinds]
        figure.legend(handles=handles, loc="outside lower center", ncols=3)
        axis.set(xlabel="epoch", ylabel=f"validation {outcome.metric.replace('_', ' ')}")
        axis.set_xticks(range(1, int(history["stage"].max()) + 1))
        return figure


def ranking(outcome: Outcome):
    """The first models of the ranking: prior, proxy and recall score side by side."""
    table = outcome.recall.head(SHOWN)[::-1]
    columns = [name for name in ("prior", "proxy", "recall_score") if name in table]
    with plots.style():
        figure, axes = plots.panels(len(columns), columns=3, height=0.19 * len(table) + 0.7, width=6.2, sharey=True)
        for axis, name in zip(axes, columns, strict=True):
            colours = [plots.BLUE if model == outcome.winner else "#9EC5DE" if row["recalled"] else "#D0D0D0"
                       for model, row in table.iterrows()]  # fmt: skip
            axis.barh(range(len(table)), table[name], color=colours)
            axis.set(xlabel=name.replace("_", " "))
        axes[0].set_yticks(range(len(table)), table.index)
        return figure


def cost(outcome: Outcome):
    """Seconds of this run and the estimate for trying all models."""
    costs = outcome.costs[::-1]
    with plots.style():
        figure, (axis,) = plots.panels(1, height=1.1, width=6.2)
        axis.barh(range(len(costs)), costs["seconds"], color=[plots.GREY, plots.BLUE])
        for place, (_, row) in enumerate(costs.iterrows()):
            axis.text(
                row["seconds"], place, f" {row['seconds']:.0f} s, {row['epochs']:g} epochs", va="center", fontsize=7
            )
        axis.set_yticks(range(len(costs)), costs.index)
        axis.set(xlabel="seconds", xlim=(0, 1.3 * costs["seconds"].max()))
        return figure


def classes(outcome: Outcome):
    """Share of each class that is right on the test split, by its number of training examples; the worst are named."""
    table = outcome.classes[outcome.classes["test"] > 0].sort_values("right")
    with plots.style():
        figure, (axis,) = plots.panels(1, height=2.6, width=6.2)
        axis.scatter(table["training"], table["right"], s=16, color=plots.BLUE, alpha=0.6, lw=0)
        axis.axhline(outcome.test, color=plots.GREY, lw=0.8, ls="--", zorder=1)
        for name, row in table.head(NAMED).iterrows():
            axis.annotate(f" {name}", (row["training"], row["right"]), fontsize=6.5, va="center", annotation_clip=False)
        axis.set(xlabel="training examples of the class", ylabel="right on the test split", ylim=(-0.04, 1.04))
        least, most = table["training"].min(), table["training"].max()
        axis.set_xlim(0, 1.25 * most) if most < 3 * least else axis.margins(x=0.15)
        return figure
