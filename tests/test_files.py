import io
import os
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from twophase.errors import UserError
from twophase.tasks import SPLITS, load, save
from twophase.tasks.files import read
from twophase.tasks.splits import allot

ROOT = Path(__file__).resolve().parents[1]
ROWS = [(f"a message, number {i}", ("ham", "spam")[i % 2]) for i in range(20)]


def table(folder, rows=ROWS, name="data.csv", columns=("text", "label")):
    frame = pd.DataFrame(rows, columns=columns)
    if name.endswith(".parquet"):
        frame.to_parquet(folder / name)
    elif name.endswith(".jsonl"):
        frame.to_json(folder / name, orient="records", lines=True)
    elif name.endswith(".json"):
        frame.to_json(folder / name, orient="records")
    else:
        frame.to_csv(folder / name, index=False, sep="\t" if name.endswith(".tsv") else ",")
    return folder / name


def jpeg(shade, side=24):
    out = io.BytesIO()
    noise = np.random.default_rng(shade).integers(0, 60, (side, side, 3))
    Image.fromarray((noise + shade).astype(np.uint8)).save(out, "JPEG")
    return out.getvalue()


def pictures(folder, classes=("cat", "dog"), each=6, shade=0):
    for number, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for i in range(each):
            (folder / name / f"{i}.jpg").write_bytes(jpeg(shade + 20 * number + i))
    return folder


def plain(made):
    """Every row of every split, as values that compare."""
    return {split: [tuple(row.values()) for row in rows.with_format("pandas")[:].to_dict("records")]
            for split, rows in made.task.items() if "text" in rows.features}  # fmt: skip


def texts(made):
    return {split: list(rows["text"]) for split, rows in made.task.items()}


def all_texts(made):
    return {text for split in texts(made).values() for text in split}


# --- what is read


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


def test_drawn_splits_are_stratified_and_hang_on_the_seed_only(tmp_path):
    rows = [(f"text {i}", "rare" if i % 10 == 0 else "often") for i in range(200)]
    path = table(tmp_path, rows)
    made = read("csv", path, test_share=0.2, validation_share=0.1)
    assert made.counts.to_dict() == {
        "train": {"often": 126, "rare": 14}, "validation": {"often": 18, "rare": 2}, "test": {"often": 36, "rare": 4},
    }  # fmt: skip
    assert plain(read("csv", path)) == plain(made) != plain(read("csv", path, seed=1))
    assert not set(texts(made)["train"]) & set(texts(made)["test"])


def test_allot_gives_each_class_one_row_and_leaves_what_must_stay():
    counts = pd.Series({"a": 100, "b": 3, "c": 47})
    assert allot(counts, 15, 2).to_dict() == {"a": 10, "b": 1, "c": 4}  # quotas 10, 0.3 and 4.7
    assert allot(counts, 16, 2).to_dict() == {"a": 10, "b": 1, "c": 5}  # 10.7, 0.3 and 5.01
    assert allot(counts, 149, 2).to_dict() == {"a": 98, "b": 1, "c": 45}
    assert allot(counts, 149, 0).sum() == 149
    assert allot(counts, 150, 0).to_dict() == counts.to_dict()
    assert allot(counts, 0, 2).to_dict() == {"a": 1, "b": 1, "c": 1}


def test_given_splits_are_kept_as_they_are(tmp_path):
    for name, word in (("train", "one"), ("Dev", "two"), ("test", "three")):
        table(tmp_path, [(f"{word} {i}", "xy"[i % 2]) for i in range(6)], f"{name}.csv")
    made = read("csv", tmp_path)
    assert texts(made) == {
        s: [f"{w} {i}" for i in range(6)] for s, w in zip(SPLITS, ("one", "two", "three"), strict=True)
    }
    assert made.notes == []


def test_named_test_file_is_respected_and_validation_drawn_from_training(tmp_path):
    test = table(tmp_path, [("unseen a", "ham"), ("unseen b", "spam")], "other.csv")
    made = read("csv", table(tmp_path), test=test)
    assert texts(made)["test"] == ["unseen a", "unseen b"]
    assert made.counts["validation"].to_dict() == {"ham": 1, "spam": 1}
    assert made.counts.to_numpy().sum() == 22


def test_training_rows_are_capped_class_by_class(tmp_path):
    rows = [(f"text {i}", "rare" if i % 10 == 0 else "often") for i in range(200)]
    made = read("csv", table(tmp_path, rows), max_rows=20)
    assert made.counts["train"].to_dict() == {"often": 18, "rare": 2}
    assert made.counts["test"].sum() == 40
    assert "train: 140 rows capped to 20, class by class (seed 0)" in made.notes
    assert read("csv", tmp_path / "data.csv", max_rows=139).counts["train"].sum() == 139


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


# --- what is left out or looks wrong, and said


def test_rows_without_label_or_text_are_left_out_and_counted(tmp_path):
    extra = [("no label", None), ("nan label", "NaN"), ("blank label", "  "), (None, "ham"), ("  ", "spam")]
    for kind in ("csv", "json", "parquet"):
        made = read(kind, table(tmp_path, [*ROWS, *extra], f"d.{kind}"))
        assert made.counts.to_numpy().sum() == 20
        assert f"d.{kind}: 3 rows without a label left out" in made.notes
        assert f"d.{kind}: 2 rows without a text left out" in made.notes


def test_rare_classes_are_left_out_everywhere_with_a_note(tmp_path):
    train = table(tmp_path, [*ROWS, ("once", "odd"), ("twice", "pair"), ("again", "pair")])
    made = read("csv", train)
    assert list(made.counts.index) == ["ham", "spam"]
    assert "class 'odd' has 1 training row, fewer than 3: left out" in made.notes
    assert "class 'pair' has 2 training rows, fewer than 3: left out" in made.notes
    test = table(tmp_path, [("t", "ham"), ("u", "odd"), ("v", "pair")], "t.csv")
    made = read("csv", train, test=test)
    assert made.counts["test"].to_dict() == {"ham": 1, "pair": 1, "spam": 0}
    assert "test: no rows of 'spam'" in made.notes


def test_duplicates_contradictions_and_imbalance_are_noted(tmp_path):
    rows = [*ROWS, ROWS[0], ROWS[1], (ROWS[2][0], "spam"), *((f"more {i}", "ham") for i in range(200))]
    made = read("csv", table(tmp_path, rows), test=table(tmp_path, [ROWS[0], ("new", "spam"), ROWS[4]], "t.csv"))
    assert "train: 2 duplicate rows kept, which may be in two of the splits drawn" in made.notes
    assert "train: 1 input with more than one label" in made.notes
    assert "test: 2 of 3 rows also in the training data" in made.notes
    assert any(note.startswith("classes are uneven in training: 'ham' has 1") for note in made.notes)


# --- what is refused: (kind, what to write, options, message)


def written(content, name="data.csv"):
    def make(folder):
        path = folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return make


def rows(*given, name="data.csv", columns=("text", "label")):
    return lambda folder: table(folder, list(given), name, columns)


def directory(folder):
    table(folder, name="data.csv")
    return folder


def truncated_parquet(folder):
    path = table(folder, name="d.parquet")
    path.write_bytes(path.read_bytes()[:-30])
    return path


def loop(folder):
    (folder / "loop.csv").symlink_to(folder / "loop.csv")
    return folder / "loop.csv"


def doubled(folder):
    for name in ("train", "val", "dev"):
        table(folder, name=f"{name}.csv")
    return folder


ALL = rows(*ROWS)
FAULTS = {
    "missing file": ("csv", lambda f: f / "none.csv", {}, r"none\.csv does not exist; give the path"),
    "missing test": ("csv", ALL, {"test": "none.csv"}, r"none\.csv does not exist"),
    "unknown kind": ("excel", ALL, {}, "unknown kind of file 'excel'; known: csv, json, parquet, image_folder"),
    "wrong suffix": ("csv", written("x", "d.xlsx"), {}, r"a csv file ends in \.csv or \.tsv or \.txt, not \.xlsx"),
    "no suffix": ("json", written("[]", "d"), {}, r"a json file ends in .*, not nothing"),
    "excel named csv": ("csv", written(b"PK\x03\x04\0\0binary"), {}, "is an Excel or zip file, whatever its name says"),
    "utf-16": ("csv", written("text,label\na,b\n".encode("utf-16")), {}, "is UTF-16 text.*export it as UTF-8"),
    "binary": ("csv", written(b"text,label\na\0b,c\n"), {}, "a binary file .it holds zero bytes"),
    "folder without training": ("csv", directory, {}, r"is a folder without a training file .train\.csv.*'data\.csv'"),
    "folder as test": ("csv", ALL, {"test": "."}, "is a folder or no plain file, where a csv file is needed"),
    "a split twice": ("csv", doubled, {}, r"has dev\.csv and val\.csv, both validation; keep one"),
    "symlink loop": ("csv", loop, {}, r"loop\.csv cannot be opened .*symbolic links"),
    "empty": ("csv", written(""), {}, r"data\.csv is empty; give"),
    "blank": ("json", written(" \n\n", "d.json"), {}, r"d\.json is empty; give"),
    "empty parquet": ("parquet", written("", "d.parquet"), {}, r"d\.parquet is empty; give"),
    "header only": ("csv", written("text,label\n"), {}, "has columns .'text', 'label'. and no rows"),
    "one row": ("csv", rows(ROWS[0]), {"text": "text", "label": "label"}, "1 training row only; give two classes"),
    "wrong column": ("csv", ALL, {"text": "txet"}, "no column 'txet' for text; columns: 'text', 'label'. Did you mean 'text'?"),
    "wrong label column": ("csv", ALL, {"label": "zzz"}, "no column 'zzz' for label; columns: 'text', 'label'. Name one"),
    "text is label": ("csv", ALL, {"text": "label", "label": "label"}, "column 'label' is named as text and as label"),
    "text twice": ("csv", ALL, {"text": "text", "text_pair": "text"}, "'text' is named as text and as text_pair"),
    "semicolons": ("csv", written("text;label\na;b\nc;d\n"), {}, "one column only, 'text;label'.*separated by commas"),
    "no header": (
        "csv", written("".join(f"text {i},{'xy'[i % 2]}\n" for i in range(12))), {},
        "the first row .'text 0', 'x'. looks like data: 'x' is a label of other rows too",
    ),
    "no path": ("csv", lambda f: None, {}, "path is None; give the path of a file or a folder"),
    "empty path": ("csv", lambda f: "", {}, "path is ''; give the path"),
    "unknown user": ("csv", lambda f: "~nobody-of-this-name/d.csv", {}, "there is no such user; write the path out"),
    "one class": ("csv", rows(("a", "x"), ("b", "x"), ("c", "x")), {}, "one class only in column 'label': 'x'"),
    "regression": (
        "csv", rows(*((f"t {i}", i / 7) for i in range(30))), {},
        "all 30 labels in column 'label' differ .*this is not classification",
    ),
    "nearly regression": (
        "csv", rows(*((f"t {i}", i // 3 / 7 if i < 9 else i / 7) for i in range(30))), {},
        "of 2[0-9] labels in column 'label' have fewer than 3 rows.*not classification",
    ),
    "nothing like a label": (
        "csv", rows(*((f"t {i}", f"u {i}") for i in range(9)), columns=("a", "b")), {}, "no column looks like a label .2 dis",
    ),
    "nothing like a text": (
        "csv", rows(*((i, "xy"[i % 2]) for i in range(9)), columns=("a", "label")), {}, "no column holds texts beside",
    ),
    "all but one class rare": (
        "csv", rows(*((f"t {i}", "x") for i in range(5)), ("u", "y"), ("v", "z")), {},
        "1 class in column 'label' has the 3 rows that training and validation and test need.*'y .1.'",
    ),
    "all labels missing": ("csv", rows(("a", None), ("b", None)), {}, "all 2 labels in column 'label' are missing"),
    "all texts empty": ("csv", rows(("", "x"), (" ", "y")), {}, "all 2 texts in column 'text' are empty"),
    "no row with both": ("csv", rows(("a", None), (None, "y")), {}, "no row with both a text and a label"),
    "numbers as text": ("csv", rows((1, "x"), (2.5, "y")), {}, "column 'text' holds no text .*'1.0'"),
    "number among texts": (
        "json", rows(("a", "x"), (3, "y"), ("c", "x"), name="d.json"), {}, r"d\.json, row 2: 3 in column 'text' is no text",
    ),
    "numbers in json": ("json", rows((1, "x"), (3, "y"), name="d.json"), {}, "column 'text' holds no text .*1"),
    "bytes in parquet": ("parquet", rows((b"a", "x"), (b"b", "y"), name="d.parquet"), {}, "holds no text .*b'a'"),
    "list as label": ("json", rows(("a", ["x"]), ("b", ["y", "x"]), name="d.json"), {}, "row 1: the label in .* is .'x'.;"),
    "half a surrogate": (
        "json", written('[{"text": "\\ud800", "label": 1}, {"text": "b", "label": 2}]', "d.json"), {},
        "row 1: the text in column 'text' is not valid Unicode",
    ),
    "latin-1": (
        "csv", written("text,label\na,b\ncafé,d\n".encode("latin-1")), {},
        r"is not UTF-8: byte 0xe9 at offset 18 .line 3.*save as UTF-8",
    ),
    "latin-1 json": ("json", written('[{"a": "é"}]'.encode("latin-1"), "d.json"), {}, "is not UTF-8: byte 0xe9 at offset 8"),
    "ragged": ("csv", written("text,label\na,b\nc,d,e,f\n"), {}, "Expected 2 fields in line 3, saw 4"),
    "all rows too long": ("csv", written("text,label\na,b,c\nd,e,f\n"), {}, "Length of header or names does not match"),
    "open quote": ("csv", written('text,label\n"abc,d\nx,y\n'), {}, "EOF inside string starting at row"),
    "invalid json": ("json", written('[{"text": "a"},\n {"text" 3}]', "d.json"), {}, "not JSON: .* at line 2, column 10"),
    "invalid line": ("json", written('{"text": "a"}\n{"text":\n', "d.jsonl"), {}, "not JSON lines: line 2: .* at column"),
    "deep json": ("json", written("[" * 100_000, "d.json"), {}, "cannot be read as JSON .*flat objects"),
    "object": ("json", written('{"text": "a", "label": 1}', "d.json"), {}, "holds one object, not a list of objects"),
    "strings": ("json", written('["a", "b"]', "d.json"), {}, "item 1 is a string, not an object; give a list of objects"),
    "truncated parquet": ("parquet", truncated_parquet, {}, "cannot be read as parquet .*cut short, broken"),
    "not parquet": ("parquet", written("hello hello hello", "d.parquet"), {}, "cannot be read as parquet .*write it again"),
    "max_rows too low": ("csv", ALL, {"max_rows": 3}, "max_rows is 3 for 2 classes; give 4 or more"),
    "max_rows no number": ("csv", ALL, {"max_rows": 0}, "max_rows is 0; give a whole number of 1 or more"),
    "seed": ("csv", ALL, {"seed": -1}, "seed is -1; give a whole number of 0 or more"),
    "share of 0": ("csv", ALL, {"test_share": 0}, "test_share is 0; give a share of the rows between 0 and 1"),
    "share above 1": ("csv", ALL, {"validation_share": 10}, "validation_share is 10; give a share"),
    "share nan": ("csv", ALL, {"validation_share": float("nan")}, "validation_share is nan; give a share"),
    "shares of all": ("csv", ALL, {"validation_share": 0.5, "test_share": 0.5}, "sum to 1 or more, which leaves nothing"),
    "train as test": ("csv", ALL, {"test": "data.csv"}, "for test and for train: the test would be the training data"),
    "columns for pictures": ("image_folder", ALL, {"text": "text"}, "text given for an image folder"),
    "a file for pictures": ("image_folder", ALL, {}, "is a file, where a folder of pictures is needed"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_of_tables_are_named(tmp_path, fault):
    kind, make, options, message = FAULTS[fault]
    path = make(tmp_path)
    options = {key: tmp_path / value if key == "test" else value for key, value in options.items()}
    with pytest.raises(UserError, match=f"(?s){message}"):
        read(kind, path, **options)


def test_labels_and_columns_of_the_test_file_must_be_those_of_training(tmp_path):
    train = table(tmp_path)
    with pytest.raises(UserError, match="test has labels that training lacks: 'eggs'; training has 'ham', 'spam'"):
        read("csv", train, test=table(tmp_path, [("a", "eggs"), ("b", "ham")], "t.csv"))
    with pytest.raises(UserError, match=r"u\.csv lacks column 'label' .label., .* its columns: 'text', 'kind'"):
        read("csv", train, test=table(tmp_path, [("a", "ham")], "u.csv", ("text", "kind")))
    with pytest.raises(UserError, match=r"test is given twice"):
        table(tmp_path, name="train.csv"), table(tmp_path, name="test.csv")
        read("csv", tmp_path, test=tmp_path / "t.csv")
    (tmp_path / "link.csv").symlink_to(train)
    with pytest.raises(UserError, match="the test would be the training data"):
        read("csv", train, test=tmp_path / "link.csv")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file_is_named(tmp_path):
    path = table(tmp_path)
    path.chmod(0)
    with pytest.raises(UserError, match=r"data\.csv cannot be read .*make it readable"):
        read("csv", path)


# --- pictures


def test_image_folder_gives_stored_rgb_pictures_in_any_listing_order(tmp_path, monkeypatch):
    folder = pictures(tmp_path / "data", ("dog", "cat", "10"), 10)
    made = read("image_folder", folder)
    assert made.task["train"].features["label"].names == ["10", "cat", "dog"]
    assert made.counts.to_dict("list") == {"train": [7] * 3, "validation": [1] * 3, "test": [2] * 3}
    picture = made.task["train"][0]["image"]
    assert picture.mode == "RGB" and picture.size == (24, 24)
    assert made.guesses == []
    listing = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda self: random.Random(3).sample(items := list(listing(self)), len(items)))
    again = read("image_folder", folder)
    for split in SPLITS:
        assert made.task[split].data.table == again.task[split].data.table
    assert np.array_equal(load(save(made.task, tmp_path / "saved"))["train"][0]["image"], picture)


def test_image_folder_with_splits_and_further_folders(tmp_path):
    pictures(tmp_path / "data" / "train", each=4)
    pictures(tmp_path / "data" / "val", each=2, shade=80)
    (tmp_path / "data" / "extra").mkdir()
    made = read("image_folder", tmp_path / "data", test=pictures(tmp_path / "more", each=3, shade=120))
    assert made.counts.to_dict("list") == {"train": [4, 4], "validation": [2, 2], "test": [3, 3]}
    assert made.notes == ["data: folders beside train left out: 'extra'"]


def only(tmp_path, image, name="x.png", **options):
    """The picture that is made of one, alone in its split."""
    folder = pictures(tmp_path / "data")
    for split in ("val", "test"):
        pictures(tmp_path / split, each=1, shade=80)
    image.save(tmp_path / "test" / "cat" / "0.jpg", "PNG" if name.endswith("png") else None, **options)
    made = read("image_folder", folder, test=tmp_path / "test", validation=tmp_path / "val")
    assert made.counts["test"].to_dict() == {"cat": 1, "dog": 1}, made.notes
    picture = made.task["test"][0]["image"]
    assert picture.mode == "RGB"
    return np.asarray(picture), made.notes


def test_sixteen_bits_are_scaled(tmp_path):
    values = np.array([[0, 257, 25700, 65535]] * 4, dtype=np.uint16)
    picture, _ = only(tmp_path, Image.fromarray(values))
    assert picture[0].tolist() == [[0] * 3, [1] * 3, [100] * 3, [255] * 3]


def test_transparency_is_put_on_white(tmp_path):
    values = np.array([[[255, 0, 0, 255], [255, 0, 0, 0], [0, 0, 0, 51]]], dtype=np.uint8)
    picture, _ = only(tmp_path, Image.fromarray(values))
    assert picture[0].tolist() == [[255, 0, 0], [255, 255, 255], [204, 204, 204]]


def test_palette_with_a_transparent_colour(tmp_path):
    image = Image.fromarray(np.array([[0, 1, 2]], dtype=np.uint8)).convert("P")
    image.putpalette([9, 8, 7, 0, 200, 0, 1, 1, 1])
    picture, _ = only(tmp_path, image, transparency=2)
    assert picture[0].tolist() == [[9, 8, 7], [0, 200, 0], [255, 255, 255]]


def test_grey_and_cmyk(tmp_path):
    picture, _ = only(tmp_path / "grey", Image.fromarray(np.array([[0, 99, 255]], dtype=np.uint8)))
    assert picture[0].tolist() == [[0] * 3, [99] * 3, [255] * 3]
    picture, _ = only(tmp_path / "cmyk", Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "x.jpg")
    assert np.abs(picture.astype(int) - [255, 0, 0]).max() <= 3  # JPEG rounds


def test_rotation_of_a_camera_is_applied(tmp_path):
    image = Image.fromarray(np.array([[[255, 0, 0], [0, 0, 255]]], dtype=np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show it turned clockwise
    picture, _ = only(tmp_path, image, exif=exif)
    assert picture.tolist() == [[[255, 0, 0]], [[0, 0, 255]]]


@pytest.mark.parametrize(
    ("name", "size", "wanted"), [("x.jpg", (4000, 1000), (128, 512)), ("x.png", (600, 300), (256, 512))]
)
def test_large_pictures_are_reduced_with_a_note(tmp_path, name, size, wanted):
    picture, notes = only(tmp_path, Image.new("RGB", size, (10, 200, 30)), name)
    assert picture.shape == (*wanted, 3)
    assert np.abs(picture.astype(int) - [10, 200, 30]).max() <= 3
    assert "test: 1 picture larger than 512 pixels a side reduced to 512" in notes


def test_broken_pictures_are_left_out_and_named(tmp_path):
    folder = pictures(tmp_path / "data", each=8)
    (folder / "cat" / "a.txt").write_text("a note")
    (folder / "cat" / "b.jpg").write_bytes(jpeg(3, 200)[:-2000])
    (folder / "cat" / "c.jpg").write_bytes(b"")
    (folder / "dog" / "d.jpg").symlink_to(folder / "dog" / "d.jpg")
    Image.fromarray(np.full((4, 4), 7e9, np.float32)).save(folder / "dog" / "e.tif")
    (folder / "cat" / ".DS_Store").write_bytes(b"x")
    (folder / "readme.md").write_text("beside")
    os.mkfifo(folder / "dog" / "f.png")
    (folder / "cat" / "_1.jpg").write_bytes(jpeg(99))
    made = read("image_folder", folder)
    assert made.counts.to_numpy().sum() == 17
    assert ("train: 6 files that cannot be read as pictures left out: "
            "'cat/a.txt', 'cat/b.jpg', 'cat/c.jpg' and 3 more") in made.notes  # fmt: skip
    assert "train: 1 file beside the class folders left out: 'readme.md'" in made.notes


def test_class_folder_without_pictures_and_doubled_pictures_are_noted(tmp_path):
    folder = pictures(tmp_path / "data")
    (folder / "bird").mkdir()
    (folder / "cat" / "inner").mkdir()
    (folder / "cat" / "copy.jpg").write_bytes((folder / "cat" / "0.jpg").read_bytes())
    made = read("image_folder", folder)
    assert list(made.counts.index) == ["cat", "dog"]
    assert "train: class 'bird' has no pictures: left out" in made.notes
    assert "train: folders inside class 'cat' left out: 'inner'" in made.notes
    assert "train: 1 duplicate row kept, which may be in two of the splits drawn" in made.notes


def no_classes(folder):
    (folder / "a.jpg").write_bytes(jpeg(0))
    return folder


def empty_classes(folder):
    (folder / "cat").mkdir(), (folder / "dog").mkdir()
    return folder


def half_empty(folder):
    pictures(folder, ("cat",)), (folder / "dog").mkdir()
    return folder


def mostly_broken(folder):
    for i in range(20):
        (pictures(folder) if not i else folder).joinpath("cat", f"x{i}.jpg").write_bytes(b"no picture")
    return folder


def no_training(folder):
    return pictures(folder / "test", each=2).parent


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda f: f / "none", "none does not exist"),
        (no_classes, r"has no class folders and 1 file .'a\.jpg'.; put pictures in a folder a class"),
        (lambda f: pictures(f, ("cat",)), "has one class folder only, 'cat'; put pictures in"),
        (empty_classes, "there are no pictures in 'cat', 'dog'"),
        (half_empty, "one class only in the class folders: 'cat'"),
        (mostly_broken, r"20 of 32 files cannot be read as pictures .'cat/x0\.jpg'.*readable are BMP"),
        (no_training, "has 'test' and no folder train"),
    ],
)
def test_faults_of_image_folders_are_named(tmp_path, make, message):
    with pytest.raises(UserError, match=message):
        read("image_folder", make(tmp_path))


def test_picture_folders_of_two_splits_must_be_apart(tmp_path):
    folder = pictures(tmp_path / "data")
    with pytest.raises(UserError, match="the test would be the training data"):
        read("image_folder", folder, test=folder)
    pictures(folder / "more")
    with pytest.raises(UserError, match="one lies inside the other"):
        read("image_folder", folder, test=folder / "more")


# --- real tasks


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
