import json

import numpy as np
import pytest
import small_zoo
import torch

from twophase.errors import UserError
from twophase.sources.live.zoo import pretraining
from twophase.sources.live.zoo.recipe import Recipe
from twophase.training import features as inference
from twophase.training import finetuning, loading, tasks
from twophase.training.encoding import encode, encoded

CONFIG = finetuning.TrainingConfig(epochs=3, learning_rate=3e-3)
SIZES = {"train": 120, "validation": 60, "test": 60}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("training")
    small_zoo.draw(root, ("photographs", "degradation"), SIZES)
    headed = Recipe("headed", "vit", upstream="photographs", epochs=2)
    pretraining.build(headed, root / "headed", root)
    pretraining.build(Recipe("headless", "vit", objective="none", head=False), root / "headless", root)
    return root


def test_a_cell_is_the_same_every_time(folders):
    first = finetuning.train_cell(folders / "headed", folders / "degradation", CONFIG, seed=1)
    again = finetuning.train_cell(folders / "headed", folders / "degradation", CONFIG, seed=1)
    assert [(r["epoch"], r["val"], r["test"]) for r in first] == [(r["epoch"], r["val"], r["test"]) for r in again]
    assert [r["test"] is None for r in first] == [True, True, False]
    assert all(r["seconds"] > 0 for r in first)


def test_a_cell_learns(folders):
    small_zoo.draw(folders, ["digits"], {"train": 500, "validation": 200, "test": 200})
    curve = finetuning.train_cell(folders / "headed", folders / "digits", CONFIG, seed=0)
    assert curve[-1]["val"] > 3 / 10  # chance is 1 / 10; three epochs reach .5
    assert curve[-1]["test"] > 3 / 10


def test_a_run_that_stops_and_goes_on_is_bit_for_bit_the_whole_run(folders, tmp_path):
    task = tasks.load(folders / "degradation")
    whole = finetuning.FineTuning(folders / "headed", task, CONFIG, seed=3)
    scores = [whole.epoch() for _ in range(3)]
    part = finetuning.FineTuning(folders / "headed", task, CONFIG, seed=3)
    part.epoch()
    torch.save(part.state(), tmp_path / "state.pt")
    back = finetuning.FineTuning(folders / "headed", task, CONFIG, seed=3)
    back.restore(torch.load(tmp_path / "state.pt", weights_only=True))
    assert [back.epoch(), back.epoch()] == scores[1:]
    assert (back.predict("test") == whole.predict("test")).all()
    with pytest.raises(UserError, match="all 3 epochs are trained"):
        back.epoch()


def test_the_head_is_new_even_where_the_source_has_as_many_classes(folders):
    source = loading.load_classifier(folders / "headed")
    model = loading.load_with_new_head(folders / "headed", tuple("abcdefg"), 0)
    assert model.classifier.weight.shape == source.classifier.weight.shape and source.classifier.weight.abs().sum() > 0
    assert model.classifier.weight.abs().sum() == model.classifier.bias.abs().sum() == 0
    assert torch.equal(model.vit.layernorm.weight, source.vit.layernorm.weight)


def test_a_run_with_an_absurd_learning_rate_diverges(folders):
    run = finetuning.FineTuning(folders / "headed", tasks.load(folders / "degradation"), CONFIG, seed=0)
    with torch.no_grad():
        run.model.classifier.weight.fill_(float("nan"))
    with pytest.raises(finetuning.Diverged, match="epoch 1"):
        run.epoch()


def test_saved_winner_says_its_classes(folders, tmp_path):
    from transformers import AutoModelForImageClassification

    run = finetuning.FineTuning(folders / "headed", tasks.load(folders / "degradation"), CONFIG)
    run.save(tmp_path)
    assert AutoModelForImageClassification.from_pretrained(tmp_path).config.id2label[1] == "blurred"


def test_truncated_weights_and_missing_processor_are_named(folders, tmp_path):
    import shutil

    broken = shutil.copytree(folders / "headed", tmp_path / "broken")
    weights = (broken / "model.safetensors").read_bytes()
    (broken / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    with pytest.raises(
        UserError, match=r"broken: model.safetensors has \d[\d,]* bytes, its header says \d[\d,]*: it is damaged"
    ):
        finetuning.train_cell(broken, folders / "degradation", CONFIG)
    (broken / "preprocessor_config.json").unlink()
    with pytest.raises(UserError, match=r"has neither preprocessor_config\.json nor a tokenizer"):
        finetuning.train_cell(broken, folders / "degradation", CONFIG)


def test_a_task_is_encoded_once_wherever_it_lies_and_anew_when_it_changes(folders, tmp_path):
    task = tasks.load(folders / "degradation")
    first = encoded(tasks.save(task, tmp_path / "a"), folders / "headed")
    assert encoded(tasks.save(task, tmp_path / "b"), folders / "headless") is first  # the same processor
    assert encoded(task, folders / "headed", digest=tasks.digest(tmp_path / "a")) is first
    task["train"] = task["train"].select(range(60))
    assert len(encoded(tasks.save(task, tmp_path / "a"), folders / "headed").labels["train"]) == 60


def test_one_class_is_refused(folders):
    task = tasks.load(folders / "degradation")
    alone = task.filter(lambda row: row["label"] == 0)
    with pytest.raises(UserError, match="one class only"):
        encode(alone, folders / "headed")


@pytest.mark.parametrize(("key", "value"), [("epochs", 0), ("learning_rate", -1.0), ("warmup", 1.5)])
def test_training_values_out_of_range(key, value):
    with pytest.raises(UserError, match=rf"training\.{key}: got {value:g}; allowed"):
        finetuning.TrainingConfig(**{key: value})


def test_extraction_gives_source_probabilities_only_with_a_source_head(folders):
    task = tasks.load(folders / "degradation")
    headed, headless = (inference.extract(folders / name, task) for name in ("headed", "headless"))
    assert headed.features.shape == headless.features.shape == (120, 48)
    assert headed.probabilities.shape == (120, 7) and np.allclose(headed.probabilities.sum(1), 1)
    assert headless.probabilities is None


def test_the_source_head_is_the_published_one(folders):
    from transformers import AutoModelForImageClassification

    task = tasks.load(folders / "degradation")
    pixels = encode(task, folders / "headed").inputs["train"]["pixel_values"]
    model = AutoModelForImageClassification.from_pretrained(folders / "headed").eval()
    with torch.inference_mode():
        expected = model(pixel_values=pixels).logits.softmax(1).numpy()
    assert np.allclose(inference.extract(folders / "headed", task).probabilities, expected, atol=1e-6)


def test_scores_of_a_cell(folders):
    rows = inference.score_cell(folders / "headless", folders / "degradation", ["leep", "logme", "knn"])
    assert [row["proxy"] for row in rows] == ["logme", "knn"]
    assert all(np.isfinite(row["score"]) and row["seconds"] > 0 for row in rows)


def test_headless_is_read_from_the_configuration(folders):
    assert loading.has_source_head(folders / "headed") and not loading.has_source_head(folders / "headless")
    assert json.loads((folders / "headless" / "config.json").read_text())["architectures"] == ["ViTModel"]


@pytest.mark.parametrize("name", ["headed", "bert"])
def test_a_model_that_is_only_asked_has_the_same_weights_and_answers(folders, tmp_path, name):
    if name == "bert":  # the names in its file are its modules' own, so that the quick way is taken
        from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

        small = BertConfig(
            vocab_size=40, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
        )
        BertForSequenceClassification(small).save_pretrained(tmp_path / "bert")
        (tmp_path / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b"]))
        BertTokenizerFast(str(tmp_path / "vocab.txt")).save_pretrained(tmp_path / "bert")
        folder = tmp_path / "bert"
        assert loading._mapped(folder) is not None
    else:
        folder = folders / name
    usual, quick = loading.load_classifier(folder), loading.load_classifier(folder, frozen=True)
    first, second = usual.state_dict(), quick.state_dict()
    assert first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)
    buffers = dict(usual.named_buffers()), dict(quick.named_buffers())
    assert all(torch.equal(buffers[0][key], buffers[1][key]) for key in buffers[0])
    assert not quick.training and type(usual) is type(quick)


def test_weights_in_another_type_or_shape_take_the_usual_way(folders, tmp_path):
    from safetensors.torch import load_file, save_file

    weights = load_file(folders / "headed" / "model.safetensors")
    for change in ({key: value.half() for key, value in weights.items()}, dict(list(weights.items())[1:])):
        folder = tmp_path / str(len(change)) / "model"
        folder.mkdir(parents=True, exist_ok=True)
        for file in (folders / "headed").iterdir():
            (folder / file.name).write_bytes(file.read_bytes())
        save_file(change, folder / "model.safetensors", metadata={"format": "pt"})
        assert loading._mapped(folder) is None


def test_examples_are_taken_from_all_classes_alike():
    labels = np.array([0] * 50 + [1] * 30 + [2] * 3)
    rows = inference.balanced(labels, 30)
    assert len(rows) == 30 and (np.diff(rows) > 0).all()
    assert np.bincount(labels[rows]).tolist() in ([14, 13, 3], [13, 14, 3])
    assert rows.tolist() == inference.balanced(labels, 30).tolist() != inference.balanced(labels, 30, seed=1).tolist()
    assert len(inference.balanced(labels, 500)) == len(labels)


def test_a_look_reads_few_examples_and_says_what_its_seconds_are(folders):
    whole = inference.score_cell(folders / "headed", folders / "degradation", ["leep", "logme"])
    few = inference.score_cell(folders / "headed", folders / "degradation", ["leep", "logme"], examples=24)
    assert [row["proxy"] for row in few] == ["leep", "logme"] and few[0]["score"] != whole[0]["score"]
    for row in whole + few:
        assert row["seconds"] == pytest.approx(row["loading"] + row["forward"] + row["scoring"])
    assert few[0]["loading"] == few[1]["loading"] and few[0]["forward"] == few[1]["forward"]
    key = inference.score_key("m", "d", ["leep"])
    assert key != inference.score_key("m", "d", ["leep"], examples=24) and "examples" not in key


@pytest.mark.parametrize("answer", ["yes", "no"])
@pytest.mark.parametrize("where", ["config.json", "preprocessor_config.json"])
def test_python_files_of_a_model_are_never_run(folders, tmp_path, monkeypatch, answer, where):
    """Whatever somebody pipes into the terminal: transformers asks there if it is not told."""
    folder, mark = tmp_path / "model", tmp_path / "executed"
    folder.mkdir()
    for file in (folders / "headed").iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    (folder / "own.py").write_text(f"open({str(mark)!r}, 'w').close()\nclass Own: pass\n")
    settings = json.loads((folder / where).read_text()) | {"model_type": "own", "image_processor_type": "Own"}
    kinds = ("AutoConfig", "AutoModelForImageClassification", "AutoImageProcessor")
    settings["auto_map"] = dict.fromkeys(kinds, "own.Own")
    (folder / where).write_text(json.dumps(settings))
    asked = []
    monkeypatch.setattr("builtins.input", lambda *given: asked.append(given) or answer)
    for load in (
        loading.load_classifier,
        lambda one: loading.load_classifier(one, frozen=True),
        loading.load_processor,
    ):
        try:
            load(folder)
        except UserError as error:
            assert "Python files of its own" in str(error) and where in str(error)
    with pytest.raises(UserError, match="Python files of its own"):
        loading.load_classifier(folder) if where == "config.json" else loading.load_processor(folder)
    assert not mark.exists() and not asked
