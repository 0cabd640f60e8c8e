"""One thread for each proxy score: the same bits on any number of cores, and no waiting on a busy machine."""

import functools
import sys


def single_threaded(function):
    """Run `function` with the numerical libraries (BLAS, OpenMP) held to one thread, and restore them after.

    Sums that are split over threads differ in the last digit from sums that are not; and on matrices of some
    hundred rows threads gain little, while on a busy machine each small step waits for the slowest of them.
    """

    @functools.wraps(function)
    def limited(*args, **kwargs):
        # A limit reaches only what is loaded already, so scikit-learn comes before it.
        import sklearn.utils  # noqa: F401

        with _libraries(len(sys.modules)).limit(limits=1):
            return function(*args, **kwargs)

    return limited


@functools.lru_cache(maxsize=1)
def _libraries(modules):
    """The libraries that are loaded. Looking for them takes longer than a small score, so it is done when modules have come."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
