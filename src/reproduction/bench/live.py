"""Parts that train on the live zoos, as `make repro` left them in the project: *throughput*, *trainer*, *end_to_end*."""

import math
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial, partialmethod
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch.utils.data import StackDataset
from tqdm import tqdm
from transformers import PrinterCallback, Trainer, TrainingArguments

from reproduction import evidence
from reproduction.bench.timing import INSTALL, in_turn
from reproduction.leave_one_out import asynchronous_halving
from twophase.errors import UserError, unknown
from twophase.infra import config
from twophase.infra.compute import Engine, Failure, parallel_map, single_thread, using
from twophase.pipeline import on_one_scale, two_phase
from twophase.runs import LiveRuns
from twophase.selection import Selection, brute_force, successive_halving
from twophase.sources.live import parameters
from twophase.training import encoding
from twophase.training.config import TrainingConfig
from twophase.training.encoding import Encoded, encoded
from twophase.training.features import score_cell
from twophase.training.finetuning import EVALUATION_BATCH, FineTuning
from twophase.training.hardware import PLAIN
from twophase.training.loading import load_with_new_head
from twophase.training.stored import train_one
from twophase.training.tasks import load

ROUNDS = 3  # of short cells, before what is measured
ORDERS = 100_003  # times the run's seed, plus the epochs done: what an epoch's order is drawn from in `FineTuning`


class Zoo:
    """A domain's configuration, and folders of its models (written by `save_pretrained`) and datasets (`tasks.load`).

    Raises:
        UserError: they have not been built, or the domain is not configured.
    """

    def __init__(self, domain: str):
        self.root, self.domain = config.root(), domain
        self.params = parameters.read(self.root / "params.yaml")
        if domain not in self.params.domain:
            raise unknown(f"domain {domain!r}", domain, self.params.domain)
        self.training = self.params.domain[domain].training

    def _there(self, kind: str, name: str) -> Path:
        folder = self.root / kind / self.domain / name
        if not folder.is_dir():
            raise UserError(f"{folder} is not there; run `make repro` first, which builds zoo and data.")
        return folder

    model, task = partialmethod(_there, "zoo"), partialmethod(_there, "data")


def throughput(settings: Mapping[str, Any], repeats: int) -> pd.DataFrame:
    """Cells of the performance matrix a second: the same cells with each number of workers in turn, nothing kept.

    Workers are there and have encoded the tasks, as for all but the first cells of a matrix; what starting them takes
    is the row of repeat 0. Columns: domain, workers, repeat, seconds, cells. Raises UserError where a model or
    dataset is not there, or a cell failed.
    """
    rows = []
    for domain, chosen in settings["domains"].items():
        zoo, counts = Zoo(domain), settings["workers"]
        cells = [(zoo.model(m), zoo.task(d)) for d in chosen["datasets"] for m in chosen["models"]]
        items = [(*cell, zoo.training, zoo.params.seed, PLAIN, None) for cell in cells]
        short = [(*cell, replace(zoo.training, epochs=1), zoo.params.seed, PLAIN, None) for cell in cells]
        for row in in_turn({count: partial(_train, items[:count], count) for count in counts}, 1, warm=False):
            rows.append(row | {"domain": domain, "repeat": 0, "cells": row["side"]})
        # Each worker keeps the tasks that it has encoded; after a few rounds every worker has met nearly all of them.
        in_turn({count: partial(_train, short, count) for count in counts}, ROUNDS, warm=False)
        for row in in_turn({count: partial(_train, items, count) for count in counts}, repeats, warm=False):
            rows.append(row | {"domain": domain, "cells": len(items)})
    return pd.DataFrame(rows).rename(columns={"side": "workers"})[["domain", "workers", "repeat", "seconds", "cells"]]


def _train(items: list[tuple], workers: int) -> None:
    with using(Engine("serial") if workers == 1 else Engine("local", workers)):
        for item, result in zip(items, parallel_map(train_one, items, workers, "throughput"), strict=True):
            if isinstance(result, Failure):
                raise UserError(f"{item[0].name} on {item[1].name} cannot be trained: {result.reason}")


def trainer(settings: Mapping[str, Any], repeats: int) -> pd.DataFrame:
    """Our training loop beside `transformers.Trainer`, on the same cells, one thread, with another seed each repeat.

    Both begin with the saved model and the encoded task, use the same optimiser, schedule, batches, order of examples
    and epochs, validate after every epoch and end with the test split. Only what dropout draws differs. Columns: domain,
    model, dataset, steps, side, repeat, seconds, test (accuracy).

    Raises:
        UserError: a model or dataset is not there, or accelerate is not installed.
    """
    loops = {"twophase": _by_ours, "transformers.Trainer": _by_trainer}
    rows = []
    for domain, chosen in settings["domains"].items():
        zoo = Zoo(domain)
        cells = [(m, d) for d in chosen["datasets"] for m in chosen["models"]]
        for model, dataset in tqdm(cells, desc=f"{domain} trainer", unit="cell"):
            folder, task = zoo.model(model), encoded(zoo.task(dataset), zoo.model(model))
            steps = zoo.training.epochs * math.ceil(len(task.labels["train"]) / zoo.training.batch_size)
            head = {"domain": domain, "model": model, "dataset": dataset, "steps": steps}
            with single_thread():
                _by_trainer(folder, task, replace(zoo.training, epochs=1), 0)  # imports and first calls
                for seed in range(repeats):
                    sides = {side: partial(loop, folder, task, zoo.training, seed) for side, loop in loops.items()}
                    for row in in_turn(sides, 1, warm=False):
                        rows.append(head | row | {"repeat": seed + 1})
    return pd.DataFrame(rows).rename(columns={"result": "test"})


def _by_ours(folder: Path, task: Encoded, config: TrainingConfig, seed: int) -> float:
    run = FineTuning(folder, task, config, seed)
    for _ in range(config.epochs):
        run.epoch()
    return run.test()


def _by_trainer(folder: Path, task: Encoded, config: TrainingConfig, seed: int) -> float:
    """Test accuracy by `transformers.Trainer`, with our optimiser and schedule."""
    ours = FineTuning(load_with_new_head(folder, task.classes, seed), task, config, seed)  # its optimiser and schedule
    schedule = torch.optim.lr_scheduler.LambdaLR(ours.optimizer, lambda step: ours._rate(step) / config.learning_rate)
    data = {split: StackDataset(**inputs, labels=task.labels[split]) for split, inputs in task.inputs.items()}
    with tempfile.TemporaryDirectory() as made:
        try:
            arguments = TrainingArguments(
                output_dir=made,
                num_train_epochs=config.epochs,
                per_device_train_batch_size=config.batch_size,
                per_device_eval_batch_size=EVALUATION_BATCH,
                max_grad_norm=1.0,
                seed=seed,
                data_seed=seed * ORDERS,
                eval_strategy="epoch",
                save_strategy="no",
                logging_strategy="no",
                report_to="none",
                disable_tqdm=True,
                use_cpu=True,
            )
        except ImportError as error:
            why = str(error).splitlines()[0]
            raise UserError(f"transformers.Trainer cannot be used ({why}); {INSTALL}") from None
        trainer = Trainer(
            model=ours.model,
            args=arguments,
            train_dataset=data["train"],
            eval_dataset=data["validation"],
            optimizers=(ours.optimizer, schedule),
            compute_metrics=lambda given: {"accuracy": (np.argmax(given.predictions, 1) == given.label_ids).mean()},
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
        return trainer.evaluate(data["test"])["eval_accuracy"]


def end_to_end(settings: Mapping[str, Any], repeats: int) -> pd.DataFrame:
    """The two phases beside what one would do instead, on targets, each really training; another seed each repeat.

    One worker, one thread, the models of a stage one after the other; each method with runs of its own, in turn.
    Clusters are made before, as they do not depend on the target. The seed is that of heads, order and dropout, and of the
    order in which asynchronous halving takes the models.

    Returns:
        domain, target, side (2PH, BF, SH, ASHA), repeat, seconds (wall-clock; proxies, checkpoints and loading included),
        trained (seconds of the epochs alone), epochs (model-epochs, as the paper counts), winner, test.

    Raises:
        UserError: zoo, data or records are not there.
    """
    rows = []
    for domain, targets in settings["targets"].items():
        zoo, known = Zoo(domain), evidence.load(domain)
        jobs = [(target, seed) for target in targets for seed in range(repeats)]
        for target, seed in tqdm(jobs, desc=f"{domain} end to end", unit="selection of four"):
            known.clusters(target)
            sides = {name: partial(_alone, method, zoo, known, target, seed) for name, method in METHODS.items()}
            with single_thread():
                if not rows:
                    sides["2PH"]()  # imports and first calls
                for row in in_turn(sides, 1, warm=False):
                    one: Selection = row.pop("result")
                    rows.append(
                        {"domain": domain, "target": target} | row | {"repeat": seed + 1, "trained": one.seconds}
                    )
                    rows[-1] |= {"epochs": one.epochs, "winner": one.winner, "test": one.test}
    return pd.DataFrame(rows)


def _alone(method: Callable[..., Selection], zoo: Zoo, known: evidence.Evidence, target: str, seed: int) -> Selection:
    """A method that finds nothing encoded by the one before it."""
    encoding._ENCODED.clear()
    folders = {name: zoo.model(name) for name in known.models}
    runs = LiveRuns(folders, load(zoo.task(target)), zoo.training, seed, progress=False, dataset=target)
    return method(runs, zoo, known, target, seed)


def _two_phase(runs: LiveRuns, zoo: Zoo, known: evidence.Evidence, target: str, seed: int) -> Selection:
    """As configured: proxies of the representatives, recall, fine-selection."""
    chosen, proxy = zoo.params.selection, zoo.params.proxy
    asked, seconds = [proxy.name, proxy.headless], []

    def score(models: list[str]) -> dict[str, float]:
        rows = [
            row | {"model": name} for name in models for row in score_cell(zoo.model(name), zoo.task(target), asked)
        ]
        scores, spent = (
            pd.DataFrame(rows).pivot(index="model", columns="proxy", values=values).reindex(columns=asked)
            for values in ("score", "seconds")
        )
        seconds.extend(spent[proxy.name].fillna(spent[proxy.headless]))
        return on_one_scale(scores, proxy.name, proxy.headless).to_dict()

    offline = known.matrix(target), known.known(target), known.clusters(target)
    method = known.top, chosen.threshold, chosen.n_trends, chosen.threshold_kind, zoo.params.recall.epochs_per_proxy
    found = two_phase(runs, *offline, score, *method, normalization=known.normalization)
    return replace(found, seconds=found.seconds + sum(seconds))


METHODS = {
    "2PH": _two_phase,
    "BF": lambda runs, zoo, known, target, seed: brute_force(runs, known.models),
    "SH": lambda runs, zoo, known, target, seed: successive_halving(runs, known.models),
    "ASHA": lambda runs, zoo, known, target, seed: asynchronous_halving(runs, known.models, seed),
}
