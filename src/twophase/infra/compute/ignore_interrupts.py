"""Loaded by the Dask workers that are started here: Ctrl-C is for the process that started them, which ends them."""

import signal
from typing import Any


def dask_setup(worker: Any) -> None:
    """Called by Dask in a worker that begins."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
