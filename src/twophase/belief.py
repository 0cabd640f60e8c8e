"""One belief about a whole new dataset, learned from the benchmark datasets and conditioned on what is measured.

The belief is a Gaussian over the dataset's table of M models x Q quantities: proxy scores, the validation after each stage, the
final test. Mean and covariance are learned from the same tables of D benchmark datasets, standardised by quantity:

    mu    = the tables' average
    Sigma = (1 + 1/D) [(1 - a) S + a (J x C0 + ((1 - b) R + b I) x C1)] + (nu I x diag(C1) + J) on the proxies

S is the empirical covariance, of rank D - 1 at most; a (`shrink`) draws it to a structure: C0 (Q x Q), of the datasets' means
over models; C1 (Q x Q), of what is left, pooled over models; R (M x M), how models go together in what is left, drawn to the
identity by b (`own`); J is all ones. nu (`distrust`) believes proxies less than the benchmark does; the last term
believes little of a proxy's level, which the number of classes moves: differences between models count.
"""

import functools
from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2, norm

from twophase.errors import UserError

DRAWS = 4000  # of all models' final tests, for probabilities
LEVEL = 1.0  # variance of a proxy's level on a new dataset, standardised
RIDGE, DEGREES, TAIL = 1e-3, 20.0, 4.0  # the last two: of the t that surprise widens, of a Student noise on validations


@dataclass
class Belief:
    """What is believed of a new dataset's table, flattened by rows; each `see` conditions it.

    Attributes:
        mean, covariance: (M Q,) and (M Q, M Q).
        models, proxies: M; and how many of the Q quantities are proxy scores: the first.
        surprise, seen: squared Mahalanobis length of the proxy scores seen so far, and their number.
    """

    mean: np.ndarray
    covariance: np.ndarray
    models: int
    proxies: int
    surprise: float = 0.0
    seen: int = 0

    def __post_init__(self) -> None:
        self.quantities = len(self.mean) // self.models
        self._last = np.arange(self.models) * self.quantities + self.quantities - 1

    @property
    def finals(self) -> np.ndarray:
        """Expected final test of each model (M,)."""
        return self.mean[self._last]

    @property
    def spread(self) -> np.ndarray:
        """Covariance of the final tests (M, M), as much wider as the proxy scores are surprising."""
        return self.covariance[np.ix_(self._last, self._last)] * self.wider

    @property
    def unlike(self) -> bool:
        """Whether the proxy scores seen are unlike those of any benchmark dataset (chi-squared, one in a thousand)."""
        return bool(self.seen) and bool(chi2.sf(self.surprise, self.seen) < 1e-3)

    def see_proxies(self, model: int, scores: np.ndarray) -> None:
        """Condition on a model's proxy scores (P,), NaN where one is not defined."""
        there = np.flatnonzero(~np.isnan(scores))
        at = model * self.quantities + there
        off, block = scores[there] - self.mean[at], self._block(at)
        far = off @ np.linalg.solve(block, off)
        self._condition(at, off, block)
        self.surprise, self.seen = self.surprise + far, self.seen + len(at)

    def see_validation(self, model: int, stage: int, score: float) -> None:
        """Condition on a model's validation after a stage (from 1); one that is far off counts less."""
        at = np.array([model * self.quantities + self.proxies + stage - 1])
        off, block = score - self.mean[at], self._block(at)
        far = (off**2 / block).item() / self.wider
        self._condition(at, off, block / min(1.0, (TAIL + 1) / (TAIL + far)))

    def improvement(self, leader: int) -> np.ndarray:
        """Expected improvement of each model's final test over the leader's (M,)."""
        spread = self.spread
        gap = np.sqrt(np.maximum(np.diag(spread) + spread[leader, leader] - 2 * spread[leader], 1e-12))
        u = (self.finals - self.finals[leader]) / gap
        return gap * (norm.pdf(u) + u * norm.cdf(u))

    def chances(self, among: np.ndarray | None = None) -> np.ndarray:
        """Probability of each model to have the best final test (M,), by draws that are always the same.

        Args:
            among: (M,) true for the models that can be; None: all.
        """
        values, vectors = np.linalg.eigh(self.spread)
        drawn = self.finals + _normal(self.models) @ (vectors * np.sqrt(np.maximum(values, 0))).T
        best = (drawn if among is None else np.where(among, drawn, -np.inf)).argmax(axis=1)
        return np.bincount(best, minlength=self.models) / len(drawn)

    @property
    def wider(self) -> float:
        """By how much all variances are wider where the proxy scores are not as the benchmark had promised."""
        return max(1.0, (DEGREES + self.surprise) / (DEGREES + self.seen))

    def _block(self, at: np.ndarray) -> np.ndarray:
        return self.covariance[np.ix_(at, at)] + 1e-10 * np.eye(len(at))

    def _condition(self, at: np.ndarray, off: np.ndarray, block: np.ndarray) -> None:
        beside = self.covariance[:, at]
        gain = np.linalg.solve(block, beside.T)
        self.mean, self.covariance = self.mean + off @ gain, self.covariance - beside @ gain


@functools.cache  # drawing takes longer than what is done with the draws
def _normal(models: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((DRAWS, models))


def belief(tables: np.ndarray, proxies: int, shrink: float = 0.5, own: float = 0.5, distrust: float = 1.0) -> Belief:
    """The belief about a new dataset before anything is seen of it.

    Args:
        tables: (D, M, Q), D >= 2; NaN where a value is missing (it takes its dataset's mean). A model without any is believed
            to be like the others.
        proxies: how many of the Q quantities are proxy scores.
        shrink, own, distrust: a, b and nu above; infinite distrust leaves proxies out.

    Raises:
        UserError: fewer than two datasets, or one without any value of a quantity.
    """
    D, M, Q = tables.shape
    if D < 2 or np.isnan(tables).all(axis=1).any():
        raise UserError(
            f"a belief needs two benchmark datasets with a value of each of {Q} quantities; got {D} datasets."
        )
    new = np.isnan(tables).all(axis=(0, 2))
    tables = np.where(np.isnan(tables), np.nanmean(tables, axis=1, keepdims=True), tables)
    mu = tables.mean(axis=0)
    scale = (tables - mu).std(axis=(0, 1)) + 1e-9
    e = (tables - mu) / scale
    common = e.mean(axis=1)
    rest = e - common[:, None]
    C0 = common.T @ common / (D - 1)
    C1 = np.einsum("dmq,dmr->qr", rest, rest) / (M * (D - 1))
    unit = rest / np.sqrt(np.diag(C1) + 1e-12)
    R = np.einsum("dmq,dnq->mn", unit, unit) / (Q * (D - 1))
    flat = e.reshape(D, -1)
    structure = np.kron(np.ones((M, M)), C0) + np.kron((1 - own) * R + own * np.eye(M), C1)
    sigma = (1 + 1 / D) * ((1 - shrink) * flat.T @ flat / (D - 1) + shrink * structure)
    between = np.cov((mu[~new] / scale).T) + C1  # a model that was never measured may be any other
    sigma += np.kron(np.diag(new.astype(float)), between)
    noise = np.full(Q, RIDGE)
    noise[:proxies] += min(distrust, 1e9) * np.diag(C1)[:proxies]
    sigma[np.diag_indices(M * Q)] += np.tile(noise, M)
    level = np.where(np.arange(Q) < proxies, LEVEL, 0.0)
    sigma += np.kron(np.ones((M, M)), np.diag(level))
    by = np.tile(scale, M)
    return Belief(mu.ravel(), sigma * by[:, None] * by, M, proxies)
