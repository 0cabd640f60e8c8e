"""Things compared run in turn, and ratios are of what ran side by side."""

import pandas as pd
import pytest

from reproduction.bench.sides import in_turn, ratios


def test_sides_take_turns():
    called = []
    sides = {name: lambda name=name: called.append(name) or len(called) for name in "AB"}
    rows = in_turn(sides, 3)
    assert called == list("AB") * 4  # once each before, unmeasured
    assert [(row["side"], row["repeat"], row["result"]) for row in rows] == [
        ("A", 1, 3), ("B", 1, 4), ("A", 2, 5), ("B", 2, 6), ("A", 3, 7), ("B", 3, 8),
    ]  # fmt: skip
    assert all(row["seconds"] >= 0 for row in rows)
    called.clear()
    in_turn(sides, 1, warm=False)
    assert called == ["A", "B"]


def test_short_things_are_repeated_until_the_time_is_up(monkeypatch):
    clock = iter(range(0, 1000))  # each look at the clock is a second later
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    rows = in_turn({"A": int, "B": int}, 2, seconds=9)
    assert [row["repeat"] for row in rows] == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]  # two seconds a repeat
    assert len(in_turn({"A": int}, 7, seconds=2)) == 7


def test_ratios_are_medians_of_the_repeats_own():
    """A machine that slows down while it measures changes no ratio: ours takes half each time."""
    raw = pd.DataFrame(
        [("x", side, repeat, slow * (1 if side == "ours" else 2)) for repeat, slow in enumerate([1, 2, 4, 8, 16], 1)
         for side in ("ours", "other")]
        + [("y", side, repeat, value) for repeat, value in enumerate([3, 1, 2], 1) for side in ("ours", "other")],
        columns=["size", "side", "repeat", "seconds"],
    )  # fmt: skip
    raw.loc[(raw["size"] == "y") & (raw["side"] == "other"), "seconds"] = [1, 1, 1]
    table = ratios(raw, ["size"], "ours").set_index("size")
    assert table.loc["x", ["ratio", "low", "high", "repeats"]].tolist() == [0.5, 0.5, 0.5, 5]
    assert table.loc["x", ["ours", "other"]].tolist() == [4, 8]
    assert table.loc["y", ["ratio", "low", "high", "repeats"]].tolist() == pytest.approx([2, 1.5, 2.5, 3])
    assert set(table["against"]) == {"other"}


def test_a_repeat_that_one_side_lacks_does_not_count():
    raw = pd.DataFrame({"k": 1, "side": ["a", "b", "a"], "repeat": [1, 1, 2], "seconds": [1.0, 2.0, 9.0]})
    assert ratios(raw, ["k"], "a")[["ratio", "repeats"]].iloc[0].tolist() == [0.5, 1]
