"""The first step of a run that costs something: proxy scores of the representatives, and the ranking of all models."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from twophase import pipeline
from twophase.commands.select.inputs import Candidates
from twophase.commands.select.settings import Settings
from twophase.errors import Unreachable, UserError
from twophase.infra.compute import Failure
from twophase.infra.store import Store
from twophase.large import cluster_many
from twophase.pipeline import on_one_scale
from twophase.proxies import PROXIES
from twophase.training import tasks
from twophase.training.features import score_key, score_one
from twophase.training.loading import model_digest
from twophase.training.stored import through_store

TOLD = 3  # models that cannot be scored, named one by one


@dataclass(frozen=True)
class Ranking:
    """What recall found.

    Attributes:
        table: prior (where records are), proxy, recall_score, rank, recalled; best first. Of the leader: prior, expected,
            deviation, probability (to be the best), rank, recalled (looked at).
        scored: model -> seconds that its proxy took (its pass over the data included).
        failures: model -> why it could not be scored.
        how: in a sentence, for the user.
        normalization: how scores came to [0, 1].
    """

    table: pd.DataFrame
    scored: dict[str, float]
    failures: dict[str, str]
    how: str
    normalization: str

    @property
    def models(self) -> list[str]:
        """All models of the ranking, best first."""
        return list(self.table.index)


def recall(
    given: Settings, candidates: Candidates, task: Path, say: Callable[[str], None], progress: bool = True
) -> Ranking:
    """Coarse recall (Eq. 2-4); where nothing is known of the models, the proxy scores every one of them.

    Args:
        given: its blocks proxy, clustering, recall, hardware and its seed.
        candidates: the models.
        task: folder of the user's task (`tasks.save`).
        say: told which models cannot be scored, and when the clusters say little.
        progress: whether to show a bar.

    Raises:
        UserError: no model could be scored.
    """
    matrix = clusters = None
    if candidates.records is not None:
        chosen, matrix = given.clustering, candidates.records.matrix()
        options = {"method": chosen.method, "n_clusters": chosen.n_clusters, "seed": given.seed}
        clusters = cluster_many(matrix, min(chosen.k, len(matrix)), candidates.cut, chosen.exact_up_to, **options)
    label, top = PROXIES[given.proxy.name].label, given.recall.top
    normalization = given.proxy.normalization or candidates.normalization
    score = _Scorer(given, candidates, task, say, progress)
    if clusters is None or not clusters.non_singletons:
        score.failed = "cannot be used ({})"
        found = pipeline.recall_by_proxy(list(candidates.folders), score, top)
        why = f"since {clusters.degenerate}" if clusters else "since nothing is known of them on benchmark datasets"
        how = f"All {len(found.scores)} models scored by {label}, {why}"
    else:
        if clusters.degenerate:
            say(
                f"{clusters.degenerate}, so that one proxy score stands for most of them; a lower zoo.cut gives smaller ones."
            )
        score.failed = "cannot be scored ({}); the next of its cluster takes its place"
        found = pipeline.recall(matrix, clusters, score, top, normalization, singletons=given.recall.singletons)
        how = f"{len(found.scores)} representatives of {clusters.labels.nunique()} clusters scored by {label}"
        if clusters.method == "sampled":
            how += f" (average linkage of {given.clustering.exact_up_to} models, which the others joined)"
    if len(found.failures) > TOLD:
        more = len(found.failures) - TOLD
        say(f"{len(found.failures)} models cannot be scored, {more} more than named; the report has them all.")
    return Ranking(found.table, score.seconds, found.failures, how, normalization)


def digest_of(candidates: Candidates, model: str) -> str | Failure:
    """A model's digest, or why its files cannot be had."""
    try:
        return model_digest(candidates.folder(model))
    except Unreachable:
        raise
    except UserError as error:
        return Failure(str(error))
    except OSError as error:
        return Failure(f"its files cannot be read: {error}")


def everyone(candidates: Candidates) -> Ranking:
    """All models without a score: by prior where it is known, else by name."""
    table = pd.DataFrame(index=pd.Index(sorted(candidates.folders), name="model"))
    if candidates.records is not None:
        table["prior"] = candidates.records.matrix(missing="keep").mean().reindex(table.index)
        table = table.sort_values("prior", ascending=False, kind="stable")
    table["rank"], table["recalled"] = range(1, len(table) + 1), True
    return Ranking(table, {}, {}, f"All {len(table)} models are trained, without a proxy score", "none")


class _Scorer:
    """Scores models on the user's task; kept in the store, so that no model is scored twice on the same data."""

    def __init__(self, given: Settings, candidates: Candidates, task: Path, say: Callable[[str], None], progress: bool):
        self.seconds: dict[str, float] = {}
        self.failed = "{}"  # what is said of a model, with the reason
        self._proxy, self._hardware = given.proxy, given.hardware
        self._candidates, self._task, self._data = candidates, task, tasks.digest(task)
        self._say, self._told, self._progress = say, 0, progress

    def __call__(self, models: list[str]) -> dict[str, float | str]:
        """A score of each model, or the reason why it has none."""
        names = list(dict.fromkeys((self._proxy.name, self._proxy.headless)))
        digests = {model: digest_of(self._candidates, model) for model in models}
        usable = {model: digest for model, digest in digests.items() if not isinstance(digest, Failure)}
        keys = [score_key(digest, self._data, names, self._hardware) for digest in usable.values()]
        items = [(self._candidates.folder(model), self._task, names, self._hardware.resolved()) for model in usable]
        title = f"{self._proxy.name} scores"
        values = through_store(Store(), "proxies", keys, score_one, items, title, self._progress)
        found = digests | dict(zip(usable, values, strict=True))
        answers = {model: value.reason for model, value in found.items() if isinstance(value, Failure)}
        answers |= self._scores({model: value for model, value in found.items() if model not in answers}, names)
        for model in models:
            if isinstance(answers[model], str) and self._told < TOLD:
                self._told += 1
                self._say(f"{model} {self.failed.format(answers[model])}.")
        return answers

    def _scores(self, values: dict[str, list[dict]], names: list[str]) -> dict[str, float | str]:
        """The score by the configured proxy, or by the other one for a model without a source head."""
        if not values:
            return {}

        def table(field: str) -> pd.DataFrame:
            rows = {model: {row["proxy"]: row[field] for row in value} for model, value in values.items()}
            return pd.DataFrame.from_dict(rows, orient="index", dtype=float).reindex(index=list(values), columns=names)

        name, headless, seconds = self._proxy.name, self._proxy.headless, table("seconds")
        self.seconds |= seconds[name].fillna(seconds[headless]).dropna().to_dict()
        none = f"it has no source head, which {name} needs"
        scores = on_one_scale(table("score"), name, headless)
        return {model: none if pd.isna(score) else float(score) for model, score in scores.items()}
