"""The plan of a matrix: which cells are done, which are to do, and what they will cost. It trains nothing.

What a cell costs is arithmetic on sizes, with every input in `conf/matrix.yaml`.
"""

import math
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from twophase.commands.matrix import data as datasets
from twophase.commands.matrix import models as candidates
from twophase.commands.matrix.data import Data
from twophase.commands.matrix.models import Model
from twophase.commands.matrix.settings import Estimate, Settings
from twophase.errors import Unreachable, UserError
from twophase.infra.compute import Engine, worker_count
from twophase.infra.store import Store, cache_folder
from twophase.sources.hub.place import offline
from twophase.training import tasks
from twophase.training.config import TrainingConfig
from twophase.training.hardware import Hardware, one_a_gpu
from twophase.training.loading import model_digest
from twophase.training.stored import cell_key

CLUSTERS = ("ray", "dask")
# floating-point operations a parameter and token: a pass, and a pass with its gradients (Kaplan et al., 2020, Section 2.1)
FORWARD, TRAINING = 2, 6
STATE = 12  # bytes a parameter of a checkpoint: the weight and AdamW's two moments, in float32


@dataclass(frozen=True)
class Cost:
    """What one cell costs.

    Attributes:
        operations: floating-point.
        training: seconds of one device for all epochs, as a cell measures them.
        seconds: the same with loading and encoding.
    """

    operations: float
    training: float
    seconds: float


def cell_cost(model: Model, data: Data, training: TrainingConfig, hardware: Hardware, given: Estimate) -> Cost:
    """Training and validation of every epoch, and the test at the end."""
    each = model.computing * (model.tokens or data.tokens)
    evaluated = data.rows["validation"] * training.epochs + data.rows["test"]
    operations = TRAINING * each * data.rows["train"] * training.epochs + FORWARD * each * evaluated
    steps = math.ceil(data.rows["train"] / training.batch_size) * training.epochs
    device = device_kind(hardware)
    trained = operations / rate(hardware, given) + steps * given.seconds_per_step[device]
    return Cost(operations, trained, trained + given.seconds_per_cell[device])


def rate(hardware: Hardware, given: Estimate) -> float:
    """Floating-point operations that are expected of a device in a second."""
    return float(given.peak_flops[device_kind(hardware)][hardware.precision]) * given.utilisation


def device_kind(hardware: Hardware) -> str:
    """Says "cuda" or "cpu"."""
    return hardware.resolved().device.split(":")[0]


def wall_clock(seconds: list[float], devices: int) -> float:
    """Seconds until all cells are done: the devices share them, and none is split."""
    return max(sum(seconds) / devices, max(seconds, default=0.0))


@dataclass(frozen=True)
class Plan:
    """What a matrix comes to.

    Attributes:
        given: the settings.
        models, data: what is known of each; those with a fault are left out of the cells.
        cells: a row a cell: model, dataset, training (seconds of one device, estimated), estimate (the same with loading), done
            (seconds of training measured; NaN: to do).
        hub: "" or why the hub was not asked.
    """

    given: Settings
    models: list[Model]
    data: list[Data]
    cells: pd.DataFrame
    hub: str

    @property
    def to_do(self) -> pd.DataFrame:
        """The cells that are not in the store."""
        return self.cells[self.cells["done"].isna()]

    @property
    def done(self) -> pd.DataFrame:
        """The cells that are in the store."""
        return self.cells[self.cells["done"].notna()]

    @property
    def on_gpu(self) -> bool:
        """Whether cells are trained on GPUs."""
        return hardware(self.given).device.startswith("cuda")

    @property
    def devices(self) -> int:
        """GPUs, or workers where the processor computes."""
        return self.given.gpus if self.on_gpu else worker_count(engine(self.given).workers)

    @property
    def at_once(self) -> int:
        """Cells that are trained at the same time."""
        chosen = engine(self.given)
        if self.on_gpu and chosen.engine in CLUSTERS:
            return max(1, int(self.devices / (chosen.gpus_per_task or 1)))
        return 1 if chosen.engine == "serial" else worker_count(chosen.workers)

    def disk(self) -> dict[str, float]:
        """Bytes: of models, datasets and checkpoints, and of what is still to be brought."""
        models = [one for one in self.models if not one.fault]
        missing = sum(one.bytes if one.download is None else one.download for one in models if one.folder is None)
        usual = self.given.estimate.dataset_bytes
        unread = [one for one in self.data if one.folder is None and not one.fault]
        new = sum(float(usual if one.download is None else one.download) for one in unread)
        kept = sum(file.stat().st_size for one in self.data if one.folder for file in one.folder.glob("*"))
        # the new one is whole before the old goes
        state = 2 * STATE * max((one.parameters for one in models), default=0)
        return {
            "models": sum(one.bytes for one in models),
            "datasets": 2 * new + kept,  # as the hub has them, and as tasks
            "checkpoints": self.at_once * state if self.given.matrix.checkpoints else 0,
            "download": missing + new,
        }


def plan(given: Settings) -> Plan:
    """Look at every model and dataset and count cells. A user's own datasets are read, those of a hub asked for sizes.

    Raises:
        UserError: folders or names that there are not.
    """
    hub = "ask=false" if not given.ask else "HF_HUB_OFFLINE is set" if offline() else ""

    def known(look: Callable, name: str, where: object) -> Model | Data:
        nonlocal hub
        try:
            return look(given, name, where, ask=not hub)
        except Unreachable as error:
            hub = str(error)  # nothing more is asked of it
            return look(given, name, where, ask=False)

    names, sources = candidates.names(given), datasets.sources(given)
    models = [known(candidates.look, name, folder) for name, folder in names.items()]
    found = [known(datasets.look, name, source) for name, source in sources.items()]
    return Plan(given, models, found, _cells(given, models, found), hub)


def hardware(given: Settings) -> Hardware:
    """Where cells are trained: what tasks hold of a cluster's GPUs decides for "auto", not this machine."""
    if given.hardware.device == "auto" and given.compute.gpus_per_task:
        return Hardware("cuda", given.hardware.precision, given.hardware.micro_batch)
    return given.hardware.resolved()


def engine(given: Settings) -> Engine:
    """The engine that trains."""
    return one_a_gpu(given.compute, hardware(given))


def pairs(models: list[Model], found: list[Data]) -> list[tuple[Model, Data]]:
    """Models and datasets that go together, dataset by dataset."""
    return [
        (model, one)
        for one in found
        for model in models
        if not (model.fault or one.fault)
        and (model.modality is None or one.modality is None or model.modality == one.modality)
    ]


def _cells(given: Settings, models: list[Model], found: list[Data]) -> pd.DataFrame:
    store, chosen = Store(), hardware(given)
    of_models = {one.name: _digest(one.folder) for one in models if one.folder and not one.fault}
    of_data = {one.name: tasks.digest(one.folder) for one in found if one.folder}
    rows = []
    for model, one in pairs(models, found):
        training = given.trainings[one.modality or model.modality or "text"]
        cost = cell_cost(model, one, training, chosen, given.estimate)
        kept = None
        if of_models.get(model.name) and one.name in of_data:
            kept = store.get("cells", cell_key(of_models[model.name], of_data[one.name], training, given.seed, chosen))
        done = sum(row["seconds"] for row in kept) if kept else math.nan
        rows.append((model.name, one.name, cost.training, cost.seconds, done))
    return pd.DataFrame(rows, columns=["model", "dataset", "training", "estimate", "done"])


def _digest(folder: Path) -> str | None:
    try:
        return model_digest(folder)
    except (OSError, UserError):
        return None


def free(folder: Path | None = None) -> int:
    """Bytes left where models, tasks and cells are kept."""
    folder = folder or cache_folder()
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free
