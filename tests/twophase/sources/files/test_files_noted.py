"""What is left out of a user's files or looks wrong in them, and is said."""

import pytest
from sample_files import ROWS, pictures, table

from twophase.sources.files.reader import read


def test_rows_without_label_or_text_are_left_out_and_counted(tmp_path):
    extra = [("no label", None), ("nan label", "NaN"), ("blank label", "  "), (None, "ham"), ("  ", "spam")]
    for kind in ("csv", "json", "parquet"):
        made = read(kind, table(tmp_path, [*ROWS, *extra], f"d.{kind}"))
        assert made.counts.to_numpy().sum() == 20
        assert f"d.{kind}: 3 rows without a label left out (1 of them: 'nan' is written there)" in made.notes
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
    made = read(kind, table(tmp_path, [(f"text {i}", names[i % 5]) for i in range(50)], f"d.{kind}"))
    assert list(made.counts.index) == ["NA", "None", "null", "yes"]
    assert f"d.{kind}: 10 rows without a label left out (10 of them: 'nan' is written there)" in made.notes
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
