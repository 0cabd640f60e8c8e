"""How a model is fine-tuned: one schema for the live zoos, `select` and `matrix`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

from twophase.infra.schema import Field, settings


@settings("training")
class TrainingConfig:
    """How a model is fine-tuned.

    Args:
        epochs: the full run; the learning rate falls to zero over it even if the run is cut.
        batch_size: examples a step.
        learning_rate: AdamW's, at its highest.
        weight_decay: AdamW's.
        warmup: share of all steps in which the learning rate rises.

    Raises:
        UserError: a value outside its range.
    """

    epochs: Annotated[int, Field(ge=1, le=10_000)] = 4
    batch_size: Annotated[int, Field(ge=1, le=100_000)] = 16
    learning_rate: Annotated[float, Field(gt=0, le=1e6)] = 1e-3
    weight_decay: Annotated[float, Field(ge=0, le=1e3)] = 0.01
    warmup: Annotated[float, Field(ge=0, le=1)] = 0.1

    def changed(self, values: Mapping[str, Any]) -> TrainingConfig:
        """The same but for the values that are given; None is not. Raises UserError as above."""
        return replace(self, **{name: value for name, value in values.items() if value is not None})
