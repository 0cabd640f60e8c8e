import io

import pandas as pd
import pytest
from datasets import ClassLabel, Dataset, Features, Image, Value
from PIL import Image as Picture

from twophase.errors import UserError
from twophase.sources.files import reader as files
from twophase.sources.hub import gather

FEATURES = Features({"text": Value("string"), "label": ClassLabel(names=["bad", "good"])})


def part(folder, name, texts, labels):
    Dataset.from_dict({"text": texts, "label": labels}, features=FEATURES).to_parquet(str(folder / name))


def test_parts_become_one_file_a_split_with_class_names(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    part(source, "train-00000-of-00002.parquet", ["a", "b"], [0, 1])
    part(source, "train-00001-of-00002.parquet", ["c"], [1])
    part(source, "test-00000-of-00001.parquet", ["d", "e"], [-1, 0])
    made = gather(source, tmp_path / "made")
    assert sorted(path.name for path in made.iterdir()) == ["test.parquet", "train.parquet"]
    train = pd.read_parquet(made / "train.parquet")
    assert train["text"].tolist() == ["a", "b", "c"] and train["label"].tolist() == ["bad", "good", "good"]
    test = pd.read_parquet(made / "test.parquet")
    assert pd.isna(test["label"][0]) and test["label"][1] == "bad"  # -1 is no label


@pytest.mark.parametrize("lines", [True, False])
def test_json_and_csv_parts(tmp_path, lines):
    source = tmp_path / "source"
    source.mkdir()
    frame = pd.DataFrame({"text": ["a", "b"], "label": ["x", "y"]})
    frame.to_json(source / f"train-00000-of-00001.{'jsonl' if lines else 'json'}", orient="records", lines=lines)
    frame.to_csv(source / "test.csv", index=False)
    made = gather(source, tmp_path / "made")
    assert pd.read_parquet(made / "train.parquet").equals(pd.read_parquet(made / "test.parquet"))


@pytest.mark.parametrize("name", ["train.csv", "train.json", "train.jsonl"])
def test_words_and_numbers_of_parts_stay_what_they_are(tmp_path, name):
    source = tmp_path / "source"
    source.mkdir()
    frame = pd.DataFrame({"text": ["007", "null", "1.50", "2020-01-01"], "label": ["None", "01", "NA", "x"]})
    if name.endswith("csv"):
        frame.to_csv(source / name, index=False)
    else:
        frame.to_json(source / name, orient="records", lines=name.endswith("l"))
    assert pd.read_parquet(gather(source, tmp_path / "made") / "train.parquet").equals(frame)


def test_labels_of_csv_parts_are_rounded(tmp_path):
    from twophase.commands.matrix.data import _prepare
    from twophase.commands.matrix.settings import Source

    (tmp_path / "train.csv").write_text("text,label\na,0.6\nb,2.2\nc,\n")
    made = gather(tmp_path, tmp_path / "made")
    _prepare(made, Source("org/scores", label="label", rounded=True))
    assert pd.read_parquet(made / "train.parquet")["label"].fillna("").tolist() == ["1", "2", ""]


def test_without_a_training_split_or_with_a_broken_part_it_says_so(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    part(source, "test-00000-of-00001.parquet", ["d"], [0])
    with pytest.raises(UserError, match=r"has no training split \(test-00000-of-00001.parquet\)"):
        gather(source, tmp_path / "made")
    (source / "train-00000-of-00001.parquet").write_bytes(b"PAR1 and nothing more")
    with pytest.raises(UserError, match="split train of the dataset in .* cannot be read"):
        gather(source, tmp_path / "made")


def test_pictures_of_a_hub_become_a_task_of_pictures(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    features = Features({"image": Image(), "label": ClassLabel(names=["dark", "light"])})
    for name, count in (("train-00000-of-00002", 20), ("train-00001-of-00002", 12), ("test-00000-of-00001", 8)):
        shades = [200 * (number % 2) for number in range(count)]
        rows = {"image": [png((shade, 10, 10)) for shade in shades], "label": [number % 2 for number in range(count)]}
        Dataset.from_dict(rows, features=features).to_parquet(str(source / f"{name}.parquet"))
    made = files.read("parquet", gather(source, tmp_path / "made"))
    assert made.counts.to_dict("list") == {"train": [14, 15], "validation": [2, 1], "test": [4, 4]}
    assert made.task["train"].features["label"].names == ["dark", "light"]
    for row in made.task["test"]:
        assert row["image"].getpixel((3, 3)) == (200 * row["label"], 10, 10) and row["image"].mode == "RGB"
    assert any("'image'" in guess for guess in made.guesses)


def test_pictures_in_a_column_that_cannot_be_read(tmp_path):
    good = [{"bytes": png((40 * number, 0, 0)), "path": None} for number in range(6)] * 4
    frame = pd.DataFrame({"photo": good, "kind": ["a", "b"] * 12})
    frame.at[3, "photo"] = {"bytes": b"no picture", "path": None}
    frame.at[5, "photo"] = None
    frame.at[6, "kind"] = None
    frame.to_parquet(tmp_path / "train.parquet")
    made = files.read("parquet", tmp_path / "train.parquet")
    assert made.counts.to_numpy().sum() == 21
    assert ("train: 2 files that cannot be read as pictures left out: "
            "'row 4' (none of the formats that are read, or broken at its start); 'row 6' (empty)") in made.notes  # fmt: skip
    frame["photo"] = [{"bytes": b"no picture", "path": None}] * 24
    frame.to_parquet(tmp_path / "train.parquet")
    with pytest.raises(UserError, match="23 of 23 files cannot be read as pictures: .*row 1.*; readable are BMP"):
        files.read("parquet", tmp_path / "train.parquet")


def png(colour):
    buffer = io.BytesIO()
    Picture.new("RGB", (8, 8), colour).save(buffer, "PNG")
    return buffer.getvalue()
