"""Parts run once, are kept when the run is cut short, and end in results/bench/ with their machine."""

import json
import sys
import types

import pandas as pd
import pytest

from reproduction.bench import __main__ as harness
from twophase.errors import UserError


@pytest.fixture
def parts(monkeypatch):
    """Two parts, "one" and "two", that count their runs; "two" fails as often as it is told to."""
    calls, failures = [], []

    def part(name):
        module = types.ModuleType(f"reproduction.bench.{name}_part")

        def run(settings, repeats):
            calls.append((name, dict(settings), repeats))
            if name == "two" and failures:
                raise failures.pop()
            return pd.DataFrame({"side": ["a"], "seconds": [settings["size"] / 3]})

        module.run = run
        monkeypatch.setitem(sys.modules, module.__name__, module)

    for name in ("one", "two"):
        part(name)
    monkeypatch.setattr(harness, "PARTS", {name: (name, f"{name}_part", "run") for name in ("one", "two")})
    blocks = {"one": {"repeats": 2, "size": 1}, "two": {"repeats": 1, "size": 2}}
    monkeypatch.setattr(harness, "settings", lambda overrides: blocks)
    return types.SimpleNamespace(calls=calls, failures=failures, blocks=blocks)


def run(folder, *names):
    said = []
    return harness.run(list(names), [], said.append, folder / "results", folder / "build"), said


def test_all_parts_with_their_settings_and_the_machine(parts, tmp_path):
    written, _ = run(tmp_path)
    assert [path.name for path in written] == ["one.csv", "two.csv"]
    assert parts.calls == [("one", {"size": 1}, 2), ("two", {"size": 2}, 1)]
    assert pd.read_csv(written[1])["seconds"].tolist() == pytest.approx([2 / 3], rel=1e-5)
    machine = json.loads((tmp_path / "results" / "machine.json").read_text())
    assert list(machine) == ["one", "two"]
    assert machine["one"]["cores"] >= 1 and machine["one"]["packages"]["numpy"]


@pytest.mark.parametrize("stopped_by", [KeyboardInterrupt(), UserError("no zoo")])
def test_what_is_finished_is_not_measured_again_after_a_stop(parts, tmp_path, stopped_by):
    parts.failures.append(stopped_by)
    with pytest.raises(type(stopped_by)):
        run(tmp_path)
    assert not (tmp_path / "results").exists()
    written, said = run(tmp_path)
    assert [name for name, _, _ in parts.calls] == ["one", "two", "two"]
    assert "one: kept from the run before." in said
    assert len(written) == 2
    run(tmp_path)
    assert len(parts.calls) == 5  # a whole run begins anew


def test_other_settings_are_measured_again(parts, tmp_path):
    parts.failures.append(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path)
    parts.blocks["one"]["size"] = 7
    run(tmp_path)
    assert [given["size"] for name, given, _ in parts.calls if name == "one"] == [1, 7]


def test_a_part_alone_leaves_the_others(parts, tmp_path):
    run(tmp_path)
    parts.blocks["two"]["size"] = 6
    written, _ = run(tmp_path, "two")
    assert [path.name for path in written] == ["two.csv"]
    assert pd.read_csv(tmp_path / "results" / "two.csv")["seconds"].tolist() == [2]
    assert list(json.loads((tmp_path / "results" / "machine.json").read_text())) == ["one", "two"]


def test_an_optional_part_without_its_files_is_left_out_unless_it_is_asked_for(parts, tmp_path, monkeypatch):
    monkeypatch.setattr(harness, "OPTIONAL", ("two",))
    parts.failures += [UserError("no log"), UserError("no log")]
    written, said = run(tmp_path)
    assert [path.name for path in written] == ["one.csv"]
    assert "two: left out. no log" in said
    with pytest.raises(UserError, match="no log"):
        run(tmp_path, "two")


def test_faults_are_named():
    with pytest.raises(UserError, match=r"unknown part 'proxys' \(did you mean proxies\?\)"):
        harness.run(["proxys"], [], print, None, None)
    with pytest.raises(UserError, match=r"proxies\.repeats: got 0; allowed is a whole number of at least 1"):
        harness.settings(["proxies.repeats=0"])
    with pytest.raises(UserError, match=r"unknown key 'proxies\.size'"):
        harness.settings(["proxies.size=3"])


def test_every_block_of_the_configuration_is_a_part():
    assert set(harness.settings([])) <= {block for block, *_ in harness.PARTS.values()}


def test_the_command_says_what_it_can_do_and_ends_with_2_on_a_fault(capsys):
    with pytest.raises(SystemExit) as ended:
        harness.main(["--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert all(part in said for part in harness.PARTS)
    assert harness.main(["nothing"]) == 2
    assert "unknown part 'nothing'" in capsys.readouterr().err
