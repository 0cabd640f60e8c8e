"""Notebook 03: coarse recall against random recall and against the prior alone (Fig. 5)."""

import numpy as np
import pandas as pd

from reproduction import paper
from reproduction.evidence import Evidence
from reproduction.tables import RESAMPLES, against_zero, save_figure, tidy, with_interval
from reproduction.verdicts import Measured, above
from twophase.infra import plots

NAMED = {"minmax": "minimum-maximum", "exp": "exponential", "none": "no"}


def average_of_recalled(evidence: Evidence, target: str, order: list[str] | None = None) -> pd.Series:
    """Mean final accuracy of the K first models, K = 1 to all, in the order of recall (or the given one)."""
    order = list(evidence.recall(target).index) if order is None else order
    final = evidence.final(target).loc[order]
    return pd.Series(final.to_numpy().cumsum() / np.arange(1, len(final) + 1), index=range(1, len(final) + 1))


def random_recall(evidence: Evidence, target: str, seed: int = 0) -> pd.DataFrame:
    """Random recall for each K: its exact expectation (the mean of all models) and 95 % of its draws."""
    final = evidence.final(target).to_numpy()
    rng = np.random.default_rng(seed)
    draws = np.stack([rng.permutation(final).cumsum() for _ in range(RESAMPLES)]) / np.arange(1, len(final) + 1)
    low, high = np.quantile(draws, [0.025, 0.975], axis=0)
    return pd.DataFrame({"mean": final.mean(), "low": low, "high": high}, index=range(1, len(final) + 1))


def figure_5(evidence: Evidence):
    """Fig. 5: average accuracy of the K recalled, against random recall with 95 % of its draws."""
    with plots.style():
        figure, axes = plots.panels(len(evidence.targets), columns=2, height=2.2)
        for axis, target in zip(axes, evidence.targets, strict=True):
            chance, coarse = random_recall(evidence, target), average_of_recalled(evidence, target)
            band = {"color": plots.GREY, "alpha": 0.25, "lw": 0, "label": "random recall, 95 % of draws"}
            axis.fill_between(chance.index, chance["low"], chance["high"], **band)
            axis.plot(chance.index, chance["mean"], color=plots.GREY, ls="--", label="random recall, mean")
            axis.plot(coarse.index, coarse, color=plots.BLUE, marker="o", ms=2.5, label="coarse recall")
            needed = rank_of_best(evidence, target)
            axis.axvline(needed, color=plots.RED, lw=1, ls=":", label="K that contains the best model")
            axis.set(title=target.replace("_", " "), xlabel="K, models recalled", ylabel="average test accuracy")
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
        return save_figure(figure, "figure_5", evidence.name)


def rank_of_best(evidence: Evidence, target: str) -> int:
    """The smallest K whose recall contains the model with the best test score."""
    return int(evidence.recall(target).loc[evidence.final(target).idxmax(), "rank"])


def recall_table(evidence: Evidence) -> pd.DataFrame:
    """One row per dataset, each left out as the target: what coarse recall, the prior and the proxy alone are worth.

    Columns: role; rank of the best model by coarse recall and by the prior alone; the mean accuracy of the top K minus
    that of all models (gain) for coarse recall, prior and proxy alone on all models; Spearman of recall score and of
    prior with the final accuracy.
    """
    rows = {}
    for target in evidence.everything:
        table, final = evidence.recall(target), evidence.final(target)
        orders = {"coarse recall": table["recall_score"], "prior": table["prior"]}
        orders["proxy on all"] = evidence.raw_scores(target)
        row = rows[target] = {"role": "target" if target in evidence.targets else "benchmark"}
        for name, scores in orders.items():
            order = list(scores.sort_values(ascending=False, kind="stable").index)
            row[f"rank of best: {name}"] = order.index(final.idxmax()) + 1
            row[f"gain: {name}"] = final[order[: evidence.top]].mean() - final.mean()
        row |= {f"rho: {name}": scores.corr(final, method="spearman") for name, scores in orders.items()}
    return tidy(pd.DataFrame(rows).T.rename_axis("dataset"))


def contains_best(evidence: Evidence, table: pd.DataFrame) -> pd.DataFrame:
    """K that contains the best model, ours by target, and the paper's by its targets."""
    ours = {t.replace("_", " "): table.loc[t, "rank of best: coarse recall"] for t in evidence.targets}
    theirs = paper.RECALL_CONTAINS_BEST[evidence.domain]
    return pd.concat({"ours": pd.Series(ours), "paper (at most)": pd.Series(theirs)}).rename("K").astype(int).to_frame()


def gains(evidence: Evidence) -> list[float]:
    """Mean accuracy of the top K minus that of all models, on every dataset in turn."""
    finals = {target: evidence.final(target) for target in evidence.everything}
    return [final[evidence.recalled(target)].mean() - final.mean() for target, final in finals.items()]


def beats_random(evidence: Evidence) -> Measured:
    """Coarse recall against random recall (R7)."""
    return above(gains(evidence))


def answer(evidence: Evidence, table: pd.DataFrame) -> str:
    """Whether coarse recall beats random recall, and whether it beats its own prior."""
    found = beats_random(evidence)
    change = table["gain: coarse recall"].astype(float) - table["gain: prior"].astype(float)
    here = (table["rank of best: coarse recall"].astype(int) <= evidence.top).astype(float)
    against_prior = against_zero(change, "more than", "less than", "neither more nor less than")
    return (
        f"**Answer.** Mostly. Over {len(table)} datasets, each left out as the target, the {evidence.top} models recalled are on average "
        f"{found.said()} more accurate than all models. That coarse recall beats random recall: "
        f"**{found.verdict}** (claim R7). The best model is among them on {here.mean():.0%} of the datasets; random recall "
        f"would hold it on {evidence.top / len(evidence.models):.0%}. Coarse recall gains {against_prior} the prior alone, which "
        f"needs no proxy score (difference {with_interval(change)})."
    )


def choices(evidence: Evidence) -> pd.DataFrame:
    """What each cut and normalisation is worth on the benchmark datasets, as `reproduction.choices.table` wrote it."""
    return pd.read_csv(evidence.results / evidence.domain / "choices.csv")


def choices_table(evidence: Evidence) -> pd.DataFrame:
    """The choices of the paper's Eq. 4, one row per cut: share of clustered models, gain, share with the best model, regret."""
    found = choices(evidence).query("singletons == 0")
    return (
        found.pivot(index="cut", columns="normalization", values=["clustered", "gain", "best", "regret"])
        .swaplevel(axis=1)
        .sort_index(axis=1)
        .rename(index="{:g}".format)
    )


def choices_verdict(evidence: Evidence) -> str:
    """What the rule takes, how much hangs on it, and what each dataset would have had chosen without it."""
    found = choices(evidence)
    paper_way, folds = found.query("singletons == 0"), evidence.folds.query("singletons == 0")
    taken = paper_way[paper_way["chosen"]].iloc[0]
    near = paper_way[paper_way["normalization"] == taken["normalization"]].sort_values("cut", ignore_index=True)
    place = int(near.index[near["cut"] == taken["cut"]][0])
    beside = near.iloc[[other for other in (place - 1, place + 1) if 0 <= other < len(near)]]
    said = " and ".join(f"{row['regret']:.3f} at {row['cut']:g}" for _, row in beside.iterrows())
    same = ((folds["cut"] == taken["cut"]) & (folds["normalization"] == taken["normalization"])).sum()
    ways = folds["normalization"].value_counts()
    return (
        f"**Configured: a cut of {taken['cut']:g} and the {NAMED[taken['normalization']]} normalisation**, because the models recalled "
        f"then gain {taken['gain']:.3f}, and with no other cut that puts at least half of the models into clusters more. The model "
        f"selected in the end loses {taken['regret']:.3f} to brute force's pick on average; at the neighbouring cuts it would "
        f"lose {said}. If the rule may not see the target, it takes the same pair for {same} of {len(folds)} datasets "
        f"({'; '.join(f'{NAMED[way]} for {count}' for way, count in ways.items())}). Notebook 6 has the results of both."
    )


def compare_proxies(evidence: Evidence) -> pd.DataFrame:
    """Spearman of each proxy, on all models, with the final accuracy, a row per dataset."""
    rows, proxies = {}, evidence.settings.proxies
    for dataset in evidence.everything:
        final = evidence.final(dataset)
        rows[dataset] = {p: evidence.raw_scores(dataset, p).corr(final, method="spearman") for p in proxies}
    return pd.DataFrame(rows).T.rename_axis("dataset")


def _spaced(name: str) -> str:
    return name.replace("_", " ")


def figure_proxies(evidence: Evidence):
    """`compare_proxies` as a heat map, the targets first."""
    import seaborn as sns

    table = compare_proxies(evidence).rename(columns=_spaced, index=_spaced)
    with plots.style():
        figure, (axis,) = plots.panels(1, height=3.6, width=4.6)
        labels = {"xticklabels": list(table), "yticklabels": list(table.index)}
        labels["cbar_kws"] = {"label": "Spearman with the final accuracy"}
        numbers = {"annot": True, "fmt": ".2f", "annot_kws": {"size": 6}}
        sns.heatmap(table.to_numpy(float), ax=axis, vmin=-1, vmax=1, cmap="PuOr", **numbers, **labels)
        axis.grid(False)
        axis.axhline(len(evidence.targets), color="black", lw=1)
        axis.set(xlabel="proxy", ylabel="dataset (targets above the line)")
        axis.tick_params(axis="x", rotation=30)
        return save_figure(figure, "figure_proxies", evidence.name)
