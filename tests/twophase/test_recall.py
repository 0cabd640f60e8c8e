import numpy as np
import pandas as pd
import pytest

from twophase.clustering import Clusters
from twophase.errors import UserError
from twophase.recall import SMALLEST, coarse_recall, normalize

MATRIX = pd.DataFrame({"a": [0.8, 0.6], "b": [0.6, 0.6], "c": [0.5, 0.3], "d": [0.3, 0.3], "e": [0.9, 0.9]})
ALIKE = pd.DataFrame(np.eye(5), index=list("abcde"), columns=list("abcde"))
ALIKE.loc["e", "a"] = ALIKE.loc["a", "e"] = 0.8
ALIKE.loc["e", "c"] = ALIKE.loc["c", "e"] = 0.4
CLUSTERS = Clusters(
    pd.Series({"a": 0, "b": 0, "c": 1, "d": 1, "e": 2}), pd.Series({0: "a", 1: "c", 2: "e"}), ALIKE, "hierarchical"
)
SCORES = pd.Series({"a": 0.5, "c": 1.0})


def test_eq_3_and_4_by_hand():
    table = coarse_recall(MATRIX, CLUSTERS, SCORES, top=2)
    assert table.loc["b", "recall_score"] == pytest.approx(0.6 * 0.5)  # Eq. 3: the representative's score
    assert table.loc["d", "recall_score"] == pytest.approx(0.3 * 1.0)
    assert table.loc["e", "proxy"] == pytest.approx((0.8 * 0.5 + 0.4 * 1.0) / 2)  # Eq. 4
    assert table.loc["e", "recall_score"] == pytest.approx(0.9 * 0.4)
    assert list(table.index) == ["c", "e", "a", "b", "d"] and list(table["rank"]) == [1, 2, 3, 4, 5]
    assert list(table.index[table["recalled"]]) == ["c", "e"]


def test_released_variants_are_options():
    own = coarse_recall(MATRIX, CLUSTERS, pd.Series({"a": 0.5, "b": 0.1, "c": 1.0, "d": 0.2}), top=2, proxy="own")
    assert own.loc["b", "proxy"] == 0.1 and own.loc["d", "proxy"] == 0.2
    cosine = coarse_recall(MATRIX, CLUSTERS, SCORES, top=2, singleton_similarity="cosine")
    e, a, c = (MATRIX[m] / np.linalg.norm(MATRIX[m]) for m in "eac")
    assert cosine.loc["e", "proxy"] == pytest.approx(((e @ a) * 0.5 + (e @ c) * 1.0) / 2)


def test_ties_go_by_prior_then_by_name():
    table = coarse_recall(MATRIX * 0 + 0.5, CLUSTERS, SCORES * 0 + 0.5, top=1)
    assert list(table.index[:4]) == ["a", "b", "c", "d"]
    # c and d have 1.0 of a proxy that says nothing of a and b, whom their prior still tells apart
    weak = pd.Series({"a": normalize(pd.Series({"a": -2000.0, "c": 0.0}))["a"], "c": 1.0})
    table = coarse_recall(MATRIX.assign(a=[0.1, 0.1]), CLUSTERS, weak, top=1)
    assert list(table.index).index("b") < list(table.index).index("a")
    nothing = coarse_recall(MATRIX, CLUSTERS, SCORES * 0, top=1)
    assert list(nothing.index) == ["e", "a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("method", "scores"),
    [("exp", [-1000.0, -900.0]), ("minmax", [-3.0, 2.0]), ("none", [0.0, 0.5]), ("exp", [0.3, 4.0])],
)
def test_no_normalised_score_is_zero_or_above_one(method, scores):
    found = normalize(pd.Series(scores), method)
    assert found.between(SMALLEST, 1).all() and found.is_monotonic_increasing


def test_normalisations():
    leep = pd.Series({"a": -1.5, "c": -1.0})
    assert normalize(leep).to_dict() == {"a": pytest.approx(np.exp(-0.5)), "c": 1.0}
    assert normalize(leep + 7).to_dict() == pytest.approx(normalize(leep).to_dict())  # Eq. 2-4 know no scale
    assert normalize(pd.Series([2.0, 4.0, 3.0]), "minmax").tolist() == [SMALLEST, 1, 0.5]
    assert normalize(pd.Series([2.0, 2.0]), "minmax").tolist() == [1, 1]
    with pytest.raises(UserError, match=r"'none' leaves scores from .*use 'minmax' or 'exp'"):
        normalize(pd.Series([0.5, 2.0]), "none")
    with pytest.raises(UserError, match="method: got 'softmax'; allowed: 'exp', 'minmax', 'none'"):
        normalize(leep, "softmax")
    for wrong in (np.nan, np.inf, -np.inf):
        with pytest.raises(UserError, match="1 of 2 proxy scores are NaN or infinite, of b; leave these models out"):
            normalize(pd.Series({"a": 1.0, "b": wrong}), "minmax")


def test_the_next_of_a_cluster_stands_in_for_a_representative_without_a_score():
    table = coarse_recall(MATRIX, CLUSTERS, pd.Series({"a": np.nan, "b": 0.5, "c": 1.0}), top=2)
    assert table.loc["a", "proxy"] == table.loc["b", "proxy"] == 0.5
    assert table.loc["e", "proxy"] == pytest.approx((0.0 * 0.5 + 0.4 * 1.0) / 2)  # Eq. 4 compares with b now


def test_a_singleton_may_be_ranked_by_its_own_score():
    scores = SCORES.add(pd.Series({"e": 0.95}), fill_value=0)
    assert coarse_recall(MATRIX, CLUSTERS, scores, top=2).equals(coarse_recall(MATRIX, CLUSTERS, SCORES, top=2))
    own = coarse_recall(MATRIX, CLUSTERS, scores, top=2, singletons=5)
    assert own.index[0] == "e" and own.loc["e", "proxy"] == 0.95
    # one that could not be scored keeps Eq. 4
    assert coarse_recall(MATRIX, CLUSTERS, SCORES, singletons=5, top=2).loc["e", "proxy"] == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"top": 6}, "top is 6; allowed: 1 to 5, the number of models"),
        ({"proxy_scores": pd.Series({"a": 0.5})}, r"proxy scores of \['c'\] are missing"),
        ({"proxy_scores": pd.Series({"a": -0.7, "c": 0.5})}, "score of a is -0.7; .*normalize first"),
        ({"proxy": "mean"}, "proxy: got 'mean'; allowed: 'representative', 'own'"),
        ({"matrix": MATRIX.drop(columns="e")}, "do not name the same models"),
    ],
)
def test_impossible_recalls_are_named(options, message):
    given = {"matrix": MATRIX, "clusters": CLUSTERS, "proxy_scores": SCORES, "top": 2} | options
    with pytest.raises(UserError, match=message):
        coarse_recall(**given)


def test_singletons_only_is_refused():
    alone = Clusters(pd.Series(range(5), index=list("abcde")), pd.Series(list("abcde")), ALIKE, "hierarchical")
    with pytest.raises(UserError, match="every model is a cluster of its own"):
        coarse_recall(MATRIX, alone, SCORES, top=2)
