"""Tokenizers and word vectors of the language zoo, made here from its own texts; several models share each."""

from __future__ import annotations

import functools
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from twophase.infra.files import replacing

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

VOCABULARY, LONGEST = 4000, 16  # tokens known; tokens read of a text
SPREAD = 0.05  # of the initial weights: the usual 0.02 is made for widths of 768 and hardly trains at 48
CORPORA = {  # upstream tasks whose training texts word vectors come from
    "documentation": ("libraries", "sympy_parts", "types", "sections", "owners", "errors"),
    "code": ("code", "endings"),
}
TOKENIZED = ("libraries", "code")  # and tokenizers
WINDOW = 5  # words on either side that count as neighbours of a word
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
TOKENIZERS = {
    "bert": "wordpiece",
    "roberta": "bpe",
    "albert": "wordpiece",
    "distilbert": "wordpiece",
    "electra": "wordpiece",
}


def texts(folder: Path) -> list[str]:
    """Training texts of a saved task, both of a pair."""
    import pyarrow.parquet as pq

    table = pq.read_table(folder / "train.parquet")
    return [t for name in ("text", "text_pair") if name in table.column_names for t in table[name].to_pylist()]


@functools.cache
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


@functools.cache
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


@functools.lru_cache(maxsize=1)  # vectors of several widths are made of the same counts
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
