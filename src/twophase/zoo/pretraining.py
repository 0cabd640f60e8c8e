"""Training one model of a zoo from its recipe and saving it as its publisher would."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from .. import tasks
from ..encoding import Encoded, encode
from ..loading import load_with_new_head
from ..training import FineTuning, TrainingConfig
from .architectures import SIDE, new_model
from .cards import write_card
from .recipes import Recipe

if TYPE_CHECKING:
    from transformers import PreTrainedModel

ZOO_VERSION = 1  # raise it when a change of this folder changes any model: kept models are built again
MASKED_SHARE = 0.5


def build(recipe: Recipe, folder: str | Path, data: str | Path, parent: str | Path | None = None) -> Path:
    """Train one model and save it (`save_pretrained`, image processor, model card) into `folder`.

    Args:
        recipe: what to build.
        folder: where the model goes.
        data: folder of the saved tasks, the recipe's upstream among them.
        parent: folder of the parent's saved model, where the recipe has one.

    Raises:
        Diverged: pre-training ended in a loss that is not finite.
        UserError: the upstream or the parent cannot be read.
    """
    folder = Path(folder)
    _processor().save_pretrained(folder)
    if recipe.objective == "none":
        model, scores = new_model(recipe.architecture, recipe.width, recipe.depth, 2, recipe.seed), {}
    else:
        upstream = encode(tasks.load(Path(data) / recipe.upstream), folder)
        if recipe.objective == "masked-image":
            model, scores = _masked_image_model(recipe, upstream)
        else:
            model, scores = _classifier(recipe, upstream, parent)
    published = model if recipe.head and recipe.objective == "classification" else model.base_model
    published.save_pretrained(folder)
    write_card(folder, recipe, scores, sum(p.numel() for p in published.parameters()))
    return folder


def digest(folder: str | Path) -> str:
    """sha256 over a saved model's configuration, processor and weights."""
    total = hashlib.sha256()
    for name in ("config.json", "preprocessor_config.json", "model.safetensors"):
        total.update((Path(folder) / name).read_bytes())
    return total.hexdigest()


def _processor():
    from transformers import ViTImageProcessorPil

    return ViTImageProcessorPil(
        size={"height": SIDE, "width": SIDE}, image_mean=[0.5] * 3, image_std=[0.5] * 3, resample=3
    )


def _training(recipe: Recipe) -> TrainingConfig:
    return TrainingConfig(
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        learning_rate=recipe.learning_rate,
        weight_decay=0.05,
    )


def _classifier(recipe: Recipe, upstream: Encoded, parent: str | Path | None) -> tuple[PreTrainedModel, dict]:
    import torch

    if recipe.shuffled:
        shuffle = torch.Generator().manual_seed(recipe.seed)
        labels = upstream.labels["train"]
        mixed = labels[torch.randperm(len(labels), generator=shuffle)]
        upstream = replace(upstream, labels=upstream.labels | {"train": mixed})
    if parent:
        model = load_with_new_head(parent, upstream.classes, recipe.seed)
    else:
        model = new_model(recipe.architecture, recipe.width, recipe.depth, len(upstream.classes), recipe.seed)
    model.config.id2label = dict(enumerate(upstream.classes))
    model.config.label2id = {name: number for number, name in enumerate(upstream.classes)}
    run = FineTuning(model, upstream, _training(recipe), recipe.seed)
    for _ in range(recipe.epochs):
        run.epoch()
    return model, {"accuracy": run.test()}


def _masked_image_model(recipe: Recipe, upstream: Encoded) -> tuple[PreTrainedModel, dict]:
    """A ViT that learns to fill in masked patches (SimMIM, arXiv:2111.09886); its labels are never seen."""
    import torch
    from transformers import ViTForMaskedImageModeling

    classifier = new_model(recipe.architecture, recipe.width, recipe.depth, 2, recipe.seed)
    config = classifier.config
    config.encoder_stride = config.patch_size
    model = ViTForMaskedImageModeling(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.learning_rate, weight_decay=0.05, fused=True)
    pictures = upstream.inputs["train"]["pixel_values"]
    patches = (config.image_size // config.patch_size) ** 2
    for epoch in range(recipe.epochs):
        torch.manual_seed(recipe.seed * 100_003 + epoch)
        for rows in torch.randperm(len(pictures)).split(recipe.batch_size):
            hidden = torch.rand(len(rows), patches) < MASKED_SHARE
            loss = model(pixel_values=pictures[rows], bool_masked_pos=hidden).loss
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
    return model, {"reconstruction_l1": loss.item()}
