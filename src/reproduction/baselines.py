"""What a user would run instead: asynchronous halving and Hyperband, as Optuna implements them.

Both take the models one after the other in a random order, each trained until the pruner stops it. Their cost differs
from synchronous halving: whoever comes early has little to be compared with and is trained longer.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from twophase.errors import UserError
from twophase.runs import Runs
from twophase.selection import HISTORY, Selection

if TYPE_CHECKING:
    from optuna.pruners import BasePruner


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
