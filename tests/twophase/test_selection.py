import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twophase.errors import UserError
from twophase.records import TrainingRecords
from twophase.runs import RecordedRuns
from twophase.selection import brute_force, dominated, fine_selection, halve, successive_halving

UNIT = st.floats(0, 1, allow_nan=False)


def records_of(curves: dict[tuple[str, str], list[float]], tests: dict[tuple[str, str], float] | None = None):
    """Records from validation curves; the final test is the last validation unless given. "t" is the target."""
    rows = []
    for (model, dataset), curve in curves.items():
        for epoch, val in enumerate(curve, 1):
            test = (tests or {}).get((model, dataset), curve[-1]) if epoch == len(curve) else None
            role = "target" if dataset == "t" else "benchmark"
            rows.append({"model": model, "dataset": dataset, "role": role, "seed": 0, "epoch": epoch, "val": val,
                         "test": test, "seconds": 2.0})  # fmt: skip
    return TrainingRecords.from_frame(pd.DataFrame(rows))


def ladder(n: int, epochs: int, finals=None):
    """n models whose validation keeps one order; benchmark runs x, y whose finals are given or the same for all."""
    curves, tests = {}, {}
    for i in range(n):
        name, height = f"m{i:02d}", (i + 1) / (n + 1)
        for dataset in ("x", "y", "t"):
            curves[name, dataset] = [height] * epochs
            if dataset != "t":
                tests[name, dataset] = 0.5 if finals is None else finals(i)
    return records_of(curves, tests)


@pytest.mark.parametrize(("n", "epochs", "cost"), [(10, 5, 19), (40, 5, 77), (10, 4, 18), (30, 4, 55)])
def test_cost_of_halving_is_the_papers(n, epochs, cost):
    records = ladder(n, epochs)
    chosen = successive_halving(RecordedRuns(records, "t"), records.models)
    assert chosen.epochs == cost and chosen.winner == f"m{n - 1:02d}"
    assert chosen.seconds == 2.0 * cost
    assert brute_force(RecordedRuns(records, "t"), records.models).epochs == n * epochs


@pytest.mark.parametrize(("epochs", "cost"), [(5, 14), (4, 13)])
def test_floor_of_fine_selection_is_the_papers(epochs, cost):
    records = ladder(10, epochs, finals=lambda i: 0.05 * (i + 1))  # the better now, the better in the end
    chosen = fine_selection(RecordedRuns(records, "t"), records.models, records, n_trends=1)
    assert chosen.epochs == cost and chosen.winner == "m09"


def test_without_predictions_that_differ_fine_selection_halves():
    records = ladder(10, 5)
    chosen = fine_selection(RecordedRuns(records, "t"), records.models, records, n_trends=1)
    assert chosen.epochs == 19


def test_filter_by_hand_relative_and_absolute():
    val = pd.Series({"a": 0.5, "b": 0.6, "c": 0.7})
    pred = pd.Series({"a": 0.80, "b": 0.84, "c": 0.82})
    assert set(dominated(val, pred)) == {"a"}  # b, c are better in both; b predicts above c
    assert set(dominated(val, pred, 0.045)) == {"a"}  # .84 - .80 > .045 * .84 = .0378
    assert set(dominated(val, pred, 0.045, "absolute")) == set()  # .84 - .80 < .045
    assert set(dominated(val, pred, 0.05)) == set()
    assert "b has a better validation (0.600 > 0.500)" in dominated(val, pred)["a"]


def test_equal_validation_never_filters():
    assert dominated(pd.Series({"a": 0.5, "b": 0.5}), pd.Series({"a": 0.1, "b": 0.9})) == {}


@given(
    st.lists(st.tuples(UNIT, UNIT), min_size=1, max_size=12),
    st.floats(0, 0.5),
    st.sampled_from(["relative", "absolute"]),
)
def test_filter_never_removes_the_highest_prediction(pairs, threshold, kind):
    frame = pd.DataFrame(pairs, columns=["val", "pred"], index=[f"m{i}" for i in range(len(pairs))])
    gone = dominated(frame["val"], frame["pred"], threshold, kind)
    assert not frame["pred"].drop(list(gone)).empty
    assert frame["pred"].drop(list(gone)).max() == frame["pred"].max()


@given(st.lists(UNIT, min_size=1, max_size=20))
def test_halving_keeps_half_and_the_best(values):
    val = pd.Series(values, index=[f"m{i:02d}" for i in range(len(values))])
    kept = val.drop(list(halve(val, len(val))))
    assert len(kept) == max(1, len(val) // 2)
    assert kept.min() >= val.drop(kept.index).max() if len(kept) < len(val) else True


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 9), st.integers(1, 4), st.integers(0, 10_000))
def test_no_stage_keeps_more_than_half(n, epochs, seed):
    rng = np.random.default_rng(seed)
    names = [f"m{i}" for i in range(n)]
    records = records_of({(m, d): list(rng.random(epochs)) for m in names for d in ("x", "y", "t")})
    history = fine_selection(RecordedRuns(records, "t"), names, records, n_trends=2).history
    for _, stage in history.groupby("stage"):
        assert stage["kept"].sum() <= max(1, len(stage) // 2)
        assert stage["kept"].sum() >= 1


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 9), st.integers(0, 10_000))
def test_the_best_wins_where_validation_order_is_final_order(n, seed):
    """Whatever the trends predict: the best has the highest validation, so nothing filters or halves it."""
    rng = np.random.default_rng(seed)
    finals = np.sort(rng.choice(np.arange(1, 100), n, replace=False)) / 100
    curves = {(f"m{i}", "t"): [finals[i] / 3, finals[i] / 2, finals[i]] for i in range(n)}
    curves |= {(f"m{i}", d): list(rng.random(3)) for i in range(n) for d in ("x", "y", "z")}
    records = records_of(curves)
    chosen = fine_selection(RecordedRuns(records, "t"), records.models, records, n_trends=int(rng.integers(1, 4)))
    assert chosen.winner == f"m{n - 1}" and chosen.test == finals[-1]


def test_counter_example_perfect_predictions_do_not_save_the_best():
    """Four models; the best ends highest but starts low: the filter keeps it, halving cuts it."""
    curves = {
        ("best", "t"): [0.1, 0.9],
        ("fast", "t"): [0.6, 0.7],
        ("steady", "t"): [0.5, 0.8],
        ("poor", "t"): [0.2, 0.3],
    }
    finals = {"best": 0.9, "fast": 0.7, "steady": 0.8, "poor": 0.3}
    curves |= {(m, "x"): [curves[m, "t"][0], finals[m]] for m in finals}
    records = records_of(curves)
    chosen = fine_selection(RecordedRuns(records, "t"), list(finals), records, n_trends=1)
    first = chosen.history[chosen.history["stage"] == 1].set_index("model")
    assert first.loc["best", "predicted"] == 0.9  # the prediction was right
    assert first.loc["best", "reason"].startswith("halved")
    assert chosen.winner == "steady" and chosen.test == 0.8


def test_history_says_what_happened():
    records = ladder(4, 2, finals=lambda i: 0.1 * (i + 1))
    history = fine_selection(RecordedRuns(records, "t"), records.models, records, n_trends=1).history
    assert list(history.columns) == ["stage", "model", "val", "predicted", "kept", "reason"]
    assert list(history["stage"]) == [1, 1, 1, 1, 2]
    assert history["reason"].str.startswith("filtered: m03").sum() == 3
    assert history.iloc[-1]["reason"] == "kept" and math.isnan(history.iloc[-1]["predicted"])


def test_ties_go_by_name():
    records = records_of({(m, d): [0.5, 0.5] for m in "dcba" for d in ("x", "t")})
    assert successive_halving(RecordedRuns(records, "t"), list("dcba")).winner == "a"
    assert brute_force(RecordedRuns(records, "t"), list("dcba")).winner == "a"


def test_target_rows_and_own_rows_are_never_seen():
    rng = np.random.default_rng(1)
    names = [f"m{i}" for i in range(8)]
    records = records_of({(m, d): list(rng.random(3)) for m in names for d in ("x", "y", "z", "t")})
    changed = records.frame.copy()
    changed.loc[changed["role"] == "target", ["val"]] = 0.123
    for dataset in ("t", "x"):  # x takes its turn as the target
        spoiled = changed.copy()
        spoiled.loc[spoiled["dataset"] == dataset, "val"] = 0.456
        spoiled.loc[(spoiled["dataset"] == dataset) & spoiled["test"].notna(), "test"] = 0.001
        runs = [RecordedRuns(records, dataset) for _ in range(2)]
        honest = fine_selection(runs[0], names, records, n_trends=2)
        other = fine_selection(runs[1], names, TrainingRecords.from_frame(spoiled), n_trends=2)
        assert honest.history.equals(other.history)


def test_bad_options_are_named():
    records = ladder(4, 2)
    runs = RecordedRuns(records, "t")
    with pytest.raises(UserError, match="unknown threshold_kind 'ratio'.*allowed: relative, absolute"):
        fine_selection(runs, records.models, records, threshold_kind="ratio")
    with pytest.raises(UserError, match=r"threshold: got -0.1; allowed is at least 0"):
        fine_selection(runs, records.models, records, threshold=-0.1)
    with pytest.raises(UserError, match=r"no benchmark records of \['z'\]"):
        fine_selection(runs, ["z"], records)
    with pytest.raises(UserError, match="no models to select from"):
        brute_force(runs, [])
    with pytest.raises(UserError, match="named twice"):
        brute_force(runs, ["m00", "m00"])


def test_selections_that_share_runs_count_their_own_cost():
    records = ladder(10, 5)
    runs = RecordedRuns(records, "t")
    assert brute_force(runs, records.models).epochs == 50
    assert successive_halving(runs, records.models).epochs == 19
    assert fine_selection(runs, records.models, records, n_trends=1).epochs == 19


def test_history_of_halving_by_hand():
    records = records_of({(m, "t"): [v, v] for m, v in {"a": 0.1, "b": 0.3, "c": 0.2}.items()})
    history = successive_halving(RecordedRuns(records, "t"), ["c", "b", "a"]).history
    assert list(history["model"]) == ["a", "b", "c", "b"] and list(history["stage"]) == [1, 1, 1, 2]
    assert list(history["kept"]) == [False, True, False, True]
    assert list(history["reason"]) == [
        "halved: validation 0.100 is below the best 1 of 3",
        "kept",
        "halved: validation 0.200 is below the best 1 of 3",
        "kept",
    ]


def test_a_single_model_is_trained_to_the_end():
    records = ladder(1, 4)
    for chosen in (
        successive_halving(RecordedRuns(records, "t"), records.models),
        fine_selection(RecordedRuns(records, "t"), records.models, records, n_trends=2),
    ):
        assert list(chosen.history["stage"]) == [1, 2, 3, 4] and chosen.epochs == 4


def test_a_failed_model_is_removed_first_and_makes_no_room():
    """m3 of four has no second epoch: it goes with its reason, and the models halved are those that are left."""
    curves = {(f"m{i}", "t"): [0.1 * i] * (1 if i == 3 else 3) for i in range(4)}
    records = records_of(curves)
    whole = brute_force(RecordedRuns(records, "t"), records.models)
    row = whole.history.set_index(["stage", "model"]).loc[(2, "m3")]
    assert row["reason"] == "failed: its records end before stage 2" and not row["kept"] and math.isnan(row["val"])
    assert whole.winner == "m2" and whole.epochs == 10  # an epoch that failed is not an epoch
    halved = successive_halving(RecordedRuns(records, "t"), records.models)
    assert halved.winner == "m2" and halved.epochs == 4 + 1 + 1


def test_all_failed_is_an_error():
    class Failing(RecordedRuns):
        def _train(self, model, epoch):
            self.failures[model] = "its weights are truncated"
            return math.nan, 0.0

    records = ladder(3, 2)
    with pytest.raises(UserError, match="every model failed.*its weights are truncated"):
        successive_halving(Failing(records, "t"), records.models)


def test_what_the_records_lack_is_said_before_training():
    records = ladder(4, 3)
    short = TrainingRecords.from_frame(records.frame[records.frame["epoch"] == 1].assign(test=0.5))
    for known, options, message in (
        (records, {"n_trends": 3}, "n_trends is 3; allowed: 1 to 2, the number of datasets"),
        (short, {"n_trends": 2}, "end after stage 1, so stage 2 has no trends"),
        (TrainingRecords.from_matrix(records.matrix()), {}, "no convergence trends can be mined"),
    ):
        runs = RecordedRuns(records, "t")
        with pytest.raises(UserError, match=message):
            fine_selection(runs, records.models, known, **options)
        assert runs.ledger.empty


def test_rungs_need_not_be_every_epoch_and_each_may_have_its_cost():
    """Epochs 1, 2, 4, 8 are four stages of 1, 1, 2 and 4 epochs, unless their costs are given."""
    rows = [
        {"model": m, "dataset": d, "role": r, "epoch": e, "val": level * (1 - 0.5 / e), "test": level, "seconds": 1.0}
        for m, level in {"a": 0.9, "b": 0.7, "c": 0.5, "d": 0.3}.items()
        for d, r in {"x": "benchmark", "y": "benchmark", "t": "target"}.items()
        for e in (1, 2, 4, 8)
    ]
    records = TrainingRecords.from_frame(pd.DataFrame(rows))
    assert records.rungs == [1, 2, 4, 8]
    runs = RecordedRuns(records, "t")
    halved = successive_halving(runs, list("abcd"))
    assert (halved.winner, halved.epochs) == ("a", 4 * 1 + 2 * 1 + 1 * 2 + 1 * 4)
    assert brute_force(runs, list("abcd")).epochs == 4 * 8
    assert fine_selection(runs, list("abcd"), records, n_trends=2).epochs == 4 + 1 + 2 + 4
    assert successive_halving(RecordedRuns(records, "t", costs=[0.25, 1, 1, 1]), list("abcd")).epochs == 1 + 2 + 1 + 1
    with pytest.raises(UserError, match=r"costs are \[1, 2\]; allowed is a number of at least 0 for each of 4 rungs"):
        RecordedRuns(records, "t", costs=[1, 2])
