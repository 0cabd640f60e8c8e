import time
import warnings
from math import log

import numpy as np
import pytest

from twophase.proxies import nleep


def test_two_tight_groups_that_are_the_classes_score_zero():
    features = np.r_[np.zeros((20, 2)), np.ones((20, 2))] + 1e-3 * np.random.default_rng(0).normal(size=(40, 2))
    assert nleep(features, [0] * 20 + [1] * 20) == pytest.approx(0, abs=1e-9)


def test_two_tight_groups_worked_by_hand():
    # Two components for two groups far apart: group A holds y = 0 thrice in four, group B y = 1 always.
    features = np.repeat([[0.0, 0.0], [1.0, 1.0]], 8, axis=0)
    labels = [0] * 6 + [1] * 2 + [1] * 8
    expected = (6 * log(6 / 8) + 2 * log(2 / 8) + 8 * log(1)) / 16
    assert nleep(features, labels, components_per_class=1) == pytest.approx(expected, abs=1e-6)


def test_features_without_variance_give_minus_entropy():
    expected = 0.75 * log(0.75) + 0.25 * log(0.25)
    for constant in (0.0, 0.1, 1e9):
        assert nleep(np.full((40, 3), constant), [0] * 30 + [1] * 10) == pytest.approx(expected)


def test_score_rises_with_separation(blobs):
    scores = [nleep(*blobs(separation)) for separation in (0.0, 0.5, 1.0, 2.0)]
    assert scores == sorted(scores)
    assert scores[-1] > -0.05 > -0.5 > scores[0]


def test_noise_does_not_pass_for_knowledge_in_a_small_sample(blobs):
    # With 5 components a class there would be 50 for 60 examples, and noise would score near 0.
    features, labels = blobs(0, n=60, classes=10)
    assert nleep(features, labels) < -1.5
    assert nleep(features, labels, examples_per_component=1) > -0.5


def test_scale_shift_and_rotation_change_nothing(blobs):
    features, labels = blobs(0.7)
    rotation, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(16, 16)))
    score = nleep(features, labels)
    # A power of two is exact; rounding elsewhere could move the mixture's random start.
    assert nleep(features * 2.0**20, labels) == score
    assert nleep(features * 1e-9, labels) == pytest.approx(score, abs=1e-6)
    assert nleep(features @ rotation, labels) == pytest.approx(score, abs=1e-6)
    assert nleep(features + 3, labels) == pytest.approx(score, abs=1e-6)


def test_more_dimensions_than_examples(blobs):
    assert nleep(*blobs(1.0, n=60, dimensions=300)) > nleep(*blobs(0.0, n=60, dimensions=300))


def test_few_or_repeated_examples_do_not_fail():
    assert nleep([[0.0], [1.0]], [0, 1]) == pytest.approx(0, abs=1e-6)
    assert np.isfinite(nleep(np.repeat([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], 40, axis=0), np.arange(120) % 4))


def test_full_covariance_and_seed_are_options(blobs):
    features, labels = blobs(0.5)
    assert nleep(features, labels, covariance="full") != nleep(features, labels)
    assert nleep(features, labels, seed=1) != nleep(features, labels, seed=0)


def test_no_warnings(blobs):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nleep(*blobs(0.3, n=500, dimensions=100, classes=10))


def test_less_than_a_second_of_work(blobs):
    features, labels = blobs(0.3, n=500, dimensions=100, classes=10)
    nleep(features, labels)  # imports
    start = time.process_time()
    nleep(features, labels)
    assert time.process_time() - start < 1
