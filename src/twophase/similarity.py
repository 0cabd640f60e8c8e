"""How alike two models are (Eq. 1): models x models in [0, 1]."""

import numpy as np
import pandas as pd

from twophase.errors import UserError
from twophase.inputs import as_matrix, as_table, up_to

K = 5  # datasets of Eq. 1, where there are as many


def top_k_similarity(matrix: pd.DataFrame, k: int | None = None, positive_only: bool = False) -> pd.DataFrame:
    """Eq. 1: one minus the mean of the k largest absolute differences between two models' scores.

    Args:
        matrix: performance matrix, m datasets (rows) x n models (columns), scores in [0, 1].
        k: number of datasets on which two models differ most, 1 <= k <= m; None: `K`, or m with a warning if that is less.
        positive_only: as the released code, skip the datasets where either score is not positive.

    Returns:
        (n, n) frame, symmetric, with ones on the diagonal; n * n * 8 bytes.

    Raises:
        UserError: k out of range; or see `as_matrix`.
    """
    matrix = as_matrix(matrix)
    k = up_to("k", k, len(matrix), "datasets", K)
    models = matrix.to_numpy().T  # (n, m)
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
        UserError: no table of numbers, a vector of zeros or with empty values.
    """
    vectors = as_table(vectors, "vectors", "models (rows) x dimensions (columns)")
    values = vectors.to_numpy()
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    bad = ~(np.isfinite(lengths[:, 0]) & (lengths[:, 0] > 0))
    if bad.any():
        raise UserError(
            f"vectors of {list(vectors.index[bad][:5])} are zero or not finite; a cosine needs a direction."
        )
    similarity = np.clip((values / lengths) @ (values / lengths).T, 0, 1)
    np.fill_diagonal(similarity, 1)
    return pd.DataFrame(similarity, index=vectors.index, columns=vectors.index)
