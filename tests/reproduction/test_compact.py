import numpy as np
import pandas as pd
import pytest

from reproduction import compact, evidence
from reproduction.n17_beyond import enough


@pytest.fixture(scope="module", params=["cv", "nlp"])
def each(request):
    return evidence.load(request.param)


def test_the_parts_divide_the_datasets():
    names = [f"d{number}" for number in range(21)]
    found = compact.parts(names)
    assert [len(part) for part in found] == [7, 7, 7] and sorted(name for part in found for name in part) == sorted(
        names
    )
    assert found == compact.parts(names)


def test_the_greedy_set_takes_one_of_each_kind():
    """Nine datasets of three kinds, in which models stand in one of three orders: a set of three has each kind once."""
    rng = np.random.default_rng(0)
    orders = [rng.permutation(np.linspace(0.4, 0.9, 8)) for _ in range(3)]
    known = {}
    for number in range(9):
        final = orders[number % 3] + rng.normal(0, 0.01, 8)
        known[f"{number}"] = np.stack([final + rng.normal(0, 0.02, 8), final], axis=1)
    chosen = compact.greedy(known, 4, 1)
    assert {int(name) % 3 for name in chosen[:3]} == {0, 1, 2}
    assert len(set(chosen)) == 4


def test_no_set_holds_a_dataset_of_its_targets_part(each):
    found = each.compact
    assert sorted(found["dataset"].unique()) == sorted(each.benchmarks)
    part_of = {name: part for part in compact.parts(list(compact.tables_of(each.domain))) for name in part}
    for row in found.itertuples():
        chosen = row.chosen.split()
        assert len(chosen) == row.size and not set(chosen) & set(part_of[row.dataset])
    count = found.groupby(["dataset", "choice"]).size().unstack().iloc[0].to_dict()
    assert count == {compact.GREEDY: 3, compact.CHANCE: 9, compact.ALL: 1}


def test_a_winner_trained_again_is_compared_with_its_second_test(each):
    found, second = enough.again(each), each.second_seed
    dataset = each.everything[0]
    turns = enough.of(enough.turns_of(each), "brute force").loc[dataset]
    assert found.loc[dataset, "kept"] == pytest.approx(second.final(dataset)[turns["winner"]] - turns["accuracy"])
    assert (second.frame["seed"] == each.params.seed + 1).all()
    for name in each.everything:
        runs = each.records.first_seed(name)
        last = runs[runs["epoch"] == each.records.epochs].set_index("model")["test"]
        assert set(second.final(name).index) == set(last.nlargest(each.settings.second_seed).index)


def test_a_domain_with_few_datasets_says_that_nothing_is_chosen():
    few = pd.DataFrame(columns=compact.COLUMNS)
    one = evidence.load("cv")
    one.__dict__["compact"] = few
    assert enough.chosen_better(one).verdict == enough.few_as_all(one).verdict == "cannot be tested here"
    assert "too few" in enough.compact_said(one)
