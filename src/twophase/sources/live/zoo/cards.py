"""Model cards in the hub's format, written from what was really done to a model."""

from pathlib import Path

from twophase.sources.live.zoo.recipe import Recipe


def _story(recipe: Recipe, side) -> str:
    family = side.FAMILIES.get(recipe.architecture)
    size = f" of width {recipe.width} and depth {recipe.depth}" if family else ""
    start = f"A small {family}{size}" if family else f"The model `{recipe.parent}`, fine-tuned further"
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
        lines += [
            "## Training",
            "",
            f"{recipe.epochs} epoch{'s' * (recipe.epochs > 1)}, batches of {recipe.batch_size}, AdamW at a learning rate of "
            f"{recipe.learning_rate:g} with linear decay, seed {recipe.seed}.",
            "",
        ]
    if scores:
        lines += ["## Results on its own held-out data", ""]
        lines += [f"- {name.replace('_', ' ')}: {value:.3f}" for name, value in scores.items()] + [""]
    head = "published with its source head" if recipe.head and scores.get("accuracy") else "published without a head"
    lines += ["## Facts", "", f"{parameters:,} parameters, {side.INPUT}, {head}.", ""]
    (folder / "README.md").write_text("\n".join(lines), encoding="utf-8")
