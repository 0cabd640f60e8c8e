"""Notebook 03: coarse recall against random recall and against the prior alone (Fig. 5)."""

import numpy as np
import pandas as pd

from reproduction import paper
from reproduction.evidence import Evidence
from reproduction.tables import RESAMPLES, interval, tidy, with_interval
from twophase.infra import plots
from twophase.recall import coarse_recall, normalize


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
        return plots.save(figure, "figure_5", evidence.name)


def rank_of_best(evidence: Evidence, target: str) -> int:
    """The smallest K whose recall contains the model with the best test score."""
    return int(evidence.recall(target).loc[evidence.final(target).idxmax(), "rank"])


def recall_table(evidence: Evidence) -> pd.DataFrame:
    """A row a dataset that takes its turn as target: what coarse recall, the prior and the proxy alone are worth.

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


def verdict(evidence: Evidence, table: pd.DataFrame) -> str:
    """Whether coarse recall beats random recall, and whether it beats its own prior."""
    gain, prior = table["gain: coarse recall"].astype(float), table["gain: prior"].astype(float)
    low, _ = interval(gain)
    less, more = interval(gain - prior)
    against_prior = "more" if less > 0 else "less" if more < 0 else "neither more nor less, within the interval,"
    here = (table["rank of best: coarse recall"].astype(int) <= evidence.top).astype(float)
    return (
        f"Over {len(table)} datasets taking their turn as target, the top {evidence.top} recalled are on average "
        f"**{with_interval(gain)}** more accurate than all models: that coarse recall beats random recall "
        f"**{'holds' if low > 0 else 'does not show'}** here. Compared with the prior alone it gains {against_prior} "
        f"({with_interval(gain - prior)}). The best model is among the top {evidence.top} on a share of "
        f"{with_interval(here, 2)} of the datasets (random recall: {evidence.top / len(evidence.models):.2f})."
    )


def choices(evidence: Evidence, cuts=(0.04, 0.05, 0.06, 0.08, 0.09, 0.1, 0.12, 0.15, 0.2)) -> pd.DataFrame:
    """What cut and normalisation are worth on the benchmark datasets alone, each taking its turn as target.

    Columns, for each normalisation: mean gain of the top K over all models, and the share of datasets whose best model is
    among them. Targets are not read.
    """
    likelihood = max(evidence.raw_scores(target).max() for target in evidence.benchmarks) <= 0
    rows = {}
    for cut in cuts:
        for name in ("exp", "minmax") if likelihood else ("minmax",):
            gains, found = [], []
            for target in evidence.benchmarks:
                matrix, clusters = evidence.matrix(target), evidence.clusters(target, threshold=cut)
                if not clusters.non_singletons:
                    continue
                chosen = list(clusters.representatives.loc[clusters.non_singletons])
                scores = normalize(evidence.raw_scores(target).loc[chosen], name)
                table = coarse_recall(matrix, clusters, scores, evidence.top)
                final, recalled = evidence.final(target), list(table.index[table["recalled"]])
                gains.append(final[recalled].mean() - final.mean())
                found.append(final.idxmax() in recalled)
            if not gains:
                continue  # nothing is grouped at this cut, so there is no representative to score
            row = rows.setdefault(f"{cut:.2f}", {})
            row |= {f"gain: {name}": np.mean(gains), f"contains the best: {name}": np.mean(found)}
    return pd.DataFrame(rows).T.rename_axis("cut")


def compare_proxies(evidence: Evidence) -> pd.DataFrame:
    """Spearman of each proxy, on all models, with the final accuracy, a row a dataset."""
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
        return plots.save(figure, "figure_proxies", evidence.name)
