"""`twophase models`: those of the live zoos, one of them, or one of the user's own."""

import argparse

from twophase.commands import additions, wording
from twophase.errors import UserError
from twophase.sources.live import parameters


def run(given: argparse.Namespace) -> None:

    names = [part for part in given.given if "=" not in part]
    overrides = [part for part in given.given if "=" in part]
    if given.action == "list":
        if names:
            raise UserError(f"got {names[0]!r}; `models list` takes key=value only")
        rows = []
        for domain, part in parameters.load(overrides).domain.items():
            for name, recipe in part.zoo.recipes.items():
                start = recipe.parent or f"{recipe.architecture} {recipe.width} x {recipe.depth}"
                learned = f"{recipe.upstream} ({recipe.objective})" if recipe.upstream else "nothing"
                rows.append((domain, name, start, learned, "yes" if recipe.head else "no"))
            rows += [(domain, name, "added by you", "", "") for name in additions.added(domain)]
        wording.show(("domain", "model", "starts from", "learned", "source head"), rows)
        return
    if len(names) != 1:
        what = "the folder of one model, or its id on a hub," if given.action == "add" else "the name of one model"
        raise UserError(f"got {' '.join(names) or 'nothing'}; `models {given.action}` takes {what}")

    if given.action == "show":
        folder, table = additions.show(names[0])
        print(f"{names[0]}: {folder}")
    else:
        table = additions.add_model(names[0], name=name_of(overrides))
    print(wording.frame(table))


def name_of(overrides: list[str]) -> str | None:
    """The name in name=…; UserError for any other key."""
    for override in overrides:
        if not override.startswith("name="):
            raise UserError(f"got {override!r}; allowed here is name=…")
    return overrides[-1].removeprefix("name=") if overrides else None
