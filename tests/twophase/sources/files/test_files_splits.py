"""Which file of a user's folder is which split, and what is said of the others."""

import gzip

import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value
from sample_files import table, texts

from twophase.commands.select.settings import kind_of
from twophase.sources.files.reader import read
from twophase.training.tasks import SPLITS


def write(folder, name, word, count=60):
    """Rows whose texts begin with a word, so that what became of them can be seen."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    packed = path.suffix == ".gz"
    made = table(path.parent, [(f"{word} {i}", "xy"[i % 2]) for i in range(count)], path.stem if packed else path.name)
    if packed:
        path.write_bytes(gzip.compress(made.read_bytes()))
        made.unlink()


def words(made):
    return {split: sorted({text.split()[0] for text in texts(made)[split]}) for split in SPLITS}


FOLDERS = {
    "training and testing": (["training.csv", "testing.csv"], ["training.csv"], "testing.csv"),
    "evaluation": (["train.csv", "eval.csv"], ["train.csv"], "eval.csv"),
    "capitals": (["TRAIN.CSV", "Evaluation.csv"], ["TRAIN.CSV"], "Evaluation.csv"),
    "words among others": (["my_train_set.csv", "my-test.2.csv"], ["my_train_set.csv"], "my-test.2.csv"),
    "parts": (
        ["train-00000-of-00002.parquet", "train-00001-of-00002.parquet", "test-00000-of-00001.parquet"],
        ["train-00000-of-00002.parquet", "train-00001-of-00002.parquet"], "test-00000-of-00001.parquet",
    ),
    "packed": (["train.csv.gz", "test.jsonl.gz"], ["train.csv.gz"], "test.jsonl.gz"),
    "folders": (["train/a.csv", "train/b.csv", "test/c.csv"], ["train/a.csv", "train/b.csv"], "test/c.csv"),
    "of two kinds": (["train.csv", "test.jsonl"], ["train.csv"], "test.jsonl"),
    "lines of JSON": (["train.jsonl", "test.jsonl"], ["train.jsonl"], "test.jsonl"),
}  # fmt: skip


@pytest.mark.parametrize("kind", ["csv", "json"])
@pytest.mark.parametrize("case", FOLDERS)
def test_files_of_a_folder_are_known_by_their_words(tmp_path, case, kind):
    names, training, test = FOLDERS[case]
    for name in names:
        write(tmp_path, name, name)
    made = read(kind, tmp_path)
    assert words(made) == {"train": training, "validation": training, "test": [test]}
    assert made.notes == [] and made.accounts["train"].rows == 60 * len(training)
    assert kind_of(tmp_path) in ("csv", "json", "parquet")


def test_of_a_split_in_two_kinds_the_one_asked_for_is_read_and_the_rest_is_named(tmp_path):
    for name in ("train.csv", "train.jsonl", "test.jsonl", "data/test.csv", "extra.csv", "train.txt"):
        write(tmp_path, name, name)
    (tmp_path / ".hidden").write_text("x")
    made = read("csv", tmp_path)
    assert words(made) == {"train": ["train.csv"], "validation": ["train.csv"], "test": ["test.jsonl"]}
    assert made.notes == [f"{tmp_path.name}: not read: 'data', 'extra.csv', 'train.jsonl', 'train.txt'"]
    assert words(read("json", tmp_path))["train"] == ["train.jsonl"]


def test_a_folder_of_one_table_is_training_whatever_its_name(tmp_path):
    for number in range(2):
        write(tmp_path, f"part-0000{number}.csv", number)
    (tmp_path / "_SUCCESS").write_text("")
    made = read("csv", tmp_path)
    assert made.said[0] == (
        "train: 120 rows in part-*.csv (122 lines), 120 read; set apart: 24 for test and 12 for validation"
    )
    assert made.notes[0] == f"{tmp_path.name}: not read: '_SUCCESS'"


def test_a_file_that_the_user_names_is_no_file_left_over(tmp_path):
    write(tmp_path, "train.csv", "a"), write(tmp_path, "held.csv", "b")
    made = read("csv", tmp_path, test=tmp_path / "held.csv")
    assert words(made)["test"] == ["b"] and made.notes == []


NAMED = Features({"text": Value("string"), "label": ClassLabel(names=["neg", "pos"])})


def classes(word, count=60, features=NAMED):
    rows = {"text": [f"{word} {i}" for i in range(count)], "label": [i % 2 for i in range(count)]}
    rows["label"][0] = None if word == "gap" else 0
    return Dataset.from_dict(rows, features)


def test_folders_of_save_to_disk_with_the_names_of_their_classes(tmp_path):
    DatasetDict({"train": classes("a"), "test": classes("b")}).save_to_disk(
        tmp_path, num_shards={"train": 2, "test": 1}
    )
    made = read(kind_of(tmp_path), tmp_path)
    assert words(made) == {"train": ["a"], "validation": ["a"], "test": ["b"]}
    assert made.counts.to_dict("list") == {"train": [27, 27], "validation": [3, 3], "test": [30, 30]}
    assert list(made.counts.index) == ["neg", "pos"]
    classes("c").save_to_disk(tmp_path / "one")
    assert list(read("csv", tmp_path / "one").counts.index) == ["neg", "pos"]


@pytest.mark.parametrize("word", ["full", "gap"])  # a missing label makes floats of pandas' whole numbers
def test_names_of_classes_in_parquet_are_read(tmp_path, word):
    classes(word).to_parquet(str(tmp_path / "d.parquet"))
    made = read("parquet", tmp_path / "d.parquet")
    assert list(made.counts.index) == ["neg", "pos"]
    assert made.accounts["train"].left_out["without a label"] == (word == "gap")
