"""The plan of a matrix: which cells are done, which are to do, and what they will cost. It trains nothing."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from twophase.commands.matrix import data as datasets
from twophase.commands.matrix import models as shelf
from twophase.commands.matrix.data import Data
from twophase.commands.matrix.estimate import STATE, cell_cost
from twophase.commands.matrix.models import Model
from twophase.commands.matrix.settings import Settings
from twophase.errors import Unreachable
from twophase.infra.compute import Engine, worker_count
from twophase.infra.store import Store, cache_folder
from twophase.sources.hub import transfer
from twophase.training import tasks
from twophase.training.cells import cell_key
from twophase.training.hardware import Hardware, one_a_gpu
from twophase.training.loading import model_digest

HOUR = 3600
CLUSTERS = ("ray", "dask")


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
        known = [one for one in self.models if not one.fault]
        weights = [4 * one.parameters for one in known]
        missing = [
            (one.download if one.download is not None else 4 * one.parameters) for one in known if one.folder is None
        ]
        sets = [
            float(one.download if one.download is not None else self.given.estimate.dataset_bytes)
            for one in self.data
            if not one.fault and one.folder is None
        ]
        kept = [sum(file.stat().st_size for file in one.folder.glob("*")) for one in self.data if one.folder]
        state = (
            2 * STATE * max((one.parameters for one in known), default=0)
        )  # the new one is whole before the old goes
        return {
            "models": sum(weights), "datasets": 2 * sum(sets) + sum(kept),  # as the hub has them, and as tasks
            "checkpoints": self.at_once * state if self.given.matrix.checkpoints else 0, "download": sum(missing) + sum(sets),
        }  # fmt: skip


def plan(given: Settings) -> Plan:
    """Look at every model and dataset and count cells. A user's own datasets are read, those of a hub asked for sizes.

    Raises:
        UserError: folders or names that there are not.
    """
    named, sources = shelf.names(given), datasets.sources(given)
    hub = "ask=false" if not given.ask else "HF_HUB_OFFLINE is set" if transfer.offline() else ""
    ask, models, found = not hub, [], []
    for kind, items in (("models", named.items()), ("datasets", sources.items())):
        for name, where in items:
            look = shelf.look if kind == "models" else datasets.look
            try:
                known = look(given, name, where, ask)
            except Unreachable as error:
                hub, ask = str(error), False
                known = look(given, name, where, ask)
            (models if kind == "models" else found).append(known)
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
        if not model.fault and not one.fault and (model.reads or one.reads) == (one.reads or model.reads)
    ]


def _cells(given: Settings, models: list[Model], found: list[Data]) -> pd.DataFrame:
    store, chosen = Store(), hardware(given)
    of_models = {one.name: _digest(one.folder) for one in models if one.folder and not one.fault}
    of_data = {one.name: tasks.digest(one.folder) for one in found if one.folder}
    rows = []
    for model, one in pairs(models, found):
        training = given.trainings[one.reads or model.reads or "text"]
        cost = cell_cost(model, one, training, chosen, given.estimate)
        kept = None
        if of_models.get(model.name) and one.name in of_data:
            kept = store.get("cells", cell_key(of_models[model.name], of_data[one.name], training, given.seed, chosen))
        done = sum(row["seconds"] for row in kept) if kept else float("nan")
        rows.append(
            {
                "model": model.name,
                "dataset": one.name,
                "training": cost.training,
                "estimate": cost.seconds,
                "done": done,
            }
        )
    return pd.DataFrame(rows, columns=["model", "dataset", "training", "estimate", "done"])


def _digest(folder: Path) -> str | None:
    try:
        return model_digest(folder)
    except OSError:
        return None


def free(folder: Path | None = None) -> int:
    """Bytes left where models, tasks and cells are kept."""
    folder = folder or cache_folder()
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free
