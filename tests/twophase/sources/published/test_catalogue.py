import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from twophase.errors import UserError
from twophase.infra.files import digest
from twophase.sources.published import READERS
from twophase.sources.published.catalogue import catalogue, find, get, kept

ROOT = Path(__file__).parents[4]


def files(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def test_entries_are_pinned_and_every_source_has_a_reader():
    entries = catalogue()
    assert {entry.source for entry in entries} == set(READERS)
    for entry in entries:
        assert re.fullmatch("[0-9a-f]{64}", entry.sha256) and re.fullmatch("[0-9a-f]{40}", entry.commit)
        assert entry.bytes > 0 and entry.licence and entry.commit in entry.address


def test_no_file_of_the_catalogue_is_part_of_the_repository():
    sizes = {entry.bytes: entry for entry in catalogue()}
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()

    for name in filter(None, tracked.split("\0")):
        path = ROOT / name
        if path.is_file() and (entry := sizes.get(path.stat().st_size)):
            assert digest(path) != entry.sha256


def test_a_file_is_downloaded_once(server, entry, tmp_path, capfd):
    path = get(entry)
    assert path == tmp_path / "cache" / "records" / "scaling-law" / "flan.csv"
    assert path.read_bytes() == server.content and kept(entry)
    assert "100%" in capfd.readouterr().err  # the progress bar
    assert get(entry) == path and len(server.requests) == 1
    assert server.requests == [f"/{entry.repository}/{entry.commit}/{entry.path}"]


@pytest.mark.parametrize(
    ("behave", "message"),
    [
        ("missing", "the server answers 404 Not Found"),
        ("broken", "the server answers 500"),
        ("changed", "what came is not the file of the catalogue"),
        ("stalls", "the server sent nothing for 1 seconds"),
        ("breaks off", "the connection broke in the middle|sent nothing"),
    ],
)
def test_what_goes_wrong_is_said_and_leaves_nothing(server, entry, tmp_path, behave, message):
    other = replace(entry, file="other.csv")
    get(other, progress=False)
    server.behave = behave
    with pytest.raises(UserError, match=message) as raised:
        get(entry, progress=False)
    assert "scaling-law/flan.csv" in str(raised.value) and "TWOPHASE_MIRROR" in str(raised.value)
    assert files(tmp_path / "cache") == [tmp_path / "cache" / "records" / "scaling-law" / "other.csv"]
    server.behave = "well"
    assert get(entry, progress=False).read_bytes() == server.content
    before = len(server.requests)
    get(other, progress=False)
    assert len(server.requests) == before  # what came before the fault is not fetched again


def test_a_damaged_file_in_the_cache_is_fetched_again(server, entry):
    path = get(entry, progress=False)
    path.write_bytes(server.content[:100])
    assert not kept(entry)
    assert get(entry, progress=False).read_bytes() == server.content and len(server.requests) == 2


def test_no_server_at_all(server, entry, monkeypatch):
    monkeypatch.setenv("TWOPHASE_RECORDS_ADDRESS", "http://127.0.0.1:9/{path}")
    with pytest.raises(UserError, match="the server cannot be reached"):
        get(entry, progress=False)


def test_a_mirror_is_read_and_checked(server, entry, monkeypatch, tmp_path):
    file = tmp_path / "mirror" / "scaling-law" / "flan.csv"
    with pytest.raises(UserError, match=r"flan\.csv does not exist; the mirror must hold scaling-law/flan\.csv"):
        get(entry, tmp_path / "mirror")
    file.parent.mkdir(parents=True)
    file.write_bytes(server.content)
    assert get(entry, tmp_path / "mirror") == file
    file.write_bytes(server.content[:-4])
    with pytest.raises(
        UserError, match=f"is not the file of the catalogue .3996 bytes.*must have {len(server.content)} bytes"
    ):
        get(entry, tmp_path / "mirror")
    file.write_bytes(server.content)
    monkeypatch.setenv("TWOPHASE_MIRROR", str(tmp_path / "mirror"))
    assert get(entry, tmp_path / "elsewhere") == file  # the variable goes before the configuration
    assert server.requests == []


def test_unknown_names_are_answered_with_the_known_ones():
    with pytest.raises(UserError, match="unknown records 'scaling'; allowed: two-phase-selection, model-recycling"):
        catalogue("scaling")
    with pytest.raises(UserError, match=r"scaling-law has no file 'x.csv'; allowed: flan\.csv"):
        find("scaling-law", "x.csv")


def run(*arguments, **environment):
    import os

    kept_environment = {k: v for k, v in os.environ.items() if k != "TWOPHASE_MIRROR"} | environment
    command = [sys.executable, "-m", "twophase", "records", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=kept_environment, cwd=ROOT)


def test_records_list_says_what_is_here(tmp_path):
    done = run("list", "scaling-law", TWOPHASE_CACHE=str(tmp_path))
    assert done.returncode == 0 and done.stdout.count("scaling-law") == 3 and "Apache-2.0" in done.stdout
    assert [line.split()[-1] for line in done.stdout.splitlines()] == ["here", "no", "no", "no"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["get", "scaling"], "unknown records 'scaling'"),
        (["get", "scaling-law", "published.mirror=/nowhere"], "/nowhere/scaling-law/flan.csv does not exist"),
        (["get", "published.miror=x"], "unknown key 'published.miror'"),
        (["fetch"], "invalid choice: 'fetch'"),
    ],
)
def test_records_complain_in_one_line(arguments, message, tmp_path):
    done = run(*arguments, TWOPHASE_CACHE=str(tmp_path))
    assert done.returncode == 2 and message in done.stderr and len(done.stderr.splitlines()) == 1


def test_records_get_prints_paths_and_the_account(published):
    done = run("get", "scaling-law", "two-phase-selection", f"published.mirror={published}")
    assert done.returncode == 0
    assert f"{published}/scaling-law/wmt19.csv" in done.stdout
    assert (
        "scaling-law: 30 models, 3 datasets" in done.stdout
        and "two-phase-selection: 39 models, 21 datasets" in done.stdout
    )
