"""What a worker does: it computes a task with one thread, turns an exception into a failure, and ends with its parent."""

import contextlib
import itertools
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psutil
from threadpoolctl import threadpool_limits

MOST_KILLS = 2  # an item whose worker dies this often, with none beside it to blame, is given up
KILLED = "its worker process was killed each time it was tried (out of memory?)"
LIBRARIES = ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "NUMBA")
SINGLE = {f"{library}_NUM_THREADS": "1" for library in LIBRARIES} | {"VECLIB_MAXIMUM_THREADS": "1"}
SHELLS = ("sh", "bash", "dash", "zsh", "fish", "ksh")
HEARTBEAT = 0.5  # seconds between two looks at whether the parent still lives


@dataclass(frozen=True)
class Failure:
    """An item that could not be computed.

    Attributes:
        reason: type and first line of the exception, or that its worker was killed.
    """

    reason: str


def failure(error: BaseException) -> Failure:
    """An exception as a failure."""
    lines = str(error).strip().splitlines()
    return Failure(f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__)


def guarded(function: Callable[[Any], Any], item: Any) -> Any:
    """`function(item)`, or the failure that its exception is; what a library in Rust raises in panic is no `Exception`."""
    try:
        return function(item)
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:
        return failure(error)


def torch_single_thread() -> None:
    """Let torch, if it is loaded, compute with one thread from now on."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


@contextlib.contextmanager
def single_thread() -> Iterator[None]:
    """Compute with one thread inside, so that the bits do not depend on how many workers there are.

    It holds for libraries loaded already, and for those loaded later or by children.
    """
    torch = sys.modules.get("torch")
    threads = torch.get_num_threads() if torch else None
    with environment(SINGLE):
        torch_single_thread()
        try:
            with threadpool_limits(1):
                yield
        finally:
            if torch:
                torch.set_num_threads(threads)


@contextlib.contextmanager
def environment(variables: dict[str, str]) -> Iterator[None]:
    """With variables set; as before afterwards, since a worker may serve others."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})


def die_with_launcher() -> None:
    """End this process when the one that started it ends, whether a shell stands in between or not."""
    line = [os.getppid()]
    with contextlib.suppress(psutil.Error):
        while psutil.Process(line[-1]).name() in SHELLS:
            line.append(psutil.Process(line[-1]).ppid())
    die_with(*line)


def die_with(*ancestors: int) -> None:
    """End this process when its parent or another of its `ancestors` ends: process numbers, each the child of the next."""
    threading.Thread(target=_watch, args=([os.getpid(), *ancestors],), daemon=True).start()


def _watch(line: list[int]) -> None:
    with contextlib.suppress(psutil.Error):
        while all(psutil.Process(child).ppid() == parent for child, parent in itertools.pairwise(line)):
            time.sleep(HEARTBEAT)
    os._exit(1)
