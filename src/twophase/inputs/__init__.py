"""What the core takes: tables, scores and numbers as users of numpy, pandas and torch have them, or one line that says why not."""

import warnings
from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_list_like

from twophase.errors import UserError


def as_matrix(matrix: Any) -> pd.DataFrame:
    """The performance matrix as float64: m datasets (rows) x n models (columns); of an array both are numbered from 0.

    Raises:
        UserError: no table of numbers, models as rows, empty cells, scores out of range, names that stand twice or do not sort.
    """
    matrix = as_datasets_by_models(matrix)
    if matrix.empty:
        raise UserError("the performance matrix is empty; it needs datasets as rows and models as columns.")
    for names, axis in ((matrix.columns, "models"), (matrix.index, "datasets")):
        if not names.is_unique:
            raise UserError(f"{axis} {list(names[names.duplicated()])} stand twice in the matrix; names are unique.")
        in_order(names, axis)
    values = matrix.to_numpy()
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


def as_datasets_by_models(matrix: Any) -> pd.DataFrame:
    """A table of scores, holes allowed; raises UserError: none, or its axes are named the other way round."""
    matrix = as_table(matrix, "matrix", "datasets (rows) x models (columns)")
    if matrix.index.name == "model" or matrix.columns.name == "dataset":
        raise transposed(matrix)
    return matrix


def as_clustered(matrix: Any, clusters: Any) -> pd.DataFrame:
    """The performance matrix of clustered models; raises UserError: no clusters, or of other models; or see `as_matrix`."""
    if not hasattr(clusters, "representatives"):
        raise UserError(f"clusters: got {shown(clusters)}; allowed is what cluster_models(matrix) returns.")
    models, matrix = set(clusters.labels.index), as_matrix(matrix)
    if models == set(matrix.columns):
        return matrix
    if models == set(matrix.index):
        raise transposed(matrix)
    raise UserError("clusters and matrix do not name the same models; cluster the columns of this matrix.")


def transposed(matrix: pd.DataFrame) -> UserError:
    """The complaint about a matrix whose rows are models."""
    return UserError(
        f"the matrix is transposed: its rows are the models ({few(matrix.index)}), its columns the datasets "
        f"({few(matrix.columns)}); pass matrix.T."
    )


def as_similarity(similarity: Any, models: pd.Index) -> pd.DataFrame:
    """Models x models, in the order of `models`; raises UserError: it is of others, or no similarity."""
    named = isinstance(similarity, pd.DataFrame)
    similarity = as_table(similarity, "similarity", "models (rows) x models (columns)")
    if not named and similarity.shape == (len(models), len(models)):
        similarity = similarity.set_axis(models).set_axis(models, axis=1)
    if set(similarity.index) != set(models) or set(similarity.columns) != set(models):
        strangers = sorted(set(similarity.index) ^ set(models), key=str)[:5]
        raise UserError(f"similarity and matrix do not name the same models; they differ in {strangers}.")
    if not (np.isfinite(similarity.to_numpy()).all() and (np.diag(similarity) > 0).all()):
        raise UserError(
            "similarity holds NaN, infinity, or zeros on the diagonal, as distances do; allowed is 1 - distance of every two "
            "models."
        )
    return similarity.loc[models, models]


def as_table(values: Any, name: str, shape: str) -> pd.DataFrame:
    """A float64 frame of a frame, a mapping of columns, or anything that is an array of two dimensions.

    Raises:
        UserError: it is none, or holds what is no number; `name` and `shape` say what was asked for.
    """
    try:
        table = values if isinstance(values, pd.DataFrame) else plain(values)
        if not isinstance(table, pd.DataFrame | Mapping) and np.ndim(table) != 2:
            raise TypeError(f"its shape is {np.shape(table)}")
        return pd.DataFrame(table).astype(np.float64)
    except (TypeError, ValueError) as error:
        raise UserError(
            f"{name}: got {shown(values)}; allowed is a table of numbers, {shape}: a data frame or an array ({error})."
        ) from error


def as_scores(scores: Any, *orders: Iterable) -> pd.Series:
    """Scores by model, float64: of a Series or a mapping by its names, of an array by those of `orders` that are as many.

    Raises:
        UserError: they are no numbers, name a model twice, or are an array that fits none of `orders`.
    """
    try:
        found = pd.Series(plain(scores), dtype=np.float64).astype(np.float64)  # of what is nested pandas makes objects
    except (TypeError, ValueError) as error:
        raise UserError(
            f"proxy scores: got {shown(scores)}; allowed are numbers by model, a Series or a dict ({error})."
        ) from error
    if not found.index.is_unique:
        raise UserError(
            f"proxy scores of {list(found.index[found.index.duplicated()][:5])} stand twice; each model has one."
        )
    if orders and not hasattr(scores, "keys"):
        fitting = [list(names) for names in orders if len(names) == len(found)]
        if not fitting:
            raise UserError(
                f"proxy scores: got {len(found)} without names; allowed are {' or '.join(str(len(names)) for names in orders)}, "
                f"in the order of {' or of '.join(few(names) for names in orders)}; or a Series by model."
            )
        found.index = fitting[0]
    return found


def as_models(runs: Any, models: Any) -> list:
    """What a selection selects from, in the order of names; raises UserError: no runs, no names, none, or one twice."""
    if not hasattr(runs, "advance") or isinstance(models, str | pd.DataFrame) or not is_list_like(models):
        raise UserError(
            f"got {shown(runs)} as runs, {shown(models)} as models; allowed are RecordedRuns or LiveRuns, then a list of names "
            "(of a recall table: table.index[:10])."
        )
    models = in_order(models, "models")
    if not models:
        raise UserError("no models to select from; give at least one.")
    if len(set(models)) < len(models):
        raise UserError("a model is named twice; each stands once.")
    return models


def in_order(names: Iterable, what: str) -> list:
    """The names, sorted, so that no result depends on the order in which they were given.

    Raises:
        UserError: they are of types that do not compare, or one is missing.
    """
    names = list(names)
    try:
        if not pd.isna(names).any():
            return sorted(names)
    except TypeError:
        pass
    types = ", ".join(sorted({type(name).__name__ for name in names}))
    raise UserError(f"the names of the {what} are of the types {types}; make all of them text (astype(str)).")


def up_to(name: str, got: int | None, most: int, of: str, usual: int | None = None) -> int | None:
    """A whole number from 1 to `most`, the number of what `of` says; for None the usual one, or `most` with a warning.

    Raises:
        UserError: it is none.
    """
    if got is None and most:
        if usual is not None and usual > most:
            warnings.warn(f"{name} is {most} instead of {usual}: there are {most} {of}.", stacklevel=3)
        return usual and min(usual, most)
    if isinstance(got, bool) or not isinstance(got, Integral) or not 1 <= got <= most:
        raise UserError(f"{name} is {shown(got)}; allowed: 1 to {most}, the number of {of}.")
    return got


def check_choice(name: str, got: Any, allowed: Iterable[str]) -> None:
    """UserError unless `got` is one of `allowed`."""
    if not isinstance(got, str) or got not in allowed:
        raise UserError(f"{name}: got {shown(got)}; allowed: {', '.join(map(repr, allowed))}.")


def not_negative(value: Any) -> bool:
    """Whether it is a number of at least 0."""
    return isinstance(value, Real) and not isinstance(value, bool) and bool(value >= 0)


def plain(values: Any) -> Any:
    """Tensors and sparse matrices as NumPy can read them: detached, on the processor, of a type that it has."""
    if isinstance(values, Mapping):
        return {name: plain(value) for name, value in values.items()}
    if isinstance(values, list | tuple) and values and hasattr(values[0], "detach"):
        return [plain(value) for value in values]
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        try:
            return values.numpy()
        except TypeError:  # bfloat16
            return values.float().numpy()
    return values.toarray() if hasattr(values, "toarray") else values


def shown(value: Any) -> str:
    """What was got, in a line: a number or text itself, of anything else the type."""
    return repr(value) if value is None or np.isscalar(value) else type(value).__name__


def few(names: Iterable, n: int = 3) -> str:
    """The first names."""
    names = list(names)
    return ", ".join(map(str, names[:n])) + " …" * (len(names) > n)
