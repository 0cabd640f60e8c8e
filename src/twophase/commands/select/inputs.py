"""What a run reads: the task, and the models to select from with what is known of them on benchmark datasets."""

import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import pandas as pd
from datasets import Dataset, DatasetDict

from twophase.commands.select.settings import DOMAIN, Settings, TaskSource, ZooSource, usual
from twophase.errors import UserError, unknown
from twophase.infra import config
from twophase.infra.compute import Failure, parallel_map
from twophase.records import SUFFIXES, TrainingRecords
from twophase.sources.files.reader import FileTask, read
from twophase.sources.hub import fetch_dataset, fetch_model, gather, left_over
from twophase.sources.live.opening import open_live, params_of
from twophase.sources.published import model_recycling, paper_matrices
from twophase.sources.published.catalogue import Published
from twophase.training.config import TrainingConfig
from twophase.training.folders import models_in
from twophase.training.foreign import quiet
from twophase.training.loading import load_processor

ZOOS = ("live", "folder", "hub")
NAMED = 3  # models that are left out, named one by one
LOOKED_AT = 2000  # training texts whose length is looked at


def read_task(task: TaskSource, seed: int = 0) -> FileTask:
    """The task, from files or from a hub; `seed`: of splits that are drawn."""
    source = asdict(task)
    kind, path, name = (source.pop(key) for key in ("kind", "path", "name"))
    if kind != "hub":
        if name is not None:
            raise UserError(f"task.name={name} names a configuration of task=hub; leave it out for task={kind}.")
        return read(kind, path, **source, seed=seed)
    brought = fetch_dataset(path, name)
    with tempfile.TemporaryDirectory() as folder:
        found = read("parquet", gather(brought, folder), **source, seed=seed)
    if others := left_over(brought):
        found.notes.append(f"{path}: splits not read: {', '.join(others)}")
    return found


def modality_of(task: DatasetDict) -> str:
    """What a task is made of: "text" or "image"."""
    return "image" if "image" in task["train"].features else "text"


@dataclass(frozen=True)
class Candidates:
    """Models to select from.

    Attributes:
        name: for the user.
        folders: model -> folder written by save_pretrained, None for one that `bring` brings from a hub first.
        records: of these models on benchmark datasets; None where nothing is known of them.
        cut: where the dendrogram is cut; None: adaptive, see `cluster_models`.
        training: how models are fine-tuned.
        left_out: model -> why it cannot be selected.
        normalization: how proxy scores come to [0, 1], where the proxy's own configuration does not say.
        bring: brings a model's files from a hub.
        looks: gives the leader's proxy scores of the models on the benchmark datasets; None where nobody can tell them.
    """

    name: str
    folders: dict[str, Path | None]
    records: TrainingRecords | None
    cut: float | None
    training: TrainingConfig
    left_out: dict[str, str]
    normalization: str = "exp"
    bring: Callable[[str], Path] | None = None
    looks: Callable[[], pd.DataFrame] | None = None

    def folder(self, model: str) -> Path:
        """The model's folder, brought from the hub if need be. Raises UserError if it cannot be had."""
        if self.folders[model] is None:
            self.folders[model] = self.bring(model)
        return self.folders[model]

    @cached_property
    def curves(self) -> bool:
        """Whether the records have validation curves."""
        return self.records is not None and not self.records.frame["val"].isna().any()

    @cached_property
    def epoch_seconds(self) -> pd.Series | None:
        """Mean seconds of an epoch on benchmark datasets, by model; None where records do not tell it of all."""
        if self.records is None or self.records.frame["seconds"].isna().any():
            return None
        return self.records.frame.groupby("model")["seconds"].mean()


def open_candidates(
    zoo: ZooSource, training: dict[str, Any], modality: str, say: Callable[[str], None], trust_remote_code: bool = False
) -> Candidates:
    """The models of a zoo that read this modality ("text" or "image").

    `training`: what is changed of how they are fine-tuned; `say` is told when a live zoo is built first.

    Raises:
        UserError: the kind of zoo is unknown, the folder holds no models, or its records cannot be read.
    """
    if zoo.kind not in ZOOS:
        raise unknown(f"zoo.kind {zoo.kind!r}", zoo.kind, ZOOS)
    cut, normalization, how = usual(modality)
    how = how.changed(training)
    if zoo.kind == "hub":
        return replace(_of_hub(zoo, modality, how, trust_remote_code), normalization=normalization)
    if zoo.kind == "folder":
        return replace(_of_folder(Path(zoo.path).expanduser(), zoo.cut, how), normalization=normalization)
    domain = DOMAIN[modality]
    live = open_live(params_of(domain), domain, say)
    complete = live.records.matrix(missing="drop").columns
    known = _known(live.folders, live.records, complete, "its benchmark cells are not all there")
    cut = cut if zoo.cut is None else zoo.cut
    return Candidates(f"the live {domain} zoo", known[0], known[1], cut, how, known[2], normalization, looks=live.looks)


def _known(
    folders: dict[str, Path | None], records: TrainingRecords, complete: pd.Index, otherwise: str
) -> tuple[dict[str, Path | None], TrainingRecords, dict[str, str]]:
    """The models that are among the `complete` ones, their records, and why the others are left out."""
    kept = {name: folder for name, folder in folders.items() if name in complete}
    left_out = {name: otherwise for name in folders if name not in complete}
    return kept, records.without(models=set(records.models) - set(kept)), left_out


def _of_hub(zoo: ZooSource, modality: str, training: TrainingConfig, trust_remote_code: bool) -> Candidates:
    """Models of a hub, with a published matrix or records of one's own."""
    found = _published(zoo, modality)
    facts = found.models.reindex(found.matrix.columns if zoo.models is None else list(zoo.models))
    if zoo.base_model is not None:
        if "base_model" not in facts:
            raise UserError(f"zoo.matrix={zoo.matrix} does not tell base models; leave out zoo.base_model.")
        if zoo.base_model not in set(facts["base_model"]):
            known = sorted(facts["base_model"].dropna().unique())
            raise unknown(f"zoo.base_model {zoo.base_model!r}", zoo.base_model, known)
        facts = facts[facts["base_model"] == zoo.base_model]
    if zoo.max_parameters is not None:
        if "size" not in facts:
            raise UserError(f"zoo.matrix={zoo.matrix} does not tell sizes; leave out zoo.max_parameters.")
        facts = facts[facts["size"] <= zoo.max_parameters]
    if not len(facts):
        raise UserError("no model passes zoo.base_model and zoo.max_parameters; loosen one of them.")
    otherwise = f"nothing is known of it in {zoo.matrix}"
    folders, records, left_out = _known(dict.fromkeys(facts.index), found.records, found.matrix.columns, otherwise)

    def bring(name: str) -> Path:
        return fetch_model(name, allow_pickle=zoo.allow_pickle, trust_remote_code=trust_remote_code).folder

    return Candidates(f"{len(folders)} models of the hub", folders, records, zoo.cut, training, left_out, bring=bring)


def _published(zoo: ZooSource, modality: str) -> Published:
    """The matrix that `zoo.matrix` names: other groups', or a file of records."""
    if str(zoo.matrix).endswith(SUFFIXES):
        records = TrainingRecords.read(Path(zoo.matrix).expanduser())
        incomplete = set(records.models) - set(records.matrix(missing="drop").columns)
        records = records.only("benchmark").without(models=incomplete)
        return Published(records, pd.DataFrame(), pd.DataFrame(index=records.models))
    mirror = config.values()["published"]["mirror"]
    readers = {
        "model_recycling": lambda: model_recycling.read(mirror),
        "paper_nlp": lambda: paper_matrices.read("nlp", mirror),
        "paper_cv": lambda: paper_matrices.read("cv", mirror),
    }
    if zoo.matrix not in readers:
        raise unknown(f"zoo.matrix {zoo.matrix!r}", zoo.matrix, [*readers, "a file of records, .csv"])
    modality_of_matrix = "image" if zoo.matrix == "paper_cv" else "text"
    if modality_of_matrix != modality:
        raise UserError(
            f"the task is made of {modality}, the models of zoo.matrix={zoo.matrix} read {modality_of_matrix}; choose another "
            "zoo."
        )
    return readers[zoo.matrix]()


def _of_folder(path: Path, cut: float | None, training: TrainingConfig) -> Candidates:
    """Models in the folders of a folder, with its records.csv if there is one."""
    if not path.is_dir():
        raise UserError(f"zoo.path={path} is not a folder; give a folder of folders written by save_pretrained.")
    folders, left_out = models_in(path)
    table = path / "records.csv"
    if not table.is_file():
        return Candidates(f"{path}", folders, None, cut, training, left_out)
    records = TrainingRecords.read(table)
    if "benchmark" not in set(records.frame["role"]):
        raise UserError(f"{table} has no rows of role benchmark; add them, or remove the file.")
    records = records.only("benchmark")
    complete = records.matrix(missing="drop").columns
    if not set(folders) & set(complete):
        raise UserError(f"{table} has no complete row for any model of {path}; name models as their folders.")
    otherwise = "records.csv lacks some of its benchmark results"
    folders, records, incomplete = _known(folders, records, complete, otherwise)
    scores = path / "looks.csv"
    looks = partial(_looks, scores) if scores.is_file() else None
    return Candidates(f"{path}", folders, records, cut, training, left_out | incomplete, looks=looks)


def _looks(path: Path) -> pd.DataFrame:
    """A kept table of the leader's proxy scores.

    Raises:
        UserError: it cannot be read, lacks a column, or holds a score twice.
    """
    needed = ["model", "dataset", "proxy", "score"]
    remedy = "write it again with `twophase matrix run`, or remove it"
    try:
        table = pd.read_csv(
            path, dtype=dict.fromkeys(needed[:3], str), keep_default_na=False, na_values={"score": [""]}
        )
    except (ValueError, OSError) as error:
        raise UserError(f"{path} cannot be read ({error}); {remedy}.") from error
    if missing := [column for column in needed if column not in table]:
        raise UserError(f"{path} lacks the columns {', '.join(missing)}; {remedy}.")
    if not pd.api.types.is_numeric_dtype(table["score"]) or table.duplicated(needed[:3]).any():
        raise UserError(f"{path}: score holds one number for each model, dataset and proxy; {remedy}.")
    return table


def candidate_notices(given: Settings, candidates: Candidates) -> list[str]:
    """Models that cannot be selected, and settings that this zoo has no use for."""
    lines = [f"{name} is left out: {reason}." for name, reason in list(candidates.left_out.items())[:NAMED]]
    if (more := len(candidates.left_out) - NAMED) > 0:
        lines.append(f"{more} more models are left out; the report has them all.")
    if given.recall.top > len(candidates.folders):
        lines.append(
            f"recall.top is {given.recall.top}, {candidates.name} has {len(candidates.folders)} models: all of them are kept."
        )
    why, unused = "", ()
    if candidates.records is None:
        why, unused = "nothing is known of these models on benchmark datasets", ("clustering", "selection", "zoo.cut")
    elif not candidates.curves:
        why, unused = "the models' curves on benchmark datasets are not known", ("selection",)
    if asked := given.named(*unused):
        lines.append(f"{', '.join(asked)}: not used, since {why}.")
    if candidates.records is not None:
        datasets = len(candidates.records.datasets())
        for key, got in (("clustering.k", given.clustering.k), ("selection.n_trends", given.selection.n_trends)):
            if got > datasets and key not in asked:
                lines.append(f"{key} is {got}, and there are {datasets} benchmark datasets: {datasets} is used.")
    return lines


def length_notices(folder: Path, texts: Dataset) -> list[str]:
    """That a model does not read training texts to the end, or has no token of its own for padding."""
    rows = texts.select(range(min(LOOKED_AT, len(texts))))
    (found,) = parallel_map(_asked, [(folder, rows)])
    if isinstance(found, Failure):
        return [f"{folder.name} cannot be asked how much of a text it reads ({found.reason})."]
    read_tokens, longer, padding = found
    said = [f"{folder.name} has no token for padding; {padding!r} stands for it."] if padding else []
    if not longer:
        return said
    share = max(1, round(100 * longer / len(rows)))
    return [
        *said,
        f"{folder.name} reads {read_tokens} tokens of a text; {share} % of the training texts are longer, and cut there.",
    ]


def _asked(item: tuple[Path, Dataset]) -> tuple[int, int, str | None]:
    """`texts_beyond`, and the token that stands for padding where there is none for it; in a worker."""
    return *texts_beyond(*item), load_processor(item[0]).stands_in


def texts_beyond(model: Path, texts: Dataset, characters: int | None = None) -> tuple[int, int]:
    """Tokens that a model reads of a text, and how many of these texts are longer.

    Args:
        model: its folder.
        texts: rows with the column "text", and "text_pair" if it is a task of pairs.
        characters: a token has at most; more of a text than the model can read is not looked at. None: it is.
    """
    tokenizer = load_processor(model)
    longest = tokenizer.model_max_length
    end = None if characters is None else longest * characters
    columns = [[text[:end] for text in texts[name]] for name in ("text", "text_pair") if name in texts.features]
    with quiet():
        return longest, sum(len(ids) > longest for ids in tokenizer(*columns, verbose=False)["input_ids"])
