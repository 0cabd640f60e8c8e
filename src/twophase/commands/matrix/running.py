"""A matrix, really trained: what is missing is brought and trained, and the records are written."""

import argparse
import contextlib
import errno
import json
from collections.abc import Callable, Iterator

import pandas as pd

from twophase.commands.matrix import data as datasets
from twophase.commands.matrix.data import Data
from twophase.commands.matrix.models import Model, look
from twophase.commands.matrix.planning import Plan, engine, hardware, pairs, plan
from twophase.commands.matrix.report import text
from twophase.commands.matrix.settings import Settings, compose
from twophase.errors import Unreachable, UserError
from twophase.infra import config, locks
from twophase.infra.compute import using
from twophase.infra.files import replacing, room, tidy, write_text
from twophase.infra.schema import build
from twophase.infra.store import cache_folder
from twophase.records import TrainingRecords
from twophase.sources.hub import fetch_model
from twophase.sources.live.scores import score_folders
from twophase.training import stored
from twophase.training.config import Leader
from twophase.training.foreign import quiet
from twophase.training.stored import FAILURE_COLUMNS

MARK = "matrix.json"  # in the folder of records: that they are this verb's to replace


def run_matrix(given: argparse.Namespace) -> None:
    """`twophase matrix`: a performance matrix, planned or trained."""
    settings = compose(given.overrides)
    with quiet():
        if given.action == "plan":
            print(text(plan(settings)))
        else:
            run(settings)


def run(given: Settings, say: Callable[[str], None] = print, progress: bool = True) -> pd.DataFrame:
    """Plan, bring, train, write. What fails is a row of failures.csv and ends nothing; repeated, only what is missing is trained.

    Returns:
        The records: model, dataset, role, seed, epoch, val, test, seconds.

    Raises:
        UserError: the folder holds other records, or not one cell could be trained.
    """
    chosen, checkpoints = hardware(given), cache_folder() / "matrix" / "checkpoints"
    with room(given.folder, cache_folder()), using(engine(given)), _open(given):
        planned = plan(given)
        say(f"{text(planned)}\n")
        models, found, failures = _bring(given, planned, say, progress)
        tables, looks = [], []
        for modality, training in given.trainings.items():
            meeting = [(m, d) for m, d in pairs(models, found) if d.modality == modality]
            if not meeting:
                continue
            rows, failed = stored.train_folders(
                {m.name: m.folder for m, _ in meeting},
                {d.name: d.folder for _, d in meeting},
                {d.name: d.source.role for _, d in meeting},
                [(m.name, d.name, given.seed) for m, d in meeting],
                training,
                f"{given.matrix.name} matrix",
                chosen,
                checkpoints if given.matrix.checkpoints else None,
                progress,
            )
            tables.append(rows)
            scores, unseen = _look(given, meeting, progress)
            looks.append(scores)
            failures += failed + unseen
        rows, scores = (pd.concat(parts) if parts else pd.DataFrame() for parts in (tables, looks))
        return _write(given, rows, scores, failures, say)


def _look(
    given: Settings, meeting: list[tuple[Model, Data]], progress: bool
) -> tuple[pd.DataFrame, list[tuple[str, str, str, str]]]:
    """The leader's proxy scores of these models on these datasets, which `select` learns from; and what failed."""
    chosen = build(Leader, config.values()["leader"], "leader")
    folders, places = {m.name: m.folder for m, _ in meeting}, {d.name: d.folder for _, d in meeting}
    how = list(chosen.proxies), chosen.examples, f"{given.matrix.name} looks", progress
    rows, failed = score_folders(folders, places, *how)
    return rows, [(model, dataset, "", f"as the leader looks at it: {reason}") for model, dataset, _, reason in failed]


@contextlib.contextmanager
def _open(given: Settings) -> Iterator[None]:
    """Make the folder of records, which nobody else writes into until this run ends."""
    folder = given.folder
    with contextlib.ExitStack() as held:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if (folder / "records.csv").exists() and not (folder / MARK).is_file():
                raise UserError(
                    f"{folder / 'records.csv'} was not written by this command and would be replaced; give out=… another "
                    "folder, or move it."
                )
            held.enter_context(locks.held(folder / ".lock", str(folder), "or give out=… another folder"))
            tidy(folder)
            write_text(folder / MARK, json.dumps({"matrix": given.matrix.name}) + "\n")
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise
            raise UserError(f"{folder} cannot be written ({error}); give out=… another folder.") from error
        yield


def _bring(
    given: Settings, planned: Plan, say: Callable[[str], None], progress: bool
) -> tuple[list[Model], list[Data], list[tuple]]:
    """Every dataset read and every model brought; and a failure (model, dataset, seed, reason) for each that cannot be."""
    models: list[Model] = []
    found: list[Data] = []
    failures: list[tuple] = []
    silent = ""  # once no hub answers, nothing more is asked of it
    for one in [*planned.data, *planned.models]:
        is_model, on_hub = isinstance(one, Model), one.folder is None
        try:
            if one.fault or (silent and on_hub):
                raise UserError(one.fault or silent)
            if is_model:
                models.append(_fetch(given, one.name, progress) if on_hub else one)
                continue
            found.append(datasets.read(given, one.name, one.source))
            if on_hub:  # what the plan has not said
                say(f"{one.name}: {'; '.join(found[-1].notes)}")
        except UserError as error:
            silent = str(error) if isinstance(error, Unreachable) else silent
            failures.append((one.name if is_model else "", "" if is_model else one.name, "", str(error)))
    for model, dataset, _, reason in failures:
        say(f"{model or dataset} is left out: {reason}")
    return models, found, failures


def _fetch(given: Settings, name: str, progress: bool) -> Model:
    place = fetch_model(name, allow_pickle=given.matrix.allow_pickle, progress=progress).folder
    model = look(given, name, place, ask=False)
    if model.fault:
        raise UserError(model.fault)
    return model


def _write(
    given: Settings, rows: pd.DataFrame, looks: pd.DataFrame, failures: list[tuple], say: Callable[[str], None]
) -> pd.DataFrame:
    folder = given.folder
    table = pd.DataFrame(failures, columns=FAILURE_COLUMNS)
    with replacing(folder / "failures.csv") as new:
        table.to_csv(new, index=False, lineterminator="\n")
    if rows.empty:
        reason = failures[0][-1] if failures else "no model reads what the datasets hold"
        raise UserError(f"not one cell could be trained; the first reason: {reason}")
    records = TrainingRecords.from_frame(rows)
    with replacing(folder / "records.csv") as new:
        records.write(new)
    with replacing(folder / "looks.csv") as new:
        looks.to_csv(new, index=False, lineterminator="\n")
    by_cell, chosen = rows.groupby(["model", "dataset", "seed"], sort=False), hardware(given)
    trained = by_cell.agg(seconds=("seconds", "sum"))
    if "micro_batch" in rows:
        trained["micro_batch"] = by_cell["micro_batch"].last().astype("Int64")
    with replacing(folder / "cells.csv") as new:
        trained.assign(device=chosen.device, precision=chosen.precision).to_csv(new, lineterminator="\n")
    say(f"{len(trained)} cells in {folder / 'records.csv'}; {len(table)} failures in {folder / 'failures.csv'}")
    return records.frame
