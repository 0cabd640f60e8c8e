"""What every proxy score asks of its input, checked before any computing.

Shapes: N examples, D feature dimensions, Z source labels, C target classes that occur.
"""

import numpy as np
import pandas as pd

from twophase.errors import UserError
from twophase.inputs import plain

# Softmax outputs of half-precision models miss one by up to about a thousandth.
SUM_TOLERANCE = 1e-2


def check_features(features, labels):
    """Return features as float64 (N, D) and labels as integers 0..C-1 (N,); UserError names what is wrong."""
    features = _matrix(features, "features", "(N, D)")
    return features, _labels(labels, len(features), "features")


def check_probabilities(probabilities, labels):
    """Return probabilities as float64 (N, Z), rows summing to one, and labels as integers 0..C-1 (N,)."""
    probabilities = _matrix(probabilities, "probabilities", "(N, Z)")
    if probabilities.min() < 0:
        raise UserError(
            f"probabilities: got {probabilities.min():.4g}; allowed are values from 0 to 1: "
            "pass the softmax of the source head, not its logits"
        )
    sums = probabilities.sum(axis=1)
    worst = int(np.abs(sums - 1).argmax())
    if abs(sums[worst] - 1) > SUM_TOLERANCE:
        raise UserError(
            f"probabilities: row {worst} sums to {sums[worst]:.4g}; every row must sum to 1: "
            "pass the softmax over all the source labels"
        )
    return probabilities / sums[:, None], _labels(labels, len(probabilities), "probabilities")


def to_unit(features):
    """Features (N, D) divided by their largest value, so that squares and products stay within range."""
    return features / (max(features.max(), -features.min()) or 1.0)


def check_whole(name, value, least):
    """UserError unless `value` is a whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise UserError(f"{name}: got {value!r}; allowed: a whole number from {least} up")


def check_positive(name, value):
    """UserError unless `value` is a finite number above zero."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not 0 < value < np.inf:
        raise UserError(f"{name}: got {value!r}; allowed: a number above 0")


def _array(values, name, shape):
    try:
        return np.asarray(plain(values))
    except ValueError as error:
        raise UserError(f"{name}: got rows of different lengths; needs an array of shape {shape}") from error


def _matrix(values, name, shape):
    array = _array(values, name, shape)
    if array.ndim != 2 or 0 in array.shape:
        raise UserError(f"{name}: got shape {array.shape}; needs a non-empty array of shape {shape}")
    if array.dtype.kind == "O":  # such as a frame of pandas' own Float64
        array = pd.DataFrame(array).infer_objects().to_numpy()
    if array.dtype.kind not in "fiub":
        raise UserError(f"{name}: got values of type {array.dtype}; needs real numbers")
    array = array.astype(np.float64, order="C", copy=False)  # of a frame, too: the last bit depends on the order
    rows = np.flatnonzero(~np.isfinite(array).all(axis=1))
    if len(rows):
        raise UserError(
            f"{name}: got NaN or infinity in {len(rows)} of {len(array)} rows (first: row {rows[0]}); "
            "needs finite numbers: check the model's outputs or leave the model out"
        )
    return array


def _labels(labels, length, name):
    """Numbered from 0 in the order of the classes, as by scikit-learn's LabelEncoder."""
    array = _array(labels, "labels", "(N,)")
    if array.ndim == 2 and array.shape[1] == 1:  # a column, as of a frame
        array = array[:, 0]
    if array.ndim != 1:
        raise UserError(f"labels: got shape {array.shape}; needs shape (N,), one label an example")
    if len(array) != length:
        raise UserError(f"labels: got {len(array)} for {length} rows of {name}; needs one label a row")
    if missing := int(pd.isna(array).sum()):
        raise UserError(f"labels: got {missing} that are missing; needs one of each example: leave unlabelled ones out")
    if array.dtype.kind == "f" and (array % 1 != 0).any():
        raise UserError(f"labels: got {array[array % 1 != 0][0]:g}; needs classes, not a quantity: cut it into classes")
    try:
        classes, numbered = np.unique(array, return_inverse=True)
    except TypeError as error:
        types = ", ".join(sorted({type(label).__name__ for label in array}))
        raise UserError(f"labels: got values of the types {types}; needs one type") from error
    if len(classes) < 2:
        raise UserError(f"labels: got one class only ({classes[0]}); needs examples of at least 2 classes")
    if array.dtype.kind in "fi" and classes[0] < 0 and classes.tolist() != [-1, 1]:
        raise UserError(f"labels: got {classes[0]:g}; needs integers from 0: leave unlabelled examples out")
    return numbered
