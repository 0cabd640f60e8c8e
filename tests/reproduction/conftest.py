"""What the tests of the experiments share: the evidence of the committed results, and a pipeline that has run."""

from pathlib import Path

import pytest
from clones import PIPELINE, Project, clone

from reproduction import evidence

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module", params=["cv", "nlp"])
def each(request):
    """The evidence of each domain, read from the root of the repository."""
    before = pytest.MonkeyPatch()
    before.chdir(ROOT)
    yield evidence.load(request.param)
    before.undo()


@pytest.fixture(scope="session")
def ran(made_once):
    """A clone in which `dvc repro` of the smoke profile has run and is committed; to be read and copied only."""

    def run(folder):
        project = Project(folder / "project", folder / "store")
        clone(project.folder)
        project.git("init", "-q", "-b", "main")
        project.params()
        project.dvc("repro", *PIPELINE)
        project.git("add", "-A")
        project.git("commit", "-q", "-m", "ran")

    folder = made_once("dvc", run)
    return Project(folder / "project", folder / "store")


@pytest.fixture
def project(ran, tmp_path):
    return ran.copy(tmp_path)
