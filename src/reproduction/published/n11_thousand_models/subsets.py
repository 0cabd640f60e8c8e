"""Notebook 11, second part: how many benchmark datasets the prior needs, and which (the paper's future work)."""

import numpy as np
import pandas as pd

from reproduction import compact
from reproduction.published.sources import params, recycling
from reproduction.tables import against_zero, interval, save_figure, tidy
from twophase.errors import UserError
from twophase.infra import plots
from twophase.infra.compute import Failure, parallel_map, single_thread, width
from twophase.sources.published import model_recycling

MODELS = 60  # by which sets are chosen by density: their covariance is inverted some ten thousand times
WORDS = "better", "worse", "neither better nor worse"
LABELS = {"rho": "Spearman of prior and accuracy", "gain": "gain of the top K (accuracy)"}


def greedy(matrix: pd.DataFrame) -> list[str]:
    """Datasets in the order in which each explains most of what those before it leave of all of them.

    Args:
        matrix: datasets x models. Rows are standardised; what is explained is the variance of all rows by linear
            regression on the chosen ones (forward selection, orthogonalised step by step).
    """
    rest = matrix.sub(matrix.mean(axis=1), axis=0).div(matrix.std(axis=1), axis=0).to_numpy()
    left, chosen = list(range(len(rest))), []
    while left:
        lengths = np.maximum((rest[left] ** 2).sum(1), 1e-12)
        best = left[int(np.argmax(((rest[left] @ rest.T) ** 2).sum(1) / lengths))]
        chosen.append(best)
        left.remove(best)
        direction = rest[best] / max(np.linalg.norm(rest[best]), 1e-12)
        rest = rest - np.outer(rest @ direction, direction)
    return list(matrix.index[chosen])


def by_density(matrix: pd.DataFrame) -> list[str]:
    """Datasets in the order in which notebook 17 chooses them, here without proxies and on every nth model; all but one.

    Args:
        matrix: datasets x models.
    """
    some = matrix.iloc[:, :: max(1, matrix.shape[1] // MODELS)]
    with single_thread():
        return compact.greedy({name: row.to_numpy()[:, None] for name, row in some.iterrows()}, len(matrix) - 1, 0)


def pool() -> pd.DataFrame:
    """The matrix of all datasets but the paper's targets, from which benchmark datasets are chosen."""
    return recycling().matrix.drop(index=model_recycling.TARGETS)


def gain(prior: pd.Series, final: pd.DataFrame | pd.Series, top: int) -> pd.Series | float:
    """Mean accuracy (models, or models x targets) of the `top` models of highest prior minus that of all."""
    return final.loc[prior.sort_values(ascending=False, kind="stable").index[:top]].mean() - final.mean()


def compare() -> pd.DataFrame:
    """What the prior of a subset is worth on the paper's targets, which took no part in the choice.

    A row a (size, target, rule, draw): rho (Spearman of prior and final accuracy) and gain. Rules: "greedy", "density",
    and "random" with several draws. Raises UserError where the records cannot be read.
    """
    given, matrix = params().published, pool()
    order, dense, rng = greedy(matrix), by_density(matrix), np.random.default_rng(params().seed)
    draws = []
    for size in [size for size in given.subset_sizes if size <= len(matrix)]:
        draws.append((size, "greedy", 0, order[:size]))
        draws += [(size, "density", 0, dense[:size])] * (1 < size < len(matrix))
        lucky = (list(rng.choice(matrix.index, size, replace=False)) for _ in range(given.subset_repeats))
        draws += [(size, "random", number, names) for number, names in enumerate(lucky)]
    shares = [draws[start :: 4 * width()] for start in range(4 * width())]
    found = parallel_map(_worth, shares)
    if failed := [result for result in found if isinstance(result, Failure)]:
        raise UserError(f"the priors of subsets could not be computed: {failed[0].reason}")
    return pd.concat(found).sort_values(["size", "rule", "draw"], kind="stable", ignore_index=True)


def _worth(draws: list[tuple[int, str, int, list[str]]]) -> pd.DataFrame:
    """What the priors of some subsets are worth on each of the paper's targets."""
    given, matrix, rows = params().published, pool(), []
    targets = recycling().matrix.loc[model_recycling.TARGETS].T
    for size, rule, draw, names in draws:
        prior = matrix.loc[names].mean()
        rho, gains = targets.corrwith(prior, method="spearman"), gain(prior, targets, given.top)
        rows += [(size, target, rule, draw, rho[target], gains[target]) for target in targets]
    return pd.DataFrame(rows, columns=["size", "target", "rule", "draw", "rho", "gain"])


def summary(found: pd.DataFrame) -> pd.DataFrame:
    """Means by size and rule, and the share of random subsets that the greedy one beats."""
    means = found.groupby(["size", "rule", "draw"])[["rho", "gain"]].mean()
    rows = {}
    for size in found["size"].unique():
        lucky, chosen = means.loc[size, "random"], means.loc[size, "greedy"].iloc[0]
        row = rows[size] = {}
        for q in LABELS:
            row |= {f"{q}: greedy": chosen[q], f"{q}: random": lucky[q].mean()}
        row |= {f"{q}: greedy beats": float((chosen[q] > lucky[q]).mean()) for q in LABELS}
    return tidy(pd.DataFrame(rows).T.rename_axis("datasets"))


def verdict(found: pd.DataFrame) -> str:
    """From how many datasets on the prior is as good as that of all of them, and whether the rule beats chance."""
    means = found.groupby(["rule", "size", "draw"])["gain"].mean()
    sizes, most = found["size"].unique(), found["size"].max()
    whole = means["greedy", most].iloc[0]
    enough = {rule: min(n for n in sizes if means[rule, n].mean() >= 0.95 * whole) for rule in ("greedy", "random")}
    ahead = [float((means["greedy", size].iloc[0] - means["random", size]).mean()) for size in sizes if size < most]
    dense = [float((means["density", n].iloc[0] - means["random", n]).mean()) for n in sizes if 1 < n < most]
    low, high = interval(ahead)
    than_chance = against_zero(ahead, *WORDS)
    return (
        f"The prior of {most} datasets gains {whole:.3f} on the paper's targets; 95 % of that take {enough['greedy']} datasets "
        f"chosen by the rule, {enough['random']} drawn at random (on average). Over all sizes the rule is {than_chance} than chance: "
        f"difference of the gains [{low:+.3f}, {high:+.3f}]. The first it chooses: {', '.join(greedy(pool())[:6])}. "
        f"Choosing by predictive density, which serves the leader (notebook 17), is {against_zero(dense, *WORDS)} than chance for "
        f"this static list: mean difference {np.mean(dense):+.3f}."
    )


def figure_subsets(found: pd.DataFrame):
    """Spearman and gain of the prior against the number of benchmark datasets: the rule, and random subsets with 95 %."""
    with plots.style():
        figure, axes = plots.panels(2, columns=2, height=2.4)
        for axis, (quantity, label) in zip(axes, LABELS.items(), strict=True):
            means = found.groupby(["rule", "size", "draw"])[quantity].mean()
            lucky = means["random"].groupby("size").quantile([0.025, 0.5, 0.975]).unstack()
            band = {"color": plots.GREY, "alpha": 0.25, "lw": 0, "label": "random subsets, 95 %"}
            axis.fill_between(lucky.index, lucky[0.025], lucky[0.975], **band)
            axis.plot(lucky.index, lucky[0.5], color=plots.GREY, ls="--", label="random subsets, median")
            dense, chosen = (means[rule].groupby("size").first() for rule in ("density", "greedy"))
            axis.plot(dense.index, dense, color=plots.GREEN, marker="s", ms=3, label="by predictive density")
            axis.plot(chosen.index, chosen, color=plots.BLUE, marker="o", ms=3, label="greedy")
            axis.set(xlabel="benchmark datasets", ylabel=label, xscale="log")
            axis.set_xticks(list(chosen.index), [str(size) for size in chosen.index])
            axis.minorticks_off()
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
        return save_figure(figure, "figure_subsets", "published")
