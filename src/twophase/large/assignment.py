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

from twophase.large.compiled import against_known, among_new
from twophase.large.similarity import in_threads

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
    in_threads(against_known, len(models), len(models) * count, *here)
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
    room, count = 2 * BATCH, 0
    centres, members, starts = np.empty((m, room)), np.empty((room, m)), np.arange(room + 1)
    for first in range(0, n, BATCH):
        last = min(first + BATCH, n)
        if count + BATCH > room:  # twice as much: what was copied so often is linear in the end
            centres = np.concatenate([centres, np.empty((m, room))], axis=1)
            members = np.concatenate([members, np.empty((room, m))])
            room *= 2
            starts = np.arange(room + 1)
        here = models[first:last], centres, members, starts, count, k, cluster[first:last], distance[first:last]
        in_threads(against_known, last - first, (last - first) * count, *here)
        count = among_new(*here)
    return cluster
