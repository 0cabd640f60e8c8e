"""The datasets of a matrix: files of the user's, or ids on a hub, each read once and kept as a task."""

import math
import re
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from datasets import Dataset

from twophase.commands.matrix.settings import Settings, Source
from twophase.commands.select.settings import kind_of
from twophase.errors import Unreachable, UserError, unknown
from twophase.infra.files import read_json, replacing_folder, write_json
from twophase.infra.store import Store, cache_folder, digest
from twophase.sources.files import finding
from twophase.sources.files.reader import FileTask
from twophase.sources.files.reader import read as read_files
from twophase.sources.hub import dataset_bytes, fetch_dataset, gather
from twophase.training import tasks
from twophase.training.loading import LONGEST

NOTES = "task.json"  # beside a kept task: what was guessed and left out
PARTS = "parts"  # of a hub, while they are made into a task
DESCRIPTIVE = ("role", "rows", "tokens", "note")  # of a source, what changes no row


@dataclass(frozen=True)
class Data:
    """A dataset as the plan knows it.

    Attributes:
        name, source: of the configuration.
        folder: of the kept task (`tasks.load`); None where it is still to be brought.
        modality: "text" or "image"; None where that is not known yet.
        rows: split -> number; before the data are here what the configuration says, or its most.
        tokens: of a text as models will see it, padded.
        download: bytes still to be brought; None where the hub does not tell.
        fault: why it cannot be had, else "".
        notes: what was guessed, left out and drawn when it was read.
    """

    name: str
    source: Source
    folder: Path | None
    modality: str | None
    rows: dict[str, int]
    tokens: int
    download: int | None
    fault: str = ""
    notes: tuple[str, ...] = ()


def sources(given: Settings) -> dict[str, Source]:
    """Dataset -> where it is: those named, and every file and folder of `matrix.tasks`.

    Raises:
        UserError: no such folder, nothing in it, a name that stands for nothing.
    """
    named = dict(given.matrix.datasets)
    if given.matrix.tasks is not None:
        root = Path(given.matrix.tasks).expanduser()
        if not root.is_dir():
            raise UserError(f"matrix.tasks={root} is not a folder; give a folder with a file or a folder a task.")
        inside = [one for one in sorted(root.iterdir()) if not one.name.startswith(".")]
        usable = [one for one in inside if one.is_dir() or finding.kind_in(one)]
        found = {one.name if one.is_dir() else one.stem: one for one in usable}
        if not found:
            raise UserError(f"{root} holds no tasks; put csv, json or parquet files there, or folders of pictures.")
        for name, source in named.items():
            if source.path is None and name not in found:
                raise unknown(f"task {name!r} in matrix.datasets", name, found)
        here = {name: replace(named.pop(name, Source()), path=str(path)) for name, path in found.items()}
        named = here | named
    return given.chosen("dataset", named)


def look(given: Settings, name: str, source: Source, ask: bool) -> Data:
    """What is known of a dataset; a user's own is read and kept, one of a hub is asked for its size if `ask`.

    Raises:
        Unreachable: no hub answers.
    """
    most, rows = given.matrix.max_rows or math.inf, source.rows or given.matrix.max_rows or 0
    evaluated = given.matrix.max_evaluation_rows or rows
    expected = {"train": int(min(rows, most)), "validation": evaluated, "test": evaluated}
    modality, tokens = "text" if source.text else None, source.tokens or given.estimate.tokens
    unread = Data(name, source, None, modality, expected, tokens, None)
    try:
        if Path(source.path).expanduser().exists() or place(given, name, source).is_dir():
            return read(given, name, source)
        return replace(unread, download=dataset_bytes(source.path, source.name)) if ask else unread
    except Unreachable:
        raise
    except UserError as error:
        return replace(unread, fault=str(error))


def read(given: Settings, name: str, source: Source) -> Data:
    """A dataset's rows and length, kept as a task; brought from the hub if need be.

    Raises:
        UserError: it cannot be had or read.
    """
    folder = bring(given, name, source)
    try:
        return _kept(given, name, source, folder)
    except (OSError, ValueError, KeyError) as error:  # pyarrow's are among them
        shutil.rmtree(folder)
        found = _kept(given, name, source, bring(given, name, source))
        anew = f"{folder} was damaged ({str(error).splitlines()[0]}) and is made anew"
        return replace(found, notes=(anew, *found.notes))


def _kept(given: Settings, name: str, source: Source, folder: Path) -> Data:
    tables = {split: pq.ParquetFile(folder / f"{split}.parquet") for split in tasks.SPLITS}
    rows = {split: table.metadata.num_rows for split, table in tables.items()}
    columns = [column for column in ("text", "text_pair") if column in tables["train"].schema_arrow.names]
    tokens = given.estimate.tokens
    if columns:
        texts = tables["train"].read(columns).to_pandas()
        longest = int(texts.fillna("").map(len).sum(axis=1).max())
        tokens = min(LONGEST, math.ceil(longest / given.estimate.characters_per_token))
    notes = read_json(folder / NOTES, tuple[str, ...], "delete it")
    return Data(name, source, folder, "text" if columns else "image", rows, tokens, 0, notes=notes)


def place(given: Settings, name: str, source: Source) -> Path:
    """Where a dataset's task is kept, by everything that determines its rows."""
    facts = {key: value for key, value in asdict(source).items() if key not in DESCRIPTIVE}
    part, path = given.matrix, Path(source.path).expanduser()
    shares = [part.max_rows, part.max_evaluation_rows, part.validation_share, part.test_share]
    inside = sorted(path.rglob("*")) if path.is_dir() else [path] if path.exists() else []
    stamps = [[str(one), one.stat().st_size, one.stat().st_mtime_ns] for one in inside if one.is_file()]
    key = digest({"source": facts, "draw": [given.seed, *shares], "files": stamps})
    return cache_folder() / "matrix" / "tasks" / f"{re.sub(r'[^A-Za-z0-9_.-]+', '-', name)}-{key[:12]}"


def bring(given: Settings, name: str, source: Source) -> Path:
    """The folder of a dataset's task; what is here already is not made again. Raises UserError as `read`."""
    target = place(given, name, source)
    if target.is_dir():
        return target
    with Store(cache_folder()).lock("tasks", [target.name], f"reading {name}"):
        if target.is_dir():  # another run has brought it
            return target
        with replacing_folder(target) as folder:
            found = _read(given, source, folder)
            task = found.task
            if most := given.matrix.max_evaluation_rows:
                for number, split in enumerate(("validation", "test")):
                    task[split] = _some(task[split], most, [given.seed, number])
            tasks.save(task, folder)
            shutil.rmtree(folder / PARTS, ignore_errors=True)
            write_json(folder / NOTES, found.said)
    return target


def _read(given: Settings, source: Source, folder: Path) -> FileTask:
    part, path = given.matrix, Path(source.path).expanduser()
    if path.exists():
        kind = kind_of(path)
        if source.rounded or any(len(columns or ()) > 1 for columns in (source.text, source.text_pair)):
            raise UserError(
                f"{path}: columns are joined and labels rounded for datasets of a hub only; write such a column into the file."
            )
    else:
        kind, path = "parquet", gather(fetch_dataset(source.path, source.name), folder / PARTS, source.splits)
        _prepare(path, source)
    options: dict[str, Any] = {"validation_share": part.validation_share, "test_share": part.test_share}
    if kind != "image_folder":
        options |= {"text": _column(source, "text"), "text_pair": _column(source, "text_pair"), "label": source.label}
    return read_files(kind, path, **options, max_rows=part.max_rows, seed=given.seed)


def _column(source: Source, role: str) -> str | None:
    columns = getattr(source, role)
    return columns and (columns[0] if len(columns) == 1 else f"{role} of several")


def _prepare(folder: Path, source: Source) -> None:
    """Join columns and round labels of a hub's files, as the source says."""
    several = {_column(source, role): getattr(source, role) or () for role in ("text", "text_pair")}
    joined = {name: list(columns) for name, columns in several.items() if len(columns) > 1}
    if not joined and not source.rounded:
        return
    for file in sorted(folder.glob("*.parquet")):
        table = pd.read_parquet(file)
        needed = [name for names in joined.values() for name in names] + [source.label] * source.rounded
        if absent := [name for name in needed if name not in table.columns]:
            raise UserError(
                f"{file.name} of {source.path} has no column {absent[0]!r}; columns: {', '.join(table.columns)}."
            )
        for name, columns in joined.items():
            texts = table[columns].fillna("").astype(str)
            table[name] = texts.apply(lambda row: " ".join(filter(None, row)), axis=1)
        if source.rounded:
            numbers = pd.to_numeric(table[source.label], errors="coerce")  # parts in csv have strings
            table[source.label] = numbers.round().astype("Int64").astype("string").astype(object)
        table.to_parquet(file, index=False)


def _some(rows: Dataset, most: int, seed: list[int]) -> Dataset:
    """At most so many rows, drawn evenly, in their order."""
    if len(rows) <= most:
        return rows
    drawn = np.sort(np.random.default_rng(seed).permutation(len(rows))[:most])
    return Dataset(rows.data.table.cast(rows.features.arrow_schema).take(drawn))
