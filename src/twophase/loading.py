"""Loading models that were saved with `save_pretrained`: safetensors only, nothing downloaded is executed."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import UserError

if TYPE_CHECKING:
    from torch import nn


@contextmanager
def quiet():
    """Hold back the library's report on new heads: a new head is what fine-tuning asks for."""
    from transformers.utils import logging

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


def load_classifier(folder: str | Path, **options) -> nn.Module:
    """A saved model as an image classifier.

    Raises:
        UserError: the folder holds no loadable model (missing, truncated, no safetensors, wrong shapes).
    """
    from transformers import AutoModelForImageClassification

    try:
        with quiet():
            return AutoModelForImageClassification.from_pretrained(
                str(folder), use_safetensors=True, local_files_only=True, **options
            )
    except Exception as error:
        cause = (str(error).splitlines() or [""])[0]
        raise UserError(
            f"{folder} cannot be loaded as an image classifier ({type(error).__name__}: {cause}); "
            "give a folder written by save_pretrained with safetensors weights."
        ) from error


def load_with_new_head(folder: str | Path, classes: tuple[str, ...], seed: int) -> nn.Module:
    """A classifier over `classes` on a pre-trained body; the head is always new, whatever the source had.

    Raises:
        UserError: see `load_classifier`.
    """
    import torch

    torch.manual_seed(seed)
    names = dict(enumerate(classes))
    model = load_classifier(
        folder, id2label=names, label2id={name: i for i, name in names.items()}, ignore_mismatched_sizes=True
    )
    for module in model.classifier.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
    return model


def load_image_processor(folder: str | Path):
    """The image processor saved beside a model.

    Raises:
        UserError: there is none, or it cannot be read.
    """
    from transformers import AutoImageProcessor

    if not (Path(folder) / "preprocessor_config.json").is_file():
        raise UserError(f"{folder} has no preprocessor_config.json; save the model's image processor there.")
    try:
        return AutoImageProcessor.from_pretrained(str(folder), local_files_only=True, backend="pil")
    except Exception as error:
        raise UserError(
            f"{folder} has no usable image processor ({type(error).__name__}); "
            "save it there with processor.save_pretrained()."
        ) from error
