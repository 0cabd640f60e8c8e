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


def reading(table: pd.DataFrame) -> str:
    """Which differences change something here, which do not, and which these datasets cannot settle."""
    said = []
    for verdict, start in ((HOLDS, "Changes something"), (FAILS, "Changes nothing to speak of"), (OPEN, "Not settled")):
        here = table[table["verdict"] == verdict]
        rows = [f"{row['statement']} ({number}, {row['measured']:+.3f})" for number, row in here.iterrows()]
        said.append(f"**{start}** ({len(rows)} of {len(table)}): {'; '.join(rows) or 'none'}.")
    return "\n\n".join(said)


def verdict(evidence: Evidence) -> str:
    """How constant the re-initialised scores are, and what the recall still knows."""
    found = tested(evidence)
    if found.loc["D4", "verdict"] == UNTESTED:
        return f"Not tested: {found.loc['D4', 'why']}."
    share, rho, change, order = (found.loc[number] for number in ("D4", "D5", "D6", "D18"))
    own = found.loc["R5"]
    decided = "the prior decides the recall" if rho["verdict"] == HOLDS else "the proxy still has a say"
    return (
        f"**{share['value']:.0%}** of the scores through a re-initialised head lie within a thousandth of a nat of their "
        f"dataset's median (36 of 39 in the release). Their *order* still says something: its rank correlation with the final "
        f"accuracy is {_with_span(order)}, over all models; that of LEEP through the models' own heads, where there are any, "
        f"is {_with_span(own)}. A random head is a random projection of good or bad features, and what it loses is the scale. "
        f"exp(LEEP) of scores that close together is nearly the same number for every model, so Eq. 2 multiplies each prior by "
        f"the same factor: recall score and prior of the clustered models then agree by {_with_span(rho)}, and {decided}. The "
        f"model selected in the end is {_with_span(change, '+.3f')} in accuracy away from that of the paper's method."
    )


def _with_span(row: pd.Series, digits: str = ".3f") -> str:
    return f"{row['value']:{digits}} [{row['low']:{digits}}, {row['high']:{digits}}]"
