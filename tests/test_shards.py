import pandas as pd
import pytest
from datasets import ClassLabel, Dataset, Features, Value

from twophase.errors import UserError
from twophase.tasks.shards import gather

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


def test_without_a_training_split_or_with_a_broken_part_it_says_so(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    part(source, "test-00000-of-00001.parquet", ["d"], [0])
    with pytest.raises(UserError, match=r"has no training split \(test-00000-of-00001.parquet\)"):
        gather(source, tmp_path / "made")
    (source / "train-00000-of-00001.parquet").write_bytes(b"PAR1 and nothing more")
    with pytest.raises(UserError, match="split train of the dataset in .* cannot be read"):
        gather(source, tmp_path / "made")
