import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reproduction.bench import simulated
from twophase.clustering import cluster_models
from twophase.errors import UserError
from twophase.large import RecallIndex, cluster_many, recall_index
from twophase.recall import coarse_recall


def scores_for(clusters, values):
    return pd.Series(values, index=clusters.representatives.loc[clusters.non_singletons].to_numpy())


def same(matrix, clusters, scores, top):
    expected = coarse_recall(matrix, clusters, scores, top).head(top)
    pd.testing.assert_frame_equal(RecallIndex(matrix, clusters).recall(scores, top), expected, check_exact=True)


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 60), st.integers(1, 8), st.integers(0, 10**6), st.sampled_from([1, 2, 9]), st.data())
def test_it_is_coarse_recall_bit_for_bit(n, m, seed, digits, data):
    """Ties (one digit), negative scores, proxies of all shapes, any number of models recalled."""
    random = np.random.default_rng(seed)
    names = [f"m{i}" for i in random.permutation(n)]
    matrix = pd.DataFrame((random.random((m, n)) - 0.3 * (seed % 2)).round(digits), columns=names)
    cluster = data.draw(st.sampled_from([cluster_models, cluster_many]))
    clusters = cluster(matrix, k=data.draw(st.integers(1, m)), threshold=data.draw(st.floats(0.05, 0.5)))
    count = len(clusters.non_singletons)
    if not count:
        with pytest.raises(UserError, match="every model is a cluster of its own"):
            RecallIndex(matrix, clusters)
        return
    values = data.draw(st.sampled_from([random.random(count).round(digits), np.eye(count)[0], np.full(count, 0.5)]))
    same(matrix, clusters, scores_for(clusters, values), data.draw(st.integers(1, n)))


def test_eq_4_is_computed_for_few_and_in_parts(monkeypatch):
    matrix = simulated.simulate(1500, simulated.read("as_published"))
    clusters = cluster_many(matrix.iloc[1:])
    scores = scores_for(clusters, matrix.iloc[0].loc[clusters.representatives.loc[clusters.non_singletons]].to_numpy())
    expected = coarse_recall(matrix.iloc[1:], clusters, scores, 10).head(10)
    monkeypatch.setattr(recall_index, "CELLS", 2000)
    index = RecallIndex(matrix.iloc[1:], clusters)
    asked = []
    whole = index._eq_4
    monkeypatch.setattr(index, "_eq_4", lambda at, scores: asked.extend(at) or whole(at, scores))
    pd.testing.assert_frame_equal(index.recall(scores, 10), expected, check_exact=True)
    assert len(asked) < 0.1 * len(index.alone)
    everything = coarse_recall(matrix.iloc[1:], clusters, scores, 10).drop(columns="recalled")
    found = index.recall(scores, 1500).drop(columns="recalled")
    pd.testing.assert_frame_equal(found, everything, check_exact=True)


def test_impossible_recalls_are_named():
    matrix = simulated.simulate(60, simulated.read("cleaned"))
    clusters = cluster_models(matrix)
    index, scores = RecallIndex(matrix, clusters), scores_for(clusters, 0.5)
    with pytest.raises(UserError, match="top is 61; allowed: 1 to 60, the number of models"):
        index.recall(scores, 61)
    with pytest.raises(UserError, match="proxy scores of .* are missing"):
        index.recall(scores.iloc[1:])
    with pytest.raises(UserError, match="Eq. 2 takes scores in"):
        index.recall(scores * 3)
    with pytest.raises(UserError, match="do not name the same models"):
        RecallIndex(matrix.iloc[:, 1:], clusters)
