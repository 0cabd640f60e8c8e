import json
from dataclasses import replace

import pytest
import small_zoo
import torch

from twophase.errors import UserError
from twophase.sources.live.zoo import pretraining, recipes, text, vision
from twophase.sources.live.zoo.recipe import Recipe
from twophase.training import tasks
from twophase.training.encoding import Encoded, encode
from twophase.training.loading import model_digest

RECIPE = Recipe("small", "resnet", width=16, depth=1, upstream="photographs", epochs=1)
SIZES = {"train": 64, "validation": 32, "test": 64}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    small_zoo.draw(folder, ("photographs", "photo_degradation"), SIZES)
    return folder


@pytest.mark.parametrize("architecture", vision.ARCHITECTURES)
def test_every_architecture_classifies_small_pictures(architecture, tmp_path):
    recipe = Recipe("m", architecture, width=24 if architecture != "vit" else 48, depth=1)
    model = vision.new_model(recipe, 7, tmp_path).eval()
    assert model(pixel_values=torch.zeros(2, 3, 16, 16)).logits.shape == (2, 7)
    assert model.classifier is not None


@pytest.mark.parametrize("architecture", text.ARCHITECTURES)
def test_every_architecture_classifies_texts_of_the_longest_length(architecture, tmp_path):
    model = text.new_model(Recipe("m", architecture, width=24, depth=1), 7, tmp_path).eval()
    ids = torch.full((2, text.LONGEST), text.VOCABULARY - 1)
    given = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "token_type_ids": torch.ones_like(ids)}
    if architecture == "distilbert":
        del given["token_type_ids"]  # the model has none
    assert model(**given).logits.shape == (2, 7)


def test_a_built_model_is_a_published_one(data, tmp_path):
    from transformers import AutoImageProcessor, AutoModelForImageClassification

    pretraining.build(RECIPE, tmp_path / "small", data)
    model = AutoModelForImageClassification.from_pretrained(tmp_path / "small")
    assert model.config.id2label[0] == "astronaut"
    assert AutoImageProcessor.from_pretrained(tmp_path / "small", backend="pil").size["height"] == 16
    card = (tmp_path / "small" / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: transformers") and "seven photographs" in card and "accuracy: 0." in card


def test_same_recipe_same_weights(data, tmp_path):
    digests = [model_digest(pretraining.build(RECIPE, tmp_path / str(i), data)) for i in range(2)]
    other = model_digest(pretraining.build(replace(RECIPE, seed=1), tmp_path / "other", data))
    assert digests[0] == digests[1] != other


def test_what_models_share_is_read_and_changes_no_weight(data, tmp_path, monkeypatch):
    alone = model_digest(pretraining.build(RECIPE, tmp_path / "alone", data))
    for items in pretraining.shared([RECIPE, replace(RECIPE, name="other", seed=1)]):
        for item in items:
            pretraining.share(item, data, tmp_path / "parts")
    (kept,) = (tmp_path / "parts").iterdir()
    read, plain = Encoded.read(kept), encode(tasks.load(data / "photographs"), tmp_path / "alone")
    assert read.classes == plain.classes and set(read.inputs) == set(plain.inputs) == {"train", "validation", "test"}
    for split, inputs in plain.inputs.items():
        assert torch.equal(read.labels[split], plain.labels[split])
        assert torch.equal(read.inputs[split]["pixel_values"], inputs["pixel_values"])

    def encoded_again(*given):
        raise AssertionError("what is shared was made again")

    monkeypatch.setattr("twophase.sources.live.zoo.pretraining.encoded", encoded_again)
    assert model_digest(pretraining.build(RECIPE, tmp_path / "sharing", data, parts=tmp_path / "parts")) == alone
    pretraining.forget_upstreams(tmp_path / "parts")
    assert not list((tmp_path / "parts").iterdir())


def test_child_starts_from_its_parent_and_headless_models_have_no_head(data, tmp_path):
    parent = pretraining.build(RECIPE, tmp_path / "parent", data)
    child = replace(RECIPE, name="child", architecture="", parent="small", upstream="photo_degradation", head=False)
    pretraining.build(child, tmp_path / "child", data, parent=parent)
    config = json.loads((tmp_path / "child" / "config.json").read_text())
    assert config["architectures"] == ["ResNetModel"]
    assert "base_model: small" in (tmp_path / "child" / "README.md").read_text()


def test_masked_image_and_untrained_models(data, tmp_path):
    masked = replace(RECIPE, architecture="vit", objective="masked-image", head=False)
    card = pretraining.build(masked, tmp_path / "masked", data) / "README.md"
    assert "without labels" in card.read_text() and "reconstruction l1" in card.read_text()
    untrained = replace(RECIPE, upstream="", objective="none", head=False)
    assert "never trained" in (pretraining.build(untrained, tmp_path / "untrained", data) / "README.md").read_text()


def test_recipes_come_parents_first_and_include_brings_parents():
    models = {"c": {"parent": "b", "upstream": "greek"}, "b": {"parent": "a", "upstream": "greek"},
              "a": {"architecture": "vit", "upstream": "latin"}, "z": {"architecture": "vit", "upstream": "latin"}}  # fmt: skip
    order = list(recipes.recipes(models))
    assert order.index("a") < order.index("b") < order.index("c")
    assert set(recipes.recipes(models, include=["c"])) == {"a", "b", "c"}
    prints = recipes.fingerprint(recipes.recipes(models)["c"], recipes.recipes(models))
    assert prints["parent"]["parent"]["architecture"] == "vit"


@pytest.mark.parametrize(
    ("models", "message"),
    [
        ({"m": {"architecture": "vit", "upstream": "latin", "layers": 3}}, r"model 'm': unknown key \['layers'\]; allowed: .*depth"),
        ({"m": {"architecture": "van", "upstream": "latin"}}, "unknown architecture 'van'; known: vit, "),
        ({"m": {"parent": "x", "upstream": "latin"}}, "unknown parent 'x'"),
        ({"m": {"architecture": "vit"}}, "a trained model needs an upstream"),
        ({"m": {"architecture": "vit", "upstream": "latin", "objective": "contrastive"}}, "unknown objective 'contrastive'"),
        ({"a": {"parent": "b", "upstream": "x"}, "b": {"parent": "a", "upstream": "x"}}, "are each other's parents"),
    ],
)  # fmt: skip
def test_bad_recipes_are_named(models, message):
    with pytest.raises(UserError, match=message):
        recipes.recipes(models)


def test_unknown_include_is_named():
    with pytest.raises(UserError, match=r"unknown models \['resnet'\]; known: \['m'\]"):
        recipes.recipes({"m": {"architecture": "vit", "upstream": "latin"}}, include=["resnet"])
