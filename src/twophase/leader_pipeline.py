"""The method beyond the paper from end to end: what is known becomes a belief, the belief a selection.

Where less is known than the belief needs, less is done, and `Led.how` says so: without curves, or where the proxy scores are
unlike those of any benchmark dataset, the favourites after the looks are halved; with fewer than five benchmark datasets there
is no belief, and the models of the best mean proxy score are halved.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from twophase.belief import belief
from twophase.errors import UserError
from twophase.leader import Leader, Step
from twophase.records import TrainingRecords
from twophase.runs import Runs
from twophase.selection import HISTORY, Selection, successive_halving

FEWEST = 5  # benchmark datasets that a belief is learned from
MOST = 150  # models in a belief, whose memory is (M Q)^2 numbers; of more, those of the highest prior
FINALISTS = 5  # models that are halved where nothing better is known
NAMED = 3  # datasets that are left out, named one by one
SURPRISED = 10  # the same where the proxy scores are unlike any seen: the belief's order is believed, its sizes are not
UNLIKE = (
    f" The proxy scores are unlike anything measured on the benchmark datasets, so the {SURPRISED} first after the looks were "
    "halved by their validation."
)
# A model's proxy scores by name, NaN where one is not defined; or why it has none.
ProxyScores = Callable[[str], Mapping[str, float] | str]


@dataclass(frozen=True)
class Led(Selection):
    """A selection by the leader; epochs and seconds are of training alone.

    Attributes:
        steps: a row a `leader.Step`; empty where there was no belief.
        looked: the models that proxies were run on, in that order.
        chance: probability that the winner has the best final test of all; NaN without a belief.
        unlike: whether its proxy scores are unlike those of any benchmark dataset.
        failures: model -> why it could not be scored.
        how: what was done, in a sentence.
    """

    steps: pd.DataFrame
    looked: list[str]
    chance: float
    unlike: bool
    failures: dict[str, str]
    how: str


def known_tables(
    records: TrainingRecords, scores: pd.DataFrame, models: list[str], proxies: list[str], curves: bool = True
) -> dict[str, np.ndarray]:
    """Benchmark dataset -> its table (M, Q): proxies, validations after each stage, final test.

    Args:
        records: the rows of role benchmark are used, of each model's first seed.
        scores: columns model, dataset, proxy, score. A dataset on which one of the proxies has no score at all is left out.
        models, proxies: names, in the order of the tables.
        curves: whether validations are part of the tables.
    """
    frame = records.only("benchmark").first_seed()
    wide = scores.pivot(index=["dataset", "model"], columns="proxy", values="score").reindex(columns=proxies)
    val = frame.pivot(index=["dataset", "model"], columns="epoch", values="val")
    last = frame["epoch"] == frame.groupby(["model", "dataset"])["epoch"].transform("max")
    test = frame[last].set_index(["dataset", "model"])["test"]
    found = {}
    for dataset in frame["dataset"].unique():
        rows = pd.MultiIndex.from_product([[dataset], models])
        parts = [wide.reindex(rows), *([val.reindex(rows)] if curves else []), test.reindex(rows).to_frame()]
        table = np.concatenate([part.to_numpy(dtype=float) for part in parts], axis=1)
        if not np.isnan(table).all(axis=0).any():
            found[dataset] = table
    return found


def lead(
    runs: Runs,
    models: list[str],
    records: TrainingRecords | None,
    scores: pd.DataFrame,
    look: ProxyScores,
    proxies: list[str],
    price: float = 0.001,
    look_cost: float = 0.5,
    tell: Callable[[Step], None] = lambda step: None,
    **learned: float,
) -> Led:
    """Select a model by looking at who could win and following the leader.

    Args:
        runs: of the target.
        models: candidates; those without records are believed to be like the others.
        records: of models on benchmark datasets, None where there are none; the target's own are never seen.
        scores: proxy scores on the benchmark datasets: model, dataset, proxy, score.
        look: asked for the target's proxy scores, one model at a time.
        proxies: which scores count.
        price: accuracy that an epoch must promise to be worth it.
        look_cost: of scoring a model, in epochs; at most 1 is believed, since a busy machine makes looks seem dear.
        tell: called with each step.
        learned: `shrink`, `own` and `distrust` of `belief`.

    Raises:
        UserError: no models, or every model failed.
    """
    if not models or len(set(models)) < len(models):
        raise UserError(f"got {len(models)} models, {len(set(models))} different ones; give at least one, each once.")
    runs.restart()
    failures: dict[str, str] = {}
    looked: list[str] = []

    def asked(model: str) -> np.ndarray | None:
        looked.append(model)
        found = look(model)
        if isinstance(found, str):
            failures[model] = found
            return None
        return np.array([float(found.get(name, np.nan)) for name in proxies])

    others = None if records is None else records.without(datasets=[runs.dataset] if runs.dataset else [])
    known = open_leader(models, others, scores, proxies, runs.epochs, price, tell, **learned)
    if known.leader is None:
        return _halved(runs, _by_mean(known.models, asked, failures), known, looked, failures)
    known.leader.look(asked, look_costs(known, look_cost))
    return conclude(runs, known, looked, failures)


@dataclass(frozen=True)
class Known:
    """What is known before anything is looked at.

    Attributes:
        leader: with its belief; None where too little is known for one.
        models: the candidates that are considered, in the belief's order.
        curves: whether validations are part of the belief.
        how: what can be done with it, in sentences.
    """

    leader: Leader | None
    models: list[str]
    curves: bool
    how: str


def open_leader(
    models: list[str],
    records: TrainingRecords | None,
    scores: pd.DataFrame,
    proxies: list[str],
    epochs: int,
    price: float,
    tell: Callable[[Step], None] = lambda step: None,
    **learned: float,
) -> Known:
    """A leader that has seen nothing yet, or why there can be none; arguments as of `lead`, `epochs` of a full run."""
    names, said = sorted(models), ""
    if records is not None and len(names) > MOST:
        prior = records.matrix(missing="keep").mean().reindex(names)
        names = sorted(prior.sort_values(ascending=False, kind="stable", na_position="first").index[:MOST])
        said = f" Of {len(models)} models the {MOST} of the highest prior were considered."
    curves = records is not None and records.epochs == epochs and not records.frame["val"].isna().any()
    tables = {} if records is None else known_tables(records, scores, names, proxies, curves)
    if out := [] if records is None else [name for name in records.datasets("benchmark") if name not in tables]:
        said += f" Without scores by one of the proxies: {len(out)} dataset{'s' * (len(out) > 1)} ({', '.join(out[:NAMED])}{' …' * (len(out) > NAMED)})."
    if len(tables) < FEWEST:
        how = f"Fewer than {FEWEST} benchmark datasets are known: the {FINALISTS} of the best mean proxy score were halved."
        return Known(None, names, curves, how + said)
    how = f"Look, follow, doubt, by a belief learned from {len(tables)} benchmark datasets."
    if not curves:
        how = f"Curves of {epochs} stages on benchmark datasets are not known: the {FINALISTS} first after the looks were halved."
    state = belief(np.stack(list(tables.values())), len(proxies), **learned)
    return Known(Leader(state, names, price, tell), names, curves, how + said)


def look_costs(known: Known, look_cost: float) -> np.ndarray:
    """What a look at each model is believed to cost, in epochs: at most one, whatever a busy machine measured."""
    return np.full(len(known.models), min(look_cost, 1.0))


def conclude(runs: Runs, known: Known, looked: list[str], failures: dict[str, str]) -> Led:
    """What is trained after the looks: the leader is followed, or the first of its ranking are halved."""
    leader = known.leader
    if not known.curves:
        return _halved(runs, leader.ranked(), known, looked, failures)
    if leader.belief.unlike:
        return _halved(runs, leader.ranked(), replace(known, how=known.how + UNLIKE), looked, failures, SURPRISED)
    winner = leader.follow(runs)
    steps = pd.DataFrame(leader.steps, columns=Step._fields)
    trained = steps[steps["action"] != "look"].rename(columns={"expected": "predicted"})
    reasons = [_why(row, runs, leader.price) for row in trained.itertuples()]
    history = trained.assign(kept=trained["val"].notna(), reason=reasons)[HISTORY].reset_index(drop=True)
    chance, ledger = float(leader.chances()[known.models.index(winner)]), runs.ledger
    spent = float(ledger["epochs"].sum()), float(ledger["seconds"].sum(skipna=False))
    return Led(winner, runs.test(winner), *spent, history, steps, looked, chance, False, failures, known.how)


def _why(row, runs: Runs, price: float) -> str:
    if np.isnan(row.val):
        return f"failed: {runs.failures.get(row.model, 'no validation score')}"
    if row.action == "doubt":
        return f"promised {row.promised:.4f} more than the best finished, above {price:g} an epoch; now {row.predicted:.3f}"
    return f"led with an expected final of {row.promised:.3f} less {price:g} an epoch; now {row.predicted:.3f}"


def _by_mean(models: list[str], look: Callable[[str], np.ndarray | None], failures: dict[str, str]) -> list[str]:
    """Models by the mean of their proxy scores, each standardised over the models."""
    found = {model: scores for model in models if (scores := look(model)) is not None}
    if not found:
        raise UserError(f"no model could be scored; the first reason: {next(iter(failures.values()))}")
    table = pd.DataFrame(found).T
    standard = (table - table.mean()) / (table.std(ddof=0) + 1e-12)
    return list(standard.mean(axis=1).fillna(-np.inf).sort_values(ascending=False, kind="stable").index)


def _halved(
    runs: Runs, models: list[str], known: Known, looked: list[str], failures: dict[str, str], first: int = FINALISTS
) -> Led:
    chosen, leader = successive_halving(runs, models[:first]), known.leader
    table = pd.DataFrame([] if leader is None else leader.steps, columns=Step._fields)
    unlike = leader is not None and leader.belief.unlike
    return Led(
        **vars(chosen), steps=table, looked=looked, chance=np.nan, unlike=unlike, failures=failures, how=known.how
    )
