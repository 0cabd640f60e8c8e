"""One list of packages (pyproject.toml), one of versions (constraints.txt): all else points to them."""

import itertools
import json
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
DIRECT = [Requirement(line) for line in {*PROJECT["dependencies"], *itertools.chain(*EXTRAS.values())}]
DIRECT = sorted(DIRECT, key=lambda requirement: requirement.name)
LINES = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
PINS = dict(line.split("==") for line in LINES)


def conda():
    return yaml.safe_load((ROOT / "environment.yml").read_text())


def pip_lines():
    (section,) = [entry["pip"] for entry in conda()["dependencies"] if isinstance(entry, dict)]
    return section


def test_conda_takes_the_python_of_the_package():
    conda_lines = [entry for entry in conda()["dependencies"] if isinstance(entry, str)]
    python, *others = conda_lines
    assert python.startswith("python>=")
    assert SpecifierSet(python.removeprefix("python")) == SpecifierSet(PROJECT["requires-python"])
    assert others == ["pip"]


def test_conda_installs_this_package_once_under_the_lock_and_lists_nothing_else():
    installed, locked = (f".[{','.join(sorted(extras))}]" for extras in (set(EXTRAS) - {"bench"}, EXTRAS))
    assert pip_lines() == ["-c constraints.txt", f"-e {installed}"]
    makefile = (ROOT / "Makefile").read_text()
    assert (
        makefile.count(f'"{installed}"') == 1 and makefile.count(f'"{locked}"') == 1
    )  # `make bench` installs the rest
    assert conda()["name"] == PROJECT["name"]


def test_a_codespace_installs_by_a_verb_that_there_is_on_an_allowed_python():
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    make, verb = container["postCreateCommand"].split()
    assert make == "make" and re.search(rf"^{verb}:", (ROOT / "Makefile").read_text(), re.M)
    version = re.fullmatch(r".+/python:(\d+\.\d+)-\w+", container["image"])[1]
    assert SpecifierSet(PROJECT["requires-python"]).contains(version)
    assert f"PYTHON ?= python{version}" in (ROOT / "Makefile").read_text()


@pytest.mark.parametrize("requirement", DIRECT, ids=lambda requirement: requirement.name)
def test_the_lock_pins_every_direct_dependency_within_its_range(requirement):
    pin = PINS[canonicalize_name(requirement.name)]
    assert requirement.specifier.contains(pin, prereleases=True)


def test_the_lock_is_for_every_python_of_the_package():
    (least,) = [spec.version for spec in SpecifierSet(PROJECT["requires-python"]) if spec.operator == ">="]
    here = {canonicalize_name(one.name): one for one in metadata.distributions()}
    needs = {name: here[name].metadata.get("Requires-Python") for name in PINS if name in here}
    assert len(needs) > 100
    assert [name for name, need in needs.items() if need and not SpecifierSet(need).contains(f"{least}.0")] == []


def test_the_lock_pins_exactly_sorted_and_from_nowhere_in_particular():
    for line in LINES:
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*==[0-9][0-9a-z.]*", line), line
        assert Version(line.split("==")[1]).local is None
    assert sorted(LINES) == LINES
    assert len(PINS) == len(LINES)
    assert canonicalize_name(PROJECT["name"]) not in PINS
    assert PINS["torch"] == "2.13.0"


def test_the_lock_says_how_it_is_made():
    head = (ROOT / "constraints.txt").read_text().partition("\n" + LINES[0])[0]
    assert "make lock" in head
    assert re.search(r"^lock:", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)


def test_hooks_have_the_versions_of_the_lock_and_leave_results_alone():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    revisions = {repository["repo"].rsplit("/", 1)[1]: repository["rev"] for repository in hooks["repos"]}
    assert revisions == {"ruff-pre-commit": f"v{PINS['ruff']}", "nbstripout": PINS["nbstripout"]}
    assert re.search(hooks["exclude"], "results/notebooks/01_models_cv.ipynb")
    (strip,) = [hook for repository in hooks["repos"] for hook in repository["hooks"] if hook["id"] == "nbstripout"]
    assert re.search(strip["files"], "notebooks/01_models.ipynb")


def test_citation_names_the_version_of_the_package():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert (citation["title"], str(citation["version"])) == (PROJECT["name"], PROJECT["version"])
    assert citation["license"] == PROJECT["license"]
    (paper,) = citation["references"]
    assert [author["family-names"] for author in paper["authors"]] == ["Cui", "Shi", "Tao", "Lu", "Du"]


@pytest.mark.parametrize(
    ("path", "ignored"),
    [
        ("data/cv/digits/train.parquet", True),
        ("zoo/cv/vit/model.safetensors", True),
        (".venv/bin/python", True),
        ("notebooks/.ipynb_checkpoints/01.ipynb", True),
        ("src/twophase.egg-info/PKG-INFO", True),
        ("src/twophase/sources/live/zoo/recipes.py", False),
        ("conf/recipes/cv.yaml", False),
        ("results/cv/records.csv", False),
        ("results/figures/figure_1_cv.png", False),
        ("params.yaml", False),
        ("dvc.lock", False),
    ],
)
def test_git_ignores_what_is_made_and_nothing_that_is_kept(tmp_path, path, ignored):
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / ".gitignore").write_text((ROOT / ".gitignore").read_text())
    command = ["git", "-c", "core.excludesFile=", "check-ignore", "-q", path]
    assert subprocess.run(command, cwd=tmp_path).returncode == (0 if ignored else 1)


def make(folder, *targets):
    return subprocess.run(["make", "-s", "-o", ".venv/installed", *targets], cwd=folder, capture_output=True, text=True)


def test_a_source_archive_without_git_is_one_that_dvc_works_in(tmp_path):
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copytree(ROOT / ".dvc", tmp_path / ".dvc", ignore=shutil.ignore_patterns("config.local", "cache", "tmp"))
    (tmp_path / "dvc.yaml").write_text("stages: {one: {cmd: 'true'}}\n")
    status = [sys.executable, "-m", "dvc", "stage", "list", "--names-only"]
    assert "is not a git repository" in subprocess.run(status, cwd=tmp_path, capture_output=True, text=True).stderr
    assert make(tmp_path, ".dvc/config.local").returncode == 0
    assert subprocess.run(status, cwd=tmp_path, capture_output=True, text=True).stdout.split() == ["one"]
    refused = make(tmp_path, "smoke")
    assert refused.returncode == 2 and "get it by git clone, or run make repro" in refused.stderr


def test_a_clone_keeps_its_git(tmp_path):
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / ".git").touch()  # of a worktree it is a file
    (tmp_path / ".dvc").mkdir()
    assert make(tmp_path, ".dvc/config.local").returncode == 0 and not any((tmp_path / ".dvc").iterdir())
