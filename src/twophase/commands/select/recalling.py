"""The first phase of a run: proxy scores of the representatives, and the ranking of all models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from twophase.clustering import Clusters
from twophase.commands.select.candidates import Shelf
from twophase.commands.select.settings import Settings
from twophase.errors import Unreachable, UserError
from twophase.infra.compute import Failure
from twophase.infra.store import Store
from twophase.large import cluster_many
from twophase.proxies import PROXIES
from twophase.recall import coarse_recall, normalize
from twophase.similarity import check_matrix
from twophase.sources.live import corpora as tasks
from twophase.sources.live import zoo
from twophase.training import cells

TOLD = 3  # models that cannot be scored, named one by one


@dataclass(frozen=True)
class Recalled:
    """What recall found.

    Attributes:
        table: of `coarse_recall`; without records: proxy, recall_score, rank, recalled.
        scored: model -> seconds that its proxy took (its pass over the data included).
        failures: model -> why it could not be scored.
        how: in a sentence, for the user.
    """

    table: pd.DataFrame
    scored: dict[str, float]
    failures: dict[str, str]
    how: str

    @property
    def models(self) -> list[str]:
        """Of the ranking, best first."""
        return list(self.table.index)


def recall(
    given: Settings, shelf: Shelf, task_folder: Path, say: Callable[[str], None], progress: bool = True
) -> Recalled:
    """Coarse recall (Eq. 2-4); where nothing is known of the models, the proxy scores every one of them.

    A representative that cannot be scored is replaced by the next best member of its cluster.

    Raises:
        UserError: no model could be scored.
    """
    if shelf.records is None:
        return _by_proxy(given, shelf, task_folder, say, progress)
    matrix = shelf.records.matrix()
    chosen = given.clustering
    clusters = cluster_many(
        matrix,
        min(chosen.k, len(check_matrix(matrix))),
        shelf.cut,
        chosen.exact_up_to,
        method=chosen.method,
        n_clusters=chosen.n_clusters,
        seed=given.seed,
    )
    if not clusters.non_singletons:
        return _by_proxy(given, shelf, task_folder, say, progress)
    average = matrix.mean()
    waiting = {
        label: sorted(clusters.members(label), key=lambda name: (name != clusters.representatives[label], -average[name], name))
        for label in clusters.non_singletons
    }  # fmt: skip
    found: dict[int, tuple[str, float]] = {}
    seconds, failures = {}, {}
    while waiting:
        asked = {label: members.pop(0) for label, members in waiting.items()}
        for (label, model), result in zip(
            asked.items(), _score(given, shelf, list(asked.values()), task_folder, progress), strict=True
        ):
            if isinstance(result, Failure):
                failures[model] = result.reason
                if len(failures) <= TOLD:
                    say(f"{model} cannot be scored ({result.reason}); the next of its cluster takes its place.")
            else:
                found[label], seconds[model] = (model, result[0]), result[1]
        waiting = {label: members for label, members in waiting.items() if label not in found and members}
    if not found:
        raise UserError(f"no model could be scored; the first reason: {next(iter(failures.values()), 'none is known')}")
    _more(failures, say)
    table = _table(given, matrix, clusters, found, failures)
    how = f"{len(seconds)} representatives of {clusters.labels.nunique()} clusters scored by {PROXIES[given.proxy.name].label}"
    if clusters.method == "sampled":
        how += f" (average linkage of {given.clustering.exact_up_to} models, which the others joined)"
    return Recalled(table, seconds, failures, how)


def _more(failures: dict[str, str], say: Callable[[str], None]) -> None:
    if len(failures) > TOLD:
        say(
            f"{len(failures)} models cannot be scored, {len(failures) - TOLD} more than named; the report has them all."
        )


def _table(given: Settings, matrix: pd.DataFrame, clusters: Clusters, found: dict, failures: dict) -> pd.DataFrame:
    """`coarse_recall` without the models that failed and without clusters of which none could be scored."""
    lost = {model for label in clusters.non_singletons if label not in found for model in clusters.members(label)}
    kept = [model for model in matrix.columns if model not in lost]
    representatives = clusters.representatives.copy()
    for label, (model, _) in found.items():
        representatives[label] = model
    usable = clusters.among(kept, representatives)
    scores = pd.Series({model: score for model, score in found.values()})
    table = coarse_recall(matrix[kept], usable, normalize(scores, given.proxy.normalization), top=1)
    table = table.drop(index=[model for model in failures if model in table.index])
    table["rank"] = range(1, len(table) + 1)
    table["recalled"] = table["rank"] <= given.recall.top
    return table


def _by_proxy(given: Settings, shelf: Shelf, task_folder: Path, say: Callable[[str], None], progress: bool) -> Recalled:
    names = list(shelf.folders)
    results = dict(zip(names, _score(given, shelf, names, task_folder, progress), strict=True))
    failures = {name: result.reason for name, result in results.items() if isinstance(result, Failure)}
    fine = {name: result for name, result in results.items() if name not in failures}
    if not fine:
        raise UserError(f"no model could be scored; the first reason: {next(iter(failures.values()))}")
    for name, reason in list(failures.items())[:TOLD]:
        say(f"{name} cannot be used ({reason}).")
    _more(failures, say)
    scores = pd.Series({name: score for name, (score, _) in fine.items()}).rename_axis("model")
    table = pd.DataFrame({"proxy": scores, "recall_score": scores}).reset_index()
    table = table.sort_values(["recall_score", "model"], ascending=[False, True]).set_index("model")
    table["rank"] = range(1, len(table) + 1)
    table["recalled"] = table["rank"] <= given.recall.top
    how = f"All {len(fine)} models scored by {PROXIES[given.proxy.name].label}, since nothing is known of them on benchmark datasets"
    return Recalled(table, {name: seconds for name, (_, seconds) in fine.items()}, failures, how)


def _score(
    given: Settings, shelf: Shelf, models: list[str], task_folder: Path, progress: bool
) -> list[tuple[float, float] | Failure]:
    """Score and seconds of each model, in order; kept in the store, so that no model is scored twice on the same data."""
    proxies = list(dict.fromkeys((given.proxy.name, given.proxy.headless)))
    data = tasks.digest(task_folder)
    found: dict[str, tuple[float, float] | Failure] = {}
    keys, asked = [], []
    for model in models:
        try:
            digest = zoo.digest(shelf.folder(model))
        except Unreachable:
            raise
        except UserError as error:
            found[model] = Failure(str(error))
            continue
        except OSError as error:
            found[model] = Failure(f"its files cannot be read: {error}")
            continue
        keys.append(cells.score_key(digest, data, proxies, given.hardware))
        asked.append(model)
    items = [(shelf.folder(model), task_folder, proxies, given.hardware.resolved()) for model in asked]
    values = cells.through_store(
        Store(), "proxies", keys, cells.score_one, items, f"{given.proxy.name} scores", progress
    )
    for model, value in zip(asked, values, strict=True):
        if isinstance(value, Failure):
            found[model] = value
            continue
        by_name = {row["proxy"]: row for row in value}
        row = by_name.get(given.proxy.name) or by_name.get(given.proxy.headless)
        found[model] = (
            (row["score"], row["seconds"]) if row else Failure(f"it has no source head, which {given.proxy.name} needs")
        )
    return [found[model] for model in models]
