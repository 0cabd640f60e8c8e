"""Small language classifiers of `transformers`, built from configurations, with tokenizers trained here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from twophase.sources.live.zoo.words import (
    CORPORA,
    LONGEST,
    SPECIAL,
    SPREAD,
    TOKENIZED,
    TOKENIZERS,
    VOCABULARY,
    tokenizer,
    word_vectors,
)

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from twophase.sources.live.zoo.recipe import Recipe
    from twophase.training.encoding import Encoded

PIPELINE, TAG = "text-classification", "text"
OBJECTIVES = {"masked-language": "to fill in masked tokens"}  # without labels; and what the model card says of each
MASKED_SHARE = 0.15
INPUT = f"texts of up to {LONGEST} tokens"


def _config(width: int, depth: int, **more) -> dict:
    return {
        "vocab_size": VOCABULARY, "hidden_size": width, "num_hidden_layers": depth, "num_attention_heads": 2,
        "intermediate_size": 2 * width, "max_position_embeddings": LONGEST, "initializer_range": SPREAD,
        "pad_token_id": 0, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, **more,
    }  # fmt: skip


def _bert(width, depth, labels):
    from transformers import BertConfig, BertForSequenceClassification

    return BertForSequenceClassification(BertConfig(**_config(width, depth), num_labels=labels))


def _roberta(width, depth, labels):
    from transformers import RobertaConfig, RobertaForSequenceClassification

    longer = {"max_position_embeddings": LONGEST + 2, "type_vocab_size": 2}  # positions start behind the padding's
    ends = {"bos_token_id": 2, "eos_token_id": 3}
    return RobertaForSequenceClassification(RobertaConfig(**_config(width, depth, **longer, **ends), num_labels=labels))


def _albert(width, depth, labels):
    from transformers import AlbertConfig, AlbertForSequenceClassification

    config = _config(
        width, depth, embedding_size=width, classifier_dropout_prob=0.0
    )  # one layer's weights, used `depth` times
    return AlbertForSequenceClassification(AlbertConfig(**config, num_labels=labels))


def _distilbert(width, depth, labels):
    from transformers import DistilBertConfig, DistilBertForSequenceClassification

    config = {"vocab_size": VOCABULARY, "dim": width, "hidden_dim": 2 * width, "n_layers": depth, "n_heads": 2,
              "max_position_embeddings": LONGEST, "initializer_range": SPREAD, "pad_token_id": 0,
              "dropout": 0.0, "attention_dropout": 0.0, "seq_classif_dropout": 0.0}  # fmt: skip
    return DistilBertForSequenceClassification(DistilBertConfig(**config, num_labels=labels))


def _electra(width, depth, labels):
    from transformers import ElectraConfig, ElectraForSequenceClassification

    config = _config(width, depth, embedding_size=width)
    return ElectraForSequenceClassification(ElectraConfig(**config, num_labels=labels))


ARCHITECTURES = {"bert": _bert, "roberta": _roberta, "albert": _albert, "distilbert": _distilbert, "electra": _electra}
FAMILIES = {
    "bert": "BERT encoder", "roberta": "RoBERTa encoder", "albert": "ALBERT encoder with shared layers",
    "distilbert": "DistilBERT encoder", "electra": "ELECTRA encoder",
}  # fmt: skip
UPSTREAMS = {
    "libraries": "docstrings of fourteen Python packages, to tell which package a sentence is from",
    "topics": "docstrings of fourteen Python packages, to tell which part of which package a sentence is from",
    "sympy_parts": "docstrings of SymPy, to tell which part of it a sentence is from",
    "types": "descriptions of parameters, to tell the declared type",
    "sections": "paragraphs of documentation, to tell the section they stand in",
    "errors": "error messages, to tell the class of the exception",
    "code": "bodies of Python functions, to tell which package they are from",
    "endings": "bodies of Python functions, to tell whether they return, yield or do neither",
    "owners": "first sentences of docstrings, to tell whether a class, function, method or module is described",
    "kinds": "documentation, messages, comments and code, to tell which of them a text is",
    "order": "pairs of a docstring's first sentence and a comment, to tell which comes first",
}


def reads(recipe: Recipe) -> set[str]:
    """Names of the tasks that a recipe needs besides its own upstream."""
    return {*TOKENIZED, *CORPORA.get(recipe.vectors, ())}


def save_processor(recipe: Recipe, folder: Path, data: Path, parts: Path | None = None) -> None:
    """Save the tokenizer of the recipe's architecture."""
    tokenizer(TOKENIZERS[recipe.architecture], data, parts).save_pretrained(folder)


def new_model(recipe: Recipe, labels: int, data: Path, parts: Path | None = None) -> PreTrainedModel:
    """A classifier with random weights drawn from the recipe's seed, on word vectors if the recipe names a source."""
    import torch

    torch.manual_seed(recipe.seed)
    model = ARCHITECTURES[recipe.architecture](recipe.width, recipe.depth, labels)
    if recipe.vectors:
        vectors = word_vectors(TOKENIZERS[recipe.architecture], data, recipe.vectors, recipe.width, parts)
        with torch.no_grad():
            model.get_input_embeddings().weight.copy_(torch.from_numpy(vectors))
    return model


def without_labels(
    recipe: Recipe, upstream: Encoded, data: Path, parts: Path | None = None
) -> tuple[PreTrainedModel, dict]:
    """A model that learns to fill in masked tokens (Devlin et al., 2019); its labels are never seen."""
    import torch
    from transformers import AutoModelForMaskedLM

    start = new_model(recipe, 2, data, parts)
    model = AutoModelForMaskedLM.from_config(start.config)
    model.base_model.load_state_dict(start.base_model.state_dict(), strict=False)
    model.tie_weights()
    optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.learning_rate, weight_decay=0.05, fused=True)
    inputs, special = upstream.inputs["train"], len(SPECIAL)
    for epoch in range(recipe.epochs):
        torch.manual_seed(recipe.seed * 100_003 + epoch)
        for rows in torch.randperm(len(inputs["input_ids"])).split(recipe.batch_size):
            batch = {name: values[rows] for name, values in inputs.items()}
            ids = batch["input_ids"]
            hidden = (torch.rand(ids.shape) < MASKED_SHARE) & (ids >= special)
            batch["input_ids"] = ids.masked_fill(hidden, SPECIAL.index("[MASK]"))
            loss = model(**batch, labels=ids.masked_fill(~hidden, -100)).loss
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
    return model, {"masked_token_loss": loss.item()}
