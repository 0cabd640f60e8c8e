"""Notebook 08: what each parameter does. `run` makes the experiments (DVC's), the rest draws them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd

from .. import plots
from ..errors import UserError
from .evidence import root

QUANTITIES = {
    "speed_up_brute_force": "speed-up (epochs)",
    "regret_best": "regret (accuracy)",
    "gain": "gain of the recalled",
}
STYLE = {"cv": (plots.BLUE, "o"), "nlp": (plots.ORANGE, "s")}


def commands(sweep: dict[str, list]) -> list[tuple[str, str, list[str]]]:
    """Parameter, value and domains of each experiment that conf/ablations.yaml asks for, one parameter at a time."""
    found = []
    for parameter, values in sweep.items():
        first = parameter.split(".")[0]
        found += [(parameter, str(value), [first] if first in STYLE else list(STYLE)) for value in values]
    return found


def run(sweep: dict[str, list], target: Path) -> pd.DataFrame:
    """Run each experiment in a temporary copy (`dvc exp run --temp -S …`) and write its metrics as a row each.

    What an experiment needs and another has computed is not computed again; a stopped sweep goes on from there.

    Args:
        sweep: parameter -> values.
        target: csv to write; rewritten after every experiment.

    Raises:
        UserError: an experiment failed, with the end of its output.
    """
    import dvc.api
    from tqdm.auto import tqdm

    rows = [("configured", "", d, json.loads(Path(f"results/metrics/{d}.json").read_text())) for d in STYLE]
    for parameter, value, domains in tqdm(commands(sweep), desc="ablations", unit="experiment"):
        name = f"ablation-{parameter}-{value}".replace(".", "-").replace("_", "-").lower()
        stages = [f"metrics@{domain}" for domain in domains]
        command = [sys.executable, "-m", "dvc", "exp", "run", "--temp", "-f", "-n", name, "-S", f"{parameter}={value}"]
        done = subprocess.run([*command, *stages], capture_output=True, text=True)
        if done.returncode:
            raise UserError(f"{parameter}={value}: the experiment failed:\n{(done.stdout + done.stderr)[-2000:]}")
        found = dvc.api.metrics_show(rev=name)
        rows += [(parameter, value, domain, _of(found, domain)) for domain in domains]
        frame = pd.DataFrame([{"parameter": p, "value": v, "domain": d} | metrics for p, v, d, metrics in rows])
        frame.to_csv(target, index=False, lineterminator="\n")
    return frame


def _of(metrics: dict, domain: str) -> dict[str, float]:
    names = QUANTITIES.keys() | {"speed_up_halving", "regret_brute_force", "contains_best", "clusters", "proxies"}
    nested = metrics.get(f"results/metrics/{domain}.json", metrics)
    return {name: nested[name] for name in sorted(names)}


def load() -> pd.DataFrame:
    """The committed experiments: parameter, value (text), domain, and the metrics."""
    path = root() / "results" / "ablations.csv"
    if not path.is_file():
        raise UserError(f"{path} is not there; run `make ablations`.")
    return pd.read_csv(path, dtype={"value": str}, keep_default_na=False)


def table(found: pd.DataFrame) -> pd.DataFrame:
    """A row an experiment, the configured run first, a block of columns a domain."""
    shown = [*QUANTITIES, "contains_best"]
    wide = found.pivot_table(index=["parameter", "value"], columns="domain", values=shown, sort=False)
    return wide.swaplevel(axis=1).sort_index(axis=1, level=0, sort_remaining=False)


def verdict(found: pd.DataFrame) -> str:
    """How far each parameter moves the regret of the selected model, the widest range first."""
    said = []
    for domain in STYLE:
        here = found[(found["domain"] == domain) & (found["parameter"] != "configured")]
        spans = here.groupby("parameter")["regret_best"].agg(["min", "max"])
        spans = spans.loc[(spans["max"] - spans["min"]).sort_values(ascending=False).index]
        rows = [f"`{name}` from {low:.3f} to {high:.3f}" for name, low, high in spans.itertuples()]
        said.append(f"**{domain}**: regret goes, over the values tried of {'; '.join(rows)}.")
    return "\n\n".join(said)


def figure_ablations(found: pd.DataFrame):
    """A row a quantity, a column a parameter; the dashed line is the configured run."""
    swept = [p for p in found["parameter"].unique() if p != "configured"]
    kinds = {p: p.split(".", 1)[1] if p.split(".")[0] in STYLE else p for p in swept}
    names = list(dict.fromkeys(kinds.values()))
    with plots.style():
        figure, axes = plots.panels(
            len(names) * len(QUANTITIES), columns=len(names), height=1.7, width=1.55 * len(names)
        )
        for number, (quantity, label) in enumerate(QUANTITIES.items()):
            for column, name in enumerate(names):
                axis = axes[number * len(names) + column]
                _panel(axis, found, [p for p in swept if kinds[p] == name], quantity)
                axis.set(title=name if number == 0 else "", ylabel=label if column == 0 else "")
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
        return plots.save(figure, "figure_ablations")


def _panel(axis, found: pd.DataFrame, parameters: list[str], quantity: str) -> None:
    values = list(dict.fromkeys(found[found["parameter"].isin(parameters)]["value"]))
    for domain, (colour, mark) in STYLE.items():
        here = found[(found["domain"] == domain) & found["parameter"].isin(parameters)]
        axis.plot(
            [values.index(v) for v in here["value"]], here[quantity], marker=mark, ms=3, color=colour, label=domain
        )
        configured = found[(found["parameter"] == "configured") & (found["domain"] == domain)][quantity]
        axis.axhline(float(configured.iloc[0]), color=colour, ls="--", lw=0.8, label=f"{domain}, as configured")
    axis.set_xticks(range(len(values)), values, rotation=45, ha="right")


def main() -> int:
    """`make ablations`. Returns 0, or 2 for the user's fault."""
    import yaml

    try:
        sweep = yaml.safe_load(Path("conf/ablations.yaml").read_text())
        run(sweep, Path("results/ablations.csv"))
    except UserError as error:
        print(f"twophase: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
