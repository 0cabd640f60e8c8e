"""The two phases and everything that a user would do instead: names, looks, turns, and regret drawn over cost."""

from textwrap import fill
from types import MappingProxyType

import pandas as pd

from reproduction.leave_one_out import of
from reproduction.tables import interval
from twophase.infra import plots
from twophase.proxies import PROXIES

NEXT = 1.13  # where marks of equal cost stand side by side, each one's cost as a multiple of that of the one before
WITH_PROXY = ("best proxy", "proxy, then fine-selection")
NAMES = {  # how a method of the turns is called where it is shown
    "best prior": "favourite by average (prior)",
    "prior, then fine-selection": "fine-selection of the best by average",
    "best size": "largest model",
    "best card accuracy": "favourite by model card",
    "best proxy": "favourite of one proxy on all",
    "proxy, then fine-selection": "fine-selection of one proxy's best",
    "ridge": "ridge on prior and proxies",
    "linear probe": "linear probe of every model",
    "no model": "linear classifier, no model",
}
LOOK = {  # colour and marker: grey trains all, orange halves, blue is the paper's and the leader, green needs no training before it, red is chance
    "brute force": (plots.GREY, "s"),
    "successive halving": (plots.ORANGE, "^"),
    "asynchronous halving": (plots.ORANGE, "<"),
    "Hyperband": (plots.ORANGE, "v"),
    "two-phase": (plots.BLUE, "o"),
    "leader": (plots.BLUE, "*"),
    NAMES["ridge"]: (plots.GREEN, "H"),
    NAMES["best proxy"]: (plots.GREEN, "P"),
    NAMES["proxy, then fine-selection"]: (plots.GREEN, "X"),
    NAMES["best prior"]: (plots.GREEN, "D"),
    NAMES["prior, then fine-selection"]: (plots.GREEN, "d"),
    NAMES["best size"]: (plots.GREY, "h"),
    NAMES["best card accuracy"]: (plots.GREY, "p"),
    NAMES["linear probe"]: (plots.RED, "*"),
    NAMES["no model"]: (plots.RED, "s"),
    "one at random": (plots.RED, "x"),
    "random at equal cost": (plots.RED, "+"),
}


def real_proxies(turns: pd.DataFrame) -> list[str]:
    """The proxies that were run on every model, without the released code's variant."""
    return [name for name in turns.loc[turns["method"] == "best proxy", "variant"].unique() if name in PROXIES]


def nested(turns: pd.DataFrame, method: str) -> pd.DataFrame:
    """Turns of a method that runs one proxy on every model; the proxy is chosen on the other benchmark datasets.

    Returns:
        As `leave_one_out.of`, and proxy: the one whose models are the most accurate on average on the benchmark datasets
        but this one.
    """
    by_proxy = {name: of(turns, method, variant=name) for name in real_proxies(turns)}
    accuracy = pd.DataFrame({name: table["accuracy"] for name, table in by_proxy.items()})
    first = next(iter(by_proxy.values()))
    known = accuracy[first["role"] == "benchmark"]
    chosen = {target: known.drop(index=target, errors="ignore").mean().idxmax() for target in accuracy.index}
    rows = pd.DataFrame({target: by_proxy[name].loc[target] for target, name in chosen.items()}).T
    return rows.infer_objects().assign(proxy=pd.Series(chosen))


def alternatives(turns: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Name -> its turns, of the two phases and of everything that a user would do instead."""
    names = {name: method for method, name in NAMES.items()}
    found = {}
    for name in LOOK:
        method = names.get(name, name)
        rows = turns[turns["method"] == method]
        if method in WITH_PROXY:
            found[name] = nested(turns, method)
        elif len(rows):
            found[name] = of(turns, method, variant=rows["variant"].iloc[0] if method == "no model" else "")
    return found


def draw_cost(
    axis, chosen: dict[str, pd.DataFrame], named: dict[str, tuple[float, float]] = MappingProxyType({})
) -> None:
    """One panel of regret over cost (name -> turns): small dots are the datasets of the two-phase method.

    `named`: methods whose names stand beside their marks, so many points away.
    """
    taken: list[float] = []
    for method, table in chosen.items():
        colour, mark = LOOK[method]
        cost, regret = table["epochs"].clip(lower=1), table["best"] - table["accuracy"]
        aside = NEXT ** sum(abs(cost.mean() / other - 1) < 0.04 for other in taken)  # equal costs stand side by side
        taken.append(cost.mean())
        low, high = interval(regret)
        if method == "two-phase":
            axis.plot(cost, regret, ls="", marker=mark, ms=2.5, color=colour, alpha=0.3)
        span, look = [[regret.mean() - low], [high - regret.mean()]], {"color": colour, "marker": mark, "ms": 5}
        axis.errorbar(cost.mean() * aside, regret.mean(), span, ls="", capsize=2, lw=1, label=method, **look)
        if method in named:
            line = {"arrowstyle": "-", "color": colour, "lw": 0.6}
            look = {"color": colour, "size": 7, "ha": "right" if named[method][0] < 0 else "left", "arrowprops": line}
            place = {"xytext": named[method], "textcoords": "offset points"}
            axis.annotate(fill(method, 18), (cost.mean() * aside, regret.mean()), **place, **look)
    axis.axhline(0, color="black", lw=0.6)
    ticks = [1, 2, 5, 10, 20, 50, 100, 200]
    axis.set(xscale="log", xlabel="cost (model-epochs, proxies included)", ylabel="regret (accuracy, best - selected)")
    axis.set_xticks(ticks, ["≤1", *map(str, ticks[1:])])
    axis.set_xlim(0.8, 260)
    axis.minorticks_off()
