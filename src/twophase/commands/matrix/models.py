"""The models of a matrix: what they weigh, how much they multiply, and where they are."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from twophase.commands.matrix.settings import Estimate, Settings
from twophase.errors import UserError
from twophase.infra.files import read_json
from twophase.sources.hub import describe, here
from twophase.training import folders, loading

SIDE = 224  # pixels, where a configuration does not say


@dataclass(frozen=True)
class Model:
    """A model as the plan knows it.

    Attributes:
        name: its folder's, or its id.
        folder: written by save_pretrained; None where it is still to be brought.
        modality: of what it reads, "text" or "image"; None where that is not known yet.
        parameters: their number.
        computing: those that multiply every token.
        tokens: of a picture; None for a model of texts.
        download: bytes still to be brought; None where the hub does not tell.
        known: where its numbers come from.
        fault: why it cannot be had, else "".
    """

    name: str
    folder: Path | None
    modality: str | None
    parameters: float
    computing: float
    tokens: float | None
    download: int | None
    known: str
    fault: str = ""

    @property
    def bytes(self) -> float:
        """Of its weights, in float32."""
        return 4 * self.parameters


def names(given: Settings) -> dict[str, Path | None]:
    """Model -> folder, None for one of a hub.

    Raises:
        UserError: no such folder, no models in it, a name that stands for nothing.
    """
    root = given.matrix.folder
    if root is None:
        return given.chosen("model", dict.fromkeys(given.matrix.models))
    if not root.is_dir():
        raise UserError(f"matrix.models={root} is not a folder; give a folder of folders written by save_pretrained.")
    return given.chosen("model", folders.listed(root))


def look(given: Settings, name: str, folder: Path | None, ask: bool) -> Model:
    """What is known of a model: from its files if they are here, from the hub's listing if `ask`, else assumed.

    Raises:
        Unreachable: no hub answers.
    """
    if folder is None:
        try:
            folder = here(name)
        except UserError as error:
            return replace(assumed(given, name), fault=str(error))
        if folder is None:
            return _described(given, name) if ask else assumed(given, name)
    try:
        parameters = folders.parameter_count(folder)
        config = read_json(folder / "config.json", dict[str, Any], "save the model again with save_pretrained()")
        modality = loading.modality(folder)
    except UserError as error:
        return replace(assumed(given, name), folder=folder, download=0, fault=str(error).splitlines()[0])
    computing, tokens = multiplications(config, parameters, given.estimate)
    tokens = tokens if modality == "image" else None
    return Model(name, folder, modality, parameters, computing, tokens, 0, "its files")


def _described(given: Settings, name: str) -> Model:
    row, known = describe(name, given.matrix.allow_pickle), assumed(given, name)
    size = row.get("bytes")
    if row["refused"]:
        return replace(known, download=size, fault=row["refused"])
    parameters = size / 4 if size else known.parameters  # float32
    computing, tokens = multiplications(row["config"], parameters, given.estimate)
    return Model(name, None, "image" if tokens else "text", parameters, computing, tokens, size, "the hub's listing")


def assumed(given: Settings, name: str) -> Model:
    """A model of which nothing is known but its name."""
    for part, (parameters, computing, tokens) in given.matrix.assumed.items():
        if part in name.lower():
            return Model(name, None, "image" if tokens else None, parameters, computing, tokens, None, "assumed")
    return Model(name, None, None, given.estimate.parameters, given.estimate.computing, None, None, "assumed")


def multiplications(config: dict[str, Any], parameters: float, estimate: Estimate) -> tuple[float, float | None]:
    """Parameters that multiply every token, and tokens of a picture (None: a model of texts), from a config.json.

    A transformer's layer has 4 width^2 for attention and 2 width x inner for its perceptron; embeddings only look up.
    """
    width = _first(config, "hidden_size", "dim", "d_model")
    layers = _first(config, "num_hidden_layers", "n_layers", "num_layers")
    side = _first(config, "image_size") or SIDE
    patch = _first(config, "patch_size")
    pictures = patch is not None or "num_channels" in config or "image_size" in config
    if width is None or layers is None or (pictures and patch is None):
        return parameters, estimate.uses * (side / SIDE) ** 2 if pictures else None
    inner = _first(config, "intermediate_size", "hidden_dim", "ffn_dim") or 4 * width
    return layers * (4.0 * width**2 + 2.0 * width * inner), (side // patch) ** 2 + 1.0 if pictures else None


def _first(config: dict[str, Any], *keys: str) -> int | None:
    """The first of the settings that is a whole number above 0, or the first of two for a picture's sides."""
    found = [config.get(key) for key in keys]
    found = [one[0] if isinstance(one, list) and len(one) == 2 else one for one in found]
    return next((one for one in found if type(one) is int and one > 0), None)
