import numpy as np
import pandas as pd
import pytest

from twophase.errors import UserError
from twophase.records import TrainingRecords
from twophase.trends import TrendPredictor, match, mine, predict

VAL = pd.Series({"p": 0.30, "q": 0.32, "r": 0.60, "s": 0.90, "t": 0.92})
TEST = pd.Series({"p": 0.40, "q": 0.50, "r": 0.70, "s": 0.95, "t": 0.97})


def test_eq_5_and_6_by_hand():
    trends = mine(VAL, TEST, n_trends=3)
    assert np.allclose(trends["val"], [0.31, 0.60, 0.91]) and np.allclose(trends["test"], [0.45, 0.70, 0.96])
    assert match(trends, 0.40) == 0 and match(trends, 0.50) == 1 and match(trends, 1.0) == 2
    assert predict(trends, 0.40) == pytest.approx(0.45) and predict(trends, 0.80) == pytest.approx(0.96)


def test_of_two_trends_equally_near_the_lower_is_matched():
    trends = pd.DataFrame({"val": [0.25, 0.75], "test": [0.3, 0.9]})
    assert match(trends, 0.5) == 0 and predict(trends, 0.5) == 0.3


def test_order_of_the_datasets_does_not_matter():
    rng = np.random.default_rng(0)
    val, test = rng.random(24).round(2), rng.random(24)  # k-means, given the rows as they come, finds two optima
    expected = mine(val, test, n_trends=6)
    for _ in range(8):
        order = rng.permutation(24)
        assert mine(val[order], test[order], n_trends=6).equals(expected)


def test_fewer_distinct_validations_than_trends_give_fewer_trends():
    assert len(mine([0.5, 0.5, 0.9], [0.4, 0.6, 0.9], n_trends=3)) == 2


@pytest.mark.parametrize(
    ("val", "test", "n", "message"),
    [
        ([0.1, 0.2], [0.1, 0.2], 3, "n_trends is 3; allowed: 1 to 2, the number of datasets"),
        ([0.1, 0.2], [0.1], 1, r"val has shape \(2,\), test \(1,\)"),
        ([0.1, np.nan], [0.1, 0.2], 1, "must be finite"),
    ],
)
def test_impossible_trends_are_named(val, test, n, message):
    with pytest.raises(UserError, match=message):
        mine(val, test, n)


def test_predictor_reads_the_model_and_stage(records):
    known = records.only("benchmark")
    predictor = TrendPredictor(known, n_trends=2)
    assert predictor.predict("a", 1, 0.55) == pytest.approx(0.62)  # val of a at stage 1: x .5, y .7
    assert predictor.predict("a", 2, 0.75) == pytest.approx(0.78)  # at stage 2: x .6, y .8
    with pytest.raises(UserError, match="no benchmark records of model 'z'"):
        predictor.predict("z", 1, 0.5)
    with pytest.raises(UserError, match="the benchmark records end after stage 2, so stage 3"):
        predictor.predict("a", 3, 0.5)


def test_matrix_only_records_have_no_trends(records):
    with pytest.raises(UserError, match="no convergence trends can be mined; use successive halving"):
        TrendPredictor(TrainingRecords.from_matrix(records.matrix()))


def test_one_prediction_by_hand(records):
    known = records.only("benchmark")
    assert (
        TrendPredictor(known, 2).predict("b", 1, 0.41) == 0.50
        and TrendPredictor(known, 2).predict("b", 1, 0.79) == 0.90
    )


def test_final_test_is_the_last_epochs_whatever_the_order_of_the_rows(records):
    frame = records.only("benchmark").frame.assign(test=lambda t: t["test"].fillna(0.01))
    shuffled = TrainingRecords.from_frame(frame.iloc[::-1])
    assert TrendPredictor(shuffled, n_trends=2).predict("a", 1, 0.5) == pytest.approx(0.62)


def test_seeds_are_averaged(records):
    frame = records.only("benchmark").frame
    again = frame.assign(seed=1, val=frame["val"] + 0.1, test=frame["test"] + 0.1)
    trends = TrendPredictor(TrainingRecords.from_frame(pd.concat([frame, again])), n_trends=2).trends("a", 1)
    assert np.allclose(trends["val"], [0.55, 0.75]) and np.allclose(trends["test"], [0.67, 0.83])


def test_check_asks_before_training(records):
    known = records.only("benchmark")
    TrendPredictor(known, n_trends=2).check(["a", "b"], 2)
    with pytest.raises(UserError, match="n_trends is 4; allowed: 1 to 2, the number of datasets"):
        TrendPredictor(known, n_trends=4)
    fewer = known.where((known.frame["model"] != "a") | (known.frame["dataset"] != "x"))
    with pytest.raises(UserError, match="n_trends is 2; allowed: 1 to 1, .* datasets with stage 1 of model 'a'"):
        TrendPredictor(fewer, n_trends=2).check(["a"], 1)
    with pytest.warns(UserWarning, match=r"^n_trends is 2 instead of 4: there are 2 datasets\.$"):
        usual = TrendPredictor(fewer)
    usual.check(["a", "b"], 2)
    assert len(usual.trends("a", 1)) == 1 and len(usual.trends("b", 1)) == 2
    with pytest.raises(UserError, match="so stage 3 has no trends"):
        TrendPredictor(known, n_trends=2).check(["a"], 3)
