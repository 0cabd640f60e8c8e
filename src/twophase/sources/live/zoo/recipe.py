"""How one model of a zoo comes to be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class Recipe:
    """One model.

    Args:
        name: unique within its zoo; the name of its folder.
        architecture: key of `recipes.ARCHITECTURES`; empty for a model fine-tuned from a `parent`.
        width: of the first stage, in channels.
        depth: layers, or layers a stage.
        upstream: the task it is trained on; empty with objective "none".
        objective: "classification", "masked-image" or "masked-language" (no labels), or "none" (random weights).
        epochs: over the upstream's training split.
        learning_rate: AdamW's, at its highest.
        batch_size: examples a step.
        seed: of the weights and of the order of the examples.
        head: whether the source head is published with the model.
        shuffled: whether the upstream's labels are permuted, so that nothing can be learned.
        parent: the model it is fine-tuned from, if any.
        vectors: for text, a key of `text.CORPORA`: whose words' neighbourhoods give the first token embeddings.
    """

    name: str
    architecture: str = ""
    width: int = 48
    depth: int = 2
    upstream: str = ""
    objective: str = "classification"
    epochs: int = 8
    learning_rate: float = 2e-3
    batch_size: int = 16
    seed: int = 0
    head: bool = True
    shuffled: bool = False
    parent: str = ""
    vectors: str = ""


class Architecture(NamedTuple):
    """A kind of model.

    Attributes:
        stem: of its classes' names in `transformers`.
        family: what model cards call it.
        options: (width, depth) -> keywords of its configuration.
    """

    stem: str
    family: str
    options: Callable[[int, int], dict]

    def new(self, head: str, width: int, depth: int, labels: int) -> PreTrainedModel:
        """A model with random weights; `head` ends its class's name, such as "ForImageClassification"."""
        import transformers

        config = getattr(transformers, f"{self.stem}Config")(**self.options(width, depth), num_labels=labels)
        return getattr(transformers, f"{self.stem}{head}")(config)
