"""Futures of a Dask cluster, through Dask's own client.

Dask gives up a task once more workers died with it than its scheduler allows, but it also counts those that died while the
task waited on them for another. So such a task is submitted again; and if that goes on, once more with none beside it.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from twophase.errors import UserError
from twophase.infra.compute import remote_task as away
from twophase.infra.compute.engines import Engine, not_installed, worker_count
from twophase.infra.compute.failure import KILLED, MOST_KILLS, Failure, failure
from twophase.infra.compute.threads import SINGLE

AHEAD = 2  # tasks a worker that are handed over to a joined cluster: it may start more workers for those that wait
WAIT = 30  # seconds for a cluster to answer
PATIENCE = 1.0  # seconds for workers to end by themselves
REFRESH = 2.0  # seconds after which it is asked again how many workers it has


def run(function: Callable, items: list[Any], engine: Engine) -> Iterator[tuple[int, Any]]:
    """Tasks in flight for every worker of the cluster; results as they come."""
    cluster = _open(engine)
    import distributed

    waiting, suspects, alone = list(range(len(items)))[::-1], [], set()
    kills = [0] * len(items)
    in_flight: dict[Any, int] = {}
    completed = distributed.as_completed(loop=cluster.client.loop)
    try:
        while waiting or suspects or in_flight:
            queue, most = (waiting, cluster.width(AHEAD)) if waiting else (suspects, 1)
            while queue and len(in_flight) < most:
                index = queue.pop()
                try:
                    packed = away.pack(function, items[index])
                except Exception as error:  # what cannot be pickled says so in several ways
                    yield index, failure(error)
                    continue
                future = cluster.submit(packed)
                in_flight[future] = index
                completed.add(future)
                if queue is suspects:
                    alone.add(index)
            if not in_flight:
                continue
            future = next(completed)
            index = in_flight.pop(future)
            try:
                result = cluster.result(future)
            except distributed.KilledWorker as error:
                kills[index] += error.allowed_failures + 1
                if index not in alone:
                    (waiting if kills[index] < MOST_KILLS else suspects).append(index)
                    continue
                result = Failure(KILLED)
            future.release()
            yield index, result
    except BaseException:
        cluster.stop(list(in_flight))
        raise


@dataclass
class _Cluster:
    """A client, and the cluster of this machine that it was opened for (None: one that was joined)."""

    engine: Engine
    client: Any
    own: Any
    _asked: float = -REFRESH
    _width: int = 0

    def width(self, ahead: int = 1) -> int:
        """How many tasks to hand over, `ahead` of them a worker of a joined cluster; at least one, workers may come yet."""
        if time.monotonic() - self._asked >= REFRESH:
            self._width, self._asked = self._able(), time.monotonic()
        most = self._width * (1 if self.own else ahead)
        return max(1, most if self.own or self.engine.workers is None else min(most, self.engine.workers))

    def _able(self) -> int:
        """How many workers can take a task; 0 if there are none yet. One that was killed is given time to come back."""
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

        held = {"GPU": self.engine.gpus_per_task} if self.engine.gpus_per_task else None
        # a task that carries its data is meant to: it would be warned of
        with self._answering(), dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 TB"}):
            return self.client.submit(away.run, packed, pure=False, resources=held)

    def result(self, future: Any) -> Any:
        """What a future that is done has returned, or the failure that its exception is; raises KilledWorker."""
        import distributed

        with self._answering():
            if future.cancelled():
                raise OSError("it has ended")
            error = future.exception()
            if error is None:
                return away.unpack(future.result())
        if isinstance(error, distributed.KilledWorker):
            raise error
        return failure(error)

    def stop(self, futures: list[Any]) -> None:
        """Cancel what has not begun; on this machine, end what has."""
        with contextlib.suppress(Exception):
            self.client.cancel(futures)
        if self.own is not None:
            self.close()

    def close(self) -> None:
        """Leave the cluster; one of this machine ends at once, whatever its workers are at."""
        with contextlib.suppress(Exception):
            self.client.close(timeout=1)
        if self.own is None:
            return

        pids = [nanny.pid for nanny in self.own.workers.values()]
        workers = [psutil.Process(pid) for pid in pids if pid and psutil.pid_exists(pid)]
        # it waits for tasks, and a worker that is killed before it closes would be started again
        closing = threading.Thread(target=self.own.close, daemon=True)
        closing.start()
        closing.join(PATIENCE)
        for worker in workers:
            with contextlib.suppress(psutil.Error):
                worker.kill()
        closing.join(WAIT)

    @contextlib.contextmanager
    def _answering(self) -> Iterator[None]:
        from distributed.client import FutureCancelledError

        try:
            yield
        except (OSError, FutureCancelledError) as error:
            where = self.engine.address or "of this machine"
            raise UserError(
                f"the Dask cluster {where} no longer answers ({error}); what was finished is kept: start the cluster, and repeat "
                "the same command."
            ) from error


_opened: list[_Cluster] = []  # the last one, until this process ends


def slots(engine: Engine) -> int:
    """How many tasks the cluster of an engine computes at the same time."""
    return _open(engine).width()


def _open(engine: Engine) -> _Cluster:
    """The cluster at the engine's address, or one of this machine."""
    try:
        import distributed  # noqa: F401
    except ImportError as error:
        raise not_installed("dask", "Dask") from error
    if _opened and _opened[0].engine == engine and _opened[0].client.status == "running":
        return _opened[0]
    if _opened:
        _opened.pop().close()
    _opened.append(_joined(engine) if engine.address else _started(engine))
    return _opened[0]


def _started(engine: Engine) -> _Cluster:
    import dask
    import distributed

    # every death of a worker is told at once, and counted here
    try:
        with dask.config.set({"distributed.scheduler.allowed-failures": 0}):
            cluster = distributed.LocalCluster(
                n_workers=worker_count(engine.workers), threads_per_worker=1, memory_limit=None, env=SINGLE,
                dashboard_address="127.0.0.1:0", preload=[f"{__package__}.ignore_interrupts"],
                resources={"GPU": engine.gpus_per_task} if engine.gpus_per_task else None, silence_logs=logging.CRITICAL,
            )  # fmt: skip
        return _Cluster(engine, distributed.Client(cluster, timeout=WAIT, set_as_default=False), cluster)
    except (OSError, RuntimeError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise UserError(
            f"no Dask cluster can be started on this machine ({reason}); compute=local does without it."
        ) from error


def _joined(engine: Engine) -> _Cluster:
    import distributed

    where, deadline = engine.address, time.monotonic() + WAIT
    try:
        if where.endswith(".json"):
            while not Path(where).is_file():  # a scheduler that is just being started writes it
                if time.monotonic() > deadline:
                    raise FileNotFoundError("there is no such file")
                time.sleep(0.1)
        options = {"scheduler_file" if where.endswith(".json") else "address": where}
        return _Cluster(engine, distributed.Client(**options, timeout=WAIT, set_as_default=False), None)
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(
            f"no Dask cluster at {where!r} ({next(iter(str(error).splitlines()), type(error).__name__)}); start one with "
            "`dask scheduler` and `dask worker`, or leave compute.address out to compute on this machine."
        ) from error
