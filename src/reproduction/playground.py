"""The playground: the two phases on one target with everything that can be changed, computed from the committed records."""

from dataclasses import dataclass
from functools import cache

import pandas as pd

from reproduction.alternatives import LOOK, alternatives, real_proxies
from reproduction.evidence import Evidence, load
from reproduction.leave_one_out import turns_of
from reproduction.n00_method import draw_recall
from reproduction.n05_fine_selection import draw_cuts
from twophase.clustering import Clusters
from twophase.errors import unknown
from twophase.infra import plots
from twophase.selection import Selection, brute_force, successive_halving

BESIDE = ("brute force", "successive halving", "leader", "linear probe of every model", "random at equal cost")
ALL = "fine-selection of all models"
HALVED = "successive halving of the recalled"
METHODS = ("two phases", HALVED, ALL, "successive halving", "brute force")


@dataclass(frozen=True)
class Played:
    """What came of a method with some settings on a target.

    Attributes:
        target, method: as chosen.
        evidence: with the changes.
        clusters, ranking: of coarse recall, as changed.
        found: method -> its selection; the costs of those that begin with recall include the proxy scores.
        rivals: what the committed results have for the target: alternative -> epochs, accuracy, best.
    """

    target: str
    method: str
    evidence: Evidence
    clusters: Clusters
    ranking: pd.DataFrame
    found: dict[str, Selection]
    costs: dict[str, float]
    rivals: pd.DataFrame

    @property
    def chosen(self) -> Selection:
        return self.found[self.method]


def settings(domain: str) -> dict:
    """The configured settings of `play`."""
    here = load(domain)
    return {
        "target": here.targets[0],
        "proxy": here.params.proxy.name,
        "top": here.top,
        "cut": here.cut,
        "threshold": here.params.selection.threshold,
        "n_trends": here.params.selection.n_trends,
        "method": METHODS[0],
    }


def play(domain: str, target: str, method: str = METHODS[0], **changes) -> Played:
    """Both phases on a target, beside other methods, all computed anew.

    Args:
        domain: for example "cv".
        target: any dataset of the domain; prior, clusters and trends are made without it.
        method: the one to look at, of `METHODS`.
        changes: see `evidence.load`.

    Raises:
        UserError: an unknown target or method, or a change out of range.
    """
    here = load(domain, **changes)
    if target not in here.everything:
        raise unknown(f"target {target!r}", target, here.everything)
    if method not in METHODS:
        raise unknown(f"method {method!r}", method, METHODS)
    two, runs = here.two_phase(target), here.runs(target)
    recalled = list(two.recall.index[two.recall["recalled"]])
    found = {"two phases": two, HALVED: successive_halving(runs, recalled), ALL: here.fine_selection(target)}
    found |= {
        "successive halving": successive_halving(runs, here.models),
        "brute force": brute_force(runs, here.models),
    }
    proxies = here.params.recall.epochs_per_proxy * two.proxies
    costs = {name: one.epochs + proxies * (name == HALVED) for name, one in found.items()}
    rivals = pd.DataFrame(
        {name: _committed(domain)[name].loc[target, ["epochs", "accuracy", "best"]] for name in BESIDE}
    ).T
    return Played(target, method, here, here.clusters(target), two.recall, found, costs, rivals.astype(float))


@cache
def _committed(domain: str) -> dict[str, pd.DataFrame]:
    """Alternative -> its turns, as the pipeline wrote them."""
    return alternatives(turns_of(load(domain)))


def said(played: Played) -> str:
    """Who is recalled, who is selected, at what cost and regret."""
    final, one = played.evidence.final(played.target), played.chosen
    recalled, best = played.ranking.index[played.ranking["recalled"]], final.idxmax()
    groups = played.clusters.non_singletons
    start = "No two models share a cluster at this cut, so every model is scored and the proxy alone ranks them."
    if groups:
        clustered = int(played.clusters.labels.isin(groups).sum())
        start = f"Clusters of two or more: {len(groups)}, with {clustered} of {len(final)} models."
    return (
        f"{start} "
        f"Models recalled: {len(recalled)}; the best of all, {best}, is {'' if best in recalled else 'not '}among them. "
        f"**{played.method}** selects **{one.winner}** for {played.costs[played.method]:g} model-epochs: test accuracy "
        f"{one.test:.3f}, regret {final.max() - one.test:.3f}."
    )


def against(played: Played) -> pd.DataFrame:
    """Every method with these settings, then what the committed results have for other alternatives.

    Columns: selected, model-epochs, test accuracy, regret (against the best model by test).
    """
    best, rows = played.evidence.final(played.target).max(), {}
    for name, one in played.found.items():
        values = (one.winner, played.costs[name], one.test, best - one.test)
        rows["with these settings", name] = dict(
            zip(("selected", "model-epochs", "test accuracy", "regret"), values, strict=True)
        )
    for name, row in played.rivals.drop(index=["brute force", "successive halving"]).iterrows():
        rows["as committed", name] = {"selected": "", "model-epochs": row["epochs"], "test accuracy": row["accuracy"]}
        rows["as committed", name]["regret"] = row["best"] - row["accuracy"]
    return pd.DataFrame(rows).T.infer_objects()


def history(played: Played):
    """Who was cut when, and why, as a styled table."""
    table = played.chosen.history.set_index(["stage", "model"])
    return table.style.format(precision=3, na_rep="").set_properties(**{"text-align": "left"})


def figure(played: Played):
    """Who is recalled; who is cut when; regret against cost beside the alternatives."""
    name = played.target.replace("_", " ")
    with plots.style():
        drawn, (left, middle, right) = plots.panels(3, height=2.8, width=1.35 * plots.PAGE)
        if played.clusters.non_singletons:
            draw_recall(left, played.ranking, played.clusters)
            left.set(xlabel="prior", title="recalled: blue; singletons: diamonds")
        else:
            left.set_axis_off()
            left.text(0.5, 0.5, "no clusters at this cut", ha="center")
        draw_cuts(middle, played.chosen, f"{played.method} on {name}")
        for rival, row in played.rivals.iterrows():
            colour, mark = LOOK[rival]
            right.plot(max(row["epochs"], 1), row["best"] - row["accuracy"], mark, color=colour, ls="", label=rival)
        regret = played.evidence.final(played.target).max() - played.chosen.test
        right.plot(
            max(played.costs[played.method], 1),
            regret,
            "o",
            ms=11,
            mfc="none",
            mew=2,
            color="black",
            label="these settings",
        )
        right.set(xscale="log", xlabel="cost (model-epochs)", ylabel="regret", title="against the alternatives")
        ticks = [tick for tick in (1, 2, 5, 10, 20, 50, 100, 200) if right.get_xlim()[0] <= tick <= right.get_xlim()[1]]
        right.set_xticks(ticks, ticks)
        right.minorticks_off()
        drawn.legend(*right.get_legend_handles_labels(), loc="outside lower center", ncols=3)
        plots.close(drawn)
        return drawn


def controls(domain: str):
    """Sliders and menus that play at every change; without ipywidgets, a sentence that says what to do instead."""
    from IPython.display import Markdown, display

    try:
        import ipywidgets
    except ImportError:
        return Markdown(
            "`ipywidgets` is not installed, so there are no sliders: change the settings in the cells below."
        )
    here, own = load(domain), settings(domain)
    late = {"continuous_update": False}
    given = {
        "target": ipywidgets.Dropdown(options=here.everything, value=own["target"]),
        "proxy": ipywidgets.Dropdown(options=real_proxies(turns_of(here)), value=own["proxy"]),
        "top": ipywidgets.IntSlider(own["top"], min=1, max=len(here.models), description="K", **late),
        "cut": ipywidgets.FloatSlider(own["cut"], min=0.02, max=0.4, step=0.01, **late),
        "threshold": ipywidgets.FloatSlider(own["threshold"], min=0, max=0.2, step=0.01, **late),
        "n_trends": ipywidgets.IntSlider(own["n_trends"], min=1, max=10, description="trends", **late),
        "method": ipywidgets.Dropdown(options=METHODS, value=own["method"]),
    }

    def update(**chosen) -> None:
        played = play(domain, **chosen)
        display(
            Markdown(said(played)),
            figure(played),
            against(played).style.format(precision=3, na_rep=""),
            history(played),
        )

    return ipywidgets.interactive(update, **given)
