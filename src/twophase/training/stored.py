"""Values by their keys: what is in the store is read, what is missing is computed; so are the cells of a matrix.

A key holds everything that determines a value: configuration, digests of data and weights, a version of the
code that computes it, the seed, and the libraries whose arithmetic it is. A failure is reported, never
kept, and never ends the run.
"""

import math
import shutil
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from twophase.errors import UserError
from twophase.infra.compute import Failure, parallel_map
from twophase.infra.store import Store, digest
from twophase.training import finetuning, tasks
from twophase.training.encoding import encoded
from twophase.training.hardware import PLAIN, Hardware
from twophase.training.loading import model_digest
from twophase.training.resumable import ResumableTraining

LIBRARIES = ("torch", "transformers", "numpy")
FAILURE_COLUMNS = ["model", "dataset", "seed", "reason"]


def through_store(
    store: Store,
    kind: str,
    keys: list[dict],
    function: Callable[[Any], Any],
    items: list[Any],
    description: str,
    progress: bool = True,
    on_kept: Callable[[int], None] | None = None,
) -> list[Any]:
    """The value of each key: read from the store, or `function(item)` kept as soon as it is there.

    What another process is computing is left to it, and read when it is done.

    Args:
        description: names the work, on the bar and to whoever waits for the store.
        progress: whether to show the bar.
        on_kept: called with the number of each key whose value was computed and is now in the store.

    Returns:
        A value or a `Failure` for each key, in order.
    """
    values = [store.get(kind, key) for key in keys]
    left = [index for index, value in enumerate(values) if value is None]
    while left:
        with store.lock(kind, [keys[index] for index in left], description) as free:
            held = [left[number] for number in free]
            for index in held:
                values[index] = store.get(kind, keys[index])
            missing = [index for index in held if values[index] is None]

            def keep(number: int, value: Any, missing: list[int] = missing) -> None:
                values[missing[number]] = value
                if not isinstance(value, Failure):
                    store.put(kind, keys[missing[number]], value)
                    if on_kept is not None:
                        on_kept(missing[number])

            shown = description if progress else None
            parallel_map(function, [items[i] for i in missing], description=shown, on_result=keep)
        left = [index for index in left if index not in set(held)]
    return values


def digests(data: dict[str, Path], folders: dict[str, Path]) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """Digest of each dataset and each model, and the reason for each model whose files cannot be read."""
    of_data = {dataset: tasks.digest(folder) for dataset, folder in data.items()}
    of_models, broken = {}, {}
    for model, folder in folders.items():
        try:
            of_models[model] = model_digest(folder)
        except UserError as error:
            broken[model] = str(error)
        except OSError as error:
            broken[model] = f"its files cannot be read: {error}"
    return of_data, of_models, broken


def libraries(*more: str) -> dict[str, str]:
    """Versions of the libraries whose arithmetic a cell is."""
    return {name: version(name) for name in (*LIBRARIES, *more)}


def train_folders(
    folders: dict[str, Path],
    data: dict[str, Path],
    roles: dict[str, str],
    cells: list[tuple[str, str, int]],
    settings: Any,
    name: str,
    hardware: Hardware = PLAIN,
    checkpoints: Path | None = None,
    progress: bool = True,
) -> tuple[pd.DataFrame, list[tuple]]:
    """Train cells (model, dataset, seed) of models and tasks in folders, each kept as soon as it is done.

    Args:
        checkpoints: where cells keep their state after every epoch until they are done; None: a killed cell begins anew.

    Returns:
        Records (a row an epoch), and failures: (model, dataset, seed, reason).
    """
    hardware = hardware.resolved()  # once, here: no worker decides by itself
    data_digests, model_digests, broken = digests(data, folders)
    cells = [cell for cell in cells if cell[0] not in broken]
    keys = [cell_key(model_digests[m], data_digests[d], settings, seed, hardware) for m, d, seed in cells]
    states = [checkpoints / digest(key)[:16] if checkpoints else None for key in keys]
    items = [
        (folders[m], data[d], settings, seed, hardware, state)
        for (m, d, seed), state in zip(cells, states, strict=True)
    ]

    def forget(number: int) -> None:
        if states[number]:
            shutil.rmtree(states[number], ignore_errors=True)

    values = through_store(Store(), "cells", keys, train_one, items, name, progress, forget)
    for number, value in enumerate(values):
        if not isinstance(value, Failure):
            forget(number)  # again: a process that was killed may have kept the value and not come to this
    rows, failures = [], [(model, "", "", reason) for model, reason in broken.items()]
    for (model, dataset, seed), value in zip(cells, values, strict=True):
        if isinstance(value, Failure):
            failures.append((model, dataset, seed, value.reason))
        else:
            rows += [{"model": model, "dataset": dataset, "role": roles[dataset], "seed": seed, **row} for row in value]
    return pd.DataFrame(rows), failures


def cell_key(model: str, data: str, settings: Any, seed: int, hardware: Hardware = PLAIN) -> dict:
    """Key of a cell: digests of the model and the data, how it is trained, and the versions of what computes it."""
    how = {"config": asdict(settings), "seed": seed, "training": finetuning.TRAINING_VERSION}
    return {"model": model, "data": data} | how | libraries() | hardware.key()


class CellFailed(RuntimeError):
    """A cell that is trained epoch by epoch could not be: why."""


def train_one(item: tuple[Path, Path, Any, int, Hardware, Path | None]) -> list[dict]:
    """Rows of a cell (model, data, settings, seed, hardware, checkpoints), for `compute.parallel_map`."""
    model, data, settings, seed, hardware, checkpoints = item
    if checkpoints is None:
        return finetuning.train_cell(model, data, settings, seed, hardware)
    task, known = encoded(data, model), tasks.digest(data)
    run = ResumableTraining({model.name: model}, task, settings, seed, checkpoints, hardware=hardware, digest=known)
    rows = []
    for epoch in range(1, settings.epochs + 1):
        done = run.step(model.name, epoch)
        if math.isnan(done.score):
            raise CellFailed(done.failure)
        rows.append({"epoch": epoch, "val": done.score, "test": None, "seconds": done.seconds})
    whole = run.run(model.name)
    rows[-1] |= {"test": whole.test()} | ({} if hardware.plain else {"micro_batch": whole.micro_batch})
    return rows
