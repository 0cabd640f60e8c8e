import warnings

import numpy as np
import pytest

from twophase.errors import UserError
from twophase.proxies import linear_probe


def test_classes_on_either_side_of_a_line_are_all_found():
    line = np.r_[np.linspace(-2, -1, 10), np.linspace(1, 2, 10)][:, None]
    assert linear_probe(line, [0] * 10 + [1] * 10) == 1


def test_features_without_variance_give_the_share_of_the_largest_class():
    assert linear_probe(np.ones((40, 3)), [0] * 30 + [1] * 10) == pytest.approx(0.75)


def test_what_no_line_separates_is_not_found():
    # Exclusive or: any line gets three quarters right at most.
    corners = np.tile([[0.0, 0], [1, 1], [0, 1], [1, 0]], (25, 1))
    assert linear_probe(corners, np.tile([0, 0, 1, 1], 25)) <= 0.75


def test_examples_are_scored_unseen(blobs):
    # With more dimensions than examples a fit to noise is perfect on what it saw, and chance elsewhere.
    features, labels = blobs(0.0, n=200, dimensions=400)
    assert linear_probe(features, labels) == pytest.approx(1 / 4, abs=0.12)


def test_scale_of_each_dimension_changes_nothing(blobs):
    features, labels = blobs(0.5)
    scales = 10.0 ** np.random.default_rng(1).integers(-5, 6, size=16)
    assert linear_probe(features * scales, labels) == pytest.approx(linear_probe(features, labels), abs=0.011)
    assert linear_probe(features * 1e170, labels) == pytest.approx(linear_probe(features, labels), abs=0.011)


def test_score_rises_with_separation(blobs):
    scores = [linear_probe(*blobs(separation)) for separation in (0.0, 0.3, 0.6, 1.5)]
    assert scores == sorted(scores)
    assert scores[-1] > 0.95


def test_seed_moves_the_folds_and_strength_the_fit(blobs):
    features, labels = blobs(0.3)
    assert len({linear_probe(features, labels, seed=seed) for seed in range(4)}) > 1
    assert linear_probe(features, labels, strength=1e-6) != linear_probe(features, labels)


@pytest.mark.parametrize("counts", [(50, 2), (50, 2, 1), (2, 2), (3, 2, 1, 1), (50, 50, 1)])
def test_rare_classes_neither_fail_nor_warn(counts):
    labels = np.repeat(np.arange(len(counts)), counts)
    features = np.random.default_rng(0).normal(size=(len(labels), 3))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert 0 <= linear_probe(features, labels, folds=5) <= 1


def test_too_few_examples_of_too_many_classes_is_named():
    with pytest.raises(UserError, match=r"got 1 class\(es\) with two examples or more.*at least 2"):
        linear_probe(np.eye(4), [0, 0, 1, 2])
