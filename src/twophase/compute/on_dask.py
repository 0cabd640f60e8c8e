"""Futures of a Dask cluster, through Dask's own client: it hands a killed worker's tasks to another."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import UserError
from .engines import Engine, worker_count
from .failure import KILLED, MOST_KILLS, Failure, failure, guarded
from .threads import SINGLE, torch_single_thread

AHEAD = 2  # tasks a thread that are handed over before one is done
WAIT = 30  # seconds for a cluster to answer


def run(function: Callable, items: list[Any], engine: Engine) -> Iterator[tuple[int, Any]]:
    """Tasks in flight for every thread of the cluster; results as they come."""
    try:
        import distributed
    except ImportError as error:
        raise UserError("compute=dask needs Dask, which is not installed; pip install 'twophase[dask]'.") from error

    client = _client(engine)
    held = {"GPU": engine.gpus_per_task} if engine.gpus_per_task else None
    waiting, suspects = list(range(len(items)))[::-1], []
    kills = [0] * len(items)
    in_flight: dict[Any, int] = {}
    completed = distributed.as_completed(loop=client.loop)
    try:
        while waiting or suspects or in_flight:
            alone = bool(suspects)  # of those that a worker held when it died, each is tried with none beside it
            queue = suspects if alone else waiting
            width = 1 if alone else AHEAD * max(1, sum(client.nthreads().values()))
            while queue and len(in_flight) < width:
                index = queue.pop()
                try:
                    future = client.submit(_task, function, items[index], pure=False, resources=held)
                except Exception as error:  # what cannot be pickled, says Dask in several ways
                    yield index, failure(error)
                    continue
                in_flight[future] = index
                completed.add(future)
            if not in_flight:
                continue
            future = next(completed)
            index, error = in_flight.pop(future), future.exception()
            if isinstance(error, distributed.KilledWorker):
                kills[index] += alone and not in_flight
                if kills[index] < MOST_KILLS:
                    suspects.append(index)
                else:
                    yield index, Failure(KILLED)
                continue
            result = future.result() if error is None else failure(error)
            future.release()
            yield index, result
    finally:
        client.cancel(list(in_flight))


def _task(function: Callable, item: Any) -> Any:
    torch_single_thread()
    return guarded(function, item)


@cache
def _client(engine: Engine) -> Any:
    """A client of the cluster at the engine's address, or of one of this machine, until this process ends."""
    import dask
    import distributed

    dask.config.set({"distributed.scheduler.allowed-failures": 0})
    if engine.address is None:
        where = {"address": distributed.LocalCluster(
            n_workers=worker_count(engine.workers), threads_per_worker=1, dashboard_address=None, env=SINGLE,
            resources={"GPU": 1} if engine.gpus_per_task else None, silence_logs=logging.CRITICAL,
        )}  # fmt: skip
    elif Path(engine.address).is_file():
        where = {"scheduler_file": engine.address}
    else:
        where = {"address": engine.address}
    try:
        return distributed.Client(**where, timeout=WAIT, set_as_default=False)
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(
            f"no Dask cluster at {engine.address!r} ({str(error).splitlines()[0]}); start one with `dask scheduler` and "
            "`dask worker`, or leave compute.address out to compute on this machine."
        ) from error
