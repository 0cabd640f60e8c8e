"""What `twophase matrix` is told, as frozen dataclasses (``conf/matrix.yaml``)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from twophase.errors import UserError
from twophase.infra import config
from twophase.infra.compute import Engine, asked
from twophase.infra.validation import build, unknown
from twophase.records import ROLES
from twophase.training.finetuning import TrainingConfig
from twophase.training.hardware import Hardware

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Source:
    """A dataset.

    Attributes:
        path: id on a hub ("org/name", "org/name@revision"), or a file or folder; None: from ``matrix.tasks``.
        name: its configuration on the hub.
        text, text_pair: columns; several are joined by a blank. None: guessed.
        label: column; None: guessed.
        rounded: labels are numbers, and classes the whole numbers next to them.
        splits: train, validation, test -> what the hub calls it; None: by their own names.
        role: "benchmark" or "target".
        rows, tokens: training rows, and tokens of a text, for the estimate before the data are here.
        note: what is not sure about it.
    """

    path: str | None = None
    name: str | None = None
    text: tuple[str, ...] | None = None
    text_pair: tuple[str, ...] | None = None
    label: str | None = None
    rounded: bool = False
    splits: dict | None = None
    role: str = "benchmark"
    rows: int | None = None
    tokens: int | None = None
    note: str = ""


@dataclass(frozen=True)
class Training:
    """How models are fine-tuned; None: as `select` does it."""

    epochs: int | None
    batch_size: int | None
    learning_rate: float | None
    weight_decay: float | None
    warmup: float | None

    def configs(self) -> dict[str, TrainingConfig]:
        """For models that read "text" and "image". Raises UserError on a value out of range."""
        given = {name: value for name, value in vars(self).items() if value is not None}
        if len(given) == len(vars(self)):
            return dict.fromkeys(("text", "image"), TrainingConfig(**given))
        usual = config.load(["domains=[nlp,cv]"]).domain
        return {
            reads: TrainingConfig(**{**vars(usual[domain].training), **given})
            for reads, domain in (("text", "nlp"), ("image", "cv"))
        }


@dataclass(frozen=True)
class Matrix:
    """Which models and datasets; see ``conf/matrix/``. ``models``: ids on a hub, or one folder of folders."""

    name: str
    models: tuple[str, ...]
    tasks: str | None
    datasets: dict[str, Any]
    allow_pickle: bool
    max_rows: int | None
    max_evaluation_rows: int | None
    validation_share: float
    test_share: float
    checkpoints: bool
    training: Training
    assumed: dict[str, Any]

    @property
    def folder(self) -> Path | None:
        """The folder of models; None for models of a hub."""
        # whole, since workers may stand elsewhere
        return Path(self.models[0]).expanduser().resolve() if self.tasks is not None else None


@dataclass(frozen=True)
class Only:
    """A part of the matrix; None: all."""

    models: tuple[str, ...] | None
    datasets: tuple[str, ...] | None


@dataclass(frozen=True)
class Estimate:
    """What costs are estimated from; see ``conf/matrix.yaml`` for units and sources."""

    peak_flops: dict[str, Any]
    utilisation: float
    seconds_per_cell: dict[str, Any]
    seconds_per_step: dict[str, Any]
    tokens: int
    characters_per_token: float
    parameters: float
    computing: float
    uses: float
    dataset_bytes: float


@dataclass(frozen=True)
class Settings:
    """The whole of a matrix's configuration; ``trainings``: how models that read "text" and "image" are fine-tuned."""

    matrix: Matrix
    hardware: Hardware
    compute: Engine
    only: Only
    estimate: Estimate
    out: str | None
    seed: int
    ask: bool
    gpus: int
    trainings: dict[str, TrainingConfig] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self.trainings.update(self.matrix.training.configs())

    @property
    def folder(self) -> Path:
        """Where records.csv goes."""
        if self.out:
            return Path(self.out).expanduser()
        return self.matrix.folder or Path("runs") / "matrix" / self.matrix.name


def compose(overrides: list[str]) -> Settings:
    """The settings of ``conf/matrix.yaml`` with overrides; those of ``matrix.datasets.NAME`` may name new datasets.

    Raises:
        UserError: an unknown key or option, a missing path, a value of a wrong type or out of range.
    """
    overrides = [f"++{one}" if one.startswith("matrix.datasets.") else one for one in overrides]
    if not any(one.lstrip("+~").startswith("compute") for one in overrides):
        overrides = [*asked(), *overrides]
    values = config.parse(config.compose(overrides, "matrix"), "the composed configuration")
    part = values["matrix"]
    part.pop("zoo", None)  # only its models are used
    for key in ("models", "tasks"):
        if part[key] == "???":
            raise UserError(f"matrix.{key} is missing: give matrix.{key}=… (see twophase matrix --help)")
    if isinstance(part["models"], str):
        part["models"] = [part["models"]]
    part["datasets"] = {name: _source(name, given) for name, given in part["datasets"].items()}
    settings = build(Settings, values, "")
    _check(settings)
    return settings


def _source(name: str, given: Any) -> Source:
    where = f"matrix.datasets.{name}"
    if isinstance(given, dict):
        given = {key: [v] if key in ("text", "text_pair") and isinstance(v, str) else v for key, v in given.items()}
    found = build(Source, given, where)
    if found.role not in ROLES:
        raise unknown(f"{where}.role {found.role!r}", found.role, ROLES)
    if wrong := [split for split in found.splits or () if split not in SPLITS]:
        raise unknown(f"{where}.splits {wrong[0]!r}", wrong[0], SPLITS)
    return found


def _check(given: Settings) -> None:
    part, estimate = given.matrix, given.estimate
    if part.tasks is not None and len(part.models) != 1:
        raise UserError(
            f"matrix.models names {len(part.models)} folders; give one folder of folders, or matrix=hub for ids."
        )
    if part.tasks is None and not part.datasets:
        raise UserError("matrix.datasets is empty; name one: matrix.datasets.NAME.path=org/name (see docs/matrix.md).")
    if part.tasks is None and (without := [name for name, source in part.datasets.items() if source.path is None]):
        raise UserError(f"matrix.datasets.{without[0]}.path is missing; give the dataset's id on the hub: org/name.")
    for key in ("max_rows", "max_evaluation_rows"):
        if (got := getattr(part, key)) is not None and got < 1:
            raise UserError(f"matrix.{key}: got {got}; allowed is 1 or more, or null for all.")
    for key in ("utilisation", "tokens", "characters_per_token", "parameters", "computing", "uses"):
        if not getattr(estimate, key) > 0:
            raise UserError(f"estimate.{key}: got {getattr(estimate, key):g}; allowed is more than 0.")
    if given.gpus < 1 or given.seed < 0:
        raise UserError(f"gpus is {given.gpus} and seed {given.seed}; allowed are at least 1 and at least 0.")
    if given.hardware.device.startswith("cuda") and given.compute.engine == "ray" and not given.compute.gpus_per_task:
        raise UserError(
            "hardware.device is cuda and compute.gpus_per_task 0, with which Ray hides its GPUs; give compute.gpus_per_task=1, "
            "or a fraction for several models on one GPU."
        )
