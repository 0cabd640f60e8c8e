"""What several models of a zoo are made of: tokenizers, word vectors, encoded upstreams. Each is made once, side by side."""

import tempfile
from collections.abc import Iterable
from pathlib import Path

from twophase.infra.files import replacing
from twophase.sources.live.zoo.recipe import Recipe
from twophase.sources.live.zoo.recipes import ARCHITECTURES
from twophase.sources.live.zoo.text import TOKENIZERS, tokenizer, word_vectors
from twophase.training import tasks
from twophase.training.encoding import Encoded, encode, encoded
from twophase.training.loading import processor_digest


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
    return [
        [(kind,) for kind in sorted(kinds)],
        [*vectors, *((recipe, name) for (_, name), recipe in upstreams.items())],
    ]


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
            _write(data / name, Path(folder), _file(parts, name, Path(folder)))


def upstream(name: str, folder: Path, data: Path, parts: Path | None) -> Encoded:
    """An upstream as the model whose processor is in `folder` sees it."""
    file = _file(parts, name, folder) if parts else None
    return Encoded.read(file) if file and file.is_file() else encoded(data / name, folder)


def forget_upstreams(parts: Path) -> None:
    """Remove the encoded upstreams: they are large, and made again in seconds."""
    for file in parts.glob("upstream-*"):
        file.unlink(missing_ok=True)


def _file(parts: Path, name: str, folder: Path) -> Path:
    return parts / f"upstream-{name}-{processor_digest(folder)[:16]}.safetensors"


def _write(task: Path, folder: Path, file: Path) -> None:
    if not file.is_file():
        with replacing(file) as new:
            encode(tasks.load(task), folder).write(new)
