"""What lies in a folder: models in all the ways in which they are kept, and why others are none."""

import json
import os
import shutil

import architectures
import pytest
import torch

from twophase.commands.select import inputs
from twophase.errors import UserError
from twophase.training import folders, loading
from twophase.training.config import TrainingConfig


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "bert"
    architectures.save("text", "bert", folder)
    return folder


@pytest.fixture
def zoo(bert, tmp_path):
    """A folder with one model in it."""
    shutil.copytree(bert, tmp_path / "zoo" / "bert")
    return tmp_path / "zoo"


def _shards(folder):
    """The weights in two files with an index, as a large model is saved."""
    loading.load_classifier(folder).save_pretrained(folder, max_shard_size="10KB")
    (folder / "model.safetensors").unlink()


def _vocabulary(folder):
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()
    (folder / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nred\n")


def _of_a_hub(folder):
    cache = folder.with_name("models--google--bert")
    (cache / "blobs").mkdir(parents=True)
    for commit in ("a" * 40, "b" * 40):
        (cache / "snapshots" / commit).mkdir(parents=True)
        for file in folder.iterdir():
            shutil.copy(file, cache / "blobs" / file.name)
            (cache / "snapshots" / commit / file.name).symlink_to(f"../../blobs/{file.name}")
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text("a" * 40)
    shutil.rmtree(folder)


def _below(folder, name, note, text):
    inner = folder.with_name("inner")
    folder.rename(inner)
    folder.mkdir()
    inner.rename(folder / name)
    (folder / note).write_text(json.dumps(text))


def _sentence_transformers(folder):
    kinds = ["sentence_transformers.models.Transformer", "sentence_transformers.models.Pooling"]
    paths = ["0_Transformer", "1_Pooling"]
    _below(folder, paths[0], "modules.json", [{"type": k, "path": p} for k, p in zip(kinds, paths, strict=True)])
    (folder / paths[1]).mkdir()
    (folder / paths[1] / "config.json").write_text("{}")


def _of_a_trainer(folder):
    _below(folder, "checkpoint-20", "all_results.json", {})
    for step in (100, 9):
        shutil.copytree(folder / "checkpoint-20", folder / f"checkpoint-{step}")
    state = {"best_model_checkpoint": "/somewhere/else/checkpoint-20"}
    (folder / "checkpoint-100" / "trainer_state.json").write_text(json.dumps(state))


KEPT = {  # how -> what makes it so, the model's name and place, and a file of which it consists
    "shards": (_shards, "bert", "bert", "model-00003-of-00003.safetensors"),
    "tokenizer.json alone": (
        lambda folder: (folder / "tokenizer_config.json").unlink(),
        "bert",
        "bert",
        "tokenizer.json",
    ),
    "vocab.txt alone": (_vocabulary, "bert", "bert", "vocab.txt"),
    "hub": (_of_a_hub, "google/bert", f"models--google--bert/snapshots/{'a' * 40}", "model.safetensors"),
    "sentence-transformers": (_sentence_transformers, "bert", "bert/0_Transformer", "config.json"),
    "Trainer": (_of_a_trainer, "bert", "bert/checkpoint-20", "model.safetensors"),
}


@pytest.mark.parametrize("way", KEPT)
def test_a_model_is_found_however_it_is_kept(zoo, way):
    keep, name, place, part = KEPT[way]
    keep(zoo / "bert")
    found, left_out = folders.models_in(zoo)
    assert found == {name: zoo / place} and not left_out
    assert loading.load_classifier(found[name]).config.model_type == "bert"
    assert len(loading.load_processor(found[name])("red").input_ids) == 3
    before, file = loading.model_digest(found[name]), found[name] / part
    file.write_bytes(file.read_bytes()[:-1] + b" ")
    assert loading.model_digest(found[name]) != before


def test_the_folder_may_be_one_model_itself(zoo):
    found = inputs._of_folder(zoo / "bert", None, TrainingConfig())
    assert found.folders == {"bert": zoo / "bert"} and not found.left_out


def _only(name):
    def keep(folder):
        (folder / "model.safetensors").rename(folder / name)

    return keep


def _write(name, text):
    return lambda folder: (folder / name).write_text(text)


def _settings(**values):
    def keep(folder):
        file = folder / "config.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | values))

    return keep


def _adapter(folder):
    (folder / "model.safetensors").rename(folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "org/base"}')
    (folder / "config.json").unlink()


def _lacks_a_shard(folder):
    _shards(folder)
    sorted(folder.glob("model-*.safetensors"))[0].unlink()


def _pieces(folder):
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()
    (folder / "spiece.model").write_bytes(b"\n")


def _instead(name, make):
    def keep(folder):
        (folder / name).unlink()
        make(folder / name)

    return keep


def _sparse(file):
    with file.open("wb") as opened:
        opened.truncate(100 * 10**9)


SAVE = "save it with save_pretrained() of transformers"
NESTED = "[" * 100_000
FAULTS = {
    "pickle": (
        _only("pytorch_model.bin"),
        "it has pickled weights only (pytorch_model.bin), which can run code when they are loaded; where you trust them, load the "
        f"model and {SAVE}, which writes safetensors",
    ),
    "onnx": (
        _only("model.onnx"),
        f"it has an ONNX export only (model.onnx), which cannot be trained; load the model that it was made from and {SAVE}",
    ),
    "gguf": (
        _only("q4.gguf"),
        "it has GGUF weights only (q4.gguf), which are for inference; give the model that they were made from",
    ),
    "flax": (
        _only("flax_model.msgpack"),
        "it has weights of TensorFlow or Flax only (flax_model.msgpack), which transformers no longer reads; load them with an "
        f"earlier version and {SAVE}",
    ),
    "adapter": (_adapter, f"it is an adapter of org/base; merge the two with merge_and_unload() of peft, and {SAVE}"),
    "no configuration": (lambda folder: (folder / "config.json").unlink(), f"it has no config.json; {SAVE}"),
    "no weights": (lambda folder: (folder / "model.safetensors").unlink(), f"it has no model.safetensors; {SAVE}"),
    "no tokenizer": (
        lambda folder: [(folder / name).unlink() for name in ("tokenizer.json", "tokenizer_config.json")],
        "it has neither preprocessor_config.json nor a tokenizer; save the model's own there with save_pretrained()",
    ),
    "no sentencepiece": (
        _pieces,
        "its tokenizer (spiece.model) needs the package sentencepiece, which is not here: install it, or save tokenizer.json beside "
        "the model",
    ),
    **{
        f"config.json is {text[:9]}": (
            _write("config.json", text),
            f"its config.json holds no settings (a JSON object); {SAVE}",
        )
        for text in ("[]", "null", '"a"', NESTED, "\0")
    },
    "quantized": (
        _settings(quantization_config={"quant_method": "gptq"}),
        "its weights are quantized, which cannot be fine-tuned; give the model that they were made from",
    ),
    "labels": (
        _settings(num_labels=10**9),
        "its config.json asks for 1,000,000,000 classes, more than 1,000,000; save the model again",
    ),
    "device": (
        _instead("model.safetensors", lambda file: file.symlink_to("/dev/zero")),
        "model.safetensors is a device, where a file belongs",
    ),
    "pipe": (_instead("config.json", os.mkfifo), "config.json is a pipe, where a file belongs"),
    "folder": (_instead("tokenizer.json", os.mkdir), "tokenizer.json is a folder, where a file belongs"),
    "cut off link": (
        _instead("model.safetensors", lambda file: file.symlink_to("../blobs/gone")),
        "model.safetensors leads to a file that is not there; bring the whole model again",
    ),
    "sparse": (
        _instead("model.safetensors", _sparse),
        "model.safetensors is no safetensors file; save the model again",
    ),
    "sparse settings": (
        _instead("config.json", _sparse),
        "config.json has 100,000,000,000 bytes, more than such a file can need",
    ),
    "shard": (_lacks_a_shard, "model-00001-of-00003.safetensors is not there"),
}


@pytest.mark.parametrize("way", FAULTS)
def test_a_folder_that_holds_no_model_says_why_and_what_to_do(zoo, way, monkeypatch):
    monkeypatch.setattr(folders, "find_spec", lambda name: None)
    spoil, why = FAULTS[way]
    spoil(zoo / "bert")
    with pytest.raises(UserError) as caught:
        loading.model_digest(zoo / "bert")
    assert str(caught.value) == f"{zoo / 'bert'}: {why}."
    with pytest.raises(UserError) as caught:
        inputs._of_folder(zoo, None, TrainingConfig())
    assert str(caught.value) == f"{zoo} holds no model that can be loaded. bert: {why}."


def test_the_others_are_named_beside_those_that_are_left_out(zoo):
    (zoo / "notes").mkdir()
    (zoo / ".git").mkdir()
    found = inputs._of_folder(zoo, None, TrainingConfig())
    assert list(found.folders) == ["bert"] and found.left_out == {"notes": f"it has no config.json; {SAVE}"}


def test_a_damaged_length_is_told_in_bytes(zoo):
    file = zoo / "bert" / "model.safetensors"
    size = file.stat().st_size
    file.write_bytes(file.read_bytes()[:-100])
    why = f"model.safetensors has {size - 100:,} bytes, its header says {size:,}: it is damaged; bring or save it again"
    assert folders.fault(zoo / "bert") == why


def test_weights_that_no_memory_here_holds_are_not_read(zoo, monkeypatch):
    monkeypatch.setattr(loading.psutil, "virtual_memory", lambda: type("Memory", (), {"total": 2**10}))
    monkeypatch.setattr(loading.AutoModelForSequenceClassification, "from_pretrained", None)
    with pytest.raises(UserError, match="bert needs 0 GiB for its weights in float32, and this machine has 0 GiB"):
        loading.load_classifier(zoo / "bert")


def test_weights_of_another_model_are_refused(zoo, tmp_path):
    architectures.save("text", "gpt2", tmp_path / "gpt2")
    shutil.copy(tmp_path / "gpt2" / "model.safetensors", zoo / "bert")
    with pytest.raises(UserError, match=r"the weights in .*bert are another model's than config.json says"):
        loading.load_classifier(zoo / "bert")


def test_a_tokenizer_without_words_is_refused(zoo):
    (zoo / "bert" / "tokenizer.json").unlink()
    (zoo / "bert" / "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizer"}')
    with pytest.raises(UserError, match="bert has a tokenizer without a vocabulary"):
        loading.load_processor(zoo / "bert")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("head", [True, False])
def test_the_type_in_which_a_model_is_saved_changes_nothing(bert, tmp_path, dtype, head):
    """Of weights that each type holds exactly."""
    from twophase.training import features, finetuning, tasks

    model = loading.load_classifier(bert)
    with torch.no_grad():
        for values in model.parameters():
            values.copy_((values * 128).round().clamp(-128, 128) / 128)
    data, results = tasks.save(architectures.task("text"), tmp_path / "task"), []
    for name, kind in (("single", torch.float32), ("half", dtype)):
        shutil.copytree(bert, tmp_path / name)
        (model if head else model.bert).to(kind).save_pretrained(tmp_path / name)
        assert json.loads((tmp_path / name / "config.json").read_text())["dtype"] == str(kind).removeprefix("torch.")
        rows = finetuning.train_cell(tmp_path / name, data, TrainingConfig(epochs=2, batch_size=4), 1)
        looked = features.extract(tmp_path / name, tasks.load(data)).features
        run = finetuning.FineTuning(tmp_path / name, tasks.load(data), TrainingConfig(epochs=1))
        assert {values.dtype for values in run.model.state_dict().values()} == {torch.float32}
        curve = [(row["val"], row["test"]) for row in rows]
        results.append((curve, run.epoch(), run.predict("test").tolist(), pytest.approx(looked, rel=1e-5)))
    assert results[0][:3] == results[1][:3] and looked == results[0][3]
