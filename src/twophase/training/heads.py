"""The head of a classifier, whatever its architecture calls it: what changes shape with one label more."""

import copy

import torch
from torch import nn

from twophase.errors import UserError

_ENDS: dict[tuple, tuple[str, ...]] = {}  # by class and parameters


def ends(model: nn.Module) -> tuple[str, ...]:
    """Names of the layers that give a number a label: those that have another shape where there is one label more.

    Raises:
        UserError: there are none.
    """
    key = type(model), *(name for name, _ in model.named_parameters())
    if key not in _ENDS:
        config = copy.deepcopy(model.config)
        config.num_labels += 1
        with torch.device("meta"):
            wider = dict(type(model)._from_config(config).named_parameters())
        changed = (name for name, one in model.named_parameters() if wider[name].shape != one.shape)
        _ENDS[key] = tuple(dict.fromkeys(name.rpartition(".")[0] for name in changed))
    if not _ENDS[key]:
        raise UserError(
            f"{type(model).__name__} has no head that could be made for other classes; choose another architecture."
        )
    return _ENDS[key]


def heads(model: nn.Module) -> list[str]:
    """Names of the parts of a model that `ends` end: below the model itself, or in its body the layers alone."""
    tops = ((name, name.split(".")[0]) for name in ends(model))
    return list(dict.fromkeys(name if top == model.base_model_prefix else top for name, top in tops))
