"""The live zoo of a domain: the project's own, or built once beside the cell store; with what the user has added."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import pandas as pd

from twophase.errors import UserError
from twophase.infra.config import find_project
from twophase.infra.files import replacing, set_aside, write_json
from twophase.infra.store import cache_folder, digest
from twophase.records import TrainingRecords
from twophase.sources.live import corpora, parameters
from twophase.sources.live.datasets import build_tasks
from twophase.sources.live.models import build_zoo
from twophase.sources.live.records import train_cells
from twophase.sources.live.scores import looks
from twophase.sources.live.zoo.pretraining import ZOO_VERSION
from twophase.training import stored
from twophase.training.finetuning import TRAINING_VERSION

MINUTES = {"cv": 4, "nlp": 5}  # what building a live zoo took on two cores


@dataclass(frozen=True)
class Live:
    """A live zoo with what the user has added.

    Attributes:
        folders: model -> folder.
        records: of the models on benchmark datasets.
        looks: gives the leader's proxy scores of the models on these datasets (`scores.looks`).
        data: benchmark dataset -> folder (`tasks.load`).
        added: where the user's own models and datasets of this domain are kept.
    """

    folders: dict[str, Path]
    records: TrainingRecords
    looks: Callable[[], pd.DataFrame]
    data: dict[str, Path]
    added: Path


def open_live(params: parameters.Params, domain: str, say: Callable[[str], None]) -> Live:
    """The live zoo of a domain: the project's, or built once beside the cell store; and what the user has added.

    Records of what was added that are damaged are set aside and made anew from the cells.
    """
    added = added_folder(domain)
    models, table, data = built(params, domain, say)
    known = TrainingRecords.read(table).only("benchmark")
    folders = {name: models / name for name in known.models}
    folders |= {one.name: one for one in sorted((added / "models").glob("*")) if (one / "config.json").is_file()}
    places = {name: data / name for name in params.domain[domain].tasks.benchmark}
    places |= {one.name: one for one in sorted((added / "tasks").glob("*")) if one.is_dir()}
    tables = [known.frame]
    for file in sorted((added / "records").glob("*.csv")):
        if (own := _sound(file, say)) is None:
            data_of = {file.stem: places[file.stem]} if file.stem in places else places
            models_of = {file.stem: folders[file.stem]} if file.stem in folders else folders
            if data_of is not places or models_of is not folders:  # else the user has deleted it
                train_added(params, domain, data_of, models_of, file.stem)
            own = TrainingRecords.read(file) if file.is_file() else None
        tables += [own.frame] if own else []
    frame = pd.concat(tables, ignore_index=True)
    frame = frame[frame["model"].isin(folders)].drop_duplicates(["model", "dataset", "seed", "epoch"], keep="last")
    known = TrainingRecords.from_frame(frame[frame["dataset"].isin(places)])
    here = {name: places[name] for name in known.datasets()}
    return Live(folders, known, partial(looks, params, table.with_name("looks.csv"), folders, here), places, added)


def _sound(table: Path, say: Callable[[str], None]) -> TrainingRecords | None:
    """Kept records; None if they are damaged: then they are named and set aside."""
    try:
        return TrainingRecords.read(table)
    except UserError as error:
        say(f"{error} It is {set_aside(table).name} now, and made anew from the cells.")
        return None


def train_added(
    params: parameters.Params, domain: str, data: dict[str, Path], folders: dict[str, Path], name: str
) -> pd.DataFrame:
    """Train the cells of what the user added under a name, write their records and failures; the scores as a table."""
    added = added_folder(domain)
    wanted = [(model, dataset, params.seed) for dataset in data for model in folders]
    roles, training = dict.fromkeys(data, "benchmark"), params.domain[domain].training
    rows, failures = stored.train_folders(folders, data, roles, wanted, training, f"cells of {name}")
    if not rows.empty:
        with replacing(added / "records" / f"{name}.csv") as new:
            TrainingRecords.from_frame(rows).write(new)
    axis = "dataset" if rows.empty or rows["model"].nunique() == 1 else "model"
    reasons = {str(failure[1] if axis == "dataset" else failure[0]): failure[3] for failure in failures}
    write_json(added / "failures" / f"{name}.json", reasons)
    scores = rows.dropna(subset=["test"]).set_index(axis)["test"] if not rows.empty else pd.Series(dtype=float)
    table = pd.DataFrame({"score": scores, "failure": ""})
    return pd.concat([table, pd.DataFrame({"score": None, "failure": reasons})]) if reasons else table


def built(params: parameters.Params, domain: str, say: Callable[[str], None]) -> tuple[Path, Path, Path]:
    """Folder of the models, file of their records, and folder of the datasets; built if they are not there."""
    models, table, data = live_place(params, domain)
    if table.is_file() and cache_folder() in table.parents:  # a project's is git's
        _sound(table, say)
    if not table.is_file():
        _ready(domain)
        datasets, number = len(params.domain[domain].tasks.roles), len(params.domain[domain].zoo.recipes)
        say(
            f"The live zoo ({number} models, trained on {datasets} datasets) is not there yet: it is built once, in about "
            f"{MINUTES.get(domain, 15)} minutes on two cores; what is kept from before is not made again."
        )
        build_tasks(params, domain, data)
        build_zoo(params, domain, data, models)
        rows, _ = train_cells(params, domain, data, models)
        with replacing(table) as new:
            TrainingRecords.from_frame(rows).write(new)
    return models, table, data


def _ready(domain: str) -> None:
    """Whether everything is installed that a live zoo is made of, asked before long work.

    Raises:
        UserError: a package is missing.
    """
    try:
        corpora.sources(domain)
    except UserError as error:
        raise UserError(
            f"a live zoo is made of what installed packages contain, and not all are here: {error} In the repository that "
            "installs them with the extras of pyproject.toml; zoo=folder, zoo=hub_nlp, hub_cv and published need none of them."
        ) from error


def live_place(params: parameters.Params, domain: str) -> tuple[Path, Path, Path]:
    """Where `built` has a live zoo: in the project, if it is there, else in the cache; its table comes last."""
    if project := find_project():
        models, table = project / "zoo" / domain, project / "results" / domain / "records.csv"
        if models.is_dir() and table.is_file() and (project / "data" / domain).is_dir():
            return models, table, project / "data" / domain
    part = params.domain[domain]
    made_as = {
        "zoo": [ZOO_VERSION, {name: asdict(recipe) for name, recipe in part.zoo.recipes.items()}],
        "tasks": asdict(part.tasks),
        "training": [TRAINING_VERSION, asdict(part.training)],
    }
    base = cache_folder() / "live" / f"{params.profile}-{digest(made_as)[:8]}"  # another version's zoo is another one
    return base / "zoo" / domain, base / domain / "records.csv", base / "data" / domain


def added_folder(domain: str) -> Path:
    """Where the user's own models and datasets of a domain are kept."""
    return cache_folder() / "live" / "added" / domain


def params_of(domain: str) -> parameters.Params:
    """The parameters of a project or of the package, with this domain among them."""
    params = parameters.load()
    return params if domain in params.domain else parameters.load([f"domains=[{domain}]"])
