"""The rules by which a measurement decides a claim."""

import numpy as np
import pytest

from reproduction import verdicts
from reproduction.verdicts import BY_DESIGN, FAILS, HOLDS, OPEN

WIDE = [0.1, -0.1, 0.2, -0.2, 0.1, -0.1, 0.2, -0.2]


@pytest.mark.parametrize(
    ("rule", "values", "verdict"),
    [
        (verdicts.above, [1, 2, 3, 2, 1, 2, 3, 2], HOLDS),
        (verdicts.above, [-1, -2, -3, -1, -2, -3, -1, -2], FAILS),
        (verdicts.above, [-1, 1] * 4, OPEN),
        (verdicts.above, [0] * 8, FAILS),
        (lambda v: verdicts.below(v, 5), [1, 2, 3, 4] * 2, HOLDS),
        (lambda v: verdicts.below(v, 1), [3, 4, 5, 6] * 2, FAILS),
        (lambda v: verdicts.below(v, 4), [3, 4, 5, 4] * 2, OPEN),
        (verdicts.same, [0.001, -0.002, 0.0, 0.0] * 2, HOLDS),
        (verdicts.same, [0.1, 0.2, 0.1, 0.2] * 2, FAILS),
        (verdicts.same, [-0.1, -0.2, -0.1, -0.2] * 2, FAILS),  # better by far is not the same either
        (verdicts.same, WIDE, OPEN),
        (verdicts.differs, [0.1, 0.2, 0.1, 0.2] * 2, HOLDS),
        (verdicts.differs, [-0.1, -0.2, -0.1, -0.2] * 2, HOLDS),
        (verdicts.differs, [0.001, 0.002, 0.001, 0.002] * 2, FAILS),  # above zero, and nothing to speak of
        (verdicts.differs, WIDE, OPEN),
    ],
)
def test_rules_with_an_interval(rule, values, verdict):
    measured = rule(values)
    assert measured.verdict == verdict
    assert measured.low <= measured.value <= measured.high and measured.value == pytest.approx(np.mean(values))
    assert "bootstrap over 8 datasets" in measured.why


def test_a_few_values_are_counted_and_settle_nothing():
    measured = verdicts.above([1, 2, 3, -1], what="targets")
    assert (measured.value, measured.low, measured.high, measured.verdict) == (1.25, None, None, OPEN)
    assert measured.why == "3 of 4 targets are above 0: too few for an interval"


def test_always_counts():
    assert verdicts.always([True, True]).verdict == HOLDS
    measured = verdicts.always([True, False, True], "models")
    assert (measured.verdict, measured.why, measured.low) == (FAILS, "2 of 3 models", None)


def test_what_is_so_by_design_supports_nothing_but_can_still_fail():
    good = verdicts.designed(verdicts.above([1, 2] * 4), "it cannot be otherwise")
    assert (good.verdict, good.why) == (BY_DESIGN, "it cannot be otherwise")
    assert verdicts.designed(verdicts.above([-1, -2] * 4), "it cannot be otherwise").verdict == FAILS


class Benchmark:
    benchmarks, outside = list("abc"), ""


def test_a_statistic_of_a_clustering_has_a_range_not_an_interval():
    values = {"": 0.6, "a": 0.7, "b": 0.55, "c": 0.65}
    measured = verdicts.stable(Benchmark(), values.get, 0.5)
    assert (measured.value, measured.low, measured.high, measured.verdict) == (0.6, 0.55, 0.7, HOLDS)
    assert "range when one of 3 datasets is left out" in measured.why
    assert verdicts.stable(Benchmark(), (values | {"b": 0.4}).get, 0.5).verdict == OPEN
    assert verdicts.stable(Benchmark(), values.get, 0.8).verdict == FAILS


def test_values_that_are_missing_are_counted_and_left_out():
    found = verdicts.above([*[1.0] * 9, float("nan")])
    assert found.verdict == HOLDS and "1 more have no value" in found.why
    assert verdicts.same([float("nan")] * 9).verdict == verdicts.UNTESTED
