"""Optuna's pruners over runs: who is trained how long, who wins, and that the order alone is random."""

import numpy as np
import pandas as pd
import pytest

from reproduction.leave_one_out import asynchronous_halving, hyperband
from twophase.errors import UserError
from twophase.records import TrainingRecords
from twophase.runs import RecordedRuns

MODELS = [f"m{i:02d}" for i in range(16)]
METHODS = [asynchronous_halving, hyperband]


def records(epochs=4):
    """Sixteen models whose curves never cross: m15 is best at every epoch and in the end."""
    rows = [
        {
            "model": model,
            "dataset": "t",
            "role": "target",
            "seed": 0,
            "epoch": epoch,
            "val": 0.02 * level + 0.05 * epoch,
            "test": 0.04 * level if epoch == epochs else None,
            "seconds": 1.0,
        }
        for level, model in enumerate(MODELS)
        for epoch in range(1, epochs + 1)
    ]
    return TrainingRecords.from_frame(pd.DataFrame(rows))


@pytest.mark.parametrize("method", METHODS)
def test_the_best_wins_where_curves_never_cross(method):
    for seed in range(5):
        chosen = method(RecordedRuns(records(), "t"), MODELS, seed)
        assert (chosen.winner, chosen.test) == ("m15", pytest.approx(0.6))


@pytest.mark.parametrize("method", METHODS)
def test_cost_is_what_was_trained(method):
    chosen = method(RecordedRuns(records(), "t"), MODELS)
    assert chosen.epochs == len(chosen.history) == chosen.seconds
    assert set(chosen.history["model"]) == set(MODELS)
    assert 16 + 3 <= chosen.epochs < 16 * 4
    pruned = chosen.history.query("reason == 'pruned'")
    assert not pruned["kept"].any() and pruned["stage"].max() < 4


@pytest.mark.parametrize("method", METHODS)
def test_the_seed_decides_the_order_and_nothing_else_is_random(method):
    first, again, other = (method(RecordedRuns(records(), "t"), MODELS, seed) for seed in (1, 1, 2))
    assert first.history.equals(again.history)
    assert not first.history["model"].equals(other.history["model"])
    shuffled = method(RecordedRuns(records(), "t"), MODELS[::-1], 1)
    assert shuffled.history.equals(first.history)


def test_whoever_comes_first_is_trained_to_the_end():
    """What makes the cost another than that of synchronous halving: the first has nothing to be compared with."""
    chosen = asynchronous_halving(RecordedRuns(records(), "t"), MODELS, seed=3)
    first = chosen.history["model"].iloc[0]
    assert (chosen.history["model"] == first).sum() == 4


def test_a_failed_model_is_passed_over():
    frame = records().frame
    shortened = frame[~((frame["model"] == "m15") & (frame["epoch"] > 2))].copy()
    shortened.loc[(shortened["model"] == "m15") & (shortened["epoch"] == 2), "test"] = 0.1
    chosen = asynchronous_halving(RecordedRuns(TrainingRecords.from_frame(shortened), "t"), MODELS)
    assert chosen.winner == "m14"
    assert chosen.history["reason"].str.startswith("failed: its records end").sum() == 1
    assert np.isnan(chosen.history["val"]).sum() == 1


def test_bad_candidates():
    runs = RecordedRuns(records(), "t")
    with pytest.raises(UserError, match="got 0 models"):
        hyperband(runs, [])
    with pytest.raises(UserError, match="got 2 models, 1 different"):
        asynchronous_halving(runs, ["m01", "m01"])
    with pytest.raises(UserError, match="no records of model 'x'"):
        hyperband(runs, ["m01", "x"])
