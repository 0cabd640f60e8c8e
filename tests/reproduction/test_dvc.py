"""The pipeline in a clone of the working tree: nothing stale, nothing done twice, whatever is killed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
ROOT = Path(__file__).parents[2]
DOMAINS = ("cv", "nlp")
PIPELINE = [f"{stage}@{domain}" for stage in ("records", "proxies") for domain in DOMAINS] + [
    "manifest"
]  # no notebooks


class Project:
    """A clone with a store of its own."""

    def __init__(self, folder, store):
        self.folder, self.store = folder, store

    def environment(self, **more):
        # git's own variables (of a hook, say) would lead the clone's git to the outer repository
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "DVC_"))}
        own = {
            "PYTHONPATH": str(self.folder / "src"),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "TWOPHASE_CACHE": str(self.store),
            "TWOPHASE_WORKERS": "2",
            "DVC_NO_ANALYTICS": "1",
        }
        return kept | own | more

    def run(self, *command, code=0, **more):
        done = subprocess.run(
            [*map(str, command)],
            cwd=self.folder,
            env=self.environment(**more),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
        )
        assert done.returncode == code, done.stdout[-6000:]
        return done.stdout

    def dvc(self, *arguments, **options):
        return self.run(sys.executable, "-m", "dvc", *arguments, **options)

    def params(self, *overrides):
        self.run(sys.executable, "-m", "twophase", "params", "profile=smoke", "cards=none", *overrides)

    def git(self, *arguments):
        return self.run("git", "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments)

    def cells(self, kind="cells"):
        """Entry -> when it was written."""
        found = (self.store / kind).glob("*/*.json")
        return {path.name: path.stat().st_mtime_ns for path in found if not path.name.startswith(".")}

    def table(self, name, domain="cv"):
        return pd.read_csv(self.folder / "results" / domain / f"{name}.csv").drop(columns="seconds")

    def records(self, domain="cv"):
        return self.table("records", domain)

    def changed(self):
        """Stages that `dvc repro` would run because of what they read; those of published records are not among them."""
        found = json.loads(self.dvc("status", "--json"))
        return {stage for stage in found if not stage.startswith("notebooks/published/")} - {"check"}

    def copy(self, folder):
        shutil.copytree(self.folder, folder / "project", symlinks=True)
        shutil.copytree(self.store, folder / "store")
        return Project(folder / "project", folder / "store")


def clone(folder):
    """The working tree with its uncommitted changes, as a repository of its own."""
    folder.mkdir()
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
    for name in filter(None, names):
        made = name.startswith("results/") and not name.startswith(("results/ablations.csv", "results/bench/"))
        if (ROOT / name).is_file() and not made:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    (folder / "dvc.lock").unlink(missing_ok=True)


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A clone in which `dvc repro` of the smoke profile has run and is committed."""
    folder = tmp_path_factory.mktemp("dvc")
    clone(folder / "project")
    project = Project(folder / "project", folder / "store")
    project.git("init", "-q", "-b", "main")
    project.params()
    project.dvc("repro", *PIPELINE)
    project.git("add", "-A")
    project.git("commit", "-q", "-m", "ran")
    return project


@pytest.fixture
def project(ran, tmp_path):
    return ran.copy(tmp_path)


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


def test_records_hold_every_cell(ran):
    for domain in DOMAINS:
        cells = ran.records(domain).groupby(["model", "dataset", "seed"]).size()
        assert len(cells) == 6 * 6 + 4  # six models on four benchmarks and two targets, one model's benchmarks twice
        assert set(cells) == {2}
        assert pd.read_csv(ran.folder / "results" / domain / "failures.csv").empty
    assert len(ran.cells()) == 2 * (6 * 6 + 4)


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


def both(*stages):
    return {f"{stage}@{domain}" for stage in stages for domain in DOMAINS}


TURNS = ("leave_one_out", "metrics", "claims")
OWN = "15_your_own_data@nlp"
RECALL = both(*TURNS, "03_recall", "05_fine_selection", "06_end_to_end", "07_released_code")


@pytest.mark.parametrize(
    ("override", "stages"),
    [
        ("selection.threshold=0.1", both(*TURNS, "05_fine_selection", "06_end_to_end")),
        ("recall.top=2", RECALL),
        ("proxy=logme", RECALL | {"09_claims"}),
        ("nlp.training.learning_rate=0.01", {"records@nlp", "second_rate@nlp", "04_convergence@nlp", OWN}),
        ("cv.second_rate.learning_rate=0.01", {"second_rate@cv", "04_convergence@cv"}),
        (
            "cv.proxies=[leep,nleep]",
            {"proxies@cv", "leave_one_out@cv", "claims@cv", "03_recall@cv", "06_end_to_end@cv"},
        ),
        ("cv.zoo.include=[vit-latin,resnet-latin,vit-photographs]", {"zoo@cv"}),
        ("cards=minilm", both("cards")),
    ],
)
def test_a_parameter_reruns_only_the_stages_that_read_it(whole, override, stages):
    whole.params(override)
    assert whole.changed() == stages


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
    names = ("records", "proxies")
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
