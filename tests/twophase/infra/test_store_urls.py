"""The cell store under a URL: what is true of a folder holds there too, whatever is interrupted or damaged."""

import json
import subprocess
import sys
from pathlib import Path

import fsspec
import pytest

from twophase.errors import UserError
from twophase.infra.store import MARKER, Store, cache_folder

KEY = {"model": "abc", "config": {"epochs": 4, "learning_rate": 1e-3}, "seed": 0}
OTHER = KEY | {"seed": 1}


@pytest.fixture(params=["memory", "file"])
def url(request, tmp_path, monkeypatch):
    """A URL that TWOPHASE_CACHE names; the platform's cache folder lies inside the test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "platform"))
    place = f"memory://{tmp_path.name}/store" if request.param == "memory" else f"file://{tmp_path}/shared/store"
    monkeypatch.setenv("TWOPHASE_CACHE", place)
    return place


def fill(folder):
    (folder / "weights").mkdir()
    (folder / "weights" / "model.bin").write_bytes(b"12345")
    (folder / "config.json").write_text("{}")


def there(url):
    """Path below the URL -> size, of all that lies there."""
    files, base = fsspec.url_to_fs(url)
    return {path.removeprefix(base): facts["size"] for path, facts in files.find(base, detail=True).items()}


def test_values(url):
    store = Store()
    assert store.root == url
    assert store.get("cells", KEY) is None
    store.put("cells", KEY, [{"val": 0.1 + 0.2, "test": None}])
    assert Store(url).get("cells", KEY) == [{"val": 0.1 + 0.2, "test": None}]
    assert store.get("cells", OTHER) is None
    store.put("cells", KEY, 2)
    assert store.get("cells", KEY) == 2
    assert len(there(url)) == 1


@pytest.mark.parametrize("damage", [b"", b'{"key": {}, "value": 1}', b"\xff\xfe", b'{"value": [1'])
def test_a_damaged_value_counts_as_missing_and_is_replaced(url, damage):
    store = Store()
    store.put("cells", KEY, 1)
    with fsspec.open(f"{store.path('cells', KEY)}.json", "wb") as file:
        file.write(damage)
    assert store.get("cells", KEY) is None
    store.put("cells", KEY, 2)
    assert store.get("cells", KEY) == 2


def test_a_folder_is_copied_to_this_machine_once(url):
    kept = Store().put_folder("models", KEY, fill)
    assert cache_folder() in kept.parents
    assert (kept / "weights" / "model.bin").read_bytes() == b"12345"
    changed = kept.stat().st_mtime_ns
    assert Store().get_folder("models", KEY) == kept
    assert Store().put_folder("models", KEY, lambda folder: pytest.fail("it is there")) == kept
    assert kept.stat().st_mtime_ns == changed
    assert Store().get_folder("models", OTHER) is None


def test_another_machine_reads_the_folder(url, tmp_path, monkeypatch):
    first = Store().put_folder("models", KEY, fill)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another"))
    second = Store().get_folder("models", KEY)
    assert second != first
    Store().export(second, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").rglob("*") if path.is_file()) == ["config.json", "model.bin"]


@pytest.mark.parametrize("harm", ["truncate", "remove", "marker", "../../../escaped", "{tmp_path}/escaped"])
def test_a_damaged_folder_counts_as_missing_and_is_replaced(url, tmp_path, monkeypatch, harm):
    store = Store()
    store.put_folder("models", KEY, fill)
    files, base = fsspec.url_to_fs(url)
    (weights,) = [path for path in files.find(base) if path.endswith("model.bin")]
    (marker,) = [path for path in files.find(base) if path.endswith(MARKER)]
    if harm == "truncate":
        files.pipe_file(weights, b"123")
    elif harm == "remove":
        files.rm_file(weights)
    elif harm == "marker":
        files.pipe_file(marker, b'{"files": {')
    else:
        listed = json.loads(files.cat_file(marker))
        listed["files"][harm.format(tmp_path=tmp_path)] = "0"
        files.pipe_file(marker, json.dumps(listed).encode())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another"))
    assert store.get_folder("models", KEY) is None or harm in (
        "truncate",
        "remove",
    )  # of which this machine has its copy
    assert Store().get_folder("models", KEY) is None
    assert not list(tmp_path.rglob("escaped"))
    kept = Store().put_folder("models", KEY, fill)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "third"))
    assert (Store().get_folder("models", KEY) / "weights" / "model.bin").read_bytes() == b"12345"
    assert kept.is_dir()


@pytest.mark.parametrize("after", [0, 1, 2])
def test_an_interrupted_put_leaves_nothing_that_can_be_read(url, tmp_path, monkeypatch, after):
    """The put of a folder's files stops after so many; a half file stays where the place can have one."""
    files, _ = fsspec.url_to_fs(url)
    whole, done = type(files).pipe_file, []

    def stops(self, path, value, **options):
        if len(done) == after:
            whole(self, path, value[: len(value) // 2], **options)
            raise KeyboardInterrupt
        done.append(path)
        whole(self, path, value, **options)

    monkeypatch.setattr(type(files), "pipe_file", stops)
    with pytest.raises(KeyboardInterrupt):
        Store().put_folder("models", KEY, fill)
    done = ["nothing"] * after
    with pytest.raises(KeyboardInterrupt):
        Store().put("cells", KEY, 1)
    monkeypatch.undo()
    monkeypatch.setenv("TWOPHASE_CACHE", url)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another"))
    assert Store().get_folder("models", KEY) is None
    assert Store().get("cells", KEY) is None
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "platform"))
    assert Store().put_folder("models", KEY, lambda folder: pytest.fail("it was built")).is_dir()
    Store().clear()
    Store().put("cells", KEY, 2)
    assert (Store().put_folder("models", KEY, fill) / "config.json").is_file()
    assert (Store().get("cells", KEY), Store().get_folder("models", KEY) is None) == (2, False)


def test_a_build_that_fails_keeps_nothing(url):
    def fail(folder):
        (folder / "half").touch()
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        Store().put_folder("models", KEY, fail)
    assert there(url) == {}
    assert Store().get_folder("models", KEY) is None


def test_clear_removes_entries_and_nothing_else(url):
    store = Store()
    assert store.size() == (0, 0)
    store.put("cells", KEY, 1)
    copy = store.put_folder("models", KEY, fill)
    with fsspec.open(f"{url}/thesis.tex", "w") as file:
        file.write("mine")
    number, size = store.size()
    assert (number, size) == (4, sum(there(url).values()) - 4)
    store.clear()
    assert list(there(url)) == ["/thesis.tex"]
    assert store.size() == (0, 0)
    assert (store.get("cells", KEY), store.get_folder("models", KEY), copy.exists()) == (None, None, False)


def test_nobody_holds_a_url(url):
    with Store().lock("cells", [1], "one"), Store().lock("cells", [1], "two"):
        pass


def test_what_is_of_use_on_this_machine_alone_lies_in_the_platforms_folder(url, tmp_path):
    assert cache_folder() == tmp_path / "platform" / "twophase"


def test_clean_and_doctor_know_a_url(url, capsys):
    from twophase.__main__ import main

    Store().put("cells", KEY, 1)
    assert main(["clean", "--yes"]) == 0
    assert f"removed 1 files (0.0 MB) from {url}" in capsys.readouterr().out
    main(["doctor"])
    assert f"cell store: {url}, 0 files" in capsys.readouterr().out
    assert there(url) == {}


@pytest.mark.parametrize(
    ("place", "said"),
    [("s3://bucket/cells", "install"), ("nowhere://here", "s3://bucket/prefix"), ("file:///proc/cells", "cannot be written")],
)  # fmt: skip
def test_a_place_that_cannot_be_used_is_the_users_to_mend(place, said, monkeypatch):
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.setenv("TWOPHASE_CACHE", place)
    with pytest.raises(UserError, match=said) as error:
        Store().put("cells", KEY, 1)
    assert place in str(error.value) and "TWOPHASE_CACHE" in str(error.value)


def test_a_place_that_does_not_answer_is_no_empty_store(monkeypatch):
    """Else everything would be computed again before the first put fails."""
    from fsspec.implementations.memory import MemoryFileSystem

    def fails(self, path, *given, **options):
        raise ConnectionError("no route")

    monkeypatch.setattr(MemoryFileSystem, "cat_file", fails)
    with pytest.raises(UserError, match=r"cannot be read \(ConnectionError: no route\)"):
        Store("memory://far").get("cells", KEY)


WRITER = """
import sys
from twophase.infra.store import Store
store = Store(sys.argv[1])
store.put_folder("models", {"m": 1}, lambda folder: (folder / "from").write_text(sys.argv[2]))
print(store.get_folder("models", {"m": 1}) / "from")
"""


def test_processes_that_put_the_same_folder_leave_a_whole_one(tmp_path, monkeypatch):
    monkeypatch.delenv("TWOPHASE_CACHE", raising=False)
    url = f"file://{tmp_path}/shared"
    writers = []
    for number in "012":
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / number))
        command = [sys.executable, "-c", WRITER, url, number * 1000]
        writers.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
    for writer in writers:
        assert Path(writer.communicate(timeout=60)[0].strip()).read_text() in ("0" * 1000, "1" * 1000, "2" * 1000)
        assert writer.returncode == 0
