"""Part *proxies*: our scores beside transformer-ranker's and beside the papers' formulas, on the same arrays, one thread.

`seconds` is measured as each is used; `score` is that result; `comparable` is the other side's score by our definition,
where a difference between the two can be undone; each case below says which.
"""

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.special import softmax
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture
from tqdm import tqdm

from reproduction.bench.timing import INSTALL, in_turn
from twophase import proxies
from twophase.errors import UserError
from twophase.infra.compute import single_thread

OURS, RANKER, PAPER = "twophase", "transformer-ranker", "the paper's formula"
SIGNAL = 0.3  # standard deviation of the class means, that of the noise being one
DECAY = 0.5  # the i-th direction has a standard deviation of i^-DECAY, as features of trained models have long tails
NEIGHBOURS = 3  # transformer-ranker's default
CONVERGED = {"max_iter": 2000, "tol": 1e-13}  # its fixed point of LogME stops after 11 steps otherwise


def run(settings: Mapping[str, Any], repeats: int) -> pd.DataFrame:
    """Every proxy at every size of `proxies` in conf/bench.yaml, at least `repeats` times.

    Columns: proxy, n, d, classes, side, repeat, seconds, score, comparable (NaN where definitions differ; on our side: what
    to compare it with).

    Raises:
        UserError: transformer-ranker is not installed.
    """
    jobs = [(name, size) for size in settings["sizes"] for name in ("logme", "h_score", "h_score_plain", "knn")]
    jobs += [("leep", size) for size in settings["probabilities"]] + [("nleep", size) for size in settings["mixtures"]]
    rows = []
    with single_thread():
        for name, (n, d, classes) in tqdm(jobs, desc="proxies", unit="size"):
            made = probabilities if name == "leep" else features
            values, labels = made(n, d, classes, settings["seed"])
            ours, other, alike = CASES[name](values, labels)
            side = PAPER if name in ("leep", "nleep") else RANKER
            timed = in_turn({OURS: ours, side: other}, repeats, settings["seconds"])
            same = dict(zip((OURS, side), alike(), strict=True)) if alike else {}
            for row in timed:
                score = float(row.pop("result"))
                head = {"proxy": name, "n": n, "d": d, "classes": classes}
                rows.append(head | row | {"score": score, "comparable": same.get(row["side"], score)})
    return pd.DataFrame(rows)


def _theirs(estimator: str, values: np.ndarray, labels: np.ndarray, **options) -> Callable[..., float]:
    """What fits an estimator of transformer-ranker and gives its score."""
    try:
        from transformer_ranker import estimators
    except ImportError:
        raise UserError(f"transformer-ranker is not installed; {INSTALL}") from None
    arrays = {"embeddings": torch.from_numpy(np.ascontiguousarray(values)), "labels": torch.from_numpy(labels)}
    return partial(getattr(estimators, estimator)(**options).fit, **arrays)


# Ours, the other, and both scores by one definition (None: they are so already).
Case = tuple[Callable[[], float], Callable[[], float], Callable[[], tuple[float, float]] | None]


def _logme(values: np.ndarray, labels: np.ndarray) -> Case:
    """Its evidence counts D - N weights too many where D > N: there it is given the same features turned into N dimensions."""
    ours = partial(proxies.logme, values, labels)

    def alike() -> tuple[float, float]:
        turned = values
        if values.shape[1] > len(values):
            turned = values @ np.linalg.svd(values.astype(np.float64), full_matrices=False)[2].T
        return ours(), _theirs("LogME", turned, labels)(**CONVERGED)

    return ours, _theirs("LogME", values, labels), alike


def _h_score(values: np.ndarray, labels: np.ndarray) -> Case:
    """Its between-class covariance is divided by N - 1, the features' own by N."""
    ours, other = partial(proxies.h_score, values, labels, shrinkage="ledoit-wolf"), _theirs("HScore", values, labels)
    return ours, other, lambda: (ours(), other() * (len(labels) - 1) / len(labels))


def _h_score_plain(values: np.ndarray, labels: np.ndarray) -> Case:
    """It always shrinks the covariance."""
    ours = partial(proxies.h_score, values, labels)
    return ours, _theirs("HScore", values, labels), lambda: (ours(), math.nan)


def _knn(values: np.ndarray, labels: np.ndarray) -> Case:
    """Of tied classes it takes the lowest number, ours that of the nearest; of two classes it gives F1, ours accuracy."""
    ours = partial(proxies.knn, values, labels, k=NEIGHBOURS, metric="euclidean")

    def alike() -> tuple[float, float]:
        # one neighbour has no ties, double precision no two that are equally near
        of_one = _theirs("NearestNeighbors", values.astype(np.float64), labels, k=1)
        return proxies.knn(values, labels, k=1, metric="euclidean"), of_one() if labels.max() > 1 else math.nan

    return ours, _theirs("NearestNeighbors", values, labels, k=NEIGHBOURS), alike


def _leep(values: np.ndarray, labels: np.ndarray) -> Case:
    return partial(proxies.leep, values, labels), partial(leep_as_written, values, labels), None


def _nleep(values: np.ndarray, labels: np.ndarray) -> Case:
    given = proxies.nleep.__wrapped__.__kwdefaults__
    wanted = given["components_per_class"] * (labels.max() + 1), len(labels) // given["examples_per_component"]
    options = {"components": max(2, min(wanted))} | {name: given[name] for name in ("energy", "covariance", "seed")}
    return partial(proxies.nleep, values, labels), partial(nleep_as_written, values, labels, **options), None


CASES = dict(logme=_logme, h_score=_h_score, h_score_plain=_h_score_plain, knn=_knn, leep=_leep, nleep=_nleep)


def features(n: int, dimensions: int, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Single-precision features (n, dimensions), as models give them, and labels (n,)."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    values = rng.normal(size=(n, dimensions)) + SIGNAL * rng.normal(size=(classes, dimensions))[labels]
    values *= np.arange(1, dimensions + 1) ** -DECAY
    return values.astype(np.float32), labels


def probabilities(n: int, source: int, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Softmax (n, source) of a source head, and labels (n,)."""
    logits, labels = features(n, source, classes, seed)
    return softmax(3 * logits.astype(np.float64), axis=1), labels


def leep_as_written(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """LEEP (Nguyen et al. 2020, Section 3): probabilities (N, Z), labels (N,)."""
    n, source = probabilities.shape
    joint = np.zeros((int(labels.max()) + 1, source))
    for theta, label in zip(probabilities, labels, strict=True):
        joint[label] += theta / n
    conditional = joint / joint.sum(axis=0)
    return sum(math.log(conditional[y] @ theta) for theta, y in zip(probabilities, labels, strict=True)) / n


def nleep_as_written(
    features: np.ndarray, labels: np.ndarray, energy: float, components: int, covariance: str, seed: int
) -> float:
    """N-LEEP (Li et al. 2021, Section 3.2): PCA that keeps `energy`, a mixture of `components`, LEEP of its posteriors.

    Features are (N, D), brought to a first component of variance one: what scikit-learn adds to variances is absolute.
    """
    projected = PCA(energy, svd_solver="full").fit_transform(features.astype(np.float64))
    projected /= projected[:, 0].std()
    mixture = GaussianMixture(
        components, covariance_type=covariance, init_params="k-means++", reg_covar=1e-3, random_state=seed
    )
    return leep_as_written(mixture.fit(projected).predict_proba(projected), labels)
