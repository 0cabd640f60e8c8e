"""Fine-tuning a pre-trained model on a task, one epoch at a time.

A run that is cut after an epoch is a prefix of the full run: the learning-rate schedule spans the total
epochs, and every epoch draws its order and dropout from (seed, epoch). So a run can stop, be stored and go
on, bit for bit.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import DatasetDict
from torch import Tensor, nn

from twophase.errors import UserError
from twophase.training.config import TrainingConfig
from twophase.training.encoding import Encoded, alike, encode, encoded, unpadded
from twophase.training.hardware import PLAIN, Hardware, halving, summed_gradients
from twophase.training.loading import load_with_new_head

TRAINING_VERSION = 2  # raise it when a change of this file changes any score: kept cells are trained again
EVALUATION_BATCH = 256


def answer(output: Any) -> Tensor:
    """The logits (N, C) of what a model returned: a few architectures name them otherwise, and all give them first."""
    return output.logits if hasattr(output, "logits") else output[0]


class Diverged(RuntimeError):
    """The loss is no longer a finite number."""


class FineTuning:
    """One model on one task.

    Args:
        model: folder of a `save_pretrained` model, or a model object whose weights are trained as they are.
        task: a `DatasetDict` with train, validation and test, or what `encode` made of one.
        config: how to train.
        seed: of the new classification head, the order of the examples and dropout.
        score: labels (N,), predicted classes (N,) -> what validation and test are judged by; accuracy by default.
        hardware: where and in which precision.

    Attributes:
        done: epochs trained.
        accuracy: of the split that was scored last; NaN before.
        seconds: wall-clock seconds of each epoch, its validation included.
        micro_batch: examples in memory at once; below what was asked for where the memory did not suffice.

    Raises:
        UserError: the hardware is not here; the model or the task cannot be read.
    """

    def __init__(
        self,
        model: str | Path | nn.Module,
        task: DatasetDict | Encoded,
        config: TrainingConfig,
        seed: int = 0,
        score: Callable[[np.ndarray, np.ndarray], float] | None = None,
        hardware: Hardware = PLAIN,
    ):
        self._score, self.hardware = score, hardware.resolved()
        self._device, self._scaler = self.hardware.open(), self.hardware.scaler()
        self.micro_batch, self._evaluation_batch = hardware.micro_batch or config.batch_size, EVALUATION_BATCH
        self.config, self.seed, self.done, self.seconds, self.accuracy = config, seed, 0, [], math.nan
        self.task = task if isinstance(task, Encoded) else encode(task, model)
        folder = isinstance(model, str | Path)
        self.model = load_with_new_head(model, self.task.classes, seed) if folder else model
        self.model.to(self._device)
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
        )
        batches = math.ceil(len(self.task.labels["train"]) / config.batch_size)
        self._total, self._batches = batches * config.epochs, batches

    def epoch(self, scored: bool = True) -> float:
        """Train one more epoch; returns the validation score, NaN if it is not asked for.

        Raises:
            Diverged: the loss is not finite.
            UserError: all epochs of the configuration are done.
        """
        if self.done >= self.config.epochs:
            raise UserError(f"all {self.config.epochs} epochs are trained; a longer run needs training.epochs raised.")
        start = time.perf_counter()
        self._train()
        score = self._scored("validation") if scored else math.nan
        self.done += 1
        self.seconds.append(time.perf_counter() - start)
        return score

    def _train(self) -> None:
        torch.manual_seed(self.seed * 100_003 + self.done)
        order = torch.randperm(len(self.task.labels["train"]))
        self.model.train()
        for number, rows in enumerate(order.split(self.config.batch_size)):
            for group in self.optimizer.param_groups:
                group["lr"] = self._rate(self.done * self._batches + number)
            self.optimizer.zero_grad(set_to_none=True)
            if self.hardware.plain:
                loss = self._loss(rows)
                loss.backward()
            else:
                parts = rows, self.micro_batch, self.model, self._scaler
                loss, self.micro_batch = summed_gradients(self._loss, *parts)
            if not torch.isfinite(loss):
                raise Diverged(f"the loss became {loss.item()} in epoch {self.done + 1}")
            self._step()

    def _loss(self, rows: Tensor) -> Tensor:
        labels = self.task.labels["train"][rows].to(self._device)
        return nn.functional.cross_entropy(self._logits("train", rows), labels)

    def _step(self) -> None:
        if self._scaler:
            self._scaler.unscale_(self.optimizer)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        if self._scaler:
            self._scaler.step(self.optimizer)
            self._scaler.update()
        else:
            self.optimizer.step()

    def _rate(self, step: int) -> float:
        rising = max(1, round(self.config.warmup * self._total))
        if step < rising:
            return self.config.learning_rate * (step + 1) / rising
        return self.config.learning_rate * (self._total - step) / max(1, self._total - rising)

    def _logits(self, split: str, rows: Tensor | slice) -> Tensor:
        inputs = {name: values.to(self._device) for name, values in unpadded(self.task.inputs[split], rows).items()}
        with self.hardware.autocast():
            return answer(self.model(**inputs)).float()

    def _scored(self, split: str) -> float:
        labels, predicted = self.task.labels[split].numpy(), self.predict(split).argmax(1)
        self.accuracy = float((predicted == labels).mean())
        return self._score(labels, predicted) if self._score else self.accuracy

    def predict(self, split: str) -> np.ndarray:
        """Class probabilities (N, C) of a split."""
        self.model.eval()
        count = len(self.task.labels[split])

        def logits(size: int) -> Tensor:
            groups, back = alike(self.task.inputs[split], count, size)
            with torch.inference_mode():
                return torch.cat([self._logits(split, rows).cpu() for rows in groups])[back]

        found, self._evaluation_batch = halving(self._evaluation_batch, logits, str(self._device))
        return found.softmax(1).numpy()

    def test(self) -> float:
        """Score on the test split, of the model as it stands."""
        return self._scored("test")

    def state(self) -> dict:
        """Everything that `restore` needs to go on: tensors, numbers and lists (loads with weights_only)."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "done": self.done,
            "seconds": list(self.seconds),
        } | ({"scaler": self._scaler.state_dict()} if self._scaler else {})

    def restore(self, state: dict) -> FineTuning:
        """Go on from a `state` of the same model, task, configuration and seed, of whatever device."""
        if self._scaler and "scaler" in state:
            self._scaler.load_state_dict(state["scaler"])
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.done, self.seconds = state["done"], list(state["seconds"])
        return self

    def save(self, folder: str | Path) -> Path:
        """Save the fine-tuned model with its class names (`save_pretrained`); returns the folder."""
        self.model.config.id2label = dict(enumerate(self.task.classes))
        self.model.config.label2id = {name: i for i, name in enumerate(self.task.classes)}
        self.model.save_pretrained(folder)
        return Path(folder)


def train_cell(
    model_folder: str | Path, task_folder: str | Path, config: TrainingConfig, seed: int = 0, hardware: Hardware = PLAIN
) -> list[dict]:
    """Fine-tune one model on one task to the end: a cell of the performance matrix.

    Returns:
        A dict an epoch: epoch (from 1), val, test (None before the last epoch) and seconds; the last with micro_batch too,
        unless the hardware is the default.

    Raises:
        Diverged: the loss is not finite.
        UserError: the model or the task cannot be loaded.
    """
    run = FineTuning(model_folder, encoded(task_folder, model_folder), config, seed, hardware=hardware)
    rows = [{"epoch": n, "val": run.epoch(), "test": None} for n in range(1, config.epochs + 1)]
    rows[-1]["test"] = run.test()
    rows[-1] |= {} if hardware.plain else {"micro_batch": run.micro_batch}
    return [row | {"seconds": seconds} for row, seconds in zip(rows, run.seconds, strict=True)]
