"""`make ablations`: each value of `conf/ablations.yaml` as an experiment, one parameter at a time."""

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
from tqdm.auto import tqdm

from reproduction.evidence import METHOD, load
from reproduction.metrics import metrics
from twophase.errors import UserError, exit_code
from twophase.infra.compute import Failure, parallel_map
from twophase.sources.live import parameters

SWEEP, TARGET = Path("conf/ablations.yaml"), Path("results/ablations.csv")


def experiments(sweep: dict[str, list], domains: list[str]) -> list[tuple[str, str, list[str]]]:
    """Parameter, value and domains of each experiment; a key of one domain (`cv.cut`) concerns that domain alone.

    Raises UserError on a parameter without a list of values.
    """
    found = []
    for parameter, values in sweep.items():
        if not isinstance(values, list) or not values:
            raise UserError(f"{SWEEP}: {parameter} is {values!r}; allowed is a list of values, such as [1, 2]")
        first = parameter.split(".")[0]
        found += [(parameter, str(value), [first] if first in domains else domains) for value in values]
    return found


def run(sweep: dict[str, list], domains: list[str], overrides: tuple[str, ...] = ()) -> pd.DataFrame:
    """Run each experiment; its metrics are a row per domain of `TARGET`, the configured run first.

    What changes the method alone (`evidence.METHOD`) is computed from the records, side by side. What changes data, models or
    training runs in a temporary copy (`dvc exp run --temp -S …`); what it needs and another has computed is not computed
    again, so a stopped sweep soon is where it was. An experiment that fails is a row with the reason. `overrides` are those of
    params.yaml: DVC, which composes conf/ anew, would forget them. Columns: parameter, value, domain, the metrics of
    `reproduction.metrics`, failure.

    Raises:
        UserError: the configured run has no metrics yet.
    """
    rows = []
    for domain in domains:
        path = Path("results/metrics") / f"{domain}.json"
        if not path.is_file():
            raise UserError(f"{path} is not there yet; run `make repro`.")
        rows.append({"parameter": "configured", "value": "", "domain": domain, **json.loads(path.read_text())})
    items = [(domain, *one[:2]) for one in experiments(sweep, domains) for domain in one[2] if _change(domain, one[0])]
    quick = dict(zip(items, parallel_map(replayed, items, description="ablations"), strict=True))
    for parameter, value, chosen in tqdm(experiments(sweep, domains), desc="ablations", unit="experiment"):
        found = {domain: quick.get((domain, parameter, value)) for domain in chosen}
        if None in found.values():
            found = _by_dvc(parameter, value, chosen, overrides)
        for domain, measured in found.items():
            failed = isinstance(measured, Failure)
            row = {"failure": measured.reason} if failed else measured
            rows.append({"parameter": parameter, "value": value, "domain": domain, **row})
        frame = pd.DataFrame(rows)
        frame.assign(failure=frame.get("failure", "")).to_csv(TARGET, index=False, lineterminator="\n")
    return frame


def _change(domain: str, parameter: str) -> str | None:
    """The name under which `evidence.load` changes a parameter; None if the records do not cover it."""
    return next((name for name, key in METHOD.items() if key.format(domain=domain) == parameter), None)


def replayed(item: tuple[str, str, str]) -> dict[str, float]:
    """Metrics of a domain with one parameter changed, from its records; rounded as the stage rounds them."""
    domain, parameter, value = item
    found = metrics(load(domain, **{_change(domain, parameter): value}))
    return {name: round(number, 6) for name, number in found.items()}


def _by_dvc(parameter: str, value: str, domains: list[str], overrides: tuple[str, ...]) -> dict[str, dict | Failure]:
    """Domain -> its metrics, or why there are none."""
    import dvc.api

    name = re.sub("[^a-z0-9]+", "-", f"ablation {parameter} {value}".lower())
    failure = _run(name, [*overrides, f"{parameter}={value}"], domains)
    if failure:
        return dict.fromkeys(domains, Failure(failure))
    return {domain: dvc.api.metrics_show(f"results/metrics/{domain}.json", rev=name) for domain in domains}


def _run(name: str, overrides: list[str], domains: list[str]) -> str:
    """The reason why the experiment failed, empty if it did not."""
    dvc = [sys.executable, "-m", "dvc", "exp"]
    subprocess.run([*dvc, "remove", name], capture_output=True)  # of an earlier sweep, if there was one
    settings = [part for override in overrides for part in ("-S", override)]
    command = [*dvc, "run", "--temp", "-n", name, *settings, *(f"metrics@{domain}" for domain in domains)]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if not done.returncode:
        return ""
    output = (done.stdout + done.stderr).strip().splitlines()
    return next((line.removeprefix("twophase: ") for line in output if line.startswith("twophase: ")), output[-1])


@exit_code(f"interrupted; {TARGET} holds the experiments so far")
def main(arguments: list[str] | None = None) -> None:
    """Run the sweep in the project's folder."""
    import yaml

    description = f"run the experiments of {SWEEP}, one parameter at a time, and write {TARGET}"
    argparse.ArgumentParser(prog="python -m reproduction.sweep", description=description).parse_args(arguments)
    params = parameters.read()
    run(yaml.safe_load(SWEEP.read_text()), list(params.domain), params.overrides)


if __name__ == "__main__":
    sys.exit(main())
