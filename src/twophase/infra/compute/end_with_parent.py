"""Processes that end with the one that started them, however that one ended."""

import contextlib
import itertools
import os
import threading
import time

import psutil

SHELLS = ("sh", "bash", "dash", "zsh", "fish", "ksh")
HEARTBEAT = 0.5  # seconds between two looks at whether the parent still lives


def die_with(parent: int) -> None:
    """End this process when its parent, a process number, ends."""
    threading.Thread(target=_die_with, args=(parent,), daemon=True).start()


def _die_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(HEARTBEAT)
    os._exit(1)


def die_with_launcher() -> None:
    """End this process when the one that started it ends, whether a shell stands in between or not."""
    line = [os.getpid(), os.getppid()]
    with contextlib.suppress(psutil.Error):
        while psutil.Process(line[-1]).name() in SHELLS:
            line.append(psutil.Process(line[-1]).ppid())
    threading.Thread(target=_watch, args=(line,), daemon=True).start()


def _watch(line: list[int]) -> None:
    def linked(child: int, parent: int) -> bool:
        try:
            return psutil.Process(child).ppid() == parent
        except psutil.Error:
            return False

    while all(linked(*pair) for pair in itertools.pairwise(line)):
        time.sleep(HEARTBEAT)
    os._exit(1)
