"""`twophase select` on a cluster of two workers: the same as in one process, with its bars and nothing else on the screen."""

import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

import twophase

FAST = (
    "training.epochs=2",
    "training.batch_size=8",
    "training.learning_rate=2e-3",
    "zoo.cut=0.2",
    "clustering.k=2",
    "recall.top=4",
)


def command(pictures, out, *more):
    given = f"task.path={pictures[1]}", "zoo=folder", f"zoo.path={pictures[0]}", f"out={out}"
    return [sys.executable, "-m", "twophase", "select", "task=image_folder", *given, *FAST, "compute.workers=2", *more]


@pytest.mark.parametrize("engine", ["dask", "ray"])
def test_it_selects_the_same(pictures, tmp_path, engine):
    done = subprocess.run(
        command(pictures, tmp_path / engine, f"compute={engine}"), capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    zoo, photos = pictures
    here = twophase.select(photos, "compute=serial", *FAST, zoo=zoo, out=tmp_path / "serial", progress=False)
    written = json.loads((tmp_path / engine / "selection.json").read_text())
    assert (written["winner"], written["test"]) == (here.winner, here.test)
    assert here.winner in done.stdout
    shown = {
        line.split(":")[0].strip() for part in done.stderr.split("\n") for line in part.split("\r") if line.strip()
    }
    assert shown == {"logme scores", "stage 1 of 2", "stage 2 of 2"}
    assert written["selection"]["history"] == here.facts["selection"]["history"]
    assert written["recall"]["ranking"] == here.facts["recall"]["ranking"]


def test_ctrl_c_saves_what_a_cluster_has_done_and_the_same_command_goes_on(pictures, tmp_path):
    asked = command(pictures, tmp_path / "run", "compute=dask", "training.epochs=40")
    stopped = subprocess.Popen(asked, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    deadline = time.monotonic() + 120
    while not list((tmp_path / "run").glob("checkpoints/*/*.pt")):
        assert stopped.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    workers = psutil.Process(stopped.pid).children(recursive=True)
    os.killpg(stopped.pid, signal.SIGINT)
    printed, errors = stopped.communicate(timeout=60)
    assert stopped.returncode == 130 and "the same command goes on" in errors and "Traceback" not in errors, errors
    assert "best so far" in printed
    assert psutil.wait_procs(workers, timeout=20)[1] == []
    assert (tmp_path / "run" / "model" / "config.json").is_file()
