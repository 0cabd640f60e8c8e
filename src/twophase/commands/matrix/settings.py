"""What `twophase matrix` is told, as frozen dataclasses (`conf/matrix.yaml`)."""

import re
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from twophase.commands.select.settings import DOMAIN, usual
from twophase.errors import UserError, unknown
from twophase.infra import config
from twophase.infra.compute import Engine, asked
from twophase.infra.schema import AtLeastOne, Field, OneOf, build, settings
from twophase.records import ROLES
from twophase.training.config import TrainingConfig
from twophase.training.hardware import Hardware
from twophase.training.tasks import SPLITS

# keys whose values are taken as they are written, unless they are lists
LITERAL = re.compile(
    r"matrix\.(models|tasks)|matrix\.datasets\..+\.(path|name|text|text_pair|label)|out|compute\.address"
)


@settings()
class Source:
    """A dataset.

    Attributes:
        path: id on a hub ("org/name", "org/name@revision"), or a file or folder; None: from `matrix.tasks`.
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
    splits: dict[OneOf(SPLITS), str] | None = None
    role: OneOf(ROLES) = "benchmark"
    rows: int | None = None
    tokens: int | None = None
    note: str = ""


@settings()
class Matrix:
    """Which models and datasets; see `conf/matrix/`. `models`: ids on a hub, or one folder of folders."""

    name: str
    models: tuple[str, ...]
    tasks: str | None
    datasets: dict[str, Source]
    allow_pickle: bool
    max_rows: AtLeastOne | None
    max_evaluation_rows: AtLeastOne | None
    validation_share: float
    test_share: float
    checkpoints: bool
    training: dict[str, Any]
    assumed: dict[str, Any]

    @property
    def folder(self) -> Path | None:
        """The folder of models; None for models of a hub."""
        # whole, since workers may stand elsewhere
        return Path(self.models[0]).expanduser().resolve() if self.tasks is not None else None


@settings()
class Only:
    """A part of the matrix; None: all."""

    models: tuple[str, ...] | None
    datasets: tuple[str, ...] | None


@settings()
class Estimate:
    """What costs are estimated from; see `conf/matrix.yaml` for units and sources."""

    peak_flops: dict[str, Any]
    utilisation: Annotated[float, Field(gt=0)]
    seconds_per_cell: dict[str, Any]
    seconds_per_step: dict[str, Any]
    tokens: AtLeastOne
    characters_per_token: Annotated[float, Field(gt=0)]
    parameters: Annotated[float, Field(gt=0)]
    computing: Annotated[float, Field(gt=0)]
    uses: Annotated[float, Field(gt=0)]
    dataset_bytes: float


@settings()
class Settings:
    """The whole of a matrix's configuration."""

    matrix: Matrix
    hardware: Hardware
    compute: Engine
    only: Only
    estimate: Estimate
    out: str | None
    seed: Annotated[int, Field(ge=0)]
    ask: bool
    gpus: AtLeastOne

    @cached_property
    def trainings(self) -> dict[str, TrainingConfig]:
        """How models of a modality ("text", "image") are fine-tuned: as `select` does it, but for what was changed."""
        return {modality: usual(modality).training.changed(self.matrix.training) for modality in DOMAIN}

    @property
    def folder(self) -> Path:
        """Where records.csv goes."""
        if self.out:
            return Path(self.out).expanduser()
        return self.matrix.folder or Path("runs") / "matrix" / self.matrix.name

    def chosen(self, kind: str, found: dict[str, Any]) -> dict[str, Any]:
        """Of all models or datasets (`kind`: "model", "dataset") those that `only` names. UserError: it names another."""
        names = getattr(self.only, f"{kind}s")
        for name in names or ():
            if name not in found:
                raise unknown(f"{kind} {name!r} in only.{kind}s", name, found)
        return found if names is None else {name: found[name] for name in names}


def compose(overrides: list[str]) -> Settings:
    """The settings of `conf/matrix.yaml` with overrides; those of `matrix.datasets.NAME` may name new datasets.

    Raises:
        UserError: an unknown key or option, a missing path, a value of a wrong type or out of range.
    """
    overrides = [f"++{one}" if one.startswith("matrix.datasets.") else one for one in overrides]
    if not any(one.lstrip("+~").startswith("compute") for one in overrides):
        overrides = [*asked(), *overrides]
    values = config.values(
        overrides,
        "matrix",
        lambda key, value: bool(LITERAL.fullmatch(key)) and not (value[0] == "[" and value[-1] == "]"),
    )
    part = values["matrix"]
    part.pop("zoo", None)  # only its models are used
    for key in ("models", "tasks"):
        if part[key] == "???":
            raise UserError(f"matrix.{key} is missing: give matrix.{key}=… (see twophase matrix --help)")
    if isinstance(part["models"], str):
        part["models"] = [part["models"]]
    for source in filter(lambda source: isinstance(source, dict), part["datasets"].values()):
        source |= {key: [source[key]] for key in ("text", "text_pair") if isinstance(source.get(key), str)}
    given = build(Settings, values)
    _check(given)
    return given


def _check(given: Settings) -> None:
    part = given.matrix
    if part.tasks is not None and len(part.models) != 1:
        raise UserError(
            f"matrix.models names {len(part.models)} folders; give one folder of folders, or matrix=hub for ids."
        )
    if part.tasks is None and not part.datasets:
        raise UserError("matrix.datasets is empty; name one: matrix.datasets.NAME.path=org/name (see docs/matrix.md).")
    if part.tasks is None and (without := [name for name, source in part.datasets.items() if source.path is None]):
        raise UserError(f"matrix.datasets.{without[0]}.path is missing; give the dataset's id on the hub: org/name.")
    TrainingConfig().changed(part.training)
    if given.hardware.device.startswith("cuda") and given.compute.engine == "ray" and not given.compute.gpus_per_task:
        raise UserError(
            "hardware.device is cuda and compute.gpus_per_task 0, with which Ray hides its GPUs; give compute.gpus_per_task=1, "
            "or a fraction for several models on one GPU."
        )
