"""Answers of notebooks whose words depend on the numbers, by hand; the executed notebooks show the others."""

from types import SimpleNamespace

import pandas as pd
import pytest

from reproduction import n01_models as models
from reproduction import n08_ablations as ablations
from reproduction import n15_your_own_data as own_data
from reproduction.tables import with_interval


@pytest.mark.parametrize(
    ("best", "said"),
    [
        ("aab", "a is best on 2 of 3 benchmark datasets, and 2 different models are best on at least one"),
        ("abab", "a and b are each best on 2 of 4 benchmark datasets, and 2 different models are best on at least one"),
    ],
)
def test_whoever_wins_most_is_named(best, said):
    assert said in models._winners(pd.DataFrame({"best_model": list(best)}))


def test_what_one_trend_says_is_the_sweeps_and_the_configured_values():
    values = [("configured", "", 0.0341, 6.61), ("selection.n_trends", "1", 0.0379, 6.02)]
    rows = [(*value, domain) for value in values for domain in ("cv", "nlp")]
    found = pd.DataFrame(rows, columns=["parameter", "value", "regret_best", "speed_up_brute_force", "domain"])
    assert "In vision the regret is 0.038 instead of 0.034, the speed-up 6.0 instead of 6.6" in ablations.one_trend(
        found
    )


def test_the_answer_for_own_data_has_its_cost_beside_trying_all():
    costs = pd.DataFrame({"epochs": [40.5, 120], "seconds": [2.5, 8.4]})
    found = SimpleNamespace(winner="one", test=0.4, interval=(0.353, 0.449), baseline=0.2, costs=costs)
    said = own_data.answer(found)
    assert "one: fine-tuned, it has a test accuracy of 0.40 (95 %: 0.35 to 0.45;" in said
    assert "took 40.5 model-epochs and 2 seconds; trying every model would have taken 120 and about 8." in said


def test_no_zero_has_a_sign():
    assert with_interval([-0.0004, 0.0003, -0.0001]) == "0.000 [0.000, 0.000]"
