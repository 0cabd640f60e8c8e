"""One thread a worker, so that the bits do not depend on how many workers there are."""

import contextlib
import os
import sys
from collections.abc import Iterator

from threadpoolctl import threadpool_limits

VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS",
             "VECLIB_MAXIMUM_THREADS", "NUMBA_NUM_THREADS")  # fmt: skip
SINGLE = dict.fromkeys(VARIABLES, "1")


def torch_single_thread() -> None:
    """Let torch, if it is loaded, compute with one thread from now on."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


@contextlib.contextmanager
def single_thread() -> Iterator[None]:
    """Compute with one thread inside: libraries loaded already, and those loaded later or by children."""
    before = {name: os.environ.get(name) for name in VARIABLES}
    torch = sys.modules.get("torch")
    threads = torch.get_num_threads() if torch else None
    os.environ.update(SINGLE)
    torch_single_thread()
    try:
        with threadpool_limits(1):
            yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})
        if torch:
            torch.set_num_threads(threads)
