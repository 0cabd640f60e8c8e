"""Every selection on every dataset: each benchmark dataset is left out as the target, too.

Prior, clusters and trends are made without the dataset whose turn it is. Notebooks 5 to 9 read this one table.
What a user would run instead are asynchronous halving and Hyperband, as Optuna implements them: both take the models one
after the other in a random order, each trained until the pruner stops it. Their cost differs from synchronous halving:
whoever comes early has little to be compared with and is trained longer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import comb
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from reproduction.evidence import Evidence, loaded
from reproduction.leading import PRICES, led, ridge, with_looks
from twophase.errors import UserError
from twophase.infra.compute import Failure, parallel_map
from twophase.runs import RecordedRuns, Runs
from twophase.selection import HISTORY, Selection, brute_force, successive_halving

if TYPE_CHECKING:
    from optuna.pruners import BasePruner

NESTED, NESTED_SINGLETONS = "chosen in each fold", "chosen in each fold, singletons scored"
ALL_EXAMPLES = "proxies on all examples"
THRESHOLDS = (0.0, 0.01, 0.05, 0.1)  # Table IV
FIRST, SECOND = "first learning rate", "second learning rate"  # among the models that were trained with both
ORDERS = 5  # random orders in which the asynchronous methods meet the models
COLUMNS = ["dataset", "role", "method", "candidates", "variant", "winner", "epochs", "seconds", "accuracy", "best"]
RECALLS = {  # what the released code does otherwise, and what the paper leaves open
    "exp normalisation": {"normalization": "exp"},
    "minimum-maximum normalisation": {"normalization": "minmax"},
    "each model's own proxy": {"proxy": "own"},
    "cosine for singletons": {"singleton_similarity": "cosine"},
    "re-initialised head": {"name": "leep_reinitialised", "normalization": "exp"},
}
RECALLS["all three"] = (
    RECALLS["each model's own proxy"] | RECALLS["cosine for singletons"] | RECALLS["re-initialised head"]
)


def turns(domain: str, targets: list[str], changes: Iterable[str] = ()) -> pd.DataFrame:
    """A row per dataset, method and variant; the datasets are shared out among the workers.

    Columns: dataset; role; method; candidates (all, recalled, or oracle: the truly best); variant (empty: as
    configured); winner (empty for an expectation or mean over random orders); epochs and seconds, proxies included;
    accuracy (test); best: accuracy of the truly best model, so that regret is best - accuracy.

    Args:
        domain: for example "cv".
        targets: the datasets.
        changes: of the configuration, see `evidence.load`.

    Raises:
        UserError: a dataset cannot be a target, with the reason.
    """
    items = [(domain, target, tuple(changes)) for target in targets]
    found = parallel_map(turn, items, description=f"{domain} leave one out")
    if failed := [result for result in found if isinstance(result, Failure)]:
        raise UserError(f"{len(failed)} of {len(found)} datasets could not be a target: {failed[0].reason}")
    return pd.DataFrame([row for rows in found for row in rows], columns=COLUMNS)


def turn(item: tuple[str, str, tuple]) -> list[tuple]:
    """The rows of one dataset."""
    domain, target, changes = item
    evidence = loaded(domain, changes)
    role = "target" if target in evidence.targets else "benchmark"
    best = {SECOND: evidence.second_rate.final(target).max()} if role == "target" else {}
    first = evidence.final(target).max()
    return [(target, role, *row, best.get(row[2], first)) for row in _all(evidence, target)]


def turns_of(evidence: Evidence) -> pd.DataFrame:
    """The turns of a domain as the stage wrote them; computed anew where `load` was told to change the method."""

    def made() -> pd.DataFrame:
        if evidence.changes:
            return turns(evidence.domain, evidence.everything, evidence.changes)
        return pd.read_csv(evidence.results / "leave_one_out" / f"{evidence.domain}.csv", keep_default_na=False)

    return evidence.once("turns", "", made)


def of(turns: pd.DataFrame, method: str, candidates: str = "all", variant: str = "") -> pd.DataFrame:
    """The rows of one method, indexed by dataset, the targets first; KeyError where there are none."""
    same = (turns["method"] == method) & (turns["candidates"] == candidates) & (turns["variant"] == variant)
    table = turns[same]
    if table.empty:
        raise KeyError(f"no turns of {method!r} among {candidates!r} models, variant {variant!r}")
    return table.set_index("dataset").drop(columns=["method", "candidates", "variant"])


def _all(evidence: Evidence, target: str) -> Iterator[tuple]:
    runs, recalled = evidence.runs(target), evidence.recalled(target)
    final = evidence.final(target)
    yield _row("brute force", "all", "", brute_force(runs, evidence.models))
    for candidates, models in {"all": evidence.models, "recalled": recalled}.items():
        yield _row("successive halving", candidates, "", successive_halving(runs, models))
    for candidates, models in {"all": evidence.models, "recalled": recalled}.items():
        yield _row("fine-selection", candidates, "", evidence.fine_selection(target, models))
    two_phase = evidence.two_phase(target)
    yield _row("two-phase", "all", "", two_phase)
    for variant, choice in _nested(evidence, target).items():
        yield _row("two-phase", "all", variant, evidence.two_phase(target, **choice))
    yield from _led(evidence, target)
    for limit in THRESHOLDS:
        for kind in ("relative", "absolute") if limit else ("relative",):  # at zero they are the same
            chosen = evidence.fine_selection(target, recalled, limit, kind)
            yield _row("fine-selection", "recalled", f"{kind} threshold {limit:g}", chosen)
    yield _row("fine-selection", "recalled", "one trend", evidence.fine_selection(target, recalled, n_trends=1))
    yield _row("two-phase", "all", "adaptive cut", evidence.two_phase(target, cut="adaptive"))
    yield from _instead(evidence, target, int(two_phase.epochs / runs.epochs))
    for variant, options in RECALLS.items():
        if options.get("name", evidence.params.proxy.name) in evidence.settings.proxies:
            yield _row("two-phase", "all", variant, evidence.two_phase(target, **options))
    oracle = list(final.nlargest(evidence.top).index)
    yield _row("successive halving", "oracle", "", successive_halving(runs, oracle))
    yield _row("fine-selection", "oracle", "", evidence.fine_selection(target, oracle))
    if target in evidence.targets:
        second, both = RecordedRuns(evidence.second_rate, target), list(evidence.second_rate.final(target).index)
        for rate, rerun in ((FIRST, runs), (SECOND, second)):
            yield _row("successive halving", "oracle", rate, successive_halving(rerun, both))
            yield _row("fine-selection", "oracle", rate, evidence.fine_selection(target, both, runs=rerun))


def _led(evidence: Evidence, target: str) -> Iterator[tuple]:
    """The leader: as configured, with choices made in each fold, at each price, and with proxies on all examples."""
    own = evidence.params.leader.price
    found = {price: with_looks(evidence, target, led(evidence, target, price)) for price in {own, *PRICES}}
    yield _row("leader", "all", "", found[own])
    for price in PRICES:
        yield _row("leader", "all", f"price {price:g}", found[price])
    yield _row("leader", "all", ALL_EXAMPLES, with_looks(evidence, target, led(evidence, target, looks=False), False))
    here = evidence.leader_folds
    for choice in here[here["dataset"] == target].drop(columns="dataset").to_dict("records"):
        yield _row("leader", "all", NESTED, with_looks(evidence, target, led(evidence, target, **choice)))
    yield _row("ridge", "all", "", *ridge(evidence, target))


def _nested(evidence: Evidence, target: str) -> dict[str, dict]:
    """Variant -> cut, normalisation and singletons as the benchmark datasets without this one have them chosen."""
    here = evidence.folds[evidence.folds["dataset"] == target].drop(columns="dataset").to_dict("records")
    return {NESTED if not choice["singletons"] else NESTED_SINGLETONS: choice for choice in here}


def _instead(evidence: Evidence, target: str, budget: int) -> Iterator[tuple]:
    """What a user would do without this method; `budget`: models trained to the end at the two phases' cost."""
    runs, models, half = evidence.runs(target), evidence.models, evidence.params.recall.epochs_per_proxy
    for name, function in (("asynchronous halving", asynchronous_halving), ("Hyperband", hyperband)):
        yield _mean(name, [function(runs, models, seed) for seed in range(ORDERS)])
    yield _random(evidence, target, "one at random", 1)
    yield _random(evidence, target, "random at equal cost", min(max(budget, 1), len(models)))
    for name, scores in _lists(evidence, target).items():
        yield _row(f"best {name}", "all", "", brute_force(runs, _first(scores, 1)))
        chosen = evidence.fine_selection(target, _first(scores, evidence.top))
        yield _row(f"{name}, then fine-selection", "all", "", chosen)
    for proxy in evidence.settings.proxies:
        order = _first(evidence.raw_scores(target, proxy), evidence.top)
        paid = half * len(models), evidence.proxy_seconds(target, models, proxy)
        yield _row("best proxy", "all", proxy, brute_force(runs, order[:1]), *paid)
        yield _row("proxy, then fine-selection", "all", proxy, evidence.fine_selection(target, order), *paid)
    yield from _without_tuning(evidence, target)


def _lists(evidence: Evidence, target: str) -> dict[str, pd.Series]:
    """Rankings that no look at the target is needed for; what a model's card does not tell ranks last."""
    cards = evidence.zoo[["parameters", "card_accuracy"]].apply(pd.to_numeric).reindex(evidence.models)
    known = {"size": cards["parameters"], "card accuracy": cards["card_accuracy"].fillna(0)}
    return {"prior": evidence.matrix(target).mean(), **known}


def _first(scores: pd.Series, n: int) -> list[str]:
    return sorted(scores.index, key=lambda model: (-scores[model], model))[:n]


def _without_tuning(evidence: Evidence, target: str) -> Iterator[tuple]:
    """Linear classifiers: on the frozen features of each model, the best by validation taken; and on no model's."""
    here = evidence.rivals[evidence.rivals["dataset"] == target].set_index("model")
    probes = here.loc[here.index.isin(evidence.models)]
    winner = _first(probes["val"], 1)[0]
    booked = evidence.params.recall.epochs_per_proxy * len(probes)
    yield "linear probe", "all", "", winner, booked, probes["seconds"].sum(), probes.loc[winner, "test"]
    for name, row in here.drop(index=probes.index).iterrows():
        if name not in evidence.incomplete:
            yield "no model", "all", name, "", 0.0, row["seconds"], row["test"]


def _row(method: str, candidates: str, variant: str, chosen: Selection, epochs: float = 0, seconds: float = 0) -> tuple:
    return method, candidates, variant, chosen.winner, chosen.epochs + epochs, chosen.seconds + seconds, chosen.test


def _mean(method: str, chosen: list[Selection]) -> tuple:
    """Mean over random orders."""
    means = (fmean(getattr(one, name) for one in chosen) for name in ("epochs", "seconds", "test"))
    return (method, "all", "", "", *means)


def _random(evidence: Evidence, target: str, method: str, n: int) -> tuple:
    """Expectation of drawing n models, training them to the end and taking the best validation."""
    frame = evidence.records.first_seed(target)
    last = frame[frame["epoch"] == evidence.records.epochs].sort_values(["val", "model"], ascending=[False, True])
    total = len(last)
    # the r-th best by validation wins if it is drawn and all others drawn come after it
    chances = [comb(total - rank, n - 1) / comb(total, n) for rank in range(1, total + 1)]
    accuracy = float((last["test"].to_numpy() * chances).sum())
    seconds = n * float(frame.groupby("model")["seconds"].sum().mean())
    return method, "all", "", "", float(n * evidence.records.epochs), seconds, accuracy


def asynchronous_halving(runs: Runs, models: Iterable[str], seed: int = 0, reduction_factor: int = 2) -> Selection:
    """ASHA on one worker (Li et al. 2020, arXiv:1810.05934): Optuna's `SuccessiveHalvingPruner`, one epoch at least.

    Args:
        runs: of the target.
        models: candidates.
        seed: of their order.
        reduction_factor: a model goes on at epochs 1, r, r^2, … if it is among the best 1/r that came so far.

    Raises:
        UserError: no models, a model named twice, or every model failed.
    """
    from optuna.pruners import SuccessiveHalvingPruner

    pruner = SuccessiveHalvingPruner(min_resource=1, reduction_factor=reduction_factor, min_early_stopping_rate=0)
    return _pruned(runs, models, pruner, seed)


def hyperband(runs: Runs, models: Iterable[str], seed: int = 0, reduction_factor: int = 2) -> Selection:
    """Hyperband (Li et al. 2018, arXiv:1603.06560): Optuna's `HyperbandPruner`, asynchronous halving in brackets.

    Args:
        runs, models, seed, reduction_factor: see `asynchronous_halving`; each bracket begins to prune at another epoch.

    Raises:
        UserError: no models, a model named twice, or every model failed.
    """
    from optuna.pruners import HyperbandPruner

    return _pruned(runs, models, HyperbandPruner(1, max_resource=runs.epochs, reduction_factor=reduction_factor), seed)


def _pruned(runs: Runs, models: Iterable[str], pruner: BasePruner, seed: int) -> Selection:
    """Each model is a trial, enqueued in the order of `seed`; the best of those trained to the end wins."""
    import optuna

    names = sorted(models)
    if not names or len(set(names)) < len(names):
        raise UserError(f"got {len(names)} models, {len(set(names))} different ones; give at least one, each once.")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    runs.restart()
    rows = []

    def train(trial: optuna.Trial) -> float:
        model = trial.suggest_categorical("model", names)
        for epoch in range(1, runs.epochs + 1):
            val = float(runs.advance([model])[model])
            if np.isnan(val):
                rows.append((epoch, model, val, np.nan, False, f"failed: {runs.failures.get(model, 'no score')}"))
                raise optuna.TrialPruned
            trial.report(val, epoch)
            stopped = epoch < runs.epochs and trial.should_prune()
            rows.append((epoch, model, val, np.nan, not stopped, "pruned" if stopped else "kept"))
            if stopped:
                raise optuna.TrialPruned
        return val

    # the study's name decides which bracket a trial of Hyperband belongs to
    study = optuna.create_study(
        direction="maximize", pruner=pruner, sampler=optuna.samplers.RandomSampler(seed), study_name="twophase"
    )
    for number in np.random.default_rng(seed).permutation(len(names)):
        study.enqueue_trial({"model": names[number]})
    study.optimize(train, n_trials=len(names))
    finished = {t.params["model"]: t.value for t in study.trials if t.state == optuna.trial.TrialState.COMPLETE}
    if not finished:
        raise UserError(f"every model failed, the last one by: {rows[-1][-1]}; mend the models or the task.")
    winner, ledger = min(finished, key=lambda model: (-finished[model], model)), runs.ledger
    seconds = float(ledger["seconds"].sum(skipna=False))
    history = pd.DataFrame(rows, columns=HISTORY)
    return Selection(winner, runs.test(winner), float(ledger["epochs"].sum()), seconds, history)
