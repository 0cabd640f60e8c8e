"""Which cluster a model joins: the one whose members are nearest on average, if they are below a threshold.

That is what average linkage asks of a single model. It costs O(clusters) a model, because a cluster is seen through
some of its members only. Most clusters are ruled out without Eq. 1. One minus Eq. 1 is the mean of the k largest gaps,
N(x - y), and

- N is a norm, so convex: the mean of N(x - y) over members y is at least N(x - c), c being their mean;
- N is at least the mean gap of any k datasets.

So a cluster whose centre has, on any k datasets, a mean gap that reaches the best distance so far cannot be nearer.
The datasets are looked at in groups of k, those on which models differ most first.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit

from twophase.large.similarity import in_threads

TILE = 64  # clusters looked at together
MARGIN = 1e-9  # far above what rounding does to a mean of gaps, far below any difference that matters
BATCH = 2048  # models compared with the leaders there are, before those among them that lead are known


@dataclass(frozen=True)
class Prototypes:
    """Clusters as `nearest` sees them.

    Attributes:
        centres: (m datasets, clusters) means of the members below.
        members: (members, m) scores, one cluster after the other.
        starts: (clusters + 1,) where each begins.
    """

    centres: np.ndarray
    members: np.ndarray
    starts: np.ndarray


def prototypes(models: np.ndarray, clusters: np.ndarray, most: int) -> Prototypes:
    """Of each cluster up to `most` members, evenly spaced by rank.

    Args:
        models: (n, m) scores by falling prior, so that the first member kept is the representative.
        clusters: (n,) numbers from 0, none left out.
        most: members kept of a cluster.
    """
    order = np.argsort(clusters, kind="stable")
    sizes = np.bincount(clusters)
    kept = np.minimum(sizes, most)
    starts = np.concatenate([[0], np.cumsum(kept)])
    rank = np.arange(starts[-1]) - np.repeat(starts[:-1], kept)
    place = np.repeat(np.cumsum(sizes) - sizes, kept) + rank * np.repeat(sizes, kept) // np.repeat(kept, kept)
    members = models[order[place]]
    centres = np.add.reduceat(members, starts[:-1]) / kept[:, None]
    return Prototypes(np.ascontiguousarray(centres.T), members, starts)


def nearest(models: np.ndarray, known: Prototypes, k: int, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Cluster of each model, -1 where none is near enough, and its mean distance (`threshold` where there is none).

    Args:
        models: (n, m) scores, the datasets in the order of `known`.
        known: the clusters.
        k: of Eq. 1.
        threshold: a model joins below it; ties go to the cluster of lower number.
    """
    cluster, distance = np.full(len(models), -1), np.full(len(models), float(threshold))
    count = known.centres.shape[1]
    here = models, known.centres, known.members, known.starts, count, k, cluster, distance
    in_threads(_against_known, len(models), len(models) * count, *here)
    return cluster, distance


def join(models: np.ndarray, known: Prototypes, k: int, threshold: float) -> np.ndarray:
    """Cluster of each model: the nearest of the known ones, or a new one by `lead`, numbered after them.

    Args:
        models: (n, m) scores by falling prior, the datasets in the order of `known`.
        known, k, threshold: see `nearest`.
    """
    cluster, _ = nearest(models, known, k, threshold)
    left = cluster < 0
    cluster[left] = known.centres.shape[1] + lead(models[left], k, threshold)
    return cluster


def lead(models: np.ndarray, k: int, threshold: float) -> np.ndarray:
    """Leader clustering (Hartigan 1975): each model joins the nearest leader below the threshold, or becomes one.

    Args:
        models: (n, m) scores by falling prior: a leader has the highest prior of its cluster.
        k: of Eq. 1.
        threshold: any two leaders are at least this far apart.

    Returns:
        (n,) numbers from 0, in the order in which leaders come.
    """
    n, m = models.shape
    cluster, distance = np.full(n, -1), np.full(n, float(threshold))
    # room for as many leaders as models: of what is never written the system gives no memory
    centres, members, starts, count = np.empty((m, n)), np.empty((n, m)), np.arange(n + 1), 0
    for first in range(0, n, BATCH):
        last = min(first + BATCH, n)
        here = models[first:last], centres, members, starts, count, k, cluster[first:last], distance[first:last]
        in_threads(_against_known, last - first, (last - first) * count, *here)
        count = _among_new(*here)
    return cluster


@njit(nogil=True, cache=True)
def _distance_below(limit, own, members, first, last, k, largest):
    """Mean distance of a model to members `first` to `last`; infinite as soon as it is sure to reach `limit`."""
    total = 0.0
    for y in range(first, last):
        largest[:] = 0  # ascending
        for d in range(len(own)):
            gap = abs(own[d] - members[y, d])
            if gap > largest[0]:
                place = 0
                while place + 1 < k and largest[place + 1] < gap:
                    largest[place] = largest[place + 1]
                    place += 1
                largest[place] = gap
        total += largest.sum() / k
        if total > (limit + MARGIN) * (last - first):
            return np.inf
    return total / (last - first)


@njit(nogil=True, cache=True)
def _scan(own, centres, members, starts, begin, end, k, near, best):
    """The nearest of clusters `begin` to `end` if its distance is below `best`; else what came in."""
    m = len(own)
    partial, bound, largest = np.empty(TILE), np.empty(TILE), np.empty(k)
    for start in range(begin, end, TILE):
        width = min(TILE, end - start)
        bound[:] = 0
        lowest = 0.0
        for group in range(0, m - k + 1, k):
            partial[:] = 0
            for d in range(group, group + k):
                for w in range(width):
                    partial[w] += abs(own[d] - centres[d, start + w])
            lowest = np.inf
            for w in range(width):
                bound[w] = max(bound[w], partial[w])
                lowest = min(lowest, bound[w])
            if lowest > k * (best + MARGIN):
                break
        if lowest > k * (best + MARGIN):
            continue
        for w in range(width):
            if bound[w] <= k * (best + MARGIN):
                found = _distance_below(best, own, members, starts[start + w], starts[start + w + 1], k, largest)
                if found < best:
                    near, best = start + w, found
    return near, best


@njit(nogil=True, cache=True)
def _against_known(first, last, models, centres, members, starts, count, k, cluster, distance):
    """Nearest of the first `count` clusters for models `first` to `last`, into `cluster` and `distance`."""
    for x in range(first, last):
        cluster[x], distance[x] = _scan(models[x], centres, members, starts, 0, count, k, cluster[x], distance[x])


@njit(nogil=True, cache=True)
def _among_new(models, centres, members, starts, count, k, cluster, distance):
    """The same against the leaders after the first `count`, which models that join none become; their number."""
    old = count
    for x in range(len(models)):
        cluster[x], distance[x] = _scan(models[x], centres, members, starts, old, count, k, cluster[x], distance[x])
        if cluster[x] < 0:
            centres[:, count] = models[x]
            members[count] = models[x]
            cluster[x] = count
            count += 1
    return count
