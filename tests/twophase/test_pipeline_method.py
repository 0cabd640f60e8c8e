"""The whole method on records made up here: who is recalled, who wins, what it costs, what it never sees."""

import numpy as np
import pandas as pd
import pytest

from twophase.clustering import cluster_models
from twophase.errors import UserError
from twophase.pipeline import two_phase
from twophase.records import TrainingRecords
from twophase.runs import RecordedRuns
from twophase.selection import fine_selection

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
