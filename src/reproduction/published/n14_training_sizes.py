"""Notebook 14: learning curves along the size of the training set, and halving and trends on them."""

from functools import cache

import numpy as np
import pandas as pd

from reproduction.published.sources import params
from reproduction.tables import save_figure, save_table
from twophase.infra import plots
from twophase.records import TrainingRecords
from twophase.runs import RecordedRuns
from twophase.selection import brute_force, fine_selection, successive_halving
from twophase.sources.published import scaling_law

STEPS = (1, 3, 5, 7)  # sizes from 200, 800, 3,200 or 12,800 examples on


@cache
def losses() -> dict[str, pd.DataFrame]:
    """Task -> test loss (nats per token), models x training examples."""
    return {task: scaling_law.losses(task, params().published.mirror) for task in scaling_law.TASKS}


def agreement() -> pd.DataFrame:
    """Spearman of the models' loss at a training size with that at the largest, tasks x examples (0: before training)."""
    tables = {task: table.corr(method="spearman").iloc[:, -1] for task, table in losses().items()}
    return pd.DataFrame(tables).T.rename_axis("task")


def enough(table: pd.DataFrame, line: float) -> dict[str, int]:
    """Task -> the training size from which on the agreement is not below the line."""
    return {task: next(n for n in table.columns if (row.loc[n:] >= line).all()) for task, row in table.iterrows()}


def figure_agreement(table: pd.DataFrame):
    """`agreement` against the number of examples, one line per task."""
    with plots.style():
        figure, (axis,) = plots.panels(1, height=2.5, width=4.5)
        for (task, row), colour, mark in zip(
            table.iterrows(), (plots.BLUE, plots.ORANGE, plots.GREEN), "osD", strict=True
        ):
            axis.plot(row.index[1:], row.iloc[1:], color=colour, marker=mark, ms=3, label=task)
        axis.axhline(0.9, color="black", lw=0.8, ls="--", label="0.9")
        axis.set(xscale="log", xlabel="training examples", ylabel="Spearman with the final order")
        axis.minorticks_off()
        axis.legend(loc="lower right")
        return save_figure(figure, "figure_agreement", "published")


def answer(table: pd.DataFrame, selected: pd.DataFrame) -> str:
    """When the order is known, and what stopping early then loses."""
    half = selected.xs("successive halving", level="method")
    best = int((half["loss above the best"] < 1e-9).sum())
    largest = table.columns[-1]
    share = sorted(n / largest for n in enough(table, 0.9).values())
    return (
        f"**Answer.** Late. A Spearman correlation of 0.9 with the final order takes {share[0]:.0%} to {share[-1]:.0%} of the "
        f"examples, by task. Halving saves a factor of {half['saving'].min():.0f} to {half['saving'].max():.0f} and finds the best "
        f"model in {best} of {len(half)} cases; what it selects is {half['loss above the best'].median():.2f} nats per token worse (median)."
    )


def agreement_verdict(table: pd.DataFrame) -> str:
    """From which share of the data on the order of the models is known."""
    largest = table.columns[-1]
    said = [f"{task} from {n:,} examples ({n / largest:.1%})" for task, n in enough(table, 0.9).items()]
    return (
        f"The order of the models agrees with that at {largest:,} examples (Spearman .9 and more): {'; '.join(said)}."
    )


def records(first: int) -> TrainingRecords:
    """Curves from the size number `first` on; `seconds` holds what a stage adds to the cost: thousand examples.

    The source trained each size from the start; a run that goes on, as here, pays the difference.
    """
    found = scaling_law.read(params().published.mirror).records.frame
    frame = found[found["epoch"] >= first]
    added = np.diff(0.2 * 2.0 ** (np.arange(first, frame["epoch"].max() + 1) - 1), prepend=0)
    seconds = added[frame["epoch"].to_numpy() - first]
    return TrainingRecords.from_frame(frame.assign(epoch=frame["epoch"] - first + 1, seconds=seconds))


def selections() -> pd.DataFrame:
    """Brute force, halving and fine-selection by task and first stage.

    Columns: winner; loss above the best (nats per token); cost (thousand training examples, all models); saving against
    brute force. Trends are mined on the two other tasks.
    """
    rows = {}
    for first in STEPS:
        known = records(first)
        for task in scaling_law.TASKS:
            best = losses()[task].iloc[:, -1].min()
            given = RecordedRuns(known, task), known.models
            whole = brute_force(*given)
            methods = {"brute force": whole, "successive halving": successive_halving(*given)}
            methods["fine-selection"] = fine_selection(*given, known, n_trends=2)
            for name, found in methods.items():
                row = {"winner": found.winner, "loss above the best": -np.log(found.test) - best}
                row |= {"cost (thousand examples)": found.seconds, "saving": whole.seconds / found.seconds}
                rows[200 * 2 ** (first - 1), task, name] = row
    table = pd.DataFrame(rows).T.rename_axis(["first stage (examples)", "task", "method"]).infer_objects()
    return save_table(table, "table_sizes", "published")


def selections_verdict(table: pd.DataFrame) -> str:
    """What halving along the data saves and loses, and what trends add."""
    fine, half = (table.xs(method, level="method") for method in ("fine-selection", "successive halving"))
    earlier = fine["cost (thousand examples)"] < half["cost (thousand examples)"]
    return (
        f"Halving saves {half['saving'].min():.0f}x to {half['saving'].max():.0f}x and picks the best model in "
        f"{int((half['loss above the best'] < 1e-9).sum())} of {len(half)} cases; fine-selection saves "
        f"{fine['saving'].min():.0f}x to {fine['saving'].max():.0f}x and picks it in "
        f"{int((fine['loss above the best'] < 1e-9).sum())}; it cuts earlier than halving in {int(earlier.sum())}. "
        "Each doubling of the data costs as much as all before it, so what is cut early costs next to nothing. Trends from "
        "two other tasks are few: whatever trends do here is a weak test of them."
    )


def figure_selections(table: pd.DataFrame):
    """What halving and fine-selection lose and save, against the size of the first stage."""
    methods = {"successive halving": (plots.ORANGE, "^", 0.95), "fine-selection": (plots.BLUE, "o", 1.05)}
    with plots.style():
        figure, axes = plots.panels(2, columns=2, height=2.4)
        columns = {"loss above the best": "loss above the best (nats per token)", "saving": "times fewer examples"}
        for axis, (column, label) in zip(axes, columns.items(), strict=True):
            for method, (colour, mark, aside) in methods.items():
                here = table.xs(method, level="method")[column]
                first = here.index.get_level_values(0).to_numpy(float)
                axis.plot(first * aside, here, ls="", marker=mark, ms=4, color=colour, label=method)
            axis.set(
                xscale="log", xlabel="examples in the first stage", ylabel=label, ylim=(0, 1.08 * table[column].max())
            )
            axis.set_xticks(sorted(set(first)), [f"{n:,.0f}" for n in sorted(set(first))])
            axis.minorticks_off()
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
        return save_figure(figure, "figure_selections", "published")


def figure_sizes():
    """Test loss against training examples, one line per model, the best at the end in colour."""
    with plots.style():
        figure, axes = plots.panels(3, columns=3, height=2.4)
        for axis, (task, table) in zip(axes, losses().items(), strict=True):
            best = table.iloc[:, -1].idxmin()
            shown = table.drop(columns=0)
            axis.plot(shown.columns, shown.T, color=plots.GREY, lw=0.5, alpha=0.6)
            axis.plot(shown.columns, shown.loc[best], color=plots.RED, zorder=3)
            axis.set(xscale="log", title=f"{task}; red: {best.split('/')[-1]}", xlabel="training examples")
            axis.minorticks_off()
        axes[0].set(ylabel="test loss (nats per token)")
        return save_figure(figure, "figure_sizes", "published")
