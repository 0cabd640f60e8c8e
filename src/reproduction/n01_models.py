"""Notebook 01: the framework (Fig. 2), how all models do (Fig. 1), and whether this zoo tells good choices from bad."""

import numpy as np
import pandas as pd

from reproduction.evidence import Evidence
from reproduction.tables import save_figure, save_table
from twophase.infra import plots

LABEL = "Spearman correlation of model accuracies"
WIDTH, HEIGHT = 7.2, 3.5  # Fig. 2 is laid out in inches
TALL = 0.66
PLACES = {  # a box of Fig. 2: its centre, its width, what it is called and what it holds
    "records": (0.95, 3.0, 1.62, "training records", "{models} models fine-tuned on\n{datasets} benchmark datasets"),
    "matrix": (0.95, 2.0, 1.62, "performance matrix", "final test accuracies,\ndatasets x models"),
    "clusters": (2.95, 2.0, 1.62, "clusters of models", "by Eq. 1; each has\na representative"),
    "trends": (4.95, 3.0, 1.62, "convergence trends", "of each model, by its\nvalidation at a stage"),
    "task": (0.95, 0.55, 1.62, "new task", "labelled data, split into\ntraining and validation"),
    "recall": (2.95, 0.55, 1.62, "coarse recall (Eqs. 2-4)", "average accuracy x proxy\nscore of representatives"),
    "selection": (4.95, 0.55, 1.62, "fine-selection (Eqs. 5-6)", "train for a stage, predict\nthe end, filter, halve"),
    "model": (6.6, 0.55, 0.98, "one model", "fine-tuned on\nthe new task"),
}
ARROWS = {  # what is said above it
    ("records", "matrix"): "",
    ("records", "trends"): "validation after each epoch, final test",
    ("matrix", "clusters"): "",
    ("clusters", "recall"): "",
    ("trends", "selection"): "",
    ("task", "recall"): "",
    ("recall", "selection"): "top K",
    ("selection", "model"): "",
}
BANDS = {  # lower and upper end, where the name stands
    "offline, once for all tasks": (1.56, 3.46, plots.ORANGE, 1.7),
    "online, for each new task": (0.04, 1.3, plots.BLUE, 1.16),
}


def figure_2(evidence: Evidence):
    """Fig. 2, the framework: what is made once from the benchmark datasets, and what is done for each new task."""
    from matplotlib.patches import Rectangle

    numbers = {"models": len(evidence.models), "datasets": len(evidence.benchmarks)}
    middle = {"ha": "center", "size": 7}
    with plots.style():
        figure, (axis,) = plots.panels(1, width=WIDTH, height=HEIGHT)
        axis.set(xlim=(0, WIDTH), ylim=(0, HEIGHT))
        axis.set_axis_off()
        for name, (low, high, colour, place) in BANDS.items():
            axis.add_patch(Rectangle((0.02, low), WIDTH - 0.04, high - low, color=colour, alpha=0.13, lw=0))
            axis.text(WIDTH - 0.11, place, name, ha="right", va="center", style="italic")
        for (start, end), said in ARROWS.items():
            (x, y), (to_x, to_y) = (PLACES[name][:2] for name in (start, end))
            aside, down = (PLACES[end][2] / 2, 0) if y == to_y else (0, TALL / 2)  # the arrow ends at the box's edge
            axis.annotate(
                "", (to_x - aside, to_y + down), (x, y), arrowprops={"arrowstyle": "-|>", "fc": "black"}, zorder=1
            )
            axis.text((x + to_x) / 2, y + 0.05, said, va="bottom", **middle)
        for x, y, wide, name, holds in PLACES.values():
            axis.add_patch(
                Rectangle((x - wide / 2, y - TALL / 2), wide, TALL, fc="white", ec="black", lw=0.8, zorder=2)
            )
            axis.text(x, y + 0.19, name, va="center", weight="bold", **middle)
            axis.text(x, y - 0.09, holds.format(**numbers), va="center", linespacing=1.25, **middle)
        return save_figure(figure, "figure_2", evidence.name)


def figure_1(evidence: Evidence):
    """Every model's final test accuracy on each target, sorted."""
    with plots.style():
        figure, axes = plots.panels(len(evidence.targets), columns=2, height=2.3)
        for axis, target in zip(axes, evidence.targets, strict=True):
            scores = evidence.final(target).sort_values(ascending=False)
            axis.bar(range(1, len(scores) + 1), scores, color=plots.BLUE, width=0.75)
            axis.axhline(evidence.tasks.loc[target, "chance"], color=plots.RED, ls="--", lw=1, label="guessing")
            axis.legend(loc="upper right")
            axis.set(title=target.replace("_", " "), ylim=(0, 1), xlim=(0.2, len(scores) + 0.8))
            axis.set(xlabel="models, sorted by accuracy", ylabel="test accuracy")
        return save_figure(figure, "figure_1", evidence.name)


def zoo_quality(evidence: Evidence) -> pd.DataFrame:
    """What makes a zoo worth having, a row a benchmark dataset.

    Columns: chance, worst, median, best (accuracy), best_model, between_models and between_seeds (standard deviations of
    the final test accuracy; the latter of the best models, each trained with two seeds), ratio, first_epoch (Spearman of validation after one epoch with the final test).
    """
    rows = {}
    for dataset in evidence.benchmarks:
        final, second = evidence.final(dataset), evidence.second_seed.final(dataset)
        seeds = np.sqrt(((final[second.index] - second) ** 2).mean() / 2)
        row = rows[dataset] = {"chance": evidence.tasks.loc[dataset, "chance"]}
        row |= final.agg({"worst": "min", "median": "median", "best": "max", "best_model": "idxmax"}).to_dict()
        row |= {"between_models": final.std(), "between_seeds": seeds, "ratio": final.std() / seeds}
        row |= {"first_epoch": evidence.first_epoch(dataset)}
    return save_table(pd.DataFrame(rows).T.rename_axis("dataset").infer_objects(), "table_zoo", evidence.name)


def quality_verdict(quality: pd.DataFrame) -> str:
    """The four criteria of a zoo that discriminates, in a sentence."""
    apart = int((quality["ratio"] >= 3).sum())
    near = list(quality.index[quality["best"] - quality["chance"] < 0.05])
    return (
        f"On **{apart} of {len(quality)}** benchmark datasets the standard deviation between models is at least three "
        f"times that between seeds. The best model is within five points of chance on "
        f"**{', '.join(near) if near else 'no dataset'}**. Validation after the first epoch predicts the final test with a "
        f"mean Spearman correlation of **{quality['first_epoch'].mean():.2f}**. "
        f"**{quality['best_model'].nunique()}** different models are best somewhere."
    )


def regimes(evidence: Evidence) -> pd.DataFrame:
    """Spearman correlation of the models' accuracies between each two datasets."""
    finals = pd.DataFrame({dataset: evidence.final(dataset) for dataset in evidence.benchmarks + evidence.targets})
    return finals.corr(method="spearman")


def figure_regimes(evidence: Evidence):
    """`regimes` as a heat map, benchmark datasets first."""
    import matplotlib.pyplot as plt
    import seaborn as sns

    table = regimes(evidence)
    names = [name.replace("_", " ") for name in table.index]
    with plots.style():
        side = min(6.0, 1.4 + 0.2 * len(names))
        figure, (axis,) = plots.panels(1, height=side, width=side + 1)
        numbers = {"annot": len(names) <= 16, "fmt": ".1f", "annot_kws": {"size": 7}}
        labels = {"xticklabels": names, "yticklabels": names, "cbar_kws": {"label": LABEL}}
        sns.heatmap(table.to_numpy(), ax=axis, vmin=-1, vmax=1, cmap="PuOr", **numbers, **labels)
        axis.grid(False)
        axis.axhline(len(evidence.benchmarks), color="black", lw=1)
        axis.axvline(len(evidence.benchmarks), color="black", lw=1)
        axis.tick_params(axis="x", rotation=45)
        plt.setp(axis.get_xticklabels(), ha="right")
        return save_figure(figure, "figure_regimes", evidence.name)


def regimes_verdict(evidence: Evidence) -> str:
    """The most negative correlation between two benchmark datasets."""
    table = regimes(evidence).loc[evidence.benchmarks, evidence.benchmarks]
    known = table.stack().dropna()
    if known.empty:
        return "All models are equally accurate on every dataset, so there are no ranks to compare."
    low = known.idxmin()
    return (
        f"The models that do well on **{low[0]}** do {'badly' if table.loc[low] < -0.1 else 'no better than others'} on "
        f"**{low[1]}** (Spearman {table.loc[low]:.2f}): no model is best everywhere."
    )


def figure_1_verdict(evidence: Evidence) -> str:
    """Does Fig. 1's observation hold: few models are good, many are not?"""
    finals = {target.replace("_", " "): evidence.final(target) for target in evidence.targets}
    near = [f"{name}: {(final > final.max() - 0.05).sum()} of {len(final)}" for name, final in finals.items()]
    return f"Models within five points of the best, by target: {'; '.join(near)}."
