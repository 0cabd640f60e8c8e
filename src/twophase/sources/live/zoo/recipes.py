"""How each model of a zoo comes to be: validated configuration, parents before children."""

from dataclasses import asdict, fields
from graphlib import CycleError, TopologicalSorter

from twophase.errors import UserError
from twophase.sources.live.zoo import text, vision
from twophase.sources.live.zoo.recipe import Recipe

DOMAINS = {"cv": vision, "nlp": text}
ARCHITECTURES = {name: side for side in DOMAINS.values() for name in side.ARCHITECTURES}
OBJECTIVES = ("classification", *vision.OBJECTIVES, *text.OBJECTIVES, "none")


def reads(recipe: Recipe) -> set[str]:
    """Names of the tasks that building a model reads; its parent's own are not among them."""
    own = {recipe.upstream} if recipe.upstream else set()
    return own | (ARCHITECTURES[recipe.architecture].reads(recipe) if recipe.architecture else set())


def recipes(models: dict[str, dict], include: list[str] | None = None) -> dict[str, Recipe]:
    """Validated recipes in the order in which they can be built.

    Args:
        models: name -> fields of `Recipe`, as configured.
        include: only these and their parents; None is all.

    Raises:
        UserError: unknown key, architecture, objective, parent or included name; a circle of parents.
    """
    known = {field.name for field in fields(Recipe)}
    made: dict[str, Recipe] = {}
    for name, values in models.items():
        if unknown := set(values) - known:
            raise UserError(f"model {name!r}: unknown key {sorted(unknown)}; allowed: {sorted(known - {'name'})}.")
        recipe = made[name] = Recipe(name=name, **values)
        if recipe.parent:
            if recipe.parent not in models:
                raise UserError(f"model {name!r}: unknown parent {recipe.parent!r}; known: {sorted(models)}.")
            if recipe.architecture:
                raise UserError(f"model {name!r} has both a parent and an architecture; a child has its parent's.")
        elif recipe.architecture not in ARCHITECTURES:
            raise UserError(
                f"model {name!r}: unknown architecture {recipe.architecture!r}; known: {', '.join(ARCHITECTURES)}."
            )
        if recipe.vectors and recipe.vectors not in text.CORPORA:
            raise UserError(f"model {name!r}: unknown vectors {recipe.vectors!r}; known: {', '.join(text.CORPORA)}.")
        if recipe.objective not in OBJECTIVES:
            raise UserError(f"model {name!r}: unknown objective {recipe.objective!r}; known: {', '.join(OBJECTIVES)}.")
        if (recipe.objective == "none") == bool(recipe.upstream):
            got = f"objective {recipe.objective!r} with upstream {recipe.upstream!r}"
            raise UserError(f"model {name!r}: {got}; a trained model needs an upstream, an untrained one has none.")
    if unknown := set(include or ()) - set(made):
        raise UserError(f"zoo.include names unknown models {sorted(unknown)}; known: {sorted(made)}.")
    try:
        order = list(TopologicalSorter({n: [r.parent] if r.parent else [] for n, r in made.items()}).static_order())
    except CycleError as error:
        raise UserError(f"models {error.args[1]} are each other's parents; one must start from scratch.") from error
    wanted = set(include if include is not None else made)
    for name in reversed(order):
        if name in wanted and made[name].parent:
            wanted.add(made[name].parent)
    return {name: made[name] for name in order if name in wanted}


def fingerprint(recipe: Recipe, all_recipes: dict[str, Recipe]) -> dict:
    """Everything of the configuration that determines a model, its parents' recipes included."""
    own = asdict(recipe)
    return own | {"parent": fingerprint(all_recipes[recipe.parent], all_recipes)} if recipe.parent else own
