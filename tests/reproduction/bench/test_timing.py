"""Things compared run in turn, and memory is of what is measured."""

import numpy as np
import pytest
from omegaconf import OmegaConf

from reproduction.bench.simulated import read, simulate
from reproduction.bench.timing import in_turn, with_peak
from twophase.infra.config import find_conf
from twophase.large import cluster_many


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


def test_peaks_are_of_what_is_measured():
    """100 MB that came and went before count no more; 100 MB meanwhile do."""
    np.ones(12_500_000).sum()
    before = with_peak(lambda: None)[2]
    during = with_peak(lambda: np.ones(12_500_000).sum())[2]
    assert during - before == pytest.approx(100, abs=20)


def test_average_linkage_takes_the_memory_of_the_pairs_twice():
    """4,000 models: 64 MB a copy of the pairs, where an n x n matrix takes 128 MB and the former path made four."""
    settings = OmegaConf.load(find_conf() / "bench.yaml").clustering
    matrix = simulate(4000, read("cleaned"))
    cluster_many(matrix.iloc[:, :100])
    before = with_peak(lambda: None)[2]
    during = with_peak(lambda: cluster_many(matrix, settings.k, settings.threshold))[2]
    assert during - before < 2.5 * 64
