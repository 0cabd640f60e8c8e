"""What `twophase select` is told, as frozen dataclasses (``conf/select.yaml``)."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from twophase.errors import UserError
from twophase.infra import config
from twophase.infra.compute import Engine, asked
from twophase.infra.settings import Clustering, Proxy, Recall
from twophase.infra.settings import Selection as SelectionSettings
from twophase.infra.validation import CHOICES, build, unknown
from twophase.training.hardware import Hardware

LITERAL = (
    *(f"task.{key}" for key in ("path", "name", "text", "text_pair", "label", "test", "validation")),
    "zoo.path", "zoo.matrix", "zoo.base_model", "out", "compute.address",
)  # fmt: skip
ONLY = {  # what a kind of zoo alone reads
    "path": ("folder",), "matrix": ("hub",), "models": ("hub",), "base_model": ("hub",), "max_parameters": ("hub",),
}  # fmt: skip
SUFFIXES = {".csv": "csv", ".tsv": "csv", ".json": "json", ".jsonl": "json", ".parquet": "parquet"}


@dataclass(frozen=True)
class TaskSource:
    """Where the labelled data are; see `tasks.files.read`."""

    kind: str
    path: str
    name: str | None
    text: str | None
    text_pair: str | None
    label: str | None
    test: str | None
    validation: str | None
    max_rows: int | None
    validation_share: float
    test_share: float


@dataclass(frozen=True)
class ZooSource:
    """Where the models are: ``live`` (the project's own), ``folder`` or ``hub``; ``cut`` None: the domain's.

    ``matrix``: the published matrix that tells what is known of the hub's models; ``models``: their ids, None: all of the
    matrix that are of ``base_model`` and have at most ``max_parameters``.
    """

    kind: str
    path: str | None
    cut: float | None
    matrix: str | None
    models: tuple[str, ...] | None
    base_model: str | None
    max_parameters: float | None
    allow_pickle: bool


@dataclass(frozen=True)
class Budget:
    """What the run may cost; None: anything."""

    minutes: float | None
    epochs: float | None


@dataclass(frozen=True)
class Training:
    """How models are fine-tuned; None: as the zoo's own were."""

    epochs: int | None
    batch_size: int | None
    learning_rate: float | None


@dataclass(frozen=True)
class Settings:
    """The whole of a run's configuration; ``asked``: the keys that were named on the command line."""

    task: TaskSource
    zoo: ZooSource
    proxy: Proxy
    clustering: Clustering
    recall: Recall
    selection: SelectionSettings
    budget: Budget
    training: Training
    compute: Engine
    hardware: Hardware
    metric: str
    trust_remote_code: bool
    out: str | None
    seed: int
    asked: tuple[str, ...]

    def named(self, *groups: str) -> list[str]:
        """The keys of these groups (or keys) that were named."""
        return [key for key in self.asked if key in groups or key.split(".")[0] in groups]


def compose(overrides: list[str]) -> Settings:
    """The settings of ``conf/select.yaml`` with overrides.

    Raises:
        UserError: an unknown key or option, a missing path, a value of a wrong type or out of range.
    """
    if not any(override.lstrip("+~").startswith("compute") for override in overrides):
        overrides = [*asked(), *overrides]
    composed = config.compose(config.literal(overrides, LITERAL), "select")
    values = config.parse(composed, "the composed configuration")
    for group in ("task", "zoo"):
        for key, value in values[group].items():
            if value == "???":
                raise UserError(f"{group}.{key} is missing: give {group}.{key}=… (see twophase select --help)")
    keys = [override.partition("=")[0].lstrip("+~") for override in overrides]
    settings = build(Settings, values | {"asked": keys}, "")
    _check(settings)
    return settings


def _check(given: Settings) -> None:
    from twophase.proxies import PROXIES
    from twophase.training import metrics

    for key, choices in CHOICES.items():
        group, name = key.split(".")
        if (got := getattr(getattr(given, group), name)) not in choices:
            raise unknown(f"{key} {got!r}", got, choices)
    metrics.check(given.metric, given.trust_remote_code)
    for key in ("name", "headless"):
        if (got := getattr(given.proxy, key)) not in PROXIES:
            raise unknown(f"proxy.{key} {got!r}", got, PROXIES)
    least = {
        "seed": 0, "recall.top": 1, "recall.epochs_per_proxy": 0, "selection.threshold": 0, "selection.n_trends": 1,
        "clustering.k": 1, "clustering.n_clusters": 1, "clustering.exact_up_to": 1, "training.epochs": 1,
        "training.batch_size": 1,
    }  # fmt: skip
    for key, low in least.items():
        value: Any = given
        for part in key.split("."):
            value = getattr(value, part)
        if value is not None and not value >= low:
            raise UserError(f"{key}: got {value}; allowed is at least {low}")
    for key, kinds in ONLY.items():
        if getattr(given.zoo, key) is not None and given.zoo.kind not in kinds:
            raise UserError(
                f"zoo.{key} is {getattr(given.zoo, key)}, which a zoo of kind {given.zoo.kind} does not read; leave it out, or "
                "choose another zoo (see twophase select --help)."
            )
    if given.zoo.cut is not None and not 0 <= given.zoo.cut <= 1:
        raise UserError(f"zoo.cut: got {given.zoo.cut:g}; allowed is 0 to 1, the distances of Eq. 1")
    for key in (field.name for field in fields(Budget)):
        value = getattr(given.budget, key)
        if value is not None and not value > 0:
            raise UserError(f"budget.{key}: got {value:g}; allowed is more than 0, or null for no limit")
    rate = given.training.learning_rate
    if rate is not None and not rate > 0:
        raise UserError(f"training.learning_rate: got {rate:g}; allowed is more than 0")


def kind_of(path: str | Path) -> str:
    """The kind of task that a path looks like: by a file's suffix, a folder of tables, or a folder of folders.

    Raises:
        UserError: none of them.
    """
    path = Path(path)
    if path.is_dir():
        inside = [SUFFIXES[p.suffix] for p in sorted(path.iterdir()) if p.suffix in SUFFIXES]
        return inside[0] if inside else "image_folder"
    if path.suffix.lower() in SUFFIXES:
        return SUFFIXES[path.suffix.lower()]
    raise UserError(
        f"{path} is neither a folder nor {', '.join(SUFFIXES)}; give task=csv, json, parquet or image_folder."
    )
