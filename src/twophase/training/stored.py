"""Values by their keys: what is in the store is read, what is missing is computed.

A key holds everything that determines a value: configuration, digests of data and weights, a version of the
code that computes it, the seed, and the libraries whose arithmetic it is. A failure is reported, never
kept, and never ends the run.
"""

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from twophase.infra.compute import Failure, parallel_map
from twophase.infra.store import Store
from twophase.training import tasks
from twophase.training.loading import model_digest

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
    """The value of each key: read from the store, or ``function(item)`` kept as soon as it is there.

    ``description`` names the work, on the bar and to whoever waits for the store; ``progress``: whether to show the bar;
    ``on_kept``: called with the number of each key whose value was computed and is now in the store.

    Returns:
        A value or a :class:`~twophase.infra.compute.Failure` for each key, in order.
    """
    values = [store.get(kind, key) for key in keys]
    if all(value is not None for value in values):
        return values
    with store.lock(description):
        values = [store.get(kind, key) for key in keys]
        missing = [index for index, value in enumerate(values) if value is None]

        def keep(number: int, value: Any) -> None:
            values[missing[number]] = value
            if not isinstance(value, Failure):
                store.put(kind, keys[missing[number]], value)
                if on_kept is not None:
                    on_kept(missing[number])

        shown = description if progress else None
        parallel_map(function, [items[i] for i in missing], description=shown, on_result=keep)
    return values


def digests(data: dict[str, Path], folders: dict[str, Path]) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """Digest of each dataset and each model, and the reason for each model whose files cannot be read."""
    of_data = {dataset: tasks.digest(folder) for dataset, folder in data.items()}
    of_models, broken = {}, {}
    for model, folder in folders.items():
        try:
            of_models[model] = model_digest(folder)
        except OSError as error:
            broken[model] = f"its files cannot be read: {error}"
    return of_data, of_models, broken


def libraries(*more: str) -> dict[str, str]:
    """Versions of the libraries whose arithmetic a cell is."""
    return {name: version(name) for name in (*LIBRARIES, *more)}
