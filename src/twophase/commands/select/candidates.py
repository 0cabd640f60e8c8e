"""What is selected from: models in folders, and what is known of them on benchmark datasets."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from twophase.commands.select.settings import ZooSource
from twophase.errors import UserError, unknown
from twophase.records import TrainingRecords
from twophase.sources.hub import fetch_model
from twophase.sources.live import parameters
from twophase.sources.live.opening import DOMAIN, open_live, params_of
from twophase.sources.published import model_recycling, paper_matrices
from twophase.sources.published.cleaning import Published
from twophase.training.config import TrainingConfig


@dataclass(frozen=True)
class Candidates:
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


def open_candidates(
    zoo: ZooSource, training: dict[str, Any], modality: str, say: Callable[[str], None], trust_remote_code: bool = False
) -> Candidates:
    """The models of a zoo that read this modality ("text" or "image").

    Args:
        zoo: where the models are.
        training: what is changed of how they are fine-tuned, see `TrainingConfig.changed`.
        modality: of the task.
        say: told when a live zoo is built first.
        trust_remote_code: whether a hub's programs may be executed.

    Raises:
        UserError: the folder holds no models, or its records cannot be read.
    """
    domain = DOMAIN[modality]
    params = params_of(domain)
    part = params.domain[domain]
    config = part.training.changed(training)
    cut = part.cut if zoo.cut is None else zoo.cut
    if zoo.kind == "hub":
        return _of_hub(zoo, modality, cut, config, trust_remote_code)
    if zoo.kind == "folder":
        return _of_folder(Path(zoo.path).expanduser(), cut, config)
    live = open_live(params, domain, say)
    records, folders = live.records, live.folders
    whole = records.matrix(missing="drop").columns
    left_out = {name: "its benchmark cells are not all there" for name in folders if name not in whole}
    folders = {name: folder for name, folder in folders.items() if name in whole}
    records = records.without(models=[name for name in records.models if name not in folders])
    return Candidates(f"the live {domain} zoo", folders, records, True, cut, config, left_out)


def _of_hub(zoo: ZooSource, modality: str, cut: float, training: TrainingConfig, trust_remote_code: bool) -> Candidates:
    """Models of a hub, with a published matrix."""
    mirror = parameters.load().published.mirror
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
        return fetch_model(name, allow_pickle=zoo.allow_pickle, trust_remote_code=trust_remote_code).folder

    return Candidates(
        f"{len(names)} models of the hub",
        dict.fromkeys(names),
        records,
        own and not records.frame["val"].isna().any(),
        cut,
        training,
        left_out,
        bring,
    )


def _of_folder(path: Path, cut: float, training: TrainingConfig) -> Candidates:
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
        return Candidates(f"{path}", folders, None, False, cut, training, bare)
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
    return Candidates(f"{path}", folders, records, not records.frame["val"].isna().any(), cut, training, left_out)
