"""The whole method: coarse recall, then fine-selection, and what both cost."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from twophase.clustering import Clusters
from twophase.errors import UserError
from twophase.recall import coarse_recall
from twophase.records import TrainingRecords
from twophase.runs import Runs
from twophase.selection import Selection, fine_selection


@dataclass(frozen=True)
class TwoPhase(Selection):
    """A selection that began with coarse recall; epochs and seconds include the proxies.

    Attributes:
        recall: what `coarse_recall` returned.
        proxies: number of models scored by a proxy.
    """

    recall: pd.DataFrame
    proxies: int


def two_phase(
    runs: Runs,
    matrix: pd.DataFrame,
    records: TrainingRecords,
    clusters: Clusters,
    proxy_scores: pd.Series,
    top: int = 10,
    threshold: float = 0.0,
    n_trends: int = 4,
    threshold_kind: str = "relative",
    epochs_per_proxy: float = 0.5,
    proxy_seconds: float = 0.0,
    *,
    proxy: str = "representative",
    singleton_similarity: str = "eq1",
) -> TwoPhase:
    """Coarse recall (Eq. 2-4), then fine-selection (Algorithm 1) of the models recalled.

    Args:
        runs: of the target.
        matrix: performance matrix on the benchmark datasets (datasets x models), the target not among them.
        records: benchmark records with curves.
        clusters: of the matrix's models.
        proxy_scores: representative of each non-singleton cluster -> proxy score in [0, 1].
        top: models to recall.
        threshold, n_trends, threshold_kind: see `fine_selection`.
        epochs_per_proxy: what a proxy score costs, in epochs (Section V-D books 0.5).
        proxy_seconds: measured seconds that the proxy scores took.
        proxy, singleton_similarity: see `coarse_recall`; each model scored by its own proxy is paid for.

    Raises:
        UserError: the target is a row of `matrix`; or see `coarse_recall` and `fine_selection`.
    """
    if runs.dataset in matrix.index:
        raise UserError(
            f"the target {runs.dataset!r} is a row of the performance matrix, so prior and clusters have seen it; "
            f"make both from records.matrix(exclude=[{runs.dataset!r}])."
        )
    table = coarse_recall(matrix, clusters, proxy_scores, top, proxy, singleton_similarity)
    recalled = list(table.index[table["recalled"]])
    chosen = fine_selection(runs, recalled, records, threshold, n_trends, threshold_kind)
    groups = clusters.non_singletons
    scored = len(groups) if proxy == "representative" else int(clusters.labels.isin(groups).sum())
    return TwoPhase(
        winner=chosen.winner,
        test=chosen.test,
        epochs=chosen.epochs + epochs_per_proxy * scored,
        seconds=chosen.seconds + proxy_seconds,
        history=chosen.history,
        recall=table,
        proxies=scored,
    )
