"""Notebook 16: what its tables say of measurements chosen by hand, and what it does without them."""

import json

import numpy as np
import pandas as pd
import pytest

from reproduction.n16_scale import hub_cost, measured, scale
from twophase.infra.config import find_conf


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """Folder of an empty project's results/bench, the project being the current folder."""
    (tmp_path / "conf").symlink_to(find_conf())
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "results" / "bench"
    folder.mkdir(parents=True)
    return folder


def write(bench, name, columns, *rows):
    pd.DataFrame(rows, columns=columns.split()).to_csv(bench / f"{name}.csv", index=False)


def made(bench):
    return {path.name for path in bench.parents[1].rglob("*_bench.*")}


def test_without_measurements_every_figure_says_what_to_run(bench):
    figures = ["figure_growth", "figure_proxies", "figure_training", "figure_end_to_end", "figure_stages"]
    for draw in (getattr(scale, name) for name in figures):
        (text,) = [text.get_text() for axis in draw().axes for text in axis.texts]
        assert "not there; run make bench" in text
    tables = [scale.exponents, scale.proxy_times, scale.speed_up, scale.against_trainer, scale.end_to_end, scale.stages]
    assert all(table().empty for table in [*tables, hub_cost.costs, scale.agreement, scale.agreement_of_samples])
    for said in (scale.machines(), hub_cost.verdict(), hub_cost.per_target()):
        assert "run `make bench`" in said.data
    assert len(made(bench)) == 2 * len(figures) + len(tables) + 1  # all that the stage promises


def test_speed_up_is_of_the_repeats_own(bench):
    rows = [("cv", w, r, slow * (10 if w == 1 else 5.5), 11) for r, slow in enumerate([1, 2, 4], 1) for w in (1, 2)]
    write(bench, "throughput", "domain workers repeat seconds cells", ("cv", 2, 0, 9.0, 2), *rows)
    table = scale.speed_up()
    assert table.loc[("cv", 2), ["speed-up", "low", "high"]].tolist() == pytest.approx([10 / 5.5] * 3)
    assert table.loc[("cv", 1), "cells per second"] == pytest.approx(11 / 20)
    write(bench, "trainer", "domain model dataset side repeat seconds test",
          *[("cv", "m", "d", side, r, s * r, 0.5) for side, s in (("twophase", 1), ("transformers.Trainer", 2)) for r in (1, 2)])  # fmt: skip
    assert scale.against_trainer()["ratio"].tolist() == [0.5]
    assert len(scale.figure_training().axes) == 2


def test_end_to_end_speed_up_is_over_brute_force_of_the_same_repeat(bench):
    rows = [
        ("cv", "t", side, r, s * r, s * r / 2, 1, f"m{r}", 0.5) for r in (1, 2) for side, s in (("BF", 8), ("2PH", 2))
    ]
    write(bench, "end_to_end", "domain target side repeat seconds trained epochs winner test", *rows)
    table = scale.end_to_end().droplevel("domain")
    assert table.loc[("t", "2PH"), "speed-up"] == 4 and table.loc[("t", "BF"), "speed-up"] == 1
    assert table.loc[("t", "2PH"), "winners"] == "m1, m2"


def test_stages_of_both_domains_are_added_and_the_longest_come_first(bench):
    before = {"a@cv": 1.0, "a@nlp": 2.0, "b": 9.0, "all": 12.5}
    after = {"a@cv": 1.0, "b": 4.0, "all": 4.5}
    rows = [(when, *row) for when, given in (("before", before), ("after", after)) for row in given.items()]
    write(bench, "stages", "when stage seconds", *rows)
    table = scale.stages()
    assert table.index.tolist() == ["b", "a", "all"] and table.columns.tolist() == ["before", "after"]
    assert table.loc["all"].tolist() == [12.5, 4.5]
    assert scale.figure_stages().axes[0].get_xlabel() == "seconds, both domains"


def test_agreement_names_what_differs_and_is_largest_over_sizes(bench):
    head = "proxy n d classes side repeat seconds score comparable"
    rows = [("knn", n, 2, 2, side, 1, 1.0, score, same) for n, side, score, same in [
        (5, "twophase", 0.5, 0.25), (5, "transformer-ranker", 0.75, 0.25), (9, "twophase", 0.5, 0.5), (9, "transformer-ranker", 0.5, None),
    ]]  # fmt: skip
    write(bench, "proxies", head, *rows)
    row = scale.agreement().loc["kNN"]
    assert row[["as used", "by one definition", "sizes compared"]].tolist() == [0.25, 0, "1 of 2"]
    assert "F1" in row["what differs"]


def test_machines_are_said_once(bench):
    facts = {"processor": "P", "cores": 2, "memory_gib": 8, "system": "Linux", "python": "3.11", "packages": {"numpy": "2", "x": None}}  # fmt: skip
    (bench / "machine.json").write_text(
        json.dumps({"a": facts | {"load_at_start": 0.1}, "b": facts | {"load_at_start": 1}})
    )
    assert scale.machines().data == (
        "P, 2 cores, 8 GiB, Linux, Python 3.11, numpy 2. Parts, with the load when each began: a (0.10), b (1.00)."
    )


def test_ratios_are_medians_of_the_repeats_own():
    """A machine that slows down while it measures changes no ratio: ours takes half each time."""
    raw = pd.DataFrame(
        [("x", side, repeat, slow * (1 if side == "twophase" else 2)) for repeat, slow in enumerate([1, 2, 4, 8, 16], 1)
         for side in ("twophase", "other")]
        + [("y", side, repeat, value) for repeat, value in enumerate([3, 1, 2], 1) for side in ("twophase", "other")],
        columns=["size", "side", "repeat", "seconds"],
    )  # fmt: skip
    raw.loc[(raw["size"] == "y") & (raw["side"] == "other"), "seconds"] = [1, 1, 1]
    table = measured.ratios(raw, ["size"])
    assert table.loc["x", ["ratio", "low", "high", "repeats"]].tolist() == [0.5, 0.5, 0.5, 5]
    assert table.loc["x", ["ours", "other"]].tolist() == [4, 8]
    assert table.loc["y", ["ratio", "low", "high", "repeats"]].tolist() == pytest.approx([2, 1.5, 2.5, 3])
    assert set(table["against"]) == {"other"}


def test_a_repeat_that_one_side_lacks_does_not_count():
    raw = pd.DataFrame(
        {"k": 1, "side": ["twophase", "other", "twophase"], "repeat": [1, 1, 2], "seconds": [1.0, 2.0, 9.0]}
    )
    assert measured.ratios(raw, ["k"])[["ratio", "repeats"]].iloc[0].tolist() == [0.5, 1]


def test_growth_by_hand():
    sizes = np.array([10, 100, 1000])
    square, flat = 3e-6 * sizes**2.0, np.array([2.0, 2.0, 2.0])
    frame = pd.DataFrame({"what": ["a"] * 3 + ["b"] * 3 + ["c"], "n": [*sizes, *sizes, 10],
                          "seconds": [*square, *flat, 1.0]})  # fmt: skip
    found = measured.growth(frame, "seconds")
    assert found.loc["a", ["exponent", "low", "high"]].tolist() == pytest.approx([2, 2, 2])
    assert found.loc["b", "exponent"] == pytest.approx(0, abs=1e-12) and np.isnan(found.loc["c", "exponent"])
    assert np.isnan(measured.growth(frame[frame["n"] >= 100], "seconds").loc["a", "exponent"])
    # slopes 1 and 3: their mean 2, residuals of a third, two thirds, a third of a decade
    bent = pd.DataFrame({"what": "d", "n": sizes, "seconds": [1.0, 10.0, 10.0**4]})
    row = measured.growth(bent, "seconds").loc["d"]
    assert row["exponent"] == pytest.approx(2) and row["low"] < 0 < 4 < row["high"]


def test_halving_counts_model_epochs():
    assert hub_cost.halving_epochs(10, 5) == 10 + 5 + 2 + 1 + 1
    assert hub_cost.halving_epochs(1, 3) == 3


def test_the_estimate_is_the_product_of_its_inputs(bench):
    values = {
        "models": 1000, "benchmarks": 100, "paper_models": 40, "paper_benchmarks": 24, "keep": 0.95, "agreement": 0.9, "top": 10,
        "cell_mean": 0.5, "cell_median": 0.1, "cell_epochs": 5, "proxy_mean": 0.01, "datasets_enough": 10, "datasets_kept": 0.96,
        "metadata_models": 90, "metadata_kept_0": 0.7, "metadata_kept_20": 0.8, "metadata_kept_50": 0.9, "sample_flan": 1,
        "sample_wmt19": 0.1, "sample_gigaword": 0.25, "one_epoch_kept_cv": 1.01, "one_epoch_share_cv": 0.25,
        "one_epoch_kept_nlp": 0.94, "one_epoch_share_nlp": 0.2,
    }  # fmt: skip
    write(bench, "hub", "name value unit source", *[(name, value, "u", "s") for name, value in values.items()])
    table = hub_cost.costs()
    hours = [40 * 24 * 0.5, 1000 * 100 * 0.5, 1000 * 10 * 0.5, 1250, 1250 / 4, 50 * 10 * 0.25 * 0.25 * 0.5]
    assert table["GPU-hours"].tolist() == pytest.approx(hours)
    assert table["times less"].iloc[1:].tolist() == pytest.approx([1, 10, 40, 160, 3200])
    assert table["GPU-hours, one more model"].iloc[:2].tolist() == [12, 50]
    assert "10.0 times less" in hub_cost.verdict().data and "90% with 50" in hub_cost.verdict().data
    assert "at most 1.9 GPU-hours (19 model-epochs" in hub_cost.per_target().data
    assert (hub_cost.inputs()["source"] == "s").all()
