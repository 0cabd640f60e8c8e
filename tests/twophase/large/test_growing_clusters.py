import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import adjusted_rand_score

from reproduction.bench import simulated
from twophase.clustering import cluster_models
from twophase.errors import UserError
from twophase.large import GrowingClusters
from twophase.recall import coarse_recall
from twophase.sources.published import model_recycling

MATRIX = pd.DataFrame(
    {"a": [0.90, 0.50], "b": [0.88, 0.52], "c": [0.30, 0.80], "d": [0.34, 0.80], "e": [0.10, 0.10]}, index=["x", "y"]
)
NEW = pd.DataFrame({"z": [0.92, 0.52], "f": [0.12, 0.08], "g": [0.60, 0.10], "h": [0.58, 0.10]}, index=["x", "y"])


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
    with pytest.raises(UserError, match="k is 5; Eq. 1 needs"):
        GrowingClusters(MATRIX, clusters)
    with pytest.raises(UserError, match="do not name the same models"):
        GrowingClusters(MATRIX.drop(columns="a"), clusters, k=1)
