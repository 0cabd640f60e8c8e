"""Notebook 06: the two phases end to end (Tables VI, VII)."""

from __future__ import annotations

import pandas as pd

from .. import plots
from . import paper
from .evidence import Evidence, interval, save_table, with_interval


def methods(evidence: Evidence, target: str) -> dict:
    """Each method's selection on a target."""
    return {
        "BF": evidence.brute_force(target),
        "SH": evidence.halving(target),
        "2PH": evidence.two_phase(target),
    }


def all_datasets(evidence: Evidence) -> pd.DataFrame:
    """Every dataset taking its turn as target: epochs, seconds, accuracy of each method, regret of two-phase and halving.

    Regret "against brute force" compares with the model that brute force selects (by validation); "against the best"
    with the model of the highest test accuracy.
    """
    rows = {}
    for target in evidence.everything:
        chosen, best = methods(evidence, target), evidence.final(target).max()
        row: dict = {"role": "target" if target in evidence.targets else "benchmark"}
        for name, selection in chosen.items():
            row |= {
                f"{name} epochs": selection.epochs,
                f"{name} seconds": selection.seconds,
                f"{name} accuracy": selection.test,
            }
        for name in ("SH", "2PH"):
            row[f"{name} regret against brute force"] = chosen["BF"].test - chosen[name].test
        for name in chosen:
            row[f"{name} regret against the best"] = best - chosen[name].test
        row["proxies"] = chosen["2PH"].proxies
        rows[target] = row
    return pd.DataFrame(rows).T.rename_axis("dataset").infer_objects()


def table_6(evidence: Evidence, everything: pd.DataFrame) -> pd.DataFrame:
    """Table VI: epochs of two-phase, speed-ups in epochs and in measured seconds, accuracies; the paper's rows below."""
    columns = [
        "2PH epochs",
        "vs. BF",
        "vs. SH",
        "vs. BF (seconds)",
        "vs. SH (seconds)",
        "BF acc",
        "SH acc",
        "2PH acc",
    ]
    rows = {}
    for target in evidence.targets:
        e = everything.loc[target]
        values = (e["2PH epochs"], e["BF epochs"] / e["2PH epochs"], e["SH epochs"] / e["2PH epochs"],
                  e["BF seconds"] / e["2PH seconds"], e["SH seconds"] / e["2PH seconds"],
                  e["BF accuracy"], e["SH accuracy"], e["2PH accuracy"])  # fmt: skip
        rows["ours", target] = dict(zip(columns, values, strict=True))
    for target, (cost, bf, sh, *accuracies) in paper.TABLE_6[evidence.domain].items():
        rows["paper", target] = dict(zip(columns, (cost, bf, sh, None, None, *accuracies), strict=True))
    table = pd.DataFrame(rows).T.rename_axis(["source", "target"]).astype(float)
    return save_table(table, "table_6", evidence.domain)


def summary(evidence: Evidence, everything: pd.DataFrame) -> pd.DataFrame:
    """Means with 95 % bootstrap intervals over the configured targets, and over all datasets taking their turn."""
    groups = {
        f"{len(evidence.targets)} targets": everything.loc[evidence.targets],
        f"all {len(everything)} datasets": everything,
    }
    table = {}
    for name, rows in groups.items():
        table[name] = {
            "speed-up against brute force (epochs)": with_interval(rows["BF epochs"] / rows["2PH epochs"], 2),
            "speed-up against brute force (seconds)": with_interval(rows["BF seconds"] / rows["2PH seconds"], 2),
            "speed-up against halving (epochs)": with_interval(rows["SH epochs"] / rows["2PH epochs"], 2),
            "speed-up against halving (seconds)": with_interval(rows["SH seconds"] / rows["2PH seconds"], 2),
            "2PH regret against brute force's pick": with_interval(rows["2PH regret against brute force"], 4),
            "SH regret against brute force's pick": with_interval(rows["SH regret against brute force"], 4),
            "2PH regret against the best by test": with_interval(rows["2PH regret against the best"], 4),
            "SH regret against the best by test": with_interval(rows["SH regret against the best"], 4),
            "BF regret against the best by test": with_interval(rows["BF regret against the best"], 4),
        }
    return save_table(pd.DataFrame(table).rename_axis("quantity"), "table_summary", evidence.domain)


def verdict(evidence: Evidence, everything: pd.DataFrame) -> str:
    """The paper's two headline claims against ours: the speed-up, and accuracy close to brute force."""
    speed = everything["BF epochs"] / everything["2PH epochs"]
    low, high = interval(speed)
    printed = [row[1] for row in paper.TABLE_6[evidence.domain].values()]
    regret = everything["2PH regret against brute force"].astype(float)
    paper_loss = max(row[3] - row[5] for row in paper.TABLE_6[evidence.domain].values())
    least, worst = interval(regret)
    inside = low >= min(printed) - 0.5
    close = "holds" if worst <= 0.02 else "does not hold" if least > 0.02 else "is likely but not settled"
    end = f"the interval reaches {worst:.3f}, the line is drawn at two points"
    return (
        f"**Cost.** The paper prints {min(printed):.1f} to {max(printed):.1f} times fewer epochs than brute force. Here it is "
        f"{speed.mean():.1f} [{low:.1f}, {high:.1f}]: the claim **{'holds' if inside else 'holds in direction, not in size'}**. "
        f"**Accuracy.** The paper loses at most {paper_loss:.3f} to brute force. Here the model selected loses "
        f"{with_interval(regret, 4)} on average and at most {regret.max():.3f} (on {regret.idxmax().replace('_', ' ')}): that "
        f"the loss is small on average **{close}** ({end})."
    )


def figure_cost(evidence: Evidence, everything: pd.DataFrame):
    """Regret against the best by test over cost in epochs: a dot a dataset, the mean with its interval."""
    with plots.style():
        figure, (axis,) = plots.panels(1, height=2.9, width=4.6)
        for name, colour, mark in (
            ("BF", plots.GREY, "s"),
            ("SH", plots.ORANGE, "^"),
            ("2PH", plots.BLUE, "o"),
        ):
            cost, regret = (
                everything[f"{name} epochs"].astype(float),
                everything[f"{name} regret against the best"].astype(float),
            )
            low, high = interval(regret)
            axis.plot(cost, regret, ls="", marker=mark, ms=3, color=colour, alpha=0.35)
            axis.errorbar(cost.mean(), regret.mean(), [[regret.mean() - low], [high - regret.mean()]], marker=mark, ms=7,
                          color=colour, capsize=3, label={"BF": "brute force", "SH": "successive halving", "2PH": "two-phase"}[name])  # fmt: skip
        axis.set(
            xscale="log",
            xlabel="cost (model-epochs, proxies included)",
            ylabel="regret against the best by test",
        )
        ticks = [10, 20, 50, 100, 200]
        axis.set_xlim(10, 1.3 * everything["BF epochs"].max())
        axis.set_xticks(ticks, [str(t) for t in ticks], minor=False)
        axis.minorticks_off()
        axis.legend(loc="upper right")
        return plots.save(figure, "figure_cost", evidence.domain)


def table_7(evidence: Evidence) -> pd.DataFrame:
    """Table VII: the selected model, its accuracy, its rank in the recall (from 0) and the recalled models' average."""
    rows = {}
    for target in evidence.targets:
        chosen = evidence.two_phase(target)
        rows["ours", target] = {
            "selected model": chosen.winner, "accuracy": chosen.test,
            "rank in recall": int(chosen.recall.loc[chosen.winner, "rank"]) - 1,
            "average of recalled": evidence.final(target)[evidence.recalled(target)].mean(),
        }  # fmt: skip
    for target, (model, accuracy, rank, average) in paper.TABLE_7[evidence.domain].items():
        rows["paper", target] = {
            "selected model": model,
            "accuracy": accuracy,
            "rank in recall": rank,
            "average of recalled": average,
        }
    return save_table(pd.DataFrame(rows).T.rename_axis(["source", "target"]), "table_7", evidence.domain)
