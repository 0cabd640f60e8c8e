"""How few benchmark datasets are enough, and how much of a regret is a seed's luck."""

import pandas as pd

from reproduction.compact import ALL, CHANCE, GREEDY, SIZES, regrets
from reproduction.evidence import Evidence
from reproduction.leave_one_out import NESTED, of, turns_of
from reproduction.tables import interval, save_figure, with_interval
from reproduction.verdicts import Measured, above, same, untested
from twophase.infra import plots

LOOK = {GREEDY: (plots.BLUE, "o"), CHANCE: (plots.ORANGE, "s"), ALL: (plots.GREY, "D")}
FEW = untested("the benchmark datasets are too few to choose among")


def figure_compact(evidence: Evidence):
    """Regret against brute force's pick by the number of benchmark datasets that are known, with 95 % intervals."""
    found = regrets(evidence)
    with plots.style():
        figure, (axis,) = plots.panels(1, height=2.4, width=plots.COLUMN)
        for choice, (colour, marker) in () if found.empty else LOOK.items():
            for number, size in enumerate(found[choice]):
                lost = found[choice, size]
                low, high = interval(lost)
                span = [[lost.mean() - low], [high - lost.mean()]]
                label = {"label": choice if choice == ALL else f"chosen {choice}"} if number == 0 else {}
                place = size + (choice == CHANCE) * 0.3  # beside each other, not on top
                axis.errorbar(
                    place, lost.mean(), span, color=colour, marker=marker, ms=4, capsize=2, lw=1, ls="", **label
                )
        axis.axhline(0, color="black", lw=0.6)
        axis.set(xlabel="benchmark datasets known", ylabel="regret against\nbrute force's pick")
        axis.set_xticks(sorted({size for _, size in found}))
        figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=3)
        return save_figure(figure, "figure_compact", evidence.name)


def chosen_better(evidence: Evidence) -> Measured:
    """Regret with the fewest datasets at random minus that with as many chosen."""
    found, few = regrets(evidence), SIZES[0]
    return FEW if found.empty else above(found[CHANCE, few] - found[GREEDY, few])


def few_as_all(evidence: Evidence) -> Measured:
    """Regret with the fewest datasets, chosen, minus that with all."""
    found = regrets(evidence)
    return FEW if found.empty else same(found[GREEDY, SIZES[0]] - found[ALL].squeeze(axis=1))


def compact_said(evidence: Evidence) -> str:
    """What the fewest datasets are worth, chosen or not."""
    found, few = regrets(evidence), SIZES[0]
    if found.empty:
        return "There are too few benchmark datasets here to choose among."
    better, enough, most = chosen_better(evidence), few_as_all(evidence), found[ALL].columns[0]
    return (
        f"With **{few} of {most}** benchmark datasets, chosen by predictive density, the leader loses "
        f"{with_interval(found[GREEDY, few])} to brute force's pick; with {few} at random {with_interval(found[CHANCE, few])}; with all "
        f"{most}, {with_interval(found[ALL].squeeze(axis=1))}. Choosing gains {better.said()} over chance; that it is better: "
        f"**{better.verdict}** (claim B6). It loses {enough.said()} to all {most}; that {few} so chosen do as well, within a point: "
        f"**{enough.verdict}** (claim B7)."
    )


def again(evidence: Evidence) -> pd.DataFrame:
    """Each dataset's best models trained again with another seed, a row a dataset.

    Columns: kept (second test of brute force's pick minus its first), still best (whether it is the best of them again),
    leader (second test of brute force's pick minus that of the leader's model; NaN where that is not among them).
    """
    turns = turns_of(evidence)
    brute, leader = of(turns, "brute force"), of(turns, "leader", variant=NESTED)
    rows = {}
    for dataset in evidence.everything:
        second, pick = evidence.second_seed.final(dataset), brute.loc[dataset, "winner"]
        if pick in second:
            theirs = second.get(leader.loc[dataset, "winner"], float("nan"))
            row = {"kept": second[pick] - brute.loc[dataset, "accuracy"], "still best": second[pick] >= second.max()}
            rows[dataset] = row | {"leader": second[pick] - theirs}
    return pd.DataFrame(rows).T.rename_axis("dataset").astype({"kept": float, "still best": bool, "leader": float})


def again_same(evidence: Evidence) -> Measured:
    """What the leader's model loses to brute force's pick when both are trained again."""
    return same(again(evidence)["leader"].dropna())


def again_said(evidence: Evidence) -> str:
    """How much of a regret is a seed's luck."""
    found, here = again(evidence), again_same(evidence)
    return (
        f"Trained again with another seed, brute force's pick changes by {with_interval(found['kept'])}, and is the best of the "
        f"five again on **{int(found['still best'].sum())} of {len(found)}** datasets. The leader's model is among the five on "
        f"{int(found['leader'].notna().sum())}; there it loses {here.said()} to brute force's pick, with neither test seen "
        f"by the choice; within a point: **{here.verdict}** (claim B8)."
    )
