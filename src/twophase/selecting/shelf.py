"""What is selected from: models in folders, and what is known of them on benchmark datasets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from .. import cells, config
from ..errors import UserError
from ..records import TrainingRecords
from ..store import cache_folder
from ..training import TrainingConfig
from .settings import Settings

DOMAIN = {"text": "nlp", "image": "cv"}
MINUTES = {"cv": 8, "nlp": 13}  # what building a live zoo took on two cores


@dataclass(frozen=True)
class Shelf:
    """Models to select from.

    Attributes:
        name: for the user.
        folders: model -> folder written by save_pretrained.
        records: of these models on benchmark datasets; None where nothing is known of them.
        curves: whether the records have validation curves.
        cut: where the dendrogram is cut.
        training: how models are fine-tuned.
        left_out: model -> why it cannot be selected.
    """

    name: str
    folders: dict[str, Path]
    records: TrainingRecords | None
    curves: bool
    cut: float
    training: TrainingConfig
    left_out: dict[str, str]


def open_shelf(given: Settings, modality: str, say: Callable[[str], None]) -> Shelf:
    """The models of a configuration for what the task is made of ("text" or "image").

    Raises:
        UserError: the folder holds no models, or its records cannot be read.
    """
    domain = DOMAIN[modality]
    params = config.load()
    if domain not in params.domain:
        params = config.load([f"domains=[{domain}]"])
    part = params.domain[domain]
    chosen = {name: value for name, value in asdict(given.training).items() if value is not None}
    training = replace(TrainingConfig(**asdict(part.training)), **chosen)
    cut = part.cut if given.zoo.cut is None else given.zoo.cut
    if given.zoo.kind == "folder":
        return _folder(Path(given.zoo.path).expanduser(), cut, training)
    models, table = _live(params, domain, say)
    records = TrainingRecords.read(table).only("benchmark")
    whole = records.matrix(missing="drop").columns
    folders = {name: models / name for name in records.models if name in whole}
    left_out = {name: "its benchmark cells are not all there" for name in records.models if name not in whole}
    return Shelf(f"the live {domain} zoo", folders, records.without(models=left_out), True, cut, training, left_out)


def _live(params: config.Params, domain: str, say: Callable[[str], None]) -> tuple[Path, Path]:
    """Folder of the models and file of their records: the project's, or built once beside the cell store."""
    if project := config.find_project():
        models, table = project / "zoo" / domain, project / "results" / domain / "records.csv"
        if models.is_dir() and table.is_file():
            return models, table
    base = cache_folder() / "live" / params.profile
    models, table = base / "zoo" / domain, base / domain / "records.csv"
    if not table.is_file():
        datasets, number = len(params.domain[domain].tasks.roles), len(params.domain[domain].zoo.recipes)
        say(
            f"The live zoo ({number} models, trained on {datasets} datasets) is not there yet: it is built once, in about "
            f"{MINUTES.get(domain, 15)} minutes on two cores; what is kept from before is not made again."
        )
        cells.build_tasks(params, domain, base / "data" / domain)
        cells.build_zoo(params, domain, base / "data" / domain, models)
        rows, _ = cells.train_cells(params, domain, base / "data" / domain, models)
        table.parent.mkdir(parents=True, exist_ok=True)
        TrainingRecords.from_frame(rows).write(table.with_suffix(".tmp.csv")).replace(table)
    return models, table


def _folder(path: Path, cut: float, training: TrainingConfig) -> Shelf:
    if not path.is_dir():
        raise UserError(f"zoo.path={path} is not a folder; give a folder of folders written by save_pretrained.")
    folders = {one.name: one for one in sorted(path.iterdir()) if (one / "config.json").is_file()}
    if not folders:
        raise UserError(
            f"{path} holds no models: none of its folders has a config.json; save models there with save_pretrained()."
        )
    if not (path / "records.csv").is_file():
        return Shelf(f"{path}", folders, None, False, cut, training, {})
    records = TrainingRecords.read(path / "records.csv")
    if "benchmark" not in set(records.frame["role"]):
        raise UserError(f"{path / 'records.csv'} has no rows of role benchmark; add them, or remove the file.")
    records = records.only("benchmark")
    known = set(records.matrix(missing="drop").columns)
    left_out = {name: "records.csv lacks some of its benchmark results" for name in folders if name not in known}
    folders = {name: folder for name, folder in folders.items() if name in known}
    if not folders:
        raise UserError(f"{path / 'records.csv'} has no complete row for any model of {path}; name models as their folders.")
    records = records.without(models=[name for name in records.models if name not in folders])
    return Shelf(f"{path}", folders, records, not records.frame["val"].isna().any(), cut, training, left_out)
