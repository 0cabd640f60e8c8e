"""The text half: what is harvested, what tasks are drawn from it, and models that read it."""

import json
from dataclasses import replace

import pandas as pd
import pytest
import torch

from twophase.errors import UserError
from twophase.sources.live import corpora, parameters, zoo
from twophase.sources.live.corpora import harvest, text
from twophase.sources.live.zoo import pretraining, recipes
from twophase.sources.live.zoo import text as words
from twophase.sources.live.zoo.recipe import Recipe
from twophase.training import features as inference
from twophase.training import finetuning, tasks
from twophase.training.encoding import encode
from twophase.training.loading import has_source_head

SOURCE = '''"""What the module is about, in a few words."""

def half(number, twice=False):
    """Divide a number by two.

    A second paragraph explains why anybody should.

    Parameters
    ----------
    number : int or float
        The number that is divided.
    twice : bool, optional
        Whether to divide it again.

    Returns
    -------
    float
        Half of the number, or a quarter.

    Examples
    --------
    >>> half(4)
    2.0
    """
    # a remark on what follows here
    if number is None:
        raise TypeError(f"cannot divide {number} by two, give a number")
    number = number / 2
    return number / 2 if twice else number


class Box:
    """Hold one thing at a time."""

    def fill(self, thing):
        """Put a thing into it.

        Args:
            thing (`str`, *optional*): what goes into the box.
        """
        self.thing = thing
        self.full = True
'''
SIZES = {"train": 90, "validation": 40, "test": 60}
CHOSEN = ["libraries", "code", "endings", "web_packages", "package_order", "graph_sections"]


@pytest.fixture(scope="module")
def snippets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small") / "smallpackage"
    folder.mkdir()
    (folder / "parts").mkdir()
    (folder / "parts" / "halves.py").write_text(SOURCE)
    (folder / "broken.py").write_text("def (")
    (folder / "latin.py").write_bytes(b'"""caf\xe9 au lait is not UTF-8"""')
    (folder / "tests").mkdir()
    (folder / "tests" / "test_halves.py").write_text(SOURCE)
    before = pytest.MonkeyPatch()
    before.setattr(harvest, "folder", lambda package: folder)
    found = harvest.harvest("smallpackage")
    before.undo()
    return found


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    folder_sources = corpora.prepare("nlp", CHOSEN, folder, files=40)
    for name in CHOSEN:
        sizes = {"train": 400, "validation": 60, "test": 60} if name in ("libraries", "code") else SIZES
        tasks.save(corpora.build("nlp", name, sizes, 0, folder), folder / name)
    folder_sources.to_csv(folder / "sources.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def models(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    small = {"width": 16, "depth": 1, "epochs": 1, "batch_size": 32}
    for recipe in (
        Recipe("bert", "bert", upstream="libraries", **small),
        Recipe("roberta", "roberta", upstream="code", vectors="code", **small),
        Recipe("masked", "distilbert", upstream="libraries", objective="masked-language", head=False, **small),
    ):
        pretraining.build(recipe, folder / recipe.name, data)
    return folder


def texts(found, kind):
    return {(s.label, s.text) for s in found if s.kind == kind}


def test_every_kind_of_snippet_is_found_with_its_label(snippets):
    assert texts(snippets, "summary") == {
        ("module", "What the module is about, in a few words."),
        ("function", "Divide a number by two."),
        ("class", "Hold one thing at a time."),
        ("method", "Put a thing into it."),
    }
    assert texts(snippets, "prose") == {("function", "A second paragraph explains why anybody should.")}
    assert texts(snippets, "parameter") == {
        ("float", "The number that is divided."),
        ("bool", "Whether to divide it again."),
        ("str", "what goes into the box."),
    }
    assert ("Returns", "float Half of the number, or a quarter.") in texts(snippets, "section")
    assert ("Examples", ">>> half(4) 2.0") in texts(snippets, "section")
    assert texts(snippets, "error") == {("TypeError", "cannot divide by two, give a number")}
    assert texts(snippets, "comment") == {("comment", "a remark on what follows here")}
    assert {label for label, _ in texts(snippets, "code")} == {"returns", "nothing"}
    assert {s.module for s in snippets} == {"parts/halves"}


def test_a_package_that_is_not_there_is_named():
    with pytest.raises(UserError, match="package 'nosuchpackage' is not installed"):
        harvest.harvest("nosuchpackage")


def test_no_snippet_can_serve_two_roles_or_two_benchmarks():
    """A (package, kind) that a benchmark or target reads, no other task reads; target packages are the targets' own."""

    chosen = parameters.load().domain["nlp"].tasks
    read = {name: {(p, k) for p in text.TASKS[name].packages for k in text.TASKS[name].kinds} for name in text.TASKS}
    apart = [*chosen.benchmark, *chosen.target]
    upstream = set().union(*(read[name] for name in chosen.upstream))
    for number, name in enumerate(apart):
        assert not {p for p, _ in read[name]} & {p for p, _ in upstream}, name
        for other in apart[:number]:
            assert not read[name] & read[other], (name, other)
    targets = {p for name in chosen.target for p, _ in read[name]}
    assert not targets & {p for name in chosen.benchmark for p, _ in read[name]}


def test_no_text_is_in_two_datasets_or_two_splits(data):
    seen = {}
    for name in ("libraries", "web_packages", "package_order", "graph_sections"):
        task = tasks.load(data / name)
        for split, rows in task.items():
            for column in set(rows.column_names) & {"text", "text_pair"}:
                for value in rows[column]:
                    assert seen.setdefault(value, (name, split)) == (name, split)
    assert len(seen) > 900


def test_datasets_have_even_classes_and_the_same_bytes_every_time(data, tmp_path):
    again = tmp_path / "again"
    corpora.prepare("nlp", CHOSEN, again, files=40).to_csv(tmp_path / "sources.csv", index=False)
    assert (tmp_path / "sources.csv").read_text() == (data / "sources.csv").read_text()
    for name in ("web_packages", "package_order"):
        tasks.save(corpora.build("nlp", name, SIZES, 0, again), again / name)
        assert tasks.digest(again / name) == tasks.digest(data / name)
        labels = pd.Series(tasks.load(again / name)["train"]["label"]).value_counts(normalize=True)
        assert labels.max() < 1.6 / len(labels)
    other = corpora.build("nlp", "web_packages", SIZES, 1, again)
    assert list(other["train"]["text"]) != list(tasks.load(data / "web_packages")["train"]["text"])
    sources = pd.read_csv(data / "sources.csv").set_index("source")
    assert (sources["snippets"] > 0).all() and sources.loc["torch", "version"].startswith("2.13.0")


def test_too_few_snippets_are_named(data):
    with pytest.raises(UserError, match=r"task 'web_packages' has \d+ snippets, 90100 were asked for; lower tasks"):
        corpora.build("nlp", "web_packages", SIZES | {"train": 90000}, 0, data)
    most = corpora.build("nlp", "web_packages", SIZES | {"train": 90000}, 0, data, at_most=True)
    assert 90 < len(most["train"]) < 90000 and len(most["test"]) == SIZES["test"]
    with pytest.raises(UserError, match=r"corpus\.parquet is missing"):
        corpora.build("nlp", "web_packages", SIZES, 0, data / "nowhere")


@pytest.mark.parametrize("kind", ["wordpiece", "bpe"])
def test_tokenizers_are_the_same_every_time(data, kind):
    made = []
    for _ in range(3):
        words.tokenizer.cache_clear()
        made.append(words.tokenizer(kind, data).backend_tokenizer.to_str())
    assert len(set(made)) == 1


def test_word_vectors_know_neighbours(data):
    vectors = words.word_vectors("bpe", data, "code", 16)
    assert vectors.shape == (words.VOCABULARY, 16)
    assert vectors.std() == pytest.approx(words.SPREAD, rel=1e-3)


def test_what_models_share_is_made_once_and_is_the_same(data, tmp_path, monkeypatch):
    recipes = [Recipe("a", "bert", width=16, vectors="code"), Recipe("b", "albert", width=24, vectors="code"),
               Recipe("c", "bert", width=16), Recipe("d", parent="a"), Recipe("e", "vit")]  # fmt: skip
    assert pretraining.shared(recipes) == [[("wordpiece",)], [("wordpiece", "code", (16, 24))]]
    for items in pretraining.shared(recipes):
        for item in items:
            pretraining.share(item, data, tmp_path)
    alone = words.tokenizer("wordpiece", data), words.word_vectors("wordpiece", data, "code", 24)
    words.tokenizer.cache_clear()
    words.word_vectors.cache_clear()
    monkeypatch.setattr(words, "_trained", None)  # neither is made again
    monkeypatch.setattr(words, "_information", None)
    kept = words.tokenizer("wordpiece", data, tmp_path), words.word_vectors("wordpiece", data, "code", 24, tmp_path)
    assert kept[0].backend_tokenizer.to_str() == alone[0].backend_tokenizer.to_str()
    assert (kept[1] == alone[1]).all()


def test_a_built_model_is_a_published_one(models):
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    for name in ("bert", "roberta"):
        model = AutoModelForSequenceClassification.from_pretrained(models / name)
        tokens = AutoTokenizer.from_pretrained(models / name)("Return the sum.", return_tensors="pt")
        assert model(**tokens).logits.shape == (1, 14)
        assert has_source_head(models / name)
    card = (models / "roberta" / "README.md").read_text()
    assert "pipeline_tag: text-classification" in card and "word vectors counted in code" in card
    assert not has_source_head(models / "masked")
    assert "to fill in masked tokens" in (models / "masked" / "README.md").read_text()


def test_a_child_keeps_its_parents_tokenizer(models, data, tmp_path):
    child = Recipe("child", parent="roberta", upstream="endings", epochs=1)
    pretraining.build(child, tmp_path / "child", data, parent=models / "roberta")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        assert (tmp_path / "child" / name).read_bytes() == (models / "roberta" / name).read_bytes()


@pytest.mark.parametrize("name", ["bert", "roberta", "masked"])
@pytest.mark.parametrize("dataset", ["web_packages", "package_order"])
def test_a_cell_is_the_same_every_time(models, data, name, dataset):
    settings = finetuning.TrainingConfig(epochs=2, batch_size=32)
    first, again = (finetuning.train_cell(models / name, data / dataset, settings, 1) for _ in range(2))
    assert [(r["val"], r["test"]) for r in first] == [(r["val"], r["test"]) for r in again]


def test_source_probabilities_and_features(models, data):
    task = tasks.load(data / "web_packages")
    headed, headless = (inference.extract(models / name, task) for name in ("roberta", "masked"))
    assert headed.probabilities.shape == (90, 14) and headless.probabilities is None
    assert headed.features.shape == headless.features.shape == (90, 16)


def test_features_of_a_headless_model_do_not_pass_through_new_layers(models, data):
    from transformers import AutoModel

    task = tasks.load(data / "web_packages")
    given = encode(task, models / "masked").inputs["train"]
    model = AutoModel.from_pretrained(models / "masked").eval()
    with torch.inference_mode():
        expected = model(**given).last_hidden_state[:, 0].double().numpy()
    assert inference.extract(models / "masked", task).features == pytest.approx(expected, abs=1e-5)


def changed(task, split, column, values):
    from datasets import DatasetDict

    rows = task[split]
    return DatasetDict(dict(task) | {split: rows.remove_columns(column).add_column(column, values)})


def test_text_that_is_empty_or_long_is_read(models, data):
    task = tasks.load(data / "web_packages")
    values = list(task["test"]["text"])
    values[:2] = ["", "word " * 20_000]
    encoded = encode(changed(task, "test", "text", values), models / "bert")
    assert encoded.inputs["test"]["input_ids"].shape == (60, zoo.text.LONGEST)
    assert encoded.inputs["test"]["attention_mask"][0].sum() == 2


def test_text_that_is_none_or_all_empty_is_refused(models, data):
    task = tasks.load(data / "web_packages")
    values = list(task["test"]["text"])
    with pytest.raises(UserError, match="row 3 of split test has None in column text"):
        encode(changed(task, "test", "text", [*values[:3], None, *values[4:]]), models / "bert")
    with pytest.raises(UserError, match="all 60 texts of split test are empty"):
        encode(changed(task, "test", "text", [" "] * 60), models / "bert")


def test_text_that_is_not_utf8_is_refused(data, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    tasks.save(tasks.load(data / "web_packages"), tmp_path)
    table = pq.read_table(tmp_path / "test.parquet")
    spoiled = pa.array([b"caf\xe9"] * len(table)).cast(pa.binary()).view(pa.string())
    place = table.column_names.index("text")
    pq.write_table(table.set_column(place, "text", spoiled), tmp_path / "test.parquet")
    with pytest.raises(UserError, match=r"test\.parquet cannot be read as a task split .*UTF8"):
        tasks.load(tmp_path)


def test_a_tokenizer_of_another_model_is_refused(models, data, tmp_path):
    import shutil

    wrong = shutil.copytree(models / "bert", tmp_path / "wrong")
    config = json.loads((wrong / "config.json").read_text())
    (wrong / "config.json").write_text(json.dumps(config | {"vocab_size": 100}))
    with pytest.raises(UserError, match="its model knows 100; it belongs to another model"):
        encode(tasks.load(data / "web_packages"), wrong)


def test_pictures_for_a_language_model_are_refused(models):
    pictures = corpora.build("cv", "surfaces", {"train": 16, "validation": 16, "test": 16})
    with pytest.raises(UserError, match="reads a column 'text', the task has image, label"):
        encode(pictures, models / "bert")


def test_recipes_of_text_are_checked():
    recipe = {"architecture": "bert", "upstream": "libraries", "vectors": "news"}
    with pytest.raises(UserError, match="unknown vectors 'news'; known: documentation, code"):
        recipes.recipes({"m": recipe})
    known = Recipe("m", "bert", upstream="types", vectors="code")
    assert recipes.reads(known) == {"types", "libraries", "code", "endings"}
    assert recipes.reads(replace(known, architecture="", parent="x", vectors="")) == {"types"}
