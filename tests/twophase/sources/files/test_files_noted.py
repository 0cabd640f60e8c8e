"""What is left out of a user's files or looks wrong in them, and is said."""

import pytest
from sample_files import ROWS, pictures, table

from twophase.sources.files.reader import read


def test_rows_without_label_or_text_are_left_out_and_counted(tmp_path):
    extra = [("no label", None), ("nan label", "NaN"), ("blank label", "  "), (None, "ham"), ("  ", "spam")]
    for kind in ("csv", "json", "parquet"):
        made = read(kind, table(tmp_path, [*ROWS, *extra], f"d.{kind}"), max_missing=0.2)
        assert made.counts.to_numpy().sum() == 20
        lines = " (26 lines)" if kind == "csv" else ""
        assert made.said[0] == (
            f"train: 25 rows in d.{kind}{lines}, 20 read, 5 left out: 3 without a label, 2 without a text; "
            "set apart: 4 for test and 2 for validation"
        )
        assert f"d.{kind}: 'nan' in column 'label' taken as no label in 1 row" in made.notes


def test_every_row_is_accounted_for(tmp_path):
    train = [(f"text {i}", ("ham", "spam")[i % 2]) for i in range(100)] + [("", "ham"), ("x", ""), ("once", "odd")]
    test = table(tmp_path, [*ROWS, ("u", "odd"), ("v", None)], "t.tsv")
    made = read("csv", table(tmp_path, train), test=test, max_rows=40)
    assert {split: account.facts() for split, account in made.accounts.items()} == {
        "train": {
            "source": "data.csv", "drawn": False, "lines": 104, "rows": 103, "read": 50, "used": 40,
            "left_out": {"without a label": 1, "without a text": 1, "of classes with fewer than 2 training rows": 1,
                         "beyond max_rows=40": 50},
            "set_apart": {"validation": 10},
        },
        "validation": {"source": "train", "drawn": True, "lines": None, "rows": 10, "read": 10, "used": 10,
                       "left_out": {}, "set_apart": {}},
        "test": {"source": "t.tsv", "drawn": False, "lines": 23, "rows": 22, "read": 20, "used": 20,
                 "left_out": {"without a label": 1, "of classes with fewer than 2 training rows": 1}, "set_apart": {}},
    }  # fmt: skip
    assert {split: account.facts()["used"] for split, account in made.accounts.items()} == made.task.num_rows
    assert made.said[1:3] == [
        "validation: 10 rows set apart from train, class by class (seed 0)",
        "test: 22 rows in t.tsv (23 lines), 20 read, 2 left out: 1 without a label, 1 of classes with fewer than 2 training rows",
    ]


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
    assert "train: 2 duplicate rows kept, copies in one split as far as possible" in made.notes
    assert "train: 1 input with more than one label" in made.notes
    assert "test: 2 of 3 rows also in the training data; accuracy on these says little about new ones" in made.notes
    assert made.leaked == 2
    assert any(note.startswith("classes are uneven in training: 'ham' has 1") for note in made.notes)


def test_columns_that_are_not_used_are_named(tmp_path):
    given = [(f"q {i}", f"a {i}", "xy"[i % 2], ("train", "test")[i % 3 == 0]) for i in range(20)]
    made = read("csv", table(tmp_path, given, columns=("question", "answer", "label", "split")))
    assert "columns not used: 'answer', 'split'" in made.notes
    assert any(
        note.startswith("column 'split' seems to name splits ('test', 'train') and is not used") for note in made.notes
    )
    made = read("csv", table(tmp_path, given, columns=("text", "category", "label", "kind")), label="label")
    assert "columns not used: 'category', 'kind'" in made.notes


def test_labels_that_look_alike_are_one_class_and_that_is_said(tmp_path):
    names = ["a", " a", "a ", "A", "caf\u00e9", "cafe\u0301", "\ufeffa\u200b"]
    made = read("csv", table(tmp_path, [(f"text {i}", names[i % 7]) for i in range(70)]))
    assert list(made.counts.index) == ["A", "a", "caf\u00e9"]
    assert ("data.csv: labels that differ by blanks around them or by Unicode form only are one class: "
            "'a', 'caf\u00e9'") in made.notes  # fmt: skip
    assert "some classes differ by capital letters only" in made.notes
    folder = pictures(tmp_path / "pictures", ("cafe\u0301", "bar"))
    assert list(read("image_folder", folder).counts.index) == ["bar", "caf\u00e9"]
    columns = ("text", "cate\u0301gorie")
    made = read("csv", table(tmp_path, columns=columns), label="cat\u00e9gorie")
    assert made.guesses == ["text column: 'text' (by its name)"]


@pytest.mark.parametrize("kind", ["csv", "json", "parquet"])
def test_words_for_nothing_are_classes_and_only_nan_is_missing(tmp_path, kind):
    names = ["yes", "NA", "None", "null", "nan"]
    made = read(kind, table(tmp_path, [(f"text {i}", names[i % 5]) for i in range(50)], f"d.{kind}"), max_missing=0.2)
    assert list(made.counts.index) == ["NA", "None", "null", "yes"]
    assert f"d.{kind}: 'nan' in column 'label' taken as no label in 10 rows" in made.notes
    assert (f"d.{kind}: 'NA', 'None', 'null' in column 'label' taken as the name of a class; "
            "where the label is missing, empty the cell") in made.notes  # fmt: skip


def test_few_rows_are_warned_of(tmp_path):
    for split, each in (("train", 1), ("validation", 1), ("test", 4)):
        given = [(f"{split} {i}", f"class {i % 53}") for i in range(53 * each)]
        table(tmp_path, [*given, ("one", "class 0")] if split == "train" else given, f"{split}.csv")
    made = read("csv", tmp_path)
    assert ("train: 53 of 53 classes have fewer than 5 rows to learn from (the smallest 1); "
            "expect little of them") in made.notes  # fmt: skip
    made = read("csv", table(tmp_path, ROWS[:6]))
    assert "test: 2 rows only; an accuracy on so few is uncertain by up to ± 69 points" in made.notes
