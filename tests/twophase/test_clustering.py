from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import AgglomerativeClustering
from sklearn.metrics import adjusted_rand_score, silhouette_score

from reproduction.bench import simulated
from twophase.clustering import cluster_models, silhouette
from twophase.errors import UserError
from twophase.similarity import TopKSimilarity, top_k_similarity

# two tight pairs and one model apart from both
MATRIX = pd.DataFrame(
    {"a": [0.90, 0.50], "b": [0.88, 0.52], "c": [0.30, 0.80], "d": [0.34, 0.80], "e": [0.10, 0.10]},
    index=["x", "y"],
)


def test_clusters_representatives_and_singletons_by_hand():
    found = cluster_models(MATRIX, k=2, threshold=0.1)
    assert found.labels.to_dict() == {"a": 0, "b": 0, "c": 1, "d": 1, "e": 2}
    assert found.representatives.to_dict() == {0: "a", 1: "d", 2: "e"}  # averages: a = b = .70 (name), d > c
    assert found.non_singletons == [0, 1] and found.members(1) == ["c", "d"]


@pytest.mark.parametrize("method", ["hierarchical", "kmeans"])
def test_the_order_of_the_columns_changes_nothing(method):
    matrix = pd.DataFrame(np.random.default_rng(3).random((6, 12)), columns=list("abcdefghijkl"))
    one = cluster_models(matrix, k=3, method=method, n_clusters=4)
    other = cluster_models(matrix[list(reversed(matrix.columns))], k=3, method=method, n_clusters=4)
    assert one.labels.to_dict() == other.labels.to_dict()
    assert one.representatives.to_dict() == other.representatives.to_dict()


def test_kmeans_takes_as_many_clusters_as_the_cut_gives():
    assert cluster_models(MATRIX, k=2, threshold=0.1, method="kmeans").labels.nunique() == 3


def test_given_similarity_replaces_eq_1():
    alike = pd.DataFrame(np.eye(5), index=MATRIX.columns, columns=MATRIX.columns)
    alike.loc["a", "e"] = alike.loc["e", "a"] = 0.99
    found = cluster_models(MATRIX, similarity=alike, threshold=0.1)
    assert found.non_singletons == [0] and found.members(0) == ["a", "e"]


@pytest.mark.parametrize("options", [{"threshold": 0.2}, {"threshold": 0.25}, {"n_clusters": 1}, {"n_clusters": 17}])
def test_average_linkage_is_scikit_learns(options):
    matrix = pd.DataFrame(np.random.default_rng(1).random((5, 60)).round(1))  # many equal distances
    found = cluster_models(matrix, k=2, **options)
    distances = 1 - top_k_similarity(matrix, 2).to_numpy()
    cut = {"n_clusters": options.get("n_clusters"), "distance_threshold": options.get("threshold")}
    theirs = AgglomerativeClustering(**cut, metric="precomputed", linkage="average").fit_predict(distances)
    assert found.labels.nunique() == len(set(theirs)) and adjusted_rand_score(found.labels, theirs) == 1


def test_similarity_is_made_when_it_is_read(monkeypatch):
    found = cluster_models(MATRIX, k=2, threshold=0.1)
    made = []
    whole = TopKSimilarity.frame
    monkeypatch.setattr(TopKSimilarity, "frame", lambda self: made.append(1) or whole(self))
    part = found.alike(["c", "a"], ["e"])
    assert repr(found) == "5 models in 3 clusters, 1 of them singletons (hierarchical)" and not made
    assert found.similarity.equals(top_k_similarity(MATRIX, 2)) and found.similarity is found.similarity
    assert part.equals(found.similarity.loc[["c", "a"], ["e"]]) and part.equals(found.alike(["c", "a"], ["e"]))
    given = replace(found, similarity=found.similarity * 0)
    assert given.similarity.to_numpy().max() == 0 and len(made) == 2  # one is `top_k_similarity`'s


def test_fewer_models_with_other_representatives():
    found = cluster_models(MATRIX, k=2, threshold=0.1).among(["e", "b", "a"], pd.Series({0: "b", 1: "d", 2: "e"}))
    assert found.labels.to_dict() == {"e": 2, "b": 0, "a": 0} and found.representatives.to_dict() == {0: "b", 2: "e"}
    assert found.alike(["e"], ["b"]).iloc[0, 0] == top_k_similarity(MATRIX, 2).loc["e", "b"]


def test_a_sample_of_all_is_average_linkage_and_less_says_so():
    matrix = simulated.simulate(300, simulated.read("cleaned"))
    exact = cluster_models(matrix)
    assert cluster_models(matrix, exact_up_to=300).labels.equals(exact.labels) and exact.method == "hierarchical"
    found = cluster_models(matrix, exact_up_to=100)
    assert found.method == "sampled" and "(sampled)" in repr(found)
    mixed = matrix[matrix.columns[np.random.default_rng(0).permutation(300)]]
    again = cluster_models(mixed, exact_up_to=100)
    assert again.labels.loc[matrix.columns].equals(found.labels) and again.representatives.equals(found.representatives)
    assert adjusted_rand_score(exact.labels, found.labels) > 0.5
    # every model is with those that it is near to: below the threshold of the sampled members, or of its leader
    average = matrix.mean()
    assert all(average[found.members(label)].max() == average[name] for label, name in found.representatives.items())


def test_one_sampled_model_makes_leader_clusters():
    """Average linkage of a single model leaves everything to the members; with one member a cluster, to leaders."""
    found = cluster_models(MATRIX, k=2, threshold=0.1, exact_up_to=1, members=1)
    assert found.labels.to_dict() == cluster_models(MATRIX, k=2, threshold=0.1).labels.to_dict()


def test_k_means_of_many_counts_the_sampled_clusters():
    matrix = simulated.simulate(200, simulated.read("cleaned"))
    number = cluster_models(matrix, exact_up_to=50).labels.nunique()
    assert cluster_models(matrix, method="kmeans", exact_up_to=50).labels.nunique() == number


def test_standard_silhouette_is_rousseeuws():
    found = cluster_models(MATRIX, k=2, threshold=0.1)
    distance = 1 - found.similarity.to_numpy()
    assert silhouette(found) == pytest.approx(silhouette_score(distance, found.labels, metric="precomputed"))


def test_released_silhouette_by_hand():
    alike = pd.DataFrame(
        [[1.0, 0.9, 0.5, 0.1], [0.9, 1.0, 0.5, 0.3], [0.5, 0.5, 1.0, 0.2], [0.1, 0.3, 0.2, 1.0]],
        index=list("abcd"), columns=list("abcd"),
    )  # fmt: skip
    found = cluster_models(pd.DataFrame(np.full((1, 4), 0.5), columns=list("abcd")), similarity=alike, threshold=0.2)
    assert found.non_singletons == [0] and found.members(0) == ["a", "b"]
    # a: within .1, beyond (.5 + .9) / 2 = .7 -> 6/7; b: within .1, beyond (.5 + .7) / 2 = .6 -> 5/6; c, d: no score
    assert silhouette(found, variant="released") == pytest.approx((6 / 7 + 5 / 6) / 2)
    # standard: c, d are singletons with 0; b is the nearest cluster: a: c at .5 -> .8; b: c at .5 -> .8
    assert silhouette(found) == pytest.approx((0.8 + 0.8) / 4)


def test_silhouette_of_one_cluster_is_not_a_number():
    assert np.isnan(silhouette(cluster_models(MATRIX, k=1, n_clusters=1)))
    assert np.isnan(silhouette(cluster_models(MATRIX, k=1, n_clusters=5)))


@pytest.mark.parametrize(
    ("name", "cut", "clusters", "non_singletons", "clustered", "standard", "of_clustered", "released"),
    [("nlp", 0.09, 16, 8, 31, 0.168, 0.252, 0.535), ("cv", 0.03, 6, 5, 29, 0.486, 0.503, 0.778)],
)
def test_released_matrices(published, name, cut, clusters, non_singletons, clustered, standard, of_clustered, released):
    """The authors' own matrices: their clusters, and their silhouettes beside the standard ones."""
    matrix = pd.read_csv(published / "two-phase-selection" / f"{name}_matrix.tsv", sep="\t")
    found = cluster_models(matrix, k=5, threshold=cut)
    assert (found.labels.nunique(), len(found.non_singletons)) == (clusters, non_singletons)
    assert found.labels.isin(found.non_singletons).sum() == clustered
    assert silhouette(found) == pytest.approx(standard, abs=5e-4)
    assert silhouette(found, models="clustered") == pytest.approx(of_clustered, abs=5e-4)
    positive = cluster_models(matrix, similarity=top_k_similarity(matrix, 5, positive_only=True), threshold=cut)
    assert silhouette(positive, variant="released") == pytest.approx(released, abs=6e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "dbscan"}, "unknown clustering method 'dbscan'; allowed: hierarchical, kmeans"),
        ({"n_clusters": 6, "k": 1}, "n_clusters is 6; allowed: 1 to 5, the number of models"),
        ({"k": 3}, "k is 3; Eq. 1 needs 1 <= k <= 2"),
        ({"k": 1, "exact_up_to": 0}, "exact_up_to is 0; allowed is at least 1"),
        ({"k": 1, "members": 0}, "members is 0; allowed is at least 1"),
        (
            {"k": 1, "exact_up_to": 4, "n_clusters": 2},
            "n_clusters needs average linkage of all 5 models, and exact_up_to is 4",
        ),
        ({"similarity": pd.DataFrame([[1.0]], index=["z"], columns=["z"])}, "do not name the same models"),
    ],
)
def test_impossible_clusterings_are_named(options, message):
    with pytest.raises(UserError, match=message):
        cluster_models(MATRIX, **options)


def test_unknown_variants_are_named():
    with pytest.raises(UserError, match="unknown silhouette variant 'paper'; allowed: standard, released"):
        silhouette(cluster_models(MATRIX, k=2), variant="paper")
