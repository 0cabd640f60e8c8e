import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import AgglomerativeClustering
from sklearn.metrics import adjusted_rand_score, silhouette_score

from twophase.clustering import average_linkage, cluster_models, silhouette
from twophase.errors import UserError
from twophase.similarity import top_k_similarity

# two tight pairs and one model apart from both
MATRIX = pd.DataFrame(
    {"a": [0.90, 0.50], "b": [0.88, 0.52], "c": [0.30, 0.80], "d": [0.34, 0.80], "e": [0.10, 0.10]}, index=["x", "y"]
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


@pytest.mark.parametrize(("distance", "clusters"), [(np.nextafter(0.09, 0), 2), (0.09, 2), (0.0899, 1)])
def test_a_distance_of_the_limit_is_no_smaller_one_whatever_rounding_makes_of_it(distance, clusters):
    assert len(set(average_linkage(np.array([distance]), 0.09))) == clusters


@pytest.mark.parametrize("options", [{"threshold": 0.2}, {"threshold": 0.25}, {"n_clusters": 1}, {"n_clusters": 17}])
def test_average_linkage_is_scikit_learns(options):
    matrix = pd.DataFrame(np.random.default_rng(1).random((5, 60)).round(1))  # many equal distances
    found = cluster_models(matrix, k=2, **options)
    distances = 1 - top_k_similarity(matrix, 2).to_numpy()
    # many distances are the threshold but for rounding, by which scikit-learn lets them be merged or not
    threshold = options["threshold"] * (1 - 1e-9) if "threshold" in options else None
    cut = {"n_clusters": options.get("n_clusters"), "distance_threshold": threshold}
    theirs = AgglomerativeClustering(**cut, metric="precomputed", linkage="average").fit_predict(distances)
    assert found.labels.nunique() == len(set(theirs)) and adjusted_rand_score(found.labels, theirs) == 1


def test_fewer_models_with_other_representatives():
    found = cluster_models(MATRIX, k=2, threshold=0.1).among(["e", "b", "a"], pd.Series({0: "b", 1: "d", 2: "e"}))
    assert found.labels.to_dict() == {"e": 2, "b": 0, "a": 0} and found.representatives.to_dict() == {0: "b", 2: "e"}
    assert found.alike(["e"], ["b"]).iloc[0, 0] == top_k_similarity(MATRIX, 2).loc["e", "b"]


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
        ({"method": "dbscan"}, "method: got 'dbscan'; allowed: 'hierarchical', 'kmeans'"),
        ({"n_clusters": 6, "k": 1}, "n_clusters is 6; allowed: 1 to 5, the number of models"),
        ({"k": 3}, "k is 3; allowed: 1 to 2, the number of datasets"),
        ({"similarity": pd.DataFrame([[1.0]], index=["z"], columns=["z"])}, "do not name the same models"),
    ],
)
def test_impossible_clusterings_are_named(options, message):
    with pytest.raises(UserError, match=message):
        cluster_models(MATRIX, **options)


def test_unknown_variants_are_named():
    with pytest.raises(UserError, match="variant: got 'paper'; allowed: 'standard', 'released'"):
        silhouette(cluster_models(MATRIX, k=2), variant="paper")


def test_the_adaptive_threshold_follows_the_scale_of_the_distances():
    rng = np.random.default_rng(3)
    families = rng.uniform(0.3, 0.9, (3, 8))
    matrix = pd.DataFrame({f"{f}{i}": families[f] + rng.normal(0, 0.01, 8) for f in range(3) for i in range(4)})
    for scale in (1.0, 0.1):  # the same zoo on datasets that tell models less apart
        found = cluster_models(0.5 + (matrix - 0.5) * scale, threshold=None)
        assert found.labels.nunique() == 3 and not found.degenerate
    assert cluster_models(0.5 + (matrix - 0.5) * 0.1).degenerate == "one cluster holds 12 of the 12 models"
    assert cluster_models(matrix, threshold=0.0).degenerate == "each of the 12 models is a cluster of its own"
    same = pd.DataFrame({name: matrix.iloc[:, 0] for name in "abc"})
    assert cluster_models(same, threshold=None).labels.nunique() == 1
    for wrong in (-0.1, float("nan")):
        with pytest.raises(UserError, match=r"threshold is .*; allowed is a distance of at least 0, or None"):
            cluster_models(matrix, threshold=wrong)
