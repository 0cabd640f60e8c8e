"""Notebook 08: what each parameter does, from the experiments of `reproduction.sweep`."""

import pandas as pd

from reproduction.evidence import MODALITY
from reproduction.tables import save_figure
from twophase.errors import UserError
from twophase.infra import plots
from twophase.infra.config import root

QUANTITIES = {
    "speed_up_brute_force": "speed-up (epochs)",
    "regret_best": "regret (accuracy)",
    "gain": "gain of the recalled\n(accuracy)",
}
STYLE = {"cv": (plots.BLUE, "o"), "nlp": (plots.ORANGE, "s")}


def load() -> pd.DataFrame:
    """The committed experiments: parameter, value (text), domain, and the metrics."""
    path = root() / "results" / "ablations.csv"
    if not path.is_file():
        raise UserError(f"{path} is not there; run `make ablations`.")
    return pd.read_csv(path, dtype={"value": str}).fillna({"value": "", "failure": ""})


def table(found: pd.DataFrame) -> pd.DataFrame:
    """One row per experiment, the configured run first, one block of columns per domain."""
    shown = [*QUANTITIES, "contains_best"]
    wide = found.pivot_table(index=["parameter", "value"], columns="domain", values=shown, sort=False)
    return wide.swaplevel(axis=1).sort_index(axis=1, level=0, sort_remaining=False)


def spans(found: pd.DataFrame, domain: str) -> pd.DataFrame:
    """Lowest and highest regret of a domain over the values tried of each parameter, the widest range first."""
    here = found[(found["domain"] == domain) & (found["parameter"] != "configured")]
    table = here.groupby("parameter")["regret_best"].agg(["min", "max"])
    return table.loc[(table["max"] - table["min"]).sort_values(ascending=False).index]


def answer(found: pd.DataFrame) -> str:
    """Which parameters move the regret most, and which hardly do."""
    said = []
    for domain in STYLE:
        table, own = spans(found, domain), _configured(found, domain)["regret_best"]
        wide = [f"`{name}` ({low:.3f} to {high:.3f})" for name, low, high in table.iloc[:2].itertuples()]
        least = table.index[-1]
        said.append(
            f"In {MODALITY[domain]}, where the configured run has a regret of {own:.3f}, it depends most on "
            f"{' and '.join(wide)}, least on `{least}`"
        )
    return f"**Answer.** It depends on the parameter. {'. '.join(said)}."


def _configured(found: pd.DataFrame, domain: str) -> pd.Series:
    return found[(found["parameter"] == "configured") & (found["domain"] == domain)].iloc[0]


def one_trend(found: pd.DataFrame) -> str:
    """What a single trend says about the trends."""
    said = []
    for domain in STYLE:
        own = _configured(found, domain)
        one = found.query("parameter == 'selection.n_trends' and value == '1' and domain == @domain").iloc[0]
        said.append(
            f"In {MODALITY[domain]} the regret is {one['regret_best']:.3f} instead of {own['regret_best']:.3f}, the speed-up "
            f"{one['speed_up_brute_force']:.1f} instead of {own['speed_up_brute_force']:.1f}"
        )
    return (
        "**With `n_trends` = 1** every prediction is the model's mean final accuracy on the benchmark datasets, whatever its "
        f"curve: there is nothing left to match. {'. '.join(said)}. That difference is all that matching curves to trends adds; "
        "notebook 5 has its interval (claim N3)."
    )


def figure_ablations(found: pd.DataFrame):
    """Four parameters per block, one row per quantity; the dashed lines are the configured run."""
    swept = [p for p in found["parameter"].unique() if p != "configured"]
    kinds = {p: p.split(".", 1)[1] if p.split(".")[0] in STYLE else p for p in swept}
    names = list(dict.fromkeys(kinds.values()))
    blocks = [names[start : start + 4] for start in range(0, len(names), 4)]
    cells = [(name, quantity) for block in blocks for quantity in QUANTITIES for name in (*block, *[""] * 3)[:4]]
    with plots.style():
        figure, axes = plots.panels(len(cells), columns=4, height=1.5)
        for place, (axis, (name, quantity)) in enumerate(zip(axes, cells, strict=True)):
            if not name:
                axis.set_axis_off()
                continue
            _panel(axis, found, [p for p in swept if kinds[p] == name], quantity)
            title = name if quantity == next(iter(QUANTITIES)) else ""
            axis.set(title=title, ylabel="" if place % 4 else QUANTITIES[quantity])
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
        return save_figure(figure, "figure_ablations")


def _panel(axis, found: pd.DataFrame, parameters: list[str], quantity: str) -> None:
    here = found[found["parameter"].isin(parameters)]
    values = list(dict.fromkeys(here["value"]))
    numeric = pd.to_numeric(pd.Series(values), errors="coerce").notna().all()
    if numeric:
        values.sort(key=float)
    for domain, (colour, mark) in STYLE.items():
        line = here[here["domain"] == domain].set_index("value")[quantity].reindex(values).dropna()
        places = [values.index(value) for value in line.index]
        axis.plot(places, line, marker=mark, ms=3, ls="-" if numeric else "", color=colour, label=domain)
        configured = found[(found["parameter"] == "configured") & (found["domain"] == domain)][quantity]
        axis.axhline(float(configured.iloc[0]), color=colour, ls="--", lw=0.8, label=f"{domain}, as configured")
    axis.set_xticks(range(len(values)), values, rotation=45, ha="right")
    axis.margins(x=0.1)
