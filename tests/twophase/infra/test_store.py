"""The cell store: whole entries or none, one holder at a time."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from twophase.errors import UserError
from twophase.infra.store import MARKER, Store, cache_folder, digest

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
with Store(sys.argv[1]).lock("test"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", HOLDER, tmp_path], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_held_store_names_its_holder_and_the_remedy(tmp_path, holder, capsys):
    with pytest.raises(UserError) as error, Store(tmp_path).lock("records", wait=0.3):
        pass
    assert f"process {holder.pid} on " in str(error.value)
    assert "TWOPHASE_CACHE" in str(error.value)
    assert f"records waits for process {holder.pid}" in capsys.readouterr().err


def test_the_lock_of_a_killed_process_is_taken_over(tmp_path, holder):
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    start = time.monotonic()
    with Store(tmp_path).lock("records", wait=10):
        held = json.loads((tmp_path / "locks" / "holder.json").read_text())
    assert held["pid"] == os.getpid()
    assert time.monotonic() - start < 5


def test_clear_removes_every_entry(tmp_path):
    store = Store(tmp_path)
    store.put("cells", KEY, 1)
    store.put_folder("models", KEY, fill)
    store.clear()
    assert store.get("cells", KEY) is None
    assert store.get_folder("models", KEY) is None


def test_the_folder_is_named_by_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("TWOPHASE_CACHE", str(tmp_path / "here"))
    assert cache_folder() == tmp_path / "here"
    monkeypatch.delenv("TWOPHASE_CACHE")
    assert cache_folder().name == "twophase"


def test_a_store_that_cannot_be_written_is_the_users_to_mend(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="TWOPHASE_CACHE"):
        Store(tmp_path / "file").put("cells", KEY, 1)
