import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twophase.large import assignment as joining
from twophase.large.assignment import join, lead, nearest, prototypes


def distance(a, b, k):
    """Mean of the k largest gaps, the plain way."""
    return np.sort(np.abs(a - b))[-k:].mean()


def plain_lead(models, k, threshold):
    leaders, found = [], []
    for model in models:
        away = [distance(model, leader, k) for leader in leaders]
        if away and min(away) < threshold:
            found.append(int(np.argmin(away)))
        else:
            found.append(len(leaders))
            leaders.append(model)
    return found


def plain_nearest(models, members, clusters, k, threshold):
    found = []
    for model in models:
        away = np.array([distance(model, member, k) for member in members])
        mean = np.array([away[clusters == label].mean() for label in range(clusters.max() + 1)])
        found.append(int(mean.argmin()) if mean.min() < threshold else -1)
    return found


def scattered(n, m, seed, low=0.0):
    """Models around a few centres, some far from all."""
    random = np.random.default_rng(seed)
    near = random.random((7, m))[random.integers(7, size=n)] + random.normal(0, 0.05, (n, m))
    return np.clip(np.where(random.random((n, 1)) < 0.2, random.random((n, m)), near), low, 1)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 90), st.integers(1, 12), st.integers(0, 1000), st.floats(0.02, 0.6), st.data())
def test_what_is_ruled_out_is_never_the_nearest(n, m, seed, threshold, data):
    k = data.draw(st.integers(1, m))
    models = scattered(n, m, seed)
    assert lead(models, k, threshold).tolist() == plain_lead(models, k, threshold)
    members = scattered(40, m, seed + 1)
    clusters = np.random.default_rng(seed).permutation(np.arange(40) % 9)
    found, away = nearest(models, prototypes(members, clusters, most=40), k, threshold)
    assert found.tolist() == plain_nearest(models, members, clusters, k, threshold)
    assert (away[found < 0] == threshold).all() and (away[found >= 0] < threshold).all()


def test_batches_and_threads_change_nothing(monkeypatch):
    models = scattered(700, 6, 3)
    one = lead(models, 2, 0.15)
    monkeypatch.setattr(joining, "BATCH", 64)
    monkeypatch.setattr("twophase.large.similarity.SMALL", 10)
    monkeypatch.setenv("NUMBA_NUM_THREADS", "3")
    assert lead(models, 2, 0.15).tolist() == one.tolist() and one.max() > 64
    known = prototypes(models[:200], lead(models[:200], 2, 0.15), most=5)
    many = join(models[200:], known, 2, 0.15)
    monkeypatch.setenv("NUMBA_NUM_THREADS", "1")
    assert join(models[200:], known, 2, 0.15).tolist() == many.tolist()


def test_every_leader_is_the_first_of_its_cluster_and_far_from_the_others():
    models = scattered(300, 8, 5)
    found = lead(models, 3, 0.2)
    first = [int(np.flatnonzero(found == label)[0]) for label in range(found.max() + 1)]
    apart = [distance(models[a], models[b], 3) for a in first for b in first if a != b]
    assert first == sorted(first) and min(apart) >= 0.2
    assert all(distance(models[x], models[first[label]], 3) < 0.2 for x, label in enumerate(found) if x not in first)


def test_prototypes_are_evenly_spaced_and_begin_with_the_first():
    models = np.arange(20.0).reshape(10, 2) / 20
    clusters = np.array([1, 0, 1, 1, 0, 1, 1, 2, 1, 1])
    known = prototypes(models, clusters, most=3)
    assert known.starts.tolist() == [0, 2, 5, 6]
    assert known.members.tolist() == models[[1, 4, 0, 3, 6, 7]].tolist()  # 1: seven members, the first, third and fifth
    assert known.centres[:, 1] == pytest.approx(models[[0, 3, 6]].mean(axis=0))
    assert prototypes(models, clusters, most=1).members.tolist() == models[[1, 0, 7]].tolist()


def test_new_clusters_are_numbered_after_the_known_ones():
    known = prototypes(np.array([[0.1, 0.1], [0.9, 0.9]]), np.array([0, 1]), most=4)
    new = np.array([[0.5, 0.5], [0.88, 0.9], [0.52, 0.5], [0.1, 0.9]])
    assert join(new, known, k=1, threshold=0.1).tolist() == [2, 1, 2, 3]
