"""A matrix, really trained: what is missing is brought and trained, and the records are written."""

import json
from collections.abc import Callable

import pandas as pd

from twophase.commands.matrix import data as datasets
from twophase.commands.matrix.data import Data
from twophase.commands.matrix.models import Model, look
from twophase.commands.matrix.planning import engine, hardware, pairs, plan
from twophase.commands.matrix.report import text
from twophase.commands.matrix.settings import Settings
from twophase.commands.select.folder import room
from twophase.errors import Unreachable, UserError
from twophase.infra.compute import using
from twophase.infra.files import replacing
from twophase.infra.store import cache_folder
from twophase.records import TrainingRecords
from twophase.sources.hub import fetch_model
from twophase.training import cells
from twophase.training.stored import FAILURE_COLUMNS

MARK = "matrix.json"  # in the folder of records: that they are this verb's to replace


def run(given: Settings, say: Callable[[str], None] = print, progress: bool = True) -> pd.DataFrame:
    """Plan, bring, train, write. What fails is a row of failures.csv and ends nothing; repeated, only what is missing is trained.

    Args:
        given: see `settings.compose`.
        say: told what happens.
        progress: whether to show bars.

    Returns:
        The records: model, dataset, role, seed, epoch, val, test, seconds.

    Raises:
        UserError: the folder holds other records, or not one cell could be trained.
    """
    chosen = hardware(given)
    _open(given)
    planned = plan(given)
    say(f"{text(planned)}\n")
    with room(cache_folder()), using(engine(given)):
        models, found, failures = _bring(given, planned.models, planned.data, say, progress)
        tables = []
        for reads, training in given.trainings.items():
            chosen_pairs = [(m, d) for m, d in pairs(models, found) if d.reads == reads]
            if not chosen_pairs:
                continue
            rows, failed = cells.train_folders(
                {m.name: m.folder for m, _ in chosen_pairs}, {d.name: d.folder for _, d in chosen_pairs},
                {d.name: d.source.role for _, d in chosen_pairs}, [(m.name, d.name, given.seed) for m, d in chosen_pairs],
                training, f"{given.matrix.name} matrix", chosen,
                cache_folder() / "matrix" / "checkpoints" if given.matrix.checkpoints else None, progress,
            )  # fmt: skip
            tables.append(rows)
            failures += failed
    return _write(given, pd.concat(tables) if tables else pd.DataFrame(), failures, say)


def _open(given: Settings) -> None:
    folder = given.folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / "records.csv").exists() and not (folder / MARK).is_file():
            raise UserError(
                f"{folder / 'records.csv'} was not written by this command and would be replaced; give out=… another folder, "
                "or move it."
            )
        (folder / MARK).write_text(json.dumps({"matrix": given.matrix.name}) + "\n", encoding="utf-8")
    except OSError as error:
        raise UserError(f"{folder} cannot be written ({error}); give out=… another folder.") from error


def _bring(
    given: Settings, models: list[Model], found: list[Data], say: Callable[[str], None], progress: bool
) -> tuple[list[Model], list[Data], list[tuple]]:
    """Every dataset read and every model brought; and a failure (model, dataset, seed, reason) for each that cannot be."""
    failures: list[tuple] = []
    here: list[Data] = []
    brought: list[Model] = []
    silent = ""  # once no hub answers, nothing more is asked of it

    def attempt(act: Callable[[], None], model: str, dataset: str, fault: str, on_hub: bool) -> None:
        nonlocal silent
        try:
            if fault or (silent and on_hub):
                raise UserError(fault or silent)
            act()
        except Unreachable as error:
            silent = str(error)
            failures.append((model, dataset, "", silent))
        except UserError as error:
            failures.append((model, dataset, "", str(error)))

    def read(one: Data) -> None:
        seen = datasets.read(given, one.name, datasets.bring(given, one.name, one.source), one.source)
        if one.folder is None:  # what the plan has not said
            say(f"{one.name}: {'; '.join(seen.notes)}")
        here.append(seen)

    def fetch(one: Model) -> None:
        place = fetch_model(one.name, allow_pickle=given.matrix.allow_pickle, progress=progress).folder
        seen = look(given, one.name, place, ask=False)
        if seen.fault:
            raise UserError(seen.fault)
        brought.append(seen)

    for one in found:
        attempt(lambda one=one: read(one), "", one.name, one.fault, one.folder is None)
    for one in models:
        if one.folder is not None and not one.fault:
            brought.append(one)
        else:
            attempt(lambda one=one: fetch(one), one.name, "", one.fault, True)
    for model, dataset, _, reason in failures:
        say(f"{model or dataset} is left out: {reason}")
    return brought, here, failures


def _write(given: Settings, rows: pd.DataFrame, failures: list[tuple], say: Callable[[str], None]) -> pd.DataFrame:
    folder = given.folder
    table = pd.DataFrame(failures, columns=FAILURE_COLUMNS)
    table.to_csv(folder / "failures.csv", index=False, lineterminator="\n")
    if rows.empty:
        reason = failures[0][-1] if failures else "no model reads what the datasets hold"
        raise UserError(f"not one cell could be trained; the first reason: {reason}")
    records = TrainingRecords.from_frame(rows)
    with replacing(folder / "records.csv") as new:
        records.write(new)
    cells_ = rows.groupby(["model", "dataset", "seed"], sort=False).agg(seconds=("seconds", "sum"))
    if "micro_batch" in rows:
        cells_["micro_batch"] = (
            rows.groupby(["model", "dataset", "seed"], sort=False)["micro_batch"].last().astype("Int64")
        )
    chosen = hardware(given)
    cells_.assign(device=chosen.device, precision=chosen.precision).to_csv(folder / "cells.csv", lineterminator="\n")
    say(f"{len(cells_)} cells in {folder / 'records.csv'}; {len(table)} failures in {folder / 'failures.csv'}")
    return records.frame
