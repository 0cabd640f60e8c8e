"""A task as tensors: what a model's own processor makes of its pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import UserError
from .loading import load_image_processor

if TYPE_CHECKING:
    from datasets import DatasetDict
    from torch import Tensor


@dataclass(frozen=True)
class Encoded:
    """Tensors of a task.

    Attributes:
        inputs: split -> the model's keyword arguments, for pictures {"pixel_values": (N, 3, H, W)}.
        labels: split -> (N,) int64.
        classes: names, by label.
    """

    inputs: dict[str, dict[str, Tensor]]
    labels: dict[str, Tensor]
    classes: tuple[str, ...]


def encode(task: DatasetDict, model_folder: str | Path) -> Encoded:
    """Run a task's pictures through the image processor saved beside a model.

    Raises:
        UserError: the folder has no processor, or the task has fewer than two classes.
    """
    import torch

    classes = tuple(task["train"].features["label"].names)
    if len(classes) < 2 or len(set(task["train"]["label"])) < 2:
        raise UserError(
            f"the task has one class only ({', '.join(classes) or 'none'}); "
            "a classifier needs at least two with training examples."
        )
    processor = load_image_processor(model_folder)
    inputs, labels = {}, {}
    for split, rows in task.items():
        pictures = [picture.convert("RGB") for picture in rows["image"]]
        inputs[split] = {"pixel_values": processor(pictures, return_tensors="pt")["pixel_values"].contiguous()}
        labels[split] = torch.tensor(rows["label"], dtype=torch.int64)
    return Encoded(inputs, labels, classes)
