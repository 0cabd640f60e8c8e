import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from twophase.errors import UserError
from twophase.similarity import cosine_similarity, top_k_similarity

MATRIX = pd.DataFrame({"a": [0.9, 0.5, 0.1], "b": [0.8, 0.1, 0.1], "c": [0.9, 0.5, 0.4]}, index=["x", "y", "z"])


def test_eq_1_by_hand():
    # |a - b| = .1 .4 0; |a - c| = 0 0 .3; |b - c| = .1 .4 .3; the two largest: .25, .15, .35
    alike = top_k_similarity(MATRIX, k=2)
    assert alike.loc["a", "b"] == pytest.approx(0.75)
    assert alike.loc["a", "c"] == pytest.approx(0.85)
    assert alike.loc["b", "c"] == pytest.approx(0.65)


def test_released_variant_skips_datasets_without_a_positive_score():
    matrix = MATRIX.copy()
    matrix.loc["y", "b"] = 0.0
    assert top_k_similarity(matrix, k=1).loc["a", "b"] == pytest.approx(0.5)
    assert top_k_similarity(matrix, k=1, positive_only=True).loc["a", "b"] == pytest.approx(0.9)


@given(arrays(float, st.tuples(st.integers(1, 6), st.integers(1, 8)), elements=st.floats(0, 1)), st.data())
def test_similarity_is_symmetric_bounded_and_one_with_itself(values, data):
    k = data.draw(st.integers(1, values.shape[0]))
    alike = top_k_similarity(pd.DataFrame(values), k).to_numpy()
    assert (alike == alike.T).all() and alike.min() >= 0 and alike.max() <= 1
    assert (np.diag(alike) == 1).all()


@given(
    arrays(float, st.tuples(st.integers(1, 6), st.integers(2, 8)), elements=st.floats(-1, 1)), st.booleans(), st.data()
)
def test_similarity_is_the_mean_of_the_sorted_differences(values, positive_only, data):
    k = data.draw(st.integers(1, values.shape[0]))
    first, second = values[:, 0], values[:, 1]
    gaps = np.abs(first - second) * (((first > 0) & (second > 0)) | (not positive_only))
    expected = np.clip(1 - np.sort(gaps)[-k:].mean(), 0, 1)
    assert top_k_similarity(pd.DataFrame(values), k, positive_only).iloc[0, 1] == pytest.approx(expected, abs=1e-12)


def test_similarity_is_summed_from_the_smallest_of_the_largest():
    """The bits that results were made with: gaps added in ascending order, whatever the order of the datasets."""
    gaps = np.array([0.3, 1e-17, 0.1, 0.2, 0.7, 0.05])
    expected = 1 - ((((0.05 + 0.1) + 0.2) + 0.3) + 0.7) / 5
    for order in ([0, 1, 2, 3, 4, 5], [4, 2, 0, 5, 3, 1]):
        matrix = pd.DataFrame({"a": gaps[order], "b": np.zeros(6)})
        assert top_k_similarity(matrix, 5).loc["a", "b"] == expected


def test_cosine_by_hand():
    vectors = pd.DataFrame([[1.0, 0.0], [1.0, 1.0], [-1.0, 0.0]], index=list("abc"))
    alike = cosine_similarity(vectors)
    assert alike.loc["a", "b"] == pytest.approx(1 / np.sqrt(2)) and alike.loc["a", "c"] == 0
    with pytest.raises(UserError, match=r"vectors of \['b'\] are zero"):
        cosine_similarity(vectors.assign(**{}).mul([1, 0, 1], axis=0))


@pytest.mark.parametrize(
    ("matrix", "k", "message"),
    [
        (MATRIX, 4, "k is 4; allowed: 1 to 3, the number of datasets"),
        (MATRIX, 0, "k is 0"),
        (MATRIX.mask(MATRIX == 0.4), 2, "1 cells of the matrix are missing or not finite, the first: c on z"),
        (MATRIX * 100, 2, "scores run from 10 to 90"),
        (MATRIX.rename(columns={"b": "a"}), 2, r"models \['a'\] stand twice"),
        (MATRIX.iloc[:0], 1, "performance matrix is empty"),
    ],
)
def test_malformed_matrices_are_named(matrix, k, message):
    with pytest.raises(UserError, match=message):
        top_k_similarity(matrix, k)
