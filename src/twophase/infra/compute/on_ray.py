"""Tasks of a Ray cluster, through Ray's own client: it starts a killed worker's task again, and no worker has two at once."""

import contextlib
import os
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

from twophase.errors import UserError
from twophase.infra.compute import remote_task as away
from twophase.infra.compute.engines import Engine, not_installed, worker_count
from twophase.infra.compute.failure import KILLED, MOST_KILLS, Failure, failure

AHEAD = 2  # tasks a slot that are handed over: a cluster may grow for those that wait
WAIT = 10  # seconds for a cluster to answer
REFRESH = 2.0  # seconds after which it is asked again how large it is


def run(function: Callable, items: list[Any], engine: Engine) -> Iterator[tuple[int, Any]]:
    """Tasks in flight for every slot of the cluster; results as they come."""
    ray = _joined(engine)
    task = ray.remote(num_cpus=engine.cpus_per_task, num_gpus=engine.gpus_per_task, max_retries=MOST_KILLS - 1)(
        away.run
    )
    waiting, in_flight = list(range(len(items)))[::-1], {}
    slots(engine)  # raises where none could ever run
    most, asked = 0, -REFRESH
    try:
        while waiting or in_flight:
            if time.monotonic() - asked >= REFRESH:
                # at least one: a machine that was lost may come back
                most, asked = max(1, _room(ray, engine, AHEAD)), time.monotonic()
            while waiting and len(in_flight) < most:
                index = waiting.pop()
                try:
                    packed = away.pack(function, items[index])
                except Exception as error:  # what cannot be pickled says so in several ways
                    yield index, failure(error)
                    continue
                in_flight[task.remote(packed)] = index
            if in_flight:
                for reference in ray.wait(list(in_flight), num_returns=1)[0]:
                    yield in_flight.pop(reference), _result(ray, reference)
    finally:
        for reference in in_flight:
            with contextlib.suppress(Exception):  # a cluster that is lost
                ray.cancel(reference, force=True)


def _result(ray: Any, reference: Any) -> Any:
    killed = ray.exceptions.WorkerCrashedError, ray.exceptions.NodeDiedError, ray.exceptions.OutOfMemoryError
    try:
        return away.unpack(ray.get(reference))
    except killed:
        return Failure(KILLED)
    except ray.exceptions.RayError as error:
        return failure(error)


def slots(engine: Engine) -> int:
    """How many tasks the cluster of an engine computes at the same time.

    Raises:
        UserError: it has less than one task holds.
    """
    ray = _joined(engine)
    if not (count := _room(ray, engine)):
        held = ray.cluster_resources()
        raise UserError(
            f"the Ray cluster has {held.get('CPU', 0):g} CPUs and {held.get('GPU', 0):g} GPUs, less than one task holds "
            f"({engine.cpus_per_task:g} and {engine.gpus_per_task:g}); lower compute.cpus_per_task or compute.gpus_per_task."
        )
    return count


def _room(ray: Any, engine: Engine, ahead: int = 1) -> int:
    held = ray.cluster_resources()
    count = int(held.get("CPU", 0) / engine.cpus_per_task)
    if engine.gpus_per_task:
        count = min(count, int(held.get("GPU", 0) / engine.gpus_per_task))
    count *= ahead
    return min(count, engine.workers) if engine.address and engine.workers else count


_of: list[tuple] = []  # what the cluster that was joined or started here was asked for


def _joined(engine: Engine) -> Any:
    """Ray, in the cluster at the engine's address or in one of this machine until this process ends; or as it is, where the
    process has called `ray.init` itself."""
    try:
        import ray
    except ImportError as error:
        raise not_installed("ray", "Ray") from error
    asked = engine.address, None if engine.address else (engine.workers, engine.cpus_per_task)
    if ray.is_initialized():
        if not _of or _of[0] == asked:
            return ray
        ray.shutdown()
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anybody
    _reach(engine)
    options: dict[str, Any] = {"address": engine.address or "local", "log_to_driver": False, "logging_level": "error"}
    if not engine.address:
        cores = max(1, round(worker_count(engine.workers) * engine.cpus_per_task))
        options |= {"num_cpus": cores, "include_dashboard": False}
    try:
        ray.init(**options)
    except (ValueError, RuntimeError, OSError, ImportError) as error:
        raise _none_at(engine, error) from error
    _of[:] = [asked]
    return ray


def _reach(engine: Engine) -> None:
    """Raise UserError where nothing listens, which Ray itself would try for minutes."""
    host, _, port = (engine.address or "").rpartition("//")[2].rpartition(":")
    if host and port.isdigit():
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=WAIT).close()
        except OSError as error:
            raise _none_at(engine, error) from error


def _none_at(engine: Engine, error: Exception) -> UserError:
    reason = next(iter(str(error).splitlines()), type(error).__name__)
    if not engine.address:
        return UserError(
            f"Ray cannot be started on this machine ({reason}); compute=local or compute=dask does without it."
        )
    return UserError(
        f"no Ray cluster at {engine.address!r} ({reason}); start one with `ray start --head`, or leave compute.address out to "
        "compute on this machine. A cluster that asks for a token wants RAY_AUTH_MODE=token here, and its ~/.ray/auth_token."
    )
