"""The page on clusters: its keys exist, its engines are all there, and its program for Slurm asks for what it says."""

import re
import shlex
import signal
from pathlib import Path

import pytest

from twophase.commands.select.settings import compose
from twophase.infra.compute import ENGINES

PAGE = (Path(__file__).parents[3] / "docs" / "compute.md").read_text()


def test_every_engine_and_key_is_on_the_page():
    assert re.findall(r"^\| `(\w+)`", PAGE, re.M)[: len(ENGINES)] == list(ENGINES)
    from dataclasses import fields

    from twophase.infra.compute import Engine

    assert set(re.findall(r"^\| `compute\.(\w+)`", PAGE, re.M)) == {field.name for field in fields(Engine)} - {"engine"}


@pytest.mark.parametrize("words", sorted(set(re.findall(r"compute=\w+(?: compute\.[\w=./:]+)*", PAGE))))
def test_every_choice_of_the_page_composes(words):
    assert compose(["task.path=reviews.csv", *shlex.split(words)]).compute.engine == words.split()[0].split("=")[1]


def test_the_program_for_slurm_asks_for_workers_of_one_thread(tmp_path, monkeypatch):
    dask_jobqueue = pytest.importorskip("dask_jobqueue")
    asked = []
    monkeypatch.setattr(dask_jobqueue.SLURMCluster, "scale", lambda self, jobs: asked.append((self, jobs)))
    monkeypatch.setattr(signal, "pause", lambda: None)
    monkeypatch.chdir(tmp_path)
    (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    exec(compile(program, "workers.py", "exec"), {"__name__": "__main__"})
    (cluster, jobs), *_ = asked
    try:
        script = cluster.job_script()
        assert jobs == 32 and "#SBATCH --cpus-per-task=1" in script and "#SBATCH -t 08:00:00" in script
        assert "--nthreads 1" in script and cluster.scheduler.allowed_failures == 0
        assert (tmp_path / "scheduler.json").is_file()
    finally:
        cluster.close()
