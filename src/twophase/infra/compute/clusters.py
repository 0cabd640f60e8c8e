"""Tasks of a Dask or a Ray cluster, through its own client: one loop keeps every worker busy, on either.

Ray starts a killed worker's task again by itself, and no worker has two at once. Dask gives up a task once more workers
died with it than its scheduler allows, but it also counts those that died while the task waited on them for another. So
such a task is submitted again; and if that goes on, once more with none beside it.
"""

import contextlib
import importlib
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil

from twophase.errors import UserError
from twophase.infra.compute import worker
from twophase.infra.compute.engines import Engine, worker_count
from twophase.infra.compute.worker import KILLED, MOST_KILLS, SINGLE, Failure, failure

AHEAD = 2  # tasks a worker that are handed over: a cluster may start more workers for those that wait
WAIT = 30  # seconds for a Dask cluster to answer
REACH = 10  # seconds for a Ray cluster's address to answer
PATIENCE = 1.0  # seconds for workers to end by themselves
REFRESH = 2.0  # seconds after which it is asked again how many workers there are


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
                    packed = worker.pack(function, items[index])
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
            except _Killed as error:
                kills[index] += error.deaths
                if index not in alone:
                    (waiting if kills[index] < MOST_KILLS else suspects).append(index)
                    continue
                result = Failure(KILLED)
            yield index, result
    except BaseException:
        cluster.stop(list(in_flight))
        raise


class _Killed(Exception):
    """So many workers died with a task, which need not be its fault."""

    def __init__(self, deaths: int):
        self.deaths = deaths


class _Cluster:
    """A cluster that is joined at an engine's address, or one of this machine.

    Each kind says how many tasks it computes at the same time now (`_able`); turns a packed task into a future (`submit`); has
    what futures are added to and `next` takes one from that is done (`done`); has what such a future returned, or the failure
    that its exception is, or raises `_Killed` (`result`); and ends what is under way of a map that is left early (`stop`).
    """

    def __init__(self, engine: Engine):
        self.engine, self.ahead = engine, AHEAD  # tasks a worker to hand over
        self._asked, self._workers = -REFRESH, 0

    def width(self, ahead: int = 1) -> int:
        """How many tasks to hand over, `ahead` of them a worker; at least one, workers may come yet or come back."""
        if time.monotonic() - self._asked >= REFRESH:
            self._workers, self._asked = self._able(), time.monotonic()
        most = self._workers * ahead
        return max(1, min(most, self.engine.workers) if self.engine.address and self.engine.workers else most)

    def slots(self) -> int:
        """How many tasks it computes at the same time. Raises UserError where none could ever run."""
        return self.width()


def opened(engine: Engine) -> _Cluster:
    """The cluster at the engine's address, or one of this machine until this process ends.

    Raises:
        UserError: the engine's package is not installed, or the cluster does not answer.
    """
    name = engine.engine
    try:
        package = importlib.import_module("distributed" if name == "dask" else "ray")
    except ImportError as error:
        raise UserError(
            f"compute={name} needs {name.title()}, which is not installed; install this package with its extra: in the "
            f"repository pip install -c constraints.txt -e '.[{name}]'."
        ) from error
    if name == "ray":
        return _Ray(engine, package)
    if not (_dask and _dask[0].engine == engine and _dask[0].client.status == "running"):
        close()
        _dask.append(_Dask(engine, package))
    return _dask[0]


_dask: list["_Dask"] = []  # the last one that was opened, until this process ends


def close() -> None:
    """Leave the Dask cluster that is open."""
    while _dask:
        _dask.pop().close()


class _Dask(_Cluster):
    def __init__(self, engine: Engine, distributed: Any):
        super().__init__(engine)
        self._distributed, self._own = distributed, None
        if engine.address:
            self._join(engine.address)
        else:
            self._start()
            self.ahead = 1  # what waits on a worker that is killed is counted as killed

    def _join(self, where: str) -> None:
        deadline = time.monotonic() + WAIT
        try:
            if where.endswith(".json"):
                while not Path(where).is_file():  # a scheduler that is just being started writes it
                    if time.monotonic() > deadline:
                        raise FileNotFoundError("there is no such file")
                    time.sleep(0.1)
            option = {"scheduler_file" if where.endswith(".json") else "address": where}
            self.client = self._distributed.Client(**option, timeout=WAIT, set_as_default=False)
        except (OSError, ValueError, RuntimeError) as error:
            raise UserError(
                f"no Dask cluster at {where!r} ({_reason(error)}); start one with `dask scheduler` and `dask worker`, or leave "
                "compute.address out to compute on this machine."
            ) from error

    def _start(self) -> None:
        import dask

        try:
            # every death of a worker is told at once, and counted here
            with dask.config.set({"distributed.scheduler.allowed-failures": 0}):
                self._own = self._distributed.LocalCluster(
                    n_workers=worker_count(self.engine.workers),
                    threads_per_worker=1,
                    memory_limit=None,
                    env=SINGLE,
                    dashboard_address="127.0.0.1:0",
                    preload=[worker.__name__],
                    resources=self._held(),
                    silence_logs=logging.CRITICAL,
                )
            self.client = self._distributed.Client(self._own, timeout=WAIT, set_as_default=False)
        except (OSError, RuntimeError) as error:
            raise UserError(
                f"no Dask cluster can be started on this machine ({_reason(error)}); compute=local does without it."
            ) from error

    def _held(self) -> dict[str, float] | None:
        return {"GPU": self.engine.gpus_per_task} if self.engine.gpus_per_task else None

    def _able(self) -> int:
        """0 if there are no workers yet. One that was killed is given time to come back."""
        held, deadline = self.engine.gpus_per_task, time.monotonic() + WAIT
        while True:
            with self._answering():
                workers = self.client.scheduler_info()["workers"].values()
            able = sum(one["resources"].get("GPU", 0) >= held for one in workers)
            if able or not workers:
                return able
            if time.monotonic() > deadline:
                raise UserError(
                    f"no worker of the Dask cluster has {held:g} of the resource GPU; start workers with `dask worker --resources "
                    "GPU=1`, or lower compute.gpus_per_task."
                )
            time.sleep(0.2)

    def submit(self, packed: bytes) -> Any:
        import dask

        # a task that carries its data is meant to: it would be warned of
        with self._answering(), dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 TB"}):
            return self.client.submit(worker.run, packed, pure=False, resources=self._held())

    def done(self) -> Any:
        return self._distributed.as_completed(loop=self.client.loop)

    def result(self, future: Any) -> Any:
        with self._answering():
            if future.cancelled():
                raise OSError("it has ended")
            error = future.exception()
            result = worker.unpack(future.result()) if error is None else failure(error)
        if isinstance(error, self._distributed.KilledWorker):
            raise _Killed(error.allowed_failures + 1)
        future.release()
        return result

    def stop(self, futures: list[Any]) -> None:
        """Cancel what has not begun; on this machine, end what has."""
        with contextlib.suppress(Exception):
            self.client.cancel(futures)
        if self._own is not None:
            self.close()

    def close(self) -> None:
        """Leave the cluster; one of this machine ends at once, whatever its workers are at."""
        with contextlib.suppress(Exception):
            self.client.close(timeout=1)
        if self._own is None:
            return
        pids = [nanny.pid for nanny in self._own.workers.values()]
        workers = [psutil.Process(pid) for pid in pids if pid and psutil.pid_exists(pid)]
        # it waits for tasks, and a worker that is killed before it closes would be started again
        closing = threading.Thread(target=self._own.close, daemon=True)
        closing.start()
        closing.join(PATIENCE)
        for one in workers:
            with contextlib.suppress(psutil.Error):
                one.kill()
        closing.join(WAIT)

    @contextlib.contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            yield
        except (OSError, self._distributed.client.FutureCancelledError) as error:
            where = self.engine.address or "of this machine"
            raise UserError(
                f"the Dask cluster {where} no longer answers ({error}); what was finished is kept: start the cluster, and repeat "
                "the same command."
            ) from error


class _Ray(_Cluster):
    """The cluster is left as it is where this process has called `ray.init` itself."""

    joined: tuple | None = None  # what the cluster that was joined or started here was asked for

    def __init__(self, engine: Engine, ray: Any):
        super().__init__(engine)
        self._ray = ray
        asked = engine.address, None if engine.address else (engine.workers, engine.cpus_per_task)
        if not ray.is_initialized() or _Ray.joined not in (None, asked):
            ray.shutdown()
            self._join()
            _Ray.joined = asked
        # Ray itself counts the kills
        options = {"num_cpus": engine.cpus_per_task, "num_gpus": engine.gpus_per_task, "max_retries": MOST_KILLS - 1}
        self._task = ray.remote(**options)(worker.run)

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
            self._ray.init(**options)
        except (ValueError, RuntimeError, OSError, ImportError) as error:
            if not engine.address:
                raise UserError(
                    f"Ray cannot be started on this machine ({_reason(error)}); compute=local or compute=dask does without it."
                ) from error
            raise UserError(
                f"no Ray cluster at {engine.address!r} ({_reason(error)}); start one with `ray start --head`, or leave "
                "compute.address out to compute on this machine. A cluster that asks for a token wants RAY_AUTH_MODE=token "
                "here, and its ~/.ray/auth_token."
            ) from error

    def _able(self) -> int:
        held = self._ray.cluster_resources()
        count = int(held.get("CPU", 0) / self.engine.cpus_per_task)
        return min(count, int(held.get("GPU", 0) / self.engine.gpus_per_task)) if self.engine.gpus_per_task else count

    def slots(self) -> int:
        if not self._able():
            held = self._ray.cluster_resources()
            raise UserError(
                f"the Ray cluster has {held.get('CPU', 0):g} CPUs and {held.get('GPU', 0):g} GPUs, less than one task holds "
                f"({self.engine.cpus_per_task:g} and {self.engine.gpus_per_task:g}); lower compute.cpus_per_task or "
                "compute.gpus_per_task."
            )
        return self.width()

    def submit(self, packed: bytes) -> Any:
        return self._task.remote(packed)

    def done(self) -> Any:
        return _Waiting(self._ray)

    def result(self, future: Any) -> Any:
        errors = self._ray.exceptions
        try:
            return worker.unpack(self._ray.get(future))
        except (errors.WorkerCrashedError, errors.NodeDiedError, errors.OutOfMemoryError):
            return Failure(KILLED)
        except errors.RayError as error:
            return failure(error)

    def stop(self, futures: list[Any]) -> None:
        for future in futures:
            with contextlib.suppress(Exception):  # a cluster that is lost
                self._ray.cancel(future, force=True)


class _Waiting:
    """What Dask calls `as_completed`, of Ray."""

    def __init__(self, ray: Any):
        self._ray, self._futures = ray, []

    def add(self, future: Any) -> None:
        self._futures.append(future)

    def __next__(self) -> Any:
        (done,), self._futures = self._ray.wait(self._futures, num_returns=1)
        return done


def _reason(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
