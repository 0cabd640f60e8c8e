"""Records, proxy scores and configuration of a domain, and each method applied to one target of it.

A target is a dataset of role target, or a benchmark dataset that takes its turn: then prior, clusters and
trends are made again without it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from .. import config
from ..clustering import Clusters, cluster_models
from ..config import root
from ..errors import UserError
from ..pipeline import TwoPhase, two_phase
from ..recall import coarse_recall, normalize
from ..records import TrainingRecords
from ..runs import RecordedRuns
from ..selection import Selection, brute_force, fine_selection, successive_halving

RESAMPLES = 2000
MODALITY = {"cv": "vision", "nlp": "language"}


@dataclass
class Evidence:
    """What was measured for a domain.

    Attributes:
        domain: for example "cv".
        records: of the models that have all cells; what is missing is in `incomplete`.
        proxies: model, dataset, proxy, score, seconds.
        params: the whole configuration.
        tasks: facts of each dataset: role, classes, chance, train, validation, test.
        sources: what the datasets were made from: version, licence, files, sha256 of each package.
        incomplete: models left out because a cell of theirs failed.
    """

    domain: str
    records: TrainingRecords
    proxies: pd.DataFrame
    params: config.Params
    tasks: pd.DataFrame
    sources: pd.DataFrame
    incomplete: list[str] = field(default_factory=list)
    _made: dict = field(default_factory=dict, repr=False)

    @property
    def settings(self):
        """The domain's own part of the configuration."""
        return self.params.domain[self.domain]

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
        return self._once("matrix", target, lambda: self.records.matrix(exclude=[target]))

    def clusters(self, target: str, **options) -> Clusters:
        """Clusters made without the target, as configured; options override `cluster_models`'s."""
        chosen, matrix = self.params.clustering, self.matrix(target)
        given = {"k": min(chosen.k, len(matrix)), "method": chosen.method, "n_clusters": chosen.n_clusters,
                 "threshold": self.settings.cut, "seed": self.params.seed}  # fmt: skip
        key = (target, tuple(sorted(options.items())))
        return self._once("clusters", key, lambda: cluster_models(matrix, **(given | options)))

    def raw_scores(self, target: str, proxy: str | None = None) -> pd.Series:
        """Proxy scores of all models on a target; without a source head the configured `headless` proxy's."""
        name = proxy or self.params.proxy.name
        here = self.proxies[self.proxies["dataset"] == target].pivot(index="model", columns="proxy", values="score")
        scores = here[name].fillna(here[self.params.proxy.headless])
        return scores.reindex(self.models)

    def scores(self, target: str) -> pd.Series:
        """Normalised proxy scores of the representatives of non-singleton clusters."""
        clusters = self.clusters(target)
        chosen = clusters.representatives.loc[clusters.non_singletons]
        return normalize(self.raw_scores(target).loc[list(chosen)], self.params.proxy.normalization)

    def proxy_seconds(self, target: str) -> float:
        """Measured seconds of scoring the representatives."""
        name, headless = self.params.proxy.name, self.params.proxy.headless
        here = self.proxies[self.proxies["dataset"] == target].pivot(index="model", columns="proxy", values="seconds")
        return float(here[name].fillna(here[headless]).loc[self.scores(target).index].sum())

    def recall(self, target: str) -> pd.DataFrame:
        """`coarse_recall` of a target, as configured."""
        return self._once(
            "recall",
            target,
            lambda: coarse_recall(self.matrix(target), self.clusters(target), self.scores(target), self.top),
        )

    def recalled(self, target: str) -> list[str]:
        table = self.recall(target)
        return list(table.index[table["recalled"]])

    def runs(self, target: str) -> RecordedRuns:
        return RecordedRuns(self.records, target)

    def known(self, target: str) -> TrainingRecords:
        """Benchmark records without the target."""
        return self._once("known", target, lambda: self.records.only("benchmark").without(datasets=[target]))

    def brute_force(self, target: str) -> Selection:
        return self._once("bf", target, lambda: brute_force(self.runs(target), self.models))

    def halving(self, target: str, models: tuple[str, ...] | None = None) -> Selection:
        return self._once("sh", (target, models), lambda: successive_halving(self.runs(target), models or self.models))

    def fine_selection(
        self, target: str, models: tuple[str, ...] | None = None, threshold: float | None = None
    ) -> Selection:
        chosen = self.params.selection
        limit = chosen.threshold if threshold is None else threshold
        return self._once(
            "fs", (target, models, limit),
            lambda: fine_selection(self.runs(target), models or self.models, self.known(target), limit,
                                   min(chosen.n_trends, len(self.matrix(target))), chosen.threshold_kind, self.params.seed),
        )  # fmt: skip

    def two_phase(self, target: str) -> TwoPhase:
        chosen = self.params.selection
        return self._once(
            "2ph", target,
            lambda: two_phase(self.runs(target), self.matrix(target), self.known(target), self.clusters(target),
                              self.scores(target), self.top, chosen.threshold, min(chosen.n_trends, len(self.matrix(target))),
                              chosen.threshold_kind, self.params.recall.epochs_per_proxy, self.proxy_seconds(target),
                              self.params.seed),
        )  # fmt: skip

    def final(self, target: str) -> pd.Series:
        """Final test score of each model on a target (the seed that selections replay)."""
        frame = self.records.frame[self.records.frame["dataset"] == target]
        frame = frame[frame["seed"] == frame.groupby("model")["seed"].transform("min")]
        return frame[frame["epoch"] == frame["epoch"].max()].set_index("model")["test"]

    def _once(self, what: str, key, make):
        if (what, key) not in self._made:
            self._made[what, key] = make()
        return self._made[what, key]


def load(domain: str) -> Evidence:
    """Read what the stages made for a domain.

    Raises:
        UserError: an unknown domain, or results that are not there yet.
    """
    here = root()
    params = config.read(here / "params.yaml")
    if domain not in params.domain:
        raise UserError(f"unknown domain {domain!r}; configured: {', '.join(params.domain)}.")
    folder = here / "results" / domain
    if not (folder / "records.csv").is_file():
        raise UserError(f"{folder / 'records.csv'} is not there yet; run `make repro`.")
    records = TrainingRecords.read(folder / "records.csv")
    whole = records.matrix(role=None, missing="drop").columns
    incomplete = [model for model in records.models if model not in whole]
    proxies = pd.read_csv(folder / "proxies.csv")
    tables = (pd.read_csv(folder / f"{name}.csv", index_col=0) for name in ("tasks", "sources"))
    return Evidence(domain, records.without(models=incomplete), proxies, params, *tables, incomplete)


def interval(values, level: float = 0.95, seed: int = 0) -> tuple[float, float]:
    """Bootstrap interval of a mean, over the given values (targets)."""
    values = np.asarray(values, dtype=float)
    draws = np.random.default_rng(seed).integers(len(values), size=(RESAMPLES, len(values)))
    low, high = np.quantile(values[draws].mean(1), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def with_interval(values, digits: int = 3) -> str:
    """A mean with its 95 % bootstrap interval, as text."""
    low, high = interval(values)
    return f"{np.mean(values):.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def tidy(table: pd.DataFrame) -> pd.DataFrame:
    """The table with whole-number columns as integers."""
    table = table.infer_objects()
    for name in table:
        values = table[name]
        if pd.api.types.is_numeric_dtype(values) and values.notna().any() and (values.dropna() % 1 == 0).all():
            table[name] = values.astype("Int64")
    return table


def save_table(table: pd.DataFrame, name: str, domain: str) -> pd.DataFrame:
    """Write results/tables/<name>_<domain>.csv (index included, four decimals); returns the table."""
    table = tidy(table)
    folder = root() / "results" / "tables"
    folder.mkdir(parents=True, exist_ok=True)
    table.to_csv(folder / f"{name}_{domain}.csv", float_format="%.4f", lineterminator="\n")
    return table


def say(*sentences: str):
    """Sentences as a Markdown cell output."""
    from IPython.display import Markdown

    return Markdown(" ".join(sentences))
