"""Training one model of a zoo from its recipe and saving it as its publisher would."""

import shutil
from dataclasses import replace
from pathlib import Path

import torch
from transformers import PreTrainedModel

from twophase.sources.live.zoo import parts as shared_parts
from twophase.sources.live.zoo import text, vision
from twophase.sources.live.zoo.cards import write_card
from twophase.sources.live.zoo.recipes import ARCHITECTURES, Recipe
from twophase.training.config import TrainingConfig
from twophase.training.encoding import Encoded
from twophase.training.finetuning import FineTuning
from twophase.training.loading import PROCESSOR_FILES, load_with_new_head, modality

ZOO_VERSION = 6  # raise it when a change of this folder changes any model: kept models are built again
BY_MODALITY = {"image": vision, "text": text}


def build(
    recipe: Recipe, folder: str | Path, data: str | Path, parent: str | Path | None = None, parts: Path | None = None
) -> Path:
    """Train one model and save it (`save_pretrained`, image processor or tokenizer, model card) into `folder`.

    Args:
        recipe: what to build.
        folder: where the model goes.
        data: folder of the saved tasks, those that the recipe reads among them.
        parent: folder of the parent's saved model, where the recipe has one.
        parts: folder of what several models share (`parts.share`); without it each process makes that anew.

    Raises:
        Diverged: pre-training ended in a loss that is not finite.
        UserError: the upstream or the parent cannot be read.
    """
    folder, data = Path(folder), Path(data)
    side = ARCHITECTURES[recipe.architecture] if recipe.architecture else BY_MODALITY[modality(parent)]
    if recipe.architecture:
        side.save_processor(recipe, folder, data, parts)
    else:
        folder.mkdir(parents=True, exist_ok=True)
        for name in PROCESSOR_FILES:
            if (Path(parent) / name).is_file():
                shutil.copyfile(Path(parent) / name, folder / name)
    if recipe.objective == "none":
        model, scores = side.new_model(recipe, 2, data, parts), {}
    else:
        upstream = shared_parts.upstream(recipe.upstream, folder, data, parts)
        if recipe.objective in side.OBJECTIVES:
            model, scores = side.without_labels(recipe, upstream, data, parts)
        else:
            model, scores = _classifier(recipe, side, upstream, data, parent, parts)
    published = model if recipe.head and recipe.objective == "classification" else model.base_model
    published.save_pretrained(folder)
    write_card(folder, recipe, side, scores, sum(p.numel() for p in published.parameters()))
    return folder


def _training(recipe: Recipe) -> TrainingConfig:
    return TrainingConfig(
        epochs=recipe.epochs, batch_size=recipe.batch_size, learning_rate=recipe.learning_rate, weight_decay=0.05
    )


def _classifier(recipe: Recipe, side, upstream: Encoded, data: Path, parent, parts) -> tuple[PreTrainedModel, dict]:
    if recipe.shuffled:
        shuffle = torch.Generator().manual_seed(recipe.seed)
        labels = upstream.labels["train"]
        mixed = labels[torch.randperm(len(labels), generator=shuffle)]
        upstream = replace(upstream, labels=upstream.labels | {"train": mixed})
    if parent:
        model = load_with_new_head(parent, upstream.classes, recipe.seed)
    else:
        model = side.new_model(recipe, len(upstream.classes), data, parts)
    model.config.id2label = dict(enumerate(upstream.classes))
    model.config.label2id = {name: number for number, name in enumerate(upstream.classes)}
    run = FineTuning(model, upstream, _training(recipe), recipe.seed)
    for _ in range(recipe.epochs):
        run.epoch(scored=False)
    return model, {"accuracy": run.test()}
