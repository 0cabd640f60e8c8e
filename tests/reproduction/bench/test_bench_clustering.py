import numpy as np
import pandas as pd
import pytest
from omegaconf import OmegaConf

from reproduction.bench import clustering as bench
from reproduction.bench.agreement import agreement
from twophase.infra.config import find_conf


@pytest.fixture(scope="module")
def small():
    given = OmegaConf.load(find_conf() / "bench.yaml").clustering
    given.update({"exact": [60], "sampled": [120], "exact_up_to": 40, "targets": 2, "added": 3})
    given.agreement = {"shares": [0.5, 1.0], "simulated": [150], "targets": 2}
    return given


def test_a_row_a_measurement(small):
    table = bench.run({**small, "exact": []}, repeats=1)  # in a process of its own
    assert list(table.columns) == bench.COLUMNS
    table = pd.concat([pd.DataFrame(bench.measure("exact", 60, small, 0)), table])
    expected = [(what, n) for n, first in ((60, "exact"), (120, "sampled"))
                for what in (first, "recall index", "recall", "add a model")]  # fmt: skip
    assert list(zip(table["what"], table["n"], strict=True)) == expected
    assert (table["seconds"] > 0).all() and (table["singletons"] < table["clusters"]).all()
    assert (table["peak_mb"] > 50).all() and (table["part"] == "clustering").all()


def test_peaks_are_of_what_is_measured():
    """100 MB that came and went before count no more; 100 MB meanwhile do."""
    np.ones(12_500_000).sum()
    before = bench.timed(lambda: None)[2]
    during = bench.timed(lambda: np.ones(12_500_000).sum())[2]
    assert during - before == pytest.approx(100, abs=20)


def test_average_linkage_takes_the_memory_of_the_pairs_twice():
    """4,000 models: 64 MB a copy of the pairs, where an n x n matrix takes 128 MB and the former path made four."""
    settings = OmegaConf.load(find_conf() / "bench.yaml").clustering
    from reproduction.bench import simulated
    from twophase.large import cluster_many

    matrix = simulated.simulate(4000, simulated.read("cleaned"))
    cluster_many(matrix.iloc[:, :100])
    before = bench.timed(lambda: None)[2]
    during = bench.timed(lambda: cluster_many(matrix, settings.k, settings.threshold))[2]
    assert during - before < 2.5 * 64


def test_growth_by_hand():
    sizes = np.array([10, 100, 1000])
    square, flat = 3e-6 * sizes**2.0, np.array([2.0, 2.0, 2.0])
    frame = pd.DataFrame({"what": ["a"] * 3 + ["b"] * 3 + ["c"], "n": [*sizes, *sizes, 10],
                          "seconds": [*square, *flat, 1.0]})  # fmt: skip
    found = bench.growth(frame)
    assert found.loc["a", ["exponent", "low", "high"]].tolist() == pytest.approx([2, 2, 2])
    assert found.loc["b", "exponent"] == pytest.approx(0, abs=1e-12) and np.isnan(found.loc["c", "exponent"])
    assert np.isnan(bench.growth(frame, least=100).loc["a", "exponent"])
    # slopes 1 and 3: their mean 2, residuals of a third, two thirds, a third of a decade
    bent = pd.DataFrame({"what": "d", "n": sizes, "seconds": [1.0, 10.0, 10.0**4]})
    row = bench.growth(bent).loc["d"]
    assert row["exponent"] == pytest.approx(2) and row["low"] < 0 < 4 < row["high"]


def test_agreement_of_a_sample_of_all_is_complete(small, monkeypatch):
    monkeypatch.setattr("reproduction.bench.agreement.catalogue.kept", lambda *_: False)
    table = agreement(small).set_index("share")
    assert len(table) == 2 and (table["targets"] == 2).all()
    assert table.loc[1.0, ["ari", "ari_of_sample"]].tolist() == [1, 1] and table.loc[1.0, "regret_change"] == 0
    assert 0.3 < table.loc[0.5, "ari"] < 1 and table.loc[0.5, "ari"] != table.loc[0.5, "ari_of_sample"]
    assert (table["low"] <= table["regret_change"]).all() and (table["regret_change"] <= table["high"]).all()
