"""How alike two models are: models x models in [0, 1]."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd

from .errors import UserError


def top_k_similarity(matrix: pd.DataFrame, k: int = 5, positive_only: bool = False) -> pd.DataFrame:
    """Eq. 1: one minus the mean of the k largest absolute differences between two models' scores.

    Args:
        matrix: performance matrix, m datasets (rows) x n models (columns), scores in [0, 1].
        k: number of datasets on which two models differ most, 1 <= k <= m.
        positive_only: as the released code, skip the datasets where either score is not positive.

    Returns:
        (n, n) frame, symmetric, with ones on the diagonal.

    Raises:
        UserError: k out of range, empty cells, scores outside [0, 1], a model named twice.
    """
    values = check_matrix(matrix).to_numpy(dtype=np.float64).T  # (n, m)
    m = values.shape[1]
    if not 1 <= k <= m:
        raise UserError(f"k is {k}; Eq. 1 needs 1 <= k <= {m}, the number of datasets of the matrix.")
    similarity = _kernel()(values, k, positive_only)
    return pd.DataFrame(np.clip(similarity, 0, 1), index=matrix.columns, columns=matrix.columns)


@cache
def _kernel():
    from numba import njit  # takes half a second, which the command line need not wait for

    return njit(_eq_1, cache=True)  # compiled once a machine, not once a process


def _eq_1(values, k, positive_only):
    n, m = values.shape
    similarity = np.ones((n, n))
    largest = np.empty(k)  # ascending: what a sum gives must not depend on the order of the datasets
    for i in range(n):
        for j in range(i + 1, n):
            largest[:] = 0
            for d in range(m):
                gap = abs(values[i, d] - values[j, d])
                if gap <= largest[0] or (positive_only and (values[i, d] <= 0 or values[j, d] <= 0)):
                    continue
                place = 0
                while place + 1 < k and largest[place + 1] < gap:
                    largest[place] = largest[place + 1]
                    place += 1
                largest[place] = gap
            total = 0.0
            for place in range(k):
                total += largest[place]
            similarity[i, j] = similarity[j, i] = 1 - total / k
    return similarity


def cosine_similarity(vectors: pd.DataFrame) -> pd.DataFrame:
    """Cosine of vectors, clipped to [0, 1].

    Args:
        vectors: (n models, d) frame, for instance embeddings of model cards or accuracy vectors.

    Raises:
        UserError: a vector of zeros or with empty values.
    """
    values = vectors.to_numpy(dtype=np.float64)
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    bad = ~(np.isfinite(lengths[:, 0]) & (lengths[:, 0] > 0))
    if bad.any():
        raise UserError(
            f"vectors of {list(vectors.index[bad][:5])} are zero or not finite; a cosine needs a direction."
        )
    similarity = np.clip((values / lengths) @ (values / lengths).T, 0, 1)
    np.fill_diagonal(similarity, 1)
    return pd.DataFrame(similarity, index=vectors.index, columns=vectors.index)


def check_matrix(matrix: pd.DataFrame) -> pd.DataFrame:
    """The matrix itself, if it is one. Raises UserError on empty cells, scores out of range, doubled names."""
    if matrix.empty:
        raise UserError("the performance matrix is empty; it needs datasets as rows and models as columns.")
    for names, axis in ((matrix.columns, "models"), (matrix.index, "datasets")):
        if not names.is_unique:
            raise UserError(f"{axis} {list(names[names.duplicated()])} stand twice in the matrix; names are unique.")
    values = matrix.to_numpy(dtype=np.float64)
    if (hole := ~np.isfinite(values)).any():
        d, m = np.argwhere(hole)[0]
        raise UserError(
            f"{hole.sum()} cells of the matrix are missing or not finite, the first: {matrix.columns[m]} on "
            f"{matrix.index[d]}; fill them or drop the models."
        )
    if values.min() < -1 or values.max() > 1:  # a correlation, as of a regression task, may be negative
        raise UserError(
            f"scores run from {values.min():g} to {values.max():g}; a performance matrix lies in [0, 1] "
            "(a correlation in [-1, 1]). Divide percentages by 100."
        )
    return matrix
