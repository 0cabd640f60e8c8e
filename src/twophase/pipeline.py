"""The whole method: coarse recall, then fine-selection, and what both cost.

`select` and the notebooks call these functions. What differs between a replayed experiment and a user's task is handed in:
a `Runs` that replays or trains, and a `Scorer` that looks proxy scores up or computes them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from twophase.clustering import Clusters
from twophase.errors import UserError
from twophase.inputs import as_clustered, as_scores
from twophase.recall import best_singletons, coarse_recall, normalize, ranked, to_score
from twophase.records import TrainingRecords
from twophase.runs import Runs
from twophase.selection import Selection, fine_selection, successive_halving

# Models -> a proxy score of each, or the reason why it has none.
Scorer = Callable[[list[str]], Mapping[str, float | str]]


@dataclass(frozen=True)
class Recalled:
    """What the first phase returns.

    Attributes:
        table: of `coarse_recall`, without models that cannot be scored and clusters of which no member can.
        scores: model -> proxy score as it came from the scorer, of the models that were scored.
        failures: model -> why it has no score.
    """

    table: pd.DataFrame
    scores: pd.Series
    failures: dict[str, str]

    @property
    def models(self) -> list[str]:
        """The models recalled, best first."""
        return list(self.table.index[self.table["recalled"]])


@dataclass(frozen=True)
class TwoPhase(Selection):
    """A selection that began with coarse recall; epochs and seconds include the proxies.

    Attributes:
        recall: the table of `recall`.
        scored: the models scored by a proxy.
    """

    recall: pd.DataFrame = field(repr=False)
    scored: list[str]

    @property
    def proxies(self) -> int:
        """Number of models scored by a proxy."""
        return len(self.scored)


def on_one_scale(scores: pd.DataFrame, name: str, headless: str) -> pd.Series:
    """Scores by one proxy; models without a source head, for which it is not defined, get another one's on its scale.

    N-LEEP lies well above LEEP, so that unmoved it would put every model without a head first. It is moved by the median
    difference between the two over the models that have both on this task.

    Args:
        scores: models x proxies, on one task; NaN where a proxy is not defined.
        name: the proxy.
        headless: the other one.
    """
    difference = (scores[name] - scores[headless]).median()
    return scores[name].fillna(scores[headless] + (0.0 if np.isnan(difference) else difference))


def recall(
    matrix: pd.DataFrame,
    clusters: Clusters,
    score: Scorer,
    top: int = 10,
    normalization: str = "exp",
    *,
    proxy: str = "representative",
    singleton_similarity: str = "eq1",
    singletons: int = 0,
) -> Recalled:
    """The first phase: score one representative a cluster, and rank all models by prior and proxy (Eq. 2-4).

    A representative that cannot be scored is replaced by the next best member of its cluster. Where no cluster has two members
    there is nothing to share: every model is scored, and the proxy alone ranks them.

    Args:
        matrix: performance matrix on the benchmark datasets (datasets x models), the target not among them.
        clusters: of the matrix's models.
        score: asked for the representatives (and singletons), and where some have no score once more for these models and
            the members that replace them: a score may depend on who else is asked (`on_one_scale`).
        top: models to recall, at most.
        normalization: how scores come to [0, 1], see `recall.normalize`.
        proxy, singleton_similarity: see `coarse_recall`; with proxy="own" every clustered model is scored.
        singletons: so many singletons of the highest prior are scored, too, and ranked by their own score.

    Raises:
        UserError: not one model could be scored; see `coarse_recall`.
    """
    matrix = as_clustered(matrix, clusters)
    prior = matrix.mean()
    members = to_score(prior, clusters)
    if not members:
        found = recall_by_proxy(list(matrix.columns), score, top)
        return replace(found, table=found.table.assign(prior=prior))
    asking = members if proxy == "representative" else {name: [name] for names in members.values() for name in names}
    asking = asking | {name: [name] for name in best_singletons(prior, clusters, singletons)}
    scores: dict[str, float] = {}
    failures: dict[str, str] = {}
    while asking:
        turn = {group: models[0] for group, models in asking.items()}
        answers = score([*scores, *turn.values()])
        failures |= {model: answers[model] for model in turn.values() if isinstance(answers[model], str)}
        scores = {model: float(answers[model]) for model in (*scores, *turn.values()) if model not in failures}
        asking = {group: models[1:] for group, models in asking.items() if turn[group] in failures and models[1:]}
    if failures and not scores:
        raise UserError(f"no model could be scored; the first reason: {next(iter(failures.values()))}")
    lost = set(failures) if proxy == "own" else set()
    lost |= {name for names in members.values() if not scores.keys() & set(names) for name in names}
    kept = [model for model in matrix.columns if model not in lost]
    if lost:
        matrix, clusters = matrix[kept], clusters.among(kept, clusters.representatives)
    raw = pd.Series(scores, dtype=float)
    options = {"proxy": proxy, "singleton_similarity": singleton_similarity, "singletons": singletons}
    table = coarse_recall(matrix, clusters, normalize(raw, normalization), min(top, len(kept)), **options)
    return Recalled(ranked(table.drop(index=table.index.intersection(list(failures))), top), raw, failures)


def recall_by_proxy(models: list[str], score: Scorer, top: int = 10) -> Recalled:
    """The first phase where nothing is known of the models on benchmark datasets: every one is scored.

    Args:
        models: candidates.
        score: asked for all of them.
        top: models to recall, at most.

    Returns:
        As `recall`; the table has no prior, and the recall score is the proxy score.

    Raises:
        UserError: not one model could be scored.
    """
    answers = score(models)
    failures = {model: answers[model] for model in models if isinstance(answers[model], str)}
    raw = pd.Series({model: float(answers[model]) for model in models if model not in failures}, dtype=float)
    if raw.empty:
        raise UserError(f"no model could be scored; the first reason: {next(iter(failures.values()))}")
    table = pd.DataFrame({"proxy": raw, "recall_score": raw}).rename_axis("model").reset_index()
    table = table.sort_values(["recall_score", "model"], ascending=[False, True]).set_index("model")
    return Recalled(ranked(table, top), raw, failures)


def fine_select(
    runs: Runs,
    models: list[str],
    records: TrainingRecords | None,
    threshold: float = 0.0,
    n_trends: int = 4,
    threshold_kind: str = "relative",
) -> Selection:
    """The second phase: Algorithm 1, or successive halving where no curves on benchmark datasets are known.

    Args:
        runs, models, threshold, threshold_kind: see `fine_selection`.
        records: of the models on the benchmark datasets, None where there are none.
        n_trends: convergence trends a stage, at most as many as there are benchmark datasets.
    """
    records = None if records is None else TrainingRecords.from_frame(records)
    if records is None or records.frame["val"].isna().any():
        return successive_halving(runs, models)
    datasets = [name for name in records.datasets("benchmark") if name != runs.dataset]
    return fine_selection(runs, models, records, threshold, min(n_trends, len(datasets)), threshold_kind)


def two_phase(
    runs: Runs,
    matrix: pd.DataFrame,
    records: TrainingRecords,
    clusters: Clusters,
    proxy_scores: pd.Series | Scorer,
    top: int = 10,
    threshold: float = 0.0,
    n_trends: int = 4,
    threshold_kind: str = "relative",
    epochs_per_proxy: float = 0.5,
    proxy_seconds: float = 0.0,
    *,
    normalization: str = "none",
    proxy: str = "representative",
    singleton_similarity: str = "eq1",
    singletons: int = 0,
) -> TwoPhase:
    """Both phases: coarse recall (Eq. 2-4), then fine-selection (Algorithm 1) of the models recalled.

    Args:
        runs: of the target.
        matrix: performance matrix on the benchmark datasets (datasets x models), the target not among them.
        records: benchmark records with curves.
        clusters: of the matrix's models.
        proxy_scores: model -> proxy score, or an array as of `coarse_recall`, or a `Scorer`.
        top: models to recall.
        threshold, n_trends, threshold_kind: see `fine_selection`.
        epochs_per_proxy: what a proxy score costs, in epochs (Section V-D books 0.5).
        proxy_seconds: measured seconds that the proxy scores took.
        normalization, proxy, singleton_similarity, singletons: see `recall`; each model scored is paid for.

    Raises:
        UserError: the target is a row of `matrix`; or see `recall` and `fine_selection`.
    """
    matrix = as_clustered(matrix, clusters)
    if runs.dataset in matrix.index:
        raise UserError(
            f"the target {runs.dataset!r} is a row of the performance matrix, so prior and clusters have seen it; "
            f"make both from records.matrix(exclude=[{runs.dataset!r}])."
        )
    orders = clusters.to_score, matrix.columns
    score = proxy_scores if callable(proxy_scores) else looked_up(as_scores(proxy_scores, *orders))
    options = {"proxy": proxy, "singleton_similarity": singleton_similarity, "singletons": singletons}
    found = recall(matrix, clusters, score, top, normalization, **options)
    chosen = fine_select(runs, found.models, records, threshold, n_trends, threshold_kind)
    scored = list(found.scores.index)
    costs = {"epochs": chosen.epochs + epochs_per_proxy * len(scored), "seconds": chosen.seconds + proxy_seconds}
    return TwoPhase(**(vars(chosen) | costs), recall=found.table, scored=scored)


def looked_up(scores: pd.Series) -> Scorer:
    """A scorer that knows its scores already: model -> score."""
    known = scores.dropna().to_dict()
    return lambda models: {model: known.get(model, "its proxy score is not known") for model in models}
