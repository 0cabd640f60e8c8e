"""The figures of a run's report: who was cut when, what was believed, the ranking, the cost, the hardest classes."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from twophase.commands.select.outcome import Outcome
from twophase.commands.wording import counted, metric, printable, seconds
from twophase.infra import plots

WIDTH = 6.8  # inches
SHOWN = 15  # models of the ranking
WORST = 10  # classes
PALE, LIGHT = "#9EC5DE", "#D0D0D0"
COLUMNS = {  # of the ranking, as they are shown
    "prior": "prior",
    "proxy": "proxy score",
    "recall_score": "recall score",
    "expected": "expected accuracy",
    "probability": "best with probability",
}
NARROW = 5  # inches; below, what is long is cut sooner
CUTS = {plots.RED: "cut by predicted result", plots.ORANGE: "cut by halving"}
WINNER = {"color": plots.BLUE, "lw": 1.8, "ms": 3.5, "alpha": 1, "zorder": 3}
OTHER = {"color": plots.GREY, "lw": 0.9, "ms": 2.5, "alpha": 0.7, "zorder": 2}


def curves(outcome: Outcome, width: float = WIDTH) -> Figure:
    """Validation by epoch, a line a model; a cross where it was cut, the winner in colour. With one epoch, bars."""
    history = outcome.history
    if history["stage"].max() == 1:
        return _one_epoch(outcome, width)
    with plots.style():
        figure, (axis,) = plots.panels(1, height=3.4, width=width)
        last_points = []
        for model, rows in history.dropna(subset="val").groupby("model", sort=False):
            won, last = model == outcome.winner, rows.iloc[-1]
            axis.plot(rows["stage"], rows["val"], marker="o", **(WINNER if won else OTHER))
            if won:
                continue
            if not last["kept"]:
                axis.plot(last["stage"], last["val"], ls="", marker="x", ms=6, mew=1.4, zorder=4, color=_cut(last))
            last_points.append((int(last["stage"]), float(last["val"]), model))
        stages = int(history["stage"].max())
        room = max([0.1, *(0.9 for stage, _, _ in last_points if stage == stages)])
        axis.set_xlim(0.85, stages + room)
        _name(axis, last_points, 30 if width > NARROW else 20)
        axis.set(xlabel="epoch", ylabel=f"validation {metric(outcome.metric)}")
        axis.set_xticks(range(1, stages + 1))
        _legend(figure, outcome, width)
        return figure


def _name(axis: Axes, ends: list[tuple[int, float, str]], longest: int) -> None:
    """Names beside the last points, moved apart where they would overlap; none where there are too many for that."""
    look = {"textcoords": "offset points", "fontsize": 6.5, "va": "center", "color": "#444444", "zorder": 5}
    box = {"facecolor": "white", "alpha": 0.75, "lw": 0, "pad": 0.4}
    low, high = axis.get_ylim()
    gap = (high - low) / 20
    for stage in {stage for stage, _, _ in ends}:
        here = sorted((val, model) for at, val, model in ends if at == stage)
        if len(here) > 12:
            continue
        places = np.array([val for val, _ in here])
        for _ in range(100):  # each pair that is too close moves apart by half
            short = np.clip(gap - np.diff(places), 0, None) / 2
            places[:-1] -= short
            places[1:] += short
        for (_, model), place in zip(here, places, strict=True):
            axis.annotate(printable(model, longest), (stage, place), (7, 0), bbox=box, **look)


def _one_epoch(outcome: Outcome, width: float) -> Figure:
    """Validation after the one epoch, a bar a model."""
    table = outcome.history.dropna(subset="val").sort_values(["val", "model"], ascending=[True, False]).tail(SHOWN)
    colours = [PALE if row["kept"] else _cut(row) for _, row in table.iterrows()]
    colours = [
        plots.BLUE if model == outcome.winner else colour for model, colour in zip(table["model"], colours, strict=True)
    ]
    with plots.style():
        figure, (axis,) = plots.panels(1, height=0.2 * len(table) + 0.9, width=width)
        axis.barh(range(len(table)), table["val"], color=colours)
        for place, value in enumerate(table["val"]):
            axis.text(value, place, f" {value:.3f}", va="center", fontsize=7)
        axis.set_yticks(range(len(table)), [printable(model) for model in table["model"]])
        axis.set(xlabel=f"validation {metric(outcome.metric)} after the epoch")
        axis.margins(x=0.12)
        _legend(figure, outcome, width)
        return figure


def _cut(row: pd.Series) -> str:
    return plots.RED if "predict" in str(row["reason"]) else plots.ORANGE


def _legend(figure: Figure, outcome: Outcome, width: float) -> None:
    gone = outcome.history[~outcome.history["kept"].astype(bool) & outcome.history["val"].notna()]
    colours = {_cut(row) for _, row in gone.iterrows()}
    best = f"{'selected' if outcome.finished else 'best so far'}: {printable(outcome.winner)}"
    handles = [Line2D([], [], color=plots.BLUE, marker="o", label=best)]
    handles += [Line2D([], [], color=c, marker="x", ls="", label=said) for c, said in CUTS.items() if c in colours]
    figure.legend(handles=handles, loc="outside lower center", ncols=3 if width > NARROW else 1)


def columns(table: pd.DataFrame) -> dict[str, str]:
    """Columns of a ranking that are shown, with their titles; where no prior is known the recall score is the proxy's."""
    left_out = {"recall_score"} if "prior" not in table else set()
    return {name: said for name, said in COLUMNS.items() if name in table and name not in left_out}


def ranking(outcome: Outcome, width: float = WIDTH) -> Figure:
    """The first models of the ranking: prior, proxy and recall score side by side."""
    table = outcome.recall.head(SHOWN)[::-1]
    shown = columns(table) or {"rank": "rank"}
    if width < NARROW:
        name = next(name for name in ("expected", "recall_score", "proxy", "prior", "rank") if name in shown)
        shown = {name: shown[name]}
    colour = dict.fromkeys(outcome.history["model"], PALE) | {outcome.winner: plots.BLUE}
    colours = [colour.get(model, LIGHT) for model in table.index]
    with plots.style():
        figure, axes = plots.panels(len(shown), columns=3, height=0.19 * len(table) + 0.7, width=width, sharey=True)
        for axis, (name, said) in zip(axes, shown.items(), strict=True):
            if name == "expected":
                axis.errorbar(
                    table[name], range(len(table)), xerr=table["deviation"], fmt="none", ecolor=plots.GREY, lw=0.9
                )
                axis.scatter(
                    table[name], range(len(table)), c=colours, edgecolors=plots.GREY, linewidths=0.5, s=30, zorder=3
                )
            elif (table[name] < 0).any():  # log-likelihoods: a bar from 0 would be the shorter the better
                axis.scatter(table[name], range(len(table)), c=colours, edgecolors=plots.GREY, linewidths=0.5, s=30)
            else:
                axis.barh(range(len(table)), table[name], color=colours)
            axis.set(xlabel=said)
        axes[0].set_yticks(range(len(table)), [printable(model) for model in table.index])
        return figure


def beliefs(outcome: Outcome, width: float = WIDTH) -> Figure:
    """What was expected of each model looked at or trained, step by step, and the leader's probability to be the best."""
    steps, believed = (
        outcome.facts["belief"]["steps"],
        {"look": plots.ORANGE, "follow": plots.BLUE, "doubt": plots.GREEN},
    )
    said = {"look": "looked at", "follow": "trained as the leader", "doubt": "trained as its challenger"}
    places = range(1, len(steps) + 1)
    with plots.style():
        figure, (above, below) = plots.panels(2, columns=1, height=1.7, width=width, sharex=True)
        for place, step in zip(places, steps, strict=True):
            look = {"color": believed[step["action"]], "marker": "o", "ms": 3, "lw": 1}
            above.errorbar(place, step["expected"], step["deviation"], **look)
        below.step(places, [step["chance"] for step in steps], where="mid", color=plots.BLUE)
        before = None
        for place, step in zip(places, steps, strict=True):
            if step["leader"] != before:
                below.plot(place, step["chance"], "o", ms=3, color=plots.BLUE)
                before = step["leader"]
        below.annotate(
            printable(before, 30),
            (len(steps), steps[-1]["chance"]),
            (-4, 5),
            textcoords="offset points",
            ha="right",
            fontsize=7,
        )
        above.set(ylabel="expected accuracy")
        below.set(xlabel="step (a dot: another model leads)", ylabel="leader's probability", ylim=(0, 1.05))
        kinds = [kind for kind in said if kind in {step["action"] for step in steps}]
        handles = [Line2D([], [], color=believed[kind], marker="o", ms=3, label=said[kind]) for kind in kinds]
        figure.legend(handles=handles, loc="outside lower center", ncols=3 if width > NARROW else 1)
        return figure


def spent(outcome: Outcome, width: float = WIDTH) -> Figure:
    """Seconds of this run and the estimate for trying all models."""
    costs = outcome.costs[::-1]
    with plots.style():
        figure, (axis,) = plots.panels(1, height=1.1, width=width)
        axis.barh(range(len(costs)), costs["seconds"], color=[plots.GREY, plots.BLUE])
        for place, (_, row) in enumerate(costs.iterrows()):
            said = f" {seconds(row['seconds'])}, {counted(row['epochs'], 'epoch')}"
            axis.text(row["seconds"], place, said, va="center", fontsize=7)
        axis.set_yticks(range(len(costs)), ["trying all\n(estimate)", "this run"])
        axis.set(xlabel="seconds")
        axis.set_xlim(0, (1.4 if width > NARROW else 1.9) * np.nanmax([*costs["seconds"], 1e-3]))
        return figure


def classes(outcome: Outcome, width: float = WIDTH) -> Figure:
    """The classes of which the fewest are right on the test split, worst on top, with 95 % intervals."""
    table = hardest(outcome).head(WORST)[::-1]
    places, right = range(len(table)), table["right"]
    spread = [right - table["low"], table["high"] - right]
    with plots.style():
        figure, (axis,) = plots.panels(1, height=0.21 * len(table) + 0.75, width=width)
        axis.barh(places, right, color=PALE)
        axis.errorbar(right, places, xerr=spread, fmt="none", ecolor="#444444", elinewidth=0.9, capsize=2)
        axis.axvline(outcome.test, color=plots.BLUE, lw=0.9, ls="--")
        axis.set_yticks(places, [printable(name, 32 if width > NARROW else 22) for name in table.index])
        end = min(1.02, 1.1 * max(outcome.test, table["high"].max()))
        axis.set(xlabel="share right (dashed: of all classes)", xlim=(0, end))
        return figure


def hardest(outcome: Outcome) -> pd.DataFrame:
    """The classes with test examples, worst first, of equals the one with more test examples first."""
    table = outcome.classes[outcome.classes["test"] > 0]
    return table.sort_values(["right", "test"], ascending=[True, False], kind="stable")


FIGURES = {"Who was cut when": curves, "Ranking": ranking, "Cost": spent, "Classes": classes}  # title -> what draws it


def figures(outcome: Outcome) -> dict[str, Callable[..., Figure]]:
    """What is drawn for an outcome: title -> function of it and a width."""
    return FIGURES | ({"What was believed": beliefs} if outcome.facts.get("belief") else {})
