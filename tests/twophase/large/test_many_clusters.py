import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score

from reproduction.bench import simulated
from twophase.clustering import cluster_models, silhouette
from twophase.errors import UserError
from twophase.large import GrowingClusters, cluster_many
from twophase.large.similarity import TopKSimilarity
from twophase.recall import coarse_recall
from twophase.similarity import top_k_similarity
from twophase.sources.published import model_recycling

# two tight pairs and one model apart from both
MATRIX = pd.DataFrame(
    {"a": [0.90, 0.50], "b": [0.88, 0.52], "c": [0.30, 0.80], "d": [0.34, 0.80], "e": [0.10, 0.10]}, index=["x", "y"]
)
NEW = pd.DataFrame({"z": [0.92, 0.52], "f": [0.12, 0.08], "g": [0.60, 0.10], "h": [0.58, 0.10]}, index=["x", "y"])


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 60), st.integers(1, 8), st.integers(0, 10**6), st.sampled_from([1, 2, 9]), st.data())
def test_it_is_the_plain_clustering_bit_for_bit(n, m, seed, digits, data):
    random = np.random.default_rng(seed)
    matrix = pd.DataFrame(random.random((m, n)).round(digits), columns=[f"m{i}" for i in random.permutation(n)])
    options = {"k": data.draw(st.integers(1, m)), "threshold": data.draw(st.floats(0, 0.6))}
    options["n_clusters"] = data.draw(st.none() | st.integers(1, n))
    plain, many = cluster_models(matrix, **options), cluster_many(matrix, **options)
    assert many.labels.equals(plain.labels) and many.representatives.equals(plain.representatives)
    if plain.non_singletons:
        represent = plain.representatives.loc[plain.non_singletons]
        scores = pd.Series(random.random(len(represent)), index=represent.to_numpy())
        assert coarse_recall(matrix, many, scores, 1).equals(coarse_recall(matrix, plain, scores, 1))
    assert many.similarity.equals(plain.similarity) and many.method == plain.method
    assert np.array_equal(silhouette(many), silhouette(plain), equal_nan=True)


def test_a_given_similarity_is_clustered_plainly():
    alike = pd.DataFrame(np.eye(5), index=MATRIX.columns, columns=MATRIX.columns)
    alike.loc["a", "e"] = alike.loc["e", "a"] = 0.99
    found = cluster_many(MATRIX, threshold=0.1, exact_up_to=3, similarity=alike)
    assert found.members(0) == ["a", "e"] and found.method == "hierarchical" and found.similarity.equals(alike)


def test_similarity_is_made_when_it_is_read(monkeypatch):
    found = cluster_many(MATRIX, k=2, threshold=0.1)
    made = []
    whole = TopKSimilarity.frame
    monkeypatch.setattr(TopKSimilarity, "frame", lambda self: made.append(1) or whole(self))
    part = found.alike(["c", "a"], ["e"])
    assert (
        repr(found) == "5 models in 3 clusters, 1 of them singletons (hierarchical); the models are a, b, c …"
        and not made
    )
    assert found.similarity.equals(top_k_similarity(MATRIX, 2)) and found.similarity is found.similarity
    assert part.equals(found.similarity.loc[["c", "a"], ["e"]]) and part.equals(found.alike(["c", "a"], ["e"]))
    given = replace(found, similarity=found.similarity * 0)
    assert given.similarity.to_numpy().max() == 0 and len(made) == 1


def test_fewer_models_are_as_lazy(monkeypatch):
    found = cluster_many(MATRIX, k=2, threshold=0.1)
    monkeypatch.setattr(TopKSimilarity, "frame", lambda self: pytest.fail("the whole frame was made"))
    given = ["e", "b", "a"], pd.Series({0: "b", 1: "d", 2: "e"})
    fewer, plain = found.among(*given), cluster_models(MATRIX, k=2, threshold=0.1).among(*given)
    for some in (fewer, pickle.loads(pickle.dumps(fewer))):
        assert some.labels.equals(plain.labels) and some.representatives.equals(plain.representatives)
        assert some.alike(["e"], ["b"]).equals(plain.alike(["e"], ["b"]))


def test_a_sample_of_all_is_average_linkage_and_less_says_so():
    matrix = simulated.simulate(300, simulated.read("cleaned"))
    exact = cluster_models(matrix)
    assert cluster_many(matrix, exact_up_to=300).labels.equals(exact.labels) and exact.method == "hierarchical"
    found = cluster_many(matrix, exact_up_to=100)
    assert found.method == "sampled" and "(sampled)" in repr(found)
    mixed = matrix[matrix.columns[np.random.default_rng(0).permutation(300)]]
    again = cluster_many(mixed, exact_up_to=100)
    assert again.labels.loc[matrix.columns].equals(found.labels) and again.representatives.equals(found.representatives)
    assert adjusted_rand_score(exact.labels, found.labels) > 0.5
    # every model is with those that it is near to: below the threshold of the sampled members, or of its leader
    average = matrix.mean()
    assert all(average[found.members(label)].max() == average[name] for label, name in found.representatives.items())


def test_one_sampled_model_makes_leader_clusters():
    """Average linkage of a single model leaves everything to the members; with one member a cluster, to leaders."""
    found = cluster_many(MATRIX, k=2, threshold=0.1, exact_up_to=1, members=1)
    assert found.labels.to_dict() == cluster_models(MATRIX, k=2, threshold=0.1).labels.to_dict()


def test_k_means_of_many_counts_the_sampled_clusters():
    matrix = simulated.simulate(200, simulated.read("cleaned"))
    number = cluster_many(matrix, exact_up_to=50).labels.nunique()
    assert cluster_many(matrix, method="kmeans", exact_up_to=50).labels.nunique() == number


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "dbscan"}, "method: got 'dbscan'; allowed: 'hierarchical', 'kmeans'"),
        ({"n_clusters": 6, "k": 1}, "n_clusters is 6; allowed: 1 to 5, the number of models"),
        ({"k": 3}, "k is 3; allowed: 1 to 2, the number of datasets"),
        ({"k": 1, "exact_up_to": 0}, "exact_up_to is 0; allowed is at least 1"),
        ({"k": 1, "members": 0}, "members is 0; allowed is at least 1"),
        (
            {"k": 1, "exact_up_to": 4, "n_clusters": 2},
            "n_clusters needs average linkage of all 5 models, and exact_up_to is 4",
        ),
    ],
)
def test_impossible_clusterings_are_named(options, message):
    with pytest.raises(UserError, match=message):
        cluster_many(MATRIX, **options)


def test_models_join_found_clusters_and_represent_by_hand():
    zoo = GrowingClusters(MATRIX, cluster_models(MATRIX, k=1, threshold=0.1), k=1, threshold=0.1)
    assert zoo.add(NEW).to_dict() == {"z": 0, "f": 2, "g": 3, "h": 3}
    found = zoo.clusters
    assert found.labels.to_dict() == {"a": 0, "b": 0, "c": 1, "d": 1, "e": 2, "z": 0, "f": 2, "g": 3, "h": 3}
    assert found.representatives.to_dict() == {0: "z", 1: "d", 2: "e", 3: "g"}  # z is better; e = f by prior, e by name
    assert found.non_singletons == [0, 1, 2, 3] and zoo.matrix.columns.tolist() == list("abcdezfgh")
    table = coarse_recall(zoo.matrix, found, pd.Series({"z": 0.9, "d": 0.5, "e": 0.1, "g": 0.2}), top=3)
    assert list(table.index[table["recalled"]])[:2] == ["z", "a"]


def test_a_new_cluster_is_joined_later_and_the_order_of_columns_is_nothing():
    zoo = GrowingClusters(MATRIX, cluster_models(MATRIX, k=1, threshold=0.1), k=1, threshold=0.1)
    assert zoo.add(NEW[["h"]]).to_dict() == {"h": 3} and zoo.add(NEW[["g", "z"]]).to_dict() == {"g": 3, "z": 0}
    assert zoo.clusters.representatives[3] == "g"  # better than h, though it came later
    two = [GrowingClusters(MATRIX, cluster_models(MATRIX, k=1, threshold=0.1), 1, 0.1) for _ in range(2)]
    one, other = two[0].add(NEW), two[1].add(NEW[["h", "f", "z", "g"]].loc[["y", "x"]])
    assert one.to_dict() == other.to_dict()
    assert two[0].clusters.representatives.equals(two[1].clusters.representatives)


def test_the_cost_is_that_of_clusters_not_of_models():
    matrix = simulated.simulate(900, simulated.read("cleaned"))
    clusters = cluster_models(matrix)
    zoo = GrowingClusters(matrix, clusters, members=4)
    sizes = clusters.labels.value_counts()
    assert len(zoo._known.members) == sizes.clip(upper=4).sum() < 0.4 * 900


@pytest.mark.parametrize("clean", [True, False])
def test_a_tenth_added_is_nearly_what_clustering_anew_gives(published, clean):
    matrix = model_recycling.read(published, clean=clean).matrix
    new = matrix.columns[np.random.default_rng(0).permutation(matrix.shape[1])[: matrix.shape[1] // 10]]
    old = matrix.drop(columns=new)
    anew, before = cluster_models(matrix), cluster_models(old)
    zoo = GrowingClusters(old, before)
    zoo.add(matrix[new])
    found = zoo.clusters.labels.loc[matrix.columns]
    # average linkage itself moves old models when new ones come: this is the most that adding can reach
    reachable = adjusted_rand_score(anew.labels.loc[old.columns], before.labels.loc[old.columns])
    assert adjusted_rand_score(anew.labels, found) > reachable - 0.05
    alone = [labels.map(labels.value_counts()).loc[new] == 1 for labels in (anew.labels, found)]
    assert (alone[0] == alone[1]).mean() > 0.95


def test_impossible_additions_are_named():
    clusters = cluster_models(MATRIX, k=1)
    zoo = GrowingClusters(MATRIX, clusters, k=1)
    with pytest.raises(UserError, match=r"models \['a'\] are in the zoo already"):
        zoo.add(MATRIX[["a"]])
    zoo.add(NEW[["z"]])
    with pytest.raises(UserError, match=r"models \['z'\] are in the zoo already"):
        zoo.add(NEW[["z"]])
    with pytest.raises(UserError, match=r"datasets are not those of the zoo; they differ in \['y'\]"):
        zoo.add(NEW.iloc[:1])
    with pytest.raises(UserError, match="scores run from"):
        zoo.add(NEW * 100)
    with pytest.raises(UserError, match="members is 0"):
        GrowingClusters(MATRIX, clusters, k=1, members=0)
    with pytest.raises(UserError, match="k is 5; allowed: 1 to 2, the number of datasets"):
        GrowingClusters(MATRIX, clusters, k=5)
    with pytest.raises(UserError, match="do not name the same models"):
        GrowingClusters(MATRIX.drop(columns="a"), clusters, k=1)
