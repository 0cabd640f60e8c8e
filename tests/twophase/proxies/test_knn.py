import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twophase.proxies import _knn, knn


def test_worked_by_hand_in_euclidean_distance():
    # 0 and 1 are each other's nearest (both 0), so are 10 and 11 (both 1); 12.5 (0) has 11 (1).
    assert knn([[0.0], [1], [10], [11], [12.5]], [0, 0, 1, 1, 0], k=1, metric="euclidean") == pytest.approx(4 / 5)


def test_worked_by_hand_in_cosine_distance():
    # By direction the first two and the last two are neighbours; by distance the short ones are
    # each other's nearest (wrong), and each long one's nearest is the short one of its direction.
    features, labels = [[1.0, 0], [100, 1], [0, 1], [1, 100]], [0, 0, 1, 1]
    assert knn(features, labels, k=1) == 1
    assert knn(features, labels, k=1, metric="euclidean") == 0.5


def test_an_example_is_not_its_own_neighbour():
    # Each point's only close neighbour is of the other class.
    assert knn([[0.0], [0.1], [5], [5.1]], [0, 1, 0, 1], k=1, metric="euclidean") == 0


def test_ties_go_to_the_class_of_the_nearest():
    # Point 0 (class 1): neighbours 1 (class 1) then -1.5 (class 0) tie, and the nearer one wins.
    # Point 1 (class 1): neighbours 0 (1), -1.5 (0), right; -1.5 (class 0): neighbours 0 and 1 (1), wrong.
    assert knn([[0.0], [1], [-1.5]], [1, 1, 0], k=2, metric="euclidean") == pytest.approx(2 / 3)


def test_repeated_examples_leave_only_themselves_out():
    assert knn(np.ones((6, 2)), [0, 0, 0, 0, 0, 1], k=5) == pytest.approx(5 / 6)


@settings(max_examples=25)
@given(st.integers(0, 1000), st.integers(1, 7), st.sampled_from(["cosine", "euclidean"]))
def test_equals_leaving_each_one_out_by_hand(seed, k, metric):
    rng = np.random.default_rng(seed)
    features, labels = rng.normal(size=(15, 3)), np.r_[0, 1, 2, rng.integers(0, 3, size=12)]
    right = 0
    for i in range(15):
        if metric == "cosine":
            norms = np.linalg.norm(features, axis=1)
            distance = -(features @ features[i]) / norms / norms[i]
        else:
            distance = np.linalg.norm(features - features[i], axis=1)
        distance[i] = np.inf
        nearest = labels[np.argsort(distance)[:k]]
        votes = np.bincount(nearest, minlength=3)
        winners = np.flatnonzero(votes == votes.max())
        right += (nearest[0] if nearest[0] in winners else winners[0]) == labels[i]
    assert knn(features, labels, k=k, metric=metric) == pytest.approx(right / 15)


def test_scale_changes_nothing(blobs):
    features, labels = blobs(0.5)
    for metric in ("cosine", "euclidean"):
        score = knn(features, labels, metric=metric)
        assert knn(features * 1e-170, labels, metric=metric) == score
        assert knn(features * 1e170, labels, metric=metric) == score


def test_score_rises_with_separation_from_chance(blobs):
    scores = [knn(*blobs(separation, n=400)) for separation in (0.0, 0.5, 1.0)]
    assert scores == sorted(scores)
    assert scores[0] == pytest.approx(1 / 4, abs=0.08)
    assert scores[-1] > 0.95


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("k", [1, 5, 40])
@pytest.mark.parametrize("close", [False, True])
def test_neighbours_are_the_nearest(k, metric, close):
    """Also where all examples are within a hundred-thousandth of one another, beyond single precision."""
    features = np.random.default_rng(0).normal(size=(150, 6))
    features = 1 + 1e-5 * features if close else features
    vectors = features / np.linalg.norm(features, axis=1, keepdims=True) if metric == "cosine" else features
    distances = ((vectors[:, None] - vectors) ** 2).sum(axis=2)
    expected = np.argsort(distances + np.diag(np.full(150, np.inf)), axis=1)[:, :k]
    found = _knn._nearest(features, k, metric)
    assert (np.sort(found) == np.sort(expected)).all()
    assert (found[:, 0] == expected[:, 0]).all()


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("k", [1, 5, 40])
@pytest.mark.parametrize("copies", [2, 10, 100])
def test_no_example_is_its_own_neighbour_among_copies(k, metric, copies):
    features = np.repeat(np.random.default_rng(0).normal(size=(100 // copies, 6)) / 3, copies, axis=0)
    for values in (features, features + 7, features * 0):
        found = _knn._nearest(values, k, metric)
        assert found.shape == (100, k)
        assert (found != np.arange(100)[:, None]).all()
        assert all(len(set(each)) == k for each in found)


def test_copies_come_before_others():
    features = np.repeat(np.random.default_rng(0).normal(size=(20, 6)), 5, axis=0)
    for metric in ("cosine", "euclidean"):
        assert (_knn._nearest(features, 4, metric) // 5 == np.arange(100)[:, None] // 5).all()
