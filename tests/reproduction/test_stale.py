"""The whole pipeline, notebooks and all: nothing is done twice, and what a parameter makes stale is what reads it."""

import sys

import pandas as pd
import pytest
from clones import DOMAINS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def whole(ran, tmp_path_factory):
    """The same with the notebooks."""
    project = ran.copy(tmp_path_factory.mktemp("whole"))
    assert "Running stage '09_claims'" in project.dvc("repro")
    project.git("add", "-A")
    project.git("commit", "-q", "-m", "whole")
    return project


def test_a_second_run_does_nothing(whole):
    assert "Running stage" not in whole.dvc("repro")


def test_a_forced_run_leaves_git_clean(whole):
    """Of what is computed from records, in the text half; tasks, models and cells are made anew in other tests."""
    stages = [
        f"{name}@nlp" for name in ("leave_one_out", "claims", "02_clustering", "05_fine_selection", "15_your_own_data")
    ]
    output = whole.dvc("repro", "--force", "--single-item", *stages, "09_claims", "manifest")
    assert output.count("Running stage") == 7
    assert whole.git("status", "--porcelain") == ""


def both(*stages):
    return {f"{stage}@{domain}" for stage in stages for domain in DOMAINS}


TURNS = ("choices", "leave_one_out", "metrics", "claims", "17_beyond")
OWN = "15_your_own_data"
RECALL = both(*TURNS, "00_method", "03_recall", "05_fine_selection", "06_end_to_end", "07_released_code")


@pytest.mark.parametrize(
    ("override", "stages"),
    [
        ("selection.threshold=0.1", both(*TURNS, "00_method", "05_fine_selection", "06_end_to_end")),
        ("recall.top=2", RECALL),
        ("leader.price=0.01", both("leading", "leave_one_out", "claims", "17_beyond", OWN)),
        ("leader.examples=16", both("proxies", "leading", "leave_one_out", "claims", "17_beyond", OWN)),
        ("proxy=logme", RECALL | both(OWN) | {"09_claims"}),
        (
            "nlp.training.learning_rate=0.01",
            {"records@nlp", "second_runs@nlp", "fewer_examples@nlp", "04_convergence@nlp", f"{OWN}@nlp"},
        ),
        ("cv.second_rate.learning_rate=0.01", {"second_runs@cv", "04_convergence@cv"}),
        (
            "cv.proxies=[leep,nleep]",
            {"proxies@cv", "leave_one_out@cv", "claims@cv", "03_recall@cv", "06_end_to_end@cv", "17_beyond@cv"},
        ),
        ("cv.zoo.include=[vit-latin,resnet-latin,vit-photographs]", {"zoo@cv"}),
        ("cards=minilm", both("cards")),
    ],
)
def test_a_parameter_reruns_only_the_stages_that_read_it(whole, override, stages):
    whole.params(override)
    assert whole.changed() == stages


def test_a_sweep_is_one_experiment_a_value_and_a_failed_one_is_a_row(whole, tmp_path):
    project = whole.copy(tmp_path)
    (project.folder / "conf/ablations.yaml").write_text("clustering.n_clusters: [3]\nrecall.top: [99]\n")
    before = project.cells()
    project.dvc("repro", "check")
    project.run(sys.executable, "-m", "reproduction.sweep")
    found = pd.read_csv(project.folder / "results/ablations.csv").set_index(["parameter", "domain"])
    assert found["failure"].notna().tolist() == [False, False, False, False, True, True]
    assert found["failure"].dropna().str.contains("recall.top: got 99; allowed is at most 6").all()
    assert (found.loc["clustering.n_clusters", "clusters"] == 3).all()
    assert (found.loc["configured", "clusters"] != 3).any()
    assert project.cells() == before
