"""The wheel carries its configuration and templates: installed elsewhere it answers and composes."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder / "dist", ROOT]
    built = subprocess.run(build, capture_output=True, text=True, timeout=300)
    assert built.returncode == 0, built.stdout + built.stderr
    (wheel,) = (folder / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder


def files(folder, pattern):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob(pattern))


def run(installed, *arguments):
    elsewhere = installed / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=elsewhere,
        env=os.environ | {"PYTHONPATH": str(installed / "site")},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_it_answers_from_its_own_code(installed):
    done = run(installed, "-m", "twophase", "--help")
    assert done.returncode == 0
    assert "coarse recall" in done.stdout
    where = run(installed, "-c", "import twophase; print(twophase.__file__)")
    assert where.stdout.strip() == str(installed / "site" / "twophase" / "__init__.py")


def test_it_composes_its_own_configuration(installed):
    where = run(installed, "-c", "from twophase.infra.config import find_conf; print(find_conf())")
    assert where.stdout.strip() == str(installed / "site" / "twophase" / "conf")
    done = run(installed, "-m", "twophase", "params", "profile=smoke", "--stdout")
    assert done.returncode == 0, done.stderr
    assert "profile: smoke" in done.stdout


def test_it_holds_every_file_of_the_configuration(installed):
    assert files(installed / "site" / "twophase" / "conf", "*.yaml") == files(ROOT / "conf", "*.yaml")


def test_it_holds_every_template(installed):
    inside = Path("twophase") / "commands" / "select" / "templates"
    made, here = (folder / inside for folder in (installed / "site", ROOT / "src"))
    assert files(made, "*.*") == files(here, "*.*") != []


def test_it_holds_the_catalogue_of_published_records(installed):
    done = run(installed, "-m", "twophase", "records", "list")
    assert done.returncode == 0, done.stderr
    assert "models_tested.csv" in done.stdout


def test_it_holds_the_library_alone(installed):
    packages = {path.name for path in (installed / "site").iterdir() if not path.name.endswith(".dist-info")}
    assert packages == {"twophase"}


LIGHT = """
import sys, time
start = time.process_time()
import {module}
took = time.process_time() - start
heavy = {{"torch", "transformers", "datasets", "matplotlib", "sklearn", "numba", "hydra"}} & set(sys.modules)
print(took, *heavy)
"""


@pytest.mark.parametrize("module", ["twophase", "twophase.recall", "twophase.pipeline", "twophase.proxies"])
def test_the_algorithms_are_there_at_once_and_without_torch(installed, module):
    """In under a second of the processor's time: another process may have the machine meanwhile."""
    tries = [run(installed, "-c", LIGHT.format(module=module)).stdout.split() for _ in range(3)]
    assert [names for _, *names in tries] == [[], [], []]
    assert min(float(took) for took, *_ in tries) < 1.0
