"""What `twophase select` is told, as frozen dataclasses (`conf/select.yaml`)."""

import itertools
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from twophase.errors import UserError, unknown
from twophase.infra import config
from twophase.infra.compute import Engine, asked
from twophase.infra.schema import Field, NotNegative, OneOf, build, settings
from twophase.proxies import PROXIES
from twophase.selection import check_threshold
from twophase.sources.files import finding
from twophase.training.config import Clustering, Leader, Proxy, Recall, Selection, TrainingConfig, check_metric
from twophase.training.hardware import Hardware

TASK_KEYS = ("path", "name", "text", "text_pair", "label", "test", "validation")
LITERAL = (*(f"task.{key}" for key in TASK_KEYS), "zoo.path", "zoo.matrix", "zoo.base_model", "out", "compute.address")
METHODS = ("auto", "leader", "two_phase", "halving", "brute_force")
# key of a zoo -> the one kind of zoo that reads it
ONLY = {"path": "folder", "matrix": "hub", "models": "hub", "base_model": "hub", "max_parameters": "hub"}
DOMAIN = {"text": "nlp", "image": "cv"}  # modality -> the domain of the live zoo whose models read it


@settings()
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
    max_missing: float
    validation_share: float
    test_share: float


@settings()
class ZooSource:
    """Where the models are: `live` (the project's own), `folder` or `hub`; `cut` None: the domain's for the live zoo,
    else adaptive (`cluster_models`).

    `matrix`: the published matrix that tells what is known of the hub's models; `models`: their ids, None: all of the
    matrix that are of `base_model` and have at most `max_parameters`.
    """

    kind: str
    path: str | None
    cut: Annotated[float, Field(ge=0, le=1)] | None
    matrix: str | None
    models: tuple[str, ...] | None
    base_model: str | None
    max_parameters: float | None
    allow_pickle: bool


@settings()
class Budget:
    """What the run may cost; None: anything."""

    minutes: Annotated[float, Field(gt=0)] | None
    epochs: Annotated[float, Field(gt=0)] | None


@settings()
class Settings:
    """The whole of a run's configuration.

    `method`: auto is the leader where enough is known for its belief, else the two phases. `training`: values of a `TrainingConfig` that are changed; None: as the zoo's own models were fine-tuned. `asked`:
    the keys that were named on the command line.
    """

    task: TaskSource
    zoo: ZooSource
    proxy: Proxy
    clustering: Clustering
    recall: Recall
    selection: Selection
    method: OneOf(METHODS)
    leader: Leader
    budget: Budget
    training: dict[str, Any]
    compute: Engine
    hardware: Hardware
    metric: str
    trust_remote_code: bool
    out: str | None
    overwrite: bool
    seed: Annotated[int, Field(ge=0)]
    asked: tuple[str, ...]

    def named(self, *groups: str) -> list[str]:
        """The keys of these groups (or keys) that were named."""
        return [key for key in self.asked if key in groups or key.split(".")[0] in groups]


def with_path(words: list[str]) -> list[str]:
    """Overrides, of words whose first may be the path of a task.

    Raises:
        UserError: the first is neither an override nor the path of anything.
    """
    first = words[0] if words else "="
    if ("=" in first and not Path(first).exists()) or (first.startswith("~") and not first.startswith("~/")):
        return words
    if not (path := Path(first).expanduser()).exists():
        raise UserError(
            f"got {first!r}, where nothing is; give the path of a file or folder first (twophase select reviews.csv), then "
            "overrides as key=value."
        )
    return [f"task={kind_of(path)}", f"task.path={first}", *words[1:]]


def compose(overrides: list[str]) -> Settings:
    """The settings of `conf/select.yaml` with overrides.

    Raises:
        UserError: an unknown key or option, a missing path, a value of a wrong type or out of range.
    """
    if not any(override.lstrip("+~").startswith("compute") for override in overrides):
        overrides = [*asked(), *overrides]
    values = config.values(overrides, "select", lambda key, value: key in LITERAL)
    for group in ("task", "zoo"):
        for key, value in values[group].items():
            if value == "???":
                raise UserError(f"{group}.{key} is missing: give {group}.{key}=… (see twophase select --help)")
    given = build(Settings, values | {"asked": [override.partition("=")[0].lstrip("+~") for override in overrides]})
    check_metric(given.metric, given.trust_remote_code)
    check_threshold(given.selection.threshold, given.selection.threshold_kind, "selection.")
    for key in ("name", "headless"):
        if (got := getattr(given.proxy, key)) not in PROXIES:
            raise unknown(f"proxy.{key} {got!r}", got, PROXIES)
    for name in given.leader.proxies:
        if name not in PROXIES:
            raise unknown(f"leader.proxies {name!r}", name, PROXIES)
    TrainingConfig().changed(given.training)
    for key, kind in ONLY.items():
        if (got := getattr(given.zoo, key)) is not None and given.zoo.kind != kind:
            raise UserError(
                f"zoo.{key} is {got}, which a zoo of kind {given.zoo.kind} does not read; leave it out, or choose another zoo "
                "(see twophase select --help)."
            )
    return given


class Usual(NamedTuple):
    """What is done for a modality if nothing else is said: as in its live zoo."""

    cut: float
    normalization: str
    training: TrainingConfig


def usual(modality: str) -> Usual:
    """Where the dendrogram is cut, how LEEP comes to [0, 1] and how models are fine-tuned in the live zoo of a modality.

    Raises:
        UserError: a value of a wrong type or out of range.
    """
    domain = DOMAIN[modality]
    part = config.values()[domain]
    cut = build(NotNegative, part["cut"], f"{domain}.cut")
    return Usual(cut, part["normalization"], build(TrainingConfig, part["training"], f"{domain}.training"))


def kind_of(path: str | Path) -> str:
    """The kind of task that a path looks like: by a file's suffix, a folder of tables, or a folder of folders.

    Raises:
        UserError: none of them.
    """
    path = Path(path)
    if kind := finding.kind_in(path) or ("image_folder" if path.is_dir() else None):
        return kind
    known = ", ".join(itertools.chain(*finding.SUFFIXES.values()))
    raise UserError(f"{path} is neither a folder nor {known}; give task=csv, json, parquet or image_folder.")
