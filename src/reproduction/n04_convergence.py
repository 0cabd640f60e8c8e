"""Notebook 04: curves, convergence groups and what the trends predict (Figs. 3, 4, 6)."""

import numpy as np
import pandas as pd

from reproduction.evidence import Evidence
from reproduction.leave_one_out import FIRST, SECOND, of, turns_of
from reproduction.tables import against_zero, interval, save_figure, with_interval
from reproduction.verdicts import above
from twophase.infra import plots
from twophase.records import TrainingRecords
from twophase.trends import TrendPredictor, mine, predict, trend_of

COLOURS = (plots.RED, plots.ORANGE, plots.GREEN, plots.BLUE, plots.GREY)  # of trends, the lowest first
TEST_BESIDE, PREDICTED_BESIDE = 0.35, 0.8  # epochs from the last validation to the marks of the test and of Eq. 6
DARK, LIGHT = 0.2, 0.78  # greys of the second best and of the last model
CELLS = ["silhouette: trends", "silhouette: random", "error: trend", "error: mean", "error: line"]
PERMUTATIONS = 20  # random groups that the trends' silhouette is held against


def stage_table(evidence: Evidence, model: str, stage: int = 1) -> pd.DataFrame:
    """Validation at a stage and final test of a model, a row per benchmark dataset."""
    frame = evidence.records.first_seed()
    frame = frame[(frame["model"] == model) & (frame["role"] == "benchmark")]
    val = frame[frame["epoch"] == stage].set_index("dataset")["val"]
    test = frame[frame["epoch"] == frame["epoch"].max()].set_index("dataset")["test"]
    return pd.DataFrame({"val": val, "test": test})


def figure_3(evidence: Evidence):
    """Fig. 3: validation curves and final tests of each target's best models; the scale is that of `figure_8`."""
    return _curves(evidence, evidence.records, "figure_3", evidence.settings.training.learning_rate)


def figure_8(evidence: Evidence):
    """Fig. 8: the same models as in `figure_3`, trained with the second learning rate."""
    return _curves(evidence, evidence.second_rate, "figure_8", evidence.settings.second_rate.learning_rate)


def _both(evidence: Evidence, target: str) -> list[str]:
    """The models trained with either learning rate, those best with the first one first."""
    return list(evidence.final(target).loc[evidence.second_rate.final(target).index].sort_values(ascending=False).index)


def _curves(evidence: Evidence, records: TrainingRecords, name: str, rate: float):
    """A panel per target: blue is the model best in the end, the others are the lighter the worse they end."""
    with plots.style():
        figure, axes = plots.panels(len(evidence.targets), columns=2, height=2.3, sharex=True, sharey=True)
        for axis, target in zip(axes, evidence.targets, strict=True):
            final = records.final(target).loc[_both(evidence, target)].sort_values(ascending=False)
            greys = np.linspace(DARK, LIGHT, len(final) - 1).astype(str)
            for model, colour in reversed(list(zip(final.index, [plots.BLUE, *greys], strict=True))):
                curve, first = records.curve(model, target), model == final.index[0]
                axis.plot(curve.index, curve, color=colour, marker="o", ms=2.5, lw=2 if first else 1.2)
                axis.plot(curve.index.max() + TEST_BESIDE, final[model], "D", ms=4, color=colour)
            axis.set_title(f"{target.replace('_', ' ')} (best: {final.index[0]})")
            axis.set(ylim=_range(evidence))
            _epochs(axis, records.epochs, {"test": TEST_BESIDE})
            axis.label_outer()
        shades = {"best final test": plots.BLUE, "second": str(DARK), f"last of the {len(final)}": str(LIGHT)}
        handles = [axis.plot([], [], color=colour, label=label)[0] for label, colour in shades.items()]
        handles += axis.plot([], [], "D", ms=4, color="black", label="final test accuracy")
        title = {"title": f"learning rate {rate:g}", "title_fontsize": 8}
        figure.legend(handles=handles, loc="outside lower center", ncols=4, **title)
        return save_figure(figure, name, evidence.name)


def _range(evidence: Evidence) -> tuple[float, float]:
    """Limits of accuracy that hold all curves of Figs. 3 and 8."""
    shown = []
    for target in evidence.targets:
        for records in (evidence.records, evidence.second_rate):
            frame = records.first_seed(target)
            shown.append(frame[frame["model"].isin(_both(evidence, target))][["val", "test"]])
    values = pd.concat(shown)
    return float(values.min().min()) - 0.02, float(values.max().max()) + 0.02


def _epochs(axis, epochs: int, beside: dict[str, float]) -> None:
    """Epochs as ticks, and what stands beside the last one (name: how far)."""
    ticks = list(range(1, epochs + 1))
    axis.set_xticks([*ticks, *(epochs + far for far in beside.values())], [*map(str, ticks), *beside])
    axis.set(xlabel="epoch", ylabel="validation accuracy")


def two_rates(evidence: Evidence) -> pd.DataFrame:
    """Fine-selection among the models trained with either learning rate, with each; trends are those of the first."""
    columns = {}
    for name, variant in {"first": FIRST, "second": SECOND}.items():
        rows = of(turns_of(evidence), "fine-selection", "oracle", variant).loc[evidence.targets]
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
    """Fig. 4: one model's curves on the benchmark datasets, coloured by the trends of the first stage.

    Fine-selection asks these trends first. Beside the final tests: their mean by trend, which Eq. 6 predicts.
    """
    table, last = stage_table(evidence, model).sort_values("val", ascending=False), evidence.records.epochs
    groups = trend_of(table["val"], min(evidence.params.selection.n_trends, len(table)))
    with plots.style():
        figure, (axis,) = plots.panels(1, height=max(2.9, 0.17 * len(table)), width=5.6)
        for group, (dataset, row) in zip(groups, table.iterrows(), strict=True):
            curve, colour = evidence.records.curve(model, dataset), COLOURS[group % len(COLOURS)]
            axis.plot(curve.index, curve, color=colour, marker="o", ms=2.5, label=dataset.replace("_", " "))
            axis.plot(last + TEST_BESIDE, row["test"], marker="D", ms=4, color=colour)
        for group, mean in table.groupby(groups)["test"].mean().items():
            axis.plot(last + PREDICTED_BESIDE, mean, "_", ms=14, mew=2.5, color=COLOURS[group % len(COLOURS)])
        _epochs(axis, last, {"test": TEST_BESIDE, "Eq. 6": PREDICTED_BESIDE})
        axis.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
        axis.set(ylim=(0, 1), title=f"{model}: one colour a convergence trend of the first epoch")
        return save_figure(figure, "figure_4", evidence.name)


def figure_6_cells(evidence: Evidence, seed: int = 0) -> pd.DataFrame:
    """Fig. 6's numbers, a row a (model, dataset), from the first validation; computed once.

    Columns: "silhouette: trends" and "silhouette: random" are those of the dataset within the groups that K-means makes
    of all benchmark datasets by validation, and within random groups of the same sizes (mean of the permutations).
    "error: trend", "error: mean", "error: line" are |predicted - actual| / actual of the final test, predicted from the
    other benchmark datasets: by the matched trend (Eqs. 5, 6), by their mean, and by the straight line fitted to their
    first validations and final tests.
    """

    def made() -> pd.DataFrame:
        rng = np.random.default_rng(seed)
        tables = {model: _cells_of(evidence, stage_table(evidence, model), rng) for model in evidence.models}
        return pd.concat(tables, names=["model"])

    return evidence.once("figure_6_cells", seed, made).copy()


def _cells_of(evidence: Evidence, table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    from sklearn.metrics import silhouette_samples

    n = min(evidence.params.selection.n_trends, len(table) - 1)
    val, groups = table[["val"]].to_numpy(), trend_of(table["val"], n)
    cells = pd.DataFrame(index=table.index, columns=CELLS, dtype=float)
    if 1 < len(set(groups)) < len(val):
        cells["silhouette: trends"] = silhouette_samples(val, groups)
        mixed = [silhouette_samples(val, rng.permutation(groups)) for _ in range(PERMUTATIONS)]
        cells["silhouette: random"] = np.mean(mixed, axis=0)
    for dataset, row in table[table["test"] > 0].iterrows():
        rest = table.drop(dataset)
        guesses = {"trend": predict(mine(rest["val"], rest["test"], min(n, len(rest))), row["val"])}
        guesses |= {"mean": rest["test"].mean(), "line": _line(rest, row["val"])}
        for name, guess in guesses.items():
            cells.loc[dataset, f"error: {name}"] = abs(guess - row["test"]) / row["test"]
    return cells


def _line(known: pd.DataFrame, val: float) -> float:
    """What a straight line through known validations and tests gives for a validation; their mean if all are alike."""
    if known["val"].nunique() < 2:
        return float(known["test"].mean())
    return float(np.polyval(np.polyfit(known["val"], known["test"], 1), val))


def figure_6_table(evidence: Evidence, seed: int = 0) -> pd.DataFrame:
    """`figure_6_cells`, the mean over datasets: a row per model, the same columns."""
    return figure_6_cells(evidence, seed).groupby("model", sort=False).mean()


def figure_6(evidence: Evidence, table: pd.DataFrame):
    """Fig. 6: silhouettes (left) and prediction errors (right) by model, and the errors of a straight line."""
    table = table.sort_values("error: trend", ascending=False)
    with plots.style():
        height = 1.1 + 0.125 * len(table)
        figure, (left, right) = plots.panels(2, columns=2, height=height, sharey=True)
        rows = range(len(table))
        for axis, kind, marks in (
            (left, "silhouette", (("trends", plots.BLUE, "o"), ("random", plots.GREY, "x"))),
            (right, "error", (("mean", plots.GREY, "x"), ("trend", plots.RED, "o"), ("line", "black", "|"))),
        ):
            for name, colour, mark in marks:
                axis.plot(table[f"{kind}: {name}"], rows, ls="", marker=mark, ms=5, color=colour, label=name)
            axis.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
        left.set(xlabel="silhouette of datasets\nby first validation", yticks=list(rows), yticklabels=list(table.index))
        left.set(ylim=(-0.7, len(table) - 0.3))
        right.set(xlabel="relative error of the predicted\nfinal test, leave one dataset out", xlim=(0, None))
        return save_figure(figure, "figure_6", evidence.name)


def figure_6_verdict(cells: pd.DataFrame) -> str:
    """Whether trends group datasets better than chance, and predict better than the mean and than a straight line."""
    models, datasets = (cells.groupby(level, sort=False).mean() for level in ("model", "dataset"))
    n, over = len(models), f"95 % bootstrap over the {len(datasets)} benchmark datasets, each the mean of all models"
    mean, trend, line = (models[f"error: {name}"] for name in ("mean", "trend", "line"))
    grouped = datasets["silhouette: trends"] - datasets["silhouette: random"]
    gain = datasets["error: mean"] - datasets["error: trend"]
    behind = datasets["error: trend"] - datasets["error: line"]
    found = above(behind)
    return (
        f"The trends' silhouette exceeds that of random groups for "
        f"{(models['silhouette: trends'] > models['silhouette: random']).sum()} of {n} models, by "
        f"{with_interval(grouped, 2)}. The matched trend has a smaller error than the mean of the other datasets for "
        f"**{(trend < mean).sum()} of {n}** models: {datasets['error: trend'].mean():.2f} against "
        f"{datasets['error: mean'].mean():.2f}, less by {with_interval(gain, 2)}. A straight line from first validation to "
        f"final test has a smaller error than the trends for **{(line < trend).sum()} of {n}** models, "
        f"{datasets['error: line'].mean():.3f} against {datasets['error: trend'].mean():.3f}; the trends' error minus the "
        f"line's is {found.said()}. That the line predicts better: **{found.verdict}** (claim N2). Intervals: {over}."
    )


def answer(evidence: Evidence) -> str:
    """Predictions against validation: of one model's end, and for choosing among models."""
    table, cells = ranking(evidence), figure_6_cells(evidence)
    first, errors = table.xs(1, level="stage"), cells[[f"error: {name}" for name in ("trend", "mean", "line")]].mean()
    change = first["validation"] - first["prediction"]
    word = against_zero(change, "worse than", "better than", "neither better nor worse than")
    behind = table["validation"] - table["prediction"]
    later = [stage for stage, values in behind.groupby("stage") if stage > 1 and interval(values)[0] > 0]
    end = f", and worse after epoch{'s' * (len(later) > 1)} {_listed(later)}" if later else ""
    return (
        f"**Answer.** For one model, roughly: the matched trend misses the final test accuracy by {errors['error: trend']:.0%} "
        f"of it, the model's mean on other datasets by {errors['error: mean']:.0%}, a straight line by "
        f"{errors['error: line']:.0%}. For choosing among models, hardly: after one epoch the **predictions** rank them {word} "
        f"the **validation** that they are made from (Spearman {first['prediction'].mean():.2f} against "
        f"{first['validation'].mean():.2f}, paired difference {with_interval(change)}){end}."
    )


def _listed(stages: list[int]) -> str:
    return f"{', '.join(map(str, stages[:-1]))} and {stages[-1]}" if len(stages) > 1 else str(stages[0])


def ranking(evidence: Evidence) -> pd.DataFrame:
    """How well models are ranked, a row a (dataset, stage), all datasets in turn; computed once.

    Columns: validation, prediction (of the trends): their Spearman correlation with the final test over all models; 0
    where all are equal.
    """
    return evidence.once("ranking", "", lambda: _ranking(evidence)).copy()


def _ranking(evidence: Evidence) -> pd.DataFrame:
    rows = {}
    for target in evidence.everything:
        n_trends = min(evidence.params.selection.n_trends, len(evidence.matrix(target)))
        predictor, final = TrendPredictor(evidence.known(target), n_trends), evidence.final(target)
        frame = evidence.records.first_seed(target)
        for stage in range(1, evidence.records.epochs + 1):
            val = frame[frame["epoch"] == stage].set_index("model")["val"]
            predicted = pd.Series({model: predictor.predict(model, stage, score) for model, score in val.items()})
            scores = {"validation": val, "prediction": predicted}
            rows[target, stage] = {name: found.corr(final, method="spearman") for name, found in scores.items()}
    return pd.DataFrame(rows).T.fillna(0).rename_axis(["dataset", "stage"])


def calibration(evidence: Evidence) -> pd.DataFrame:
    """`ranking` by stage, mean over all datasets with intervals, as text.

    Columns: validation, prediction, and their paired difference "validation - prediction".
    """
    table = ranking(evidence)
    table["validation - prediction"] = table["validation"] - table["prediction"]
    return table.groupby("stage").agg(with_interval)


def ranking_verdict(evidence: Evidence) -> str:
    """Whether validation itself ranks models better than the trends' predictions do, after the first epoch and later."""
    table = ranking(evidence)
    ahead = {stage: rows["validation"] - rows["prediction"] for stage, rows in table.groupby("stage")}
    first, means = ahead[1], table.xs(1, level="stage").mean()
    said: dict[str, list[str]] = {}
    for stage, values in ahead.items():
        low, high = interval(values)
        how = "better" if low > 0 else "worse" if high < 0 else "neither better nor worse"
        said.setdefault(how, []).append(str(stage))
    now = next(iter(said))
    later = []
    for how, stages in said.items():
        if more := [stage for stage in stages if stage != "1"]:
            later.append(f"{how} after epoch{'s' if len(more) > 1 else ''} {', '.join(more)}")
    return (
        f"After the first epoch, validation itself ranks the models **{now}** than the trends' predictions do: Spearman "
        f"{means['validation']:.2f} against {means['prediction']:.2f}, a paired difference of {with_interval(first)}, with "
        f"validation ahead on {(first > 0).sum()} of {len(first)} datasets. Later it ranks them {', '.join(later)}. "
        f"Intervals: 95 % bootstrap over the {len(first)} datasets; better or worse means that the interval of the paired "
        "difference leaves out zero."
    )
