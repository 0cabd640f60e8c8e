from math import log, pi

import numpy as np
import pytest
from scipy.optimize import minimize

from twophase.proxies import logme


def exact(features, labels):
    """The definition: y ~ N(0, I / beta + F F' / alpha), maximised over alpha and beta, class by class."""
    features = np.asarray(features, dtype=float)
    n = len(features)
    gram = features @ features.T
    total = 0.0
    for label in np.unique(labels):
        y = (labels == label).astype(float)

        def loss(log_variances, y=y):
            weights, noise = np.exp(log_variances)
            covariance = noise * np.eye(n) + weights * gram
            return (y @ np.linalg.solve(covariance, y) + np.linalg.slogdet(2 * pi * covariance)[1]) / 2

        starts = [(-8, -2), (-3, -6), (0, -1)]
        options = {"xatol": 1e-7, "fatol": 1e-9}
        total -= min(minimize(loss, start, method="Nelder-Mead", options=options).fun for start in starts)
    return total / len(np.unique(labels)) / n


@pytest.mark.parametrize("separation", [0.0, 0.3, 1.0])
@pytest.mark.parametrize(("n", "dimensions"), [(24, 3), (24, 10), (12, 12), (10, 30)])
def test_equals_direct_maximisation_of_the_evidence(blobs, n, dimensions, separation):
    features, labels = blobs(separation, n=n, dimensions=dimensions, classes=3, seed=4)
    assert logme(features, labels) == pytest.approx(exact(features, labels), abs=2e-6)


def test_worked_by_hand_with_more_examples_than_dimensions():
    # One unit direction: z = 1, |y|^2 = 2. With u = t / (t + 1), for either class,
    # log p = 2 log(4 / (2 pi (1 + u))) - 2 + log(u) / 2 is greatest at u = 1/3.
    expected = (2 * log(3 / (2 * pi)) - 2 - log(3) / 2) / 4
    assert logme([[0.5]] * 4, [0, 0, 1, 1]) == pytest.approx(expected)


def test_worked_by_hand_with_fewer_examples_than_dimensions():
    # s = (1, 1): q = u and log p = log(1 / (pi u)) - 1 + log u, the same for every t and every D >= 2.
    for dimensions in (2, 3, 50):
        assert logme(np.eye(2, dimensions), [0, 1]) == pytest.approx((-log(pi) - 1) / 2)


def test_worked_by_hand_at_both_ends_of_the_search():
    # s^2 = (1, 4): the first class does best without weights (t -> infinity),
    # the second without noise (t -> 0).
    expected = ((-log(pi) - 1) + (-log(pi) - 1 + log(2))) / 2 / 2
    assert logme([[1.0, 0, 0], [0, 2.0, 0]], [0, 1]) == pytest.approx(expected)


def test_dimensions_that_hold_nothing_change_nothing(blobs):
    # The step from D < N to D > N: where a term in D is lost, these differ.
    features, labels = blobs(0.5, n=30, dimensions=5)
    padded = np.c_[features, np.zeros((30, 60))]
    assert logme(padded, labels) == pytest.approx(logme(features, labels), abs=1e-9)


def test_scale_and_rotation_change_nothing(blobs):
    for n, dimensions in ((60, 16), (10, 16)):
        features, labels = blobs(0.5, n=n, dimensions=dimensions)
        rotation, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(dimensions, dimensions)))
        score = logme(features, labels)
        assert logme(features @ rotation, labels) == pytest.approx(score, abs=1e-8)
        for scale in (1e-150, 1e-5, 1e5, 1e150):
            assert logme(features * scale, labels) == pytest.approx(score, abs=1e-8)


def test_features_of_nothing_but_zeros():
    # No weights: y ~ N(0, 1 / beta), beta = N / |y|^2.
    expected = np.mean([(log(4 / (2 * pi * count)) - 1) / 2 for count in (3, 1)])
    assert logme(np.zeros((4, 3)), [0, 0, 0, 1]) == pytest.approx(expected)


def test_score_rises_with_separation(blobs):
    for n, dimensions in ((200, 16), (40, 64)):
        scores = [logme(*blobs(separation, n=n, dimensions=dimensions)) for separation in (0.0, 0.5, 1.0, 2.0)]
        assert scores == sorted(scores)


def test_labels_that_are_features_are_finite_and_best(blobs):
    features, labels = blobs(2.0)
    perfect = logme(np.eye(4)[labels], labels)
    assert np.isfinite(perfect)
    assert perfect > logme(features, labels)


def test_directions_a_ten_thousandth_of_the_largest_can_tell_the_labels(blobs):
    features, labels = blobs(0.0, n=60, dimensions=8)
    small = np.c_[features, 1e-4 * (np.eye(4)[labels] + 0.01 * features[:, :4])]
    assert logme(small, labels) > logme(features, labels) + 1
