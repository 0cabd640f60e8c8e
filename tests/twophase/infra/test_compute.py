"""The parallel map: order, failures, killed workers, a killed parent."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest
from mapped import (
    always_killed,
    grown,
    hears_ctrl_c,
    interrupts,
    killed_once,
    loaded,
    odd_fails,
    panics,
    product,
    square,
    threads,
)

from twophase.errors import UserError
from twophase.infra.compute import Engine, Failure, apart, parallel_map, spreads, stop, using, warm, width, worker_count
from twophase.infra.compute.worker import KILLED


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_results_keep_the_order_of_the_items(workers):
    seen = []
    results = parallel_map(square, range(8), workers, on_result=lambda *pair: seen.append(pair))
    assert results == [0, 1, 4, 9, 16, 25, 36, 49]
    assert sorted(seen) == [(n, n * n) for n in range(8)]


def test_no_items():
    assert parallel_map(square, [], 2) == []


def test_where_there_is_one_item_or_one_worker_this_process_computes():
    for engine, width_ in (
        (Engine("serial", workers=3), 1),
        (Engine("local", workers=3), 3),
        (Engine("local", workers=1), 1),
    ):
        with using(engine):
            assert (width(), spreads(1), spreads(2)) == (width_, False, width_ > 1)


def test_one_item_that_is_computed_apart_may_end_its_process(monkeypatch):
    monkeypatch.setenv("TWOPHASE_WORKERS", "2")
    with apart():
        assert spreads(1)
        assert parallel_map(always_killed, [1]) == [Failure(KILLED)]
    assert not spreads(1)


def test_a_panic_of_a_library_is_a_failure_and_ctrl_c_is_none():
    assert parallel_map(panics, [None], 1) == [Failure("Panic: no entry found for key")]
    with pytest.raises(KeyboardInterrupt):
        parallel_map(interrupts, [None], 1)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"engine": "slurm"}, "unknown compute.engine 'slurm'"),
        ({"engine": "local", "address": "auto"}, "joins no cluster"),
        ({"engine": "dask", "cpus_per_task": 2.0}, "start fewer workers"),
        ({"engine": "local", "gpus_per_task": 0.5}, "hands out no GPUs"),
        ({"engine": "ray", "gpus_per_task": -1.0}, "got -1; allowed is at least 0"),
    ],
)
def test_what_an_engine_cannot_do_is_the_users_to_mend(keys, said):
    with pytest.raises(UserError, match=said):
        Engine(**keys)


@pytest.mark.parametrize("workers", [1, 2])
def test_an_exception_is_a_failure_of_its_item_alone(workers):
    results = parallel_map(odd_fails, [0, 1, 2], workers)
    assert results == [0, Failure("ValueError: 1 is odd"), 2]


def test_what_cannot_travel_is_a_failure():
    results = parallel_map(square, [3, lambda: None], 2)
    assert results[0] == 9
    assert isinstance(results[1], Failure)


@pytest.mark.usefixtures("two_threads")
def test_the_bits_do_not_depend_on_the_number_of_workers():
    assert parallel_map(product, range(4), 1) == parallel_map(product, range(4), 2)


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("workers", [1, 2])
def test_each_item_computes_with_one_thread(workers):
    import torch

    before = torch.get_num_threads(), os.environ.get("OMP_NUM_THREADS")
    assert parallel_map(threads, [0, 1], workers) == [(1, 1), (1, 1)]
    assert (torch.get_num_threads(), os.environ.get("OMP_NUM_THREADS")) == before


def test_a_killed_workers_items_are_submitted_again(tmp_path):
    results = parallel_map(killed_once, [(number, tmp_path) for number in range(6)], 2)
    assert results == [0, 10, 20, 30, 40, 50]


@pytest.mark.parametrize("workers", [2, 5])
def test_an_item_that_always_kills_its_worker_is_given_up_and_harms_no_other(workers):
    results = parallel_map(always_killed, range(5), workers)
    assert isinstance(results[1], Failure)
    assert "killed" in results[1].reason
    assert [results[n] for n in (0, 2, 3, 4)] == [0, 2, 3, 4]


PARENT = """
import time
from twophase.infra.compute import parallel_map
if __name__ == "__main__":
    print("start", flush=True)
    parallel_map(time.sleep, [60] * 4, 2)
"""


def workers_of(process, count):
    """The workers that ``process`` started (a resource tracker runs beside them)."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = [c for c in psutil.Process(process.pid).children() if "popen_loky" in " ".join(c.cmdline())]
        if len(found) == count:
            return found
        time.sleep(0.1)
    raise AssertionError(f"{count} workers expected")


def test_workers_die_with_a_killed_parent(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    process = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE)
    workers = workers_of(process, 2)
    process.kill()
    process.wait()
    process.stdout.close()
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert alive == []


@pytest.mark.alone
def test_ctrl_c_ends_the_map_at_once(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    process = subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=hears_ctrl_c
    )
    workers = workers_of(process, 2)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=15)
    assert "KeyboardInterrupt" in errors
    assert psutil.wait_procs(workers, timeout=10)[1] == []


LAUNCHED = """
import time
from twophase.infra.compute import die_with_launcher
die_with_launcher()
print("ready", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("shell", [False, True])
def test_a_stage_dies_with_its_launcher(tmp_path, shell):
    script = tmp_path / "stage.py"
    script.write_text(LAUNCHED)
    command = ["sh", "-c", f"{sys.executable} {script}; true"] if shell else [sys.executable, str(script)]
    launcher = f"import subprocess; subprocess.run({command!r})"
    process = subprocess.Popen([sys.executable, "-c", launcher], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    stage = [c for c in psutil.Process(process.pid).children(recursive=True) if str(script) in c.cmdline()]
    assert len(stage) == 1
    process.kill()
    process.wait()
    process.stdout.close()
    assert psutil.wait_procs(stage, timeout=10)[1] == []


def test_the_number_of_workers(monkeypatch):
    monkeypatch.setenv("TWOPHASE_WORKERS", "3")
    assert worker_count() == 3
    assert worker_count(2) == 2
    monkeypatch.setenv("TWOPHASE_WORKERS", "many")
    with pytest.raises(UserError, match="many"):
        worker_count()
    with pytest.raises(UserError, match="at least 1"):
        worker_count(0)
    monkeypatch.delenv("TWOPHASE_WORKERS")
    assert 1 <= worker_count() <= os.cpu_count()


def test_workers_started_ahead_have_imported_when_the_map_begins(monkeypatch):
    monkeypatch.setenv("TWOPHASE_WORKERS", "2")
    warm("wave")
    assert any(parallel_map(loaded, ["wave"] * 4)) and "wave" not in sys.modules


def test_a_worker_that_keeps_much_is_not_replaced():
    """A model and its libraries are more than what loky takes for a leak; a new worker would import them again."""
    assert len(set(parallel_map(grown, [1, 1, 400, 400, 1, 1], 2))) == 2


def test_workers_end_at_once_when_told_and_others_take_their_place():
    first = set(parallel_map(grown, [1, 1], 2))
    stop()
    assert not any(psutil.pid_exists(pid) for pid in first)
    assert not first & set(parallel_map(grown, [1, 1], 2))
    stop()
    stop()
