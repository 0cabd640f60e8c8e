"""Notebook 11: coarse recall among a thousand real models, and how many benchmark datasets it needs."""

import re

import numpy as np
import pandas as pd
from scipy.special import gammaln

from reproduction.published.sources import params, recycling
from reproduction.tables import interval, save_figure, save_table, tidy, with_interval
from twophase.errors import UserError
from twophase.infra import plots
from twophase.large import cluster_many
from twophase.recall import coarse_recall
from twophase.sources.published import Published, model_recycling
from twophase.sources.published.catalogue import find, get

METHODS = {"prior": plots.GREEN, "recall, perfect proxy": plots.BLUE, "random": plots.GREY}
TITLES = {"paper": "the paper's benchmark and targets", "leave one out": "every dataset in turn"}
MOST = 100  # models recalled


def leakage(found: Published) -> pd.DataFrame:
    """For each of the paper's targets: highest accuracy, how many models seem to know it already, and why."""
    rows = {}
    raw = model_recycling.read(params().published.mirror, clean=False).matrix
    for target in model_recycling.TARGETS:
        why = leaked(found, target, params().published.leakage_z)
        scores, kinds = found.matrix.loc[target], {kind: int((why == kind).sum()) for kind in ("named", "outlier")}
        rows[target] = {"highest, as published": raw.loc[target].max(), "highest, rows in place": scores.max(), **kinds}
        rows[target]["highest of these"] = scores[why.index].max() if len(why) else None
    return tidy(pd.DataFrame(rows).T.rename_axis("target"))


def leaked(found: Published, target: str, z: float = 6.0) -> pd.Series:
    """Models that seem to have been trained on a target before: model -> why.

    Args:
        found: what `model_recycling.read` returned.
        target: a dataset.
        z: a model whose score is so many robust standard deviations (1.4826 x median absolute deviation) above what
            a ridge regression on the other datasets predicts (ten-fold, out of fold) counts as leaked.

    Returns:
        Only the leaked ones; the reason is "named" (the target is part of the model's name) or "outlier".

    Raises:
        UserError: an unknown target.
    """
    from sklearn.linear_model import RidgeCV
    from sklearn.model_selection import KFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    matrix = found.matrix
    if target not in matrix.index:
        raise UserError(f"unknown dataset {target!r}; allowed: {', '.join(matrix.index)}.")
    others, scores = matrix.drop(index=target).T, matrix.loc[target]
    model = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-3, 3, 7)))
    rest = scores - cross_val_predict(model, others, scores, cv=KFold(10, shuffle=True, random_state=0))
    far = (rest - rest.median()) > z * 1.4826 * (rest - rest.median()).abs().median()
    word = target.removeprefix("tweet_ev_").split("_")[0]
    named = matrix.columns.to_series().str.contains(rf"(?<![a-z]){re.escape(word)}(?![a-z])", case=False)
    why = pd.Series(np.where(named, "named", "outlier"), index=matrix.columns, name="why")
    return why[named | far]


def figure_misplaced():
    """Rows in place and out of place: correlation of a row with the datasets' medians."""
    raw = pd.read_csv(get(find(model_recycling.SOURCE, "models_tested.csv"), params().published.mirror))
    datasets = list(recycling().matrix.index)
    raw = raw[raw[datasets].notna().all(axis=1)]
    out = model_recycling.misplaced(raw)
    like = raw[datasets].T.corrwith(raw[datasets].median())
    with plots.style():
        figure, (axis,) = plots.panels(1, height=2.4, width=plots.COLUMN)
        for rows, colour, name in ((~out, plots.BLUE, "in place"), (out, plots.RED, "out of place")):
            look = {"histtype": "stepfilled", "alpha": 0.6, "color": colour, "label": f"{name} ({rows.sum()})"}
            axis.hist(like[rows], bins=np.linspace(-0.2, 1, 31), **look)
        axis.set(xlabel="correlation of a row with the datasets' medians", ylabel="models", yscale="log")
        axis.legend(loc="upper left")
        return save_figure(figure, "figure_misplaced", "published")


def orders(
    matrix: pd.DataFrame, final: pd.Series, probe: pd.Series | None = None, cut: float | None = None
) -> dict[str, pd.DataFrame]:
    """Recall tables of a target by method: with the representatives' own final accuracy for proxy, and with a measured one.

    Args:
        matrix: benchmark datasets x models, without the target.
        final: accuracy of each model on the target.
        probe: the measured proxy, model -> score in [0, 1]; None: no "recall, linear probe".
        cut: where the dendrogram is cut; the configured one by default.
    """
    given = params().published
    clusters = cluster_many(matrix, min(given.k, len(matrix)), cut or given.cuts.model_recycling)
    scored, top = clusters.representatives.loc[clusters.non_singletons], min(given.top, matrix.shape[1])
    tables = {"recall, perfect proxy": coarse_recall(matrix, clusters, final.loc[scored], top)}
    tables["prior"] = tables["recall, perfect proxy"].sort_values("prior", ascending=False, kind="stable")
    if probe is not None:
        tables["recall, linear probe"] = coarse_recall(matrix, clusters, probe.loc[scored], top)
    return tables


def curves(final: pd.Series, order: list[str] | None = None) -> pd.DataFrame:
    """For K = 1 … 100: gain (mean of the K first minus mean of all) and regret (best of all minus best of the K first).

    Without an order: the expectation for K models drawn at random.
    """
    n = len(final)
    k = np.arange(1, min(MOST, n) + 1)
    if order is not None:
        values = final.loc[order].to_numpy()[: len(k)]
        best, mean = np.maximum.accumulate(values), values.cumsum() / k
    else:
        values, place = np.sort(final.to_numpy()), np.arange(1, n + 1)
        less = _log_choices(place - 1, k[:, None] - 1) - _log_choices(n, k[:, None])
        best, mean = np.where(place >= k[:, None], np.exp(less), 0) @ values, final.mean()
    return pd.DataFrame({"gain": mean - final.mean(), "regret": final.max() - best}, index=pd.Index(k, name="K"))


def _log_choices(n, k):
    """Logarithm of n over k."""
    return gammaln(n + 1) - gammaln(k + 1) - gammaln(np.maximum(n - k, 0) + 1)


def turns(variant: str) -> pd.DataFrame:
    """Every target with every method: index (setting, target, method, K), columns gain and regret.

    Variants: "as published" (complete rows with a name of their own), "in place" (`model_recycling.read`), "without leaked"
    (of those, models that seem to know the target left out, target by target). Settings: "paper": its 17 benchmark columns,
    its four targets in nine parts; "leave one out": each of the 36 datasets against the other 35.
    """
    given = params().published
    found = model_recycling.read(given.mirror, clean=variant != "as published")
    whole, lp = found.matrix, found.models["mnli_lp"]
    rows = {}
    for setting, targets in (("paper", model_recycling.TARGETS), ("leave one out", list(whole.index))):
        for target in targets:
            out = leaked(found, target, given.leakage_z).index if variant == "without leaked" else []
            matrix, final = whole.drop(columns=out), whole.loc[target].drop(out)
            matrix = matrix.loc[model_recycling.PAPER] if setting == "paper" else matrix.drop(index=target)
            tables = orders(matrix, final.clip(0, 1), lp if target == "mnli" else None)
            for name, table in tables.items():
                rows[setting, target, name] = curves(final, list(table.index))
            rows[setting, target, "random"] = curves(final)
    return pd.concat(rows, names=["setting", "target", "method", "K"])


def summary(variants: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Mean gain and regret at K with 95 % bootstrap intervals over targets, by variant, setting and method."""
    k, rows = params().published.top, {}
    for variant, table in variants.items():
        here_at = table.xs(k, level="K").drop("recall, linear probe", level="method")  # of one target only
        for (setting, method), here in here_at.groupby(["setting", "method"]):
            row = rows[variant, setting, method] = {"targets": len(here)}
            for name in ("gain", "regret"):
                low, high = interval(here[name])
                row |= {f"{name} at {k}": here[name].mean(), f"{name}, 95 %": f"[{low:.3f}, {high:.3f}]"}
    table = pd.DataFrame(rows).T.rename_axis(["rows", "setting", "method"]).infer_objects()
    return save_table(table, "table_scale", "published")


def verdict(table: pd.DataFrame) -> str:
    """What the clusters and their proxy add to the prior, at best."""
    k = params().published.top
    here = table.loc["leave one out"].xs(k, level="K").unstack("method")
    gain, regret = (here[q]["recall, perfect proxy"] - here[q]["prior"] for q in ("gain", "regret"))
    random = here["regret"]["random"] - here["regret"]["prior"]
    return (
        f"Over {len(gain)} targets, the {k} models with the highest prior are {with_interval(here['gain']['prior'])} more accurate than "
        f"the average model, and the best of them is {with_interval(random)} better than the best of {k} at random. A proxy "
        f"that knew the representatives' final accuracy exactly would add {with_interval(gain)} to the gain and "
        f"{with_interval(-regret)} to the best of the {k}."
    )


def answer(table: pd.DataFrame) -> str:
    """What each of prior, clusters and proxy contributes, by the rows as cleaned."""
    return f"**Answer.** The prior nearly everything. {verdict(table)} No proxy can know more about the clusters."


def cuts(tried: tuple[float, ...] = (0.02, 0.03, 0.05, 0.09, 0.15)) -> pd.DataFrame:
    """Whether a perfect proxy would gain more at another cut (every dataset against the other 35, K = 10).

    Columns: different proxy values (one per cluster, and those of singletons) on average; gain and regret minus the prior's.
    """
    whole, k = recycling().matrix, params().published.top
    rows = {}
    for cut in tried:
        found, sizes = [], []
        for target in whole.index:
            final, matrix = whole.loc[target].clip(0, 1), whole.drop(index=target)
            tables = orders(matrix, final, cut=cut)
            ends = [curves(final, list(tables[name].index)).loc[k] for name in ("recall, perfect proxy", "prior")]
            found.append(ends[0] - ends[1])
            sizes.append(tables["recall, perfect proxy"]["proxy"].nunique())
        rows[f"{cut:.2f}"] = {"different proxy values": np.mean(sizes)}
        rows[f"{cut:.2f}"] |= pd.DataFrame(found).agg(with_interval).add_suffix(" - prior's").to_dict()
    return pd.DataFrame(rows).T.rename_axis("cut").infer_objects()


def figure_scale(table: pd.DataFrame):
    """Gain and regret against K, means over targets with 95 % intervals; both settings."""
    with plots.style():
        figure, axes = plots.panels(4, columns=2, height=2.3)
        for row, setting in enumerate(("paper", "leave one out")):
            here = table.loc[setting]
            for axis, quantity in zip(axes[2 * row : 2 * row + 2], ("gain", "regret"), strict=True):
                for method, colour in METHODS.items():
                    values = here.xs(method, level="method")[quantity].unstack("K")
                    spans = np.array([interval(values[k]) for k in values])
                    line, above = ("--", 3) if method == "prior" else ("-", 2)
                    axis.plot(values.columns, values.mean(), color=colour, label=method, ls=line, zorder=above)
                    axis.fill_between(values.columns, *spans.T, color=colour, alpha=0.18, lw=0)
                axis.set(xscale="log", title=f"{TITLES[setting]}, {values.shape[0]} targets")
                axis.set(xlabel="K, models recalled", ylabel=f"{quantity} (accuracy)")
                axis.set_xticks([1, 3, 10, 30, 100], ["1", "3", "10", "30", "100"])
                axis.minorticks_off()
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
        return save_figure(figure, "figure_scale", "published")


def mnli(table: pd.DataFrame) -> pd.DataFrame:
    """The one target with a measured proxy (its linear probe): gain and regret at several K, by method."""
    here = table.loc["paper"].loc["mnli"].unstack("method")
    return here.loc[[1, 3, 5, 10, 20, 50, 100]].swaplevel(axis=1).sort_index(axis=1)
