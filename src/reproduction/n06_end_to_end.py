"""Notebook 06: the two phases end to end, and what a user would do instead (Tables VI, VII)."""

import pandas as pd

from reproduction import paper
from reproduction.alternatives import alternatives, draw_cost, real_proxies
from reproduction.evidence import Evidence
from reproduction.leave_one_out import NESTED, NESTED_SINGLETONS, of, turns_of
from reproduction.tables import interval, save_figure, save_table, with_interval
from reproduction.verdicts import Measured, above, same
from twophase.infra import plots

METHODS = {"BF": "brute force", "SH": "successive halving", "2PH": "two-phase"}


def all_datasets(evidence: Evidence, variant: str = "") -> pd.DataFrame:
    """Every dataset in turn as the target: epochs, seconds, accuracy of each method, regret of two-phase and halving.

    Regret "against brute force" compares with the model that brute force selects (by validation); "against the best"
    with the model of the highest test accuracy.

    Args:
        evidence: of a domain.
        variant: of the two phases, see `leave_one_out`.
    """
    turns = turns_of(evidence)
    chosen = {short: of(turns, method, variant=variant * (short == "2PH")) for short, method in METHODS.items()}
    table = chosen["BF"][["role"]].copy()
    for short, rows in chosen.items():
        table[[f"{short} epochs", f"{short} seconds", f"{short} accuracy"]] = rows[["epochs", "seconds", "accuracy"]]
    for short in ("SH", "2PH"):
        table[f"{short} regret against brute force"] = table["BF accuracy"] - table[f"{short} accuracy"]
    for short in chosen:
        table[f"{short} regret against the best"] = chosen[short]["best"] - table[f"{short} accuracy"]
    return table


def table_methods(evidence: Evidence) -> pd.DataFrame:
    """Cost and regret of every method over all datasets, means with 95 % bootstrap intervals; each single proxy below."""
    turns = turns_of(evidence)
    chosen = alternatives(turns)
    chosen |= {
        f"two-phase, {variant}": of(turns, "two-phase", variant=variant) for variant in (NESTED, NESTED_SINGLETONS)
    }
    chosen |= {f"favourite of {proxy} on all": of(turns, "best proxy", variant=proxy) for proxy in real_proxies(turns)}
    reference, rows = chosen["brute force"]["accuracy"], {}
    for method, table in chosen.items():
        accuracy = table["accuracy"]
        rows[method] = {"epochs": table["epochs"].mean(), "seconds": table["seconds"].mean()}
        rows[method]["accuracy"] = with_interval(accuracy)
        rows[method]["regret against brute force"] = with_interval(reference - accuracy)
        rows[method]["regret against the best"] = with_interval(table["best"] - accuracy)
    return save_table(pd.DataFrame(rows).T.rename_axis("method").infer_objects(), "table_methods", evidence.name)


def table_against(evidence: Evidence) -> pd.DataFrame:
    """Each alternative against the two phases: paired difference of accuracies with its interval, ratio of costs.

    Returns:
        A row an alternative, the most accurate first: difference, low, high (its accuracy minus that of the two phases),
        it is (better, worse, or neither), epochs and seconds (its cost as a multiple of theirs).
    """
    chosen = alternatives(turns_of(evidence))
    two, rows = chosen.pop("two-phase"), {}
    for method, table in chosen.items():
        change = table["accuracy"] - two["accuracy"]
        low, high = interval(change)
        said = "better" if low > 0 else "worse" if high < 0 else "neither, within the interval"
        rows[method] = {"difference": change.mean(), "low": low, "high": high, "it is": said}
        rows[method] |= {unit: table[unit].mean() / two[unit].mean() for unit in ("epochs", "seconds")}
    table = pd.DataFrame(rows).T.rename_axis("alternative").infer_objects()
    return save_table(table.sort_values("difference", ascending=False), "table_against", evidence.name)


def answer(evidence: Evidence, everything: pd.DataFrame, table: pd.DataFrame) -> str:
    """What the two phases save and lose, and which alternatives are better, cost no more and are no worse, or are worse."""
    cheap = table[(table["epochs"] <= 1) & (table["it is"] != "worse")]
    groups = {
        "Better than the two phases": table[table["it is"] == "better"],
        "No worse, for no more epochs": cheap[cheap["it is"] != "better"],
        "Worse": table[table["it is"] == "worse"],
    }
    saved = (everything["BF epochs"] / everything["2PH epochs"]).mean()
    lost = everything["2PH regret against brute force"]
    said = [
        f"**Answer.** Starting from all {len(evidence.models)} models, the two phases take {saved:.1f} times fewer epochs than "
        f"brute force and lose {with_interval(lost)} of accuracy to its pick. Of the {len(table)} alternatives below:"
    ]
    for start, rows in groups.items():
        each = [
            f"{name} ({row['difference']:+.2f}, {row['epochs']:.1f} times the epochs)" for name, row in rows.iterrows()
        ]
        said.append(f"**{start}:** {'; '.join(each) or 'none'}.")
    end = f"Differences of test accuracy, paired over {len(lost)} datasets, each left out as the target. For the others the interval contains zero."
    return "\n\n".join([*said, end])


def figure_against(table: pd.DataFrame, name: str):
    """`table_against` as a picture: the difference of accuracies with its interval; the cost stands at the right."""
    table = table.dropna(subset="difference").iloc[::-1]
    colours = {"better": plots.BLUE, "worse": plots.RED}
    with plots.style():
        figure, (axis,) = plots.panels(1, height=0.8 + 0.17 * len(table), width=5.4)
        for place, (_, row) in enumerate(table.iterrows()):
            colour = colours.get(row["it is"], plots.GREY)
            axis.plot([row["low"], row["high"]], [place, place], color=colour, lw=1.5)
            axis.plot(row["difference"], place, "o", ms=4, color=colour)
        axis.axvline(0, color="black", lw=0.8)
        axis.set_yticks(range(len(table)), table.index)
        cost = axis.secondary_yaxis("right")
        cost.set_yticks(range(len(table)), [f"{epochs:.1f}x" for epochs in table["epochs"]])
        cost.tick_params(length=0)
        cost.spines["right"].set_visible(False)
        axis.set(
            xlabel="accuracy minus that of the two phases; right: epochs as a multiple of theirs",
            ylim=(-0.7, len(table) - 0.3),
        )
        return save_figure(figure, "figure_against", name)


def table_6(evidence: Evidence, everything: pd.DataFrame) -> pd.DataFrame:
    """Table VI: epochs of two-phase, speed-ups in epochs and in measured seconds, accuracies; the paper's rows below."""
    columns = ["2PH epochs", "vs. BF", "vs. SH", "vs. BF (seconds)", "vs. SH (seconds)", "BF acc", "SH acc", "2PH acc"]
    rows = {}
    for target in evidence.targets:
        e = everything.loc[target]
        ratios = [e[f"{short} {unit}"] / e[f"2PH {unit}"] for unit in ("epochs", "seconds") for short in ("BF", "SH")]
        values = (e["2PH epochs"], *ratios, e["BF accuracy"], e["SH accuracy"], e["2PH accuracy"])
        rows["ours", target] = dict(zip(columns, values, strict=True))
    for target, (cost, bf, sh, *accuracies) in paper.TABLE_6[evidence.domain].items():
        rows["paper", target] = dict(zip(columns, (cost, bf, sh, None, None, *accuracies), strict=True))
    table = pd.DataFrame(rows).T.rename_axis(["source", "target"]).astype(float)
    return save_table(table, "table_6", evidence.name)


def summary(evidence: Evidence, everything: pd.DataFrame) -> pd.DataFrame:
    """Means with 95 % bootstrap intervals over all datasets, as configured and with choices made in each fold.

    The targets alone are too few for an interval: their column has plain means.
    """
    everywhere, four = f"all {len(everything)} datasets", everything.loc[evidence.targets]
    folds = all_datasets(evidence, NESTED)
    groups = {
        f"{len(four)} targets": (four, lambda values, digits: f"{values.mean():.{digits}f}"),
        everywhere: (everything, with_interval),
        f"{everywhere}, {NESTED}": (folds, with_interval),
    }
    table = {}
    for name, (rows, said) in groups.items():
        column = table[name] = {}
        for short, method in (("BF", "brute force"), ("SH", "halving")):
            for unit in ("epochs", "seconds"):
                ratio = rows[f"{short} {unit}"] / rows[f"2PH {unit}"]
                column[f"speed-up against {method} ({unit})"] = said(ratio, 1)
        for short in ("2PH", "SH"):
            column[f"{short} regret against brute force's pick"] = said(rows[f"{short} regret against brute force"], 3)
        for short in ("2PH", "SH", "BF"):
            column[f"{short} regret against the best by test"] = said(rows[f"{short} regret against the best"], 3)
    return save_table(pd.DataFrame(table).rename_axis("quantity"), "table_summary", evidence.name)


def as_fast_as_printed(evidence: Evidence) -> Measured:
    """The paper's speed-up against brute force: the line is a hundredth below the least printed, which is rounded."""
    table, printed = all_datasets(evidence), [row[1] for row in paper.TABLE_6[evidence.domain].values()]
    return above(table["BF epochs"] / table["2PH epochs"], min(printed) - 0.01)


def as_accurate(evidence: Evidence) -> Measured:
    """The paper's accuracy close to brute force: within a point on average."""
    return same(all_datasets(evidence)["2PH regret against brute force"])


def verdict(evidence: Evidence, everything: pd.DataFrame) -> str:
    """The paper's two headline claims against ours: the speed-up, and accuracy close to brute force (S13, S18)."""
    fast, close = as_fast_as_printed(evidence), as_accurate(evidence)
    printed = [row[1] for row in paper.TABLE_6[evidence.domain].values()]
    regret = everything["2PH regret against brute force"].astype(float)
    paper_loss = max(row[3] - row[5] for row in paper.TABLE_6[evidence.domain].values())
    worst = f"at most {regret.max():.3f} (on {regret.idxmax().replace('_', ' ')})"
    return (
        f"**Cost.** The paper prints {min(printed):.1f} to {max(printed):.1f} times fewer epochs than brute force. Here it is "
        f"{fast.said(1)}. That it is at least as fast as printed: **{fast.verdict}** (claim S13).\n\n"
        f"**Accuracy.** The paper loses at most {paper_loss:.3f} to brute force. Here the model selected loses "
        f"{close.said()} on average, and {worst}. That it is as accurate, within a point on average: **{close.verdict}** (claim "
        "S18).\n\n"
        "**One rule for both.** *Holds*: the whole interval satisfies the statement. *Does not hold*: no part of it does. "
        "*Not settled*: some of it does."
    )


def figure_cost(evidence: Evidence):
    """Regret against the best by test over cost in epochs: every method, means with their intervals."""
    with plots.style():
        figure, (axis,) = plots.panels(1, height=3.6, width=plots.PAGE)
        draw_cost(axis, alternatives(turns_of(evidence)))
        figure.legend(*axis.get_legend_handles_labels(), loc="outside right upper")
        return save_figure(figure, "figure_cost", evidence.name)


def table_7(evidence: Evidence) -> pd.DataFrame:
    """Table VII: the selected model, its accuracy, its rank in the recall (from 0) and the recalled models' average."""
    columns, rows = ("selected model", "accuracy", "rank in recall", "average of recalled"), {}
    for target in evidence.targets:
        chosen, average = evidence.two_phase(target), evidence.final(target)[evidence.recalled(target)].mean()
        rank = int(chosen.recall.loc[chosen.winner, "rank"]) - 1
        rows["ours", target] = dict(zip(columns, (chosen.winner, chosen.test, rank, average), strict=True))
    for target, values in paper.TABLE_7[evidence.domain].items():
        rows["paper", target] = dict(zip(columns, values, strict=True))
    return save_table(pd.DataFrame(rows).T.rename_axis(["source", "target"]), "table_7", evidence.name)
