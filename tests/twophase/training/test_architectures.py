"""Models of others' architectures: heads by any name, texts as long as a model reads, tokenizers without padding."""

import json
import re

import architectures
import numpy as np
import pytest
import torch
import transformers
from transformers import AutoModel, AutoModelForSequenceClassification, AutoTokenizer

from twophase.commands.select.inputs import length_notices
from twophase.training import encoding, features, finetuning, heads, loading, tasks
from twophase.training.config import TrainingConfig

ROW = re.compile(r"\| (text|image) \| `(.*)` \| (?:`(.*)`)? \| (.*) \|")
SAMPLE = [
    "gpt2",
    "bart",
    "t5",
    "xlm",
    "xlnet",
    "luke",
    "reformer",
    "swiftformer",
    "imagegpt",
    "siglip2",
    "pp_lcnet",
    "dinat",
]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    return {kind: tasks.save(architectures.task(kind), root / kind) for kind in architectures.NAMES}


@pytest.fixture(scope="module")
def page():
    """(kind, architecture) -> ends of its head, and what became of it."""
    rows = [ROW.fullmatch(line) for line in architectures.PAGE.read_text().splitlines()]
    return {(row[1], row[2]): (row[3] or "", row[4]) for row in rows if row}


def test_the_page_has_every_architecture(page):
    if transformers.__version__.rpartition(".")[0] != (
        made := re.search(r"transformers (\d+\.\d+)", architectures.PAGE.read_text())[1]
    ):
        pytest.skip(f"the page is of transformers {made}")
    assert sorted(page) == sorted((kind, name) for kind, names in architectures.NAMES.items() for name in names)
    assert [said for _, said in page.values()].count("yes") == 164
    assert all(said == "yes" or said.startswith("no: ") for _, said in page.values())


@pytest.mark.parametrize("name", SAMPLE)
def test_the_page_is_true(name, page, data, tmp_path):
    (kind,) = (kind for kind, names in architectures.NAMES.items() if name in names)
    assert architectures.tried(kind, name, tmp_path / name, data[kind]) == page[kind, name]


@pytest.mark.parametrize(
    ("name", "own", "ends"),
    [
        ("deit", "DeiTForImageClassificationWithTeacher", ("cls_classifier", "distillation_classifier")),
        ("levit", "LevitForImageClassificationWithTeacher", ("classifier.linear", "classifier_distill.linear")),
    ],
)
def test_each_head_of_a_distilled_model_is_new(name, own, ends, tmp_path, monkeypatch):
    monkeypatch.setitem(architectures.AUTO, "image", getattr(transformers, own))
    monkeypatch.setattr(
        getattr(transformers, own), "from_config", getattr(transformers, own)._from_config, raising=False
    )
    architectures.save("image", name, tmp_path)
    settings = json.loads((tmp_path / "config.json").read_text())
    assert settings["architectures"] == [own]
    model = loading.load_with_new_head(tmp_path, ("a", "b", "c"), 0)
    assert heads.ends(model) == ends
    for end in map(model.get_submodule, ends):
        assert end.weight.shape[0] == 3 and end.weight.abs().sum() == end.bias.abs().sum() == 0


def test_features_are_those_of_the_token_that_answers(tmp_path, data):
    """A head over every token (GPT-2's) is given to one of each text: the last that is not padding."""
    architectures.save("text", "gpt2", tmp_path)
    found = features.extract(tmp_path, tasks.load(data["text"]))
    inputs = encoding.encode(tasks.load(data["text"]), tmp_path).inputs["train"]
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path).eval()
    last = (inputs["input_ids"] != 2).long() * torch.arange(inputs["input_ids"].shape[1])
    with torch.no_grad():
        hidden = model.transformer(**inputs).last_hidden_state
    expected = hidden[torch.arange(len(hidden)), last.argmax(1)]
    assert np.allclose(found.features, expected.numpy(), atol=1e-6) and found.features.shape == (8, 16)
    assert np.allclose(found.probabilities, model.score(expected).softmax(-1).detach().numpy(), atol=1e-6)


def test_features_of_a_model_without_its_head(tmp_path, data):
    architectures.save("text", "gpt2", tmp_path / "headed")
    architectures.save("text", "gpt2", tmp_path / "headless")
    AutoModel.from_pretrained(tmp_path / "headed").save_pretrained(tmp_path / "headless")
    headed, headless = (features.extract(tmp_path / name, tasks.load(data["text"])) for name in ("headed", "headless"))
    assert headless.probabilities is None and np.allclose(headed.features, headless.features, atol=1e-6)


@pytest.mark.parametrize("own", ["BertForTokenClassification", "BertForMultipleChoice"])
def test_a_head_that_classifies_something_else_is_no_source_head(own, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"architectures": [own]}))
    assert not loading.has_source_head(tmp_path)


def test_a_head_that_gives_one_number_has_no_source_labels(tmp_path, data):
    architectures.save("text", "bert", tmp_path, num_labels=1)
    assert [row["proxy"] for row in features.score_cell(tmp_path, data["text"], ["leep", "logme"])] == ["logme"]


@pytest.mark.parametrize(
    ("name", "given", "longest"),
    [
        ("bert", {}, 64),
        ("roberta", {}, 62),  # positions begin behind the padding's, which is 1
        ("roberta", {"pad_token_id": 0}, 63),
        ("gpt2", {"n_positions": 20}, 20),
        ("mpt", {"max_seq_len": 24}, 24),
        ("xlnet", {}, 512),
    ],
)
def test_a_text_is_as_long_as_the_model_has_positions(name, given, longest, tmp_path):
    architectures.save("text", name, tmp_path, **given)
    rows = architectures.task("text")
    long = rows["train"].map(lambda row: {"text": "red " * 600})
    rows["train"] = long
    inputs = encoding.encode(rows, tmp_path).inputs["train"]["input_ids"]
    assert inputs.shape[1] == longest == loading.load_processor(tmp_path).model_max_length
    with torch.no_grad():
        assert loading.load_classifier(tmp_path).eval()(inputs[:1]).logits.shape == (1, 2)
    assert f"reads {longest} tokens of a text; 100 % of the training texts" in length_notices(tmp_path, long)[-1]


def test_models_with_one_tokenizer_and_other_positions_read_texts_of_other_lengths(tmp_path, data):
    shapes = []
    for count in (64, 20):
        architectures.save("text", "bert", tmp_path / str(count), max_position_embeddings=count)
        shapes.append(encoding.encoded(data["text"], tmp_path / str(count)).inputs["train"]["input_ids"].shape[1])
    assert shapes == [64, 20]


@pytest.mark.parametrize(
    ("removed", "stands_in"), [((), "</s>"), (("eos_token",), "<unk>"), (("eos_token", "unk_token"), "<s>")]
)
def test_a_token_stands_for_padding_where_there_is_none(removed, stands_in, tmp_path, data):
    architectures.save("text", "gpt2", tmp_path / "gpt2")
    file = tmp_path / "gpt2" / "tokenizer_config.json"
    file.write_text(
        json.dumps({key: value for key, value in json.loads(file.read_text()).items() if key not in removed})
    )
    texts = tasks.load(data["text"])["train"].select(range(1, 8))
    assert length_notices(tmp_path / "gpt2", texts) == [f"gpt2 has no token for padding; {stands_in!r} stands for it."]
    run = finetuning.FineTuning(tmp_path / "gpt2", tasks.load(data["text"]), TrainingConfig(epochs=1, batch_size=4))
    number = AutoTokenizer.from_pretrained(tmp_path / "gpt2").convert_tokens_to_ids(stands_in)
    assert run.epoch() >= 0 and run.model.config.pad_token_id == number


def test_a_model_with_a_token_for_padding_keeps_it(tmp_path, data):
    architectures.save("text", "bert", tmp_path / "bert")
    assert length_notices(tmp_path / "bert", tasks.load(data["text"])["train"].select(range(1, 8))) == []
    assert loading.load_processor(tmp_path / "bert").pad_token == "<pad>"


def test_rows_that_were_chosen_are_those_that_are_saved(tmp_path):
    chosen = architectures.task("text")
    chosen["train"] = chosen["train"].select([5, 1])
    assert tasks.load(tasks.save(chosen, tmp_path))["train"]["text"][:] == chosen["train"]["text"][:]


def test_one_long_text_makes_its_own_batch_slow_alone(tmp_path):
    """Batches are as wide as their longest text, and asked by length; answers and features stay in the order of the rows."""
    architectures.save("text", "bert", tmp_path, max_position_embeddings=512)
    rows = architectures.task("text")
    rows["validation"] = rows["validation"].map(
        lambda row, i: {"text": "red " * (600 if i == 3 else 1 + i)}, with_indices=True
    )
    run = finetuning.FineTuning(tmp_path, rows, TrainingConfig(epochs=1, batch_size=4))
    with torch.no_grad():
        run.model.classifier.weight.normal_(generator=torch.manual_seed(0))
    shapes = []
    run.model.bert.register_forward_hook(lambda *given: shapes.append(tuple(given[2].last_hidden_state.shape[:2])))
    inputs = run.task.inputs["validation"]
    assert inputs["input_ids"].shape == (8, 512)
    found = run.predict("validation")
    assert shapes == [(7, 10), (1, 512)]
    with torch.no_grad():
        expected = run.model(**inputs).logits.softmax(1).numpy()
    assert np.allclose(found, expected, atol=1e-6) and len(set(found[:, 0].round(6))) == 8
    (tmp_path / "out").mkdir()
    run.model.save_pretrained(tmp_path)
    looked = features.extract(tmp_path, rows, "validation")
    assert np.allclose(looked.probabilities, expected, atol=1e-6)
    with torch.no_grad():
        assert np.allclose(looked.features, run.model.bert(**inputs).pooler_output.numpy(), atol=1e-5)


def test_short_texts_are_computed_as_they_are_padded():
    inputs = {
        "input_ids": torch.ones(3, 32, dtype=torch.int64),
        "attention_mask": torch.tensor([[1] * 5 + [0] * 27] * 3),
    }
    assert encoding.unpadded(inputs, slice(0, 2))["input_ids"].shape == (2, 32)
    assert encoding.alike(inputs, 3, 2) == ([slice(0, 2), slice(2, 4)], slice(None))
