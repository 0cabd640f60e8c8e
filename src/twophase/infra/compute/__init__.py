"""One parallel map: results in the order of the items, the same bits on every engine and for any number of workers.

Every worker, and the serial mode too, computes with one thread. Workers die with their parent, however it
ended; the items of a killed worker are submitted again; an item's exception becomes a `Failure` and
does not end the map.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from tqdm import tqdm

from twophase.infra.compute import clusters, local
from twophase.infra.compute.engines import CLUSTERS, ENGINES, Engine, asked, chosen, using, worker_count
from twophase.infra.compute.worker import Failure, die_with_launcher, single_thread

__all__ = [
    "ENGINES", "Engine", "Failure", "asked", "chosen", "die_with_launcher", "imap", "parallel_map", "single_thread",
    "spreads", "stop", "using", "warm", "width", "worker_count",
]  # fmt: skip


def parallel_map(
    function: Callable[[Any], Any],
    items: Iterable[Any],
    workers: int | None = None,
    description: str | None = None,
    on_result: Callable[[int, Any], None] | None = None,
) -> list[Any]:
    """`[function(item) for item in items]` on the engine that is chosen (`engines.chosen`).

    Args:
        function: importable by name, since workers are other interpreters; so must be the items' classes.
        items: what to compute; results come back in this order.
        workers: processes; see `Engine`.
        description: of the progress bar; None shows none.
        on_result: called in this process as `on_result(index, result)` when a result is there (any order).

    Returns:
        A result or a `Failure` for each item.

    Raises:
        UserError: an engine that is not installed, or a cluster that does not answer.
    """
    items = list(items)
    results: list[Any] = [None] * len(items)
    hidden = description is None or not items
    with (
        tqdm(total=len(items), desc=description, disable=hidden, mininterval=0.5, dynamic_ncols=True) as bar,
        contextlib.closing(imap(function, items, workers)) as computed,
    ):
        for index, result in computed:
            results[index] = result
            if on_result is not None:
                on_result(index, result)
            bar.update()
    return results


def imap(function: Callable[[Any], Any], items: Iterable[Any], workers: int | None = None) -> Iterator[tuple[int, Any]]:
    """(index, result) of each item as results come; see `parallel_map`."""
    items, engine = list(items), chosen()
    count = min(worker_count(workers or engine.workers), len(items))
    if not items:
        return
    if engine.engine in CLUSTERS:
        yield from clusters.run(function, items, engine)
    else:
        alone = engine.engine == "serial" or count == 1
        yield from local.serial(function, items) if alone else local.processes(function, items, count)


def warm(*modules: str) -> None:
    """Let the workers of this machine start and import what their tasks will need while this process does something else."""
    engine = chosen()
    count = worker_count(engine.workers)
    if engine.engine == "local" and count > 1:
        local.warm(modules, count)


def stop() -> None:
    """End this machine's workers at once, so that the end of this process need not wait for what they still import."""
    local.stop()


def width() -> int:
    """How many items the chosen engine computes at the same time, now."""
    engine = chosen()
    if engine.engine in CLUSTERS:
        return clusters.opened(engine).slots()
    return 1 if engine.engine == "serial" else worker_count(engine.workers)


def spreads(count: int) -> bool:
    """Whether the chosen engine computes so many items elsewhere than in this process: a cluster takes even one."""
    return count > 0 and (chosen().engine in CLUSTERS or min(count, width()) > 1)
