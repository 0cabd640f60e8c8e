"""What ``params.yaml`` may say, as frozen dataclasses; :mod:`twophase.infra.validation` makes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Proxy:
    """Which proxy scores a model; ``headless`` scores those without a source head."""

    name: str
    normalization: str
    headless: str


@dataclass(frozen=True)
class Clustering:
    """How models are grouped; ``n_clusters`` None: by the domain's ``cut``. ``exact_up_to``: see `cluster_models`."""

    method: str
    k: int
    n_clusters: int | None
    exact_up_to: int


@dataclass(frozen=True)
class Recall:
    """How many models coarse recall hands on, and what a proxy costs in epochs."""

    top: int
    epochs_per_proxy: float


@dataclass(frozen=True)
class Selection:
    """Fine-selection (Algorithm 1)."""

    threshold: float
    threshold_kind: str
    n_trends: int


@dataclass(frozen=True)
class Cards:
    """What encodes model cards (`zoo.embedding`); ``encoder`` None: nothing does. ``sha256``: file -> hash."""

    name: str
    encoder: str | None
    sha256: dict[str, Any]


@dataclass(frozen=True)
class Sizes:
    """Examples of a task's splits."""

    train: int
    validation: int
    test: int


@dataclass(frozen=True)
class Tasks:
    """Names of the datasets by role; what models are pre-trained on (``upstream``) has sizes of its own, at most.

    ``files``: for text, how many source files of a package are read at most; None is all.
    """

    benchmark: tuple[str, ...]
    target: tuple[str, ...]
    sizes: Sizes
    upstream: tuple[str, ...]
    upstream_sizes: Sizes
    files: int | None = None

    @property
    def roles(self) -> dict[str, str]:
        """Dataset -> benchmark or target, in the order of the records."""
        return dict.fromkeys(self.benchmark, "benchmark") | dict.fromkeys(self.target, "target")


@dataclass(frozen=True)
class Training:
    """Fine-tuning of one cell; ``warmup`` is a share of all steps."""

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    warmup: float


@dataclass(frozen=True)
class Seeds:
    """Models whose benchmark cells are repeated with ``extra`` further seeds."""

    models: tuple[str, ...]
    extra: int


@dataclass(frozen=True)
class Zoo:
    """Recipes by model name; ``include`` None: all of them, else these and their parents.

    ``common``: fields of every recipe that does not set them itself.
    """

    include: tuple[str, ...] | None
    common: dict[str, Any]
    models: dict[str, Any]

    @property
    def recipes(self) -> dict[str, Any]:
        """Model -> `zoo.Recipe`, parents first: the models of this run."""
        from twophase.sources.live.zoo import recipes

        models = {name: self.common | values for name, values in self.models.items()}
        return recipes(models, None if self.include is None else list(self.include))


@dataclass(frozen=True)
class SecondRate:
    """``models``: how many of the best on a target are trained once more, with this ``learning_rate``."""

    models: int
    learning_rate: float


@dataclass(frozen=True)
class Domain:
    """Everything that belongs to one domain (``cv``).

    ``second_rate``: with what the targets' best models are trained once more (Fig. 8).
    """

    cut: float
    tasks: Tasks
    training: Training
    second_rate: SecondRate
    seeds: Seeds
    proxies: tuple[str, ...]
    zoo: Zoo


@dataclass(frozen=True)
class Cuts:
    """Distances at which average linkage stops, of each published matrix."""

    paper_nlp: float
    paper_cv: float
    model_recycling: float
    transfergraph: float


@dataclass(frozen=True)
class Published:
    """How published records are read and analysed.

    ``mirror``: folder that holds the files, None: they are downloaded. ``leakage_z``: see `published.model_recycling.leaked`. ``subset_sizes``: numbers of benchmark datasets
    that are compared, each with ``subset_repeats`` random subsets.
    """

    mirror: str | None
    k: int
    cuts: Cuts
    top: int
    leakage_z: float
    subset_sizes: tuple[int, ...]
    subset_repeats: int


@dataclass(frozen=True)
class Params:
    """The whole of ``params.yaml``; ``domain`` maps each of ``domains`` to its part."""

    seed: int
    domains: tuple[str, ...]
    overrides: tuple[str, ...]
    profile: str
    proxy: Proxy
    clustering: Clustering
    recall: Recall
    selection: Selection
    cards: Cards
    published: Published
    domain: dict[str, Domain]
