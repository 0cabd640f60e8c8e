"""The task that a run's settings name, read from files or brought from a hub."""

import tempfile
from dataclasses import asdict

from twophase.commands.select.settings import TaskSource
from twophase.errors import UserError
from twophase.sources.files.parquet_shards import gather
from twophase.sources.files.reader import FileTask, read
from twophase.sources.hub import fetch_dataset


def read_task(task: TaskSource, seed: int = 0) -> FileTask:
    """The task, from files or from a hub; `seed`: of splits that are drawn."""
    source = asdict(task)
    kind, path, name = (source.pop(key) for key in ("kind", "path", "name"))
    if kind != "hub":
        if name is not None:
            raise UserError(f"task.name={name} names a configuration of task=hub; leave it out for task={kind}.")
        return read(kind, path, **source, seed=seed)

    with tempfile.TemporaryDirectory() as folder:
        return read("parquet", gather(fetch_dataset(path, name), folder), **source, seed=seed)
