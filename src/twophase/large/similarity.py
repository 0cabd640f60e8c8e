"""Eq. 1 compiled and in blocks: the bits of `twophase.similarity.top_k_similarity`, for many models or some of them."""

import os

import numpy as np
import pandas as pd
from joblib import Parallel, cpu_count, delayed
from numba import njit

from twophase.errors import UserError
from twophase.inputs import as_matrix, up_to
from twophase.similarity import K

TILE = 64  # models compared at once: their k largest gaps stay in the nearest cache
TURNS = 32  # of each thread, at most: rows differ in cost
ROWS = 64  # models that a thread takes at a time, at least
SMALL = 100_000  # pairs that are not worth a second thread


class TopKSimilarity:
    """Eq. 1 of a performance matrix, computed where it is asked for.

    The pairs of 20,000 models take 3.2 GB as a frame; most callers need a block of them, or each pair once.

    Args:
        matrix, k: see `twophase.similarity.top_k_similarity`.

    Raises:
        UserError: as there.
    """

    def __init__(self, matrix: pd.DataFrame, k: int | None = None):
        matrix = as_matrix(matrix)
        self.values, self.models = matrix.to_numpy(), matrix.columns  # (m, n)
        self.k = up_to("k", k, len(matrix), "datasets", K)

    def frame(self) -> pd.DataFrame:
        """All of it: (n, n), symmetric, with ones on the diagonal; n * n * 8 bytes."""
        return self.between(self.models, self.models)

    def between(self, models, others) -> pd.DataFrame:
        """The rows `models` and columns `others` of `frame`, and nothing else in memory.

        Raises:
            UserError: a model that is not in the matrix.
        """
        left, right = self._scores(models), self._scores(others)
        pairs = np.empty(left.shape[1] * right.shape[1])
        in_threads(_eq_1, right.shape[1], len(pairs), right, left, False, self.k, pairs)
        # columns stand in memory one after the other, as in a frame: what sums over them give depends on it
        return pd.DataFrame(pairs.reshape(right.shape[1], left.shape[1]).T, models, others, copy=False)

    def _scores(self, models) -> np.ndarray:
        names = pd.Index(models)
        places = self.models.get_indexer(names)
        if (places < 0).any():
            raise UserError(f"models {list(names[places < 0][:5])} are not in the matrix that the similarity is of.")
        return np.ascontiguousarray(self.values[:, places])


def in_threads(kernel, rows: int, pairs: int, *arguments) -> None:
    """`kernel(first, last, *arguments)` for all rows. Each pair is computed by itself: threads change no bit.

    There are as many as NUMBA_NUM_THREADS says, which workers set to 1, or as this machine has cores.
    """
    threads = int(os.environ.get("NUMBA_NUM_THREADS") or cpu_count())
    if pairs < SMALL or threads == 1:
        kernel(0, rows, *arguments)
        return
    size = max(ROWS, rows // (threads * TURNS))
    Parallel(threads, prefer="threads")(
        delayed(kernel)(first, min(first + size, rows), *arguments) for first in range(0, rows, size)
    )


@njit(nogil=True, cache=True)  # compiled once a machine, not once a process
def _eq_1(first, last, left, right, once, k, pairs):
    """Fills `pairs` for models `first` to `last` of `left` (m, a) against `right` (m, b); `once`: later ones only."""
    m, b = right.shape
    largest = np.empty((k, TILE))  # descending
    gap = np.empty(TILE)
    for i in range(first, last):
        begin = i + 1 if once else 0
        place = i * (2 * b - i - 1) // 2 if once else i * b
        for start in range(begin, b, TILE):
            width = min(TILE, b - start)
            largest[:] = 0
            for d in range(m):
                own = left[d, i]
                for w in range(width):
                    gap[w] = abs(own - right[d, start + w])
                for rank in range(k):
                    for w in range(width):  # branches would keep the processor from comparing several models at once
                        kept, new = largest[rank, w], gap[w]
                        largest[rank, w] = kept if kept > new else new
                        gap[w] = new if kept > new else kept
            for w in range(width):
                total = 0.0
                for rank in range(k - 1, -1, -1):  # ascending: the sum must not depend on the order of the datasets
                    total += largest[rank, w]
                pairs[place] = min(max(1 - total / k, 0.0), 1.0)
                place += 1


def pair_distances(values: np.ndarray, k: int) -> np.ndarray:
    """One minus Eq. 1 of each pair of models once, ordered as `scipy.spatial.distance.pdist` does.

    Args:
        values: (m datasets, n models) scores, checked before.
        k: of Eq. 1.

    Returns:
        n * (n - 1) / 2 numbers in [0, 1], which is all the memory it takes.
    """
    values = np.require(values, requirements=["C", "W"])  # for read-only arrays the kernel would be compiled anew
    n = values.shape[1]
    pairs = np.empty(n * (n - 1) // 2)
    in_threads(_eq_1, n, len(pairs), values, values, True, k, pairs)
    return np.subtract(1, pairs, out=pairs)
