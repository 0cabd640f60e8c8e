"""What makes a function of arrays a proxy score: a label for people, what it reads, and one thread to compute with."""

import functools

from threadpoolctl import ThreadpoolController

READS = ("probabilities", "features")


@functools.cache  # finding the libraries takes longer than most scores
def _libraries():
    # A limit reaches only what is loaded already, so scikit-learn comes before it.
    import sklearn.utils  # noqa: F401

    return ThreadpoolController()


def proxy(label, reads, released=False):
    """Mark a function as a proxy score; `twophase.proxies` finds it by this mark.

    It runs with the numerical libraries (BLAS, OpenMP) held to one thread. Sums that are split over threads differ in
    the last digit from sums that are not; and on matrices of some hundred rows threads gain little, while on a busy
    machine each small step waits for the slowest of them.

    Args:
        label: its usual name, for reports.
        reads: what its first argument is, "probabilities" (N, Z) over source labels or "features" (N, D).
        released: whether it only serves to show what the paper's released code computes.

    Raises:
        ValueError: `reads` is neither.
    """
    if reads not in READS:
        raise ValueError(f"reads={reads!r}; allowed: {', '.join(READS)}")

    def mark(function):
        @functools.wraps(function)
        def limited(*args, random_state=None, **kwargs):
            seeded = {} if random_state is None else {"seed": random_state}  # scikit-learn's name for it
            with _libraries().limit(limits=1):
                return function(*args, **kwargs, **seeded)

        limited.label, limited.reads, limited.released = label, reads, released
        return limited

    return mark
