"""Every selection on every dataset: the committed table, and the expectations that stand in it."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reproduction import leave_one_out, metrics
from reproduction.leave_one_out import turns_of
from twophase.selection import brute_force

ROOT = Path(__file__).parents[2]


def test_every_dataset_takes_its_turn_with_every_method(each):
    table = turns_of(each)
    assert list(table["dataset"].unique()) == each.everything
    rates = table["variant"].isin([leave_one_out.FIRST, leave_one_out.SECOND])
    plain = table[~rates]
    assert plain.groupby("dataset").size().nunique() == 1
    assert set(table.loc[rates, "role"]) == {"target"}
    assert not table.duplicated(["dataset", "method", "candidates", "variant"]).any()
    tuned = ~table["method"].isin(["linear probe", "no model"])  # "best" is the best fine-tuned model
    assert (table.loc[tuned, "accuracy"] <= table.loc[tuned, "best"] + 1e-7).all() and (table["epochs"] >= 0).all()


def test_committed_turns_are_what_the_code_computes(each):
    """Of a target and of a benchmark dataset, to the digits that are kept."""
    for target in (each.targets[0], each.benchmarks[0]):
        made = pd.DataFrame(leave_one_out.turn((each.domain, target, ())), columns=leave_one_out.COLUMNS)
        kept = turns_of(each)[turns_of(each)["dataset"] == target].reset_index(drop=True)
        names = ["dataset", "role", "method", "candidates", "variant", "winner"]
        assert made[names].equals(kept[names])
        for column in ("epochs", "seconds", "accuracy", "best"):
            assert np.allclose(made[column], kept[column], rtol=1e-6)


def test_costs_that_follow_from_the_method(each):
    epochs, n = each.records.epochs, len(each.models)
    half = {4: (55, 18), 5: (77, 19)}[epochs]
    for method, candidates, expected in (
        ("brute force", "all", n * epochs),
        ("successive halving", "all", half[0]),
        ("successive halving", "recalled", half[1]),
        ("one at random", "all", epochs),
        ("best prior", "all", epochs),
        ("best size", "all", epochs),
        ("linear probe", "all", 0.5 * n),
    ):
        assert set(leave_one_out.of(turns_of(each), method, candidates)["epochs"]) == {expected}
    scored = leave_one_out.of(turns_of(each), "best proxy", variant="leep")
    assert set(scored["epochs"]) == {epochs + 0.5 * n}
    two, random = (leave_one_out.of(turns_of(each), name) for name in ("two-phase", "random at equal cost"))
    assert (random["epochs"] <= two["epochs"]).all() and (random["epochs"] > two["epochs"] - epochs).all()


def test_expectation_of_random_models_by_hand(each):
    target = each.targets[0]
    final = each.final(target)
    frame = each.records.frame.query("dataset == @target and epoch == @each.records.epochs")
    val = frame[frame["seed"] == frame["seed"].min()].set_index("model")["val"]

    def winner(names):
        return min(names, key=lambda name: (-val[name], name))

    pairs = [final[winner(pair)] for pair in combinations(each.models, 2)]
    assert leave_one_out._random(each, target, "", 2)[-1] == pytest.approx(np.mean(pairs))
    assert leave_one_out._random(each, target, "", 1)[-1] == pytest.approx(final.mean())
    everyone = leave_one_out._random(each, target, "", len(each.models))
    assert everyone[-1] == pytest.approx(brute_force(each.runs(target), each.models).test)


def test_a_method_that_was_not_run_is_named(each):
    with pytest.raises(KeyError, match="no turns of 'tossing a coin' among 'all' models"):
        leave_one_out.of(turns_of(each), "tossing a coin")


def test_metrics_agree_with_the_turns(each):
    import json

    kept = json.loads((ROOT / "results" / "metrics" / f"{each.domain}.json").read_text())
    brute, two = (leave_one_out.of(turns_of(each), name) for name in ("brute force", "two-phase"))
    assert kept["speed_up_brute_force"] == pytest.approx((brute["epochs"] / two["epochs"]).mean(), abs=1e-5)
    assert kept["regret_best"] == pytest.approx((two["best"] - two["accuracy"]).mean(), abs=1e-5)
    row = metrics._row(each, each.targets[1])
    assert row["regret_best"] == pytest.approx((two["best"] - two["accuracy"])[each.targets[1]], abs=1e-6)
