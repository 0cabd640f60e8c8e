"""A Dask cluster: one that is joined, or workers of this machine."""

import contextlib
import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask
import distributed
import psutil

from twophase.errors import UserError
from twophase.infra.compute import Engine, worker_count
from twophase.infra.compute.clusters import base
from twophase.infra.compute.clusters.base import Cluster, reason
from twophase.infra.compute.worker import SINGLE, failure

WAIT = 30  # seconds for a cluster to answer
PATIENCE = 1.0  # seconds for workers to end by themselves


class Dask(Cluster):
    def __init__(self, engine: Engine):
        super().__init__(engine)
        self._own: distributed.LocalCluster | None = None  # of this machine
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
            self.client = distributed.Client(**option, timeout=WAIT, set_as_default=False)
        except (OSError, ValueError, RuntimeError) as error:
            raise UserError(
                f"no Dask cluster at {where!r} ({reason(error)}); start one with `dask scheduler` and `dask worker`, or leave "
                "compute.address out to compute on this machine."
            ) from error

    def _start(self) -> None:
        try:
            # every death of a worker is told at once, and counted here
            with dask.config.set({"distributed.scheduler.allowed-failures": 0}):
                self._own = distributed.LocalCluster(
                    n_workers=worker_count(self.engine.workers),
                    threads_per_worker=1,
                    memory_limit=None,
                    env=SINGLE,
                    dashboard_address="127.0.0.1:0",
                    preload=[base.__name__],
                    resources=self._held(),
                    silence_logs=logging.CRITICAL,
                    security=True,  # else whoever reaches the port, another user of this machine too, can run code as this one
                )
            self.client = distributed.Client(self._own, timeout=WAIT, set_as_default=False)
        except (OSError, RuntimeError) as error:
            raise UserError(
                f"no Dask cluster can be started on this machine ({reason(error)}); compute=local does without it."
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
        # a task that carries its data is meant to: it would be warned of
        with self._answering(), dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 TB"}):
            return self.client.submit(base.computed, packed, pure=False, resources=self._held())

    def done(self) -> Any:
        return distributed.as_completed(loop=self.client.loop)

    def result(self, future: Any) -> Any:
        with self._answering():
            if future.cancelled():
                raise OSError("it has ended")
            error = future.exception()
            result = base.unpack(future.result()) if error is None else failure(error)
        if isinstance(error, distributed.KilledWorker):
            raise base.Killed(error.allowed_failures + 1)
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
        except (OSError, distributed.client.FutureCancelledError) as error:
            where = self.engine.address or "of this machine"
            raise UserError(
                f"the Dask cluster {where} no longer answers ({error}); what was finished is kept: start the cluster, and repeat "
                "the same command."
            ) from error
