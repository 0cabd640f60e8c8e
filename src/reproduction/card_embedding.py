"""Model cards as vectors, for text-based similarity (Table I): one sentence-transformers model, weights as data only."""

import importlib.util
import os
import re
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from twophase.errors import UserError
from twophase.infra.files import digest

PACKAGE = "package:"
INSTALL = 'is not installed: `pip install ".[cards]"`, or set cards=none.'


def embed_cards(folder: str | Path, encoder: str, sha256: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Encode the card of every model in a folder: a (models, dimensions) frame, indexed by model.

    Cards of this zoo are shorter than the 256 tokens that MiniLM reads; of longer ones it sees the beginning.

    Args:
        folder: of models, each with a README.md.
        encoder: `package:NAME/FOLDER` (files of an installed package, whose code is not run), a local folder, or a hub id.
        sha256: file of the encoder -> hash that it must have.

    Raises:
        UserError: no models, a model without a card, an encoder that is missing, changed, or not in safetensors.
    """
    if not (models := sorted(path.parent for path in Path(folder).glob("*/config.json"))):
        raise UserError(f"{folder} holds no models; give a folder of save_pretrained models.")
    if bare := [model.name for model in models if not (model / "README.md").is_file()]:
        raise UserError(f"models without a card (README.md): {', '.join(bare[:5])}; write one, or set cards=none.")
    sentences = [card_text((model / "README.md").read_text(encoding="utf-8")) for model in models]
    model = _load(encoder, sha256 or {})
    # one at a time: in a batch, the padding of others changes the last digits
    vectors = model.encode(sentences, batch_size=1, show_progress_bar=False)
    return pd.DataFrame(vectors.astype(float), index=pd.Index([m.name for m in models], name="model"))


def card_text(card: str) -> str:
    """A card without its metadata block (the YAML between two lines of three dashes at its head)."""
    return re.sub(r"\A---\n.*?---\n", "", card, flags=re.DOTALL).strip()


def locate(encoder: str, sha256: Mapping[str, str]) -> str:
    """The folder or hub id to load, with its files checked; see `embed_cards`."""
    if encoder.startswith(PACKAGE):
        name, _, inside = encoder.removeprefix(PACKAGE).partition("/")
        found = importlib.util.find_spec(name)  # of a top-level name, this runs none of its code
        if found is None or not found.submodule_search_locations:
            raise UserError(f"the package {name} {INSTALL}")
        encoder = str(Path(found.submodule_search_locations[0]) / inside)
    if sha256 and not Path(encoder).is_dir():
        raise UserError(f"{encoder} is no local folder, so its files cannot be checked; leave cards.sha256 empty.")
    for file, wanted in sha256.items():
        path = Path(encoder) / file
        got = digest(path) if path.is_file() else "no such file"
        if got != wanted:
            mend = "the encoder is not the one that was chosen: install the locked version, or set cards=none."
            raise UserError(f"{path}: sha256 is {got}, expected {wanted}; {mend}")
    return encoder


def _load(encoder: str, sha256: Mapping[str, str]):
    encoder = locate(encoder, sha256)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        from sentence_transformers import SentenceTransformer

        safe = {"use_safetensors": True}
        return SentenceTransformer(encoder, device="cpu", trust_remote_code=False, model_kwargs=safe)
    except ImportError as error:
        raise UserError(f"sentence-transformers {INSTALL}") from error
    except (OSError, ValueError) as error:
        why = f"cannot be loaded as a sentence-transformers model in safetensors ({error})"
        raise UserError(f"{encoder} {why}; name another in cards.encoder, or set cards=none.") from error
