"""Notebook 12: LogME and H-score of 141 real models: alone, with the prior, and through clusters."""

from functools import cache

import numpy as np
import pandas as pd

from reproduction.leading import learned_from
from reproduction.published.sources import transfer
from reproduction.tables import against_zero, interval, save_figure, save_table, tidy, with_interval
from twophase.belief import belief
from twophase.infra import plots
from twophase.leader_pipeline import known_tables
from twophase.recall import normalize

PROXIES = {"logme": "LogME", "h_score": "H-score"}
RULES = ("alone", "x prior (Eq. 2)", "through clusters (Eq. 3-4)")
SHOWN = (1, 3, 5, 10, 20)  # models recalled
COLOURS = {"prior": plots.GREEN, "logme": plots.BLUE, "h_score": plots.ORANGE}


evidence = cache(transfer)  # of TransferGraph, with one of its proxies


def ranked(target: str) -> dict[tuple[str, str], pd.Series]:
    """(proxy, rule) -> score of every model on a target, higher first; ("prior", "alone") among them."""
    prior = evidence("logme").matrix(target).mean()
    found = {("prior", "alone"): prior}
    for proxy in PROXIES:
        raw, through = evidence(proxy).raw_scores(target), evidence(proxy).recall(target)["recall_score"]
        scores = (raw, prior * normalize(raw, "minmax"), through)
        found |= {(proxy, rule): ranking for rule, ranking in zip(RULES, scores, strict=True)}
    return found


def turns() -> pd.DataFrame:
    """A row a (target, proxy, rule): rho (Spearman with the final accuracy), and gain and regret at K = 1, 3, 5, 10, 20."""
    rows = {}
    for target in evidence("logme").everything:
        final = evidence("logme").final(target)
        for (proxy, rule), scores in ranked(target).items():
            order = final.loc[scores.sort_values(ascending=False, kind="stable").index]
            row = rows[target, proxy, rule] = {"rho": scores.corr(final, method="spearman")}
            for k in SHOWN:
                row[f"gain at {k}"] = order.iloc[:k].mean() - final.mean()
                row[f"regret at {k}"] = final.max() - order.iloc[:k].max()
    return pd.DataFrame(rows).T.rename_axis(["target", "proxy", "rule"])


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Means over the targets with 95 % bootstrap intervals."""
    wanted = ["rho", "gain at 10", "regret at 1", "regret at 3", "regret at 10"]
    means = table.groupby(level=["proxy", "rule"], sort=False)[wanted].agg(with_interval)
    return save_table(means, "table_transfergraph", "published")


def cost() -> pd.DataFrame:
    """Measured seconds by target: scoring all models, scoring the representatives, fine-tuning all models."""
    here = evidence("logme")
    table = pd.DataFrame(index=pd.Index(here.everything, name="target"))
    table["clusters scored"] = [len(here.scored(target)) for target in table.index]
    table["LogME, representatives (s)"] = [here.proxy_seconds(target, here.scored(target)) for target in table.index]
    table["LogME, all models (s)"] = [here.proxy_seconds(target, here.models) for target in table.index]
    table["fine-tuning all, 5 epochs (s)"] = here.records.frame.groupby("dataset")["seconds"].sum()
    table["all models / fine-tuning"] = table["LogME, all models (s)"] / table["fine-tuning all, 5 epochs (s)"]
    return tidy(table)


def answer(table: pd.DataFrame) -> str:
    """How many ways of using a proxy beat the prior, and what they gain."""
    gains = table["gain at 10"]
    prior = gains.xs(("prior", "alone"), level=("proxy", "rule"))
    gaps = [gains.xs((proxy, rule), level=("proxy", "rule")) - prior for proxy in PROXIES for rule in RULES]
    means, better = [gap.mean() for gap in gaps], sum(interval(gap)[0] > 0 for gap in gaps)
    return (
        f"**Answer.** Here, nothing beyond the prior: {better or 'none'} of {len(gaps)} ways to use them gains more. The 10 models "
        f"of highest prior are {with_interval(prior)} more accurate than the average one; with a proxy the gain changes by "
        f"{min(means):+.3f} to {max(means):+.3f}."
    )


def verdict(table: pd.DataFrame) -> str:
    """Each rule against the prior, which costs nothing."""
    said, gains, levels = [], table["gain at 10"], ("proxy", "rule")
    for proxy, name in PROXIES.items():
        for rule in RULES:
            gaps = gains.xs((proxy, rule), level=levels) - gains.xs(("prior", "alone"), level=levels)
            word = against_zero(gaps, "more", "less", "no more and no less")
            said.append(f"{name} {rule} gains {word} than the prior ({with_interval(gaps)})")
    return "At K = 10, over the targets: " + "; ".join(said) + "."


def figure_rho(table: pd.DataFrame):
    """Spearman with the final accuracy, a row per target, a mark per rule."""
    marks = dict(zip(RULES, "os^", strict=True))
    targets = list(table.index.unique("target"))
    with plots.style():
        figure, (axis,) = plots.panels(1, height=3.2, width=5.0)
        for (proxy, rule), here in table["rho"].groupby(level=["proxy", "rule"], sort=False):
            places = [targets.index(target) for target in here.index.get_level_values("target")]
            look = {"marker": "D", "mfc": COLOURS[proxy], "label": "prior"}
            if proxy != "prior":
                look = {"marker": marks[rule], "mfc": "none", "label": f"{PROXIES[proxy]} {rule}"}
            axis.plot(here, places, ls="", ms=4, color=COLOURS[proxy], **look)
        axis.set_yticks(range(len(targets)), targets)
        axis.set(xlabel="Spearman with the final accuracy, 141 models", ylim=(len(targets) - 0.5, -0.5))
        figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=2)
        return save_figure(figure, "figure_transfergraph", "published")


def figure_regret(table: pd.DataFrame):
    """Regret against K by rule, means over the targets with 95 % intervals."""
    styles = dict(zip(RULES, ("-", "--", ":"), strict=True))
    with plots.style():
        figure, axes = plots.panels(2, columns=2, height=2.5, sharey=True)
        for axis, proxy in zip(axes, PROXIES, strict=True):
            for number, (name, rule) in enumerate([("prior", "alone"), *((proxy, rule) for rule in RULES)]):
                here = table.xs((name, rule), level=("proxy", "rule"))
                means = [here[f"regret at {k}"].mean() for k in SHOWN]
                spans = np.array([interval(here[f"regret at {k}"]) for k in SHOWN])
                x = np.array(SHOWN) * 1.04 ** (number - 1.5)
                look = {"color": COLOURS[name], "ls": styles[rule], "lw": 1, "marker": "o", "ms": 2.5}
                label = "prior" if name == "prior" else f"proxy {rule}"
                axis.errorbar(x, means, yerr=abs(spans.T - means), elinewidth=0.7, label=label, **look)
            axis.set(xscale="log", title=PROXIES[proxy], xlabel="K, models recalled")
            axis.set_xticks(SHOWN, SHOWN)
            axis.minorticks_off()
        axes[0].set(ylabel="regret (accuracy, best - best of K)")
        figure.legend(*axes[1].get_legend_handles_labels(), loc="outside lower center", ncols=4)
        return save_figure(figure, "figure_regret_at_k", "published")


def belief_table() -> pd.DataFrame:
    """The leader's belief with all models looked at: regret of its favourite beside the prior's, and what the others had it choose.

    `distrust` is infinite where the other datasets' predictive density says that proxies had better be left out.
    """
    here, proxies = evidence("logme"), list(PROXIES)
    scores = pd.concat([evidence(name).proxies for name in proxies]).drop_duplicates(["model", "dataset", "proxy"])
    models = sorted(here.models)
    tables, rows = known_tables(here.records, scores, models, proxies, curves=False), {}
    for target, table in tables.items():
        others = {name: one for name, one in tables.items() if name != target}
        learned = learned_from(others, len(proxies))
        state, final = belief(np.stack(list(others.values())), len(proxies), **learned), table[:, -1]
        prior = np.mean([one[:, -1] for one in others.values()], axis=0)
        for number in range(len(models)):
            state.see_proxies(number, table[number, : len(proxies)])
        row = {"distrust": learned["distrust"], "unlike": state.unlike}
        rows[target] = row | {
            f"regret {name}": final.max() - final[scores.argmax()]
            for name, scores in (("prior", prior), ("belief", state.finals))
        }
    return save_table(pd.DataFrame(rows).T.rename_axis("target"), "table_belief", "published")


def belief_said(table: pd.DataFrame) -> str:
    """Whether proxies help the belief among these models."""
    gap = (table["regret prior"] - table["regret belief"]).astype(float)
    left = int(np.isinf(table["distrust"].astype(float)).sum())
    out = [name for name in evidence("logme").records.datasets("benchmark") if name not in table.index]
    return (
        f"On {left} of {len(table)} targets the other datasets say that proxies are better left out. The favourite by the belief "
        f"has a regret of {table['regret belief'].mean():.3f}, that by the prior {table['regret prior'].mean():.3f} "
        f"(difference {with_interval(gap)})."
        + (f" Without scores by one of the proxies: {', '.join(out)}." if out else "")
    )
