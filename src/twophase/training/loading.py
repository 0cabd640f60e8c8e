"""Loading models that were saved with `save_pretrained`: safetensors only, nothing downloaded is executed."""

import json
from contextlib import contextmanager, suppress
from pathlib import Path

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
from transformers.utils import logging

from twophase.errors import UserError
from twophase.infra.files import digest

# Nothing is brought from anywhere, and Python files beside a model are not run: where this is left open, transformers asks
# on the terminal, and whoever pipes "yes" into a run has agreed.
LOCAL = {"local_files_only": True, "trust_remote_code": False}


@contextmanager
def quiet():
    """Hold back the library's report on new heads: a new head is what fine-tuning asks for."""
    level, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bar:
            logging.enable_progress_bar()


def has_source_head(folder: str | Path) -> bool:
    """Whether the saved model is a classifier over source labels of its own."""
    config = json.loads((Path(folder) / "config.json").read_text())
    return any("Classification" in name for name in config.get("architectures") or [])


def modality(folder: str | Path) -> str:
    """What a saved model reads: "image" if an image processor lies beside it, "text" if a tokenizer does.

    Raises:
        UserError: there is neither.
    """
    for kind, file in (("image", "preprocessor_config.json"), ("text", "tokenizer_config.json")):
        if (Path(folder) / file).is_file():
            return kind
    raise UserError(
        f"{folder} has neither preprocessor_config.json nor tokenizer_config.json; save the model's image processor "
        "or tokenizer there with save_pretrained()."
    )


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
        config = AutoConfig.from_pretrained(str(folder), **LOCAL)
        if config.model_type in _CONVERTED:
            return None
        weights = load_file(Path(folder) / "model.safetensors")
        with quiet():
            model = auto.from_config(config, trust_remote_code=False)
        own = {name: (values.shape, values.dtype) for name, values in model.state_dict().items()}
        if own != {name: (values.shape, values.dtype) for name, values in weights.items()}:
            _CONVERTED.add(config.model_type)
            return None
        model.load_state_dict(weights, assign=True)
    except Exception:  # whatever is wrong with it, the usual way says it
        return None
    return model.eval()


def load_with_new_layers(folder: str | Path, classes: tuple[str, ...]) -> tuple[nn.Module, list[nn.Module]]:
    """A headless model as a classifier, and its linear layers that were not in the folder.

    Raises:
        UserError: see `load_classifier`.
    """
    model, report = _load(folder, num_labels=len(classes))
    new = {key.removesuffix(".weight") for key in report["missing_keys"]}
    return model, [m for name, m in model.named_modules() if name in new and isinstance(m, Linear)]


def _load(folder: str | Path, **options) -> tuple[nn.Module, dict]:
    kind = modality(folder)
    auto = AutoModelForImageClassification if kind == "image" else AutoModelForSequenceClassification
    try:
        with quiet():
            return auto.from_pretrained(str(folder), use_safetensors=True, output_loading_info=True, **LOCAL, **options)
    except Exception as error:
        _refuse_code(folder, error)
        cause = (str(error).splitlines() or [""])[0]
        raise UserError(
            f"{folder} cannot be loaded as a classifier of {kind}s ({type(error).__name__}: {cause}); "
            "give a folder written by save_pretrained with safetensors weights."
        ) from error


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
    model, report = _load(
        folder, id2label=names, label2id={name: i for i, name in names.items()}, ignore_mismatched_sizes=True
    )
    keys = [key if isinstance(key, str) else key[0] for key in report["mismatched_keys"]]
    if body := sorted(key for key in keys if not key.startswith("classifier.")):
        raise UserError(
            f"the weights in {folder} have other shapes than its config.json says ({len(body)} layers, the first: {body[0]}); "
            "save the model again with save_pretrained()."
        )
    for module in model.classifier.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
    last = [module for module in model.classifier.modules() if isinstance(module, Linear)][-1]
    torch.nn.init.zeros_(last.weight)
    torch.nn.init.zeros_(last.bias)
    return model


PROCESSOR_FILES = ("preprocessor_config.json", "tokenizer.json", "tokenizer_config.json")
# of tokenizers without tokenizer.json
VOCABULARIES = ("vocab.txt", "vocab.json", "merges.txt", "bpe.codes", "spiece.model", "sentencepiece.bpe.model")


def processor_digest(folder: str | Path) -> str:
    """sha256 over the files of a model's image processor or tokenizer.

    Raises:
        UserError: see `modality`.
    """
    modality(folder)
    return digest(*_there(folder, *PROCESSOR_FILES, *VOCABULARIES))


def model_digest(folder: str | Path) -> str:
    """sha256 over a saved model's configuration, processor and weights."""
    weights = Path(folder) / "model.safetensors"
    return digest(Path(folder) / "config.json", *_there(folder, *PROCESSOR_FILES), weights)


def _there(folder: str | Path, *names: str) -> list[Path]:
    return [path for path in (Path(folder) / name for name in names) if path.is_file()]


def load_processor(folder: str | Path):
    """What makes a saved model's inputs: its image processor or its tokenizer.

    Raises:
        UserError: there is none, or it cannot be read.
    """
    kind = modality(folder)
    try:
        if kind == "image":
            return AutoImageProcessor.from_pretrained(str(folder), backend="pil", **LOCAL)
        return AutoTokenizer.from_pretrained(str(folder), **LOCAL)
    except Exception as error:
        _refuse_code(folder, error)
        what = "image processor" if kind == "image" else "tokenizer"
        raise UserError(
            f"{folder} has no usable {what} ({type(error).__name__}); save it there with save_pretrained()."
        ) from error
