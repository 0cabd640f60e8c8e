"""What is selected from: models in folders, and what is known of them on benchmark datasets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pandas as pd

from twophase.commands.select.settings import Settings
from twophase.errors import UserError
from twophase.infra import config
from twophase.infra.store import cache_folder, digest
from twophase.infra.validation import unknown
from twophase.records import TrainingRecords
from twophase.sources.live.zoo import ZOO_VERSION
from twophase.training import cells
from twophase.training.finetuning import TRAINING_VERSION, TrainingConfig

DOMAIN = {"text": "nlp", "image": "cv"}
MINUTES = {"cv": 4, "nlp": 5}  # what building a live zoo took on two cores


@dataclass(frozen=True)
class Shelf:
    """Models to select from.

    Attributes:
        name: for the user.
        folders: model -> folder written by save_pretrained, None for one that `bring` brings from a hub first.
        records: of these models on benchmark datasets; None where nothing is known of them.
        curves: whether the records have validation curves.
        cut: where the dendrogram is cut.
        training: how models are fine-tuned.
        left_out: model -> why it cannot be selected.
    """

    name: str
    folders: dict[str, Path | None]
    records: TrainingRecords | None
    curves: bool
    cut: float
    training: TrainingConfig
    left_out: dict[str, str]
    bring: Callable[[str], Path] | None = None

    def folder(self, model: str) -> Path:
        """The model's folder, brought from the hub if need be. Raises UserError if it cannot be had."""
        if self.folders[model] is None:
            self.folders[model] = self.bring(model)
        return self.folders[model]


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
    if given.zoo.kind == "hub":
        return _hub(given, modality, cut, training)
    if given.zoo.kind == "folder":
        return _folder(Path(given.zoo.path).expanduser(), cut, training)
    live = open_live(params, domain, say)
    records, folders = live.records, live.folders
    whole = records.matrix(missing="drop").columns
    left_out = {name: "its benchmark cells are not all there" for name in folders if name not in whole}
    folders = {name: folder for name, folder in folders.items() if name in whole}
    records = records.without(models=[name for name in records.models if name not in folders])
    return Shelf(f"the live {domain} zoo", folders, records, True, cut, training, left_out)


@dataclass(frozen=True)
class Live:
    """A live zoo with what the user has added.

    Attributes:
        folders: model -> folder.
        records: of the models on benchmark datasets.
        data: benchmark dataset -> folder (`tasks.load`).
        added: where the user's own models and datasets of this domain are kept.
    """

    folders: dict[str, Path]
    records: TrainingRecords
    data: dict[str, Path]
    added: Path


def open_live(params: config.Params, domain: str, say: Callable[[str], None]) -> Live:
    """The live zoo of a domain: the project's, or built once beside the cell store; and what the user has added."""
    added = cache_folder() / "live" / "added" / domain
    models, table, data = built(params, domain, say)
    known = TrainingRecords.read(table).only("benchmark")
    folders = {name: models / name for name in known.models}
    tables = [known.frame]
    for file in sorted((added / "records").glob("*.csv")):
        tables.append(pd.read_csv(file))
    folders |= {one.name: one for one in sorted((added / "models").glob("*")) if (one / "config.json").is_file()}
    frame = pd.concat(tables, ignore_index=True)
    frame = frame[frame["model"].isin(folders)].drop_duplicates(["model", "dataset", "seed", "epoch"], keep="last")
    places = {name: data / name for name in params.domain[domain].tasks.benchmark}
    places |= {one.name: one for one in sorted((added / "tasks").glob("*")) if one.is_dir()}
    return Live(folders, TrainingRecords.from_frame(frame[frame["dataset"].isin(places)]), places, added)


def built(params: config.Params, domain: str, say: Callable[[str], None]) -> tuple[Path, Path, Path]:
    """Folder of the models, file of their records, and folder of the datasets; built if they are not there."""
    models, table, data = live_place(params, domain)
    if not table.is_file():
        datasets, number = len(params.domain[domain].tasks.roles), len(params.domain[domain].zoo.recipes)
        say(
            f"The live zoo ({number} models, trained on {datasets} datasets) is not there yet: it is built once, in about "
            f"{MINUTES.get(domain, 15)} minutes on two cores; what is kept from before is not made again."
        )
        cells.build_tasks(params, domain, data)
        cells.build_zoo(params, domain, data, models)
        rows, _ = cells.train_cells(params, domain, data, models)
        table.parent.mkdir(parents=True, exist_ok=True)
        TrainingRecords.from_frame(rows).write(table.with_suffix(".tmp.csv")).replace(table)
    return models, table, data


def live_place(params: config.Params, domain: str) -> tuple[Path, Path, Path]:
    """Where `built` has a live zoo: in the project, if it is there, else in the cache; its table comes last."""
    if project := config.find_project():
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


def _hub(given: Settings, modality: str, cut: float, training: TrainingConfig) -> Shelf:
    """Models of a hub, with a published matrix."""
    from twophase.sources.hub import fetch_model
    from twophase.sources.published import model_recycling, paper_matrices
    from twophase.sources.published.cleaning import Published

    mirror, zoo = config.load().published.mirror, given.zoo
    readers = {
        "model_recycling": lambda: model_recycling.read(mirror),
        "paper_nlp": lambda: paper_matrices.read("nlp", mirror),
        "paper_cv": lambda: paper_matrices.read("cv", mirror),
    }
    own = Path(str(zoo.matrix)).suffix in (".csv", ".parquet")
    if own:
        records = TrainingRecords.read(Path(zoo.matrix).expanduser())
        records = records.only("benchmark").without(
            models=set(records.models) - set(records.matrix(missing="drop").columns)
        )
        readers[zoo.matrix] = lambda: Published(records, pd.DataFrame(), pd.DataFrame(index=records.models))
    if zoo.matrix not in readers:
        raise unknown(f"zoo.matrix {zoo.matrix!r}", zoo.matrix, [*readers, "a file of records, .csv"])
    reads = "image" if zoo.matrix == "paper_cv" else "text"
    if reads != modality and not own:
        raise UserError(
            f"the task is made of {modality}, the models of zoo.matrix={zoo.matrix} read {reads}; choose another zoo."
        )
    found = readers[zoo.matrix]()
    names = list(zoo.models) if zoo.models is not None else list(found.matrix.columns)
    facts = found.models.reindex(names)
    if zoo.base_model is not None:
        if "base_model" not in facts:
            raise UserError(f"zoo.matrix={zoo.matrix} does not tell base models; leave out zoo.base_model.")
        if zoo.base_model not in set(facts["base_model"]):
            raise unknown(
                f"zoo.base_model {zoo.base_model!r}", zoo.base_model, sorted(facts["base_model"].dropna().unique())
            )
        names = [name for name in names if facts.loc[name, "base_model"] == zoo.base_model]
    if zoo.max_parameters is not None:
        if "size" not in facts:
            raise UserError(f"zoo.matrix={zoo.matrix} does not tell sizes; leave out zoo.max_parameters.")
        names = [name for name in names if facts.loc[name, "size"] <= zoo.max_parameters]
    if not names:
        raise UserError("no model passes zoo.base_model and zoo.max_parameters; loosen one of them.")
    known = set(found.matrix.columns)
    left_out = {name: f"nothing is known of it in {zoo.matrix}" for name in names if name not in known}
    names = [name for name in names if name in known]
    records = found.records.without(models=[name for name in found.records.models if name not in set(names)])

    def bring(name: str) -> Path:
        return fetch_model(name, allow_pickle=zoo.allow_pickle, trust_remote_code=given.trust_remote_code).folder

    return Shelf(
        f"{len(names)} models of the hub",
        dict.fromkeys(names),
        records,
        own and not records.frame["val"].isna().any(),
        cut,
        training,
        left_out,
        bring,
    )


def _folder(path: Path, cut: float, training: TrainingConfig) -> Shelf:
    if not path.is_dir():
        raise UserError(f"zoo.path={path} is not a folder; give a folder of folders written by save_pretrained.")
    folders = {one.name: one for one in sorted(path.iterdir()) if (one / "config.json").is_file()}
    if not folders:
        raise UserError(
            f"{path} holds no models: none of its folders has a config.json; save models there with save_pretrained()."
        )
    bare = {
        one.name: "it has no config.json, as save_pretrained writes it"
        for one in sorted(path.iterdir()) if one.is_dir() and one.name not in folders and not one.name.startswith(".")
    }  # fmt: skip
    if not (path / "records.csv").is_file():
        return Shelf(f"{path}", folders, None, False, cut, training, bare)
    records = TrainingRecords.read(path / "records.csv")
    if "benchmark" not in set(records.frame["role"]):
        raise UserError(f"{path / 'records.csv'} has no rows of role benchmark; add them, or remove the file.")
    records = records.only("benchmark")
    known = set(records.matrix(missing="drop").columns)
    left_out = bare | {name: "records.csv lacks some of its benchmark results" for name in folders if name not in known}
    folders = {name: folder for name, folder in folders.items() if name in known}
    if not folders:
        raise UserError(
            f"{path / 'records.csv'} has no complete row for any model of {path}; name models as their folders."
        )
    records = records.without(models=[name for name in records.models if name not in folders])
    return Shelf(f"{path}", folders, records, not records.frame["val"].isna().any(), cut, training, left_out)
