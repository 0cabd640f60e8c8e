"""Performance matrices of any number of models, drawn from the statistics of real ones (low rank + noise).

Models come in families (a base model and what was trained from it). Family sizes follow a Pitman-Yor process: a new
model founds a family with probability (θ + α families) / (θ + models), else it joins one in proportion to the family's
size minus α; α and θ are fitted by maximum likelihood to the sizes of a real matrix's clusters. The number of families
grows as n^α, which is how clusters grow when the real matrix is sub-sampled.

Scores are low rank + noise, three times: the centre of a family of several models, a model without relatives, and the
deviation of a model from its family's centre. Each has a mean, a few directions (principal components times their
standard deviation) and a deviation of each dataset (of what the directions leave), fitted on centres of clusters, on
singletons, and on members of clusters. All are normal; scores are clipped to [0, 1].

`python -m reproduction.bench.simulated` fits anew and writes conf/simulated.yaml; it needs the published records.
"""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
import yaml
from numba import njit
from omegaconf import OmegaConf
from scipy.optimize import minimize
from scipy.special import gammaln

from twophase.clustering import Clusters
from twophase.errors import unknown
from twophase.infra.config import find_conf
from twophase.large import cluster_many
from twophase.sources.published import model_recycling

FILE = "simulated.yaml"
ZOOS = {"cleaned": True, "as_published": False}  # name -> whether the published matrix is cleaned
KINDS = ("family", "alone", "member")
BLOCK = 50_000  # models drawn at a time
HEAD = """\
# What bench.simulated draws matrices from: statistics of the published matrix of text models (model-recycling), with
# and without the rows that cleaning leaves out. Written by `python -m reproduction.bench.simulated`, not by hand."""


@dataclass(frozen=True)
class LowRank:
    """Normal vectors of m scores: mean (m,), directions (rank, m), noise (m,) standard deviations."""

    mean: np.ndarray
    directions: np.ndarray
    noise: np.ndarray

    def draw(self, n: int, random: np.random.Generator) -> np.ndarray:
        """(n, m) of them."""
        shared = random.standard_normal((n, len(self.directions))) @ self.directions
        return self.mean + shared + random.standard_normal((n, len(self.mean))) * self.noise


@dataclass(frozen=True)
class Statistics:
    """What a matrix is drawn from: names of datasets, α and θ of the families, `LowRank` by each of KINDS."""

    datasets: tuple[str, ...]
    alpha: float
    theta: float
    scores: dict[str, LowRank]


def fit(matrix: pd.DataFrame, clusters: Clusters, rank: int) -> Statistics:
    """The statistics of a matrix (datasets x models) and its clusters; `rank` directions each."""
    values, labels = matrix.T, clusters.labels.loc[matrix.columns]
    sizes = labels.map(labels.value_counts())
    related = values[sizes > 1]
    centres = related.groupby(labels[related.index]).mean()
    members = related - centres.loc[labels[related.index]].to_numpy()
    found = {"family": centres, "alone": values[sizes == 1], "member": members}
    scores = {kind: _low_rank(rows.to_numpy(), rank) for kind, rows in found.items()}
    return Statistics(tuple(matrix.index), *pitman_yor(labels.value_counts().to_numpy()), scores)


def pitman_yor(sizes: np.ndarray) -> tuple[float, float]:
    """α in (0, 1) and θ > 0 under which family sizes are likeliest (Pitman 1995, the partition's probability)."""
    families = np.arange(1, len(sizes))

    def unlikely(given: np.ndarray) -> float:
        alpha, theta = given
        founded = np.log(theta + alpha * families).sum() - gammaln(theta + sizes.sum()) + gammaln(theta + 1)
        return -(founded + (gammaln(sizes - alpha) - gammaln(1 - alpha)).sum())

    best = minimize(unlikely, (0.5, 1.0), bounds=[(1e-3, 1 - 1e-3), (1e-3, None)], method="L-BFGS-B")
    return tuple(best.x.tolist())


def _low_rank(rows: np.ndarray, rank: int) -> LowRank:
    mean = rows.mean(axis=0)
    left, scale, right = np.linalg.svd(rows - mean, full_matrices=False)
    freedom = np.sqrt(len(rows) - 1)
    rest = (left[:, rank:] * scale[rank:]) @ right[rank:]
    return LowRank(mean, scale[:rank, None] * right[:rank] / freedom, np.sqrt((rest**2).sum(axis=0)) / freedom)


def simulate(n: int, given: Statistics, seed: int = 0) -> pd.DataFrame:
    """A matrix, datasets x n models; the same for the same seed."""
    random = np.random.default_rng(seed)
    family = families(n, given.alpha, given.theta, random)
    sizes = np.bincount(family)
    centres = given.scores["family"].draw(len(sizes), random)
    values = np.empty((len(given.datasets), n))
    for first in range(0, n, BLOCK):
        here = family[first : first + BLOCK]
        related = centres[here] + given.scores["member"].draw(len(here), random)
        drawn = np.where(sizes[here, None] > 1, related, given.scores["alone"].draw(len(here), random))
        values[:, first : first + BLOCK] = np.clip(drawn, 0, 1).T
    return pd.DataFrame(values, list(given.datasets), [f"m{model:07d}" for model in range(n)], copy=False)


@njit(cache=True)
def families(n: int, alpha: float, theta: float, random: np.random.Generator) -> np.ndarray:
    """Family of each of n models, numbered as they are founded: a draw of the Pitman-Yor process."""
    family, sizes, count = np.zeros(n, np.int64), np.zeros(n, np.int64), 1
    sizes[0] = 1
    for model in range(1, n):
        if random.random() * (theta + model) < theta + alpha * count:
            family[model] = count
            count += 1
        else:
            joined = family[int(random.random() * model)]  # in proportion to size; then, less α
            while random.random() * sizes[joined] < alpha:
                joined = family[int(random.random() * model)]
            family[model] = joined
        sizes[family[model]] += 1
    return family


def read(name: str) -> Statistics:
    """Statistics of conf/simulated.yaml by name. Raises UserError on an unknown one."""
    found = OmegaConf.to_container(OmegaConf.load(find_conf() / FILE))
    if name not in found:
        raise unknown(f"simulated zoo {name!r}", name, found)
    here = found[name]
    scores = {kind: LowRank(**{key: np.array(value) for key, value in here[kind].items()}) for kind in KINDS}
    return Statistics(tuple(here["datasets"]), here["alpha"], here["theta"], scores)


def published(clean: bool, k: int, threshold: float, rank: int, mirror: str | None = None) -> Statistics:
    """Fitted on the published matrix of text models, with or without the rows that cleaning leaves out."""
    matrix = model_recycling.read(mirror, clean=clean).matrix
    return fit(matrix, cluster_many(matrix, k, threshold), rank)


def text(zoos: dict[str, Statistics]) -> str:
    """The file: a line per vector, four decimals."""
    values = {}
    for name, given in zoos.items():
        values[name] = {"alpha": round(given.alpha, 4), "theta": round(given.theta, 4), "datasets": [*given.datasets]}
        for kind, scores in given.scores.items():
            values[name][kind] = {key: np.round(numbers, 4).tolist() for key, numbers in vars(scores).items()}
    return f"{HEAD}\n{yaml.safe_dump(values, default_flow_style=None, sort_keys=False, width=math.inf)}"


if __name__ == "__main__":
    given = OmegaConf.load(find_conf() / "bench.yaml").clustering
    options = given.k, given.threshold, given.rank
    path = find_conf() / FILE
    path.write_text(text({name: published(clean, *options) for name, clean in ZOOS.items()}))
    print(f"{path} written")
