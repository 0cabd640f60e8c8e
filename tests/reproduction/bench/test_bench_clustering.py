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
    table = pd.concat([pd.DataFrame(bench.measure("exact", 60, small, 0), columns=bench.COLUMNS), table])
    expected = [(what, n) for n, first in ((60, "exact"), (120, "sampled"))
                for what in (first, "recall index", "recall", "add a model")]  # fmt: skip
    assert list(zip(table["what"], table["n"], strict=True)) == expected
    assert (table["seconds"] > 0).all() and (table["singletons"] < table["clusters"]).all()
    assert (table["peak_mb"] > 50).all() and (table["part"] == "clustering").all()


def test_agreement_of_a_sample_of_all_is_complete(small, monkeypatch):
    monkeypatch.setattr("reproduction.bench.agreement.catalogue.kept", lambda *_: False)
    table = agreement(small, 1).set_index("share")
    assert len(table) == 2 and (table["targets"] == 2).all()
    assert table.loc[1.0, ["ari", "ari_of_sample"]].tolist() == [1, 1] and table.loc[1.0, "regret_change"] == 0
    assert 0.3 < table.loc[0.5, "ari"] < 1 and table.loc[0.5, "ari"] != table.loc[0.5, "ari_of_sample"]
    assert (table["low"] <= table["regret_change"]).all() and (table["regret_change"] <= table["high"]).all()
