"""Model cards in the hub's format, written from what was really done to a model."""

from __future__ import annotations

from pathlib import Path

from .recipes import Recipe

UPSTREAMS = {
    "latin": "Latin letters and digits rendered in the DejaVu typefaces (62 classes)",
    "greek": "Greek letters rendered in the DejaVu typefaces (30 classes)",
    "syllabics": "Canadian Aboriginal syllabics rendered in DejaVu Sans",
    "photographs": "colour patches of seven photographs, to tell which photograph a patch is from",
    "photo_focus": "patches of seven photographs at five depths of blur",
    "photo_degradation": "patches of seven photographs, blurred, noisy, compressed, pixelated or posterised",
}
FAMILIES = {
    "vit": "Vision Transformer (ViT)", "deit": "data-efficient image transformer (DeiT)", "beit": "BEiT",
    "dinov2": "DINOv2 vision transformer", "msn": "masked Siamese network vision transformer (ViT-MSN)",
    "swin": "Swin transformer with shifted windows", "poolformer": "PoolFormer (MetaFormer with pooling)",
    "convnext": "ConvNeXt convolutional network", "resnet": "residual convolutional network (ResNet)",
    "regnet": "RegNet convolutional network",
}  # fmt: skip


def _story(recipe: Recipe) -> str:
    family = FAMILIES.get(recipe.architecture)
    size = f" of width {recipe.width} and depth {recipe.depth}" if family else ""
    start = f"A small {family}{size}" if family else f"The model `{recipe.parent}`, fine-tuned further"
    if recipe.objective == "none":
        return f"{start} with random weights. It was never trained."
    upstream = UPSTREAMS.get(recipe.upstream, recipe.upstream.replace("_", " "))
    if recipe.objective == "masked-image":
        return f"{start}, trained without labels to fill in masked patches. Data: {upstream}."
    if recipe.shuffled:
        return f"{start}, trained on permuted labels, so it cannot have learned its task. Data: {upstream}."
    return f"{start}, trained for image classification. Data: {upstream}."


def write_card(folder: Path, recipe: Recipe, scores: dict[str, float], parameters: int) -> None:
    """Write README.md with the hub's metadata block beside a saved model."""
    tags = ["vision", recipe.architecture or "fine-tuned", *([recipe.upstream] if recipe.upstream else [])]
    meta = ["library_name: transformers", "pipeline_tag: image-classification", f"tags: [{', '.join(tags)}]"]
    if recipe.parent:
        meta.append(f"base_model: {recipe.parent}")
    lines = ["---", *meta, "---", f"# {recipe.name}", "", _story(recipe), ""]
    if recipe.objective != "none":
        lines += [
            "## Training",
            "",
            f"{recipe.epochs} epochs, batches of {recipe.batch_size}, AdamW at a learning rate of "
            f"{recipe.learning_rate:g} with linear decay, seed {recipe.seed}.",
            "",
        ]
    if scores:
        lines += ["## Results on its own held-out data", ""]
        lines += [f"- {name.replace('_', ' ')}: {value:.3f}" for name, value in scores.items()] + [""]
    head = "published with its source head" if recipe.head and scores.get("accuracy") else "published without a head"
    lines += ["## Facts", "", f"{parameters:,} parameters, 16 x 16 RGB input, {head}.", ""]
    (folder / "README.md").write_text("\n".join(lines), encoding="utf-8")
