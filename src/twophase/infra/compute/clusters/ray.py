"""A Ray cluster: one that is joined, or one of this machine."""

import contextlib
import os
import socket
from typing import Any

import ray

from twophase.errors import UserError
from twophase.infra.compute import Engine, worker_count
from twophase.infra.compute.clusters.base import Cluster, computed, reason, unpack
from twophase.infra.compute.worker import KILLED, MOST_KILLS, Failure, failure

REACH = 10  # seconds for a cluster's address to answer


class Ray(Cluster):
    """The cluster is left as it is where this process has called `ray.init` itself."""

    joined: tuple | None = None  # what the cluster that was joined or started here was asked for

    def __init__(self, engine: Engine):
        super().__init__(engine)
        asked = engine.address, None if engine.address else (engine.workers, engine.cpus_per_task)
        if not ray.is_initialized() or Ray.joined not in (None, asked):
            ray.shutdown()
            self._join()
            Ray.joined = asked
        # Ray itself counts the kills
        options = {"num_cpus": engine.cpus_per_task, "num_gpus": engine.gpus_per_task, "max_retries": MOST_KILLS - 1}
        self._task = ray.remote(**options)(computed)

    def _join(self) -> None:
        engine = self.engine
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anybody
        options: dict[str, Any] = {
            "address": engine.address or "local",
            "log_to_driver": False,
            "logging_level": "error",
        }
        if not engine.address:
            cores = max(1, round(worker_count(engine.workers) * engine.cpus_per_task))
            options |= {"num_cpus": cores, "include_dashboard": False}
        host, _, port = (engine.address or "").rpartition("//")[2].rpartition(":")
        try:
            if host and port.isdigit():  # where nothing listens, Ray itself would try for minutes
                socket.create_connection((host.strip("[]"), int(port)), timeout=REACH).close()
            ray.init(**options)
        except (ValueError, RuntimeError, OSError, ImportError) as error:
            if not engine.address:
                raise UserError(
                    f"Ray cannot be started on this machine ({reason(error)}); compute=local or compute=dask does without it."
                ) from error
            raise UserError(
                f"no Ray cluster at {engine.address!r} ({reason(error)}); start one with `ray start --head`, or leave "
                "compute.address out to compute on this machine. A cluster that asks for a token wants RAY_AUTH_MODE=token "
                "here, and its ~/.ray/auth_token."
            ) from error

    def _able(self) -> int:
        held = ray.cluster_resources()
        count = int(held.get("CPU", 0) / self.engine.cpus_per_task)
        return min(count, int(held.get("GPU", 0) / self.engine.gpus_per_task)) if self.engine.gpus_per_task else count

    def slots(self) -> int:
        if not self._able():
            held = ray.cluster_resources()
            raise UserError(
                f"the Ray cluster has {held.get('CPU', 0):g} CPUs and {held.get('GPU', 0):g} GPUs, less than one task holds "
                f"({self.engine.cpus_per_task:g} and {self.engine.gpus_per_task:g}); lower compute.cpus_per_task or "
                "compute.gpus_per_task."
            )
        return self.width()

    def submit(self, packed: bytes) -> Any:
        return self._task.remote(packed)

    def done(self) -> Any:
        return _Waiting()

    def result(self, future: Any) -> Any:
        try:
            return unpack(ray.get(future))
        except (ray.exceptions.WorkerCrashedError, ray.exceptions.NodeDiedError, ray.exceptions.OutOfMemoryError):
            return Failure(KILLED)
        except ray.exceptions.RayError as error:
            return failure(error)

    def stop(self, futures: list[Any]) -> None:
        for future in futures:
            with contextlib.suppress(Exception):  # a cluster that is lost
                ray.cancel(future, force=True)


class _Waiting:
    """What Dask calls `as_completed`, of Ray."""

    def __init__(self):
        self._futures: list[Any] = []

    def add(self, future: Any) -> None:
        self._futures.append(future)

    def __next__(self) -> Any:
        (done,), self._futures = ray.wait(self._futures, num_returns=1)
        return done
