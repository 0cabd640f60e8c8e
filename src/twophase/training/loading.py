"""Loading models that were saved with `save_pretrained`: safetensors only, nothing downloaded is executed."""

import json
import re
from contextlib import suppress
from pathlib import Path

import psutil
import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import Linear
from transformers import (
    AutoConfig,
    AutoImageProcessor,
    AutoModelForImageClassification,
    AutoModelForSequenceClassification,
    AutoTokenizer,
)
from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES as OF_IMAGES

from twophase.errors import UserError
from twophase.infra.files import digest
from twophase.training import folders
from twophase.training.folders import PROCESSOR_FILES, VOCABULARIES
from twophase.training.foreign import foreign, quiet
from twophase.training.heads import ends, heads

# Nothing is brought from anywhere, and Python files beside a model are not run: where this is left open, transformers asks
# on the terminal, and whoever pipes "yes" into a run has agreed.
LOCAL = {"local_files_only": True, "trust_remote_code": False}
LONGEST = 512  # tokens, where neither a tokenizer nor its model says how many are read
PATIENCE = 600  # seconds that a model may take to load
# Position 0 of a text comes behind that of the padding: of so many positions, the padding's and those before are not for tokens.
BEHIND_PADDING = (
    "camembert", "data2vec-text", "esm", "ibert", "layoutlmv3", "lilt", "longformer", "luke", "markuplm", "mpnet", "roberta",
    "roberta-prelayernorm", "xlm-roberta", "xlm-roberta-xl", "xmod",
)  # fmt: skip


def has_source_head(folder: str | Path) -> bool:
    """Whether the saved model says that it is a classifier of whole texts or pictures over source labels of its own."""
    config = json.loads((Path(folder) / "config.json").read_text())
    return any(re.search("(Sequence|Image)Classification", name) for name in config.get("architectures") or [])


def modality(folder: str | Path) -> str:
    """What a saved model reads: "image" if an image processor lies beside it, "text" if a tokenizer does.

    Where both do, its architecture decides.

    Raises:
        UserError: there is neither.
    """
    kinds = folders.reads(Path(folder))
    if not kinds:
        raise UserError(f"{folder} {folders.NO_PROCESSOR}.")
    if len(kinds) == 1:
        return kinds.pop()
    return "image" if json.loads((Path(folder) / "config.json").read_text()).get("model_type") in OF_IMAGES else "text"


def load_classifier(folder: str | Path, frozen: bool = False, **options) -> nn.Module:
    """A saved model as a classifier of what it reads (`modality`).

    Args:
        folder: of the model.
        frozen: whether it is only asked, not trained; then a quicker way is taken where it gives the same weights.

    Raises:
        UserError: the folder holds no loadable model (missing, truncated, no safetensors, wrong shapes).
    """
    quick = _mapped(folder) if frozen and not options else None
    return _load(folder, **options)[0] if quick is None else quick


_CONVERTED: set[str] = set()  # kinds of models whose names in files are not those of their modules


def _mapped(folder: str | Path) -> nn.Module | None:
    """A saved classifier with its weights mapped from the file; None where they do not fit its own names, shapes and type.

    `from_pretrained` takes three times as long for a small model, most of it on plans for conversions and devices. Drawing
    the weights that are replaced costs less than a context in which nothing is drawn.
    """
    auto = AutoModelForImageClassification if modality(folder) == "image" else AutoModelForSequenceClassification
    try:
        _check_memory(folder)
        config = AutoConfig.from_pretrained(str(folder), **LOCAL)
        if config.model_type in _CONVERTED:
            return None
        weights = load_file(Path(folder) / "model.safetensors")
        with quiet(), foreign(PATIENCE / 10):  # else the usual way takes its time
            model = auto.from_config(config, dtype=torch.float32, trust_remote_code=False)
        own = {name: (values.shape, values.dtype) for name, values in model.state_dict().items()}
        if own.keys() != weights.keys():
            _CONVERTED.add(config.model_type)
        if own != {name: (values.shape, values.dtype) for name, values in weights.items()}:
            return None
        model.load_state_dict(weights, assign=True)
        _pad(model, folder)
    except Exception:  # whatever is wrong with it, the usual way says it
        return None
    return model.eval()


def load_to_look_at(folder: str | Path, classes: tuple[str, ...]) -> tuple[nn.Module, list[nn.Module], bool]:
    """A model as it is published, its layers of which one reads the features, and whether it has a head over source labels.

    With such a head they are the layers that end it; else those that were not in the folder (for `classes`), in their order.

    Raises:
        UserError: see `load_classifier`.
    """
    headed, missing = has_source_head(folder), set()
    model = _mapped(folder) if headed else None
    if model is None:
        model, report = _load(folder, **({} if headed else {"num_labels": len(classes)}))
        missing = {key.rpartition(".")[0] for key in report["missing_keys"]}
    last = ends(model)
    if missing.isdisjoint(last):
        return model, [model.get_submodule(name) for name in last], headed
    new = [one for name, one in model.named_modules() if name in missing and isinstance(one, Linear)]
    return model, new, False


def _load(folder: str | Path, new_head: bool = False, **options) -> tuple[nn.Module, dict]:
    """A classifier in float32, in whatever type it was saved, and the report of `from_pretrained`.

    Raises:
        UserError: see `load_classifier`; layers of another shape than its configuration says, but for a head that is to be new.
    """
    kind = modality(folder)
    auto = AutoModelForImageClassification if kind == "image" else AutoModelForSequenceClassification
    _check_memory(folder)
    try:
        with quiet(), foreign(PATIENCE):
            model, report = auto.from_pretrained(
                str(folder), use_safetensors=True, dtype=torch.float32, output_loading_info=True, ignore_mismatched_sizes=True,
                **LOCAL, **options,
            )  # fmt: skip
    except Exception as error:
        _refuse_code(folder, error)
        cause = (str(error).splitlines() or [""])[0]
        raise UserError(
            f"{folder} cannot be loaded as a classifier of {kind}s ({type(error).__name__}: {cause}); "
            "give a folder written by save_pretrained with safetensors weights."
        ) from error
    _pad(model, folder)
    body = [name for name, _ in model.named_parameters() if name.startswith(f"{model.base_model_prefix}.")]
    if 2 * len(lost := report["missing_keys"] & set(body)) > len(body):
        raise UserError(
            f"the weights in {folder} are another model's than config.json says: {len(lost)} of {len(body)} layers are not there "
            f"({min(lost)} …); save the model again with save_pretrained()."
        )
    keys = [key if isinstance(key, str) else key[0] for key in report["mismatched_keys"]]
    replaced = tuple(f"{head}." for head in heads(model)) if new_head and keys else ()
    if strange := sorted(key for key in keys if not key.startswith(replaced)):
        raise UserError(
            f"the weights in {folder} have other shapes than its config.json says ({len(strange)} layers, the first: {strange[0]}); "
            "save the model again with save_pretrained()."
        )
    return model, report


def _check_memory(folder: str | Path) -> None:
    """Raise UserError if a model's weights, in float32, are more than this machine's memory holds."""
    here, needed = psutil.virtual_memory().total, 4 * folders.parameter_count(Path(folder))
    if needed > here:
        raise UserError(
            f"{folder} needs {needed / 2**30:.0f} GiB for its weights in float32, and this machine has {here / 2**30:.0f} GiB; leave it "
            "out, or compute where there is more."
        )


def _pad(model: nn.Module, folder: str | Path) -> None:
    """Tell a model that knows of no padding which token its tokenizer pads with: it reads a text up to there."""
    config = model.config.get_text_config()
    if modality(folder) == "text" and getattr(config, "pad_token_id", None) is None:
        config.pad_token_id = load_processor(folder).pad_token_id


def _refuse_code(folder: str | Path, error: Exception) -> None:
    """Say it plainly where a model cannot be loaded since it needs Python files of its own."""
    for name in ("config.json", "tokenizer_config.json", "preprocessor_config.json"):
        settings = None
        with suppress(OSError, ValueError):
            settings = json.loads((Path(folder) / name).read_text(encoding="utf-8"))
        if isinstance(settings, dict) and settings.get("auto_map"):
            raise UserError(
                f"{folder} needs Python files of its own (auto_map in {name}), which are never run; give a model whose "
                "architecture is one of transformers'."
            ) from error


def load_with_new_head(folder: str | Path, classes: tuple[str, ...], seed: int) -> nn.Module:
    """A classifier over `classes` on a pre-trained body; the head is always new, whatever the source had.

    Its last layer starts at zero (Dosovitskiy et al., 2021, Section 3.2), so that chance decides as little as it can.

    Raises:
        UserError: see `load_classifier`.
    """
    torch.manual_seed(seed)
    names = dict(enumerate(classes))
    model, _ = _load(folder, new_head=True, id2label=names, label2id={name: i for i, name in names.items()})
    for module in (module for head in heads(model) for module in model.get_submodule(head).modules()):
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
    for parameter in (one for name in ends(model) for one in model.get_submodule(name).parameters(recurse=False)):
        torch.nn.init.zeros_(parameter)
    return model


def processor_digest(folder: str | Path) -> str:
    """sha256 over the files of a model's image processor or tokenizer.

    Raises:
        UserError: see `modality`.
    """
    modality(folder)
    return digest(*_there(folder, *PROCESSOR_FILES, *VOCABULARIES))


def model_digest(folder: str | Path) -> str:
    """sha256 over a saved model's configuration, processor and weights.

    Raises:
        UserError: it is no model that can be loaded (`folders.fault`).
    """
    weights = folders.check(Path(folder))
    processor = _there(folder, *PROCESSOR_FILES)
    words = (
        []
        if any(path.suffix == ".json" and path.stem == "tokenizer" for path in processor)
        else _there(folder, *VOCABULARIES)
    )
    return digest(Path(folder) / "config.json", *processor, *words, *weights)


def _there(folder: str | Path, *names: str) -> list[Path]:
    return [path for path in (Path(folder) / name for name in names) if path.is_file()]


def load_processor(folder: str | Path):
    """What makes a saved model's inputs: its image processor, or its tokenizer.

    A tokenizer reads as many tokens as the model has positions, `LONGEST` at most; without a token for padding it pads with that
    for the end of a text, which is `stands_in` then.

    Raises:
        UserError: there is none, or it cannot be read.
    """
    kind = modality(folder)
    try:
        with foreign(PATIENCE):
            if kind == "image":
                return AutoImageProcessor.from_pretrained(str(folder), backend="pil", **LOCAL)
            tokenizer = AutoTokenizer.from_pretrained(str(folder), **LOCAL)
            known = len(tokenizer) > len(tokenizer.all_special_ids)
    except Exception as error:
        _refuse_code(folder, error)
        what = "image processor" if kind == "image" else "tokenizer"
        raise UserError(
            f"{folder} has no usable {what} ({type(error).__name__}); save it there with save_pretrained()."
        ) from error
    if not known:
        raise UserError(f"{folder} has a tokenizer without a vocabulary; save it there with save_pretrained().")
    tokenizer.model_max_length = min(tokenizer.model_max_length, LONGEST, *positions(folder))
    tokenizer.stands_in = None
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.stands_in = (
            tokenizer.eos_token or tokenizer.unk_token or tokenizer.convert_ids_to_tokens(0)
        )
    return tokenizer


def positions(folder: str | Path) -> list[int]:
    """How many tokens a saved model has positions for, if it says so: one number, or none.

    Raises:
        UserError: its configuration cannot be read.
    """
    if not (Path(folder) / "config.json").is_file():  # not there yet while the model is being pre-trained
        return []
    try:
        text = AutoConfig.from_pretrained(str(folder), **LOCAL).get_text_config()
    except Exception as error:
        _refuse_code(folder, error)
        raise UserError(
            f"{folder} has a config.json that cannot be read ({type(error).__name__}); {folders.SAVE}."
        ) from error
    count = getattr(text, "max_position_embeddings", getattr(text, "max_seq_len", None))
    if not isinstance(count, int) or count < 1:
        return []
    return [count - text.pad_token_id - 1 if text.model_type in BEHIND_PADDING else count]
