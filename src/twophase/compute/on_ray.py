"""Tasks of a Ray cluster, through Ray's own client: it starts a killed worker's tasks again."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

from ..errors import UserError
from .engines import Engine, worker_count
from .failure import KILLED, MOST_KILLS, Failure, failure, guarded
from .threads import SINGLE, torch_single_thread

AHEAD = 2  # tasks a slot that are handed over before one is done


def run(function: Callable, items: list[Any], engine: Engine) -> Iterator[tuple[int, Any]]:
    """Tasks in flight for every slot of the cluster; results as they come."""
    try:
        import ray
    except ImportError as error:
        raise UserError("compute=ray needs Ray, which is not installed; pip install 'twophase[ray]'.") from error

    _join(engine)
    task = ray.remote(num_cpus=engine.cpus_per_task, num_gpus=engine.gpus_per_task, max_retries=MOST_KILLS - 1)(_task)
    shared, width = ray.put(function), AHEAD * _slots(ray, engine)
    waiting, in_flight = list(range(len(items)))[::-1], {}
    try:
        while waiting or in_flight:
            while waiting and len(in_flight) < width:
                index = waiting.pop()
                try:
                    in_flight[task.remote(shared, items[index])] = index
                except Exception as error:  # what cannot be pickled, says Ray in several ways
                    yield index, failure(error)
            if not in_flight:
                continue
            for reference in ray.wait(list(in_flight), num_returns=1)[0]:
                index = in_flight.pop(reference)
                yield index, _result(ray, reference)
    finally:
        for reference in in_flight:
            ray.cancel(reference, force=True)


def _result(ray: Any, reference: Any) -> Any:
    killed = ray.exceptions.WorkerCrashedError, ray.exceptions.NodeDiedError, ray.exceptions.OutOfMemoryError
    try:
        return ray.get(reference)
    except killed:
        return Failure(KILLED)
    except ray.exceptions.RayError as error:
        return failure(error)


def _task(function: Callable, item: Any) -> Any:
    torch_single_thread()
    return guarded(function, item)


def _slots(ray: Any, engine: Engine) -> int:
    held = ray.cluster_resources()
    slots = int(held.get("CPU", 0) / engine.cpus_per_task)
    if engine.gpus_per_task:
        slots = min(slots, int(held.get("GPU", 0) / engine.gpus_per_task))
    if not slots:
        raise UserError(
            f"the Ray cluster has {held.get('CPU', 0):g} CPUs and {held.get('GPU', 0):g} GPUs, less than one task holds "
            f"({engine.cpus_per_task:g} and {engine.gpus_per_task:g}); lower compute.cpus_per_task or compute.gpus_per_task."
        )
    return slots


def _join(engine: Engine) -> None:
    """Join the cluster at the engine's address, or start one of this machine, until this process ends."""
    import ray

    if ray.is_initialized():
        return
    own = {name: value for name, value in os.environ.items() if name.startswith("TWOPHASE_")}
    options: dict[str, Any] = {
        "runtime_env": {"env_vars": own | SINGLE},
        "log_to_driver": False,
        "logging_level": "error",
    }
    if engine.address:
        options["address"] = engine.address
    else:
        slots = worker_count(engine.workers)
        options |= {"num_cpus": max(1, round(slots * engine.cpus_per_task)), "include_dashboard": False}
    try:
        ray.init(**options)
    except (ConnectionError, ValueError, RuntimeError, OSError) as error:
        raise UserError(
            f"no Ray cluster at {engine.address!r} ({str(error).splitlines()[0]}); start one with `ray start --head`, or leave "
            "compute.address out to compute on this machine."
        ) from error
