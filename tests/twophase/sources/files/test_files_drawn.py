"""Splits that are drawn, and rows that are in two of them."""

import pandas as pd
import pytest
from sample_files import plain, table, texts

from twophase.sources.files.reader import read
from twophase.sources.files.splits import allot
from twophase.training.tasks import SPLITS


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
        table(tmp_path, [(f"{word} {i}", "xy"[i % 2]) for i in range(60)], f"{name}.csv")
    made = read("csv", tmp_path)
    assert texts(made) == {
        s: [f"{w} {i}" for i in range(60)] for s, w in zip(SPLITS, ("one", "two", "three"), strict=True)
    }
    assert made.notes == [] and made.leaked == 0


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
    assert made.said[0] == (
        "train: 200 rows in data.csv (201 lines), 80 read, 120 left out: 120 beyond max_rows=20; "
        "set apart: 40 for test and 20 for validation"
    )
    assert read("csv", tmp_path / "data.csv", max_rows=139).counts["train"].sum() == 139


def inputs(made, split):
    return {tuple(row) for row in made.task[split].to_pandas().drop(columns="label").to_numpy().tolist()}


@pytest.mark.parametrize("pair", [False, True])
def test_copies_stay_in_one_split(tmp_path, pair):
    given = [(f"text {i % 40}", f"more {i % 40}", "xyz"[i % 40 % 3]) for i in range(200)]  # five copies of each
    given += [
        ("text 0", "more 0", "y"),
        *((f"odd {i}", f"odd {i}", "x") for i in range(9)),
    ]  # and a label that contradicts
    named = ("text", "text_pair" if pair else "other", "label")
    for seed in range(3):
        made = read("csv", table(tmp_path, given, columns=named), seed=seed)
        for one, other in (("train", "validation"), ("train", "test"), ("validation", "test")):
            assert not inputs(made, one) & inputs(made, other)
        assert made.leaked == 0 and made.counts.to_numpy().sum() == 210
        assert (made.counts > 0).all(axis=None)
        assert 30 <= made.counts["test"].sum() <= 42 and 12 <= made.counts["validation"].sum() <= 21


def test_a_class_of_copies_only_is_in_all_splits_and_what_leaks_is_counted(tmp_path):
    given = [(f"text {i}", "x") for i in range(30)] + [("always this", "y")] * 30
    made = read("csv", table(tmp_path, given))
    assert (made.counts > 0).all(axis=None)
    assert made.leaked == made.counts.loc["y", "test"] == 6
    assert "test: 6 of 12 rows also in the training data; accuracy on these says little about new ones" in made.notes
    assert "copies of rows of 'y' may be in two splits, there are too few different ones" in made.notes
    given = [(word, name) for word in ("one", "two") for name in "xy" for _ in range(20)]
    assert read("csv", table(tmp_path, given)).leaked == 16  # every text has both labels


def test_what_leaks_is_counted_whatever_was_given(tmp_path):
    train = table(tmp_path)
    copy = table(tmp_path, name="copy.csv")
    made = read("csv", train, test=copy)
    assert made.leaked == 20
    assert "test: 20 of 20 rows also in the training data; accuracy on these says little about new ones" in made.notes
    made = read("csv", train, validation=copy)  # drawn from rows that the validation holds too
    assert made.leaked == len(made.task["test"]) == 4
    assert "test: 4 of 4 rows also in the validation data; accuracy on these says little about new ones" in made.notes
    assert f"validation: {20 - 4} of 20 rows also in the training data" in made.notes
    capped = read("csv", train, test=copy, max_rows=4)  # rows that are left out are not learnt from
    assert capped.leaked == capped.counts["train"].sum() + capped.counts["validation"].sum() == 6
