"""Notebook 07: where the released code differs from the paper, and what each difference changes."""

import pandas as pd

from reproduction.claims import LEDGER
from reproduction.evidence import Evidence
from reproduction.tables import save_figure, save_table
from reproduction.verdicts import FAILS, HOLDS, OPEN, UNTESTED
from twophase.infra import plots


def tested(evidence: Evidence) -> pd.DataFrame:
    """What `claims.tested` found for the domain, as the stage wrote it."""
    return pd.read_csv(evidence.results / "claims" / f"{evidence.domain}.csv", index_col="number")


def table_released(evidence: Evidence) -> pd.DataFrame:
    """Each difference between paper and released code: what was measured, its interval, the verdict."""
    rows = {}
    for number, measured in tested(evidence).filter(like="D", axis=0).iterrows():
        claim = LEDGER[number]
        rows[number] = {"where": claim.place, "statement": claim.claim, "quantity": claim.quantity}
        rows[number] |= {"paper or release": claim.paper.get(evidence.domain, ""), "measured": measured["value"]}
        rows[number] |= measured[["low", "high", "verdict"]].to_dict()
    return save_table(pd.DataFrame(rows).T.rename_axis("number").infer_objects(), "table_released", evidence.name)


def figure_leep(evidence: Evidence):
    """LEEP through the source head and through a re-initialised one, against the final accuracy, on each target."""
    with plots.style():
        figure, axes = plots.panels(len(evidence.targets), columns=4, height=2.2)
        for axis, target in zip(axes, evidence.targets, strict=True):
            final = evidence.final(target)
            for name, colour, mark in (("leep", plots.BLUE, "o"), ("leep_reinitialised", plots.RED, "x")):
                here = evidence.proxies.query("dataset == @target and proxy == @name").set_index("model")["score"]
                label = "source head (paper)" if name == "leep" else "re-initialised head (released)"
                axis.plot(here, final.loc[here.index], ls="", marker=mark, ms=3, color=colour, label=label)
            axis.set(title=target.replace("_", " "), xlabel="LEEP (nats)")
            axis.set(ylabel="final test accuracy" if axis is axes[0] else "")
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
        return save_figure(figure, "figure_leep", evidence.name)


def answer(evidence: Evidence, table: pd.DataFrame) -> str:
    """How many differences change something, and what the largest one, the random head, does."""
    counts, found = table["verdict"].value_counts(), tested(evidence)
    start = (
        f"**Answer.** Of {len(table)} statements about the differences, {counts.get(HOLDS, 0)} hold: the difference matters here. "
        f"{counts.get(FAILS, 0)} do not, and {counts.get(OPEN, 0)} are not settled."
    )
    if found.loc["D4", "verdict"] == UNTESTED:
        return f"{start} LEEP through a random head was not tested: {found.loc['D4', 'why']}."
    share, change = found.loc["D4"], found.loc["D6"]
    return (
        f"{start} The random head matters most: {share['value']:.0%} of the LEEP scores made through it lie within a thousandth of "
        f"a nat of their dataset's median{', so that the prior alone decides' if found.loc['D5', 'verdict'] == HOLDS else ''}, and the accuracy of the "
        f"model selected changes by {_with_span(change, '+.3f')} against the paper's method."
    )


def reading(table: pd.DataFrame) -> str:
    """Which differences change something here, which do not, and which these datasets cannot settle."""
    said = []
    for verdict, start in ((HOLDS, "Hold: the difference matters"), (FAILS, "Do not hold"), (OPEN, "Not settled")):
        rows = [f"- {row['statement']} ({number})" for number, row in table[table["verdict"] == verdict].iterrows()]
        said.append("\n".join([f"**{start}**", "", *(rows or ["- none"])]))
    return "\n\n".join(said)


def verdict(evidence: Evidence) -> str:
    """How constant the re-initialised scores are, and what the recall still knows."""
    found = tested(evidence)
    if found.loc["D4", "verdict"] == UNTESTED:
        return f"Not tested: {found.loc['D4', 'why']}."
    rho, order, own = (found.loc[number] for number in ("D5", "D18", "R5"))
    decided = "the prior decides the recall" if rho["verdict"] == HOLDS else "the proxy still has a say"
    return (
        f"The *order* of these scores still says something: its rank correlation with the final accuracy is {_with_span(order)}, "
        f"that of LEEP through the models' own heads {_with_span(own)} (over the models that have one). A random head is a random "
        f"projection of good or bad features. What it loses is the scale: exp(LEEP) of scores so close together is nearly the "
        f"same number for every model, Eq. 2 multiplies each prior by it, and {decided} (rank correlation of recall score and "
        f"prior among clustered models: {_with_span(rho)})."
    )


def _with_span(row: pd.Series, digits: str = ".2f") -> str:
    return f"{row['value']:{digits}} [{row['low']:{digits}}, {row['high']:{digits}}]"
