from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twophase.errors import UserError
from twophase.proxies import leep, leep_reinitialised


def random_case(seed, n=40, sources=5, classes=3):
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.ones(sources), size=n), np.arange(n) % classes


def test_worked_by_hand_with_certain_predictions():
    # Source label 0 meets y = 0, 0, 1 and source label 1 meets y = 1:
    # P(0 | z=0) = 2/3, P(1 | z=0) = 1/3, P(1 | z=1) = 1.
    theta = [[1, 0], [1, 0], [1, 0], [0, 1]]
    assert leep(theta, [0, 0, 1, 1]) == pytest.approx((2 * log(2 / 3) + log(1 / 3) + log(1)) / 4)


def test_worked_by_hand_with_uncertain_predictions():
    # P(y, z) = [[.4, .1], [.1, .4]], P(z) = [.5, .5], P(y | z) = [[.8, .2], [.2, .8]];
    # each example: .8 * .8 + .2 * .2 = .68.
    assert leep([[0.8, 0.2], [0.2, 0.8]], [0, 1]) == pytest.approx(log(0.68))


def test_worked_by_hand_with_unequal_classes():
    # P(y, z) = [[1.5, .5], [.2, .8]] / 3, P(z) = [1.7, 1.3] / 3.
    theta = [[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]]
    zero, one = (1.5 / 1.7, 0.5 / 1.3), (0.2 / 1.7, 0.8 / 1.3)
    expected = (
        log(zero[0] * 0.9 + zero[1] * 0.1) + log(zero[0] * 0.6 + zero[1] * 0.4) + log(one[0] * 0.2 + one[1] * 0.8)
    ) / 3
    assert leep(theta, [0, 0, 1]) == pytest.approx(expected)


def test_zero_where_source_labels_betray_the_target():
    assert leep(np.eye(3)[[0, 1, 2, 0]], [1, 0, 1, 1]) == 0


def test_minus_entropy_where_source_labels_say_nothing():
    labels = [0, 0, 0, 1]
    entropy = -(0.75 * log(0.75) + 0.25 * log(0.25))
    assert leep(np.full((4, 7), 1 / 7), labels) == pytest.approx(-entropy)
    assert leep(np.ones((4, 1)), labels) == pytest.approx(-entropy)


@given(st.integers(0, 10_000))
def test_between_minus_entropy_and_zero(seed):
    theta, labels = random_case(seed)
    shares = np.bincount(labels) / len(labels)
    assert (shares * np.log(shares)).sum() - 1e-9 <= leep(theta, labels) <= 0


@given(st.integers(0, 10_000))
def test_relabelling_either_side_changes_nothing(seed):
    theta, labels = random_case(seed)
    rng = np.random.default_rng(seed)
    score = leep(theta, labels)
    assert leep(theta[:, rng.permutation(5)], labels) == pytest.approx(score, abs=1e-12)
    assert leep(theta, rng.permutation(3)[labels]) == pytest.approx(score, abs=1e-12)


def test_order_and_repetition_of_examples_change_nothing():
    theta, labels = random_case(0)
    order = np.random.default_rng(1).permutation(len(labels))
    assert leep(theta[order], labels[order]) == pytest.approx(leep(theta, labels))
    assert leep(np.tile(theta, (3, 1)), np.tile(labels, 3)) == pytest.approx(leep(theta, labels))


def test_a_source_label_that_is_never_predicted_changes_nothing():
    theta, labels = random_case(0)
    assert leep(np.c_[theta, np.zeros(len(theta))], labels) == pytest.approx(leep(theta, labels))


def test_splitting_a_source_label_in_two_changes_nothing():
    theta, labels = random_case(0)
    split = np.c_[theta[:, :1] * 0.3, theta[:, :1] * 0.7, theta[:, 1:]]
    assert leep(split, labels) == pytest.approx(leep(theta, labels))


@pytest.mark.parametrize(
    ("theta", "words"),
    [
        ([[2.0, -1.0], [0.5, 0.5]], "got -1; allowed.*softmax"),
        ([[0.5, 0.5], [0.7, 0.7]], "row 1 sums to 1.4"),
        ([[0.5, 0.5], [0.0, 0.0]], "row 1 sums to 0"),
    ],
)
def test_what_is_no_distribution_is_named(theta, words):
    with pytest.raises(UserError, match=words):
        leep(theta, [0, 1])


def test_rounding_of_half_precision_is_no_fault():
    theta, labels = random_case(0, sources=50)
    assert leep(theta.astype(np.float16), labels) == pytest.approx(leep(theta, labels), abs=1e-3)


def test_a_reinitialised_head_is_nearly_minus_the_entropy():
    """Whatever the features: this is how the released scores come to be almost constant."""
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2, 3], [40, 30, 20, 10])
    shares = np.array([0.4, 0.3, 0.2, 0.1])
    entropy = -(shares * np.log(shares)).sum()
    informative = np.eye(4)[labels] + rng.normal(0, 0.05, (100, 4))
    useless = rng.normal(size=(100, 48))
    for features in (informative, useless):
        assert leep_reinitialised(features, labels) == pytest.approx(-entropy, abs=0.01)
    assert leep_reinitialised(useless, labels) >= -entropy - 1e-9


def test_a_reinitialised_head_by_hand():
    """The head is the first draw of the seed; its softmax goes into LEEP."""
    features, labels = np.array([[1.0, 0.0], [0.0, 2.0], [3.0, 1.0], [1.0, 1.0]]), np.array([0, 1, 0, 1])
    head = np.random.default_rng(5).normal(0, 0.02, (2, 2))
    raised = np.exp(features @ head)
    assert leep_reinitialised(features, labels, seed=5) == pytest.approx(
        leep(raised / raised.sum(1, keepdims=True), labels)
    )
    assert leep_reinitialised(features, labels, seed=6) != leep_reinitialised(features, labels, seed=5)
