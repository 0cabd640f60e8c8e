"""What clusters have in common: what is asked of each kind, and how a task goes to a worker and its result comes back.

A task goes as bytes, and is computed there as it would be here: same folder, same variables, nothing beside it. So an
item or a result that cannot be pickled fails alone, whatever the cluster's own pickling.
"""

import contextlib
import os
import pickle
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import cloudpickle

from twophase.infra.compute import Engine, using
from twophase.infra.compute.worker import Failure, environment, guarded, single_thread

TRAVELLING = ("TWOPHASE_", "TRANSFORMERS_", "HF_HUB_", "HF_DATASETS_")  # how variables begin; an access token is none
AHEAD = 2  # tasks a worker that are handed over: a cluster may start more workers for those that wait
REFRESH = 2.0  # seconds after which it is asked again how many workers there are
_ALONE = threading.Lock()


class Killed(Exception):
    """So many workers died with a task, which need not be its fault."""

    def __init__(self, deaths: int):
        self.deaths = deaths


class Cluster:
    """A cluster that is joined at an engine's address, or one of this machine.

    Each kind says how many tasks it computes at the same time now (`_able`); turns a packed task into a future (`submit`); has
    what futures are added to and `next` takes one from that is done (`done`); has what such a future returned, or the failure
    that its exception is, or raises `Killed` (`result`); and ends what is under way of a map that is left early (`stop`).
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


def pack(function: Callable[[Any], Any], item: Any) -> bytes:
    """A task for `computed`; raises what pickling raises."""
    variables = {name: value for name, value in os.environ.items() if name.startswith(TRAVELLING)}
    # a pickle in a pickle: the inner one is read after the variables are set, since libraries look at them when imported
    return pickle.dumps((os.getcwd(), variables, cloudpickle.dumps((function, item))))


def computed(packed: bytes) -> bytes | Failure:
    """Compute a packed task in this process, a worker's, and pack its result.

    Libraries' random states, threads and variables belong to the process: where a worker has several threads, its tasks
    wait for each other. This machine may lack the folder.
    """
    folder, variables, task = pickle.loads(packed)
    place = contextlib.chdir(folder) if os.path.isdir(folder) else contextlib.nullcontext()
    with _ALONE, environment(variables), place, single_thread(), using(Engine("serial")):
        return guarded(_result, task)


def _result(task: bytes) -> bytes:
    function, item = pickle.loads(task)
    return cloudpickle.dumps(function(item))


def unpack(result: bytes | Failure) -> Any:
    """What `computed` has packed."""
    return result if isinstance(result, Failure) else pickle.loads(result)


def dask_setup(worker: Any) -> None:
    """Called by Dask in a worker that is started here: Ctrl-C is for the process that started it, which ends it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def reason(error: Exception) -> str:
    """The first line of an exception, or its type."""
    return next(iter(str(error).splitlines()), type(error).__name__)
