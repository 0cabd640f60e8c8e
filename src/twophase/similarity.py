"""How alike two models are (Eq. 1): models x models in [0, 1]."""

import numpy as np
import pandas as pd

from twophase.errors import UserError


def top_k_similarity(matrix: pd.DataFrame, k: int = 5, positive_only: bool = False) -> pd.DataFrame:
    """Eq. 1: one minus the mean of the k largest absolute differences between two models' scores.

    Args:
        matrix: performance matrix, m datasets (rows) x n models (columns), scores in [0, 1].
        k: number of datasets on which two models differ most, 1 <= k <= m.
        positive_only: as the released code, skip the datasets where either score is not positive.

    Returns:
        (n, n) frame, symmetric, with ones on the diagonal; n * n * 8 bytes.

    Raises:
        UserError: k out of range, empty cells, scores outside [0, 1], a model named twice.
    """
    models = check_matrix(matrix, k).to_numpy(dtype=np.float64).T  # (n, m)
    alike = np.empty((len(models), len(models)))
    for i, own in enumerate(models):
        gaps = np.abs(models[i:] - own)
        if positive_only:
            gaps[(models[i:] <= 0) | (own <= 0)] = 0
        largest = np.sort(gaps, axis=1)[:, -k:].T  # (k, n - i)
        # added one by one, ascending: the last bit must not depend on the order of the datasets
        alike[i, i:] = alike[i:, i] = 1 - sum(largest) / k
    return pd.DataFrame(alike.clip(0, 1), index=matrix.columns, columns=matrix.columns)


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


def check_matrix(matrix: pd.DataFrame, k: int = 1) -> pd.DataFrame:
    """The matrix itself (datasets x models), if it is one and has `k` datasets for Eq. 1.

    Raises:
        UserError: empty cells, scores out of range, doubled names; k out of range.
    """
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
    if not 1 <= k <= len(matrix):
        raise UserError(f"k is {k}; Eq. 1 needs 1 <= k <= {len(matrix)}, the number of datasets of the matrix.")
    return matrix
