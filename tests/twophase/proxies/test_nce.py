from math import log

import numpy as np
import pytest

from twophase.proxies import leep, nce


def test_worked_by_hand():
    # Source label 0 is predicted for targets 0, 0, 0, 1, source label 1 for 1, 1; label 2 for none.
    theta = [[0.6, 0.3, 0.1]] * 3 + [[0.5, 0.4, 0.1]] + [[0.1, 0.8, 0.1]] * 2
    expected = (3 * log(3 / 4) + log(1 / 4) + 2 * log(1)) / 6
    assert nce(theta, [0, 0, 0, 1, 1, 1]) == pytest.approx(expected)


def test_source_labels_that_betray_the_target_give_zero_and_one_for_all_minus_its_entropy():
    labels = np.array([0, 1, 1, 1])
    assert nce(np.eye(3)[[2, 0, 1, 0]], labels) == 0
    assert nce(np.full((4, 3), 1 / 3), labels) == pytest.approx(0.25 * log(0.25) + 0.75 * log(0.75))


def test_of_certain_predictions_it_is_leep():
    rng = np.random.default_rng(0)
    labels, source = rng.integers(0, 3, 200), rng.integers(0, 5, 200)
    certain, confident = np.eye(5)[source], 0.5 * np.eye(5)[source] + 0.1
    # LEEP of one-hot theta is the mean log of P(y | z), which is -H(Y | Z); doubts move LEEP alone
    assert nce(certain, labels) == pytest.approx(leep(certain, labels))
    assert nce(confident, labels) == nce(certain, labels) and leep(confident, labels) < leep(certain, labels)
