import numpy as np
import pytest
from sklearn.covariance import ledoit_wolf

from twophase.proxies import h_score


def definition(features, labels):
    """tr(pinv(cov(f)) cov(E[f | y])), as written."""
    means = np.stack([features[labels == label].mean(axis=0) for label in np.unique(labels)])[labels]
    covariance = np.atleast_2d(np.cov(features, rowvar=False, bias=True))
    between = np.atleast_2d(np.cov(means, rowvar=False, bias=True))
    return np.trace(np.linalg.pinv(covariance, rcond=1e-10, hermitian=True) @ between)


def test_worked_by_hand_in_one_dimension():
    # f = 0, 2, 4, 6: variance 5; class means 1 and 5: variance 4.
    assert h_score([[0.0], [2], [4], [6]], [0, 0, 1, 1]) == pytest.approx(4 / 5)


def test_worked_by_hand_in_two_dimensions():
    # Uncorrelated: the first as above gives 4/5; the second, -1, 1, -1, 1, has equal class means.
    assert h_score([[0.0, -1], [2, 1], [4, -1], [6, 1]], [0, 0, 1, 1]) == pytest.approx(
        definition(np.array([[0.0, -1], [2, 1], [4, -1], [6, 1]]), np.array([0, 0, 1, 1]))
    )
    assert h_score([[0.0, 1], [2, -1], [4, -1], [6, 1]], [0, 0, 1, 1]) == pytest.approx(4 / 5)


@pytest.mark.parametrize(("n", "dimensions"), [(200, 16), (30, 29), (20, 50)])
def test_equals_the_definition(blobs, n, dimensions):
    features, labels = blobs(0.5, n=n, dimensions=dimensions)
    assert h_score(features, labels) == pytest.approx(definition(features, labels))


def test_bounds(blobs):
    assert h_score(np.eye(4)[np.arange(40) % 4], np.arange(40) % 4) == pytest.approx(3)
    assert h_score(np.ones((4, 3)), [0, 0, 1, 1]) == 0
    assert h_score(np.zeros((4, 3)), [0, 0, 1, 1]) == 0
    assert 0 <= h_score(*blobs(0.0, n=400, dimensions=2)) < 0.1


def test_linear_maps_and_shifts_change_nothing(blobs):
    features, labels = blobs(0.5)
    change = np.random.default_rng(1).normal(size=(16, 16)) + 4 * np.eye(16)
    assert h_score(features @ change + 7, labels) == pytest.approx(h_score(features, labels))
    assert h_score(features * 1e-170, labels) == pytest.approx(h_score(features, labels))


def test_directions_without_variance_count_for_nothing(blobs):
    features, labels = blobs(0.5)
    # One dimension a copy, one constant, one the sum of two in single precision.
    single = np.c_[features, features[:, :1], np.full(len(labels), 3.0), features[:, :1] + features[:, 1:2]]
    assert h_score(single.astype(np.float32), labels) == pytest.approx(h_score(features, labels), abs=1e-4)


def test_score_rises_with_separation(blobs):
    for options in ({}, {"shrinkage": "ledoit-wolf"}):
        scores = [h_score(*blobs(separation), **options) for separation in (0.0, 0.5, 1.0, 2.0)]
        assert scores == sorted(scores)


def test_shrinkage_stays_informative_with_fewer_examples_than_dimensions(blobs):
    noise, informative = (blobs(separation, n=40, dimensions=80) for separation in (0.0, 1.0))
    assert h_score(*noise) == pytest.approx(3)
    assert h_score(*informative) == pytest.approx(3)
    shrunk = [h_score(*case, shrinkage="ledoit-wolf") for case in (noise, informative)]
    assert shrunk[0] + 1 < shrunk[1] <= 3


def test_shrinkage_hardly_matters_with_many_examples(blobs):
    features, labels = blobs(1.0, n=20_000, dimensions=4)
    assert h_score(features, labels, shrinkage="ledoit-wolf") == pytest.approx(h_score(features, labels), rel=0.02)


def test_shrinkage_of_constant_features():
    assert h_score(np.ones((4, 3)), [0, 0, 1, 1], shrinkage="ledoit-wolf") == 0


def test_directions_below_a_millionth_of_the_largest_count_for_nothing(blobs):
    features, labels = blobs(0.5, n=60, dimensions=8)
    for size, counts in ((3e-6, 9), (3e-7, 8)):
        other = np.c_[features, size * np.random.default_rng(5).normal(size=60) * 4]
        left = np.linalg.svd(other - other.mean(axis=0), full_matrices=False)[0]
        sums = left[:, :counts].T @ np.eye(4)[labels]
        assert h_score(other, labels) == pytest.approx((sums**2 / 15).sum())


def test_shrinkage_is_ledoit_and_wolfs(blobs):
    """Against scikit-learn's weight and covariance."""
    for n, dimensions in ((80, 10), (30, 50)):
        features, labels = blobs(0.7, n=n, dimensions=dimensions)
        centred = features - features.mean(axis=0)
        covariance, weight = ledoit_wolf(centred, assume_centered=True)
        means = np.stack([centred[labels == label].mean(axis=0) for label in range(4)])[labels]
        expected = (1 - weight) * np.trace(np.linalg.solve(covariance, means.T @ means / n))
        assert h_score(features, labels, shrinkage="ledoit-wolf") == pytest.approx(expected, rel=1e-10)
