"""Part *clustering*: seconds and memory of clustering and recall, from 40 models to a million, on simulated matrices.

Each size is measured in a process of its own. What compiles is compiled before, on a tiny matrix. Memory is the
most that was resident during a measurement: interpreter, libraries and the matrix itself included.
"""

from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import numpy as np
import pandas as pd

from reproduction.bench.simulated import read, simulate
from reproduction.bench.timing import with_peak
from twophase.large import GrowingClusters, RecallIndex, cluster_many

COLUMNS = ["part", "what", "n", "seconds", "peak_mb", "clusters", "singletons", "repeat"]


def run(settings: Mapping, repeats: int) -> pd.DataFrame:
    """A row per measurement (COLUMNS), of `repeats` matrices of each size, drawn with seeds 0, 1, …

    What is measured: "exact" and "sampled" clustering; given the clusters, "recall index" (`RecallIndex`, once a zoo),
    "recall" (of it, the median over targets) and "add a model" (`GrowingClusters.add`, the median over models).
    """
    rows = []
    for repeat in range(repeats):
        for what in ("exact", "sampled"):
            for n in settings[what]:
                with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
                    rows += fresh.submit(measure, what, n, dict(settings), repeat).result()
    return pd.DataFrame(rows, columns=COLUMNS)


def measure(what: str, n: int, settings: Mapping, repeat: int) -> list[tuple]:
    """The rows of one matrix, measured in this process."""
    given = read(settings["zoo"])
    matrix = simulate(n, given, repeat)
    k, threshold, members = settings["k"], settings["threshold"], settings["members"]
    exact_up_to = n if what == "exact" else settings["exact_up_to"]
    _compile(simulate(200, given), k, threshold, members)

    clusters, *cost = with_peak(lambda: cluster_many(matrix, k, threshold, exact_up_to, members))
    costs = {what: cost}
    index, *costs["recall index"] = with_peak(lambda: RecallIndex(matrix, clusters))
    targets = matrix.loc[matrix.index[: settings["targets"]], index.representatives.to_numpy()]
    recalls = (partial(index.recall, scores, min(settings["top"], n)) for _, scores in targets.iterrows())
    costs["recall"] = np.median([with_peak(recall)[1:] for recall in recalls], axis=0)
    zoo = GrowingClusters(matrix, clusters, k, threshold, members)
    new = simulate(settings["added"], given, repeat + 1000).add_prefix("new ")
    costs["add a model"] = np.median([with_peak(partial(zoo.add, new[[name]]))[1:] for name in new], axis=0)

    count = clusters.labels.nunique()
    singletons = count - len(clusters.non_singletons)
    return [("clustering", name, n, *cost, count, singletons, repeat) for name, cost in costs.items()]


def _compile(tiny: pd.DataFrame, k: int, threshold: float, members: int) -> None:
    """Everything that is measured, once, on a tiny matrix."""
    for exact_up_to in (len(tiny.columns), 50):
        clusters = cluster_many(tiny, k, threshold, exact_up_to, members)
    index = RecallIndex(tiny, clusters)
    index.recall(tiny.iloc[0].loc[index.representatives.to_numpy()], len(tiny.columns))
    GrowingClusters(tiny, clusters, k, threshold, members).add(tiny.add_prefix("new "))
