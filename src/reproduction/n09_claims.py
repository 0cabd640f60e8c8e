"""Notebook 09: the ledger of claims as a table and a picture, and regret against cost for all domains."""

import pandas as pd

from reproduction.alternatives import alternatives, draw_cost
from reproduction.claims import LEDGER
from reproduction.claims import ledger as made
from reproduction.evidence import MODALITY
from reproduction.tables import save_figure
from reproduction.verdicts import BY_DESIGN, FAILS, HOLDS, OPEN, UNTESTED
from twophase.infra import plots
from twophase.infra.config import root
from twophase.sources.live import parameters

NAMED = {  # methods named in `figure_regret`, and how many points away
    "brute force": (-2, -11),
    "two-phase": (12, 26),
    "linear probe of every model": (2, -36),
    "linear classifier, no model": (6, 16),
    "one at random": (8, 0),
}
COLOURS = {
    HOLDS: plots.BLUE,
    "holds in part": "#8FC1E3",
    OPEN: "#D9D9D9",
    FAILS: plots.RED,
    BY_DESIGN: "#F3E9C6",
    UNTESTED: "#FFFFFF",
}
SECTIONS = {
    "C": "Clusters",
    "R": "Recall",
    "T": "Trends",
    "S": "Selection",
    "D": "Released code",
    "N": "Simpler methods, not in the paper",
    "B": "Beyond the paper",
}


def measured() -> dict[str, pd.DataFrame]:
    """Domain -> its tested claims; "published" among them where `make published` has tested them."""
    folder, domains = root() / "results" / "claims", parameters.read(root() / "params.yaml").domain
    names = [*domains, *(["published"] if (folder / "published.csv").is_file() else [])]
    found = {name: pd.read_csv(folder / f"{name}.csv").set_index("number") for name in names}
    return {name: _whole(table) for name, table in found.items()}


def _whole(table: pd.DataFrame) -> pd.DataFrame:
    """With a row for each claim: `make published` may have been run before a claim was written."""
    table = table.reindex(list(LEDGER))
    return table.fillna({"verdict": UNTESTED, "why": "written after `make published` was run"}).reset_index(
        names="number"
    )


def ledger() -> pd.DataFrame:
    """All claims on all domains and on published records; written to results/claims.csv."""
    table = made(measured())
    table.to_csv(root() / "results" / "claims.csv", float_format="%.6g", lineterminator="\n")
    return table


def section(table: pd.DataFrame, letter: str):
    """The claims of one section; a domain's cell holds value and interval, its colour is the verdict."""
    here = table[table.index.str.startswith(letter)]
    shown = here[["claim", "place", "quantity", "paper"]].rename_axis(None)
    tables = measured()
    for name, table_of in tables.items():
        shown[name] = [_cell(row) for row in table_of.set_index("number").loc[here.index].to_dict("records")]
    names = list(tables)
    verdicts = here[[f"verdict {name}" for name in names]].set_axis(names, axis=1)
    styled = shown.style.set_properties(**{"text-align": "left"})
    styled.set_properties(subset=names, **{"white-space": "nowrap"})
    styled.set_table_styles([{"selector": "th", "props": "text-align: left"}])
    return styled.apply(lambda _: verdicts.map(lambda v: f"background-color: {COLOURS[v]}55"), axis=None, subset=names)


def _cell(row: dict) -> str:
    if pd.isna(row["value"]):
        return row["verdict"]
    span = "" if pd.isna(row["low"]) else f" [{row['low']:.3f}, {row['high']:.3f}]"
    return f"{row['value']:.3f}{span}<br>{row['verdict']}"


def _verdicts(table: pd.DataFrame) -> list[str]:
    return [name for name in table if name.startswith("verdict ")]


def figure_claims(table: pd.DataFrame):
    """One row per claim, one column per domain; the colour is the verdict."""
    from matplotlib.patches import Patch

    names = _verdicts(table)
    with plots.style():
        figure, (axis,) = plots.panels(1, height=0.135 * len(table) + 1.2, width=plots.PAGE)
        for row, (number, claim) in enumerate(table.iterrows()):
            for column, name in enumerate(names):
                axis.barh(row, 0.9, left=column, color=COLOURS[claim[name]], edgecolor="black", lw=0.3, height=0.85)
            axis.text(-0.1, row, f"{number}  {claim['claim']}", ha="right", va="center", fontsize=6.5)
        axis.set(xlim=(0, len(names)), ylim=(len(table) - 0.4, -0.6), yticks=[])
        axis.set_xticks([i + 0.45 for i in range(len(names))], [name.removeprefix("verdict ") for name in names])
        axis.xaxis.tick_top()
        axis.grid(False)
        axis.spines[:].set_visible(False)
        kinds = [kind for kind in COLOURS if kind != "holds in part"]
        handles = [Patch(facecolor=COLOURS[kind], edgecolor="black", lw=0.3, label=kind) for kind in kinds]
        figure.legend(handles=handles, loc="outside lower right", ncols=4)
        return save_figure(figure, "figure_claims")


def answer(table: pd.DataFrame) -> str:
    """`said`, as the answer of the notebook."""
    return f"**Answer.** {said(table)}"


def said(table: pd.DataFrame) -> str:
    """How many of the paper's claims hold, by domain, and which hold in none."""
    own = table[table.index.str[0].isin(list("CRTS"))]
    counted = []
    for name in _verdicts(table):
        here = own[name].value_counts()
        tested = sum(here.get(kind, 0) for kind in (HOLDS, OPEN, FAILS))
        where = MODALITY.get(name.removeprefix("verdict "), "on published records")
        counted.append(f"{here.get(HOLDS, 0)} of {tested} {where if where.startswith('on') else 'in ' + where}")
    live = [name for name in _verdicts(table) if not name.endswith("published")]
    none = own.index[(own[live] == FAILS).all(axis=1)]
    fail = "; ".join(f"{own.loc[number, 'claim']} ({number})" for number in none)
    return (
        f"Of the paper's claims that could be tested, these hold: {', '.join(counted)}. "
        f"{'In both domains these do not hold: ' + fail if fail else 'None fails in both domains'}."
    )


def counts(table: pd.DataFrame) -> pd.DataFrame:
    """How many claims of each section have which verdict, one block per domain."""
    rows = {}
    for letter, title in SECTIONS.items():
        here = table[table.index.str.startswith(letter)]
        for name in _verdicts(table):
            rows[title, name.removeprefix("verdict ")] = here[name].value_counts()
    wide = pd.DataFrame(rows).T.reindex(columns=[HOLDS, OPEN, FAILS, BY_DESIGN, UNTESTED])
    return wide.fillna(0).astype(int).rename_axis(["section", "domain"])


def figure_regret():
    """Regret against cost, one panel per domain: every method, means over all datasets with 95 % intervals."""
    params = parameters.read(root() / "params.yaml")
    with plots.style():
        figure, axes = plots.panels(len(params.domain), columns=2, height=3.6, sharey=True)
        for axis, domain in zip(axes, params.domain, strict=True):
            turns = pd.read_csv(root() / "results" / "leave_one_out" / f"{domain}.csv", keep_default_na=False)
            draw_cost(axis, alternatives(turns), NAMED)
            axis.set(title=f"{MODALITY.get(domain, domain)}, {turns['dataset'].nunique()} datasets")
            axis.set(ylabel=axis.get_ylabel() if axis is axes[0] else "")
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
        return save_figure(figure, "figure_regret")


def open_questions(table: pd.DataFrame) -> pd.DataFrame:
    """The claims that do not hold on some domain, with the reason."""
    names = _verdicts(table)
    here = table[(table[names] == FAILS).any(axis=1)]
    return here[["claim", *names, *[name for name in table if name.startswith("why")]]]
