"""The core as it is used with what numpy, pandas, torch and scikit-learn give: the right answer, or one line."""

import math
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
import torch

import twophase
from twophase import (
    RecordedRuns,
    TrainingRecords,
    brute_force,
    cluster_models,
    coarse_recall,
    fine_selection,
    normalize,
    silhouette,
    successive_halving,
    top_k_similarity,
    two_phase,
)
from twophase.errors import UserError
from twophase.large import GrowingClusters, RecallIndex, cluster_many
from twophase.similarity import cosine_similarity
from twophase.trends import mine

MATRIX = pd.DataFrame(
    {"a": [0.90, 0.50, 0.3, 0.4], "b": [0.88, 0.52, 0.3, 0.4], "c": [0.30, 0.80, 0.3, 0.4], "d": [0.34, 0.80, 0.3, 0.4],
     "e": [0.10, 0.10, 0.3, 0.4]},
    index=["w", "x", "y", "z"],
)  # fmt: skip
CLUSTERS = cluster_models(MATRIX, k=2, threshold=0.1)  # a b | c d | e
SCORES = {"a": 0.5, "d": 1.0}


def named(frame):
    """The frame with the matrix's names in place of numbers."""
    return frame.rename(index=dict(enumerate(MATRIX.columns)), columns=dict(enumerate(MATRIX.columns)))


@pytest.mark.parametrize("kind", [np.asarray, torch.tensor, lambda v: v.tolist(), lambda v: v.astype(object)])
def test_an_array_is_a_matrix_whose_models_are_numbered(kind):
    given = kind(MATRIX.to_numpy())
    assert named(top_k_similarity(given, k=2)).equals(top_k_similarity(MATRIX, k=2))
    found = cluster_models(given, k=2, threshold=0.1)
    assert found.labels.tolist() == CLUSTERS.labels.tolist() and found.to_score == [0, 3]
    assert cluster_many(given, k=2, threshold=0.1).labels.equals(found.labels)
    table = coarse_recall(given, found, [0.5, 1.0], top=2)
    assert named(table).rename_axis("model").equals(coarse_recall(MATRIX, CLUSTERS, SCORES, top=2))


def test_a_mapping_of_columns_is_a_matrix():
    assert top_k_similarity(MATRIX.to_dict(), k=2).equals(top_k_similarity(MATRIX, k=2))
    columns = {name: torch.tensor(column.to_numpy(), requires_grad=True) for name, column in MATRIX.items()}
    assert top_k_similarity(columns, k=2).equals(top_k_similarity(MATRIX, k=2))
    assert TrainingRecords.from_matrix(MATRIX.to_dict()).matrix().loc["x", "b"] == 0.52
    vectors = MATRIX.T.to_numpy()
    assert (cosine_similarity(vectors).to_numpy() == cosine_similarity(MATRIX.T).to_numpy()).all()


def test_an_array_of_similarities_has_the_order_of_the_matrix():
    alike = top_k_similarity(MATRIX, k=1)
    for given in (alike.to_numpy(), alike.loc[::-1, ::-1]):
        assert cluster_models(MATRIX, similarity=given, threshold=0.1).similarity.equals(alike)


@pytest.mark.parametrize(
    "scores",
    [
        SCORES,
        pd.Series(SCORES),
        [0.5, 1.0],
        np.array([0.5, 1.0]),
        torch.tensor([0.5, 1.0], requires_grad=True),
        {name: torch.tensor(score, requires_grad=True) for name, score in SCORES.items()},
        [0.5, 0.1, 0.2, 1.0, 0.3],  # of all models
    ],
)
def test_scores_by_name_or_in_the_order_of_what_is_to_score(scores):
    expected = coarse_recall(MATRIX, CLUSTERS, pd.Series(SCORES), top=2)
    assert CLUSTERS.to_score == ["a", "d"]
    assert coarse_recall(MATRIX, CLUSTERS, scores, top=2).equals(expected)
    assert RecallIndex(MATRIX, CLUSTERS).recall(scores, top=2).equals(expected.head(2))


def test_normalisation_gives_back_what_it_was_given():
    leep = {"a": -1.5, "d": -1.0}
    assert normalize(leep).equals(normalize(pd.Series(leep)))
    found = normalize(np.array([-1.5, -1.0]))
    assert isinstance(found, np.ndarray) and found.tolist() == normalize(leep).tolist()
    assert found[1] == 1 and found[0] == pytest.approx(math.exp(-0.5))


def test_what_is_not_named_adapts_and_says_so(records):
    with pytest.warns(UserWarning) as said:
        assert cluster_models(MATRIX).similarity.equals(top_k_similarity(MATRIX, k=4))
        assert GrowingClusters(MATRIX, CLUSTERS, threshold=0.1).add(MATRIX[["e"]].set_axis(["f"], axis=1)).tolist() == [
            2
        ]
        assert coarse_recall(MATRIX, CLUSTERS, SCORES)["recalled"].all()
        assert len(RecallIndex(MATRIX, CLUSTERS).recall(SCORES)) == 5
        assert len(mine([0.1, 0.2, 0.3], [0.1, 0.2, 0.3])) == 3
        usual = fine_selection(RecordedRuns(records, "t"), records.models, records)
    assert [str(one.message) for one in said] == [
        "k is 4 instead of 5: there are 4 datasets.",
        "k is 4 instead of 5: there are 4 datasets.",
        "top is 5 instead of 10: there are 5 models.",
        "top is 5 instead of 10: there are 5 models.",
        "n_trends is 3 instead of 4: there are 3 datasets.",
        "n_trends is 2 instead of 4: there are 2 datasets.",
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        named_ = fine_selection(RecordedRuns(records, "t"), records.models, records, n_trends=2)
    assert usual.history.equals(named_.history)


def test_records_may_be_a_plain_table(records):
    expected = fine_selection(RecordedRuns(records, "t"), records.models, records, n_trends=2)
    for table in (records.frame, records.frame.to_dict("list"), records.frame.to_dict("records")):
        found = fine_selection(RecordedRuns(table, "t"), records.models, table, n_trends=2)
        assert found.history.equals(expected.history)


def test_random_state_is_the_seed_of_k_means(monkeypatch):
    seeds = []
    monkeypatch.setattr("twophase.clustering.k_means", lambda vectors, n, seed: seeds.append(seed) or np.arange(5))
    cluster_models(MATRIX, k=2, method="kmeans", random_state=7)
    cluster_models(MATRIX, k=2, method="kmeans", seed=3)
    assert seeds == [7, 3]


def runs(records):
    return RecordedRuns(records, "t")


TRANSPOSED = (
    r"transposed: its rows are the models \(a, b, c …\), its columns the datasets \(w, x, y …\); pass matrix\.T"
)
AXES = {"index": "dataset", "columns": "model"}
SWAPPED = "allowed are RecordedRuns or LiveRuns, then a list of names"


@pytest.mark.parametrize(
    ("use", "message"),
    [
        # turned round, where names say so
        (lambda r: cluster_models(MATRIX.rename_axis(**AXES).T, k=2), TRANSPOSED),
        (lambda r: top_k_similarity(MATRIX.T.rename_axis(index="model"), k=2), TRANSPOSED),
        (lambda r: TrainingRecords.from_matrix(MATRIX.T.rename_axis(columns="dataset")), TRANSPOSED),
        (lambda r: coarse_recall(MATRIX.T, CLUSTERS, SCORES, top=2), TRANSPOSED),
        (lambda r: coarse_recall(MATRIX.T, cluster_models(MATRIX.T, threshold=0.9), SCORES, top=2), TRANSPOSED),
        (lambda r: GrowingClusters(MATRIX.T, CLUSTERS, k=2), TRANSPOSED),
        (lambda r: RecallIndex(MATRIX.T, CLUSTERS), TRANSPOSED),
        # no matrix
        (lambda r: top_k_similarity(r), r"matrix: got TrainingRecords; allowed is a table of numbers, datasets \(rows\)"),
        (lambda r: cluster_models(MATRIX["a"]), r"matrix: got Series; .*\(its shape is \(4,\)\)"),
        (lambda r: cluster_models(MATRIX.assign(a="high")), "matrix: got DataFrame; .*could not convert .*'high'"),
        (lambda r: cluster_models(MATRIX.rename(columns={"b": 1})), "names of the models are of the types int, str; make"),
        (lambda r: cluster_models(MATRIX.rename(index={"x": np.nan})), "names of the datasets are of the types float, str"),
        (lambda r: cosine_similarity([1.0, 2.0]), r"vectors: got list; allowed .* models \(rows\) x dimensions"),
        # no similarity
        (lambda r: cluster_models(MATRIX, similarity=np.eye(4)), "similarity and matrix do not name the same models"),
        (lambda r: cluster_models(MATRIX, similarity=1 - np.eye(5)), "zeros on the diagonal, as distances do; allowed is 1 -"),
        (lambda r: cluster_models(MATRIX, similarity=np.full((5, 5), np.nan)), "similarity holds NaN"),
        # no number
        (lambda r: cluster_models(MATRIX, MATRIX), "k is DataFrame; allowed: 1 to 4, the number of datasets"),
        (lambda r: cluster_models(MATRIX, k=2.5), r"k is 2\.5; allowed"),
        (lambda r: cluster_models(MATRIX, k=2, n_clusters=2.5), r"n_clusters is 2\.5; allowed: 1 to 5, the number of models"),
        (lambda r: cluster_models(MATRIX, k=2, threshold="0.1"), r"threshold is '0\.1'; allowed is a distance of at least 0"),
        (lambda r: coarse_recall(MATRIX, CLUSTERS, SCORES, top=2.5), r"top is 2\.5; allowed: 1 to 5, the number of models"),
        (lambda r: coarse_recall(MATRIX, CLUSTERS, SCORES, top=True), "top is True; allowed"),
        (lambda r: fine_selection(runs(r), r.models, r, threshold=None), "threshold: got None; allowed is at least 0"),
        (lambda r: fine_selection(runs(r), r.models, r, n_trends=1.5), r"n_trends is 1\.5; allowed: 1 to 2"),
        # no scores
        (lambda r: coarse_recall(MATRIX, CLUSTERS, [0.5], top=2), r"got 1 without names; allowed are 2 or 5, in the order of a, d or"),
        (lambda r: coarse_recall(MATRIX, CLUSTERS, pd.DataFrame({"s": SCORES}), top=2), "proxy scores: got DataFrame; allowed"),
        (lambda r: coarse_recall(MATRIX, CLUSTERS, pd.Series([0.1, 0.2], ["a", "a"]), top=2), r"of \['a'\] stand twice"),
        (lambda r: normalize([[0.1, 0.2], [0.3, 0.4]]), "proxy scores: got list; allowed are numbers by model"),
        (lambda r: normalize({"a": "high"}), "proxy scores: got dict; allowed are numbers by model"),
        # in another order
        (lambda r: coarse_recall(CLUSTERS, MATRIX, SCORES), "clusters: got DataFrame; allowed is what cluster_models"),
        (lambda r: two_phase(MATRIX, runs(r), r, CLUSTERS, SCORES), "matrix: got RecordedRuns; allowed is a table"),
        (lambda r: fine_selection(r.models, runs(r), r), f"got list as runs, RecordedRuns as models; {SWAPPED}"),
        (lambda r: fine_selection(r, r.models, runs(r)), f"got TrainingRecords as runs, list as models; {SWAPPED}"),
        (lambda r: fine_selection(runs(r), r, r.models), f"got RecordedRuns as runs, TrainingRecords as models; {SWAPPED}"),
        (lambda r: fine_selection(runs(r), r.models, r.models), "records lack the columns"),
        (lambda r: successive_halving(runs(r), "abc"), f"got RecordedRuns as runs, 'abc' as models; {SWAPPED}"),
        (lambda r: brute_force(runs(r), r.matrix()), r"DataFrame as models; .* \(of a recall table: table\.index\[:10\]\)"),
        (lambda r: successive_halving(runs(r), ["a", 1]), "names of the models are of the types int, str"),
        (lambda r: RecordedRuns("t", r), "records: got 't'; needed is a table with the columns"),
        (lambda r: TrainingRecords.from_frame(r.frame.replace({"model": {"a": 1}})), "names of the models are of the types"),
    ],
)  # fmt: skip
def test_the_rest_is_refused_in_a_line(records, use, message):
    with pytest.raises(UserError, match=message) as refused:
        use(records)
    assert "\n" not in str(refused.value)


def test_a_line_says_what_a_result_is_of(records):
    assert repr(CLUSTERS) == "5 models in 3 clusters, 1 of them singletons (hierarchical); the models are a, b, c …"
    assert repr(records) == (
        "3 models on 3 datasets (2 benchmark, 1 target), 2 epochs, 18 rows; the models are a, b, c, the datasets x, y, t"
    )
    assert repr(runs(records)) == "RecordedRuns of 3 models on 't', 2 stages each"
    chosen = successive_halving(runs(records), records.models)
    assert repr(chosen) == "Selection(winner='b', test=0.58, epochs=4.0, seconds=4.0)"


def test_the_core_is_at_the_top_level_and_brings_no_torch():
    names = set(twophase.__all__)
    assert names <= set(dir(twophase)) and twophase.silhouette is silhouette
    for name in names - {"select", "LiveRuns"}:
        assert getattr(twophase, name).__name__ == name if name != "__version__" else twophase.__version__
    with pytest.raises(AttributeError, match="module 'twophase' has no attribute 'clustre'"):
        _ = twophase.clustre
    program = f"""
import sys, twophase
assert not {{"pandas", "numpy", "sklearn"}} & set(sys.modules)
from twophase import {", ".join(sorted(names - {"select", "LiveRuns"}))}
assert not {{"torch", "transformers", "datasets"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True)
