"""Processes of this machine (joblib's loky: they stay warm from one map to the next)."""

import importlib
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from twophase.infra.compute import worker

IDLE = 60  # seconds after which workers that have nothing to do end
GROWTH = 4 * 2**30  # bytes by which a worker may grow; at loky's 300 MB libraries and a model have it replaced
_POOLS: list[Any] = []  # the last that was asked for


def processes(function: Callable, items: list[Any], count: int) -> Iterator[tuple[int, Any]]:
    """Keep `count` items in flight. If a worker is killed, those in flight run again: half as many at a time, at last alone.

    A killed worker takes all of joblib's with it, so it cannot be told whose item it was.
    """
    waiting = {count: list(range(len(items)))[::-1]}  # items by how many may run beside each other
    kills = [0] * len(items)
    while waiting:
        width = max(waiting)
        queue, in_flight, broken = waiting.pop(width), {}, []
        pool = _workers(width)
        try:
            while queue or in_flight:
                while queue and len(in_flight) < width:
                    in_flight[pool.submit(worker.guarded, function, items[queue[-1]])] = queue[-1]
                    queue.pop()
                done = wait(in_flight, return_when=FIRST_COMPLETED).done
                for future in sorted(done, key=lambda future: isinstance(future.exception(), BrokenProcessPool)):
                    error = future.exception()
                    if isinstance(error, BrokenProcessPool):
                        raise error
                    # what cannot travel between processes is a failure of its own
                    yield in_flight.pop(future), future.result() if error is None else worker.failure(error)
        except BrokenProcessPool:
            broken = list(in_flight.values())
        except BaseException:  # Ctrl-C, an error, a map that is left early: the workers end at once
            pool.shutdown(wait=True, kill_workers=True)
            raise
        if queue:
            waiting[width] = queue
        for index in broken:
            kills[index] += width == 1
            if kills[index] < worker.MOST_KILLS:
                waiting.setdefault(max(1, width // 2), []).append(index)
            else:
                yield index, worker.Failure(worker.KILLED)


def warm(modules: Iterable[str], count: int) -> None:
    """Start workers, and let them import modules while this process goes on; the next map of that many finds them ready."""
    pool = _workers(count)
    for _ in range(count):
        pool.submit(_import, list(modules))


def stop() -> None:
    """End the workers that there are at once, whatever they do: at the end of a process they would be waited for."""
    if _POOLS:
        _POOLS.pop().shutdown(wait=True, kill_workers=True)


def _import(modules: list[str]) -> None:
    for module in modules:
        importlib.import_module(module)


def _workers(width: int) -> Any:
    """Workers with this process's environment and folder: those that there are, if they have both."""
    from joblib.externals.loky import get_reusable_executor

    given, environment = (os.getpid(), os.getcwd()), dict(os.environ) | worker.SINGLE
    pool = get_reusable_executor(width, timeout=IDLE, initializer=_start_worker, initargs=given, env=environment)
    _POOLS[:] = [pool]
    return pool


def _start_worker(parent: int, folder: str) -> None:
    from joblib.externals.loky import process_executor

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # no public name; a new worker imports for seconds, and has forgotten encoded tasks
    process_executor._MAX_MEMORY_LEAK_SIZE = GROWTH
    os.chdir(folder)
    worker.die_with(parent)
    worker.torch_single_thread()
