"""Which experiments a sweep asks for, and that the committed one is of this configuration."""

import json
from pathlib import Path

import pandas as pd
import pytest
import yaml
from clones import remade

from reproduction import sweep
from twophase.errors import UserError
from twophase.sources.live import parameters

ROOT = Path(__file__).parents[2]
DOMAINS = ["cv", "nlp"]


def test_a_key_of_one_domain_concerns_that_domain():
    found = sweep.experiments({"recall.top": [5, 10], "cv.cut": [0.1]}, DOMAINS)
    assert found == [("recall.top", "5", DOMAINS), ("recall.top", "10", DOMAINS), ("cv.cut", "0.1", ["cv"])]


def test_values_are_a_list():
    with pytest.raises(UserError, match=r"recall\.top is 5; allowed is a list of values"):
        sweep.experiments({"recall.top": 5}, DOMAINS)


def test_without_results_there_is_nothing_to_compare_with(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"cv\.json is not there yet; run `make repro`"):
        sweep.run({"recall.top": [5]}, DOMAINS)


def test_the_committed_sweep_is_whole_and_of_the_committed_results():
    wanted = yaml.safe_load((ROOT / sweep.SWEEP).read_text())
    found = pd.read_csv(ROOT / sweep.TARGET, dtype={"value": str})
    rows = [("configured", d) for d in DOMAINS]
    rows += [(name, d) for name, _, chosen in sweep.experiments(wanted, DOMAINS) for d in chosen]
    assert list(zip(found["parameter"], found["domain"], strict=True)) == rows
    assert found["failure"].isna().all()
    if remade():
        pytest.skip("results were made anew here; `make ablations` makes the sweep anew")
    for domain in DOMAINS:
        configured = json.loads((ROOT / "results" / "metrics" / f"{domain}.json").read_text())
        row = found[(found["parameter"] == "configured") & (found["domain"] == domain)].iloc[0]
        assert all(row[name] == pytest.approx(value) for name, value in configured.items())


def test_where_a_value_is_the_configured_one_the_experiment_changes_nothing():
    params = parameters.read(ROOT / "params.yaml")
    configured = {
        "recall.top": params.recall.top, "clustering.k": params.clustering.k, "clustering": params.clustering.method,
        "proxy": params.proxy.name, "selection.threshold": params.selection.threshold,
        "selection.n_trends": params.selection.n_trends, "cv.cut": params.domain["cv"].cut,
        "nlp.cut": params.domain["nlp"].cut,
        **{f"{d}.training.learning_rate": params.domain[d].training.learning_rate for d in DOMAINS},
    }  # fmt: skip
    found = pd.read_csv(ROOT / sweep.TARGET, dtype={"value": str})
    reference = found[found["parameter"] == "configured"].set_index("domain")
    same = found[[str(row["value"]) in (str(configured.get(row["parameter"])),) for _, row in found.iterrows()]]
    assert len(same) >= 10
    for _, row in same.iterrows():
        for name in ("speed_up_brute_force", "regret_best", "gain"):
            assert row[name] == pytest.approx(reference.loc[row["domain"], name]), (row["parameter"], row["value"])
