import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from filelock import FileLock
from threadpoolctl import threadpool_limits

from twophase.records import TrainingRecords

ROOT = Path(__file__).resolve().parents[1]


def pytest_collection_modifyitems(items):
    """The slow files first: side by side, none is left over at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_collection_finish():
    """One thread for what this process computes. Workers run side by side, and what is computed here is tiny: a second
    thread has nothing to do but to keep a processor that another worker wants. What tests start is as it would be."""
    _compute_with(1)


def _compute_with(threads):
    threadpool_limits(threads)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)


@pytest.fixture
def two_threads():
    """For tests of what limits threads, or makes results independent of them."""
    _compute_with(2)
    yield
    _compute_with(1)


@pytest.fixture(scope="session")
def made_once(tmp_path_factory):
    """made_once(name, make): a folder that `make` has filled, once for all the processes of a run; to be read only."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base  # workers have folders side by side

    def made(name, make) -> Path:
        folder, done = shared / f"made-{name}", shared / f"made-{name}.done"
        with FileLock(shared / f"made-{name}.lock"):
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)  # what a failure left; the next test tells of it again
                folder.mkdir()
                make(folder)
                done.touch()
        return folder

    return made


@pytest.fixture(scope="session")
def published() -> Path:
    """Folder of published records: TWOPHASE_MIRROR, or `shared/records` beside the repository."""
    folder = Path(os.environ.get("TWOPHASE_MIRROR", ROOT.parent / "shared" / "records"))
    if not folder.is_dir():
        pytest.skip(f"published records are not at {folder}; set TWOPHASE_MIRROR to a local mirror")
    return folder


@pytest.fixture(scope="session")
def site(tmp_path_factory) -> Path:
    """Folder of the site of the committed results, made without a warning: a link or picture that leads nowhere is one."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "-b", "html", "-c", ROOT / "docs"]
    done = subprocess.run(
        [*command, "-d", tmp_path_factory.mktemp("trees"), ROOT, folder], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    return folder


@pytest.fixture
def records() -> TrainingRecords:
    """Three models, two benchmark datasets and one target, two epochs; every number chosen by hand."""
    cells = {
        ("a", "x"): ([0.50, 0.60], 0.62), ("a", "y"): ([0.70, 0.80], 0.78), ("a", "t"): ([0.40, 0.50], 0.52),
        ("b", "x"): ([0.40, 0.50], 0.50), ("b", "y"): ([0.80, 0.90], 0.90), ("b", "t"): ([0.45, 0.60], 0.58),
        ("c", "x"): ([0.10, 0.20], 0.22), ("c", "y"): ([0.30, 0.30], 0.30), ("c", "t"): ([0.20, 0.30], 0.28),
    }  # fmt: skip
    rows = [
        {"model": m, "dataset": d, "role": "target" if d == "t" else "benchmark", "seed": 0, "epoch": e, "val": v,
         "test": test if e == 2 else None, "seconds": 1.0}
        for (m, d), (curve, test) in cells.items() for e, v in enumerate(curve, 1)
    ]  # fmt: skip
    return TrainingRecords.from_frame(pd.DataFrame(rows))
