"""What is read from a user's files."""

import os
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest
from sample_files import ROWS, all_texts, table

from twophase.errors import UserError
from twophase.sources.files.reader import read
from twophase.training.tasks import SPLITS, load, save

ROOT = Path(__file__).resolve().parents[4]


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("csv", "d.csv"),
        ("csv", "d.tsv"),
        ("csv", "D.CSV"),
        ("json", "d.json"),
        ("json", "d.jsonl"),
        ("parquet", "d.parquet"),
    ],
)
def test_every_format_gives_the_same_rows(tmp_path, kind, name):
    rows = [*ROWS, ('a "quoted"\nsecond line, comma', "ham")]
    made = read(kind, table(tmp_path, rows, name))
    assert tuple(made.task) == SPLITS
    label = made.task["train"].features["label"]
    assert label.names == ["ham", "spam"]
    found = [(r["text"], label.int2str(r["label"])) for split in made.task.values() for r in split]
    assert Counter(found) == Counter(rows)
    assert made.guesses == ["label column: 'label' (by its name)", "text column: 'text' (by its name)"]
    assert load(save(made.task, tmp_path / "saved"))["test"]["text"] == made.task["test"]["text"]


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        ([10, 2, 1], ["1", "2", "10"]),
        ([10.0, 2.0, 1.0], ["1", "2", "10"]),
        (["10.0", "2", "1"], ["1", "2", "10"]),
        ([0.5, 10.25, 2.5], ["0.5", "2.5", "10.25"]),
        ([True, False, True], ["False", "True"]),
        (["b", "10", "None"], ["10", "None", "b"]),
    ],
)
@pytest.mark.parametrize("name", ["d.csv", "d.parquet", "d.json"])
def test_labels_become_names(tmp_path, labels, names, name):
    if name == "d.parquet" and len({type(value) for value in labels}) > 1:
        pytest.skip("parquet columns have one type")
    rows = [(f"text {i}", labels[i % 3]) for i in range(30)]
    made = read(name.split(".")[1], table(tmp_path, rows, name))
    assert made.task["train"].features["label"].names == names


def test_whole_numbers_are_one_class_however_files_write_them(tmp_path):
    train = table(tmp_path, [(f"text {i}", f"{i % 2}.0") for i in range(10)])
    made = read("csv", train, test=table(tmp_path, [("t", "0"), ("u", "1")], "test.csv"))
    assert made.counts["test"].to_dict() == {"0": 1, "1": 1}


def test_columns_are_guessed_by_name_then_by_what_they_hold(tmp_path):
    rows = [(i, f"short {i}", f"a much longer piece of writing {i}", "AB"[i % 2]) for i in range(20)]
    made = read("csv", table(tmp_path, rows, columns=("id", "headline", "story", "which")))
    assert made.guesses == [
        "label column: 'which' (the fewest distinct values, 2)",
        "text column: 'story' (the longest texts)",
    ]
    named = read("csv", tmp_path / "data.csv", text="headline", label="which")
    assert named.guesses == [] and named.task["test"][0]["text"].startswith("short")


@pytest.mark.parametrize(
    ("columns", "label", "text"),
    [
        (("sparse", "kind", "text"), "kind", "text"),  # the fewest distinct values, in 20 rows of 240
        (("label", "category", "text"), "category", "text"),  # both known by their names
        (("hint", "label", "review"), "label", "review"),
    ],
)
@pytest.mark.parametrize("nothing", ["", "  ", None])
def test_a_column_that_is_hardly_filled_is_not_guessed(tmp_path, columns, label, text, nothing):
    given = [("pq"[i % 2] if i < 20 else nothing, "abc"[i % 3], f"a text, number {i}") for i in range(240)]
    made = read("csv", table(tmp_path, given, columns=columns))
    assert list(made.counts.index) == ["a", "b", "c"] and made.counts.to_numpy().sum() == 240
    assert [guess.split(" (")[0] for guess in made.guesses] == [f"label column: {label!r}", f"text column: {text!r}"]


def test_a_text_column_that_is_hardly_filled_is_not_guessed(tmp_path):
    given = [("a title" if i < 20 else "", f"body {i}", "abc"[i % 3]) for i in range(240)]
    made = read("csv", table(tmp_path, given, columns=("text", "body", "label")))
    assert made.guesses[1] == "text column: 'body' (by its name)"


@pytest.mark.parametrize("address", ["https://x.org/{}", "site{}.com"])
def test_addresses_that_are_named_as_texts_are_texts(tmp_path, address):
    path = table(tmp_path, [(address.format(i), "xy"[i % 2]) for i in range(20)], columns=("url", "label"))
    assert address.format(3) in all_texts(read("csv", path, text="url"))


def test_labels_that_look_like_numbers_or_nothing_keep_their_names(tmp_path):
    names = ["1", "001", "NA", "null", "None", "-1"]
    made = read("csv", table(tmp_path, [(f"text {i}", names[i % 6]) for i in range(60)]))
    assert set(made.task["train"].features["label"].names) == set(names)


def test_a_column_called_text_is_never_guessed_to_be_the_label(tmp_path):
    rows = [(f"said {i % 3} times", f"kind {i % 4}") for i in range(24)]
    made = read("csv", table(tmp_path, rows, columns=("Text", "which")))
    assert made.guesses[0] == "label column: 'which' (the fewest distinct values, 4)"


def test_sentence_pairs_are_named_or_known_by_their_names(tmp_path):
    rows = [(f"first {i}", f"second {i}", "AB"[i % 2]) for i in range(20)]
    made = read("csv", table(tmp_path, rows, columns=("sentence1", "sentence2", "label")))
    row = made.task["test"][0]
    assert list(row) == ["text", "text_pair", "label"]
    assert row["text"].replace("first", "second") == row["text_pair"]
    assert "text columns: 'sentence1' and 'sentence2' (a pair by their names)" in made.guesses
    assert list(read("csv", tmp_path / "data.csv", text="sentence1").task["test"][0]) == ["text", "label"]
    swapped = read("csv", tmp_path / "data.csv", text="sentence2", text_pair="sentence1").task["test"][0]
    assert swapped["text"].startswith("second") and swapped["text_pair"].startswith("first")


def test_long_texts_and_byte_order_marks_are_read(tmp_path):
    long = "word " * 20_000
    path = table(tmp_path, [*ROWS, (long, "ham")])
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    made = read("csv", path)
    assert long in all_texts(made)


def test_texts_that_look_like_missing_values_or_numbers_stay_texts(tmp_path):
    words = ["NA", "null", "None", "42", "nan"]
    made = read("csv", table(tmp_path, [*ROWS, *((word, "ham") for word in words)]))
    assert set(words) <= all_texts(made)


@pytest.mark.parametrize(("sign", "name"), [(";", "semicolons"), ("\t", "tabs"), ("|", "bars")])
@pytest.mark.parametrize("first", ["", "sep={}\n"])
def test_a_separator_that_the_header_shows_is_used_and_said(tmp_path, sign, name, first):
    lines = [
        sign.join(("text, as it was", "label")),
        *(sign.join((f'"one, two{sign} {i}"', "xy"[i % 2])) for i in range(12)),
    ]
    (tmp_path / "d.csv").write_text(first.format(sign) + "\n".join(lines))
    made = read("csv", tmp_path / "d.csv")
    assert all_texts(made) == {f"one, two{sign} {i}" for i in range(12)}
    assert f"d.csv: its header shows that {name} separate the cells, not commas; read so" in made.notes


def test_commas_in_a_tsv_and_semicolons_inside_texts(tmp_path):
    (tmp_path / "d.tsv").write_text("text,label\n" + "".join(f"a;b {i},{'xy'[i % 2]}\n" for i in range(12)))
    made = read("csv", tmp_path / "d.tsv")
    assert "d.tsv: its header shows that commas separate the cells, not tabs; read so" in made.notes
    usual = read("csv", table(tmp_path, [(f"a; b {i}", "xy"[i % 2]) for i in range(12)], columns=("text;all", "label")))
    assert "a; b 3" in all_texts(usual) and not any("header" in note for note in usual.notes)


@pytest.fixture(scope="module")
def real():
    folder = Path(os.environ.get("TWOPHASE_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "banking77").is_dir():
        pytest.skip(f"real tasks are not at {folder}; set TWOPHASE_DATA to a folder with them")
    return folder


def test_banking77_as_it_comes(real):
    made = read("csv", real / "banking77")
    assert len(made.counts) == 77
    assert made.counts["train"].sum() + made.counts["validation"].sum() == 10_003
    assert made.counts["test"].tolist() == [40] * 77
    assert made.guesses == ["label column: 'category' (by its name)", "text column: 'text' (by its name)"]
    assert any("\n" in text for text in made.task["train"]["text"])


def test_sign_language_digits_as_they_come(real):
    made = read("image_folder", real / "sign-language-digits")
    assert list(made.counts.index) == [str(digit) for digit in range(10)]
    assert made.counts.to_dict("list") == {"train": [42] * 10, "validation": [6] * 10, "test": [12] * 10}
    assert made.task["test"][0]["image"].size == (100, 100)


def test_decimals_are_numbers_as_labels(tmp_path):
    made = read("parquet", table(tmp_path, [(f"text {i}", Decimal(i % 3) / 2) for i in range(30)], "d.parquet"))
    assert list(made.counts.index) == ["0", "0.5", "1"]


def test_long_names_are_cut_in_what_is_said(tmp_path):
    given = [(f"text {i}", "ab"[i % 2] * 5000) for i in range(60)] + [("one", "c" * 5000)]
    made = read("csv", table(tmp_path, given, columns=("x" * 5000, "label")))
    assert max(map(len, [*made.guesses, *made.notes])) < 200
    with pytest.raises(UserError) as caught:
        read("csv", tmp_path / "data.csv", label="none")
    assert len(str(caught.value)) < 200
