"""One parallel map: results in the order of the items, the same bits on every engine and for any number of workers.

Every worker, and the serial mode too, computes with one thread. Workers die with their parent, however it ended; the items
of a killed worker are submitted again; an item's exception becomes a `Failure` and does not end the map.

Which engine computes is chosen in `conf/compute/`, by TWOPHASE_COMPUTE or by `twophase select compute=…`. The choice is no
parameter of any stage: results are the same, so it makes nothing stale.
"""

import contextlib
import os
import shlex
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from functools import cache
from typing import Annotated, Any

from tqdm import tqdm

from twophase.errors import UserError
from twophase.infra import config
from twophase.infra.compute import local
from twophase.infra.compute.worker import Failure as Failure
from twophase.infra.compute.worker import die_with_launcher as die_with_launcher
from twophase.infra.compute.worker import guarded, single_thread
from twophase.infra.schema import Field, NotNegative, OneOf, build, settings

ENGINES = ("serial", "local", "ray", "dask")
CLUSTERS = ("ray", "dask")


@settings("compute")
class Engine:
    """How a parallel map computes.

    Attributes:
        engine: "serial" (in this process), "local" (processes of this machine), "ray" or "dask" (a cluster's workers).
        workers: processes; None: TWOPHASE_WORKERS, else the cores that this process may use. Of a cluster that is joined:
            the most tasks to hand over at once; None: as many as it has room for.
        address: of a running cluster (Ray: "auto" or "host:6379", from a machine of the cluster; Dask: "tcp://host:8786" or
            a scheduler's file, ….json); None starts one on this machine.
        cpus_per_task: what a task holds of a Ray cluster.
        gpus_per_task: what a task holds, of a Ray cluster or of the resource "GPU" of a Dask worker; may be a fraction.
    """

    engine: OneOf(ENGINES) = "local"
    workers: int | None = None
    address: str | None = None
    cpus_per_task: Annotated[float, Field(gt=0)] = 1.0
    gpus_per_task: NotNegative = 0.0

    def __post_init__(self) -> None:
        if self.address is not None and self.engine not in CLUSTERS:
            raise UserError(
                f"compute.address is {self.address!r}, and compute={self.engine} joins no cluster; leave it out."
            )
        if self.cpus_per_task != 1 and self.engine != "ray":
            raise UserError(
                f"compute.cpus_per_task is {self.cpus_per_task:g}, and a task of compute={self.engine} has one; leave it out, and "
                "start fewer workers where tasks need more memory."
            )
        if self.gpus_per_task and self.engine not in CLUSTERS:
            raise UserError(
                f"compute.gpus_per_task is {self.gpus_per_task:g}, and compute={self.engine} hands out no GPUs: its processes "
                "share what this one sees; set compute.workers instead, or take compute=ray."
            )
        worker_count(self.workers)


def worker_count(workers: int | None = None) -> int:
    """`workers`, else TWOPHASE_WORKERS, else the cores this process may use.

    Raises:
        UserError: not a whole number of at least 1.
    """
    given = workers if workers is not None else os.environ.get("TWOPHASE_WORKERS") or None
    if given is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with contextlib.suppress(TypeError, ValueError):
        if (count := int(given)) >= 1:
            return count
    raise UserError(f"workers (TWOPHASE_WORKERS): got {given!r}; allowed is a whole number of at least 1")


_CHOSEN: ContextVar[Engine | None] = ContextVar("engine", default=None)
_APART: ContextVar[bool] = ContextVar("apart", default=False)


def chosen() -> Engine:
    """The engine of `using`, else of TWOPHASE_COMPUTE ("compute=ray compute.address=auto"), else local processes.

    Raises:
        UserError: TWOPHASE_COMPUTE names something that there is not.
    """
    return _CHOSEN.get() or _from_environment(tuple(asked()))


def asked() -> list[str]:
    """The overrides in TWOPHASE_COMPUTE.

    Raises:
        UserError: they are no list of words.
    """
    overrides = os.environ.get("TWOPHASE_COMPUTE", "")
    try:
        return shlex.split(overrides)
    except ValueError as error:
        raise UserError(f'TWOPHASE_COMPUTE is {overrides!r} ({error}); allowed is for example "compute=ray".') from None


@contextlib.contextmanager
def using(engine: Engine) -> Iterator[None]:
    """Compute with `engine` inside."""
    token = _CHOSEN.set(engine)
    try:
        yield
    finally:
        _CHOSEN.reset(token)


@contextlib.contextmanager
def apart(wanted: bool = True) -> Iterator[None]:
    """Compute even one item alone in a worker inside, whatever it may do to its process; compute=serial and one worker have none."""
    token = _APART.set(wanted)
    try:
        yield
    finally:
        _APART.reset(token)


@cache
def _from_environment(overrides: tuple[str, ...]) -> Engine:
    if not overrides:
        return Engine()
    try:
        return build(Engine, config.values(overrides, "compute")["compute"], "compute")
    except UserError as error:
        raise UserError(f"TWOPHASE_COMPUTE is {' '.join(overrides)!r}: {error}") from None


def parallel_map(
    function: Callable[[Any], Any],
    items: Iterable[Any],
    workers: int | None = None,
    description: str | None = None,
    on_result: Callable[[int, Any], None] | None = None,
) -> list[Any]:
    """`[function(item) for item in items]` on the engine that is chosen (`chosen`).

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
    count = worker_count(workers or engine.workers)
    count = count if _APART.get() else min(count, len(items))
    if not items:
        return
    if engine.engine in CLUSTERS:
        from twophase.infra.compute import clusters

        yield from clusters.run(function, items, engine)
    elif engine.engine == "serial" or count == 1:
        for index, item in enumerate(items):
            with single_thread():
                result = guarded(function, item)
            yield index, result
    else:
        yield from local.processes(function, items, count)


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
        from twophase.infra.compute import clusters

        return clusters.opened(engine).slots()
    return 1 if engine.engine == "serial" else worker_count(engine.workers)


def spreads(count: int) -> bool:
    """Whether the chosen engine computes so many items elsewhere than in this process: a cluster takes even one."""
    return count > 0 and (chosen().engine in CLUSTERS or min(width() if _APART.get() else count, width()) > 1)
