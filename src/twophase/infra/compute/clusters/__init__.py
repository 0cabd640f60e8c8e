"""Tasks of a Dask or a Ray cluster, through its own client: one loop keeps every worker busy, on either.

Ray starts a killed worker's task again by itself, and no worker has two at once. Dask gives up a task once more workers
died with it than its scheduler allows, but it also counts those that died while the task waited on them for another. So
such a task is submitted again; and if that goes on, once more with none beside it.
"""

import importlib
from collections.abc import Callable, Iterator
from typing import Any

from twophase.errors import UserError
from twophase.infra.compute import Engine
from twophase.infra.compute.clusters.base import Cluster, Killed, pack
from twophase.infra.compute.worker import KILLED, MOST_KILLS, Failure, failure


def run(function: Callable, items: list[Any], engine: Engine) -> Iterator[tuple[int, Any]]:
    """Tasks in flight for every worker of the cluster; results as they come."""
    cluster = opened(engine)
    waiting, suspects, alone = list(range(len(items)))[::-1], [], set()
    kills = [0] * len(items)
    in_flight: dict[Any, int] = {}
    done = cluster.done()
    try:
        cluster.slots()  # raises where none could ever run
        while waiting or suspects or in_flight:
            queue, most = (waiting, cluster.width(cluster.ahead)) if waiting else (suspects, 1)
            while queue and len(in_flight) < most:
                index = queue.pop()
                try:
                    packed = pack(function, items[index])
                except Exception as error:  # what cannot be pickled says so in several ways
                    yield index, failure(error)
                    continue
                future = cluster.submit(packed)
                in_flight[future] = index
                done.add(future)
                if queue is suspects:
                    alone.add(index)
            if not in_flight:
                continue
            future = next(done)
            index = in_flight.pop(future)
            try:
                result = cluster.result(future)
            except Killed as error:
                kills[index] += error.deaths
                if index not in alone:
                    (waiting if kills[index] < MOST_KILLS else suspects).append(index)
                    continue
                result = Failure(KILLED)
            yield index, result
    except BaseException:
        cluster.stop(list(in_flight))
        raise


def opened(engine: Engine) -> Cluster:
    """The cluster at the engine's address, or one of this machine until this process ends.

    Raises:
        UserError: the engine's package is not installed, or the cluster does not answer.
    """
    name = engine.engine
    try:
        importlib.import_module("distributed" if name == "dask" else "ray")
    except ImportError as error:
        raise UserError(
            f"compute={name} needs {name.title()}, which is not installed; install this package with its extra: in the "
            f"repository pip install -c constraints.txt -e '.[{name}]'."
        ) from error
    kind = importlib.import_module(f"{__name__}.{name}")
    if name == "ray":
        return kind.Ray(engine)
    if not (_dask and _dask[0].engine == engine and _dask[0].client.status == "running"):
        close()
        _dask.append(kind.Dask(engine))
    return _dask[0]


_dask: list[Cluster] = []  # the last one that was opened, until this process ends


def close() -> None:
    """Leave the Dask cluster that is open."""
    while _dask:
        _dask.pop().close()
