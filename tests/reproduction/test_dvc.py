"""What the pipeline costs when something changes, fails or is killed: nothing stale, nothing done twice."""

import os
import shutil
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest
from clones import DOMAINS, PIPELINE

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def test_records_hold_every_cell(ran):
    for domain in DOMAINS:
        cells = ran.records(domain).groupby(["model", "dataset", "seed"]).size()
        assert len(cells) == 6 * 6  # six models on four benchmarks and two targets
        assert set(cells) == {2}
        assert pd.read_csv(ran.folder / "results" / domain / "failures.csv").empty
    assert len(ran.cells()) == 2 * 6 * 6


def test_a_comment_in_conf_reruns_the_check_alone(project):
    path = project.folder / "conf/profile/smoke.yaml"
    path.write_text(path.read_text() + "# a remark\n")
    output = project.dvc("repro", *PIPELINE)
    assert output.count("Running stage") == 1
    assert "Running stage 'check'" in output


def test_an_edit_of_conf_without_params_stops_and_says_so(project):
    path = project.folder / "conf/domain/cv.yaml"
    path.write_text(path.read_text().replace("weight_decay: 0.01", "weight_decay: 0.02"))
    output = project.dvc("repro", *PIPELINE, code=255)
    assert "twophase params profile=smoke cards=none" in output
    assert "Running stage 'records@cv'" not in output


def test_a_new_model_costs_its_own_cells_only(project):
    before = project.cells()
    included = project.records()["model"].unique().tolist()
    project.params(f"cv.zoo.include=[{','.join(included)},vit-untrained]")
    project.dvc("repro", *PIPELINE)
    after = project.cells()
    assert {name: after[name] for name in before} == before
    new = project.records().query("model == 'vit-untrained'")
    assert len(after) - len(before) == new.groupby(["dataset", "seed"]).ngroups == 6


def test_another_version_of_a_source_makes_other_data(project):
    """As after an update of Python or of a package: `make repro` runs the check stage's command first."""
    check = project.folder / "build/check"
    before = check.read_text()
    assert "nlp python " in before and "cv matplotlib " in before
    check.unlink()
    check.write_text(before.replace("nlp python ", "nlp python 2.7."))  # what an older run would have left
    assert "tasks@nlp" in project.dvc("status")
    project.run(sys.executable, "-m", "reproduction.stages", "check")
    assert check.read_text() == before


def test_data_from_other_sources_say_so(project):
    table = project.folder / "results/nlp/sources.csv"
    sources = pd.read_csv(table, dtype=str)
    sources.loc[sources["source"] == "torch", ["version", "sha256"]] = ["1.0", "0" * 64]
    sources.to_csv(table, index=False)
    output = project.run(sys.executable, "-m", "reproduction.stages", "tasks", "nlp")
    assert "gives other material than 1.0 did in the last run: data are new" in output
    assert output.count("data are new") == 1


def test_an_experiment_with_another_proxy_trains_nothing(project):
    before = project.cells()
    project.dvc("exp", "run", "-S", "proxy=logme", "-S", "profile=smoke", "--name", "other", *PIPELINE)
    params = (project.folder / "params.yaml").read_text()
    assert "name: logme" in params
    assert "profile: smoke" in params
    assert project.cells() == before


def begin_records(project):
    """Start `dvc repro` with no cell in the store; returns when some, but not all, are finished."""
    shutil.rmtree(project.store / "cells")
    for name in ("records.csv", "failures.csv"):
        (project.folder / "results/cv" / name).unlink()
    process = subprocess.Popen(
        [sys.executable, "-m", "dvc", "repro", "records@cv"],
        cwd=project.folder,
        env=project.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while len(project.cells()) < 5:
        assert time.monotonic() < deadline, "no cell was finished in two minutes"
        assert process.poll() is None, "the run ended by itself"
        time.sleep(0.05)
    return process


@pytest.mark.parametrize("whole_group", [False, True])
def test_a_killed_run_goes_on_where_it_was(project, whole_group):
    undisturbed = project.records()
    process = begin_records(project)
    if whole_group:
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()
    time.sleep(2)  # a stage outlives its dvc by a heartbeat at most, and may finish a cell in it
    finished = project.cells()
    assert 5 <= len(finished) < 40
    time.sleep(2)
    assert project.cells() == finished, "someone goes on training"
    project.dvc("repro", "records@cv")
    after = project.cells()
    assert {name: after[name] for name in finished} == finished
    pd.testing.assert_frame_equal(project.records(), undisturbed)


def test_one_worker_and_an_empty_store_give_the_same_bits(project):
    """Of the vision half; both take the same path."""
    names = ("records", "proxies", "looks")
    first = [project.table(name) for name in names]
    manifest = (project.folder / "results/manifest.json").read_text()
    shutil.rmtree(project.store)
    project.dvc("repro", "--force", "proxies@cv", "records@cv", TWOPHASE_WORKERS="1")
    for name, before in zip(names, first, strict=True):
        pd.testing.assert_frame_equal(project.table(name), before)
    project.run(sys.executable, "-m", "reproduction.stages", "manifest")  # digests of every dataset and model
    assert (project.folder / "results/manifest.json").read_text() == manifest


def test_the_choice_of_an_engine_makes_nothing_stale_and_no_other_result(project):
    """What a cluster builds is what dvc.lock and params.yaml, which are committed, say already."""
    engine = {"TWOPHASE_COMPUTE": "compute=dask compute.workers=2"}
    assert "Running stage" not in project.dvc("repro", *PIPELINE, **engine)
    shutil.rmtree(project.store / "models")
    again = ("repro", "--force", "--single-item", "zoo@cv")
    assert "unknown compute 'dusk'" in project.dvc(*again, code=255, TWOPHASE_COMPUTE="compute=dusk")
    project.dvc(*again, **engine)
    assert len(list((project.store / "models").glob("*/*"))) == 6
    assert project.git("status", "--porcelain") == ""


def test_a_broken_model_is_a_failure_with_its_reason_and_ends_nothing(project):
    weights = project.folder / "zoo/cv/vit-latin/model.safetensors"
    weights.unlink()  # a link or copy of DVC's: never write into it
    weights.write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00{")
    project.run(sys.executable, "-m", "reproduction.stages", "records", "cv")
    failures = pd.read_csv(project.folder / "results/cv/failures.csv")
    assert set(failures["model"]) == {"vit-latin"}
    assert failures["reason"].str.len().gt(10).all()
    assert set(project.records()["model"]) == set(pd.read_csv(project.folder / "results/cv/proxies.csv")["model"]) - {
        "vit-latin"
    }
