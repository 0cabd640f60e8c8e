"""Convergence trends: what a model's validation at a stage meant for its final test on benchmark datasets."""

import functools
from collections.abc import Iterable

import kmeans1d
import numpy as np
import pandas as pd

from twophase.errors import UserError
from twophase.inputs import up_to
from twophase.records import TrainingRecords

TRENDS = 4  # a stage, where there are as many datasets

Scores = pd.Series | np.ndarray | list[float]


def mine(val: Scores, test: Scores, n_trends: int | None = None) -> pd.DataFrame:
    """Cluster benchmark datasets by one model's validation at one stage (Section IV-C).

    The released code's K-means, but its optimum exactly, which in one dimension is found without a seed.

    Args:
        val: (m,) validation scores of the model at the stage, one a dataset.
        test: (m,) final test scores of the same runs.
        n_trends: number of trends; fewer come back where fewer distinct validation scores exist. None: `TRENDS`, or m with a
            warning if that is less.

    Returns:
        A row a trend, sorted by val: the mean validation and mean final test score of its datasets.

    Raises:
        UserError: more trends than datasets, fewer than one, lengths that differ, values that are not finite.
    """
    val, test = np.asarray(val, dtype=np.float64), np.asarray(test, dtype=np.float64)
    if val.shape != test.shape or val.ndim != 1:
        raise UserError(f"val has shape {val.shape}, test {test.shape}; both are one score a dataset.")
    if not (np.isfinite(val).all() and np.isfinite(test).all()):
        raise UserError("validation and test scores must be finite to mine trends; leave failed runs out.")
    n_trends = up_to("n_trends", n_trends, len(val), "datasets", TRENDS)
    order = np.lexsort((test, val))  # means add up rows: the order of the records must not matter
    val, test = val[order], test[order]
    groups = trend_of(val, n_trends)
    sizes = np.bincount(groups)
    means = {"val": np.bincount(groups, val) / sizes, "test": np.bincount(groups, test) / sizes}
    return pd.DataFrame(means, index=pd.RangeIndex(len(sizes), name="trend"))


def trend_of(val: Scores, n_trends: int) -> np.ndarray:
    """(m,) number of each score's trend, from 0 upwards by score; see `mine`."""
    val = np.asarray(val, dtype=np.float64)
    return _optimal(tuple(val.tolist()), min(n_trends, len(np.unique(val))))


@functools.lru_cache(maxsize=1 << 16)  # thresholds, methods and candidate sets ask for the same trends again
def _optimal(val: tuple[float, ...], n: int) -> np.ndarray:
    return np.array(kmeans1d.cluster(val, n).clusters)


def match(trends: pd.DataFrame, value: float) -> int:
    """Eq. 5: the trend whose mean validation is nearest to `value` (of two equally near, the lower)."""
    return int(np.abs(trends["val"].to_numpy() - value).argmin())


def predict(trends: pd.DataFrame, value: float) -> float:
    """Eq. 6: the mean final test score of the matched trend."""
    return float(trends["test"].to_numpy()[match(trends, value)])


class TrendPredictor:
    """Predicts a model's final test from its validation at a stage, from the model's own benchmark runs.

    Args:
        records: benchmark records with curves; the target's rows must not be among them. Seeds are averaged.
        n_trends: trends a stage, see `mine`; None: fewer for a model that was trained on fewer datasets.

    Raises:
        UserError: records without curves, more trends than datasets.
    """

    def __init__(self, records: TrainingRecords, n_trends: int | None = None):
        frame = records.frame
        if frame["val"].isna().any():
            raise UserError(
                "these records have no validation curves, so no convergence trends can be mined; "
                "use successive halving."
            )
        self._test = records.matrix(role=None, missing="keep")  # datasets x models
        val = frame.groupby(["epoch", "dataset", "model"])["val"].mean().unstack("model")
        rungs = sorted(val.index.unique("epoch"))
        self._val = {stage: val.loc[rung].reindex(self._test.index) for stage, rung in enumerate(rungs, 1)}
        self._n_trends = up_to("n_trends", n_trends, len(self._test), "datasets", TRENDS)
        self._least = 1 if n_trends is None else n_trends  # datasets that a model must have been trained on
        self._mined: dict[tuple[str, int], pd.DataFrame] = {}

    def check(self, models: Iterable[str], stages: int) -> None:
        """Whether the first `stages` stages of these models can be predicted, asked before any training.

        Raises:
            UserError: a model or stage without records, or on fewer datasets than there are trends.
        """
        for model in models:
            for stage in range(1, stages + 1):
                found = len(self._known(model, stage)[0])
                up_to("n_trends", self._least, found, f"benchmark datasets with stage {stage} of model {model!r}")

    def trends(self, model: str, stage: int) -> pd.DataFrame:
        """The trends of a model at a stage (from 1).

        Raises:
            UserError: a model or stage without records.
        """
        if (model, stage) not in self._mined:
            val, known = self._known(model, stage)
            n_trends = max(self._least, min(self._n_trends, len(val)))
            self._mined[model, stage] = mine(val, self._test[model].to_numpy()[known], n_trends)
        return self._mined[model, stage]

    def predict(self, model: str, stage: int, value: float) -> float:
        """Eq. 5 and 6 at a stage (from 1)."""
        return predict(self.trends(model, stage), value)

    def _known(self, model: str, stage: int) -> tuple[np.ndarray, np.ndarray]:
        """Validation scores, and of which datasets they are."""
        if model not in self._test:
            raise UserError(f"no benchmark records of model {model!r}; trends need the model's own runs.")
        if stage not in self._val:
            raise UserError(
                f"the benchmark records end after stage {max(self._val)}, so stage {stage} has no trends; "
                "train the benchmarks for as long as the target."
            )
        val = self._val[stage][model].to_numpy()
        known = ~np.isnan(val)
        return val[known], known
