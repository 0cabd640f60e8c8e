"""In this process, or in processes of this machine (joblib's loky: they stay warm from one map to the next)."""

import contextlib
import importlib
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from twophase.infra.compute.end_with_parent import die_with
from twophase.infra.compute.failure import KILLED, MOST_KILLS, Failure, failure, guarded
from twophase.infra.compute.threads import SINGLE, single_thread, torch_single_thread

IDLE = 60  # seconds after which workers that have nothing to do end
GROWTH = 4 * 2**30  # bytes by which a worker may grow; at loky's 300 MB libraries and a model have it replaced


def serial(function: Callable, items: list[Any]) -> Iterator[tuple[int, Any]]:
    """One item after the other."""
    for index, item in enumerate(items):
        with single_thread():
            result = guarded(function, item)
        yield index, result


def processes(function: Callable, items: list[Any], count: int) -> Iterator[tuple[int, Any]]:
    """Keep ``count`` items in flight. If a worker is killed, those in flight run again: half as many at a time, at last alone.

    A killed worker takes all of joblib's with it, so it cannot be told whose item it was.
    """
    waiting = {count: list(range(len(items)))[::-1]}  # items by how many may run beside each other
    kills = [0] * len(items)
    while waiting:
        width = max(waiting)
        queue, in_flight, broken = waiting.pop(width), {}, []
        with _pool(width) as pool:
            try:
                while queue or in_flight:
                    while queue and len(in_flight) < width:
                        in_flight[pool.submit(guarded, function, items[queue[-1]])] = queue[-1]
                        queue.pop()
                    done = wait(in_flight, return_when=FIRST_COMPLETED).done
                    for future in sorted(done, key=lambda future: isinstance(future.exception(), BrokenProcessPool)):
                        result = _result(future)
                        yield in_flight.pop(future), result
            except BrokenProcessPool:
                broken = list(in_flight.values())
        if queue:
            waiting[width] = queue
        for index in broken:
            kills[index] += width == 1
            if kills[index] < MOST_KILLS:
                waiting.setdefault(max(1, width // 2), []).append(index)
            else:
                yield index, Failure(KILLED)


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


def _result(future: Future) -> Any:
    """What the worker returned; what cannot travel between processes is a failure of its own."""
    error = future.exception()
    if isinstance(error, BrokenProcessPool):
        raise error
    return future.result() if error is None else failure(error)


@contextlib.contextmanager
def _pool(width: int) -> Iterator[Any]:
    """The workers; left early (Ctrl-C, an error), they end at once."""
    pool = _workers(width)
    try:
        yield pool
    except BaseException as error:
        if not isinstance(error, BrokenProcessPool):
            pool.shutdown(wait=True, kill_workers=True)
        raise


def _workers(width: int) -> Any:
    """Workers with this process's environment and folder: those that there are, if they have both."""
    from joblib.externals.loky import get_reusable_executor

    pool = get_reusable_executor(
        width, timeout=IDLE, initializer=_start_worker, initargs=(os.getpid(), os.getcwd()), env=dict(os.environ) | SINGLE
    )  # fmt: skip
    _POOLS[:] = [pool]
    return pool


_POOLS: list[Any] = []  # the last that was asked for


def _start_worker(parent: int, folder: str) -> None:
    from joblib.externals.loky import process_executor

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    process_executor._MAX_MEMORY_LEAK_SIZE = (
        GROWTH  # no public name; a new worker imports for seconds, and has forgotten encoded tasks
    )
    os.chdir(folder)
    die_with(parent)
    torch_single_thread()
