"""Seconds and memory of clustering and recall, from 40 models to a million, on simulated matrices.

Each size is measured in a process of its own. What compiles is compiled before, on a tiny matrix. Memory is the
most that was resident during a measurement: interpreter, libraries and the matrix itself included.
"""

import contextlib
import re
import resource
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import linregress, t

from reproduction.bench import simulated
from twophase.clustering import Clusters
from twophase.large import GrowingClusters, RecallIndex, cluster_many

COLUMNS = ["part", "what", "n", "seconds", "peak_mb", "clusters", "singletons", "repeat"]


def run(settings: Mapping, repeats: int) -> pd.DataFrame:
    """A row a measurement: part, what, n, seconds, peak_mb, clusters, singletons, repeat.

    Args:
        settings: `clustering` of conf/bench.yaml.
        repeats: matrices of each size, drawn with seeds 0, 1, …

    What is measured: "exact" and "sampled" clustering; given the clusters, "recall index" (`RecallIndex`, once a zoo),
    "recall" (of it, the median over targets) and "add a model" (`GrowingClusters.add`, the median over models).
    """
    rows = []
    for repeat in range(repeats):
        for what, sizes in (("exact", settings["exact"]), ("sampled", settings["sampled"])):
            for n in sizes:
                with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
                    rows += fresh.submit(measure, what, n, dict(settings), repeat).result()
    return pd.DataFrame(rows, columns=COLUMNS)


def measure(what: str, n: int, settings: Mapping, repeat: int) -> list[dict]:
    """The rows of one matrix, measured in this process."""
    matrix = _simulated(n, settings, repeat)
    options = {"k": settings["k"], "threshold": settings["threshold"], "members": settings["members"]}
    options["exact_up_to"] = n if what == "exact" else settings["exact_up_to"]
    _compile(settings, options)
    rows = []

    def note(name: str, seconds: float, peak: float, clusters: Clusters) -> None:
        singletons = clusters.labels.nunique() - len(clusters.non_singletons)
        values = ("clustering", name, n, seconds, peak, clusters.labels.nunique(), singletons, repeat)
        rows.append(dict(zip(COLUMNS, values, strict=True)))

    clusters, *cost = timed(lambda: cluster_many(matrix, **options))
    note(what, *cost, clusters)
    index, *cost = timed(lambda: RecallIndex(matrix, clusters))
    note("recall index", *cost, clusters)
    costs = []
    for target in matrix.index[: settings["targets"]]:
        scores = matrix.loc[target, index.representatives.to_numpy()]
        costs.append(timed(lambda scores=scores: index.recall(scores, min(settings["top"], n)))[1:])
    note("recall", *np.median(costs, axis=0), clusters)
    zoo = GrowingClusters(matrix, clusters, settings["k"], settings["threshold"], settings["members"])
    new = _simulated(settings["added"], settings, repeat + 1000).add_prefix("new ")
    costs = [timed(lambda name=name: zoo.add(new[[name]]))[1:] for name in new]
    note("add a model", *np.median(costs, axis=0), clusters)
    return rows


def timed(work: Callable):
    """What `work` returns, its seconds, and the most memory that was resident meanwhile (MB of a million bytes)."""
    _forget_peak()
    start = time.perf_counter()
    result = work()
    return result, time.perf_counter() - start, _peak()


def growth(frame: pd.DataFrame, quantity: str = "seconds", least: int = 0) -> pd.DataFrame:
    """Exponents b of quantity = a * n^b, by least squares of the logarithms over the sizes of each `what`.

    Args:
        frame: what `run` returned.
        quantity: "seconds", "peak_mb", "clusters" or "singletons".
        least: smaller n are left out; there, constant costs hide the growth.

    Returns:
        what -> exponent, low, high (95 %, t distribution), points; without three points it is not a number.
    """
    rows = {}
    for what, here in frame[(frame["n"] >= least) & (frame[quantity] > 0)].groupby("what"):
        rows[what] = dict.fromkeys(("exponent", "low", "high"), np.nan) | {"points": len(here)}
        if here["n"].nunique() >= 3:
            line = linregress(np.log(here["n"]), np.log(here[quantity]))
            width = t.ppf(0.975, len(here) - 2) * line.stderr
            rows[what] |= {"exponent": line.slope, "low": line.slope - width, "high": line.slope + width}
    return pd.DataFrame(rows).T.rename_axis("what").astype({"points": int})


def _simulated(n: int, settings: Mapping, seed: int) -> pd.DataFrame:
    return simulated.simulate(n, simulated.read(settings["zoo"]), seed)


def _compile(settings: Mapping, options: Mapping) -> None:
    """Everything that is measured, once, on a tiny matrix."""
    tiny = _simulated(200, settings, 0)
    for exact_up_to in (len(tiny.columns), 50):
        clusters = cluster_many(tiny, **{**options, "exact_up_to": exact_up_to, "k": min(options["k"], len(tiny))})
    index = RecallIndex(tiny, clusters)
    index.recall(tiny.iloc[0].loc[index.representatives.to_numpy()], len(tiny.columns))
    GrowingClusters(tiny, clusters, options["k"], options["threshold"], options["members"]).add(tiny.add_prefix("new "))


def _forget_peak() -> None:
    """Linux counts the most resident memory anew from here; elsewhere it is that of the process so far."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak() -> float:
    # ru_maxrss of a new process begins with its parent's on Linux; VmHWM does not
    status = Path("/proc/self/status")
    if status.is_file() and (found := re.search(r"VmHWM:\s+(\d+) kB", status.read_text())):
        return int(found[1]) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6
