"""How well clusters hold together."""

from __future__ import annotations

import numpy as np

from twophase.clustering.clusters import Clusters
from twophase.errors import UserError


def silhouette(clusters: Clusters, variant: str = "standard", models: str = "all") -> float:
    """Mean silhouette coefficient of a clustering.

    Args:
        clusters: what `cluster_models` returned.
        variant: "standard" (Rousseeuw 1987: b is the mean distance to the nearest other cluster; singletons have 0)
            or "released" (b is the mean distance to all models outside the cluster; singletons are left out).
        models: "all", or "clustered": as if there were no models but the members of non-singleton clusters.

    Returns:
        A number in [-1, 1]; NaN where it is not defined (one cluster, or singletons only).

    Raises:
        UserError: an unknown variant or selection of models.
    """
    if variant not in ("standard", "released"):
        raise UserError(f"unknown silhouette variant {variant!r}; allowed: standard, released.")
    if models not in ("all", "clustered"):
        raise UserError(f"models={models!r}; allowed: all, clustered.")
    labels = clusters.labels.to_numpy()
    distances = 1 - clusters.similarity.to_numpy()
    np.fill_diagonal(distances, 0)
    clustered = np.isin(labels, clusters.non_singletons)
    if len(set(labels)) < 2 or len(set(labels)) == len(labels):
        return float("nan")
    if variant == "standard":
        from sklearn.metrics import silhouette_samples

        kept = clustered if models == "clustered" else np.ones_like(clustered)
        if len(set(labels[kept])) < 2:
            return float("nan")
        return float(silhouette_samples(distances[np.ix_(kept, kept)], labels[kept], metric="precomputed").mean())
    scores = []
    for i in np.flatnonzero(clustered):
        own = labels == labels[i]
        within = distances[i, own].sum() / (own.sum() - 1)
        beyond = distances[i, ~own].mean()
        scores.append((beyond - within) / max(within, beyond, np.finfo(float).tiny))
    return float(np.mean(scores))
