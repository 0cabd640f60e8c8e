"""What one has without fine-tuning, on small tasks whose answer is known."""

import numpy as np
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

from twophase.training import baselines, tasks

SIZES = {"train": 40, "validation": 10, "test": 20}


@pytest.fixture
def words_task(tmp_path):
    """Texts whose class is one word among others; returns its folder."""
    rng = np.random.default_rng(0)
    features = Features({"text": Value("string"), "label": ClassLabel(names=["cat", "dog"])})
    parts = {}
    for split, size in SIZES.items():
        labels = np.arange(size) % 2
        texts = [f"{' '.join(rng.choice(list('abcdefgh'), 5))} {('purrs', 'barks')[label]} here" for label in labels]
        parts[split] = Dataset.from_dict({"text": texts, "label": labels.tolist()}, features=features)
    return tasks.save(DatasetDict(parts), tmp_path / "task")


def test_words_tell_classes_that_differ_in_a_word(words_task):
    found = baselines.linear((words_task, None))
    assert found["predicted"] == [0, 1] * 10 and found["seconds"] > 0


def test_a_pair_is_read_as_a_whole():
    task = {"text": ["one", "two"], "text_pair": ["yes", "no"], "label": [0, 1]}
    parts = DatasetDict(dict.fromkeys(SIZES, Dataset.from_dict(task)))
    seen = baselines.words(parts)
    assert seen["train"].shape[0] == 2 and (seen["train"][0] != seen["train"][1]).nnz > 0
    only = DatasetDict(dict.fromkeys(SIZES, Dataset.from_dict({k: v for k, v in task.items() if k != "text_pair"})))
    assert seen["train"].shape[1] > baselines.words(only)["train"].shape[1]


def test_splits_are_standardised_by_the_training_split():
    made = baselines.standardised({"train": np.array([[1.0], [3.0]]), "test": np.array([[5.0]])})
    assert made["train"].ravel().tolist() == [-1, 1] and made["test"].ravel().tolist() == [3]
