"""A task as tensors: what a model's own image processor or tokenizer makes of it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import torch
from datasets import Dataset, DatasetDict
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from twophase.errors import UserError
from twophase.training import tasks
from twophase.training.foreign import foreign
from twophase.training.hardware import batches
from twophase.training.loading import load_processor, modality, positions, processor_digest

CHARACTERS = 32  # a token, at most: a text is cut there before it is tokenized
SHORT = 32  # tokens: texts no longer than that are computed as they are padded, which costs little
KEPT_TASKS, KEPT_BYTES = 16, 2**30
_ENCODED: dict[tuple, Encoded] = {}  # by digests of task and processor, and splits


@dataclass(frozen=True)
class Encoded:
    """Tensors of a task.

    Attributes:
        inputs: split -> the model's keyword arguments: {"pixel_values": (N, 3, H, W)}, or "input_ids",
            "attention_mask" and what else the tokenizer gives, each (N, T).
        labels: split -> (N,) int64.
        classes: names, by label.
    """

    inputs: dict[str, dict[str, Tensor]]
    labels: dict[str, Tensor]
    classes: tuple[str, ...]

    @property
    def nbytes(self) -> int:
        """What its inputs take in memory."""
        return sum(values.nbytes for split in self.inputs.values() for values in split.values())

    def write(self, file: str | Path) -> None:
        """Write it as safetensors."""
        tensors = {f"{split}/{name}": values for split, given in self.inputs.items() for name, values in given.items()}
        tensors |= {f"{split}/": values for split, values in self.labels.items()}
        save_file(tensors, str(file), metadata={"classes": json.dumps(self.classes)})

    @classmethod
    def read(cls, file: str | Path) -> Encoded:
        """What `write` wrote."""
        inputs: dict[str, dict[str, Tensor]] = {}
        labels = {}
        with safe_open(str(file), "pt") as kept:
            for key in kept.keys():  # noqa: SIM118  no mapping
                split, _, name = key.partition("/")
                if name:
                    inputs.setdefault(split, {})[name] = kept.get_tensor(key)
                else:
                    labels[split] = kept.get_tensor(key)
            return cls(inputs, labels, tuple(json.loads(kept.metadata()["classes"])))


def task_digest(task: DatasetDict | Encoded) -> str:
    """sha256 over a task's classes and content, in order."""
    total = hashlib.sha256()
    if isinstance(task, Encoded):
        total.update(repr(task.classes).encode())
        for split, labels in task.labels.items():
            for name, values in [*task.inputs[split].items(), ("label", labels)]:
                total.update(repr((split, name, values.shape)).encode() + values.numpy().tobytes())
    else:
        for split, rows in task.items():
            total.update(repr((split, rows.features)).encode())
            for batch in rows.with_format("arrow").iter(batch_size=256):
                total.update(repr(batch.to_pydict()).encode())
    return total.hexdigest()


def encoded(
    task: DatasetDict | str | Path,
    model_folder: str | Path,
    splits: tuple[str, ...] = tasks.SPLITS,
    digest: str | None = None,
) -> Encoded:
    """Splits of a task as a model sees them; kept in memory for the next model with the same processor.

    Args:
        task: in memory, or the folder of a saved one.
        digest: of the task's content, where it is known already.

    Raises:
        UserError: see `encode`.
    """
    saved = not isinstance(task, DatasetDict)
    digest = digest or (tasks.digest(task) if saved else task_digest(task))
    read = positions(model_folder) if modality(model_folder) == "text" else []
    key = digest, processor_digest(model_folder), *read, splits
    if key not in _ENCODED:
        while len(_ENCODED) >= KEPT_TASKS or sum(kept.nbytes for kept in _ENCODED.values()) > KEPT_BYTES:
            _ENCODED.pop(next(iter(_ENCODED)))
        task = tasks.load(task) if saved else task
        _ENCODED[key] = encode(DatasetDict({split: task[split] for split in splits}), model_folder)
    return _ENCODED[key]


def encode(task: DatasetDict, model_folder: str | Path) -> Encoded:
    """Run a task through the image processor or the tokenizer saved beside a model.

    A task of pictures has a column image, one of texts a column text, of sentence pairs also text_pair.

    Raises:
        UserError: the folder has no processor or another kind than the task needs, the task has fewer than two
            classes, a text is not text, or the tokenizer knows more tokens than its model.
    """
    classes = tuple(task["train"].features["label"].names)
    if len(classes) < 2 or len(set(task["train"]["label"][:])) < 2:
        raise UserError(
            f"the task has one class only ({', '.join(classes) or 'none'}); "
            "a classifier needs at least two with training examples."
        )
    kind = modality(model_folder)
    if kind not in task["train"].features:
        raise UserError(
            f"{model_folder} reads a column {kind!r}, the task has {', '.join(task['train'].features)}; "
            "choose a model of the task's kind."
        )
    processor = load_processor(model_folder)
    inputs, labels = {}, {}
    for split, rows in task.items():
        if kind == "image":
            pictures = [picture.convert("RGB") for picture in rows["image"][:]]
            given = processor(pictures, return_tensors="pt")
            inputs[split] = {name: values.contiguous() for name, values in given.items()}
        else:
            inputs[split] = _tokens(processor, rows, split)
            _check_vocabulary(int(inputs[split]["input_ids"].max()), Path(model_folder))
        labels[split] = torch.tensor(rows["label"][:], dtype=torch.int64)
    return Encoded(inputs, labels, classes)


def unpadded(inputs: dict[str, Tensor], rows: Tensor | slice) -> dict[str, Tensor]:
    """The inputs of some rows, where texts are not `SHORT` without the columns that are padding in all of them."""
    given = {name: values[rows] for name, values in inputs.items()}
    if _short(inputs):
        return given
    read = given["attention_mask"].any(0).nonzero().flatten()
    kept, width = slice(int(read[0]), int(read[-1]) + 1), inputs["attention_mask"].shape[1]
    return {name: values[:, kept] if values.shape[1:2] == (width,) else values for name, values in given.items()}


def alike(inputs: dict[str, Tensor], count: int, size: int) -> tuple[list[Tensor | slice], Tensor | slice]:
    """Batches of at most `size` of `count` rows to ask a model, and what puts its answers back in order.

    Where texts are not `SHORT`, those of similar length are together: none is padded to more than twice its own.
    """
    if _short(inputs):
        return list(batches(count, size)), slice(None)
    lengths = inputs["attention_mask"].sum(1)
    order, parts = lengths.argsort(stable=True), [[]]
    for row in order.tolist():
        if len(parts[-1]) == size or (parts[-1] and lengths[row] > max(SHORT, 2 * lengths[parts[-1][0]])):
            parts.append([])
        parts[-1].append(row)
    return [torch.tensor(part) for part in parts], order.argsort()


def _short(inputs: dict[str, Tensor]) -> bool:
    mask = inputs.get("attention_mask")
    return mask is None or mask.ndim != 2 or mask.shape[1] <= SHORT


def _tokens(tokenizer, rows: Dataset, split: str) -> dict[str, Tensor]:
    longest = tokenizer.model_max_length
    texts = []
    for column in ("text", "text_pair"):
        if column in rows.features:
            values = rows[column][:]  # at once: a column is slow row by row
            for number, value in enumerate(values):
                if not isinstance(value, str):
                    raise UserError(
                        f"row {number} of split {split} has {value!r} in column {column}; a text is needed: fill or drop it."
                    )
            texts.append([value[: longest * CHARACTERS] for value in values])
    if not any(text.strip() for text in texts[0]):
        raise UserError(f"all {len(texts[0])} texts of split {split} are empty; is this the right column?")
    try:
        with foreign():
            return dict(tokenizer(*texts, truncation=True, max_length=longest, padding="longest", return_tensors="pt"))
    except (UnicodeError, TypeError) as error:
        raise UserError(
            f"split {split} holds text that is not valid Unicode ({error}); save the file as UTF-8."
        ) from error
    except RuntimeError as error:
        raise UserError(
            f"the tokenizer in {tokenizer.name_or_path} cannot read the texts of split {split} ({error}); save the model's own there."
        ) from error


def _check_vocabulary(highest: int, folder: Path) -> None:
    config = folder / "config.json"  # not there yet while the model is being pre-trained
    size = json.loads(config.read_text()).get("vocab_size") if config.is_file() else None
    if size is not None and highest >= size:
        raise UserError(
            f"the tokenizer in {folder} gives token {highest}, its model knows {size}; "
            "it belongs to another model: save the model's own tokenizer there."
        )
