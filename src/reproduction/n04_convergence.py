"""Notebook 04: curves, convergence groups and what the trends predict (Figs. 3, 4, 6)."""

import numpy as np
import pandas as pd

from reproduction.evidence import Evidence
from reproduction.leave_one_out import FIRST, SECOND, of
from reproduction.tables import save_figure, with_interval
from twophase.infra import plots
from twophase.records import TrainingRecords
from twophase.trends import TrendPredictor, mine, predict, trend_of

MOST = 10  # curves that a figure can tell apart
COLOURS = (plots.BLUE, plots.ORANGE, plots.GREEN, plots.RED, plots.GREY)
TEST_BESIDE = 0.35  # epochs from the last validation to the mark of the test


def stage_table(evidence: Evidence, model: str, stage: int = 1) -> pd.DataFrame:
    """Validation at a stage and final test of a model, a row a benchmark dataset."""
    frame = evidence.records.first_seed()
    frame = frame[(frame["model"] == model) & (frame["role"] == "benchmark")]
    val = frame[frame["epoch"] == stage].set_index("dataset")["val"]
    test = frame[frame["epoch"] == frame["epoch"].max()].set_index("dataset")["test"]
    return pd.DataFrame({"val": val, "test": test})


def figure_3(evidence: Evidence, target: str):
    """Fig. 3: validation curves of the best models on a target, best first, and their final test accuracy."""
    return _curves(evidence, target, evidence.records, "figure_3", evidence.settings.training.learning_rate)


def figure_8(evidence: Evidence, target: str):
    """Fig. 8: the same models as in `figure_3`, trained with the second learning rate."""
    return _curves(evidence, target, evidence.second_rate, "figure_8", evidence.settings.second_rate.learning_rate)


def _both(evidence: Evidence, target: str) -> list[str]:
    """The models trained with either learning rate, best first."""
    return list(evidence.final(target).loc[evidence.second_rate.final(target).index].sort_values(ascending=False).index)


def _curves(evidence: Evidence, target: str, records: TrainingRecords, name: str, rate: float):
    final = records.final(target)
    with plots.style():
        figure, (axis,) = plots.panels(1, height=2.9, width=5.6)
        for number, model in enumerate(_both(evidence, target)[:MOST]):
            curve, later = records.curve(model, target), number > 4
            colour = COLOURS[number % 5]
            axis.plot(curve.index, curve, color=colour, ls="--" if later else "-", marker="o", ms=2.5, label=model)
            axis.plot(
                curve.index.max() + TEST_BESIDE, final[model], "D", ms=4, color=colour, mfc="none" if later else colour
            )
        _stages(axis, records.epochs)
        axis.set(title=f"{target.replace('_', ' ')}, learning rate {rate:g}")
        return save_figure(figure, name, evidence.name)


def _stages(axis, epochs: int) -> None:
    """Epochs and the test as ticks; the legend beside the curves."""
    ticks = list(range(1, epochs + 1))
    axis.set_xticks([*ticks, epochs + TEST_BESIDE], [*map(str, ticks), "test"])
    axis.set(xlabel="epoch", ylabel="validation accuracy")
    axis.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))


def two_rates(evidence: Evidence) -> pd.DataFrame:
    """Fine-selection among the models trained with either learning rate, with each; trends are those of the first."""
    columns = {}
    for name, variant in {"first": FIRST, "second": SECOND}.items():
        rows = of(evidence.turns, "fine-selection", "oracle", variant).loc[evidence.targets]
        columns |= {(what, name): rows[what] for what in ("winner", "epochs", "accuracy")}
        columns["regret", name] = rows["best"] - rows["accuracy"]
    return pd.DataFrame(columns).rename_axis("target").sort_index(axis=1)


def figure_8_verdict(table: pd.DataFrame) -> str:
    """Whether selection and cost stay what they are with another learning rate."""
    same = (table["winner", "first"] == table["winner", "second"]).sum()
    cost = (table["epochs", "second"] - table["epochs", "first"]).astype(float)
    regret = (table["regret", "second"] - table["regret", "first"]).astype(float)
    return (
        f"With a third of the learning rate the selected model is the same on **{same} of {len(table)}** targets, the cost "
        f"changes by {cost.mean():+.1f} epochs and the regret by {regret.mean():+.3f} on average (from {regret.min():+.3f} "
        f"to {regret.max():+.3f}). The paper reports one target, on which neither selection nor cost change."
    )


def figure_4(evidence: Evidence, model: str):
    """Fig. 4: one model's curves on the benchmark datasets, coloured by convergence trend at the last stage."""
    table = stage_table(evidence, model, evidence.records.epochs)
    n = min(evidence.params.selection.n_trends, len(table))
    trends = mine(table["val"], table["test"], n)
    colours = (plots.RED, plots.ORANGE, plots.GREEN, plots.BLUE, plots.GREY)
    with plots.style():
        figure, (axis,) = plots.panels(1, height=max(2.9, 0.17 * len(table)), width=5.6)
        for dataset, row in table.sort_values("val", ascending=False).iterrows():
            curve = evidence.records.curve(model, dataset)
            colour = colours[int((trends["val"] - row["val"]).abs().to_numpy().argmin()) % 5]
            axis.plot(curve.index, curve, color=colour, marker="o", ms=2.5, label=dataset.replace("_", " "))
            axis.plot(curve.index.max() + TEST_BESIDE, row["test"], marker="D", ms=4, color=colour)
        _stages(axis, evidence.records.epochs)
        axis.set(ylim=(0, 1), title=f"{model}: one colour a convergence trend")
        return save_figure(figure, "figure_4", evidence.name)


def figure_6_table(evidence: Evidence, seed: int = 0) -> pd.DataFrame:
    """Fig. 6's numbers, a row a model, from the first validation.

    Columns: silhouette of the trends (K-means on validation) and of random groups of the same sizes, both measured on
    the final test scores' groups of datasets by validation; error of the trend's prediction and of the plain mean:
    |predicted - actual| / actual, each benchmark dataset in turn as the target.
    """
    from sklearn.metrics import silhouette_score

    rng, rows = np.random.default_rng(seed), {}
    for model in evidence.models:
        table = stage_table(evidence, model)
        n = min(evidence.params.selection.n_trends, len(table) - 1)
        val, groups = table[["val"]].to_numpy(), trend_of(table["val"], n)
        ours, mixed = np.nan, [np.nan]
        if 1 < n < len(val):
            ours = silhouette_score(val, groups)
            mixed = [silhouette_score(val, rng.permutation(groups)) for _ in range(20)]
        errors = {"trend": [], "mean": []}
        for dataset, row in table[table["test"] > 0].iterrows():
            rest = table.drop(dataset)
            trends = mine(rest["val"], rest["test"], min(n, len(rest)))
            errors["trend"].append(abs(predict(trends, row["val"]) - row["test"]) / row["test"])
            errors["mean"].append(abs(rest["test"].mean() - row["test"]) / row["test"])
        rows[model] = {"silhouette: trends": ours, "silhouette: random": float(np.mean(mixed))}
        rows[model] |= {f"error: {name}": float(np.mean(found)) for name, found in errors.items()}
    return pd.DataFrame(rows).T.rename_axis("model")


def figure_6(evidence: Evidence, table: pd.DataFrame):
    """Fig. 6: silhouettes (left) and prediction errors (right) by model."""
    table = table.sort_values("error: trend", ascending=False)
    with plots.style():
        figure, (left, right) = plots.panels(2, columns=2, height=4.4, sharey=True)
        rows = range(len(table))
        for axis, kind, marks in (
            (left, "silhouette", (("trends", plots.BLUE, "o"), ("random", plots.GREY, "x"))),
            (right, "error", (("trend", plots.RED, "o"), ("mean", plots.GREY, "x"))),
        ):
            for name, colour, mark in marks:
                axis.plot(table[f"{kind}: {name}"], rows, ls="", marker=mark, ms=4, color=colour, label=name)
            axis.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
        left.set(xlabel="silhouette of datasets\nby first validation", yticks=list(rows), yticklabels=list(table.index))
        right.set(xlabel="relative error of the predicted\nfinal test, leave one dataset out", xlim=(0, None))
        left.tick_params(axis="y", labelsize=6.5)
        return save_figure(figure, "figure_6", evidence.name)


def figure_6_verdict(table: pd.DataFrame) -> str:
    """Whether trends group datasets better than chance and predict better than the mean."""
    better = table["error: trend"] < table["error: mean"]
    gain = table["error: mean"] - table["error: trend"]
    return (
        f"The trends' silhouette exceeds that of random groups for {(table['silhouette: trends'] > table['silhouette: random']).sum()}"
        f" of {len(table)} models. The prediction from the matched trend has a smaller error than the mean of all benchmark "
        f"datasets for **{better.sum()} of {len(table)}** models; the error falls by {with_interval(gain)} "
        f"(from {table['error: mean'].mean():.3f} to {table['error: trend'].mean():.3f}; interval over models)."
    )


def calibration(evidence: Evidence) -> pd.DataFrame:
    """Spearman of validation, and of the trends' predictions, with the final test, by stage; mean over all datasets."""
    stages = range(1, evidence.records.epochs + 1)
    rows: dict[int, dict[str, list[float]]] = {stage: {"validation": [], "prediction": []} for stage in stages}
    for target in evidence.everything:
        n_trends = min(evidence.params.selection.n_trends, len(evidence.matrix(target)))
        predictor, final = TrendPredictor(evidence.known(target), n_trends), evidence.final(target)
        frame = evidence.records.first_seed(target)
        for stage, row in rows.items():
            val = frame[frame["epoch"] == stage].set_index("model")["val"]
            predicted = pd.Series({model: predictor.predict(model, stage, score) for model, score in val.items()})
            row["validation"].append(val.corr(final, method="spearman"))
            row["prediction"].append(predicted.corr(final, method="spearman"))
    table = {stage: {name: with_interval(np.nan_to_num(v)) for name, v in row.items()} for stage, row in rows.items()}
    return pd.DataFrame(table).T.rename_axis("stage")
