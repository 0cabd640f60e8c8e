"""The leader on a user's task: one belief decides who is looked at, who is trained and when it is enough."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from datasets import DatasetDict

from twophase import leader_pipeline
from twophase.commands.select.fine_selecting import OutOfTime, Plan, Prepared, Watch
from twophase.commands.select.inputs import Candidates
from twophase.commands.select.recalling import TOLD, Ranking, digest_of
from twophase.commands.select.settings import Settings
from twophase.commands.wording import printable
from twophase.infra.compute import Failure
from twophase.infra.store import Store
from twophase.leader import Step
from twophase.leader_pipeline import Known, Led
from twophase.proxies import PROXIES
from twophase.runs import LiveRuns
from twophase.training import tasks
from twophase.training.features import score_key, score_one
from twophase.training.stored import through_store

VERBS = {"look": "looked at", "follow": "trained the leader", "doubt": "trained the challenger"}


def open_leader(given: Settings, candidates: Candidates, say: Callable[[str], None]) -> Known:
    """A leader that has seen nothing, or why there can be none; tells each of its steps in a line."""
    chosen, epochs = given.leader, candidates.training.epochs
    scores = (
        candidates.looks()
        if candidates.looks and candidates.curves
        else pd.DataFrame(columns=["model", "dataset", "proxy", "score"])
    )
    number = iter(range(1, 10**6))
    return leader_pipeline.open_leader(
        list(candidates.folders), candidates.records, scores, list(chosen.proxies), epochs, chosen.price,
        lambda step: say(told(next(number), step)), **chosen.learned,
    )  # fmt: skip


def told(number: int, step: Step) -> str:
    """A step as a line: what was done, what it had promised, what is expected now, and who leads with what probability."""
    what = f"{VERBS[step.action]} {printable(step.model)}" + (f", epoch {step.stage}" if step.stage else "")
    val = "" if np.isnan(step.val) else f" validation {step.val:.3f},"
    gain = f"it promised {step.promised:+.3f}; " if step.action != "follow" else ""
    return (
        f"{number:3d}. {what}:{val} {gain}expected {step.expected:.3f} ± {step.deviation:.3f}. "
        f"Leader: {printable(step.leader)}, the best with probability {step.chance:.2f}."
    )


def look(given: Settings, candidates: Candidates, known: Known, task: Path, say: Callable[[str], None]) -> Ranking:
    """Look at the models that could win; the ranking is by expected final test.

    Raises:
        UserError: no model could be scored.
    """
    names, hardware, data = list(given.leader.proxies), given.hardware, tasks.digest(task)
    seconds: dict[str, float] = {}
    failures: dict[str, str] = {}

    def scores(model: str) -> np.ndarray | None:
        digest = digest_of(candidates, model)
        if not isinstance(digest, Failure):
            key = score_key(digest, data, names, hardware, given.leader.examples)
            item = candidates.folder(model), task, names, hardware.resolved(), given.leader.examples
            (digest,) = through_store(Store(), "proxies", [key], score_one, [item], "looks", progress=False)
        if isinstance(digest, Failure):
            failures[model] = digest.reason
            if len(failures) <= TOLD:
                say(f"{model} cannot be looked at ({digest.reason}).")
            return None
        seconds[model] = digest[0]["loading"] + digest[0]["forward"] + sum(row["scoring"] for row in digest)
        found = {row["proxy"]: row["score"] for row in digest}
        return np.array([found.get(name, np.nan) for name in names], dtype=float)

    leader = known.leader
    leader.look(scores, leader_pipeline.look_costs(known, given.recall.epochs_per_proxy))
    table = pd.DataFrame(index=pd.Index(leader.ranked(), name="model"))
    expected = dict(zip(known.models, leader.belief.finals, strict=True))
    deviation = dict(zip(known.models, np.sqrt(np.diag(leader.belief.spread)), strict=True))
    chance = dict(zip(known.models, leader.chances(), strict=True))
    table["prior"] = candidates.records.matrix(missing="keep").mean().reindex(table.index)
    for name, values in (("expected", expected), ("deviation", deviation), ("probability", chance)):
        table[name] = [values[model] for model in table.index]
    table["rank"] = np.arange(1, len(table) + 1)
    table["recalled"] = [model in seconds for model in table.index]
    labels = ", ".join(PROXIES[name].label for name in names)
    how = f"{len(seconds)} of {len(known.models)} models looked at ({labels} on at most {given.leader.examples} training examples)"
    return Ranking(table, seconds, failures, how, "none")


def prepare(
    given: Settings,
    folder: Path,
    candidates: Candidates,
    known: Known,
    ranking: Ranking,
    task: DatasetDict,
    watch: Watch,
    progress: bool,
) -> Prepared:
    """The runs of all models that can win; a budget ends them when it is spent."""
    halved = known.leader.belief.unlike  # many models a stage; a leader is trained alone, and each epoch is a line
    left = (
        None
        if given.budget.epochs is None
        else given.budget.epochs - given.recall.epochs_per_proxy * len(ranking.scored)
    )
    spent = 0

    def before(epochs: int) -> None:
        nonlocal spent
        watch.before(epochs)
        spent += epochs
        if left is not None and spent > left:
            raise OutOfTime(
                f"The budget of {given.budget.epochs:g} epochs ended the training; with a higher budget.epochs the same command "
                "goes on."
            )

    epochs = candidates.training.epochs
    how = [given.metric.replace("/", "-"), *given.hardware.key().get("hardware", {}).values()]
    runs = LiveRuns(
        {model: candidates.folder(model) for model in ranking.table.index},
        task,
        replace(candidates.training, epochs=epochs),
        given.seed,
        folder / "checkpoints" / "-".join([str(epochs), *how]),
        progress and halved,
        metric=given.metric,
        trust_remote_code=given.trust_remote_code,
        # `before` counts rounds, not epochs; a leader of others' models is trained alone, in a worker
        side_by_side=(halved or given.zoo.kind != "live") and given.compute.engine != "serial" and left is None,
        before=before,
        hardware=given.hardware,
    )
    if given.budget.minutes:
        watch.begin(runs.kept_seconds(), sum(ranking.scored.values()) / max(1, len(ranking.scored)))
    return Prepared(Plan(len(ranking.table), epochs, ""), runs, {})


def follow(known: Known, ranking: Ranking, runs: LiveRuns) -> tuple[Led, str]:
    """Train until the leader is finished and no other is worth its price; and how, in sentences."""
    chosen = leader_pipeline.conclude(runs, known, list(ranking.scored), ranking.failures)
    if chosen.unlike:
        return chosen, chosen.how
    how = (
        f"{known.how} The leader was trained epoch by epoch until it was finished, then others while one promised more than "
        f"{known.leader.price:g} of accuracy an epoch. It is the best of all models with probability {chosen.chance:.2f}."
    )
    return chosen, how
