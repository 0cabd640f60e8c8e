"""Notebook 01: how all models do (Fig. 1), and whether this zoo tells good choices from bad."""

import numpy as np
import pandas as pd

from reproduction.evidence import Evidence
from reproduction.tables import save_figure, save_table
from twophase.infra import plots

LABEL = "Spearman correlation of model accuracies"


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
    """What makes a zoo worth having, a row per benchmark dataset.

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
        row |= {"first_epoch": first_epoch(evidence, dataset)}
    return save_table(pd.DataFrame(rows).T.rename_axis("dataset").infer_objects(), "table_zoo", evidence.name)


def answer(evidence: Evidence, quality: pd.DataFrame) -> str:
    """How far apart the models are, in accuracy and in standard deviations between seeds."""
    spread = quality["best"] - quality["worst"]
    near = [int((final > final.max() - 0.05).sum()) for final in map(evidence.final, evidence.targets)]
    return (
        f"**Answer.** Far apart: on a benchmark dataset the best model is {spread.mean():.2f} more accurate than the worst on "
        f"average, and the models' standard deviation is {quality['ratio'].median():.0f} times that between seeds (median). On the "
        f"{len(near)} targets {min(near)} to {max(near)} of {len(evidence.models)} models end within five points of the best. "
        f"{_winners(quality)}"
    )


def _winners(quality: pd.DataFrame) -> str:
    """Who is best how often: a count of different winners would hide one that wins most."""
    wins = quality["best_model"].value_counts()
    often = " and ".join(sorted(wins.index[wins == wins.max()]))
    return (
        f"No model is best everywhere: {often} {'is' if (wins == wins.max()).sum() == 1 else 'are each'} best on {wins.max()} of "
        f"{len(quality)} benchmark datasets, and {len(wins)} different models are best on at least one."
    )


def first_epoch(evidence: Evidence, dataset: str) -> float:
    """Spearman of the models' first validation on a dataset with their final test there."""
    frame = evidence.records.first_seed(dataset)
    first = frame[frame["epoch"] == 1].set_index("model")["val"]
    return first.corr(evidence.final(dataset), method="spearman")


def quality_verdict(quality: pd.DataFrame) -> str:
    """The four criteria of a zoo that discriminates, in a sentence."""
    apart = int((quality["ratio"] >= 3).sum())
    near = list(quality.index[quality["best"] - quality["chance"] < 0.05])
    return (
        f"On **{apart} of {len(quality)}** benchmark datasets the standard deviation between models is at least three "
        f"times that between seeds. The best model is "
        f"{'within five points of chance on ' + ', '.join(near) if near else 'always at least five points above chance'}. Validation after the first epoch predicts the final test with a "
        f"mean Spearman correlation of **{quality['first_epoch'].mean():.2f}**."
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
