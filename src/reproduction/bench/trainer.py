"""Part *trainer*: our training loop beside `transformers.Trainer`, on the same cells, one thread.

Both begin with the saved model and the encoded task, use the same optimiser, schedule, batches, order of examples and
epochs, validate after every epoch and end with the test split. Only what dropout draws differs.
"""

import math
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm
from transformers import PrinterCallback, Trainer, TrainingArguments

from reproduction.bench.sides import in_turn
from reproduction.bench.zoo import live
from twophase.errors import UserError
from twophase.infra.compute import single_thread
from twophase.training.config import TrainingConfig
from twophase.training.encoding import Encoded
from twophase.training.finetuning import EVALUATION_BATCH, FineTuning, encoded
from twophase.training.loading import load_with_new_head

OURS, TRAINER = "twophase", "transformers.Trainer"
ORDERS = 100_003  # times the run's seed, plus the epochs done: what an epoch's order is drawn from in `FineTuning`


def run(settings: Mapping[str, Any], repeats: int) -> pd.DataFrame:
    """Train each cell by both, with another seed each repeat.

    Args:
        settings: `domains`: domain -> `models` and `datasets`, crossed.
        repeats: seeds.

    Returns:
        domain, model, dataset, side, repeat, seconds, test (accuracy), steps.

    Raises:
        UserError: a model or dataset is not there, or accelerate is not installed.
    """
    rows = []
    for domain, chosen in settings["domains"].items():
        zoo = live(domain)
        config = zoo.params.domain[domain].training
        cells = [(m, d) for d in chosen["datasets"] for m in chosen["models"]]
        for model, dataset in tqdm(cells, desc=f"{domain} trainer", unit="cell"):
            folder, task = zoo.model(model), encoded(zoo.task(dataset), zoo.model(model))
            steps = config.epochs * math.ceil(len(task.labels["train"]) / config.batch_size)
            head = {"domain": domain, "model": model, "dataset": dataset, "steps": steps}
            with single_thread():
                _by_trainer(folder, task, replace(config, epochs=1), 0)  # imports and first calls
                for seed in range(repeats):
                    sides = {
                        side: partial(train, folder, task, config, seed)
                        for side, train in ((OURS, _by_ours), (TRAINER, _by_trainer))
                    }
                    for row in in_turn(sides, 1, warm=False):
                        rows.append(head | {"side": row["side"], "repeat": seed + 1, "seconds": row["seconds"],
                                            "test": row["result"]})  # fmt: skip
    return pd.DataFrame(rows)


def _by_ours(folder: Path, task: Encoded, config: TrainingConfig, seed: int) -> float:
    run = FineTuning(folder, task, config, seed)
    for _ in range(config.epochs):
        run.epoch()
    return run.test()


def _by_trainer(folder: Path, task: Encoded, config: TrainingConfig, seed: int) -> float:
    """Test accuracy by `transformers.Trainer`, with our optimiser and schedule."""
    ours = FineTuning(load_with_new_head(folder, task.classes, seed), task, config, seed)  # its optimiser and schedule
    schedule = torch.optim.lr_scheduler.LambdaLR(ours.optimizer, lambda step: ours._rate(step) / config.learning_rate)
    with tempfile.TemporaryDirectory() as made:
        try:
            arguments = TrainingArguments(
                output_dir=made, num_train_epochs=config.epochs, per_device_train_batch_size=config.batch_size,
                per_device_eval_batch_size=EVALUATION_BATCH, max_grad_norm=1.0, seed=seed, data_seed=seed * ORDERS,
                eval_strategy="epoch",
                save_strategy="no", logging_strategy="no", report_to="none", disable_tqdm=True, use_cpu=True,
            )  # fmt: skip
        except ImportError as error:
            raise UserError(
                f"transformers.Trainer cannot be used ({str(error).splitlines()[0]}); "
                "pip install -c constraints.txt -e '.[bench]' (`make bench` does)."
            ) from None
        trainer = Trainer(
            model=ours.model, args=arguments, train_dataset=_Rows(task, "train"), eval_dataset=_Rows(task, "validation"),
            optimizers=(ours.optimizer, schedule),
            compute_metrics=lambda given: {"accuracy": float((np.argmax(given.predictions, 1) == given.label_ids).mean())},
        )  # fmt: skip
        trainer.remove_callback(PrinterCallback)
        trainer.train()
        return trainer.evaluate(_Rows(task, "test"))["eval_accuracy"]


class _Rows:
    """A split of an encoded task as the examples that Trainer's default collator takes."""

    def __init__(self, task: Encoded, split: str):
        self._inputs, self._labels = task.inputs[split], task.labels[split]

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, row: int) -> dict[str, Any]:
        return {name: values[row] for name, values in self._inputs.items()} | {"labels": self._labels[row]}
