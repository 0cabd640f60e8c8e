"""One parallel map: results in the order of the items, the same bits for any number of workers.

Every worker, and the serial mode too, computes with one thread. Workers die with their parent, however it
ended; the items of a killed worker are submitted again; an item's exception becomes a :class:`Failure` and
does not end the map.
"""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any

from twophase.errors import UserError

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS",
                    "VECLIB_MAXIMUM_THREADS", "NUMBA_NUM_THREADS")  # fmt: skip
MOST_KILLS = 2  # an item whose worker dies this often while it runs alone is given up
SHELLS = ("sh", "bash", "dash", "zsh", "fish", "ksh")
HEARTBEAT = 0.5  # seconds between two looks at whether the parent still lives


@dataclass(frozen=True)
class Failure:
    """An item that could not be computed.

    Attributes:
        reason: type and first line of the exception, or that its worker was killed.
    """

    reason: str


def worker_count(workers: int | None = None) -> int:
    """``workers``, else TWOPHASE_WORKERS, else the cores this process may use.

    Raises:
        UserError: not a whole number of at least 1.
    """
    given = workers if workers is not None else os.environ.get("TWOPHASE_WORKERS") or None
    if given is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        count = int(given)
    except (TypeError, ValueError):
        count = 0
    if count < 1:
        raise UserError(f"workers (TWOPHASE_WORKERS): got {given!r}; allowed is a whole number of at least 1")
    return count


def parallel_map(
    function: Callable[[Any], Any],
    items: Iterable[Any],
    workers: int | None = None,
    description: str | None = None,
    on_result: Callable[[int, Any], None] | None = None,
) -> list[Any]:
    """``[function(item) for item in items]`` on ``workers`` processes (1: in this one).

    Args:
        function: importable by name, since workers are fresh interpreters; so must be the items' classes.
        items: what to compute; results come back in this order.
        workers: see :func:`worker_count`.
        description: of the progress bar; None shows none.
        on_result: called in this process as ``on_result(index, result)`` when a result is there (any order).

    Returns:
        A result or a :class:`Failure` for each item.
    """
    items = list(items)
    count = min(worker_count(workers), len(items))
    results: list[Any] = [None] * len(items)
    computed = _serial(function, items) if count <= 1 else _processes(function, items, count)
    with _progress(len(items), description) as bar, contextlib.closing(computed):
        for index, result in computed:
            results[index] = result
            if on_result is not None:
                on_result(index, result)
            bar.update()
    return results


def _serial(function: Callable, items: list[Any]) -> Iterator[tuple[int, Any]]:
    with single_thread():
        for index, item in enumerate(items):
            yield index, _guarded(function, item)


def _processes(function: Callable, items: list[Any], count: int) -> Iterator[tuple[int, Any]]:
    """Keep ``count`` items in flight. If a worker is killed, those in flight run again one by one."""
    waiting, suspects = list(range(len(items)))[::-1], []
    kills = [0] * len(items)
    while waiting or suspects:
        alone = bool(suspects)
        queue, width = (suspects, 1) if alone else (waiting, count)
        in_flight: dict[Future, int] = {}
        with single_thread(), _pool(width) as pool:
            try:
                while queue or in_flight:
                    while queue and len(in_flight) < width:
                        in_flight[pool.submit(_guarded, function, items[queue[-1]])] = queue[-1]
                        queue.pop()
                    done = wait(in_flight, return_when=FIRST_COMPLETED).done
                    for future in sorted(done, key=lambda future: isinstance(future.exception(), BrokenProcessPool)):
                        result = _result(future)
                        yield in_flight.pop(future), result
            except BrokenProcessPool:
                broken = list(in_flight.values())
            else:
                continue
        for index in broken:
            kills[index] += alone
            if kills[index] < MOST_KILLS:
                suspects.append(index)
            else:
                yield index, Failure(f"its worker process was killed {MOST_KILLS} times (out of memory?)")


def _result(future: Future) -> Any:
    """What the worker returned; what cannot travel between processes is a failure of its own."""
    error = future.exception()
    if isinstance(error, BrokenProcessPool):
        raise error
    return future.result() if error is None else _failure(error)


@contextlib.contextmanager
def _pool(width: int) -> Iterator[ProcessPoolExecutor]:
    """Fresh interpreters; left early (Ctrl-C, an error), it ends them instead of waiting."""
    pool = ProcessPoolExecutor(width, multiprocessing.get_context("spawn"), _start_worker, (os.getpid(),))
    try:
        yield pool
    except BaseException:
        for worker in list((pool._processes or {}).values()):
            worker.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _start_worker(parent: int) -> None:
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with, args=(parent,), daemon=True).start()
    _torch_single_thread()


def _die_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(HEARTBEAT)
    os._exit(1)


def die_with_launcher() -> None:
    """End this process when the one that started it ends, whether a shell stands in between or not."""
    import psutil

    line = [os.getpid(), os.getppid()]
    with contextlib.suppress(psutil.Error):
        while psutil.Process(line[-1]).name() in SHELLS:
            line.append(psutil.Process(line[-1]).ppid())
    threading.Thread(target=_watch, args=(line,), daemon=True).start()


def _watch(line: list[int]) -> None:
    import psutil

    def linked(child: int, parent: int) -> bool:
        try:
            return psutil.Process(child).ppid() == parent
        except psutil.Error:
            return False

    while all(linked(*pair) for pair in itertools.pairwise(line)):
        time.sleep(HEARTBEAT)
    os._exit(1)


def _guarded(function: Callable, item: Any) -> Any:
    try:
        return function(item)
    except Exception as error:
        return _failure(error)


def _failure(error: BaseException) -> Failure:
    lines = str(error).strip().splitlines()
    return Failure(f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__)


def _torch_single_thread() -> None:
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


@contextlib.contextmanager
def single_thread() -> Iterator[None]:
    """Compute with one thread inside: libraries loaded already, and those loaded later or by children."""
    from threadpoolctl import threadpool_limits

    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    torch = sys.modules.get("torch")
    threads = torch.get_num_threads() if torch else None
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    _torch_single_thread()
    try:
        with threadpool_limits(1):
            yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})
        if torch:
            torch.set_num_threads(threads)


def _progress(total: int, description: str | None) -> Any:
    from tqdm import tqdm

    return tqdm(total=total, desc=description, disable=description is None, mininterval=0.5, dynamic_ncols=True)
