"""Which parts of the data some models are trained on again, and how that is held against the whole."""

import pandas as pd
import pytest

from reproduction import fewer_examples


def test_every_size_of_every_chosen_dataset_was_trained(each):
    few = pd.read_csv(each.results / each.domain / "fewer_examples.csv")
    whole = each.tasks.loc[few["dataset"].unique(), "train"].min()
    sizes = [size for size in fewer_examples.SIZES if size < whole]
    assert len(sizes) == 2 and few["dataset"].nunique() == fewer_examples.DATASETS
    assert set(few["examples"]) == set(sizes) and not few.duplicated(["model", "dataset", "examples"]).any()
    assert set(few["model"]) == set(each.models[:: fewer_examples.EVERY])
    assert len(few) == len(sizes) * fewer_examples.DATASETS * few["model"].nunique()


def test_agreement_by_hand(each):
    few = pd.read_csv(each.results / each.domain / "fewer_examples.csv")
    dataset, size = few.loc[0, "dataset"], fewer_examples.SIZES[0]
    here = few[(few["dataset"] == dataset) & (few["examples"] == size)].set_index("model")["test"]
    final = each.final(dataset).loc[here.index]
    ranks = here.rank(), final.rank()
    assert fewer_examples.agreement(each).loc[dataset, size] == pytest.approx(ranks[0].corr(ranks[1]))
