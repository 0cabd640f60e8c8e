"""Models and datasets of a hub: everything against a server on this machine, which can play every trouble."""

import hashlib
import json
import os
import shutil
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import pandas as pd
import pytest
import torch
from hub_server import TOKEN, HubServer, Repo, commit, files, reach

from twophase.errors import UserError
from twophase.infra.store import cache_folder
from twophase.sources.hub import describe, fetch_dataset, fetch_model, transfer
from twophase.sources.hub.datasets import layout
from twophase.sources.hub.models import SETTINGS
from twophase.sources.hub.place import Place
from twophase.training.loading import load_classifier, load_processor

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
TEXTS = ["a model is a function", "the function returns a list", "raise an error if the list is empty"]
TEXT_FILES = {"README.md", "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}


@pytest.fixture(scope="module")
def text_model(tmp_path_factory):
    """A small BERT classifier with a tokenizer trained on three sentences, and files that nobody needs."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("text")
    made = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    made.normalizer, made.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    made.train_from_iterator(TEXTS, trainers.WordPieceTrainer(vocab_size=120, special_tokens=SPECIAL))
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), SPECIAL, strict=True))
    PreTrainedTokenizerFast(tokenizer_object=made, model_max_length=24, **names).save_pretrained(folder)
    torch.manual_seed(0)
    BertForSequenceClassification(
        BertConfig(vocab_size=120, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
                   max_position_embeddings=24, num_labels=3)
    ).save_pretrained(folder)  # fmt: skip
    (folder / "README.md").write_text("# A small BERT\n")
    for unneeded in ("model.fp16.safetensors", "pytorch_model.bin", "model.onnx", "tf_model.h5", "train.py"):
        (folder / unneeded).write_bytes(b"not needed")
    (folder / "onnx").mkdir()
    (folder / "onnx" / "config.json").write_text("{}")
    return folder


@pytest.fixture(scope="module")
def image_model(tmp_path_factory):
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

    folder = tmp_path_factory.mktemp("image")
    torch.manual_seed(0)
    ViTForImageClassification(
        ViTConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, image_size=16,
                  patch_size=8, num_labels=3)
    ).save_pretrained(folder)  # fmt: skip
    ViTImageProcessor(size={"height": 16, "width": 16}).save_pretrained(folder)
    return folder


@pytest.fixture
def altered(text_model, tmp_path):
    """A copy of the model without some files, with others."""

    def alter(name, without=(), **others):
        folder = shutil.copytree(text_model, tmp_path / "served" / name)
        for file in without:
            (folder / file).unlink()
        for file, content in others.items():
            (folder / file.replace("__", ".")).write_text(content)
        return folder

    return alter


@pytest.fixture
def server(monkeypatch, tmp_path, text_model):
    """A running hub with one good model, asked with short time-outs, and an empty cache."""
    server = HubServer()
    server.models["org/small-bert"] = Repo({"main": text_model})
    monkeypatch.setenv("TWOPHASE_CACHE", str(tmp_path / "cache"))
    reach(server, monkeypatch, tmp_path, timeout=0.3)
    yield server
    server.close()


def fetch(name="org/small-bert", *rest, **options):
    return fetch_model(name, *rest, progress=False, **options)


def listed(folder):
    return {path.name for path in folder.iterdir()}


def refused(*parts, call=fetch, **options):
    """The one line with which a call is refused; every part must be in it."""
    with pytest.raises(UserError) as caught:
        call(**options)
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message
    return message


def test_text_model_is_brought_whole_and_gives_the_same_logits(server, text_model):
    found = fetch()
    assert (found.name, found.revision) == ("org/small-bert", commit(text_model))
    assert listed(found.folder) == TEXT_FILES
    batch = load_processor(found.folder)(TEXTS, padding=True, return_tensors="pt")
    with torch.no_grad():
        got, expected = (load_classifier(folder).eval()(**batch).logits for folder in (found.folder, text_model))
    assert got.shape == (3, 3)
    assert torch.equal(got, expected)


def test_image_model_is_brought_whole_and_gives_the_same_logits(server, image_model):
    server.models["org/vit"] = Repo({"main": image_model})
    found = fetch("org/vit")
    assert listed(found.folder) == {"config.json", "model.safetensors", "preprocessor_config.json"}
    pixels = torch.rand(2, 3, 16, 16)
    with torch.no_grad():
        got, expected = (load_classifier(f).eval()(pixel_values=pixels).logits for f in (found.folder, image_model))
    assert torch.equal(got, expected)


def test_server_serves_the_library_too(server, text_model, tmp_path):
    """The server speaks the protocol of the hub as the library's own download asks for it."""
    from huggingface_hub import snapshot_download

    folder = snapshot_download("org/small-bert", endpoint=server.address, cache_dir=tmp_path / "hf", tqdm_class=None)
    assert files(type(text_model)(folder)) == files(text_model)


def test_every_file_is_asked_for_at_the_commit(server, text_model):
    fetch()
    asked = {path for _, path, _ in server.requests if "/resolve/" in path}
    assert len(asked) == len(TEXT_FILES)
    assert all(f"/resolve/{commit(text_model)}/" in path for path in asked)


def test_second_call_downloads_nothing(server):
    first = fetch()
    server.requests.clear()
    assert fetch() == first
    assert server.downloads() == []
    server.requests.clear()
    assert fetch(revision=first.revision).folder == first.folder
    assert server.requests == []


@pytest.mark.parametrize("pinned", [True, False])
def test_a_kept_file_that_was_damaged_with_its_size_unchanged_is_brought_again(server, monkeypatch, caplog, pinned):
    first = fetch()
    weights = first.folder / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    os.utime(weights, ns=(1, 1))
    server.requests.clear()
    assert fetch(revision=first.revision if pinned else None) == first
    assert weights.read_bytes() == whole and len(server.downloads()) == 1
    assert f"{weights} does not hold what was brought" in caplog.text
    weights.write_bytes(whole[:100])
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    refused("is not in", "HF_HUB_OFFLINE is set")


def test_revision_in_the_name_or_beside_it(server, text_model, altered):
    older = altered("older", config__json=(text_model / "config.json").read_text() + " ")
    server.models["org/small-bert"].revisions["refs/pr/1"] = older
    assert fetch("org/small-bert@refs/pr/1").revision == commit(older)
    assert fetch(revision="refs/pr/1").revision == commit(older)
    assert fetch().revision == commit(text_model)
    refused("one revision", name="org/small-bert@main", revision="refs/pr/1")


@pytest.mark.parametrize("name", ["a b", "org/name/extra", "", "../x", "org/na--me", "org/name@", "/org/name"])
def test_wrong_names(server, name):
    refused("give", name=name)
    assert server.requests == []


def test_pickle_only(server, altered, caplog):
    folder = altered("pickled", ["model.safetensors"])
    torch.save({"weight": torch.zeros(3)}, folder / "pytorch_model.bin")
    server.models["org/pickled"] = Repo({"main": folder})
    refused("pickled weights only (pytorch_model.bin)", "model.safetensors", "allow_pickle=True", name="org/pickled")
    assert server.downloads() == []
    found = fetch("org/pickled", allow_pickle=True)
    assert listed(found.folder) == TEXT_FILES - {"model.safetensors"} | {"pytorch_model.bin"}
    assert "can run any code" in caplog.text
    refused("pickled weights only", name="org/pickled", revision=found.revision)


def test_pickle_is_never_brought_beside_safetensors(server):
    assert listed(fetch(allow_pickle=True).folder) == TEXT_FILES


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
def test_custom_code(server, altered, tmp_path, file, text_model):
    settings = json.loads((text_model / file).read_text())
    settings["auto_map"] = {"AutoModelForSequenceClassification": "modeling_x.Model"}
    marker = tmp_path / "marker"
    code = f"open({str(marker)!r}, 'w').close()\nclass Model: ...\n"
    content = {file.replace(".", "__"): json.dumps(settings), "modeling_x__py": code}
    server.models["org/custom"] = Repo({"main": altered("custom", **content)})
    refused(f"auto_map in {file}", "architectures of transformers", "trust_remote_code=True", name="org/custom")
    assert not {"model.safetensors", "modeling_x.py"} & set(server.downloads())
    found = fetch("org/custom", trust_remote_code=True)
    assert listed(found.folder) == TEXT_FILES | {"modeling_x.py", "train.py"}
    refused("auto_map", name="org/custom", revision=found.revision)
    refused("auto_map", name="org/custom")
    assert not marker.exists()
    assert "modeling_x" not in sys.modules


@pytest.mark.parametrize(
    ("without", "parts"),
    [
        (["config.json"], ["no config.json", "save_pretrained"]),
        (["tokenizer_config.json", "tokenizer.json"], ["no tokenizer or image processor", "preprocessor_config.json"]),
        (["model.safetensors", "pytorch_model.bin"], ["no model.safetensors"]),
    ],
)
def test_what_is_needed_is_missing(server, altered, without, parts):
    server.models["org/lacking"] = Repo({"main": altered("lacking", without)})
    refused(*parts, name="org/lacking")
    assert server.downloads() == []


@pytest.mark.parametrize("content", ["{", "[]"])
def test_settings_that_cannot_be_read(server, altered, content):
    server.models["org/odd"] = Repo({"main": altered("odd", config__json=content)})
    refused("config.json is damaged (", "give another revision of org/odd", name="org/odd")
    assert "model.safetensors" not in server.downloads()


def test_gated(server, text_model, monkeypatch):
    server.models["org/gated"] = Repo({"main": text_model}, gated=True)
    what = ["gated", f"{server.address}/org/gated", "accept its licence", "hf auth login", "HF_TOKEN"]
    refused(*what, "401", name="org/gated")
    monkeypatch.setenv("HF_TOKEN", "hf_not_on_the_list")
    refused(*what, "403", name="org/gated")
    assert "model.safetensors" not in server.downloads()
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert listed(fetch("org/gated").folder) == TEXT_FILES


def test_missing_repository_and_revision(server, monkeypatch):
    refused("no model 'org/smal-bert' (401)", "nearest: org/small-bert", "hf auth login", name="org/smal-bert")
    refused("no revision 'mian'", "nearest: main", revision="mian")
    refused("no revision '0000", revision="0" * 40)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    refused("no model 'other/thing' (404)", "nothing near", name="other/thing")
    refused("no dataset 'org/none' (404)", call=fetch_dataset, name="org/none")


def test_offline(server, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    refused("org/small-bert at its default branch is not in", "HF_HUB_OFFLINE", "unset")
    assert server.requests == []
    monkeypatch.delenv("HF_HUB_OFFLINE")
    found = fetch()
    server.requests.clear()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert fetch() == found
    refused("org/small-bert at v2 is not in", revision="v2")
    assert server.requests == []


def test_offline_does_not_take_half_a_model(server, monkeypatch):
    server.models["org/small-bert"].cut = 100
    refused("broke off")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    refused("is not in")


def test_not_reachable(server, monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{taken.getsockname()[1]}")
        refused("cannot be reached", "HF_ENDPOINT", "HF_HUB_OFFLINE=1")
    monkeypatch.setenv("HF_ENDPOINT", "no address")
    refused("cannot be reached", "HF_ENDPOINT")


@pytest.mark.parametrize(
    ("behave", "parts"),
    [
        ("broken", ["answers 500", "repeat"]),
        ("busy", ["429", "wait"]),
        ("silent", ["silent for 0.3 s", "repeat"]),
        ("foreign", ["does not answer as a hub", "HF_ENDPOINT"]),
        ("stalls", ["silent for 0.3 s on model.safetensors", "continues"]),
        ("gone", ["model.safetensors of org/small-bert is listed but not there"]),
    ],
)
def test_server_in_trouble(server, behave, parts):
    server.models["org/small-bert"].behave = behave
    refused(*parts)
    server.models["org/small-bert"].behave = "well"
    assert listed(fetch().folder) == TEXT_FILES


@pytest.mark.parametrize("retries", [0, 1])
def test_broken_download_continues(server, text_model, monkeypatch, retries):
    weights, repo = (text_model / "model.safetensors").read_bytes(), server.models["org/small-bert"]
    monkeypatch.setattr(transfer, "RETRIES", retries)
    repo.cut = len(weights) // 2 + 1
    if retries == 0:
        refused("broke off on model.safetensors", "continues where it stopped")
        repo.cut = None
    found = fetch()
    asked = [h.get("range") for m, p, h in server.requests if m == "GET" and p.endswith("model.safetensors")]
    assert asked == [None, f"bytes={len(weights) // 2 + 1}-"]
    assert server.downloads().count("config.json") == 1
    assert (found.folder / "model.safetensors").read_bytes() == weights
    assert listed(found.folder) == TEXT_FILES


def test_server_without_ranges_starts_again(server, monkeypatch, tmp_path):
    """The file comes in many blocks, so that bytes counted twice would end it early."""
    import hub_server

    folder = tmp_path / "served" / "long"
    folder.mkdir(parents=True)
    pd.DataFrame({"x": torch.rand(100_000).numpy()}).to_parquet(folder / "train.parquet")
    server.datasets["org/long"] = repo = Repo({"main": folder}, cut=200_000)
    refused("broke off", call=bring, name="org/long")
    repo.cut, plain = None, hub_server._Handler.content

    def without_range(self, *rest):
        del self.headers["Range"]
        plain(self, *rest)

    monkeypatch.setattr(hub_server._Handler, "content", without_range)
    (brought,) = bring("org/long").iterdir()
    assert server.requests[-1][2]["range"] == "bytes=200000-"
    assert brought.read_bytes() == (folder / "train.parquet").read_bytes()


def test_two_at_once_download_once(server):
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: fetch(), range(2))
    assert first == second
    assert sorted(server.downloads()) == sorted(TEXT_FILES)


@pytest.mark.parametrize(("behave", "part"), [("changed", "has sha256"), ("longer", "bytes, listed are")])
def test_another_file_than_listed(server, behave, part):
    server.models["org/small-bert"].behave = behave
    refused("model.safetensors of org/small-bert", part, "only the listed file")
    (folder,) = Place("model", "org/small-bert", None, None).root.glob("[0-9a-f]*")
    assert not [name for name in listed(folder) if "safetensors" in name]
    server.models["org/small-bert"].behave = "well"
    assert listed(fetch().folder) == TEXT_FILES


def test_another_small_file_than_listed(server, monkeypatch):
    from hub_server import _Handler

    plain = _Handler.content
    monkeypatch.setattr(_Handler, "content", lambda self, repo, content, h: plain(self, repo, content[::-1], h))
    refused("config.json of org/small-bert has git hash")


def test_listing_without_sizes_and_hashes(server):
    server.models["org/small-bert"].bare = True
    assert listed(fetch().folder) == TEXT_FILES
    server.models["org/small-bert"].cut = 10
    refused("broke off", cache=cache_folder() / "other")


def test_token_is_not_sent_elsewhere(server, text_model, monkeypatch):
    other = HubServer()
    try:
        other.models["org/small-bert"] = Repo({"main": text_model})
        server.models["org/small-bert"].elsewhere = other.address
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        assert listed(fetch().folder) == TEXT_FILES
        assert all(headers["authorization"] == f"Bearer {TOKEN}" for _, _, headers in server.requests)
        assert other.downloads() == ["model.safetensors"]
        assert not any("authorization" in headers for _, _, headers in other.requests)
    finally:
        other.close()


def test_no_room_and_no_folder(server, monkeypatch, tmp_path):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(transfer.shutil, "disk_usage", lambda _: usage._replace(free=1000))
    refused("1,000 left", "make room")
    assert "model.safetensors" not in server.downloads()
    (tmp_path / "file").write_text("")
    refused("cannot be written", cache=tmp_path / "file")


def test_listing_cannot_name_a_place_outside(server, monkeypatch, tmp_path):
    import hub_server

    def sly(folder):
        return files(folder) | {"../../../vocab.txt": b"x", "../evil.model": b"x", "/tmp/evil.model": b"x"}

    monkeypatch.setattr(hub_server, "files", sly)
    assert listed(fetch().folder) == TEXT_FILES
    assert not [p for p in tmp_path.rglob("*") if p.name in ("evil.model", "vocab.txt")]


def test_a_model_is_described_without_its_weights(server, altered, text_model):
    server.models["org/pickled"] = Repo({"main": altered("pickled", ["model.safetensors"])}, gated=True)
    custom = altered("custom", config__json='{"auto_map": {"AutoModel": "x.Y"}}')
    server.models["org/custom"] = Repo({"main": custom})
    names = ["org/small-bert", "org/pickled", "org/custom", "org/none", "a b"]
    table = pd.DataFrame(map(describe, names)).set_index("name").astype({"gated": "object", "custom_code": "object"})
    assert set(table.columns) == {"revision", "bytes", "format", "gated", "custom_code", "config", "refused"}
    assert table.loc["org/small-bert", "config"] == json.loads((text_model / "config.json").read_text())
    good = table.loc["org/small-bert"]
    assert good["bytes"] == sum((text_model / name).stat().st_size for name in TEXT_FILES)
    assert (good["revision"], good["format"]) == (commit(text_model), "safetensors")
    assert (good["gated"], good["custom_code"], good["refused"]) == (False, False, "")
    assert table.loc["org/pickled", ["format", "gated"]].tolist() == ["pickle", True]
    assert "allow_pickle" in table.loc["org/pickled", "refused"]
    assert table.loc["org/custom", "custom_code"]
    assert "auto_map" in table.loc["org/custom", "refused"]
    assert "no model" in table.loc["org/none", "refused"]
    assert pd.isna(table.loc["a b", "bytes"])
    assert set(server.downloads()) <= set(SETTINGS)
    assert not cache_folder().exists()


@pytest.fixture
def dataset(server, tmp_path):
    """A dataset of two configurations, one in two shards; and a loading script."""
    folder = tmp_path / "served" / "data"
    for name, rows in {
        "mrpc/train-00000-of-00002": [1, 2],
        "mrpc/train-00001-of-00002": [3],
        "mrpc/test-00000-of-00001": [4],
        "sst2/train-00000-of-00001": [5],
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        pd.DataFrame({"label": rows}).to_parquet(folder / f"{name}.parquet")
    (folder / "data.py").write_text("raise SystemExit")
    server.datasets["org/glue"] = Repo({"main": folder})
    return server.datasets["org/glue"]


def bring(name="org/glue", *rest, **options):
    return fetch_dataset(name, *rest, progress=False, **options)


def test_dataset(server, dataset, monkeypatch):
    folder = bring("org/glue", "mrpc")
    expected = {"test-00000-of-00001.parquet": [4], "train-00000-of-00002.parquet": [1, 2],
                "train-00001-of-00002.parquet": [3]}  # fmt: skip
    assert {p.name: pd.read_parquet(p)["label"].tolist() for p in sorted(folder.iterdir())} == expected
    server.requests.clear()
    assert bring("org/glue", "mrpc") == folder
    assert server.downloads() == []
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert bring("org/glue", "mrpc") == folder
    refused("is not in", call=bring, config="sst2")


def test_dataset_configurations(server, dataset):
    refused("2 configuration(s)", "mrpc, sst2", call=bring)
    refused("got 'sst'", "sst2", call=bring, config="sst")
    refused("got '../..'", call=bring, config="../..")
    dataset.card = {
        "configs": [
            {"config_name": "pair", "data_files": [{"split": "dev", "path": "mrpc/train-*"}], "default": True},
            {"config_name": "one", "data_files": "sst2/*.parquet"},
        ]
    }
    assert listed(bring()) == {"dev-00000-of-00002.parquet", "dev-00001-of-00002.parquet"}
    assert listed(bring(config="one")) == {"train-00000-of-00001.parquet"}


def test_dataset_with_a_script_only(server, dataset, tmp_path):
    script = tmp_path / "served" / "script"
    script.mkdir()
    (script / "script.py").write_text("raise SystemExit")
    server.datasets["org/script"] = Repo({"main": script})
    refused("no parquet, csv or json", "never run", "refs/convert/parquet", call=bring, name="org/script")


def test_dataset_changed_on_the_way(server, dataset):
    dataset.behave = "changed"
    refused("has sha256", call=bring, config="sst2")


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["train.csv", "dev.csv", "eval.csv"], {"train", "validation", "test"}),
        (["data/train-00000-of-00001.parquet", "data/extra-00000-of-00001.parquet"], {"train", "extra"}),
        (["default/train/0000.parquet", "default/test/0000.parquet"], {"train", "test"}),
        (["all.json", "dataset_info.json"], {"train"}),
        (["train.parquet", "test.csv"], {"train"}),
        (["train.csv", "other/train.csv", "test/deep/a.csv"], {"train", "test"}),
        (["test/a.jsonl", "train/contest.jsonl"], {"test", "train"}),
    ],
)
def test_splits_by_name(paths, expected):
    config, named = layout("org/data", paths, {})
    assert config == "default"
    assert {name.split("-")[0] for name in named} == expected


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("**/*.csv", {"a.csv", "data/b.csv", "data/deep/c.csv"}),
        ("data/**", {"data/b.csv", "data/deep/c.csv"}),  # of two formats the first is taken
        ("./data/*", {"data/b.csv"}),
        ("data/?.[cj]s*", {"data/b.csv"}),
        ("*", {"a.csv"}),
        ("**/" * 30 + "d.json", {"data/d.json"}),
        ("**/" * 30 + "none.json", None),
        ("**/data/" * 15 + "none.json", None),
        ("*a" * 40 + "b", None),
    ],
)
def test_patterns_of_a_card_are_looked_up_in_no_time(pattern, expected):
    deep = "/".join(["data"] * 40)
    files = ["a.csv", "data/b.csv", "data/deep/c.csv", "data/d.json", f"{deep}/{'a' * 60}.json"]
    card = {"configs": [{"config_name": "x", "data_files": pattern}]}
    start = time.perf_counter()
    with pytest.raises(UserError, match="choose another") if expected is None else nullcontext():
        assert set(layout("org/data", files, card)[1].values()) == expected
    assert time.perf_counter() - start < 1


def test_split_of_a_card_cannot_name_a_place_outside():
    card = {"configs": [{"config_name": "x", "data_files": [{"split": "../../up", "path": "**/*.csv"}]}]}
    assert layout("org/data", ["a/b.csv"], card) == ("x", {".._.._up-00000-of-00001.csv": "a/b.csv"})


def test_hash_of_git_by_hand(tmp_path):
    """`git hash-object` of a file with "hello" and a line's end is ce013625…"""
    path = tmp_path / "hello"
    path.write_bytes(b"hello\n")
    assert transfer._hash(path, hashlib.sha1(b"blob 6\0")) == "ce013625030ba8dba906f756967f9e9ca394464a"
