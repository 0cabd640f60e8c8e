"""Notebook 05: fine-selection against successive halving and brute force (Tables IV, V, Fig. 7)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .. import plots
from . import paper
from .evidence import Evidence, save_table, with_interval

THRESHOLDS = (0.0, 0.01, 0.05, 0.1)


def table_4(evidence: Evidence) -> pd.DataFrame:
    """Table IV: accuracy and epochs of fine-selection among the recalled models, by threshold."""
    rows = {}
    for target in evidence.targets:
        for quantity in ("accuracy", "epochs"):
            rows["ours", target, quantity] = {
                f"{limit:.0%}": getattr(
                    evidence.fine_selection(target, tuple(evidence.recalled(target)), limit),
                    "test" if quantity == "accuracy" else "epochs",
                )
                for limit in THRESHOLDS
            }
    for target, cells in paper.TABLE_4[evidence.domain].items():
        for place, quantity in enumerate(("accuracy", "epochs")):
            rows["paper", target, quantity] = {f"{limit:.0%}": cell[place] for limit, cell in cells.items()}
    return save_table(pd.DataFrame(rows).T.rename_axis(["source", "target", "quantity"]), "table_4", evidence.domain)


def table_4_verdict(table: pd.DataFrame) -> str:
    """What a higher threshold costs and buys here."""
    ours, theirs = table.loc["ours"], table.loc["paper"]
    change = {}
    for name, rows in (("ours", ours), ("paper", theirs)):
        for quantity in ("epochs", "accuracy"):
            part = rows.xs(quantity, level="quantity").astype(float)
            change[name, quantity] = (part["10%"] - part["0%"]).mean()
    same = change["ours", "epochs"] > 0 and change["ours", "accuracy"] > 0
    return (
        f"From 0 % to 10 % the cost rises by {change['ours', 'epochs']:.1f} epochs on average and the accuracy changes by "
        f"{change['ours', 'accuracy']:+.4f} (paper: {change['paper', 'epochs']:+.1f} epochs, "
        f"{change['paper', 'accuracy']:+.4f}). That a threshold buys accuracy with epochs "
        f"**{'shows' if same else 'does not show'}** on our targets."
    )


def table_5(evidence: Evidence) -> pd.DataFrame:
    """Table V: epochs and speed-up against brute force, among the recalled models and among all, paper's beside."""
    epochs, rows = evidence.records.epochs, {}
    for size, recalled in ((str(evidence.top), True), (f"all {len(evidence.models)}", False)):
        n = evidence.top if recalled else len(evidence.models)
        first = evidence.targets[0]
        models = tuple(evidence.recalled(first)) if recalled else None
        rows["ours", size, "brute force"] = n * epochs
        rows["ours", size, "successive halving"] = evidence.halving(first, models).epochs
        for target in evidence.targets:
            models = tuple(evidence.recalled(target)) if recalled else None
            rows["ours", size, f"fine-selection: {target}"] = evidence.fine_selection(target, models).epochs
    for size, (whole, half, fine) in paper.TABLE_5[evidence.domain].items():
        label = size if size == "10" else f"all {whole * 10 // paper.TABLE_5[evidence.domain]['10'][0]}"
        rows["paper", label, "brute force"], rows["paper", label, "successive halving"] = whole, half
        rows |= {("paper", label, f"fine-selection: {target}"): cost for target, cost in fine.items()}
    table = pd.Series(rows, name="epochs").rename_axis(["source", "models", "method"]).to_frame()
    whole = table.xs("brute force", level="method")["epochs"]
    table["speed-up"] = [whole.loc[key[:2]] / cost for key, cost in table["epochs"].items()]
    return save_table(table, "table_5", evidence.domain)


def compare(evidence: Evidence, recalled: bool) -> pd.DataFrame:
    """Halving and fine-selection on every dataset taking its turn: epochs, accuracy and the difference."""
    rows = {}
    for target in evidence.everything:
        models = tuple(evidence.recalled(target)) if recalled else None
        half, fine = evidence.halving(target, models), evidence.fine_selection(target, models)
        rows[target] = {
            "SH epochs": half.epochs,
            "FS epochs": fine.epochs,
            "SH accuracy": half.test,
            "FS accuracy": fine.test,
        }
    return pd.DataFrame(rows).T.rename_axis("dataset")


def verdict(evidence: Evidence) -> str:
    """Is fine-selection cheaper than halving at the same accuracy? With intervals over all datasets."""
    said = []
    for recalled, name in ((True, f"the {evidence.top} recalled"), (False, f"all {len(evidence.models)}")):
        table = compare(evidence, recalled)
        ratio = table["SH epochs"] / table["FS epochs"]
        change = table["FS accuracy"] - table["SH accuracy"]
        said.append(
            f"Among {name} models fine-selection needs **{with_interval(ratio, 2)}x** fewer epochs than halving, and its winner's "
            f"accuracy differs by {with_interval(change, 4)}."
        )
    return (
        " ".join(said)
        + f" Intervals: 95 % bootstrap over {len(evidence.everything)} datasets taking their turn as target."
    )


def figure_7(evidence: Evidence):
    """Fig. 7: accuracy of the model selected by halving and by fine-selection, with the best and worst candidates."""
    with plots.style():
        figure, axes = plots.panels(len(evidence.targets), columns=4, height=2.5)
        for axis, target in zip(axes, evidence.targets, strict=True):
            final = evidence.final(target)
            for place, models in enumerate((tuple(evidence.recalled(target)), None)):
                pool = final[list(models)] if models else final
                axis.vlines(place, pool.min(), pool.max(), color=plots.GREY, lw=1)
                axis.plot([place, place], [pool.min(), pool.max()], ls="", marker="_", ms=9, color=plots.GREY,
                          label="best and worst candidate")  # fmt: skip
                axis.plot(
                    place - 0.14,
                    evidence.halving(target, models).test,
                    "s",
                    ms=5,
                    color=plots.ORANGE,
                    label="successive halving",
                )
                axis.plot(
                    place + 0.14,
                    evidence.fine_selection(target, models).test,
                    "o",
                    ms=5,
                    color=plots.BLUE,
                    label="fine-selection",
                )
            axis.set(
                title=target.replace("_", " "),
                xlim=(-0.5, 1.5),
                ylabel="test accuracy" if axis is axes[0] else "",
            )
            axis.set_xticks([0, 1], [f"{evidence.top} recalled", f"all {len(evidence.models)}"])
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles[:3], labels[:3], loc="outside lower center", ncols=3)
        return plots.save(figure, "figure_7", evidence.domain)


def figure_cuts(evidence: Evidence, target: str):
    """Who was cut when, by fine-selection among the recalled models: curves that end where a model was cut."""
    chosen = evidence.fine_selection(target, tuple(evidence.recalled(target)))
    with plots.style():
        figure, (axis,) = plots.panels(1, height=2.8, width=5.6)
        for model, rows in chosen.history.groupby("model", sort=False):
            wins, last = model == chosen.winner, rows.iloc[-1]
            colour = plots.BLUE if wins else plots.RED if last["reason"].startswith("filtered") else plots.ORANGE
            axis.plot(
                rows["stage"],
                rows["val"],
                color=colour,
                marker="o",
                ms=3,
                lw=2 if wins else 1,
                zorder=3 if wins else 2,
            )
            if not wins:
                axis.plot(last["stage"], last["val"], marker="x", ms=6, color=colour)
        for colour, label in ((plots.BLUE, f"selected: {chosen.winner}"), (plots.RED, "cut by the predicted final"),
                              (plots.ORANGE, "cut by halving")):  # fmt: skip
            axis.plot([], [], color=colour, marker="o", ms=3, label=label)
        axis.set(xlabel="stage (epoch)", ylabel="validation accuracy", xticks=range(1, evidence.records.epochs + 1),
                 title=target.replace("_", " "))  # fmt: skip
        axis.legend(loc="best")
        return plots.save(figure, "figure_cuts", evidence.domain)


def history(evidence: Evidence, target: str) -> pd.DataFrame:
    """The audit trail of fine-selection among the recalled models."""
    table = evidence.fine_selection(target, tuple(evidence.recalled(target))).history
    return table.assign(val=table["val"].round(3), predicted=np.round(table["predicted"], 3)).set_index(
        ["stage", "model"]
    )
