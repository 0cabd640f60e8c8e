"""A run in five steps: read the task, open the models, recall, fine-select, finish.

Everything is kept in one folder, so that a run can be stopped and go on.
"""

import argparse
import contextlib
import errno
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch  # noqa: F401  an interrupt in the middle of this import would leave nothing that can save a model
from datasets import DatasetDict

from twophase.commands import wording
from twophase.commands.select import leading
from twophase.commands.select.comparing import without_fine_tuning
from twophase.commands.select.fine_selecting import OutOfTime, Watch, fine_select, prepare
from twophase.commands.select.finishing import Reached, best_so_far, finish
from twophase.commands.select.inputs import (
    Candidates,
    candidate_notices,
    length_notices,
    modality_of,
    open_candidates,
    read_task,
)
from twophase.commands.select.outcome import Outcome
from twophase.commands.select.recalling import everyone, recall
from twophase.commands.select.settings import Settings, compose, with_path
from twophase.errors import UserError
from twophase.infra import locks
from twophase.infra.compute import apart, single_thread, using
from twophase.infra.files import read_json, room, tidy, write_json
from twophase.infra.store import cache_folder
from twophase.leader_pipeline import Known
from twophase.sources.files.reader import FileTask
from twophase.training import tasks
from twophase.training.encoding import task_digest
from twophase.training.foreign import quiet
from twophase.training.hardware import one_a_gpu

SHOWN = 10  # models of the ranking on the screen
OF_TWO_PHASES = (
    "recall.top",
    "recall.singletons",
    "proxy",
    "clustering",
    "selection",
    "zoo.cut",
)  # settings of theirs alone


class Stopped(KeyboardInterrupt):
    """Ctrl-C; what was reached is in `outcome`, None if nothing was."""

    def __init__(self, outcome: Outcome | None):
        super().__init__()
        self.outcome = outcome


def run_select(given: argparse.Namespace) -> int:
    """`twophase select`: a model for a task."""
    settings = compose(with_path(given.overrides))
    try:
        with quiet():
            print(f"\n{run(settings)}")
    except Stopped as stopped:
        if stopped.outcome is None:
            print("twophase: interrupted before any model finished an epoch; the same command goes on", file=sys.stderr)
        else:
            print(f"\n{stopped.outcome}")
            print("twophase: interrupted; the same command goes on", file=sys.stderr)
        return 130
    except BrokenPipeError:
        print("twophase: stopped, since nobody reads on what it prints; the same command goes on", file=sys.stderr)
        raise
    return 0


def run(given: Settings, say: Callable[[str], None] = print, progress: bool = True) -> Outcome:
    """Select a model for a task and fine-tune it.

    Raises:
        UserError: anything wrong with data, models, budget or folder, before long work where it can be known.
        Stopped: interrupted; the best model so far is saved, and the same call goes on.
    """
    given = replace(given, compute=one_a_gpu(given.compute, given.hardware))
    folder = Path(given.out).expanduser() if given.out else Path("runs") / (Path(given.task.path).stem or "task")
    # threads of small models would wait for each other on a busy machine
    others = given.zoo.kind != "live"  # a model that is not of this house may do anything to its process
    with room(folder, cache_folder()), single_thread(), using(given.compute), apart(others):
        watch = Watch(given.budget.minutes)
        data = read_task(given.task, given.seed)
        for line in data.said:
            say(line)
        sizes, counts = ", ".join(f"{len(rows)} {split}" for split, rows in data.task.items()), data.counts["train"]
        say(f"{sizes} examples; {len(counts)} classes of {counts.min()} to {counts.max()} training examples.")
        with open_run(folder, data.task, given.task.path):
            return _run(given, folder, data, watch, say, progress)


def _run(
    given: Settings, folder: Path, data: FileTask, watch: Watch, say: Callable[[str], None], progress: bool
) -> Outcome:
    def tell(lines: list[str]) -> None:
        for line in lines:
            say(line)

    modality = modality_of(data.task)
    candidates = open_candidates(given.zoo, given.training, modality, say, given.trust_remote_code)
    note_settings(given, folder)
    tell(candidate_notices(given, candidates))
    tasks.save(data.task, folder / "task")

    method, known = method_of(given, candidates, say)
    if method == "leader":
        ranking = leading.look(given, candidates, known, folder / "task", say)
    elif method == "two_phase":
        ranking = recall(given, candidates, folder / "task", say, progress)
    else:
        ranking = everyone(candidates)
    say(f"{ranking.how} ({sum(ranking.scored.values()):.0f} s). The first of the ranking:")
    say(wording.frame(ranking.table.drop(columns="recalled").head(SHOWN)))

    others = without_fine_tuning(candidates, ranking, folder / "task", modality, say)
    task = tasks.load(folder / "task")
    if method == "leader":
        prepared = leading.prepare(given, folder, candidates, known, ranking, task, watch, progress)
    else:
        prepared = prepare(given, folder, candidates, ranking, task, watch, say, progress, method)
    if modality == "text":
        tell(length_notices(candidates.folder(prepared.runs.models[0]), task["train"]))
    reached = Reached(given, folder, candidates, ranking, prepared, data, modality, others, method, known)
    try:
        if method == "leader":
            chosen, how = leading.follow(known, ranking, prepared.runs)
        else:
            chosen, how = fine_select(given, candidates, prepared.runs, method)
    except KeyboardInterrupt:
        raise Stopped(best_so_far(reached, "The run was stopped; the same command goes on.")) from None
    except OutOfTime as ended:
        say(str(ended))
        return best_so_far(reached, str(ended))
    finally:
        for model, why in prepared.runs.failures.items():
            say(f"{model} failed in training and is left out: {why.rstrip('.')}.")
    return finish(reached, chosen, how)


def method_of(given: Settings, candidates: Candidates, say: Callable[[str], None]) -> tuple[str, Known | None]:
    """The method, and for the leader what is known; whoever names a setting of the two phases means them.

    Raises:
        UserError: method=leader, and there is too little for a belief.
    """
    if given.method not in ("auto", "leader"):
        return given.method, None
    if named := given.named(*OF_TWO_PHASES):
        if given.method == "auto":
            say(f"{', '.join(named)}: of the paper's two phases, which are used therefore (method=two_phase).")
            return "two_phase", None
        say(f"{', '.join(named)}: not used by method=leader.")
    known, why = None, "nothing is known of these models on benchmark datasets"
    if candidates.records is not None:
        known = leading.open_leader(given, candidates, say)
        if known.leader is not None and known.curves:
            return "leader", known
        why = f"their curves of {candidates.training.epochs} epochs on benchmark datasets are not known"
        if known.curves:
            why = "their proxy scores on five benchmark datasets or more are not known"
    if given.method == "leader":
        raise UserError(f"method=leader: {why}, which it learns from; leave method out, or choose zoo=live.")
    return "two_phase", None


@contextlib.contextmanager
def open_run(folder: Path, task: DatasetDict, path: str) -> Iterator[None]:
    """Make the run's folder, or go on in one of the same task; another run in it is refused until this one ends.

    Raises:
        UserError: the folder cannot be made, holds something else, or is in use.
    """
    note, facts, another = (
        folder / "run.json",
        {"task": task_digest(task), "path": str(path)},
        "give out=… another folder",
    )
    with contextlib.ExitStack() as held:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if not os.path.lexists(note) and any(not one.name.startswith(".lock") for one in folder.iterdir()):
                raise UserError(f"{folder} is not empty and holds no run; give out=… a new folder.")
            held.enter_context(locks.held(folder / ".lock", str(folder), another))
            tidy(folder, folder / "task", *folder.glob("checkpoints/*"))
            if os.path.lexists(note):
                known = read_json(note, dict[str, str], f"delete {folder}, or {another}")
                if known.get("task") != facts["task"]:
                    raise UserError(
                        f"{folder} holds a run of another task ({known.get('path', 'unknown')}, or the same with other rows "
                        f"or splits); {another}, or delete it."
                    )
            else:
                write_json(note, facts)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise
            raise UserError(f"{folder} cannot be the run's folder ({error}); {another}.") from error
        yield


def note_settings(given: Settings, folder: Path) -> None:
    """Write down the settings of this run.

    The data are not among them: a folder is of one task, wherever its files lie.

    Raises:
        UserError: a run with others, but for its budget, has left its result in the folder.
    """
    note, result, remedy = folder / "settings.json", folder / "selection.json", "delete it"
    apart = ("asked", "compute", "out", "overwrite", "task")
    now = json.loads(json.dumps({key: value for key, value in asdict(given).items() if key not in apart}, default=str))
    before = read_json(note, dict[str, Any], remedy) if note.exists() else now
    if others := [key for key in now if key != "budget" and before.get(key, now[key]) != now[key]]:
        finished = result.exists() and read_json(result, dict[str, Any], remedy).get("finished", True)
        if finished and not given.overwrite:
            raise UserError(
                f"{folder} holds a result with other settings ({', '.join(others)}); give out=… another folder, or overwrite=true "
                "to replace its model and report: what it trained is used where it fits."
            )
    write_json(note, now)
