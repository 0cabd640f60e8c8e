"""What all proxy scores have in common: the registry, the errors, determinism, order and label names."""

import inspect
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch
from sklearn.preprocessing import LabelEncoder

from twophase import proxies
from twophase.errors import UserError
from twophase.proxies import PROXIES, PROXY_INPUTS


@pytest.fixture(params=sorted(PROXIES))
def name(request):
    return request.param


def data(name, separation=1.0, n=60, dimensions=6, classes=3):
    """Valid (first argument, labels) for a proxy; with separation either kind of input is informative."""
    rng = np.random.default_rng(3)
    labels = np.arange(n) % classes
    values = rng.normal(size=(n, dimensions)) + separation * np.eye(classes, dimensions)[labels] * 3
    if PROXY_INPUTS[name] == "probabilities":
        values = np.exp(values)
        values /= values.sum(axis=1, keepdims=True)
    return values, labels


def test_registry_names_every_function_once():
    others = {"__init__", "_proxy", "_checks"}
    files = {path.stem for path in Path(proxies.__file__).parent.glob("*.py")} - others
    assert {f"_{name}" for name in PROXIES} == files and len(PROXIES) >= 6
    assert set(PROXIES) == set(PROXY_INPUTS)
    assert set(PROXY_INPUTS.values()) == {"probabilities", "features"}
    for name, function in PROXIES.items():
        assert getattr(proxies, name) is function


def test_options_are_keyword_only_and_have_defaults(name):
    positional, options = [], []
    for parameter in inspect.signature(PROXIES[name]).parameters.values():
        (options if parameter.kind is parameter.KEYWORD_ONLY else positional).append(parameter)
    assert [p.name for p in positional] == [PROXY_INPUTS[name], "labels"]
    assert all(p.default is not p.empty for p in options)


def test_informative_beats_noise(name):
    informative, labels = data(name, separation=1.0)
    noise, _ = data(name, separation=0.0)
    assert PROXIES[name](informative, labels) > PROXIES[name](noise, labels)


def test_a_plain_float_that_repeats(name):
    values, labels = data(name)
    score = PROXIES[name](values, labels)
    assert type(score) is float
    assert np.isfinite(score)
    assert PROXIES[name](values, labels) == score


def test_lists_and_single_precision_do(name):
    values, labels = data(name)
    single = values.astype(np.float32)
    expected = PROXIES[name](single.astype(np.float64), labels)
    assert PROXIES[name](single, labels.astype(np.int32)) == expected
    assert PROXIES[name](single.tolist(), labels.tolist()) == expected


NAMES = np.array(["ant", "bee", "cat"])


@pytest.mark.parametrize(
    "kind",
    [
        lambda y: NAMES[y],
        lambda y: pd.Series(NAMES[y], name="label"),
        lambda y: pd.Categorical.from_codes(y, ["cow", "ant", "bee"]),
        lambda y: y[:, None],
        lambda y: pd.DataFrame({"label": NAMES[y]}),
        lambda y: y.astype(float),
        lambda y: pd.array(y, dtype="Int64"),
        lambda y: torch.tensor(y)[:, None],
    ],
)
def test_labels_of_any_kind_are_numbered_as_by_scikit_learn(name, kind):
    values, labels = data(name)
    given = kind(labels)
    expected = LabelEncoder().fit_transform(np.asarray(given).ravel())
    assert PROXIES[name](values, given) == PROXIES[name](values, expected)


@pytest.mark.parametrize("kind", [lambda y: y > 0, lambda y: np.where(y > 0, 1, -1), lambda y: torch.tensor(y > 0)])
def test_two_classes_may_be_booleans_or_plus_and_minus_one(name, kind):
    values, labels = data(name)
    assert PROXIES[name](values, kind(labels)) == PROXIES[name](values, (labels > 0).astype(int))


@pytest.mark.parametrize(
    "kind",
    [
        lambda v: torch.tensor(v, requires_grad=True),
        lambda v: [torch.tensor(row, requires_grad=True) for row in v],
        lambda v: torch.tensor(v).bfloat16(),
        lambda v: scipy.sparse.csr_matrix(v),
        lambda v: pd.DataFrame(v).astype("Float64"),
    ],
)
def test_tensors_sparse_matrices_and_frames_do(name, kind):
    values, labels = data(name)
    exact = torch.tensor(values).bfloat16().double().numpy()  # numbers that every one of them holds
    given = kind(exact)
    assert PROXIES[name](given, labels) == PROXIES[name](exact, labels)


def test_random_state_is_the_seed(blobs):
    for name in ("linear_probe", "nleep"):
        given = blobs(0.3)
        assert PROXIES[name](*given, random_state=1) == PROXIES[name](*given, seed=1) != PROXIES[name](*given)
        with pytest.raises(TypeError, match="multiple values"):
            PROXIES[name](*given, random_state=1, seed=1)


def test_input_is_left_alone(name):
    values, labels = data(name)
    before = values.copy(), labels.copy()
    PROXIES[name](values, labels)
    np.testing.assert_array_equal(values, before[0])
    np.testing.assert_array_equal(labels, before[1])


def test_class_numbers_do_not_matter_only_which_examples_share_one(name):
    values, labels = data(name)
    # Order kept and a gap left: a subset of a dataset need not hold every class.
    assert PROXIES[name](values, labels * 7 + 2) == PROXIES[name](values, labels)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda v, y: (v[0], y), r"shape \(6,\).*\(N, [DZ]\)"),
        (lambda v, y: (v[None], y), r"shape \(1, 60, 6\)"),
        (lambda v, y: (v[:0], y[:0]), r"non-empty"),
        (lambda v, y: (v[:, :0], y), r"non-empty"),
        (lambda v, y: (v.astype(str), y), r"real numbers"),
        (lambda v, y: (v + 0j, y), r"complex128.*real numbers"),
        (lambda v, y: ([[0.5, 0.5], [1.0]], y[:2]), r"different lengths"),
        (lambda v, y: (np.where(np.arange(6) == 2, np.nan, v), y), r"NaN or infinity in 60 of 60 rows"),
        (lambda v, y: (np.where(np.arange(60)[:, None] == 7, np.inf, v), y), r"in 1 of 60 rows \(first: row 7\)"),
        (lambda v, y: (v, y[:-1]), r"got 59 for 60 rows"),
        (lambda v, y: (v, np.eye(3)[y]), r"shape \(60, 3\)"),
        (lambda v, y: (y, v), r"shape \(60,\).*\(N, [DZ]\)"),
        (lambda v, y: (v, [[0, 1], [0]]), r"labels.*different lengths"),
        (lambda v, y: (v, y + 0.5), r"got 0\.5; needs classes, not a quantity"),
        (lambda v, y: (v, np.where(y == 0, np.nan, y)), r"got 20 that are missing"),
        (lambda v, y: (v, [None if label == 0 else "x" for label in y]), r"got 20 that are missing"),
        (lambda v, y: (v, np.array(["x" if label else 0 for label in y], object)), r"of the types int, str; needs one"),
        (lambda v, y: (v, y - 1), r"got -1.*integers from 0"),
        (lambda v, y: (v, y * 0 + 4), r"one class only \(4\).*at least 2"),
    ],
)
def test_bad_input_is_named(name, spoil, words):
    with pytest.raises(UserError, match=words):
        PROXIES[name](*spoil(*data(name)))


@pytest.mark.parametrize(
    ("name", "option", "words"),
    [
        ("h_score", {"shrinkage": "oas"}, "got 'oas'; allowed: 'none', 'ledoit-wolf'"),
        ("knn", {"k": 200}, "got 200 for 200 examples"),
        ("knn", {"k": 0}, "k: got 0; allowed"),
        ("knn", {"k": True}, "k: got True; allowed"),
        ("knn", {"metric": "manhattan"}, "got 'manhattan'; allowed: 'cosine', 'euclidean'"),
        ("linear_probe", {"folds": 1}, "folds: got 1; allowed: a whole number from 2"),
        ("linear_probe", {"strength": 0}, "strength: got 0; allowed: a number above 0"),
        ("linear_probe", {"strength": float("nan")}, "strength: got nan"),
        ("linear_probe", {"seed": -3}, "seed: got -3"),
        ("nleep", {"energy": 0}, "energy: got 0; allowed"),
        ("nleep", {"energy": 1.0}, "energy: got 1.0; allowed"),
        ("nleep", {"components_per_class": 0}, "components_per_class: got 0; allowed"),
        ("nleep", {"components_per_class": 2.5}, "whole number"),
        ("nleep", {"examples_per_component": 0}, "examples_per_component: got 0"),
        ("nleep", {"covariance": "tied"}, "got 'tied'; allowed: 'diag', 'full'"),
        ("nleep", {"seed": -1}, "seed: got -1"),
    ],
)
def test_options_out_of_range_are_named(blobs, name, option, words):
    with pytest.raises(UserError, match=words):
        PROXIES[name](*blobs(1.0), **option)
