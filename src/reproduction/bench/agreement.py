"""How well clusters from a sample agree with average linkage of all models, and what recall loses by them."""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
from sklearn.metrics import adjusted_rand_score

from reproduction.bench import simulated
from reproduction.tables import interval
from twophase.clustering import Clusters, silhouette
from twophase.large import RecallIndex, cluster_many
from twophase.large.sampled import evenly
from twophase.sources.published import catalogue, model_recycling

VARIANTS = {"cleaned": True, "as_published": False}  # of the published matrix: whether it is cleaned


def agreement(settings: Mapping, mirror: str | None = None) -> pd.DataFrame:
    """A row a matrix and share of its models that average linkage sees; means over targets.

    Args:
        settings: `clustering` of conf/bench.yaml.
        mirror: of published records; without them only simulated matrices are compared.

    Every target is a dataset left out of the matrix, its scores on the representatives are the proxy: a perfect one.

    Returns:
        source, n, share, targets; clusters and singletons of both; ari (adjusted Rand index: 0 is chance, 1 the same
        clusters); ari_of_sample: that of average linkage of the sample alone with average linkage of all, on the
        sample, which is how much average linkage agrees with itself; regret of both (best of all models minus the
        best of those recalled) and their difference with its 95 % bootstrap interval over targets.
    """
    rows = []
    for source, whole, targets in _matrices(settings, mirror):
        found: dict[float, list[dict]] = {share: [] for share in settings["agreement"]["shares"]}
        for target in targets:
            matrix, final = whole.drop(index=target), whole.loc[target].clip(0, 1)
            exact = _clusters(matrix, settings, matrix.shape[1])
            base = _judged(matrix, final, exact, settings, "exact")
            for share, here in found.items():
                sample = int(share * matrix.shape[1])
                sampled = _clusters(matrix, settings, sample)
                here.append(
                    base | _judged(matrix, final, sampled, settings, "sampled") | _alike(matrix, exact, sampled, sample)
                )
        for share, here in found.items():
            table = pd.DataFrame(here)
            change = table["regret_sampled"] - table["regret_exact"]
            low, high = interval(change)
            row = {"source": source, "n": whole.shape[1], "share": share, "targets": len(table)}
            rows.append(row | dict(table.mean()) | {"regret_change": change.mean(), "low": low, "high": high})
    return pd.DataFrame(rows)


def likeness(settings: Mapping, mirror: str | None = None, seeds: int = 5) -> pd.DataFrame:
    """Published matrices beside simulated ones of their size: clusters, singletons, silhouettes, distances.

    Args:
        settings, mirror: see `agreement`; without the records nothing can be compared, which raises.
        seeds: simulated matrices of each.
    """
    rows = []
    for name, clean in VARIANTS.items():
        real = model_recycling.read(mirror, clean=clean).matrix
        given = simulated.read(name)
        drawn = [(f"simulated, seed {seed}", simulated.simulate(real.shape[1], given, seed)) for seed in range(seeds)]
        for what, matrix in [("published", real), *drawn]:
            found = _clusters(matrix, settings, matrix.shape[1])
            sizes = found.labels.value_counts()
            distances = 1 - found.similarity.to_numpy()[np.triu_indices(len(found.labels), 1)]
            rows.append(
                {
                    "zoo": name,
                    "matrix": what,
                    "n": len(found.labels),
                    "clusters": len(sizes),
                    "singletons": int((sizes == 1).sum()),
                    "largest": int(sizes.max()),
                    "silhouette": silhouette(found),
                    "silhouette, released": silhouette(found, "released"),
                    "median distance": float(np.median(distances)),
                    "sd of priors": float(matrix.mean().std()),
                }
            )
    return pd.DataFrame(rows)


def _matrices(settings: Mapping, mirror: str | None) -> Iterator[tuple[str, pd.DataFrame, list[str]]]:
    if catalogue.kept(catalogue.find(model_recycling.SOURCE, "models_tested.csv"), mirror):
        for name, clean in VARIANTS.items():
            whole = model_recycling.read(mirror, clean=clean).matrix
            yield f"published, {name}", whole, list(whole.index)
    for n in settings["agreement"]["simulated"]:
        whole = simulated.simulate(n, simulated.read(settings["zoo"]))
        yield f"simulated, {settings['zoo']}", whole, list(whole.index[: settings["agreement"]["targets"]])


def _clusters(matrix: pd.DataFrame, settings: Mapping, exact_up_to: int) -> Clusters:
    return cluster_many(matrix, settings["k"], settings["threshold"], exact_up_to, settings["members"])


def _judged(matrix: pd.DataFrame, final: pd.Series, clusters: Clusters, settings: Mapping, name: str) -> dict:
    scores = final.loc[clusters.representatives.loc[clusters.non_singletons].to_numpy()]
    recalled = RecallIndex(matrix, clusters).recall(scores, min(settings["top"], matrix.shape[1])).index
    count = clusters.labels.nunique()
    return {
        f"clusters_{name}": count,
        f"singletons_{name}": count - len(clusters.non_singletons),
        f"regret_{name}": final.max() - final.loc[recalled].max(),
    }


def _alike(matrix: pd.DataFrame, exact: Clusters, sampled: Clusters, sample: int) -> dict:
    names = matrix.columns.sort_values()
    order = names[np.argsort(-matrix.mean().loc[names].to_numpy(), kind="stable")]
    drawn = order[evenly(len(order), sample)]
    return {
        "ari": adjusted_rand_score(exact.labels.loc[names], sampled.labels.loc[names]),
        "ari_of_sample": adjusted_rand_score(exact.labels.loc[drawn], sampled.labels.loc[drawn]),
    }
