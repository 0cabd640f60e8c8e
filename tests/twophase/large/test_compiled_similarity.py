import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twophase.errors import UserError
from twophase.large import similarity
from twophase.large.similarity import TopKSimilarity, pair_distances
from twophase.similarity import top_k_similarity


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.integers(1, 150), st.integers(0, 10**6), st.sampled_from([1, 2, 17]), st.data())
def test_compiled_is_the_plain_formula_bit_for_bit(m, n, seed, digits, data):
    """Many equal gaps (one digit), negative scores, more models than a tile."""
    values = (np.random.default_rng(seed).random((m, n)) * 1.3 - 0.3).round(digits)
    matrix, k = pd.DataFrame(values), data.draw(st.integers(1, m))
    plain, compiled = top_k_similarity(matrix, k), TopKSimilarity(matrix, k).frame()
    assert plain.equals(compiled)
    # sums over rows have the bits of the order in memory
    assert plain.to_numpy().flags.f_contiguous and compiled.to_numpy().flags.f_contiguous
    assert (pair_distances(values, k) == 1 - plain.to_numpy()[np.triu_indices(n, 1)]).all()


def test_blocks_pairs_and_threads_are_the_frame_bit_for_bit(monkeypatch):
    values = np.random.default_rng(0).random((7, 150))
    matrix = pd.DataFrame(values, columns=[f"m{i}" for i in range(150)])
    alike = top_k_similarity(matrix, 3)
    rows, columns = ["m9", "m140", "m2"], ["m140", "m7"]
    assert TopKSimilarity(matrix, 3).between(rows, columns).equals(alike.loc[rows, columns])
    assert (pair_distances(values, 3) == 1 - alike.to_numpy()[np.triu_indices(150, 1)]).all()
    with pytest.raises(UserError, match=r"models \['z'\] are not in the matrix"):
        TopKSimilarity(matrix, 3).between(["z", "m1"], rows)
    monkeypatch.setattr(similarity, "SMALL", 0)
    monkeypatch.setenv("NUMBA_NUM_THREADS", "3")
    assert TopKSimilarity(matrix, 3).frame().equals(alike)
    assert (pair_distances(values, 3) == 1 - alike.to_numpy()[np.triu_indices(150, 1)]).all()
