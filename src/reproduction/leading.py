"""The leader on one target of a domain, and what it is told, chosen on the other benchmark datasets alone.

Two choices are made, by two rules. How the covariance is drawn to its structure (`shrink`, `own`, `distrust`): by predictive
density, that of a benchmark dataset's final tests given its proxy scores, under the belief of the others. The price: the
highest at which the benchmark datasets as targets lose less than a point to brute force's pick, the mean and its standard error
together.
"""

from __future__ import annotations

import functools
from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
from scipy.linalg import cho_factor, cho_solve
from scipy.stats import sem
from sklearn.linear_model import RidgeCV

from reproduction.evidence import Evidence, loaded
from reproduction.verdicts import SAME
from twophase.belief import Belief, belief
from twophase.errors import UserError
from twophase.infra.compute import Failure, parallel_map
from twophase.leader import Leader
from twophase.leader_pipeline import FEWEST, Known, Led, conclude, known_tables, lead, look_costs
from twophase.runs import RecordedRuns
from twophase.selection import Selection, brute_force

PRICES = (0.001, 0.002, 0.003, 0.005, 0.01)
GRID = [
    {"shrink": a, "own": b, "distrust": nu}
    for a, b, nu in product((0.25, 0.5, 0.75), (0.5, 0.75), (0.0, 1.0, 4.0, np.inf))
]


def led(
    evidence: Evidence,
    target: str,
    price: float | None = None,
    looks: bool = True,
    only: list[str] | None = None,
    among: list[str] | None = None,
    **learned: float,
) -> Led:
    """The leader on a target; epochs and seconds are of training, `with_looks` adds the rest.

    Args:
        evidence: of a domain.
        target: dataset.
        price: None: as configured.
        looks: whether proxies read the leader's few examples, or all.
        only: benchmark datasets that are known; None: all but the target.
        among: models; None: all.
        learned: of `belief`, as configured unless given.
    """
    chosen = evidence.params.leader
    scores = evidence.looks if looks else evidence.proxies
    known = evidence.known(target)
    known = known if only is None else known.where(known.frame["dataset"].isin(only))
    table = evidence.once("looks", (target, looks), lambda: _wide(scores[scores["dataset"] == target]))
    return lead(
        evidence.runs(target),
        among or evidence.models,
        known,
        scores[scores["dataset"] != target],
        lambda model: table.loc[model].to_dict() if model in table.index else "its proxy scores are not known",
        list(chosen.proxies),
        chosen.price if price is None else price,
        evidence.params.recall.epochs_per_proxy,
        **chosen.learned | learned,
    )


def with_looks(evidence: Evidence, target: str, found: Led, looks: bool = True, loading: bool = True) -> Led:
    """The same with its looks paid for: booked epochs, and measured seconds, with or without the models' loading."""
    seconds = look_seconds(evidence, target, looks, loading)
    booked = evidence.params.recall.epochs_per_proxy * len(found.looked)
    spent = float(seconds.reindex(found.looked).sum())
    return replace(found, epochs=found.epochs + booked, seconds=found.seconds + spent)


def look_seconds(evidence: Evidence, target: str, looks: bool = True, loading: bool = True) -> pd.Series:
    """Seconds of looking at each model: one pass, each proxy's scoring, and its loading if that is counted."""
    scores = evidence.looks if looks else evidence.proxies
    here = scores[(scores["dataset"] == target) & scores["proxy"].isin(evidence.params.leader.proxies)].groupby("model")
    return here["scoring"].sum() + here["forward"].first() + (here["loading"].first() if loading else 0.0)


def _wide(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.pivot(index="model", columns="proxy", values="score")


def ridge(evidence: Evidence, target: str) -> tuple[Selection, float, float]:
    """The favourite of a ridge regression of final tests on prior and proxies, learned from the other benchmark datasets.

    Each dataset is centred and scaled by itself.

    Returns:
        The selection of the favourite alone, and what looking at all models costs: booked epochs and measured seconds.
    """
    rows, values = [], []
    for dataset in (target, *[name for name in evidence.benchmarks if name != target]):
        prior = evidence.matrix(target).drop(index=dataset, errors="ignore").mean()[evidence.models]
        table = _wide(evidence.looks[evidence.looks["dataset"] == dataset]).reindex(evidence.models).assign(prior=prior)
        rows.append(((table - table.mean()) / table.std()).fillna(0.0).to_numpy())
        values.append(evidence.final(dataset).loc[evidence.models] - evidence.final(dataset).mean())
    fitted = RidgeCV(np.logspace(-2, 3, 11)).fit(np.concatenate(rows[1:]), np.concatenate(values[1:]))
    favourite = evidence.models[int(fitted.predict(rows[0]).argmax())]
    booked = evidence.params.recall.epochs_per_proxy * len(evidence.models)
    return brute_force(evidence.runs(target), [favourite]), booked, float(look_seconds(evidence, target).sum())


def density(state: Belief, table: np.ndarray) -> float:
    """Log density of a dataset's final tests given its proxy scores, under a belief of the others.

    Args:
        state: about the dataset, before anything is seen.
        table: (M, Q) of it.
    """
    Q, P = state.quantities, state.proxies
    at = np.arange(state.models)[:, None] * Q + np.arange(P)
    seen, last = at[~np.isnan(table[:, :P])], np.arange(state.models) * Q + Q - 1
    whole = cho_factor(state.covariance[np.ix_(seen, seen)] + 1e-10 * np.eye(len(seen)))
    beside = state.covariance[np.ix_(last, seen)]
    mean = state.mean[last] + beside @ cho_solve(whole, table.ravel()[seen] - state.mean[seen])
    left = cho_factor(state.covariance[np.ix_(last, last)] - beside @ cho_solve(whole, beside.T))
    off = table[:, -1] - mean
    return float(-0.5 * off @ cho_solve(left, off) - np.log(np.diag(left[0])).sum())


def tables(evidence: Evidence) -> dict[str, np.ndarray]:
    """Benchmark dataset -> its table (M, Q) as `known_tables` makes it, from looks at few examples."""
    models, proxies = sorted(evidence.models), list(evidence.params.leader.proxies)
    found = known_tables(evidence.records, evidence.looks, models, proxies)
    if out := [name for name in evidence.benchmarks if name not in found]:
        raise UserError(f"{', '.join(out)} have no scores by one of the leader's proxies; run the stage `proxies`.")
    return found


def learned_from(known: dict[str, np.ndarray], proxies: int) -> dict[str, float]:
    """shrink, own and distrust of the largest predictive density of final tests given proxies, each dataset left out in turn."""
    parts = {name: np.concatenate([table[:, :proxies], table[:, -1:]], axis=1) for name, table in known.items()}
    totals = [
        sum(density(belief(_others(parts, name), proxies, **learned), parts[name]) for name in parts)
        for learned in GRID
    ]
    return GRID[int(np.argmax(totals))]


def chosen(evidence: Evidence, known: dict[str, np.ndarray]) -> dict[str, float]:
    """What the two rules choose on some benchmark datasets (name -> table): shrink, own, distrust, price."""
    proxies = len(evidence.params.leader.proxies)
    learned = learned_from(known, proxies)
    regrets: dict[float, list[float]] = {price: [] for price in PRICES}
    for name, table in known.items():
        state, runs = belief(_others(known, name), proxies, **learned), evidence.runs(name)
        picked = brute_force(runs, evidence.models).test
        for price in PRICES:
            regrets[price].append(picked - selected(evidence, runs, replace(state), table, price))
    enough = [price for price, lost in regrets.items() if np.mean(lost) + sem(lost) < SAME]
    return learned | {"price": max(enough, default=PRICES[0])}


def _others(tables: dict[str, np.ndarray], name: str) -> np.ndarray:
    return np.stack([table for other, table in tables.items() if other != name])


def selected(evidence: Evidence, runs: RecordedRuns, state: Belief, table: np.ndarray, price: float) -> float:
    """Test of the model that the leader selects, told nothing but this state and price."""
    leader = _Silent(state, sorted(evidence.models), price)
    known, scores = Known(leader, leader.models, True, ""), dict(zip(leader.models, table, strict=True))
    leader.look(
        lambda model: scores[model][: state.proxies], look_costs(known, evidence.params.recall.epochs_per_proxy)
    )
    runs.restart()
    return conclude(runs, known, [], {}).test


class _Silent(Leader):
    """Keeps no steps: their probabilities take most of the time."""

    def _step(self, *given) -> None:
        pass


def folds(domain: str, targets: list[str]) -> pd.DataFrame:
    """A row a dataset: what is chosen for it on the benchmark datasets without it; as configured where they are too few.

    Raises:
        UserError: a failure, with its reason.
    """
    benchmarks = tables_of(domain)
    if len(benchmarks) <= FEWEST:
        chosen = loaded(domain).params.leader
        return pd.DataFrame([{"dataset": name, **chosen.learned, "price": chosen.price} for name in targets])
    names = dict.fromkeys(target if target in benchmarks else "" for target in targets)
    found = parallel_map(fold, [(domain, name) for name in names], description=f"{domain} leader's choices")
    if failed := [result for result in found if isinstance(result, Failure)]:
        raise UserError(f"for {len(failed)} of {len(found)} datasets nothing can be chosen: {failed[0].reason}")
    by_name = dict(zip(names, found, strict=True))
    return pd.DataFrame([{"dataset": t, **by_name[t if t in benchmarks else ""]} for t in targets])


def fold(item: tuple[str, str]) -> dict[str, float]:
    """The choices for a domain's dataset; "" for one that is no benchmark dataset."""
    domain, name = item
    known = {other: table for other, table in tables_of(domain).items() if other != name}
    return chosen(loaded(domain), known)


@functools.cache  # a worker takes many datasets of a domain
def tables_of(domain: str) -> dict[str, np.ndarray]:
    """`tables` of a domain, made once in a process."""
    return tables(loaded(domain))
