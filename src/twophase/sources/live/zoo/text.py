"""Small language classifiers of `transformers`, built from configurations, and what they are made of.

Tokenizers and word vectors are made here from the zoo's own texts; several models share each.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from twophase.infra.files import replacing
from twophase.sources.live.zoo.recipe import Architecture, Recipe

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

    from twophase.training.encoding import Encoded

VOCABULARY, LONGEST = 4000, 16  # tokens known; tokens read of a text
SPREAD = 0.05  # of the initial weights: the usual 0.02 is made for widths of 768 and hardly trains at 48
CORPORA = {  # upstream tasks whose training texts word vectors come from
    "documentation": ("libraries", "sympy_parts", "types", "sections", "owners", "errors"),
    "code": ("code", "endings"),
}
TOKENIZED = ("libraries", "code")  # and tokenizers
WINDOW = 5  # words on either side that count as neighbours of a word
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
PIPELINE, TAG = "text-classification", "text"
OBJECTIVES = {"masked-language": "to fill in masked tokens"}  # without labels; and what the model card says of each
MASKED_SHARE = 0.15
INPUT = f"texts of up to {LONGEST} tokens"
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


def _config(width: int, depth: int, **more) -> dict:
    size = {"vocab_size": VOCABULARY, "hidden_size": width, "num_hidden_layers": depth, "num_attention_heads": 2}
    size |= {"intermediate_size": 2 * width, "max_position_embeddings": LONGEST}
    no_dropout = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    return size | {"initializer_range": SPREAD, "pad_token_id": 0} | no_dropout | more


def _roberta(width: int, depth: int) -> dict:
    longer = {"max_position_embeddings": LONGEST + 2, "type_vocab_size": 2}  # positions start behind the padding's
    return _config(width, depth, **longer, bos_token_id=2, eos_token_id=3)


def _distilbert(width: int, depth: int) -> dict:
    size = {"vocab_size": VOCABULARY, "dim": width, "hidden_dim": 2 * width, "n_layers": depth, "n_heads": 2}
    size |= {"max_position_embeddings": LONGEST, "initializer_range": SPREAD, "pad_token_id": 0}
    return size | {"dropout": 0.0, "attention_dropout": 0.0, "seq_classif_dropout": 0.0}


def _electra(width: int, depth: int, **more) -> dict:
    return _config(width, depth, embedding_size=width, **more)


ARCHITECTURES = {
    "bert": Architecture("Bert", "BERT encoder", _config),
    "roberta": Architecture("Roberta", "RoBERTa encoder", _roberta),
    # one layer's weights, used `depth` times
    "albert": Architecture(
        "Albert", "ALBERT encoder with shared layers", partial(_electra, classifier_dropout_prob=0.0)
    ),
    "distilbert": Architecture("DistilBert", "DistilBERT encoder", _distilbert),
    "electra": Architecture("Electra", "ELECTRA encoder", _electra),
}
TOKENIZERS = dict.fromkeys(ARCHITECTURES, "wordpiece") | {"roberta": "bpe"}


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
    architecture = ARCHITECTURES[recipe.architecture]
    model = architecture.new("ForSequenceClassification", recipe.width, recipe.depth, labels)
    if recipe.vectors:
        vectors = word_vectors(TOKENIZERS[recipe.architecture], data, recipe.vectors, recipe.width, parts)
        with torch.no_grad():
            model.get_input_embeddings().weight.copy_(torch.from_numpy(vectors))
    return model


def masked(
    recipe: Recipe, upstream: Encoded, data: Path, parts: Path | None = None
) -> tuple[PreTrainedModel, Callable[[Tensor], Tensor], str]:
    """A model that learns to fill in masked tokens (Devlin et al., 2019), its loss on some rows, and that loss's name."""
    import torch
    from transformers import AutoModelForMaskedLM

    start = new_model(recipe, 2, data, parts)
    model = AutoModelForMaskedLM.from_config(start.config)
    model.base_model.load_state_dict(start.base_model.state_dict(), strict=False)
    model.tie_weights()

    def loss(rows: Tensor) -> Tensor:
        batch = {name: values[rows] for name, values in upstream.inputs["train"].items()}
        ids = batch["input_ids"]
        hidden = (torch.rand(ids.shape) < MASKED_SHARE) & (ids >= len(SPECIAL))
        batch["input_ids"] = ids.masked_fill(hidden, SPECIAL.index("[MASK]"))
        return model(**batch, labels=ids.masked_fill(~hidden, -100)).loss

    return model, loss, "masked_token_loss"


def texts(folder: Path) -> list[str]:
    """Training texts of a saved task, both of a pair."""
    import pyarrow.parquet as pq

    table = pq.read_table(folder / "train.parquet")
    return [t for name in ("text", "text_pair") if name in table.column_names for t in table[name].to_pylist()]


@cache
def tokenizer(kind: str, data: Path, parts: Path | None = None) -> PreTrainedTokenizerFast:
    """A tokenizer of a kind ("wordpiece" or "bpe"), trained on the texts of `TOKENIZED`; the same every time."""
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    described = kept(parts, f"tokenizer-{kind}.json", lambda: _trained(kind, data).encode())
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), SPECIAL, strict=True))
    made = Tokenizer.from_str(described.decode())
    return PreTrainedTokenizerFast(tokenizer_object=made, model_max_length=LONGEST, **names)


def _trained(kind: str, data: Path) -> str:
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

    options = {"vocab_size": VOCABULARY, "show_progress": False}
    # Among equally frequent characters and pairs a trainer prefers those that it numbered first, which is another
    # order in every process, so rare characters are left out and all others are numbered before it starts.
    letters = [chr(number) for number in range(33, 127)]
    if kind == "wordpiece":
        made = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        made.normalizer, made.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
        made.decoder = decoders.WordPiece()
        numbered = SPECIAL + [f"##{letter}" for letter in letters]
        trainer = trainers.WordPieceTrainer(**options, special_tokens=numbered, initial_alphabet=letters)
    else:
        made = Tokenizer(models.BPE())
        made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(), decoders.ByteLevel()
        alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
        trainer = trainers.BpeTrainer(**options, special_tokens=SPECIAL, initial_alphabet=alphabet)
    lines = (text.encode("ascii", "ignore").decode() for name in TOKENIZED for text in texts(data / name))
    made.train_from_iterator(lines, trainer)
    described = json.loads(made.to_str())
    described["added_tokens"] = described["added_tokens"][: len(SPECIAL)]
    made = Tokenizer.from_str(json.dumps(described))
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return made.to_str()


@cache
def word_vectors(kind: str, data: Path, source: str, width: int, parts: Path | None = None) -> np.ndarray:
    """Vectors of a tokenizer's tokens, (VOCABULARY, width): the positive pointwise mutual information of a source's
    neighbouring tokens, reduced by a truncated SVD (Levy and Goldberg, 2014); of the initial weights' spread."""
    from sklearn.decomposition import TruncatedSVD

    def reduced() -> bytes:
        vectors = TruncatedSVD(width, random_state=0).fit_transform(_information(kind, data, source, parts))
        file = io.BytesIO()
        np.save(file, (vectors / vectors.std() * SPREAD).astype(np.float32))
        return file.getvalue()

    return np.load(io.BytesIO(kept(parts, f"vectors-{kind}-{source}-{width}.npy", reduced)), allow_pickle=False)


@lru_cache(maxsize=1)  # vectors of several widths are made of the same counts
def _information(kind: str, data: Path, source: str, parts: Path | None):
    """Positive pointwise mutual information of tokens within `WINDOW` of each other, sparse (VOCABULARY, VOCABULARY)."""
    from scipy import sparse

    lines = [text for name in CORPORA[source] for text in texts(data / name)]
    backend = tokenizer(kind, data, parts).backend_tokenizer
    ids = [np.array(row.ids) for row in backend.encode_batch_fast(lines, add_special_tokens=False)]
    counts = sparse.csr_matrix((VOCABULARY, VOCABULARY))
    for gap in range(1, WINDOW + 1):
        left = np.concatenate([row[:-gap] for row in ids if len(row) > gap])
        right = np.concatenate([row[gap:] for row in ids if len(row) > gap])
        counts = counts + sparse.csr_matrix((np.ones(len(left)), (left, right)), (VOCABULARY, VOCABULARY))
    counts = (counts + counts.T).tocoo()
    seen = np.asarray(counts.sum(1)).ravel()
    information = np.log(counts.data * seen.sum() / (seen[counts.row] * seen[counts.col]))
    more = information > 0
    return sparse.csr_matrix((information[more], (counts.row[more], counts.col[more])), counts.shape)


def kept(parts: Path | None, name: str, make: Callable[[], bytes]) -> bytes:
    """What `make` gives, from the file `name` in `parts` if it is there; two processes that make it make the same."""
    if parts is None:
        return make()
    file = parts / name
    if not file.is_file():
        with replacing(file) as new:
            new.write_bytes(make())
    return file.read_bytes()
