"""Files and folders that are there whole or not at all, what is kept and found damaged, and who holds a folder."""

import os
import subprocess
import sys

import pytest

from twophase.errors import UserError
from twophase.infra import files, locks


def test_a_folder_is_replaced_whole_or_not_at_all(tmp_path):
    folder = tmp_path / "model"
    for content in ("first", "second"):
        with files.replacing_folder(folder) as new:
            (new / "inside").mkdir()
            (new / "inside" / content).write_text(content)
    with pytest.raises(ZeroDivisionError), files.replacing_folder(folder) as new:
        (new / "third").touch()
        raise ZeroDivisionError
    assert [path.relative_to(tmp_path).as_posix() for path in sorted(tmp_path.rglob("*"))] == [
        "model", "model/inside", "model/inside/second"
    ]  # fmt: skip


def test_a_kill_between_two_renames_loses_nothing(tmp_path):
    """`kill -9` after the old folder stepped aside and before the new one took its place."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "old").touch()
    program = (
        "import os, sys; from pathlib import Path; from twophase.infra import files\n"
        "honest = Path.rename\n"
        "def rename(self, target):\n"
        "    os.kill(os.getpid(), 9) if self.name == 'new' else honest(self, target)\n"
        "Path.rename = rename\n"
        "with files.replacing_folder(sys.argv[1]) as new: (new / 'second').touch()\n"
    )
    assert subprocess.run([sys.executable, "-c", program, folder]).returncode == -9
    assert not folder.exists()
    files.tidy(tmp_path)
    assert [path.relative_to(tmp_path).as_posix() for path in sorted(tmp_path.rglob("*"))] == ["model", "model/old"]


def test_a_folder_that_cannot_take_its_place_leaves_the_old_one(tmp_path, monkeypatch):
    folder, honest = tmp_path / "model", files.Path.rename
    folder.mkdir()
    (folder / "old").touch()

    def rename(self, target):
        if self.name == "new":
            raise PermissionError(13, "no")
        return honest(self, target)

    monkeypatch.setattr(files.Path, "rename", rename)
    with pytest.raises(PermissionError), files.replacing_folder(folder) as new:
        (new / "new").touch()
    assert [path.name for path in tmp_path.rglob("*")] == ["model", "old"]


def test_what_is_behind_a_link_is_not_replaced(tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "mine").touch()
    (tmp_path / "model").symlink_to(tmp_path / "outside")
    with files.replacing_folder(tmp_path / "model") as new:
        (new / "ours").touch()
    assert (tmp_path / "outside" / "mine").exists() and [p.name for p in (tmp_path / "model").iterdir()] == ["ours"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "Expecting value"),
        (b"[1]", "Input should be a valid dictionary"),
        (b'{"a": {}}', "a: Input should be a valid string"),
        (b"\xff\xfe\xff", "decode"),
        (b"[" * 200_000, "recursion"),
        (b'{"a": ' + b"9" * 5000 + b"}", "integer string conversion"),
        (None, "it is no file"),
    ],
)
def test_a_damaged_file_is_named_with_the_reason_and_the_remedy(tmp_path, content, reason):
    path = tmp_path / "kept.json"
    os.mkfifo(path) if content is None else path.write_bytes(content)
    with pytest.raises(UserError, match=rf"kept.json is damaged \(.*{reason}.*\); delete it.$"):
        files.read_json(path, dict[str, str], "delete it")


HOLDER = """
import sys, time
from pathlib import Path
from twophase.infra.locks import held
with held(Path(sys.argv[1]) / ".lock"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_who_holds_a_folder_is_named_and_a_killed_holder_does_not(tmp_path):
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, tmp_path, "two words"], stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "held\n"
    said = rf"^runs/a is in use by process {holder.pid} on \S+ \(-c {tmp_path} 'two words'\): wait for it .*; give out=…\.$"
    with pytest.raises(UserError, match=said), locks.held(tmp_path / ".lock", "runs/a", "give out=…"):
        pass
    holder.kill()
    holder.communicate()
    with locks.held(tmp_path / ".lock", "runs/a", "give out=…"):
        assert locks.holder(tmp_path / ".lock").pid == os.getpid()
