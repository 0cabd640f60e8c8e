"""Notebook 00: the framework (Fig. 2), and pictures and sentences for each equation on one target."""

import numpy as np
import pandas as pd

from reproduction.evidence import Evidence
from reproduction.n05_fine_selection import draw_cuts
from reproduction.tables import save_figure
from twophase.clustering import Clusters
from twophase.infra import plots
from twophase.records import TrainingRecords
from twophase.selection import Selection, brute_force
from twophase.similarity import top_k_similarity
from twophase.trends import match

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
COLOURS = (plots.RED, plots.ORANGE, plots.GREEN, plots.BLUE, plots.GREY)  # of trends, the lowest first
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


def answer(evidence: Evidence, target: str) -> str:
    """What the two phases do and give on a target, beside brute force."""
    found, everything = evidence.two_phase(target), brute_force(evidence.runs(target), evidence.models)
    final = evidence.final(target)
    return (
        f"**Answer.** Look before training, and stop early. On *{_spaced(target)}* the method computes {found.proxies} proxy "
        f"scores, recalls {evidence.top} of {len(final)} models and drops some after every epoch. That costs "
        f"{found.epochs:g} model-epochs where training every model takes {everything.epochs:g}. It selects "
        f"{found.winner}, with a test accuracy of {found.test:.2f}: {_rank(final, found.winner)} of all {len(final)} models. "
        f"Training every model selects {everything.winner}, with {everything.test:.2f}. "
        f"One target illustrates and proves nothing: notebook 6 has all {len(evidence.everything)}."
    )


def _spaced(name: str) -> str:
    return name.replace("_", " ")


def _rank(final: pd.Series, model: str) -> str:
    """Where a model stands by final test accuracy, in words."""
    place = int(final.rank(ascending=False, method="min")[model])
    return "the best" if place == 1 else f"number {place}"


def toy_records(matrix: pd.DataFrame, first: pd.DataFrame, task: pd.DataFrame) -> TrainingRecords:
    """Records of two epochs from the toy's tables; on benchmark datasets the second validation equals the final test.

    Args:
        matrix: final test accuracies, datasets x models.
        first: validations after the first epoch, the same shape.
        task: models x (epoch 1, epoch 2, test), of the target.
    """
    rows = [
        (model, dataset, "benchmark", epoch, table.loc[dataset, model], matrix.loc[dataset, model])
        for epoch, table in ((1, first), (2, matrix))
        for dataset in matrix.index
        for model in matrix
    ]
    for epoch in (1, 2):
        rows += [(m, "task", "target", epoch, row[f"epoch {epoch}"], row["test"]) for m, row in task.iterrows()]
    return TrainingRecords.from_frame(pd.DataFrame(rows, columns=["model", "dataset", "role", "epoch", "val", "test"]))


def toy_said(chosen: Selection, proxies: pd.Series, task: pd.DataFrame) -> str:
    """What the toy's selection cost and gave."""
    trained, whole, scored = chosen.epochs, 2 * len(task), len(proxies) / 2
    never = ", ".join(f"*{model}*" for model in task.index.difference(chosen.history["model"]))
    return (
        f"**{chosen.winner}** is selected, and the best model by test is {task['test'].idxmax()}: a regret of "
        f"{task['test'].max() - chosen.test:.2f}. It took {trained:g} model-epochs and {len(proxies)} proxy scores, "
        f"{trained + scored:g} in all, where training all {len(task)} models takes {whole}. Never trained: {never}."
    )


def nearest(matrix: pd.DataFrame, k: int) -> tuple[str, str]:
    """The two models that are most alike by Eq. 1."""
    alike = top_k_similarity(matrix, k).to_numpy() - 2 * np.eye(matrix.shape[1])
    one, other = np.unravel_index(alike.argmax(), alike.shape)
    return matrix.columns[one], matrix.columns[other]


def figure_similarity(clusters: Clusters):
    """Eq. 1 as a heat map, models ordered by cluster; the boxes are the clusters of two and more."""
    from matplotlib.patches import Rectangle

    order = clusters.labels.sort_values(kind="stable").index
    with plots.style():
        figure, (axis,) = plots.panels(1, height=0.9 + 0.12 * len(order), width=1.9 + 0.12 * len(order))
        image = axis.imshow(clusters.alike(order, order), cmap="viridis", vmax=1)
        for label in clusters.non_singletons:
            places = np.flatnonzero(clusters.labels[order] == label) - 0.5
            axis.add_patch(Rectangle((places[0], places[0]), len(places), len(places), fill=False, ec="white", lw=1.5))
        axis.set_yticks(range(len(order)), order)
        axis.set(xticks=[], xlabel="the same models, in the same order")
        axis.grid(False)
        figure.colorbar(image, label="similarity (Eq. 1)", shrink=0.6)
        return _closed(figure)


def _closed(figure):
    plots.close(figure)
    return figure


def said_clusters(matrix: pd.DataFrame, clusters: Clusters, k: int, silhouette: float) -> str:
    """What Eq. 1 and the clusters show: the extremes, and how many models need a proxy score."""
    one, other = nearest(matrix, k)
    alike, groups = clusters.similarity, clusters.non_singletons
    far, away = np.unravel_index(alike.to_numpy().argmin(), alike.shape)
    clustered = int(clusters.labels.isin(groups).sum())
    return (
        f"**Seen.** {one} and {other} are the most alike ({alike.loc[one, other]:.2f}): even where they differ most, they "
        f"differ by {1 - alike.loc[one, other]:.2f}. {alike.index[far]} and {alike.columns[away]} are the least alike "
        f"({alike.iloc[far, away]:.2f}). The cut leaves {len(groups)} clusters of two and more with {clustered} of "
        f"{matrix.shape[1]} models, and {matrix.shape[1] - clustered} singletons: {len(groups)} proxy scores are computed "
        f"instead of {matrix.shape[1]}. The silhouette is {silhouette:.2f}; 1 would be clusters without overlap."
    )


def examples(ranking: pd.DataFrame, clusters: Clusters) -> tuple[str, list[str], list[str]]:
    """Models for Eq. 2 to 4: the first ranked, those in clusters that are no representatives, and those alone, by rank."""
    inside = clusters.labels.isin(clusters.non_singletons)[ranking.index]
    shared = inside & ~ranking.index.isin(clusters.representatives)
    return ranking.index[0], list(ranking.index[shared]), list(ranking.index[~inside])


def figure_recall(ranking: pd.DataFrame, clusters: Clusters):
    """Eq. 2: prior and proxy score of every model, and the line on which the recall score is that of the last recalled."""
    with plots.style():
        figure, (axis,) = plots.panels(1, height=2.7, width=5)
        draw_recall(axis, ranking, clusters)
        figure.legend(*axis.get_legend_handles_labels(), loc="outside right center")
        return _closed(figure)


def draw_recall(axis, ranking: pd.DataFrame, clusters: Clusters) -> None:
    """Prior and proxy score of every model; blue are recalled, diamonds are singletons."""
    alone = ~clusters.labels.isin(clusters.non_singletons)[ranking.index]
    least = ranking.loc[ranking["recalled"], "recall_score"].min()
    for recalled, colour in ((True, plots.BLUE), (False, plots.GREY)):
        for single, mark in ((False, "o"), (True, "D")):
            here = ranking[(ranking["recalled"] == recalled) & (alone == single)]
            label = f"{'singleton' if single else 'in a cluster'}, {'recalled' if recalled else 'not recalled'}"
            axis.plot(here["prior"], here["proxy"], mark, ms=4, color=colour, ls="", label=label, alpha=0.8)
    across = np.linspace(max(ranking["prior"].min(), least), ranking["prior"].max(), 100)
    axis.plot(across, least / across, color="black", lw=0.8, ls="--", label="equal recall score")
    axis.set(
        xlabel="prior (mean accuracy on the benchmark datasets)", ylabel="proxy score (Eq. 3, 4)", ylim=(-0.04, 1.04)
    )


def said_recall(ranking: pd.DataFrame, clusters: Clusters, final: pd.Series) -> str:
    """What the ranking holds: the gain, where the best model is, and what Eq. 4 does to singletons."""
    recalled, best = ranking.index[ranking["recalled"]], final.idxmax()
    alone = ~clusters.labels.isin(clusters.non_singletons)[recalled]
    place, inside = int(ranking.loc[best, "rank"]), ranking.loc[best, "recalled"]
    return (
        f"**Seen.** The {len(recalled)} models recalled end {final[recalled].mean() - final.mean():.2f} above the average of "
        f"all {len(final)} (the gain). The best model, {best}, has rank {place}: it is {'' if inside else 'not '}recalled. "
        f"{int(alone.sum())} of those recalled are singletons: an average of other models' scores (Eq. 4) is never the "
        "highest, so a singleton needs a high prior. All members of a cluster lie on one level, and the prior alone orders them."
    )


def figure_trend(known: TrainingRecords, trends: pd.DataFrame, model: str, val: float):
    """Eq. 5 and 6: first validation and final test of a model on the benchmark datasets, by trend, and a new run."""
    frame = known.where(known.frame["model"] == model).frame
    means = frame.groupby(["dataset", "epoch"])[["val", "test"]].mean()
    first = means.xs(1, level="epoch")["val"]
    final = means["test"].groupby("dataset").last()
    with plots.style():
        figure, (axis,) = plots.panels(1, height=2.7, width=plots.COLUMN)
        colours = [COLOURS[match(trends, value) % len(COLOURS)] for value in first]
        axis.scatter(first, final[first.index], c=colours, s=14)
        for number, row in trends.iterrows():
            axis.plot(row["val"], row["test"], "_", ms=22, mew=2.5, color=COLOURS[number % len(COLOURS)])
        nearest = trends.loc[match(trends, val)]
        axis.axvline(val, color="black", lw=0.8, ls="--")
        axis.annotate("this run", (val, 0.02), (3, 0), textcoords="offset points")
        axis.plot(val, nearest["test"], "*", ms=10, color="black", label="predicted (Eq. 6)")
        axis.plot([], [], "_", ms=14, mew=2.5, color=plots.GREY, label="mean of a trend")
        axis.set(xlabel="validation after the first epoch", ylabel="final test accuracy", xlim=(0, 1), ylim=(0, 1))
        axis.set_title(model)
        axis.legend(loc="upper left")
        return _closed(figure)


def said_trend(trends: pd.DataFrame, model: str, val: float, final: pd.Series) -> str:
    """What Eq. 5 and 6 say of a run, and what came of it."""
    nearest = trends.loc[match(trends, val)]
    return (
        f"**Seen.** After one epoch {model} has a validation accuracy of {val:.2f}. The nearest of its {len(trends)} trends "
        f"has a mean of {nearest['val']:.2f} (Eq. 5), and its datasets ended at {nearest['test']:.2f} on average, which is "
        f"the prediction (Eq. 6). The run really ends at {final[model]:.2f}, {abs(final[model] - nearest['test']):.2f} "
        f"{'above' if final[model] > nearest['test'] else 'below'} it."
    )


def figure_cuts(chosen: Selection, target: str):
    """Algorithm 1: validation curves that end where a model is dropped."""
    with plots.style():
        figure, (axis,) = plots.panels(1, height=2.7, width=5)
        draw_cuts(axis, chosen, _spaced(target))
        return _closed(figure)


def said_cuts(chosen: Selection, final: pd.Series) -> str:
    """Who was dropped by which rule, and whether the best of the candidates was among them."""
    history = chosen.history
    gone = history[~history["kept"]]
    filtered = gone["reason"].str.startswith("filtered")
    best = final[history["model"].unique()].idxmax()
    lost = gone[gone["model"] == best]
    fate = f"{best} wins"
    if best != chosen.winner:
        fate = f"{best} is dropped after epoch {lost['stage'].iloc[0]} ({lost['reason'].iloc[0].split(':')[0]})"
    halving = history.groupby("stage")["model"].nunique()
    return (
        f"**Seen.** {int(filtered.sum())} models are filtered by the predictions and {int((~filtered).sum())} halved by "
        f"validation alone; {', '.join(map(str, halving))} models are trained in epochs {', '.join(map(str, halving.index))}, "
        f"{chosen.epochs:g} model-epochs in all. {chosen.winner} wins with a test accuracy of {chosen.test:.2f}. The best of "
        f"the candidates by test has {final[best].max():.2f}: {fate}."
    )


def compared(methods: dict[str, Selection], final: pd.Series) -> pd.DataFrame:
    """Selections side by side: winner, accuracy, regret against the best model by test, cost in model-epochs."""
    rows = {
        name: {
            "selected": one.winner,
            "test accuracy": one.test,
            "regret": final.max() - one.test,
            "model-epochs": f"{one.epochs:g}",
        }
        for name, one in methods.items()
    }
    return pd.DataFrame(rows).T.rename_axis("method").infer_objects()
