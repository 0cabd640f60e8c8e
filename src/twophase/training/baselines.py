"""What one gets without fine-tuning: a linear classifier on words and characters, or on a model's frozen features."""

from __future__ import annotations

import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import DatasetDict

from twophase.training import features, tasks
from twophase.training.encoding import Encoded
from twophase.training.finetuning import encoded


def words(task: DatasetDict) -> dict[str, Any]:
    """TF-IDF of words and pairs of words, and of the characters within words: split -> (N, terms) sparse."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_union

    texts = {}
    for split in tasks.SPLITS:
        columns = [task[split][name] for name in ("text", "text_pair") if name in task[split].features]
        texts[split] = [" ".join(row) for row in zip(*columns, strict=True)]
    of_words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    characters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True)
    vectors = make_union(of_words, characters).fit(texts["train"])
    return {split: vectors.transform(rows) for split, rows in texts.items()}


def frozen(task: Encoded, model: Path) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Standardised features of an untouched model, split -> (N, D), and labels, split -> (N,).

    Raises:
        UserError: as `features.extract`.
    """
    found = features.extract(model, _in_one(task), "all")  # one pass: loading the model costs as much as a split
    ends = np.cumsum([len(task.labels[split]) for split in tasks.SPLITS])[:-1]
    seen = standardised(dict(zip(tasks.SPLITS, np.split(found.features, ends), strict=True)))
    return seen, dict(zip(tasks.SPLITS, np.split(found.labels, ends), strict=True))


def standardised(parts: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Each split by the training split's means and deviations."""
    from sklearn.preprocessing import StandardScaler

    scale = StandardScaler().fit(parts["train"])
    return {split: scale.transform(part) for split, part in parts.items()}


def linear(item: tuple[Path, Path | None]) -> dict[str, Any]:
    """A linear support vector machine: predicted (classes of the test split) and seconds.

    Args:
        item: folders of a task and of the model whose frozen features are read; None: words and characters.

    Raises:
        UserError: the model cannot be loaded.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.svm import LinearSVC

    (folder, model), start = item, time.perf_counter()
    if model is None:
        task = tasks.load(folder)
        seen, labels = words(task), {"train": np.array(task["train"]["label"])}
    else:
        seen, labels = frozen(encoded(folder, model), model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # accuracy settles long before the weights do
        fitted = LinearSVC(random_state=0).fit(seen["train"], labels["train"])
    return {"predicted": fitted.predict(seen["test"]).tolist(), "seconds": time.perf_counter() - start}


def _in_one(task: Encoded) -> Encoded:
    """The splits one after the other, as one named "all"."""
    parts = [task.inputs[split] for split in tasks.SPLITS]
    inputs = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
    labels = torch.cat([task.labels[split] for split in tasks.SPLITS])
    return replace(task, inputs={"all": inputs}, labels={"all": labels})
