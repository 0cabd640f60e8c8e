"""Our proxy scores beside others', at tiny sizes: one definition gives one score."""

import numpy as np
import pytest

from reproduction.bench import proxies as bench
from twophase import proxies

SETTINGS = {
    "sizes": [[150, 12, 2], [150, 12, 5], [150, 200, 3]], "probabilities": [[100, 7, 3]], "mixtures": [[120, 10, 3]],
    "seconds": 0, "seed": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def measured():
    pytest.importorskip("transformer_ranker", reason="transformer-ranker is not installed: pip install -e '.[bench]'")
    return bench.run(SETTINGS, 2)


def test_every_proxy_is_measured_on_both_sides(measured):
    assert set(measured["proxy"]) == {"logme", "h_score", "h_score_plain", "knn", "leep", "nleep"}
    sides = measured.groupby(["proxy", "n", "d", "classes"])["side"].value_counts()
    assert (sides == 2).all() and len(sides) == 2 * (3 * 4 + 2)
    assert (measured["seconds"] > 0).all() and measured["score"].notna().all()


def test_scores_agree_where_definitions_do(measured):
    wide = measured.pivot_table(index=["proxy", "n", "classes"], columns="side", values="comparable")
    other = wide.drop(columns="twophase").bfill(axis=1).iloc[:, 0]
    both = other.notna()
    assert {name for name, *_ in wide.index[both]} == {"logme", "h_score", "knn", "leep", "nleep"}
    assert ((wide["twophase"] - other)[both].abs() < 1e-6).all()


def test_where_they_do_not_the_scores_differ(measured):
    """The corrections are needed: without them transformer-ranker's LogME (D > N) and H-score are other numbers."""
    wide = measured.pivot_table(index=["proxy", "n", "classes"], columns="side", values="score")
    far = (wide["twophase"] - wide["transformer-ranker"]).abs()
    assert far["logme", 150, 3] > 0.01
    assert far["h_score", 150, 5] > 1e-3


def test_references_are_the_papers_formulas():
    theta, labels = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]]), np.array([0, 0, 1])
    joint = np.array([[1.7, 0.3], [0.3, 0.7]]) / 3
    conditional = joint / joint.sum(axis=0)
    expected = np.log([(conditional[y] * row).sum() for row, y in zip(theta, labels, strict=True)]).mean()
    assert bench.leep_as_written(theta, labels) == pytest.approx(expected)
    assert proxies.leep(theta, labels) == pytest.approx(expected)


def test_arrays_have_classes_in_them_and_are_the_same_again():
    features, labels = bench.features(400, 16, 4, seed=3)
    assert features.dtype == np.float32 and features.shape == (400, 16) and set(labels) == set(range(4))
    assert proxies.knn(features, labels) > 0.4
    assert (features == bench.features(400, 16, 4, seed=3)[0]).all()
    theta, _ = bench.probabilities(50, 9, 4, seed=3)
    assert theta.shape == (50, 9) and theta.sum(axis=1) == pytest.approx(np.ones(50))
