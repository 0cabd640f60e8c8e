"""Notebook 05: fine-selection against successive halving and brute force (Tables IV, V, Fig. 7)."""

import numpy as np
import pandas as pd

from reproduction import paper
from reproduction.evidence import Evidence
from reproduction.leave_one_out import THRESHOLDS, of, turns_of
from reproduction.tables import against_zero, save_figure, save_table, with_interval
from reproduction.verdicts import Measured, above
from twophase.infra import plots
from twophase.selection import Selection

SAME = 1e-6  # accuracies read from a table of eight digits are the same if no further apart


def by_threshold(evidence: Evidence, threshold: float, kind: str = "relative") -> pd.DataFrame:
    """Fine-selection among the recalled models with a threshold: rows of the turns, by dataset."""
    return of(turns_of(evidence), "fine-selection", "recalled", f"{kind} threshold {threshold:g}")


def table_4(evidence: Evidence) -> pd.DataFrame:
    """Table IV: accuracy and epochs of fine-selection among the recalled models, by threshold.

    The paper does not say what its candidates are.
    """
    chosen = {f"{threshold:.0%}": by_threshold(evidence, threshold) for threshold in THRESHOLDS}
    rows = {}
    for target in evidence.targets:
        for quantity in ("accuracy", "epochs"):
            rows["ours", target, quantity] = {limit: table.loc[target, quantity] for limit, table in chosen.items()}
    for target, cells in paper.TABLE_4[evidence.domain].items():
        for place, quantity in enumerate(("accuracy", "epochs")):
            rows["paper", target, quantity] = {f"{limit:.0%}": cell[place] for limit, cell in cells.items()}
    return save_table(pd.DataFrame(rows).T.rename_axis(["source", "target", "quantity"]), "table_4", evidence.name)


def table_4_verdict(evidence: Evidence) -> str:
    """What a threshold of 10 % costs and buys, with intervals over all datasets."""
    none, most = by_threshold(evidence, 0.0), by_threshold(evidence, 0.1)
    epochs, accuracy = most["epochs"] - none["epochs"], most["accuracy"] - none["accuracy"]
    printed = np.mean([np.subtract(row[0.1], row[0.0]) for row in paper.TABLE_4[evidence.domain].values()], axis=0)
    bought = above(accuracy)
    return (
        f"Among the {evidence.top} recalled models, raising the threshold from 0 % to 10 % adds {with_interval(epochs, 1)} epochs "
        f"and changes the accuracy by {bought.said()}; in the paper, on average over two targets, by {printed[1]:+.1f} epochs and {printed[0]:+.3f}. That "
        f"a threshold buys accuracy with epochs: **{bought.verdict}** (claim S2). Intervals: 95 % bootstrap over "
        f"{len(accuracy)} datasets, each left out as the target."
    )


def one_trend(evidence: Evidence) -> Measured:
    """Accuracy of fine-selection with one trend in place of the configured number, among the recalled (N3)."""
    one = of(turns_of(evidence), "fine-selection", "recalled", "one trend")
    return above(one["accuracy"] - of(turns_of(evidence), "fine-selection", "recalled")["accuracy"])


def one_trend_verdict(evidence: Evidence) -> str:
    """Whether the trends help at all: one trend predicts the same final test whatever the validation."""
    found, turns = one_trend(evidence), turns_of(evidence)
    epochs = of(turns, "fine-selection", "recalled", "one trend")["epochs"]
    cost = epochs - of(turns, "fine-selection", "recalled")["epochs"]
    return (
        "With a single trend a model's prediction is its own average on the benchmark datasets, whatever its validation. Among "
        f"the {evidence.top} recalled, the accuracy of the model selected then changes by {found.said()} against "
        f"{evidence.params.selection.n_trends} trends. That one trend picks better models: **{found.verdict}** (claim N3). It "
        f"trains {with_interval(cost, 1)} epochs more."
    )


def table_5(evidence: Evidence) -> pd.DataFrame:
    """Table V: epochs and speed-up against brute force, among the recalled models and among all, paper's beside."""
    rows = {}
    for size, candidates in ((str(evidence.top), "recalled"), (f"all {len(evidence.models)}", "all")):
        n = evidence.top if candidates == "recalled" else len(evidence.models)
        half, fine = (of(turns_of(evidence), method, candidates) for method in ("successive halving", "fine-selection"))
        rows["ours", size, "brute force"] = n * evidence.records.epochs
        rows["ours", size, "successive halving"] = half.loc[evidence.targets[0], "epochs"]
        for target in evidence.targets:
            rows["ours", size, f"fine-selection: {target}"] = fine.loc[target, "epochs"]
    for size, (whole, half, fine) in paper.TABLE_5[evidence.domain].items():
        label = size if size == "10" else f"all {whole * 10 // paper.TABLE_5[evidence.domain]['10'][0]}"
        rows["paper", label, "brute force"], rows["paper", label, "successive halving"] = whole, half
        rows |= {("paper", label, f"fine-selection: {target}"): cost for target, cost in fine.items()}
    table = pd.Series(rows, name="epochs").rename_axis(["source", "models", "method"]).to_frame()
    whole = table.xs("brute force", level="method")["epochs"]
    table["speed-up"] = [whole.loc[key[:2]] / cost for key, cost in table["epochs"].items()]
    return save_table(table, "table_5", evidence.name)


def compare(evidence: Evidence, candidates: str = "recalled") -> pd.DataFrame:
    """Halving and fine-selection on every dataset, each left out as the target: epochs, accuracy, and the best candidate's accuracy.

    Args:
        evidence: of a domain.
        candidates: "recalled", "all", or "oracle" (the truly best by test, as in the released code).
    """
    half, fine = (of(turns_of(evidence), method, candidates) for method in ("successive halving", "fine-selection"))
    best = {target: evidence.final(target)[_pool(evidence, target, candidates)].max() for target in fine.index}
    methods = {"SH": half, "FS": fine}
    columns = {f"{short} {what}": rows[what] for what in ("epochs", "accuracy") for short, rows in methods.items()}
    return pd.DataFrame(columns | {"best": pd.Series(best)})


def _pool(evidence: Evidence, target: str, candidates: str) -> list[str]:
    if candidates == "oracle":
        return list(evidence.final(target).nlargest(evidence.top).index)
    return evidence.recalled(target) if candidates == "recalled" else evidence.models


def answer(evidence: Evidence) -> str:
    """What fine-selection saves and loses against halving, among the recalled and among all models."""
    said = []
    for candidates, name in {"recalled": f"the {evidence.top} recalled", "all": f"all {len(evidence.models)}"}.items():
        table = compare(evidence, candidates)
        change, epochs = table["FS accuracy"] - table["SH accuracy"], table[["FS epochs", "SH epochs"]].mean()
        said.append(
            f"among {name} models it takes {epochs['FS epochs']:.0f} epochs on average where halving takes {epochs['SH epochs']:.0f}, for "
            f"{against_zero(change, 'more', 'less', 'neither more nor less')} accuracy ({with_interval(change)})"
        )
    return f"**Answer.** It saves epochs: {'; '.join(said)}. Each of {len(table)} datasets is left out as the target."


def verdict(evidence: Evidence) -> str:
    """Is fine-selection cheaper than halving at the same accuracy? With intervals over all datasets."""
    said, pools = [], {"oracle": f"the {evidence.top} truly best", "recalled": f"the {evidence.top} recalled"}
    for candidates, name in (pools | {"all": f"all {len(evidence.models)}"}).items():
        table = compare(evidence, candidates)
        ratio = table["SH epochs"] / table["FS epochs"]
        change = table["FS accuracy"] - table["SH accuracy"]
        said.append(
            f"Among {name} models halving needs **{with_interval(ratio, 2)}** times the epochs of fine-selection; the "
            f"accuracy of fine-selection's winner minus that of halving's is {with_interval(change)}."
        )
    said.append(f"Intervals: 95 % bootstrap over {len(evidence.everything)} datasets, each left out as the target.")
    return " ".join(said)


def figure_7(evidence: Evidence):
    """Fig. 7: accuracy of the model selected by halving and by fine-selection, by candidates.

    The paper's candidates are the truly best ten and all; its whiskers, here the band, are the best and worst of the ten.
    """
    methods = (("successive halving", plots.ORANGE, "s", -0.16), ("fine-selection", plots.BLUE, "o", 0.16))
    pools = {"oracle": f"{evidence.top} best\nby test", "recalled": f"{evidence.top}\nrecalled"}
    pools["all"] = f"all\n{len(evidence.models)}"
    with plots.style():
        figure, axes = plots.panels(len(evidence.targets), columns=4, height=2.6)
        for axis, target in zip(axes, evidence.targets, strict=True):
            top, recalled = (evidence.final(target)[_pool(evidence, target, name)] for name in ("oracle", "recalled"))
            band = f"worst to best of the {evidence.top} best by test"
            axis.axhspan(top.min(), top.max(), color=plots.GREY, alpha=0.22, lw=0, label=band)
            ends = {"marker": "_", "ms": 9, "lw": 1, "color": "black", "label": "worst to best of the recalled"}
            axis.plot([1, 1], [recalled.min(), recalled.max()], **ends)
            for place, candidates in enumerate(pools):
                for method, colour, mark, aside in methods:
                    accuracy = of(turns_of(evidence), method, candidates).loc[target, "accuracy"]
                    axis.plot(place + aside, accuracy, mark, ms=5, color=colour, label=method)
            axis.set(title=target.replace("_", " "), xlim=(-0.5, 2.5))
            axis.set(ylabel="test accuracy" if axis is axes[0] else "")
            axis.set_xticks(range(3), list(pools.values()))
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles[:4], labels[:4], loc="outside lower center", ncols=4)
        return save_figure(figure, "figure_7", evidence.name)


def figure_7_verdict(evidence: Evidence) -> str:
    """How often each method picks the best of the truly best ten, and what it loses to it, over all datasets."""
    table = compare(evidence, "oracle")
    said = []
    for name, short in (("halving", "SH"), ("fine-selection", "FS")):
        lost = table["best"] - table[f"{short} accuracy"]
        best = (lost < SAME).sum()
        said.append(
            f"{name} selects the best on {best} of {len(lost)} datasets and loses {with_interval(lost)} on average"
        )
    return (
        f"Among the {evidence.top} best by test, {'; '.join(said)}. The paper finds that fine-selection is always able to "
        f"pick the optimal or a near-optimal model, and halving not necessarily the best. Intervals: 95 % bootstrap over "
        f"the {len(table)} datasets, each left out as the target."
    )


def figure_cuts(evidence: Evidence, target: str):
    """Who was cut when, by fine-selection among the recalled models: curves that end where a model was cut."""
    with plots.style():
        figure, (axis,) = plots.panels(1, height=2.8, width=5.6)
        draw_cuts(axis, evidence.fine_selection(target, evidence.recalled(target)), target.replace("_", " "))
        return save_figure(figure, "figure_cuts", evidence.name)


def draw_cuts(axis, chosen: Selection, title: str) -> None:
    """Validation curves of a selection; a cross is where a model was cut, its colour says by what."""
    for model, rows in chosen.history.groupby("model", sort=False):
        wins, last = model == chosen.winner, rows.iloc[-1]
        colour = plots.BLUE if wins else plots.RED if last["reason"].startswith("filtered") else plots.ORANGE
        width, above = (2, 3) if wins else (1, 2)
        axis.plot(rows["stage"], rows["val"], color=colour, marker="o", ms=3, lw=width, zorder=above)
        if not wins:
            axis.plot(last["stage"], last["val"], marker="x", ms=6, color=colour)
    cut = {plots.RED: "cut by the predicted final", plots.ORANGE: "cut by halving"}
    for colour, label in {plots.BLUE: f"selected: {chosen.winner}", **cut}.items():
        axis.plot([], [], color=colour, marker="o", ms=3, label=label)
    axis.set(xlabel="stage (epoch)", ylabel="validation accuracy", title=title)
    axis.set_xticks(range(1, chosen.history["stage"].max() + 1))
    axis.legend(loc="best")
