"""The whole method on records made up here: who is recalled, who wins, what it costs, what it never sees."""

import numpy as np
import pandas as pd
import pytest

from twophase.clustering import cluster_models
from twophase.errors import UserError
from twophase.pipeline import fine_select, on_one_scale, recall, recall_by_proxy, two_phase
from twophase.records import TrainingRecords
from twophase.runs import RecordedRuns
from twophase.selection import fine_selection, successive_halving

BENCHMARKS = [f"d{i}" for i in range(6)]
MODELS = ["a1", "a2", "a3", "b1", "b2", "lone"]
LEVEL = {"a": 0.8, "b": 0.6, "l": 0.2}


@pytest.fixture
def history_of_models() -> TrainingRecords:
    """Two families and a loner; members of a family differ by little, families by much."""
    rng = np.random.default_rng(0)
    rows = []
    for model in MODELS:
        for dataset in [*BENCHMARKS, "t"]:
            final = LEVEL[model[0]] + rng.uniform(-0.02, 0.02)
            for epoch in (1, 2, 3):
                rows.append(
                    {
                        "model": model,
                        "dataset": dataset,
                        "role": "target" if dataset == "t" else "benchmark",
                        "seed": 0,
                        "epoch": epoch,
                        "val": final * (0.5 + epoch / 6) + rng.uniform(0, 0.01),
                        "test": final if epoch == 3 else None,
                        "seconds": 2.0,
                    }
                )
    return TrainingRecords.from_frame(pd.DataFrame(rows))


def method(runs, records, **options):
    matrix = records.matrix()
    clusters = cluster_models(matrix, k=3, threshold=0.1)
    assert len(clusters.non_singletons) == 2  # a*, b*
    scores = pd.Series(0.5, index=MODELS if options.get("proxy") == "own" else list(clusters.representatives))
    return two_phase(runs, matrix, records, clusters, scores, top=3, n_trends=2, **options)


def test_recall_then_select_and_both_are_paid_for(history_of_models):
    records = history_of_models
    whole = method(RecordedRuns(records, "t"), records, proxy_seconds=7.0)
    assert set(whole.recall.index[whole.recall["recalled"]]) == {"a1", "a2", "a3"}
    assert set(whole.history["model"]) == {"a1", "a2", "a3"}
    alone = fine_selection(RecordedRuns(records, "t"), ["a1", "a2", "a3"], records, n_trends=2)
    assert whole.history.equals(alone.history) and (whole.winner, whole.test) == (alone.winner, alone.test)
    assert whole.proxies == 2 and alone.epochs == 3 + 1 + 1
    assert whole.epochs == alone.epochs + 0.5 * 2 and whole.seconds == 2.0 * 5 + 7.0


def test_cost_of_a_proxy_is_an_option(history_of_models):
    records = history_of_models
    assert method(RecordedRuns(records, "t"), records, epochs_per_proxy=0.0).epochs == 5
    assert method(RecordedRuns(records, "t"), records, epochs_per_proxy=1.0).epochs == 7


def test_a_proxy_of_ones_own_is_paid_for_by_each_clustered_model(history_of_models):
    records = history_of_models
    whole = method(RecordedRuns(records, "t"), records, proxy="own", singleton_similarity="cosine")
    assert whole.proxies == 5 and whole.epochs == 5 + 2.5


def test_other_records_of_the_target_move_nothing(history_of_models):
    records = history_of_models
    frame = records.frame.copy()
    mine = frame["dataset"] == "t"
    frame.loc[mine, "val"] = 0.111
    frame.loc[mine & frame["test"].notna(), "test"] = 0.222
    spoiled = TrainingRecords.from_frame(frame)
    one, other = (method(RecordedRuns(records, "t"), known) for known in (records, spoiled))
    assert one.history.equals(other.history) and one.recall.equals(other.recall)


def test_a_matrix_that_has_seen_the_target_is_refused(history_of_models):
    records = history_of_models
    runs = RecordedRuns(records, "d0")
    with pytest.raises(UserError, match=r"the target 'd0' is a row of the performance matrix.*exclude=\['d0'\]"):
        method(runs, records)
    assert runs.ledger.empty


def scorer(known: dict):
    """A scorer that notes what it was asked for."""
    asked = []

    def score(models):
        asked.append(list(models))
        return {model: known.get(model, f"{model} is broken") for model in models}

    return score, asked


@pytest.fixture
def clustered(history_of_models):
    matrix = history_of_models.matrix()
    return matrix, cluster_models(matrix, k=3, threshold=0.1)


def test_a_representative_without_a_score_is_replaced_by_the_next_of_its_cluster(clustered):
    matrix, clusters = clustered
    first, second, third = sorted(["a1", "a2", "a3"], key=lambda name: -matrix[name].mean())
    b = clusters.representatives[1]
    score, asked = scorer({third: -0.1, b: -0.5})
    found = recall(matrix, clusters, score)
    assert asked == [[first, b], [b, second], [b, third]]  # with those that have one: see `on_one_scale`
    assert found.failures == {first: f"{first} is broken", second: f"{second} is broken"}
    assert found.scores.to_dict() == {third: -0.1, b: -0.5}
    # who cannot be scored cannot be trained either, and is not in the ranking
    assert set(found.table.index) == {third, "b1", "b2", "lone"} and list(found.table["rank"]) == [1, 2, 3, 4]
    assert found.table.loc[third, "recall_score"] == pytest.approx(matrix[third].mean())
    assert found.table.loc[b, "recall_score"] == pytest.approx(matrix[b].mean() * np.exp(-0.4))


def test_a_cluster_without_any_score_is_left_out(clustered):
    matrix, clusters = clustered
    score, asked = scorer({clusters.representatives[1]: 0.5})
    found = recall(matrix, clusters, score, normalization="none")
    assert set(found.table.index) == {"b1", "b2", "lone"} and set(found.failures) == {"a1", "a2", "a3"}
    assert len(asked) == 3
    # Eq. 4: the loner's only scored representative is that of b
    alike = clusters.similarity.loc["lone", clusters.representatives[1]]
    assert found.table.loc["lone", "proxy"] == pytest.approx(0.5 * alike)


def test_no_score_at_all_is_said_with_the_first_reason(clustered):
    matrix, clusters = clustered
    with pytest.raises(UserError, match="no model could be scored; the first reason: a. is broken"):
        recall(matrix, clusters, scorer({})[0])
    with pytest.raises(UserError, match="no model could be scored; the first reason: a1 is broken"):
        recall_by_proxy(MODELS, scorer({})[0])


def test_own_scores_lose_only_who_has_none(clustered):
    matrix, clusters = clustered
    best = clusters.representatives[0]
    score, _ = scorer({model: 0.5 for model in MODELS if model != best})
    found = recall(matrix, clusters, score, normalization="none", proxy="own")
    assert set(found.table.index) == set(MODELS) - {best} and set(found.scores.index) == set(MODELS) - {best, "lone"}


def test_without_records_the_proxy_ranks(history_of_models):
    found = recall_by_proxy(MODELS, scorer({"a1": 0.2, "b1": 0.9, "b2": 0.2})[0], top=2)
    assert list(found.table.index) == ["b1", "a1", "b2"] and found.models == ["b1", "a1"]
    assert set(found.failures) == {"a2", "a3", "lone"}


def test_without_curves_it_halves(history_of_models):
    records = history_of_models
    final = TrainingRecords.from_matrix(records.matrix())
    for known in (None, final):
        chosen = fine_select(RecordedRuns(records, "t"), ["a1", "a2", "b1"], known)
        halved = successive_halving(RecordedRuns(records, "t"), ["a1", "a2", "b1"])
        assert chosen.history.equals(halved.history)


def test_no_more_trends_than_datasets(history_of_models):
    records = history_of_models
    runs = RecordedRuns(records, "t")
    assert fine_select(runs, MODELS, records, n_trends=99).history.equals(
        fine_selection(runs, MODELS, records, n_trends=len(BENCHMARKS)).history
    )


def test_a_headless_model_has_the_other_proxy_on_the_scale_of_the_first():
    scores = pd.DataFrame(
        {"leep": [-0.9, -1.0, np.nan], "nleep": [-0.2, -0.5, -0.4]}, index=["one", "other", "headless"]
    )
    found = on_one_scale(scores, "leep", "nleep")
    assert found.to_dict() == {"one": -0.9, "other": -1.0, "headless": pytest.approx(-0.4 - 0.6)}
    # N-LEEP lies higher for every model, which made the one without a head the favourite
    assert found.idxmax() == "one" and scores["leep"].fillna(scores["nleep"]).idxmax() == "headless"
    alone = on_one_scale(scores.loc[["headless"]], "leep", "nleep")
    assert alone.to_dict() == {"headless": -0.4}


def test_singletons_are_scored_and_paid_for_if_asked(history_of_models):
    records = history_of_models
    matrix = records.matrix()
    clusters = cluster_models(matrix, k=3, threshold=0.1)
    score, asked = scorer(dict.fromkeys(MODELS, 0.5))
    found = recall(matrix, clusters, score, normalization="none", singletons=5)
    assert asked == [[*clusters.representatives[:2], "lone"]] and found.table.loc["lone", "proxy"] == 0.5
    runs = RecordedRuns(records, "t")
    whole = two_phase(runs, matrix, records, clusters, score, top=3, n_trends=2, singletons=5)
    assert whole.proxies == 3 and whole.scored == [*clusters.representatives[:2], "lone"]


def test_a_singleton_without_a_score_is_not_in_the_ranking(clustered):
    matrix, clusters = clustered
    score, _ = scorer({model: 0.5 for model in MODELS if model != "lone"})
    found = recall(matrix, clusters, score, normalization="none", singletons=1)
    assert set(found.table.index) == set(MODELS) - {"lone"} and set(found.failures) == {"lone"}


def test_where_every_model_is_alone_all_are_scored(history_of_models):
    matrix = history_of_models.matrix()
    clusters = cluster_models(matrix, k=3, threshold=0.0)
    score, asked = scorer({model: float(number) for number, model in enumerate(MODELS)})
    found = recall(matrix, clusters, score, top=2)
    assert asked == [MODELS] and found.models == ["lone", "b2"]
    assert found.table.loc["a1", "prior"] == matrix["a1"].mean() and len(found.scores) == len(MODELS)
