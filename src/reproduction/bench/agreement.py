"""Parts *agreement* and *likeness*: sampled clusters beside exact ones, simulated matrices beside published ones."""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
from sklearn.metrics import adjusted_rand_score

from reproduction.bench.simulated import ZOOS, read, simulate
from reproduction.published.sources import params
from reproduction.tables import interval
from twophase.clustering import Clusters, silhouette
from twophase.large import RecallIndex, cluster_many
from twophase.large.clusters import evenly
from twophase.sources.published import catalogue, model_recycling

SEEDS = 5  # simulated matrices that a published one is compared with


def agreement(settings: Mapping, repeats: int) -> pd.DataFrame:
    """How well clusters from a sample agree with average linkage of all models, and what recall loses by them.

    A row per matrix and share of its models that average linkage sees; means over targets, which take the place of repeats.
    A target is a dataset left out of the matrix; its scores on the representatives are a perfect proxy. Without the
    published records only simulated matrices are compared.

    Columns: source, n, share, targets; clusters and singletons of both; ari (adjusted Rand index: 0 is chance, 1 the same
    clusters); ari_of_sample (of average linkage of the sample alone with that of all: how much it agrees with itself);
    regret of both (best of all models minus the best of those recalled), their difference and its 95 % bootstrap interval.
    """
    rows = []
    for source, whole, targets in _matrices(settings):
        found: dict[float, list[dict]] = {share: [] for share in settings["agreement"]["shares"]}
        for target in targets:
            matrix, final = whole.drop(index=target), whole.loc[target].clip(0, 1)
            names = matrix.columns.sort_values()
            order = names[np.argsort(-matrix.mean().loc[names].to_numpy(), kind="stable")]
            exact = _clusters(matrix, settings, len(names))
            base = _judged(matrix, final, exact, settings, "exact")
            for share, here in found.items():
                drawn = order[evenly(len(order), int(share * len(order)))]
                sampled = _clusters(matrix, settings, len(drawn))
                alike = {
                    name: adjusted_rand_score(exact.labels.loc[among], sampled.labels.loc[among])
                    for name, among in (("ari", names), ("ari_of_sample", drawn))
                }
                here.append(base | _judged(matrix, final, sampled, settings, "sampled") | alike)
        for share, here in found.items():
            table = pd.DataFrame(here)
            change = table["regret_sampled"] - table["regret_exact"]
            low, high = interval(change)
            row = {"source": source, "n": whole.shape[1], "share": share, "targets": len(table)}
            rows.append(row | dict(table.mean()) | {"regret_change": change.mean(), "low": low, "high": high})
    return pd.DataFrame(rows)


def likeness(settings: Mapping, repeats: int) -> pd.DataFrame:
    """Published matrices beside `SEEDS` simulated ones of their size: clusters, singletons, silhouettes, distances.

    Raises UserError without the published records: nothing can be compared.
    """
    rows = []
    for name, clean in ZOOS.items():
        matrices = {"published": model_recycling.read(params().published.mirror, clean=clean).matrix}
        models = matrices["published"].shape[1]
        matrices |= {f"simulated, seed {seed}": simulate(models, read(name), seed) for seed in range(SEEDS)}
        for what, matrix in matrices.items():
            found = _clusters(matrix, settings, models)
            sizes = found.labels.value_counts()
            distances = 1 - found.similarity.to_numpy()[np.triu_indices(models, 1)]
            row = {"zoo": name, "matrix": what, "n": models, "clusters": len(sizes), "singletons": (sizes == 1).sum()}
            row |= {"largest": sizes.max(), "silhouette": silhouette(found)}
            row |= {"silhouette, released": silhouette(found, "released"), "median distance": np.median(distances)}
            rows.append(row | {"sd of priors": matrix.mean().std()})
    return pd.DataFrame(rows)


def _matrices(settings: Mapping) -> Iterator[tuple[str, pd.DataFrame, list[str]]]:
    """Source, matrix and targets."""
    mirror = params().published.mirror
    if catalogue.kept(catalogue.find(model_recycling.SOURCE, "models_tested.csv"), mirror):
        for name, clean in ZOOS.items():
            whole = model_recycling.read(mirror, clean=clean).matrix
            yield f"published, {name}", whole, list(whole.index)
    for n in settings["agreement"]["simulated"]:
        whole = simulate(n, read(settings["zoo"]))
        yield f"simulated, {settings['zoo']}", whole, list(whole.index[: settings["agreement"]["targets"]])


def _clusters(matrix: pd.DataFrame, settings: Mapping, exact_up_to: int) -> Clusters:
    return cluster_many(matrix, settings["k"], settings["threshold"], exact_up_to, settings["members"])


def _judged(matrix: pd.DataFrame, final: pd.Series, clusters: Clusters, settings: Mapping, name: str) -> dict:
    scores = final.loc[clusters.representatives.loc[clusters.non_singletons].to_numpy()]
    recalled = RecallIndex(matrix, clusters).recall(scores, min(settings["top"], matrix.shape[1])).index
    count, regret = clusters.labels.nunique(), final.max() - final.loc[recalled].max()
    found = {"clusters": count, "singletons": count - len(clusters.non_singletons), "regret": regret}
    return {f"{what}_{name}": value for what, value in found.items()}
