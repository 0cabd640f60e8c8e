"""The leader beside everything else, and its belief on one target step by step."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy.stats import norm

from reproduction.alternatives import LOOK, NAMES
from reproduction.evidence import Evidence
from reproduction.leading import PRICES, led, look_seconds, tables
from reproduction.leave_one_out import ALL_EXAMPLES, NESTED, of, turns_of
from reproduction.n17_beyond.checks import LEVEL
from reproduction.tables import interval, save_figure, save_table, with_interval
from reproduction.verdicts import above, same
from twophase.belief import belief
from twophase.infra import plots
from twophase.leader import Leader
from twophase.selection import brute_force, successive_halving

FRONT = ("two-phase", "successive halving", "asynchronous halving", "Hyperband", "ridge", "linear probe", "best prior")


def compared(evidence: Evidence) -> dict[str, pd.DataFrame]:
    """Name -> turns, of the leader, what it is compared with, and its variants."""
    turns = turns_of(evidence)
    found = {f"leader, {NESTED}": of(turns, "leader", variant=NESTED), "leader, as configured": of(turns, "leader")}
    found |= {f"leader, price {price:g}": of(turns, "leader", variant=f"price {price:g}") for price in PRICES}
    found[f"leader, {ALL_EXAMPLES}"] = of(turns, "leader", variant=ALL_EXAMPLES)
    return found | {NAMES.get(name, name): of(turns, name) for name in ("brute force", *FRONT)}


def table_leader(evidence: Evidence) -> pd.DataFrame:
    """Regret against brute force's pick, accuracy against the two phases (both paired), cost; a row per method."""
    found = compared(evidence)
    best, two = found["brute force"], found["two-phase"]
    rows = {}
    for name, turns in found.items():
        row = {"regret against brute force": with_interval(best["accuracy"] - turns["accuracy"])}
        row["accuracy against two-phase"] = with_interval(turns["accuracy"] - two["accuracy"])
        rows[name] = row | {
            "epochs": turns["epochs"].mean(),
            "fewer epochs than brute force": (best["epochs"] / turns["epochs"]).mean(),
        }
    table = pd.DataFrame(rows).T.rename_axis("method").infer_objects()
    return save_table(table, "table_leader", evidence.name)


def seconds(evidence: Evidence) -> pd.DataFrame:
    """How many times fewer measured seconds than brute force, a row per dataset, with loading on both sides and on neither."""

    def made() -> pd.DataFrame:
        return pd.DataFrame({target: dict(_ratios(evidence, target)) for target in evidence.everything}).T

    return evidence.once("seconds", "", made)


def _ratios(evidence: Evidence, target: str) -> Iterator[tuple[tuple[str, str], float]]:
    """(method, how loading is counted) -> brute force's seconds as a multiple of the method's."""
    runs, params = evidence.runs(target), evidence.params
    once = evidence.looks[evidence.looks["dataset"] == target].groupby("model")["loading"].first()
    proxies = evidence.proxies[
        (evidence.proxies["dataset"] == target) & (evidence.proxies["proxy"] == params.proxy.headless)
    ]
    scoring = proxies.set_index("model")[["forward", "scoring"]].sum(
        axis=1
    )  # both proxies of the paper's recall need one pass
    choice = evidence.leader_folds.set_index("dataset").loc[target].to_dict()
    two, follower = evidence.two_phase(target), led(evidence, target, **choice)
    looks = look_seconds(evidence, target, loading=False)
    trained = {
        "brute force": (brute_force(runs, evidence.models), evidence.models, 0.0, []),
        "successive halving": (successive_halving(runs, evidence.models), evidence.models, 0.0, []),
        "two-phase": (evidence.fine_selection(target, evidence.recalled(target)), list(two.history["model"].unique()), scoring[two.scored].sum(), two.scored),
        "leader": (follower, list(follower.history["model"].unique()), looks[follower.looked].sum(), follower.looked),
    }  # fmt: skip
    cost = {name: chosen.seconds + asked for name, (chosen, _, asked, _) in trained.items()}
    loaded = {name: cost[name] + once[[*models, *scored]].sum() for name, (_, models, _, scored) in trained.items()}
    for name in trained:
        yield (name, "loading on both sides"), loaded["brute force"] / loaded[name]
        yield (name, "loading on neither"), cost["brute force"] / cost[name]


def table_seconds(evidence: Evidence) -> pd.DataFrame:
    """Mean ratios of `seconds` with their intervals; the leader with choices made in each fold."""
    found = seconds(evidence)
    table = pd.DataFrame({key: [with_interval(found[key], 1)] for key in found}, index=["fewer seconds"]).T
    return save_table(
        table["fewer seconds"].unstack().loc[["leader", "two-phase", "successive halving", "brute force"]],
        "table_seconds",
        evidence.name,
    )


def answer(evidence: Evidence) -> str:
    """What the leader is worth, and what it costs."""
    found = compared(evidence)
    here, best, two = found[f"leader, {NESTED}"], found["brute force"], found["two-phase"]
    lost, gained, ratio = best["accuracy"] - here["accuracy"], here["accuracy"] - two["accuracy"], seconds(evidence)
    close, better = same(lost), above(gained)
    both, paper = ratio["leader", "loading on both sides"], ratio["two-phase", "loading on both sides"]
    return (
        f"**Answer.** The leader loses {close.said()} of accuracy to brute force's pick (within a point: **{close.verdict}** (claim B1)), for "
        f"{(best['epochs'] / here['epochs']).mean():.1f} times fewer epochs and {both.mean():.1f} times fewer seconds. Against "
        f"the paper's two phases ({paper.mean():.1f} times fewer seconds) its models gain {better.said()}; that they are better: **{better.verdict}** (claim B2). All "
        f"{len(here)} datasets were the target in turn, and what the leader is told was chosen on the others."
    )


def trace(evidence: Evidence, target: str) -> tuple[Leader, dict[str, tuple[np.ndarray, np.ndarray]], str]:
    """The leader on a target with the library's own calls; its belief (expected final, deviation) after each phase, the winner."""
    chosen, known = evidence.params.leader, tables(evidence)
    models, proxies = sorted(evidence.models), list(chosen.proxies)
    wide = evidence.looks[evidence.looks["dataset"] == target].pivot(index="model", columns="proxy", values="score")
    state = belief(np.stack([table for name, table in known.items() if name != target]), len(proxies), **chosen.learned)
    leader, seen = Leader(state, models, chosen.price), {}

    def keep(phase: str) -> None:
        seen[phase] = state.finals.copy(), np.sqrt(np.diag(state.spread))

    keep("before")
    costs = np.full(len(models), evidence.params.recall.epochs_per_proxy)
    leader.look(lambda model: wide.loc[model, proxies].to_numpy(), costs)
    keep("after the looks")
    winner = leader.follow(evidence.runs(target))
    keep("at the end")
    return leader, seen, winner


def figure_belief(evidence: Evidence, target: str):
    """Belief about each model's final test before, after the looks, and at the end; orange: looked at, blue: trained."""
    leader, seen, winner = trace(evidence, target)
    order = np.argsort(seen["before"][0])
    names, final = np.array(leader.models)[order], evidence.final(target)
    looked, trained = (
        {step.model for step in leader.steps if (step.action == "look") == look} for look in (True, False)
    )
    colours = [plots.BLUE if n in trained else plots.ORANGE if n in looked else plots.GREY for n in names]
    with plots.style():
        figure, axes = plots.panels(3, height=max(3.5, 0.13 * len(names)), sharex=True, sharey=True)
        for axis, (phase, (mean, deviation)) in zip(axes, seen.items(), strict=True):
            half = norm.ppf((1 + LEVEL) / 2) * deviation[order]
            axis.hlines(range(len(names)), mean[order] - half, mean[order] + half, colors=colours, lw=2.2, alpha=0.7)
            axis.scatter(mean[order], range(len(names)), c=colours, s=9, zorder=3)
            axis.scatter(final[names], range(len(names)), marker="|", c="black", s=18, lw=1, zorder=4)
            axis.set(title=phase, xlabel="final test accuracy", ylim=(-1, len(names)))
        axes[0].set_yticks(range(len(names)), [f"{name} ◄" if name == winner else name for name in names], fontsize=6)
        marks = {"looked at": plots.ORANGE, "looked at and trained": plots.BLUE, "neither": plots.GREY}
        handles = [axes[0].plot([], [], color=colour, lw=2.2, label=label)[0] for label, colour in marks.items()]
        handles += axes[0].plot([], [], "|", color="black", label="what it really reaches")
        figure.legend(handles=handles, loc="outside lower center", ncols=4, title=f"{target.replace('_', ' ')}: expected final and {LEVEL:.0%} interval; ◄ selected", title_fontsize=8)  # fmt: skip
        return save_figure(figure, "figure_belief", evidence.name)


def steps(evidence: Evidence, target: str) -> pd.DataFrame:
    """What the leader did on a target, step by step."""
    leader, _, _ = trace(evidence, target)
    table = pd.DataFrame(leader.steps).drop(columns="deviation").rename(columns={"chance": "probability"})
    return table.set_index(pd.RangeIndex(1, len(table) + 1, name="step"))


def figure_front(evidence: Evidence):
    """Regret against brute force's pick over measured cost in epochs; the line joins the leader's prices."""
    found = compared(evidence)
    best = found["brute force"]["accuracy"]
    with plots.style():
        figure, (axis,) = plots.panels(1, height=3.4, width=plots.PAGE)
        points = {price: found[f"leader, price {price:g}"] for price in PRICES}
        across = [turns["epochs"].mean() for turns in points.values()]
        down = [(best - turns["accuracy"]).mean() for turns in points.values()]
        axis.plot(across, down, ".-", color=plots.BLUE, lw=1, label="leader, by price")
        for price, x, y in list(zip(PRICES, across, down, strict=True))[::2]:
            axis.annotate(f"{price:g}", (x, y), (0, -10), textcoords="offset points", fontsize=7, ha="center")
        shown = {"leader, price chosen in each fold": (found[f"leader, {NESTED}"], plots.BLUE, "*")}
        for method in FRONT[:-1]:  # the favourite by average lies far above
            colour, mark = LOOK[NAMES.get(method, method)]
            colour = plots.RED if method == "two-phase" else colour
            shown[NAMES.get(method, method)] = found[NAMES.get(method, method)], colour, mark
        for name, (turns, colour, mark) in shown.items():
            regret = best - turns["accuracy"]
            low, high = interval(regret)
            span, look = (
                [[regret.mean() - low], [high - regret.mean()]],
                {"ms": 8 if mark == "*" else 5, "capsize": 2, "lw": 1},
            )
            axis.errorbar(
                turns["epochs"].mean(), regret.mean(), span, color=colour, marker=mark, ls="", label=name, **look
            )
        axis.axhline(0, color="black", lw=0.6)
        ticks = [2, 5, 10, 20, 50, 100]
        axis.set(
            xscale="log",
            xlabel="cost (model-epochs, looks at half an epoch)",
            ylabel="regret against brute force's pick",
        )
        axis.set_xticks(ticks, list(map(str, ticks)))
        axis.minorticks_off()
        figure.legend(*axis.get_legend_handles_labels(), loc="outside right upper")
        return save_figure(figure, "figure_front", evidence.name)
