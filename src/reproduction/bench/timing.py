"""How long things take, and how much memory; what is compared runs in turn, A B A B …, so that whatever else the machine
does falls on both."""

import contextlib
import re
import resource
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

INSTALL = "pip install -c constraints.txt -e '.[bench]' (`make bench` does)."


def in_turn(
    sides: Mapping[str, Callable[[], Any]], repeats: int, seconds: float = 0.0, warm: bool = True
) -> list[dict]:
    """Call each side (name -> what to time) once a repeat, in the order given.

    Args:
        repeats: of all of them, at least.
        seconds: go on repeating until they have taken so long together (short measurements need more of them).
        warm: whether to call each once before, unmeasured: imports, caches and worker processes are then there.

    Returns:
        A dict a call: side, repeat (from 1), seconds (wall-clock) and what it returned (`result`).
    """
    if warm:
        for call in sides.values():
            call()
    rows, spent, repeat = [], 0.0, 0
    while repeat < repeats or spent < seconds:
        repeat += 1
        for side, call in sides.items():
            start = time.perf_counter()
            result = call()
            took = time.perf_counter() - start
            spent += took
            rows.append({"side": side, "repeat": repeat, "seconds": took, "result": result})
    return rows


def with_peak(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """What `work` returns, its seconds, and the most memory that was resident meanwhile (MB of a million bytes)."""
    # Linux counts the most memory anew from here; elsewhere it is the process's so far
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    start = time.perf_counter()
    result = work()
    seconds = time.perf_counter() - start
    # ru_maxrss of a new process begins with its parent's on Linux; VmHWM does not
    status = Path("/proc/self/status")
    if status.is_file() and (found := re.search(r"VmHWM:\s+(\d+) kB", status.read_text())):
        return result, seconds, int(found[1]) * 1024 / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return result, seconds, peak / 1e6
