"""What the leader is told is chosen without the dataset it is told for, by the density that the choice names."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import multivariate_normal

from reproduction import evidence, leading
from reproduction.leave_one_out import NESTED, of, turns_of
from reproduction.n17_beyond import compared
from twophase.belief import belief
from twophase.selection import brute_force


def test_the_density_is_that_of_the_conditional_gaussian():
    rng = np.random.default_rng(0)
    state, table = belief(rng.normal(0.5, 0.1, (9, 4, 3)), 2), rng.normal(0.5, 0.1, (4, 3))
    seen, last = np.array([0, 1, 3, 4, 6, 7, 9, 10]), np.array([2, 5, 8, 11])
    inverse = np.linalg.inv(state.covariance[np.ix_(seen, seen)])
    beside = state.covariance[np.ix_(last, seen)]
    mean = state.mean[last] + beside @ inverse @ (table.ravel()[seen] - state.mean[seen])
    left = state.covariance[np.ix_(last, last)] - beside @ inverse @ beside.T
    expected = multivariate_normal(mean, left).logpdf(table[:, -1]) + 2 * np.log(2 * np.pi)
    assert leading.density(state, table) == pytest.approx(expected, rel=1e-6)


def test_the_committed_choices_are_the_rules(each):
    folds = each.leader_folds.set_index("dataset")
    assert list(folds.index) == each.everything
    target = each.benchmarks[3]
    known = {name: table for name, table in leading.tables(each).items() if name != target}
    made = leading.chosen(each, known)
    assert made == folds.loc[target].to_dict()


def test_a_fold_never_sees_its_dataset(each):
    target = each.benchmarks[0]
    frame = each.records.frame.copy()
    frame.loc[frame["dataset"] == target, ["val", "test"]] *= 0.5
    spoiled = evidence.Evidence(each.domain, type(each.records).from_frame(frame), each.params, each.results)
    first, second = (leading.tables(one) for one in (each, spoiled))
    assert not np.array_equal(first[target], second[target], equal_nan=True)
    assert all(np.array_equal(first[name], second[name], equal_nan=True) for name in first if name != target)


def test_the_leader_never_sees_the_targets_rows(each):
    target, other = each.targets[0], each.benchmarks[0]
    frame = each.records.frame.copy()
    own = (frame["dataset"] == target) & frame["test"].notna()
    frame.loc[own, "test"] = frame.loc[own, "test"].to_numpy()[::-1]
    spoiled = evidence.Evidence(each.domain, type(each.records).from_frame(frame), each.params, each.results)
    pd.testing.assert_frame_equal(leading.led(each, target).steps, leading.led(spoiled, target).steps)
    assert leading.led(each, other).winner in each.models


def test_the_committed_turns_are_those_of_the_leader(each):
    target = each.benchmarks[5]
    found = leading.with_looks(each, target, leading.led(each, target))
    row = of(turns_of(each), "leader").loc[target]
    assert (found.winner, found.epochs) == (row["winner"], row["epochs"])
    assert found.seconds == pytest.approx(row["seconds"], rel=1e-6)
    chosen = each.leader_folds.set_index("dataset").loc[target].to_dict()
    assert (
        leading.led(each, target, **chosen).winner == of(turns_of(each), "leader", variant=NESTED).loc[target, "winner"]
    )


def test_the_notebooks_own_calls_are_the_pipelines(each):
    target = each.targets[1]
    leader, seen, winner = compared.trace(each, target)
    found = leading.led(each, target)
    assert winner == found.winner
    pd.testing.assert_frame_equal(pd.DataFrame(leader.steps), found.steps)
    assert seen["before"][1].mean() > seen["after the looks"][1].mean() > seen["at the end"][1].mean()


def test_brute_forces_seconds_are_one_of_itself(each):
    found = compared.seconds(each)
    assert (found["brute force"] == 1).all(axis=None) and (found["leader"] > 1).all(axis=None)
    target = each.targets[0]
    assert found.loc[target, ("successive halving", "loading on neither")] == pytest.approx(
        brute_force(each.runs(target), each.models).seconds
        / of(turns_of(each), "successive halving").loc[target, "seconds"]
    )
