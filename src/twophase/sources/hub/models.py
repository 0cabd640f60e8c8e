"""A model of a hub as a local folder."""

import logging
import re
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twophase.errors import Unreachable, UserError
from twophase.infra.files import read_json
from twophase.sources.hub.place import Place
from twophase.sources.hub.transfer import Repository, list_repository, receive, receive_all, total_size
from twophase.training.folders import PROCESSOR_FILES, VOCABULARIES

SETTINGS = ("config.json", "tokenizer_config.json", "preprocessor_config.json", "processor_config.json")
BESIDE = re.compile(
    r"README\.md|tokenizer\.json|special_tokens_map\.json|added_tokens\.json"
    r"|vocab\.(json|txt)|merges\.txt|bpe\.codes|[\w.-]+\.model"
)
WEIGHTS = {  # alternatives, the better first: other files of the same ending are variants that nothing here loads
    "safetensors": (r"model\.safetensors", r"model-\d+-of-\d+\.safetensors|model\.safetensors\.index\.json"),
    "pickle": (r"pytorch_model\.bin", r"pytorch_model-\d+-of-\d+\.bin|pytorch_model\.bin\.index\.json"),
}
LARGEST = 10_000_000  # bytes of a file of settings
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class HubModel:
    """A model brought from a hub.

    Attributes:
        name: its id ("org/name").
        revision: the commit, 40 hexadecimal digits.
        folder: config.json, weights, tokenizer or preprocessor files, README.md.
    """

    name: str
    revision: str
    folder: Path


def fetch_model(
    name: str,
    revision: str | None = None,
    *,
    allow_pickle: bool = False,
    trust_remote_code: bool = False,
    cache: str | Path | None = None,
    progress: bool = True,
) -> HubModel:
    """Bring a model; nothing is sent again that is here already, and nothing that came is run.

    Args:
        name: "org/name" or "org/name@revision".
        revision: a branch, a tag or a commit; default: the default branch.
        allow_pickle: also a model whose only weights are pickles (`twophase.training.loading` does not read them).
        trust_remote_code: also a model with Python files of its own.
        cache: where; default: "hub" in the project's cache folder (`store.cache_folder`).
        progress: show a bar.

    Raises:
        UserError: before any weights are asked for: a wrong name, no such model or revision, no access, no answer,
            offline and not here; no config.json, no weights that are allowed, no tokenizer or processor, custom code,
            no room. While they come: broken off (repeat: it continues), or another size or hash than listed.
    """
    place = Place("model", name, revision, cache)
    if kept := place.kept(""):
        _refuse(place.name, [path.name for path in kept.iterdir()], allow_pickle)
        _refuse_code(place.name, kept, trust_remote_code)
        return HubModel(place.name, kept.name, kept)
    repository = list_repository("model", place.name, place.revision)
    weights = _refuse(place.name, repository.files, allow_pickle)
    with place.lock() as root:
        folder = root / repository.commit
        folder.mkdir(exist_ok=True)
        place.sound(folder)
        _receive_settings(repository, folder)
        custom = _refuse_code(place.name, folder, trust_remote_code)
        receive_all(repository, {file: file for file in _needed(repository.files, weights, custom)}, folder, progress)
        place.keep("", folder)
    return HubModel(place.name, repository.commit, folder)


def describe(name: str, allow_pickle: bool = False) -> dict:
    """What `fetch_model` would do; asks for listings and files of settings (kilobytes), never for weights.

    Returns:
        name, revision (commit), bytes (to download into an empty cache), format ("safetensors" or "pickle"), gated,
        custom_code, config (what is in config.json), refused (the reason, or ""); without those that could not be had.

    Raises:
        Unreachable: no hub answers.
    """
    row = {"name": name, "format": "", "refused": ""}
    try:
        place = Place("model", name, None, None)
        repository = list_repository("model", place.name, place.revision)
        row |= {"revision": repository.commit, "gated": repository.gated}
        row["format"], weights = next(((k, f) for k in WEIGHTS if (f := _weights(repository.files, k))), ("", []))
        row["bytes"] = total_size(repository, _needed(repository.files, weights, False))
        _refuse(place.name, repository.files, allow_pickle)
        with tempfile.TemporaryDirectory() as folder:
            _receive_settings(repository, Path(folder))
            row["custom_code"] = bool(_custom(place.name, Path(folder)))
            row["config"] = read_json(Path(folder) / "config.json", dict[str, Any], "give another model")
            _refuse_code(place.name, Path(folder), trust_remote_code=False)
    except Unreachable:
        raise
    except UserError as error:
        row["refused"] = str(error)
    return row


def here(name: str, cache: str | Path | None = None) -> Path | None:
    """The folder that the last call of `fetch_model` with this name brought, the hub unasked; None if there is none."""
    return Place("model", name, None, cache).latest("")


def _weights(names: Collection[str], kind: str) -> list[str]:
    found = ([name for name in names if re.fullmatch(pattern, name)] for pattern in WEIGHTS[kind])
    return next((files for files in found if files), [])


def _needed(names: Collection[str], weights: list[str], custom: bool) -> list[str]:
    code = [name for name in names if custom and re.fullmatch(r"\w+\.py", name)]
    return [name for name in names if name in SETTINGS or BESIDE.fullmatch(name)] + weights + code


def _refuse(name: str, names: Collection[str], allow_pickle: bool) -> list[str]:
    """The weights among a model's files. Raises UserError if what is needed is not there, or not allowed."""
    if "config.json" not in names:
        raise UserError(
            f"{name} has no config.json; give a model that was saved with save_pretrained() of transformers."
        )
    weights, pickles = _weights(names, "safetensors"), _weights(names, "pickle")
    if not weights and pickles and not allow_pickle:
        raise UserError(
            f"{name} has pickled weights only ({', '.join(pickles[:3])}), which can run code when they are loaded; "
            "allowed is model.safetensors. Give a revision or a model with it, or allow_pickle=True if you trust it."
        )
    if not weights and not pickles:
        raise UserError(f"{name} has no model.safetensors; give a model whose weights were saved with transformers.")
    if not any(file in names for file in (*PROCESSOR_FILES, *VOCABULARIES)):
        raise UserError(
            f"{name} has no tokenizer or image processor; one of {', '.join(PROCESSOR_FILES)} is needed to make its "
            "inputs. Give a model that has one."
        )
    if not weights:
        log.warning("%s: pickled weights can run any code when they are loaded: load them only if you trust it", name)
    return weights or pickles


def _refuse_code(name: str, folder: Path, trust_remote_code: bool) -> bool:
    """Whether a model's settings name Python files. Raises UserError if so and it is not allowed."""
    if not (found := _custom(name, folder)):
        return False
    if not trust_remote_code:
        raise UserError(
            f"{name} needs Python files of its own (auto_map in {found}), which run when it is loaded; allowed are "
            "architectures of transformers. Give another model, or trust_remote_code=True if you have read them."
        )
    log.warning("%s: its Python files run when it is loaded with trust_remote_code: read them first", name)
    return True


def _custom(name: str, folder: Path) -> str:
    for file in SETTINGS:
        path, remedy = folder / file, f"give another revision of {name}, or another model"
        if path.exists() and read_json(path, dict[str, Any], remedy).get("auto_map"):
            return file
    return ""


def _receive_settings(repository: Repository, folder: Path) -> None:
    for file in [name for name in SETTINGS if name in repository.files]:
        if (repository.files[file].size or 0) > LARGEST:
            raise UserError(f"{file} of {repository.name} has over {LARGEST:,} bytes; give another revision or model.")
        receive(repository, file, folder / file)
