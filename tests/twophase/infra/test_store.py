"""The cell store: whole entries or none, one holder at a time."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from twophase.errors import UserError
from twophase.infra.compute import Engine, using
from twophase.infra.store import MARKER, Store, cache_folder, digest
from twophase.training.stored import through_store

KEY = {"model": "abc", "config": {"epochs": 4, "learning_rate": 1e-3}, "seed": 0}


def test_a_value_comes_back_under_its_key_only(tmp_path):
    store = Store(tmp_path)
    assert store.get("cells", KEY) is None
    store.put("cells", KEY, [{"epoch": 1, "val": 0.1 + 0.2, "test": None}])
    assert store.get("cells", KEY) == [{"epoch": 1, "val": 0.1 + 0.2, "test": None}]
    assert store.get("cells", KEY | {"seed": 1}) is None
    assert store.get("proxies", KEY) is None


def test_the_key_is_canonical():
    assert digest({"a": 1, "b": [1, 2]}) == digest({"b": [1, 2], "a": 1})
    assert digest({"a": 1}) != digest({"a": 1.5})
    with pytest.raises(TypeError):
        digest({"a": object()})


@pytest.mark.parametrize("damage", [b"", b'{"key": {}, "value": 1}', b"\xff\xfe", b'{"value": [1'])
def test_a_damaged_value_counts_as_missing_and_is_replaced(tmp_path, damage):
    store = Store(tmp_path)
    store.put("cells", KEY, 1)
    store.path("cells", KEY).with_suffix(".json").write_bytes(damage)
    assert store.get("cells", KEY) is None
    store.put("cells", KEY, 2)
    assert store.get("cells", KEY) == 2


def test_a_failed_write_leaves_no_entry_and_no_litter(tmp_path):
    store = Store(tmp_path)
    with pytest.raises(TypeError):
        store.put("cells", KEY, object())
    assert store.get("cells", KEY) is None
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def fill(folder):
    (folder / "weights").mkdir()
    (folder / "weights" / "model.bin").write_bytes(b"12345")
    (folder / "config.json").write_text("{}")


def test_a_folder_comes_back_whole(tmp_path):
    store = Store(tmp_path)
    assert store.get_folder("models", KEY) is None
    kept = store.put_folder("models", KEY, fill)
    assert store.get_folder("models", KEY) == kept
    store.export(kept, tmp_path / "out" / "model")
    exported = sorted(path.name for path in (tmp_path / "out" / "model").rglob("*") if path.is_file())
    assert exported == ["config.json", "model.bin"]


@pytest.mark.parametrize("harm", ["truncate", "remove", "add", "marker"])
def test_a_damaged_folder_counts_as_missing_and_is_replaced(tmp_path, harm):
    store = Store(tmp_path)
    kept = store.put_folder("models", KEY, fill)
    if harm == "truncate":
        (kept / "weights" / "model.bin").write_bytes(b"123")
    elif harm == "remove":
        (kept / "config.json").unlink()
    elif harm == "add":
        (kept / "more").touch()
    else:
        (kept / MARKER).write_text("{")
    assert store.get_folder("models", KEY) is None
    assert store.put_folder("models", KEY, fill) == store.get_folder("models", KEY)


def test_a_build_that_fails_keeps_nothing(tmp_path):
    def fail(folder):
        (folder / "half").touch()
        raise RuntimeError("no")

    store = Store(tmp_path)
    with pytest.raises(RuntimeError):
        store.put_folder("models", KEY, fail)
    assert store.get_folder("models", KEY) is None
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


HOLDER = """
import sys, time
from twophase.infra.store import Store
with Store(sys.argv[1]).lock("cells", [1, 2], "test"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process, which holds the entries 1 and 2."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER, tmp_path], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_held_entries_name_their_holder_and_the_remedy(tmp_path, holder, capsys):
    with pytest.raises(UserError) as error, Store(tmp_path).lock("cells", [2, 1], "records", wait=0.3):
        pass
    assert f"process {holder.pid} on " in str(error.value)
    assert "TWOPHASE_CACHE" in str(error.value)
    assert f"records waits for process {holder.pid}" in capsys.readouterr().err


def test_other_entries_are_held_at_once(tmp_path, holder, capsys):
    with Store(tmp_path).lock("cells", [1, 3, 2, 4], "records") as free:
        assert free == [1, 3]
    with Store(tmp_path).lock("proxies", [1, 2], "proxies") as free:
        assert free == [0, 1]
    assert capsys.readouterr().err == ""


def test_what_another_run_computes_is_read_when_it_is_done_and_the_rest_is_computed_meanwhile(tmp_path, holder):
    computed = []

    def compute(item):
        computed.append(item)
        if item == 3:  # the other is done
            Store(tmp_path).put("cells", 1, "theirs")
            os.kill(holder.pid, signal.SIGKILL)  # before it has come to 2
        return f"ours {item}"

    with using(Engine("serial")):
        values = through_store(Store(tmp_path), "cells", [1, 2, 3], compute, [1, 2, 3], "records", progress=False)
    assert values == ["theirs", "ours 2", "ours 3"] and computed == [3, 2]


def test_the_entries_of_a_killed_process_are_taken_over(tmp_path, holder):
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    start = time.monotonic()
    with Store(tmp_path).lock("cells", [1], "records", wait=10) as free:
        (note,) = (tmp_path / "locks").glob("*.json")
        assert free == [0] and json.loads(note.read_text())["pid"] == os.getpid()
    assert time.monotonic() - start < 5
    assert [path.name for path in (tmp_path / "locks").iterdir()] == ["store.lock"]


def test_clear_waits_for_what_is_held(tmp_path, holder, monkeypatch):
    Store(tmp_path).put("cells", 3, "kept")
    monkeypatch.setattr("twophase.infra.store.local.WAIT", 0.3)
    with pytest.raises(UserError, match=f"in use by process {holder.pid} on "):
        Store(tmp_path).clear()
    assert Store(tmp_path).get("cells", 3) == "kept"


def test_clear_removes_every_entry(tmp_path):
    store = Store(tmp_path)
    store.put("cells", KEY, 1)
    store.put_folder("models", KEY, fill)
    store.clear()
    assert store.get("cells", KEY) is None
    assert store.get_folder("models", KEY) is None


FOREIGN = [
    "notes.txt", "photos/1.png", "cells/mine.json", "cells/ab/mine.json", f"cas/ab/{'0' * 64}", f"data/ab/{'0' * 64}/mine",
    "hub/models--org--name/refs/main", "live/added/cv/models/mine-12345678/config.json", "live/added/cv/records/mine.csv",
    "live/mine-12345678/mine", "matrix/tasks/mine-123456789012/mine", "records/model-recycling/results.csv",
]  # fmt: skip
OURS = [
    f"cells/ab/{'1' * 64}.json", f"models/ab/{'1' * 64}/{MARKER}", "models/ab/.new-x1_/half", f"parts/{'1' * 64}/a",
    "hub/datasets--org--name/.lock", "live/smoke-12345678/data/cv/a", "matrix/tasks/a-123456789012/task.json",
    f"matrix/checkpoints/{'1' * 16}/run.json", f"fetched/{'1' * 16}/models/ab/{'1' * 64}/{MARKER}",
]  # fmt: skip


def test_clear_removes_what_this_program_wrote_and_nothing_behind_a_link(tmp_path):
    root, outside = tmp_path / "store", tmp_path / "outside"
    for name in FOREIGN + OURS:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    (outside / "ab").mkdir(parents=True)
    (outside / "ab" / f"{'2' * 64}.json").write_text("outside")
    (root / "proxies").symlink_to(outside)
    (root / "cells" / "cd").symlink_to(outside / "ab")
    (root / "models" / "ab" / f"{'3' * 64}").symlink_to(outside)
    store = Store(root)
    assert store.size() == (len(OURS), sum(map(len, OURS)))
    there = {name.partition("/")[0] for name in FOREIGN} | {"proxies", "models"}
    assert store.clear() == sorted(there)
    kept = {
        path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file() and "ab/22" not in str(path)
    }
    assert kept - {"locks/store.lock"} == set(FOREIGN)
    assert (outside / "ab" / f"{'2' * 64}.json").read_text() == "outside"
    assert store.size() == (0, 0)


def test_the_folder_is_named_by_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("TWOPHASE_CACHE", str(tmp_path / "here"))
    assert cache_folder() == tmp_path / "here"
    monkeypatch.delenv("TWOPHASE_CACHE")
    assert cache_folder().name == "twophase"


def test_a_store_that_cannot_be_written_is_the_users_to_mend(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="TWOPHASE_CACHE"):
        Store(tmp_path / "file").put("cells", KEY, 1)
