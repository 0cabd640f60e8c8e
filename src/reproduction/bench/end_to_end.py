"""Part *end_to_end*: the two phases beside what one would do instead, on targets, each really training, in seconds.

One worker, one thread, the models of a stage one after the other; each method with runs of its own, in turn. `seconds` is
wall-clock, proxies, checkpoints and loading included; clusters are made before, as they do not depend on the target.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import pandas as pd
from tqdm import tqdm

from reproduction import evidence
from reproduction.baselines import asynchronous_halving
from reproduction.bench.sides import in_turn
from reproduction.bench.zoo import Live, live
from twophase.infra.compute import single_thread
from twophase.pipeline import two_phase, with_headless
from twophase.runs import LiveRuns
from twophase.selection import Selection, brute_force, successive_halving
from twophase.training import finetuning, resumable
from twophase.training.features import score_cell
from twophase.training.tasks import load


def run(settings: Mapping[str, Any], repeats: int) -> pd.DataFrame:
    """Every method on every target, with another seed each repeat.

    Args:
        settings: `targets`: domain -> names.
        repeats: seeds, of heads, order and dropout, and of the order in which asynchronous halving takes the models.

    Returns:
        domain, target, side (2PH, BF, SH, ASHA), repeat, seconds, trained (seconds of the epochs alone), epochs
        (model-epochs, as the paper counts), winner, test.

    Raises:
        UserError: zoo, data or records are not there.
    """
    rows = []
    for domain, targets in settings["targets"].items():
        zoo, known = live(domain), evidence.load(domain)
        jobs = [(target, seed) for target in targets for seed in range(repeats)]
        for target, seed in tqdm(jobs, desc=f"{domain} end to end", unit="selection of four"):
            known.clusters(target)
            sides = {name: partial(_alone, method, zoo, known, target, seed) for name, method in METHODS.items()}
            with single_thread():
                if not rows:
                    _two_phase(zoo, known, target, seed)  # imports and first calls
                for row in in_turn(sides, 1, warm=False):
                    found: Selection = row["result"]
                    rows.append({
                        "domain": domain, "target": target, "side": row["side"], "repeat": seed + 1,
                        "seconds": row["seconds"], "trained": found.seconds, "epochs": found.epochs,
                        "winner": found.winner, "test": found.test,
                    })  # fmt: skip
    return pd.DataFrame(rows)


def _alone(method: Callable[..., Selection], *given: Any) -> Selection:
    """A method that finds nothing encoded by the one before it."""
    for kept in (finetuning._ENCODED, resumable._ENCODED):
        kept.clear()
    return method(*given)


def _runs(zoo: Live, known: evidence.Evidence, target: str, seed: int) -> LiveRuns:
    config = zoo.params.domain[zoo.domain].training
    folders = {name: zoo.model(name) for name in known.models}
    return LiveRuns(folders, load(zoo.task(target)), config, seed, progress=False, dataset=target)


def _two_phase(zoo: Live, known: evidence.Evidence, target: str, seed: int) -> Selection:
    """As configured: proxies of the representatives, recall, fine-selection."""
    params, runs = zoo.params, _runs(zoo, known, target, seed)
    chosen, proxy = params.selection, params.proxy
    seconds = []

    def score(models: list[str]) -> dict[str, float]:
        asked = [proxy.name, proxy.headless]
        rows = {
            model: {row["proxy"]: row for row in score_cell(zoo.model(model), zoo.task(target), asked)}
            for model in models
        }
        table = pd.DataFrame(rows, index=asked).T
        found = with_headless(table, proxy.name, proxy.headless)
        seconds.extend(row["seconds"] for row in found)
        return {model: row["score"] for model, row in found.items()}

    found = two_phase(
        runs, known.matrix(target), known.known(target), known.clusters(target), score, known.top, chosen.threshold,
        chosen.n_trends, chosen.threshold_kind, params.recall.epochs_per_proxy, normalization=proxy.normalization,
    )  # fmt: skip
    return replace(found, seconds=found.seconds + sum(seconds))


def _brute_force(zoo: Live, known: evidence.Evidence, target: str, seed: int) -> Selection:
    return brute_force(_runs(zoo, known, target, seed), known.models)


def _successive_halving(zoo: Live, known: evidence.Evidence, target: str, seed: int) -> Selection:
    return successive_halving(_runs(zoo, known, target, seed), known.models)


def _asynchronous_halving(zoo: Live, known: evidence.Evidence, target: str, seed: int) -> Selection:
    return asynchronous_halving(_runs(zoo, known, target, seed), known.models, seed)


METHODS = {"2PH": _two_phase, "BF": _brute_force, "SH": _successive_halving, "ASHA": _asynchronous_halving}
