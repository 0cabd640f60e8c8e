"""Ray and Dask, each with a cluster of two workers that really runs: the same results as here, whatever is killed."""

import contextlib
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest
import small_zoo
from mapped import (
    always_killed,
    device,
    hears_ctrl_c,
    killed_once,
    odd_fails,
    product,
    square,
    surroundings,
    unpicklable,
)

from twophase.commands import main as command_line
from twophase.errors import UserError
from twophase.infra.compute import Engine, Failure, clusters, parallel_map, spreads, using, width
from twophase.sources.live import parameters
from twophase.sources.live.models import build_zoo
from twophase.training import finetuning, stored
from twophase.training.loading import model_digest

pytestmark = [pytest.mark.alone, pytest.mark.usefixtures("two_threads")]
MODELS, DATA = ("vit", "resnet", "regnet"), ("degradation", "focus")
PATH = f"{Path(__file__).parents[2]}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"


@pytest.fixture(scope="module", autouse=True)
def token():
    """Of the Ray clusters here; without one Ray would write one into the user's home."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
        yield


def until(true, seconds=180):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


@contextlib.contextmanager
def running(*commands, **options):
    """Processes that go on as long as the test, each in a group of its own."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
    programs = Path(sys.executable).parent
    processes = [
        subprocess.Popen([programs / program, *rest], env=os.environ | {"PYTHONPATH": PATH}, **quiet, **options)
        for program, *rest in commands
    ]
    try:
        yield processes
    finally:
        stop()
        for process in processes:
            for one in psutil.Process(process.pid).children(recursive=True) if process.poll() is None else ():
                with contextlib.suppress(psutil.Error):
                    one.kill()
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def head():
    """Address of a Ray cluster of two CPUs and (so it says) a GPU."""
    port = free_port()
    with running(
        ("ray", "start", "--head", "--block", f"--port={port}", "--num-cpus=2", "--num-gpus=1",
         "--include-dashboard=false", "--disable-usage-stats"), cwd="/",
    ):  # fmt: skip
        until(lambda: answers(port))
        yield f"127.0.0.1:{port}"


def answers(port):
    with contextlib.closing(socket.socket()) as found:
        return found.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module", params=["dask", "ray"])
def cluster(request):
    """An engine: a Dask cluster that the first map starts here, and a Ray cluster that is joined."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", PATH)
        if request.param == "ray":
            yield Engine("ray", address=request.getfixturevalue("head"))
        else:
            yield Engine("dask", workers=2)
        stop()


@pytest.fixture
def engine(cluster):
    with using(cluster):
        yield cluster


def stop():
    """Close what the maps of this process have opened."""
    clusters.close()
    if "ray" in sys.modules:
        sys.modules["ray"].shutdown()
    if kind := sys.modules.get("twophase.infra.compute.clusters.ray"):
        kind.Ray.joined = None


def test_results_keep_the_order_of_the_items(engine):
    seen = []
    assert parallel_map(square, range(8), on_result=lambda *pair: seen.append(pair)) == [n * n for n in range(8)]
    assert sorted(seen) == [(n, n * n) for n in range(8)]
    assert parallel_map(square, []) == []
    assert width() == 2 and spreads(1) and not spreads(0)


def test_an_exception_is_a_failure_of_its_item_alone(engine):
    assert parallel_map(odd_fails, [0, 1, 2]) == [0, Failure("ValueError: 1 is odd"), 2]


def test_what_cannot_travel_is_a_failure(engine):
    results = parallel_map(square, [3, (n for n in "no"), 4])
    assert (results[0], results[2]) == (9, 16) and "pickle" in results[1].reason
    assert all(isinstance(result, Failure) for result in parallel_map(unpicklable, [(n for n in "no")]))


def test_the_bits_are_those_of_serial_and_local(engine):
    found = parallel_map(product, range(4))
    with using(Engine("serial")):
        assert parallel_map(product, range(4)) == found
    with using(Engine("local", workers=2)):
        assert parallel_map(product, range(4)) == found


def test_a_task_finds_what_it_would_find_here(engine, tmp_path, monkeypatch):
    """One thread, the same folder and variables; and a map inside a task is computed by its worker."""
    for said in ("first", "then"):
        (tmp_path / said).mkdir()
        monkeypatch.chdir(tmp_path / said)
        monkeypatch.setenv("TWOPHASE_SAID", said)
        assert parallel_map(surroundings, [0, 1]) == [(1, 1, str(tmp_path / said), said, "serial")] * 2


def test_a_killed_workers_items_are_submitted_again(engine, tmp_path):
    assert parallel_map(killed_once, [(n, tmp_path) for n in range(6)]) == [0, 10, 20, 30, 40, 50]
    assert (tmp_path / "2").exists()


def test_an_item_that_always_kills_its_worker_is_given_up_and_harms_no_other(engine):
    results = parallel_map(always_killed, range(5))
    assert isinstance(results[1], Failure) and "killed" in results[1].reason
    assert [results[n] for n in (0, 2, 3, 4)] == [0, 2, 3, 4]


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A zoo of three models with records.csv on two datasets, the datasets, and a task."""
    root = tmp_path_factory.mktemp("small")
    small_zoo.draw(root, ("photographs", "degradation", "focus", "tissue"), {"train": 64, "validation": 32, "test": 32})
    small_zoo.build(root / "zoo", MODELS, root)
    with using(Engine("serial")), pytest.MonkeyPatch.context() as patch:
        trained(root, str(root / "store"), patch).to_csv(root / "zoo" / "records.csv", index=False)
    return root


def trained(root, store, monkeypatch):
    """Records of every model on the two datasets, through a store."""
    folders, data = ({name: root / part / name for name in names} for part, names in (("zoo", MODELS), ("", DATA)))
    wanted = [(model, dataset, 0) for model in folders for dataset in data]
    monkeypatch.setenv("TWOPHASE_CACHE", store)
    settings = finetuning.TrainingConfig(epochs=2, batch_size=16, learning_rate=2e-3)
    rows, failures = stored.train_folders(folders, data, dict.fromkeys(data, "benchmark"), wanted, settings, "cells")
    assert failures == [] and len(rows) == 2 * len(wanted)
    return rows


def test_cells_are_the_same_as_here_and_land_in_the_shared_store(engine, small, tmp_path, monkeypatch):
    shared = f"file://{tmp_path}/shared"
    found = trained(small, shared, monkeypatch)
    kept = list((tmp_path / "shared" / "cells").rglob("*.json"))
    assert len(kept) == 6
    assert all(len(json.loads(path.read_text())["value"]) == 2 for path in kept)
    same(found, pd.read_csv(small / "zoo" / "records.csv"))
    before = {path: path.stat().st_mtime_ns for path in kept}
    same(found, trained(small, shared, monkeypatch))
    assert before == {path: path.stat().st_mtime_ns for path in kept}  # nothing was trained again


def test_cells_are_the_same_in_processes_of_this_machine(small, tmp_path, monkeypatch):
    with using(Engine("local", workers=2)):
        same(trained(small, str(tmp_path), monkeypatch), pd.read_csv(small / "zoo" / "records.csv"))


def same(one, other):
    """But for the seconds, and the order of the columns (of what was just trained)."""
    wanted = ["model", "dataset", "role", "seed", "epoch", "val", "test"]
    pd.testing.assert_frame_equal(one[wanted], other[wanted], check_exact=True)


def select(small, out, *more):
    """The command line of a selection among the three models."""
    fast = "training.epochs=2", "training.batch_size=8", "training.learning_rate=2e-3", "zoo.cut=0.2", "clustering.k=2"
    given = "task=parquet", f"task.path={small / 'tissue'}", "zoo=folder", f"zoo.path={small / 'zoo'}", "recall.top=3"
    return ["select", *given, *fast, f"out={out}", *more]


def test_select_selects_the_same_with_its_bars_and_nothing_else_on_the_screen(
    engine, small, tmp_path, monkeypatch, capfd
):
    monkeypatch.setenv("TWOPHASE_WORKERS", "2")
    where = [f"compute.address={engine.address}"] if engine.address else ["compute.workers=2"]
    found = {}
    for name, more in (("here", ["compute=serial"]), ("away", [f"compute={engine.engine}", *where])):
        monkeypatch.setenv("TWOPHASE_CACHE", str(tmp_path / f"store-{name}"))
        assert command_line.main(select(small, tmp_path / name, *more)) == 0
        found[name] = json.loads((tmp_path / name / "selection.json").read_text())
    for key in ("winner", "test"):
        assert found["away"][key] == found["here"][key]
    assert found["away"]["selection"]["history"] == found["here"]["selection"]["history"]
    assert found["away"]["recall"]["ranking"] == found["here"]["recall"]["ranking"]
    shown = re.split(r"[\r\n]+", capfd.readouterr().err.strip())
    assert {line.split(":")[0].strip() for line in shown} == {"logme scores", "stage 1 of 2", "stage 2 of 2"}


def test_models_are_built_into_the_store_parents_first(engine, tmp_path, monkeypatch):
    """The workers' store is a URL: what they build comes here, and a child starts from its parent."""
    few = "vit-latin", "vit-latin-ft-greek-1"
    params = parameters.load(["domains=[cv]", "recall.top=2", f"cv.zoo.include=[{','.join(few)}]"])
    small_zoo.draw(tmp_path / "data", ("latin", "greek"), {"train": 64, "validation": 64, "test": 64})
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "platform"))
    built = {}
    for name, store in (("away", f"file://{tmp_path}/shared"), ("here", str(tmp_path / "own"))):
        monkeypatch.setenv("TWOPHASE_CACHE", store)
        with using(engine if name == "away" else Engine("serial")):
            build_zoo(params, "cv", tmp_path / "data", tmp_path / name)
        built[name] = {model: model_digest(tmp_path / name / model) for model in few}
    assert built["away"] == built["here"]
    assert len(list((tmp_path / "shared" / "models").rglob("*.safetensors"))) == 2


PARENT = """
import sys
from mapped import slow
from twophase.infra.compute import Engine, parallel_map, using
if __name__ == "__main__":
    with using(Engine(sys.argv[1], workers=2)):
        parallel_map(slow, [sys.argv[2]] * 4)
"""


@pytest.mark.parametrize(("name", "sent"), [("dask", signal.SIGKILL), ("ray", signal.SIGINT)], ids=["dask", "ray"])
def test_what_was_started_here_ends_with_the_map(name, sent, tmp_path):
    """Ctrl-C reaches every process of the terminal; a kill this one alone."""
    script, begun = tmp_path / "parent.py", tmp_path / "begun"
    script.write_text(PARENT)
    begun.mkdir()
    with started([script, name, begun]) as process:
        until(lambda: len(list(begun.iterdir())) == 2)
        below = psutil.Process(process.pid).children(recursive=True)
        assert {int(path.name) for path in begun.iterdir()} <= {child.pid for child in below}
        os.killpg(process.pid, sent) if sent == signal.SIGINT else process.kill()
        printed, errors = process.communicate(timeout=90)
    if sent == signal.SIGINT:
        assert errors.splitlines()[-1] == "KeyboardInterrupt" and errors.count("Traceback") == 1, errors
        assert printed == ""
    assert psutil.wait_procs(below, timeout=60)[1] == []


def test_nobody_joins_a_dask_cluster_of_this_machine_without_its_secret(tmp_path, monkeypatch):
    """As another user of this machine would, who finds the port."""
    clusters.close()
    from twophase.infra.compute.clusters import dask as own

    opened = own.Dask(Engine("dask", workers=1))
    try:
        address = opened.client.scheduler.address
        assert address.startswith("tls://127.0.0.1:")
        code = (
            "import sys, distributed\n"
            "client = distributed.Client(sys.argv[1], timeout=5)\n"
            "print(client.submit(lambda: 'ran as another', pure=False).result())"
        )
        for stranger in (address, address.replace("tls://", "tcp://")):
            done = subprocess.run([sys.executable, "-c", code, stranger], capture_output=True, text=True, timeout=120)
            assert done.returncode != 0 and "ran as another" not in done.stdout
    finally:
        opened.close()


def test_ctrl_c_saves_what_a_cluster_has_done(small, tmp_path):
    asked = select(small, tmp_path / "run", "compute=dask", "compute.workers=2", "training.epochs=50")
    with started(["-m", "twophase", *asked], TWOPHASE_CACHE=str(tmp_path / "store")) as process:
        until(lambda: list((tmp_path / "run").glob("checkpoints/*/*.pt")))
        below = psutil.Process(process.pid).children(recursive=True)
        os.killpg(process.pid, signal.SIGINT)
        printed, errors = process.communicate(timeout=90)
    assert process.returncode == 130 and "the same command goes on" in errors and "Traceback" not in errors, errors
    assert "best so far" in printed and (tmp_path / "run" / "model" / "config.json").is_file(), printed
    assert psutil.wait_procs(below, timeout=60)[1] == []


@contextlib.contextmanager
def started(arguments, **environment):
    """A Python program in a session of its own."""
    process = subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        env=os.environ | {"PYTHONPATH": PATH} | environment, preexec_fn=hears_ctrl_c,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory):
    """(file of a Dask scheduler, its process): two workers, one with a GPU, in a folder of their own."""
    folder = tmp_path_factory.mktemp("elsewhere")
    file = folder / "scheduler.json"
    worker = ("dask", "worker", "--scheduler-file", file, "--nthreads", "1", "--no-dashboard")
    with running(
        ("dask", "scheduler", "--scheduler-file", file, "--host", "127.0.0.1", "--port", "0", "--no-dashboard"),
        worker, (*worker, "--resources", "GPU=1"), cwd=folder,
    ) as processes:  # fmt: skip
        until(file.is_file)
        yield file, processes[0]


def test_a_dask_cluster_is_joined_and_a_killed_worker_costs_its_item(scheduler, tmp_path, monkeypatch):
    monkeypatch.setenv("TWOPHASE_SAID", "so")
    monkeypatch.chdir(tmp_path)
    with using(Engine("serial")):
        alone = parallel_map(product, range(2))  # with one thread, as workers have; these tests have two
    with using(Engine("dask", address=str(scheduler[0]))):
        until(lambda: width() == 2)
        assert parallel_map(surroundings, [0, 1]) == [(1, 1, str(tmp_path), "so", "serial")] * 2
        assert parallel_map(killed_once, [(n, tmp_path) for n in range(6)]) == [0, 10, 20, 30, 40, 50]
        assert parallel_map(product, range(2)) == alone


def test_dask_tasks_that_hold_a_gpu_go_where_one_is(scheduler, monkeypatch):
    with using(Engine("dask", address=str(scheduler[0]), gpus_per_task=1)):
        assert width() == 1
        assert len({process for *_, process, _ in parallel_map(device, [0.1] * 4)}) == 1
    monkeypatch.setattr("twophase.infra.compute.clusters.dask.WAIT", 1)
    with (
        using(Engine("dask", address=str(scheduler[0]), gpus_per_task=2)),
        pytest.raises(UserError, match="has 2 of .* GPU"),
    ):
        parallel_map(device, [0])


def test_a_dask_cluster_that_ends_in_the_middle_is_the_users_to_mend(scheduler):
    file, process = scheduler
    done = []

    def result(*pair):
        done.append(pair)
        process.kill()

    with using(Engine("dask", address=str(file))), pytest.raises(UserError, match="no longer answers"):
        parallel_map(square, range(50), on_result=result)
    assert 1 <= len(done) < 50 and all(got == n * n for n, got in done)


def test_a_ray_cluster_is_joined(head, tmp_path, monkeypatch):
    monkeypatch.setenv("TWOPHASE_SAID", "so")
    monkeypatch.chdir(tmp_path)
    with using(Engine("ray", address=head)):
        assert width() == 2
        assert parallel_map(surroundings, [0, 1]) == [(1, 1, str(tmp_path), "so", "serial")] * 2
        assert parallel_map(killed_once, [(n, tmp_path) for n in range(6)]) == [0, 10, 20, 30, 40, 50]
    with using(Engine("ray", address=head, workers=1)):
        assert width() == 1
        (_, end, *_), (second, *_) = sorted(parallel_map(device, [0.3] * 2))
        assert second >= end


def test_ray_tasks_share_a_gpu_as_they_are_told(head):
    def second_begins_before_the_first_ends(share, seconds):
        with using(Engine("ray", address=head, gpus_per_task=share)):
            (_, end, _, sees), (second, *_) = sorted(parallel_map(device, [seconds] * 2))
        assert sees == "0"
        return second < end

    second_begins_before_the_first_ends(0.5, 0)  # workers are there
    assert second_begins_before_the_first_ends(0.5, 1.0)
    assert not second_begins_before_the_first_ends(1, 0.3)


def test_a_task_that_no_ray_cluster_can_hold_is_the_users_to_mend(head):
    with (
        using(Engine("ray", address=head, gpus_per_task=2)),
        pytest.raises(UserError, match="1 GPUs, less than one task"),
    ):
        parallel_map(device, [0.1])


@pytest.mark.parametrize("name", ["dask", "ray"])
def test_a_missing_package_is_the_users_to_mend(name, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed" if name == "dask" else "ray", None)
    with using(Engine(name)), pytest.raises(UserError, match=rf"which is not installed; .*\[{name}\]"):
        parallel_map(square, [1])


@pytest.mark.parametrize("name", ["dask", "ray"])
def test_an_address_where_nothing_answers_is_the_users_to_mend(name, monkeypatch):
    stop()
    monkeypatch.setattr("twophase.infra.compute.clusters.dask.WAIT", 0.5)
    address = f"{'tcp://' if name == 'dask' else ''}127.0.0.1:{free_port()}"
    with (
        using(Engine(name, address=address)),
        pytest.raises(UserError, match=f"no {name.title()} cluster at '{address}'"),
    ):
        parallel_map(square, [1])


def test_a_scheduler_file_that_nobody_writes_is_the_users_to_mend(tmp_path, monkeypatch):
    monkeypatch.setattr("twophase.infra.compute.clusters.dask.WAIT", 0.2)
    with using(Engine("dask", address=str(tmp_path / "no.json"))), pytest.raises(UserError, match="no such file"):
        parallel_map(square, [1])


def free_port():
    with contextlib.closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]
