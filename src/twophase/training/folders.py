"""What lies in a folder: a model that can be loaded from it, or why there is none and what to do. Nothing is loaded here.

Kinds and sizes of files are looked at before any is read: a link may lead to a device, and a file may end nowhere.
"""

import json
import re
import stat
from importlib.util import find_spec
from math import prod
from pathlib import Path
from typing import Any

from twophase.errors import UserError

PROCESSOR_FILES = ("preprocessor_config.json", "tokenizer.json", "tokenizer_config.json")
SENTENCEPIECE = ("spiece.model", "sentencepiece.bpe.model", "tokenizer.model", "spm.model")
# of tokenizers without tokenizer.json
VOCABULARIES = ("vocab.txt", "vocab.json", "merges.txt", "bpe.codes", *SENTENCEPIECE)
INDEX = "model.safetensors.index.json"
LARGEST_SETTINGS, LARGEST_HEADER, LARGEST_VOCABULARY = 10**7, 10**8, 10**9  # bytes
MOST_CLASSES = 10**6
SAVE = "save it with save_pretrained() of transformers"
NO_PROCESSOR = "has neither preprocessor_config.json nor a tokenizer; save the model's own there with save_pretrained()"
OTHERS = {  # what else weights are kept in: pattern -> what it is and what to do
    r"pytorch_model.*\.bin|.*\.(pt|pth|ckpt)": "pickled weights only ({}), which can run code when they are loaded; where you trust "
    f"them, load the model and {SAVE}, which writes safetensors",
    r".*\.onnx": f"an ONNX export only ({{}}), which cannot be trained; load the model that it was made from and {SAVE}",
    r".*\.gguf": "GGUF weights only ({}), which are for inference; give the model that they were made from",
    r".*\.(h5|msgpack)": f"weights of TensorFlow or Flax only ({{}}), which transformers no longer reads; load them with an earlier "
    f"version and {SAVE}",
    r".*\.safetensors": "weights by another name ({}); the one that is loaded is model.safetensors: rename it",
}


def listed(path: Path) -> dict[str, Path]:
    """The folders of a folder that may be models, by name, or the one model that it is itself.

    Raises:
        UserError: it has none.
    """
    inside = [path] if is_model(path) else [one for one in path.iterdir() if one.is_dir() and one.name[0] != "."]
    if not inside:
        raise UserError(
            f"{path} holds no folders; give a folder of models, each in a folder written by save_pretrained()."
        )
    return {name_of(one): located(one) for one in sorted(inside)}


def models_in(path: Path) -> tuple[dict[str, Path], dict[str, str]]:
    """The models that can be loaded among those `listed`, and why the others cannot, by name.

    Raises:
        UserError: there are none.
    """
    found = listed(path)
    faults = {name: why for name, folder in found.items() if (why := fault(folder))}
    if len(faults) == len(found):
        reasons = [f"{name}: {why}" for name, why in faults.items()]
        more = f" (and {len(reasons) - 3} more)" if len(reasons) > 3 else ""
        raise UserError(f"{path} holds no model that can be loaded. {'. '.join(reasons[:3])}{more}.")
    return {name: folder for name, folder in found.items() if name not in faults}, faults


def is_model(folder: Path) -> bool:
    """Whether a folder is a model itself, not a folder of models: also one of a hub's cache or of sentence-transformers."""
    return any((folder / name).exists() for name in ("config.json", "adapter_config.json", "modules.json", "snapshots"))


def name_of(folder: Path) -> str:
    """A model's name: its folder's, or its id where the folder is of a hub's cache (models--org--name)."""
    name = folder.resolve().name
    return name.removeprefix("models--").replace("--", "/") if name.startswith("models--") else name


def located(folder: Path) -> Path:
    """Where a model's own files are: in a hub's cache, with sentence-transformers or with a Trainer, a folder below."""
    if (folder / "config.json").exists():
        return folder
    if (folder / "snapshots").is_dir():
        main = folder / "refs" / "main"
        kept = sorted((folder / "snapshots").iterdir(), key=lambda one: one.stat().st_mtime)
        asked = [one for one in kept if main.is_file() and one.name == main.read_text(encoding="utf-8").strip()]
        return (asked or kept or [folder])[-1]
    for module in _json(folder / "modules.json", list) or ():
        if isinstance(module, dict) and "Transformer" in str(module.get("type")):
            return folder / str(module.get("path"))
    steps = {int(one.name[11:]): one for one in folder.glob("checkpoint-*") if one.name[11:].isdecimal()}
    if not steps:
        return folder
    last = steps[max(steps)]
    best = folder / Path(str((_json(last / "trainer_state.json") or {}).get("best_model_checkpoint"))).name
    return best if best in steps.values() else last


def fault(folder: Path) -> str:
    """Why a folder holds no model that can be loaded, and what to do, as a clause; "" if nothing is seen."""
    try:
        names = {one.name for one in folder.iterdir()}
        weights = _weights(folder, names)
        wanted = {"config.json", *PROCESSOR_FILES, *VOCABULARIES} & names
        for name in sorted(wanted | {file.name for file in weights}):
            if why := _odd(folder / name):
                return f"{name} {why}"
        return _unloadable(folder, names, weights)
    except OSError as error:
        return f"its files cannot be read ({error.strerror or error})"


def check(folder: Path) -> list[Path]:
    """A model's weights (the index first, where there are several files). Raises UserError: see `fault`."""
    if why := fault(folder):
        raise UserError(f"{folder}: {why}.")
    return _weights(folder, {one.name for one in folder.iterdir()})


def _weights(folder: Path, names: set[str]) -> list[Path]:
    if "model.safetensors" in names:
        return [folder / "model.safetensors"]
    shards = (_json(folder / INDEX) or {}).get("weight_map")
    named = {Path(str(shard)).name for shard in shards.values()} if isinstance(shards, dict) else ()
    return [folder / INDEX, *(folder / shard for shard in sorted(named))] if named else []


def _odd(file: Path) -> str:
    """Why a file is not one that can be read to its end."""
    try:
        found = file.stat()
    except FileNotFoundError:
        return "leads to a file that is not there; bring the whole model again" if file.is_symlink() else "is not there"
    if not stat.S_ISREG(found.st_mode):
        kinds = {stat.S_IFDIR: "folder", stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket"}
        return f"is a {kinds.get(stat.S_IFMT(found.st_mode), 'device')}, where a file belongs"
    if file.suffix == ".safetensors":
        return _cut(file, found.st_size)
    most = LARGEST_SETTINGS if file.name.endswith("config.json") else LARGEST_VOCABULARY
    return f"has {found.st_size:,} bytes, more than such a file can need" if found.st_size > most else ""


def parameter_count(folder: Path) -> int:
    """Parameters of a saved model, from the headers of its weights.

    Raises:
        UserError: see `check`.
    """
    shards = [file for file in check(folder) if file.name != INDEX]
    return sum(prod(one["shape"]) for file in shards for one in _tensors(file)[0].values())


def _cut(file: Path, size: int) -> str:
    """Whether a file of weights is as long as its header says."""
    try:
        _, told = _tensors(file)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return "is no safetensors file; save the model again"
    return (
        "" if told == size else f"has {size:,} bytes, its header says {told:,}: it is damaged; bring or save it again"
    )


def _tensors(file: Path) -> tuple[dict[str, Any], int]:
    """What the header of a file of weights tells of each tensor, and where the last one ends (safetensors' format)."""
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        header = json.loads(opened.read(min(length, LARGEST_HEADER)))
    header.pop("__metadata__", None)
    return header, 8 + length + max((one["data_offsets"][1] for one in header.values()), default=0)


def _unloadable(folder: Path, names: set[str], weights: list[Path]) -> str:
    """What is wrong with a folder whose files are all right."""
    if not weights and "adapter_config.json" in names:
        base = (_json(folder / "adapter_config.json") or {}).get("base_model_name_or_path", "another model")
        return f"it is an adapter of {base}; merge the two with merge_and_unload() of peft, and {SAVE}"
    for pattern, what in OTHERS.items() if not weights else ():
        if others := sorted(name for name in names if re.fullmatch(pattern, name)):
            return f"it has {what.format(', '.join(others[:3]))}"
    for name in ("config.json", "model.safetensors"):
        if name not in names and not (weights and name == "model.safetensors"):
            return f"it has no {name}; {SAVE}"
    if (config := _json(folder / "config.json")) is None:
        return f"its config.json holds no settings (a JSON object); {SAVE}"
    if config.get("quantization_config"):
        return "its weights are quantized, which cannot be fine-tuned; give the model that they were made from"
    classes = config.get("num_labels")
    if isinstance(classes, int | float) and classes > MOST_CLASSES:
        return f"its config.json asks for {classes:,} classes, more than {MOST_CLASSES:,}; save the model again"
    if not reads(folder):
        return f"it {NO_PROCESSOR}"
    pieces = [name for name in SENTENCEPIECE if name in names]
    if pieces and "tokenizer.json" not in names and not find_spec("sentencepiece"):
        return (
            f"its tokenizer ({pieces[0]}) needs the package sentencepiece, which is not here: install it, or save tokenizer.json "
            "beside the model"
        )
    return ""


def reads(folder: Path) -> set[str]:
    """What a model can be given by the processors beside it: "image", "text", both or nothing."""
    beside = {"image": PROCESSOR_FILES[:1], "text": (*PROCESSOR_FILES[1:], *VOCABULARIES)}
    return {kind for kind, files in beside.items() if any((folder / name).is_file() for name in files)}


def _json(file: Path, kind: type = dict) -> Any:
    """What a file of settings holds, None if that is no `kind`."""
    try:
        found = None if _odd(file) else json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, kind) else None
