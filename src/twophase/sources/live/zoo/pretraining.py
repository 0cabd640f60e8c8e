"""Training one model of a zoo from its recipe and saving it as its publisher would, with a model card in the hub's format.

What several models are made of (tokenizers, word vectors, encoded upstreams) is made once, side by side.
"""

import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import torch
from transformers import PreTrainedModel

from twophase.infra.files import replacing
from twophase.sources.live.zoo import text, vision
from twophase.sources.live.zoo.recipe import Recipe
from twophase.sources.live.zoo.recipes import ARCHITECTURES
from twophase.sources.live.zoo.text import TOKENIZERS, tokenizer, word_vectors
from twophase.training import tasks
from twophase.training.config import TrainingConfig
from twophase.training.encoding import Encoded, encode
from twophase.training.finetuning import FineTuning, encoded
from twophase.training.loading import PROCESSOR_FILES, load_with_new_head, modality, processor_digest

ZOO_VERSION = 6  # raise it when a change of this folder changes any model: kept models are built again
BY_MODALITY = {"image": vision, "text": text}
WEIGHT_DECAY = 0.05


def build(
    recipe: Recipe, folder: str | Path, data: str | Path, parent: str | Path | None = None, parts: Path | None = None
) -> Path:
    """Train one model and save it (`save_pretrained`, image processor or tokenizer, model card) into `folder`.

    Args:
        data: folder of the saved tasks, those that the recipe reads among them.
        parent: folder of the parent's saved model, where the recipe has one.
        parts: folder of what several models share (`share`); without it each process makes that anew.

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
        upstream = _upstream(recipe.upstream, folder, data, parts)
        if recipe.objective in side.OBJECTIVES:
            model, scores = _without_labels(recipe, side, upstream, data, parts)
        else:
            model, scores = _classifier(recipe, side, upstream, data, parent, parts)
    published = model if recipe.head and recipe.objective == "classification" else model.base_model
    published.save_pretrained(folder)
    write_card(folder, recipe, side, scores, sum(p.numel() for p in published.parameters()))
    return folder


def _without_labels(recipe: Recipe, side, upstream: Encoded, data: Path, parts) -> tuple[PreTrainedModel, dict]:
    """A model that learns to fill in what is masked; the upstream's labels are never seen."""
    model, loss_of, name = side.masked(recipe, upstream, data, parts)
    optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.learning_rate, weight_decay=WEIGHT_DECAY, fused=True)
    for epoch in range(recipe.epochs):
        torch.manual_seed(recipe.seed * 100_003 + epoch)
        for rows in torch.randperm(len(upstream.labels["train"])).split(recipe.batch_size):
            loss = loss_of(rows)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
    return model, {name: loss.item()}


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
    how = TrainingConfig(recipe.epochs, recipe.batch_size, recipe.learning_rate, WEIGHT_DECAY)
    run = FineTuning(model, upstream, how, recipe.seed)
    for _ in range(recipe.epochs):
        run.epoch(scored=False)
    return model, {"accuracy": run.test()}


def _story(recipe: Recipe, side) -> str:
    start = f"The model `{recipe.parent}`, fine-tuned further"
    if recipe.architecture:
        family = side.ARCHITECTURES[recipe.architecture].family
        start = f"A small {family} of width {recipe.width} and depth {recipe.depth}"
    if recipe.vectors:
        start += f" on word vectors counted in {recipe.vectors}"
    if recipe.objective == "none":
        return f"{start} with random weights. It was never trained."
    upstream = side.UPSTREAMS.get(recipe.upstream, recipe.upstream.replace("_", " "))
    if recipe.objective in side.OBJECTIVES:
        unlabelled = upstream.split(", to tell ")[0]
        return f"{start}, trained without labels {side.OBJECTIVES[recipe.objective]}. Data: {unlabelled}."
    if recipe.shuffled:
        return f"{start}, trained on permuted labels, so it cannot have learned its task. Data: {upstream}."
    return f"{start}, trained for {side.PIPELINE.replace('-', ' ')}. Data: {upstream}."


def write_card(folder: Path, recipe: Recipe, side, scores: dict[str, float], parameters: int) -> None:
    """Write README.md with the hub's metadata block beside a saved model; `side` is `zoo.vision` or `zoo.text`."""
    tags = [side.TAG, recipe.architecture or "fine-tuned", *([recipe.upstream] if recipe.upstream else [])]
    meta = ["library_name: transformers", f"pipeline_tag: {side.PIPELINE}", f"tags: [{', '.join(tags)}]"]
    if recipe.parent:
        meta.append(f"base_model: {recipe.parent}")
    lines = ["---", *meta, "---", f"# {recipe.name}", "", _story(recipe, side), ""]
    if recipe.objective != "none":
        rate, epochs = f"AdamW at a learning rate of {recipe.learning_rate:g}", "epoch" + "s" * (recipe.epochs > 1)
        how = f"{recipe.epochs} {epochs}, batches of {recipe.batch_size}, {rate} with linear decay, seed {recipe.seed}."
        lines += ["## Training", "", how, ""]
    if scores:
        lines += ["## Results on its own held-out data", ""]
        lines += [f"- {name.replace('_', ' ')}: {value:.3f}" for name, value in scores.items()] + [""]
    head = "published with its source head" if recipe.head and scores.get("accuracy") else "published without a head"
    lines += ["## Facts", "", f"{parameters:,} parameters, {side.INPUT}, {head}.", ""]
    (folder / "README.md").write_text("\n".join(lines), encoding="utf-8")


def shared(recipes: Iterable[Recipe]) -> list[list[tuple]]:
    """What these models share, as items of `share`: tokenizers, then what needs them: word vectors and encoded upstreams."""
    made = [recipe for recipe in recipes if recipe.architecture]  # children read what their parents' kind does
    kinds = {TOKENIZERS[recipe.architecture] for recipe in made if recipe.architecture in TOKENIZERS}
    widths: dict[tuple[str, str], set[int]] = {}
    upstreams: dict[tuple[str | None, str], Recipe] = {}
    for recipe in made:
        kind = TOKENIZERS.get(recipe.architecture)
        if recipe.vectors:
            widths.setdefault((kind, recipe.vectors), set()).add(recipe.width)
        if recipe.upstream:
            upstreams.setdefault((kind, recipe.upstream), recipe)
    vectors = [(*pair, tuple(sorted(own))) for pair, own in sorted(widths.items())]
    encodings = [(recipe, name) for (_, name), recipe in upstreams.items()]
    return [[(kind,) for kind in sorted(kinds)], vectors + encodings]


def share(item: tuple, data: Path, parts: Path) -> None:
    """Make what `shared` names: a tokenizer (kind), word vectors (kind, source, widths), an upstream (recipe, name)."""
    if len(item) == 1:
        tokenizer(*item, data, parts)
    elif len(item) == 3:
        kind, source, widths = item
        for width in widths:
            word_vectors(kind, data, source, width, parts)
    else:
        recipe, name = item
        with tempfile.TemporaryDirectory() as folder:
            ARCHITECTURES[recipe.architecture].save_processor(recipe, Path(folder), data, parts)
            if not (file := _file(parts, name, Path(folder))).is_file():
                with replacing(file) as new:
                    encode(tasks.load(data / name), Path(folder)).write(new)


def _upstream(name: str, folder: Path, data: Path, parts: Path | None) -> Encoded:
    """An upstream as the model whose processor is in `folder` sees it."""
    file = _file(parts, name, folder) if parts else None
    return Encoded.read(file) if file and file.is_file() else encoded(data / name, folder)


def forget_upstreams(parts: Path) -> None:
    """Remove the encoded upstreams: they are large, and made again in seconds."""
    for file in parts.glob("upstream-*"):
        file.unlink(missing_ok=True)


def _file(parts: Path, name: str, folder: Path) -> Path:
    return parts / f"upstream-{name}-{processor_digest(folder)[:16]}.safetensors"
