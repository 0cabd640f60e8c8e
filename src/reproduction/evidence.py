"""Records, proxy scores and configuration of a domain, and each method applied to one target of it.

A target is a dataset of role target, or a benchmark dataset that takes its turn: then prior, clusters and
trends are made again without it.
"""

from dataclasses import dataclass, field, replace
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any

import pandas as pd

from twophase.clustering import Clusters, cluster_models
from twophase.errors import UserError, unknown
from twophase.infra.config import root
from twophase.large import cluster_many
from twophase.pipeline import Scorer, TwoPhase, fine_select, on_one_scale, recall, two_phase
from twophase.records import TrainingRecords
from twophase.runs import RecordedRuns
from twophase.selection import Selection
from twophase.sources.live import parameters

MANY = 500  # models, above which the compiled Eq. 1 is worth its half second
MODALITY = {"cv": "vision", "nlp": "language"}


def _file(name: str, **options: Any) -> cached_property:
    """A table of a domain's results, read when it is first asked for."""
    return cached_property(lambda evidence: pd.read_csv(evidence.results / evidence.domain / name, **options))


def _records(name: str) -> cached_property:
    """The same of training records, without the models that lack a cell."""

    def read(evidence: "Evidence") -> TrainingRecords:
        return TrainingRecords.read(evidence.results / evidence.domain / name).without(models=evidence.incomplete)

    return cached_property(read)


@dataclass
class Evidence:
    """What was measured for a domain. A file of results is read when it is first asked for.

    Attributes:
        domain: for example "cv".
        records: of the models that have all cells; what is missing is in `incomplete`.
        params: the whole configuration.
        results: the folder of that name.
        incomplete: models left out because a cell of theirs failed.
        source: what the records are of, where they are not this project's own ("paper", …).
        own_cut: where the dendrogram is cut; None: as the domain's configuration has it.
        changes: what `load` was told to change, (name, value) of each.
    """

    domain: str
    records: TrainingRecords
    params: parameters.Params
    results: Path
    incomplete: list[str] = field(default_factory=list)
    source: str = ""
    own_cut: float | None = None
    changes: tuple[tuple[str, Any], ...] = ()
    _made: dict = field(default_factory=dict, repr=False)

    proxies = _file("proxies.csv")  # model, dataset, proxy, score, seconds
    second_rate = _records("second_rate.csv")  # each target's best models, trained with the second learning rate
    second_seed = _records("second_seed.csv")  # each dataset's best models, trained with another seed
    tasks = _file("tasks.csv", index_col=0)  # of each dataset: role, classes, chance, train, validation, test
    sources = _file("sources.csv", index_col=0)  # of each package: version, licence, files, sha256
    zoo = _file("models.csv", index_col="model", keep_default_na=False)  # how each model came to be
    cards = _file("cards.csv", index_col="model")  # embeddings, models x dimensions; empty where none was configured
    looks = _file("looks.csv")  # as proxies, of what the leader computes on few examples
    rivals = _file("rivals.csv")  # linear classifiers: model, dataset, val, test, seconds (`rivals.fit`)
    leader_folds = _file("leader.csv")  # the same of the leader (`leading.folds`)
    compact = _file("compact.csv")  # the leader's regret where it knows a part of them (`compact.compared`)
    folds = _file("folds.csv")  # what is chosen for each dataset without having seen it (`choices.folds`)

    @property
    def settings(self):
        """The domain's own part of the configuration."""
        return self.params.domain[self.domain]

    @property
    def name(self) -> str:
        """What tables and figures of this evidence are called after: domain, or domain and source."""
        return f"{self.domain}_{self.source}" if self.source else self.domain

    @property
    def cut(self) -> float:
        """Distance at which average linkage stops."""
        return self.settings.cut if self.own_cut is None else self.own_cut

    @property
    def normalization(self) -> str:
        """How proxy scores come to [0, 1]."""
        return self.params.proxy.normalization or self.settings.normalization

    @property
    def outside(self) -> str:
        """A target that is no benchmark dataset: what is made for it is made of the whole benchmark."""
        return self.targets[0] if self.targets else ""

    @property
    def models(self) -> list[str]:
        return self.records.models

    @cached_property
    def benchmarks(self) -> list[str]:
        return self.records.datasets("benchmark")

    @cached_property
    def targets(self) -> list[str]:
        return self.records.datasets("target")

    @property
    def everything(self) -> list[str]:
        """All datasets, the targets first: each takes its turn as the target."""
        return self.targets + self.benchmarks

    @property
    def top(self) -> int:
        """Models to recall, as configured."""
        return min(self.params.recall.top, len(self.models))

    def matrix(self, target: str) -> pd.DataFrame:
        """The performance matrix without the target."""
        return self.once("matrix", target, lambda: self.records.matrix(exclude=[target]))

    def clusters(self, target: str, **options) -> Clusters:
        """Clusters made without the target, as configured; options override `cluster_models`'s."""
        chosen, matrix = self.params.clustering, self.matrix(target)
        given = {"k": min(chosen.k, len(matrix)), "method": chosen.method, "n_clusters": chosen.n_clusters}
        given |= {"threshold": self.cut, "seed": self.params.seed} | options
        cluster = cluster_models
        if matrix.shape[1] > MANY:
            cluster = partial(cluster_many, exact_up_to=chosen.exact_up_to)
        if "similarity" in options:
            return cluster(matrix, **given)
        return self.once("clusters", (target, *sorted(options.items(), key=str)), lambda: cluster(matrix, **given))

    def raw_scores(self, target: str, proxy: str | None = None, models: list[str] | None = None) -> pd.Series:
        """Proxy scores of models (all) on a target; those without a source head have the `headless` proxy's, rescaled.

        It is rescaled by the models asked for, since nobody has paid for the scores of others (`pipeline.on_one_scale`).
        """
        table, chosen = self._by_proxy(target, "score").reindex(models or self.models), self.params.proxy
        return on_one_scale(table, proxy or chosen.name, chosen.headless)

    def _by_proxy(self, target: str, values: str) -> pd.DataFrame:
        """Scores or seconds on a target, models x proxies."""

        def wide() -> pd.DataFrame:
            here = self.proxies[self.proxies["dataset"] == target]
            return here.pivot(index="model", columns="proxy", values=values)

        return self.once("proxies", (target, values), wide)

    def scored(self, target: str, proxy: str = "representative") -> list[str]:
        """The models that a proxy is run on: representatives of non-singleton clusters, or with "own" their members."""
        clusters = self.clusters(target)
        if proxy == "own":
            return list(clusters.labels.index[clusters.labels.isin(clusters.non_singletons)])
        return list(clusters.representatives.loc[clusters.non_singletons])

    def proxy_seconds(self, target: str, models: list[str], proxy: str | None = None) -> float:
        """Measured seconds of scoring models with a proxy (the configured one)."""
        seconds, chosen = self._by_proxy(target, "seconds").loc[models], self.params.proxy
        return float(seconds[proxy or chosen.name].fillna(seconds[chosen.headless]).sum())

    def recall(self, target: str, name: str | None = None, cut: float | str | None = None, **options) -> pd.DataFrame:
        """The ranking of all models for a target.

        Args:
            target: dataset.
            name: of the proxy; as configured, unless given.
            cut: of the dendrogram, a distance or "adaptive" (`cluster_models` without a threshold); as configured, unless given.
            options: `normalization`, `proxy`, `singleton_similarity` and `singletons` of `pipeline.recall`.
        """

        def ranked() -> pd.DataFrame:
            clusters, given = self._cut_at(target, cut), self._options(options)
            return recall(self.matrix(target), clusters, self.scorer(target, name), self.top, **given).table

        return self.once("recall", (target, name, cut, *sorted(options.items())), ranked)

    def _options(self, given: dict) -> dict:
        """Options of `recall` and `two_phase`, as configured unless given."""
        return {"normalization": self.normalization, "singletons": self.params.recall.singletons} | given

    def _cut_at(self, target: str, cut: float | str | None) -> Clusters:
        if cut is None:
            return self.clusters(target)
        return self.clusters(target, threshold=None if cut == "adaptive" else cut)

    def recalled(self, target: str) -> list[str]:
        table = self.recall(target)
        return list(table.index[table["recalled"]])

    def runs(self, target: str) -> RecordedRuns:
        return RecordedRuns(self.records, target)

    def known(self, target: str) -> TrainingRecords:
        """Benchmark records without the target."""
        return self.once("known", target, lambda: self.records.only("benchmark").without(datasets=[target]))

    def fine_selection(
        self,
        target: str,
        models: list[str] | None = None,
        threshold: float | None = None,
        kind: str | None = None,
        runs: RecordedRuns | None = None,
        n_trends: int | None = None,
    ) -> Selection:
        """Fine-selection among `models` (all); threshold, its kind, runs and trends override the configured ones."""
        chosen = self.params.selection
        limit = chosen.threshold if threshold is None else threshold
        runs, models = runs or self.runs(target), models or self.models
        trends = n_trends or chosen.n_trends
        return fine_select(runs, models, self.known(target), limit, trends, kind or chosen.threshold_kind)

    def two_phase(self, target: str, name: str | None = None, cut: float | str | None = None, **options) -> TwoPhase:
        """The whole method on a target, as configured; options as of `recall`."""
        known = (self.matrix(target), self.known(target), self._cut_at(target, cut))
        chosen, cost = self.params.selection, self.params.recall.epochs_per_proxy
        method = (self.top, chosen.threshold, chosen.n_trends, chosen.threshold_kind, cost)
        found = two_phase(self.runs(target), *known, self.scorer(target, name), *method, **self._options(options))
        return replace(found, seconds=found.seconds + self.proxy_seconds(target, found.scored, name))

    def scorer(self, target: str, name: str | None = None) -> Scorer:
        """Who is asked for proxy scores."""
        return lambda models: self.raw_scores(target, name, models).to_dict()

    def final(self, target: str) -> pd.Series:
        """Final test score of each model on a target (the seed that selections replay)."""

        def last() -> pd.Series:
            frame = self.records.first_seed(target)
            return frame[frame["epoch"] == frame["epoch"].max()].set_index("model")["test"]

        return self.once("final", target, last).copy()

    def once(self, what: str, key, make):
        """`make()`, computed once for each `what` and key."""
        if (what, key) not in self._made:
            self._made[what, key] = make()
        return self._made[what, key]


METHOD = {  # what `load` can change: it touches no record and no proxy score
    "top": "recall.top",
    "singletons": "recall.singletons",
    "proxy": "proxy",
    "normalization": "proxy.normalization",
    "k": "clustering.k",
    "clustering": "clustering",
    "n_clusters": "clustering.n_clusters",
    "cut": "{domain}.cut",
    "threshold": "selection.threshold",
    "threshold_kind": "selection.threshold_kind",
    "n_trends": "selection.n_trends",
}


def load(domain: str, **changes: Any) -> Evidence:
    """Read what the stages made for a domain.

    Args:
        domain: for example "cv".
        changes: of the method, by the names in `METHOD`: `load("cv", top=5, proxy="knn", cut=0.05)`. All that depends on
            them is computed anew from the records, leave-one-out included (half a minute, once).

    Raises:
        UserError: an unknown domain, results that are not there yet, a change that the records do not cover, or a value
            out of range.
    """
    here = root()
    params = parameters.read(here / "params.yaml")
    if domain not in params.domain:
        raise UserError(f"unknown domain {domain!r}; configured: {', '.join(params.domain)}.")
    for name in changes:
        if name not in METHOD:
            raise unknown(f"change {name!r}", name, METHOD)
    if changes:
        overrides = [f"{METHOD[name].format(domain=domain)}={value}" for name, value in changes.items()]
        params = parameters.load([*params.overrides, *overrides])
    folder = here / "results" / domain
    if not (folder / "records.csv").is_file():
        raise UserError(f"{folder / 'records.csv'} is not there yet; run `make repro`.")
    records = TrainingRecords.read(folder / "records.csv")
    whole = records.matrix(role=None, missing="drop").columns
    incomplete = [model for model in records.models if model not in whole]
    return Evidence(
        domain, records.without(models=incomplete), params, here / "results", incomplete, changes=tuple(changes.items())
    )


@cache  # a worker takes many datasets of a domain
def loaded(domain: str, changes: tuple[tuple[str, Any], ...] = ()) -> Evidence:
    """`load`, once in a process."""
    return load(domain, **dict(changes))
