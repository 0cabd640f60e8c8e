"""What the published notebooks compute, on numbers worked by hand."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from reproduction.claims import LEDGER
from reproduction.published import claims, n13_seed_noise, sources
from reproduction.published import n10_paper_matrices as matrices
from reproduction.published import n14_training_sizes as sizes
from reproduction.published.n11_thousand_models import scale, subsets
from reproduction.verdicts import UNTESTED
from twophase.clustering import ADAPTIVE
from twophase.errors import UserError
from twophase.records import TrainingRecords
from twophase.sources.published import Published

ROOT = Path(__file__).parents[3]


@pytest.fixture
def mirror(published, monkeypatch):
    """The mirror in the variable, and the repository's configuration."""
    monkeypatch.setenv("TWOPHASE_MIRROR", str(published))
    monkeypatch.chdir(ROOT)
    return published


def test_a_model_that_knows_the_target_is_found_by_name_and_by_score():
    level = pd.Series(600 + 200 * np.random.default_rng(0).random(60), [f"m{number}" for number in range(60)])
    sizes = {"boolq": 3270, "mrpc": 408, "cola": 1043, "imdb": 25000, "sst2": 872, "stsb": 1000}
    matrix = pd.DataFrame({name: (level.round() / 1000 * size).round() / size for name, size in sizes.items()}).T
    matrix.loc["boolq", "m7"] = 3200 / 3270
    matrix = matrix.rename(columns={"m8": "someone/bert-BoolQ-tuned", "m9": "someone/cowboolqing"})
    known = Published(TrainingRecords.from_matrix(matrix), pd.DataFrame(), pd.DataFrame())
    assert scale.leaked(known, "boolq").to_dict() == {"m7": "outlier", "someone/bert-BoolQ-tuned": "named"}
    with pytest.raises(UserError, match="unknown dataset 'mnl'; allowed: "):
        scale.leaked(known, "mnl")


def test_seeds(published):
    found = n13_seed_noise.read(published)
    assert found.account["left"].tolist() == [4320, 4314]
    assert found.records.frame.groupby(["model", "dataset"])["seed"].nunique().value_counts().to_dict()[20] == 214
    deviation = found.records.frame.groupby(["model", "dataset"])["test"].std()
    assert deviation["roberta_base"].median() == pytest.approx(0.0067, abs=5e-5)


def test_gain_and_regret_along_an_order():
    final = pd.Series({"a": 0.5, "b": 0.9, "c": 0.7})
    found = scale.curves(final, ["c", "a", "b"])
    assert found["gain"].tolist() == pytest.approx([0.0, -0.1, 0.0])
    assert found["regret"].tolist() == pytest.approx([0.2, 0.2, 0.0])


def test_random_recall_is_the_expectation_over_all_draws():
    final = pd.Series([0.1, 0.4, 0.5, 0.5, 0.9])
    found = scale.curves(final)
    for k in range(1, 6):
        draws = [max(draw) for draw in combinations(final, k)]
        assert found.loc[k, "regret"] == pytest.approx(0.9 - np.mean(draws))
        assert found.loc[k, "gain"] == 0


def test_a_perfect_proxy_reads_the_representatives_only():
    rng = np.random.default_rng(0)
    matrix = pd.DataFrame(np.add(rng.random((6, 1)), [0.0, 0.001, 0.3, 0.301]), columns=list("abcd")) / 2
    final = pd.Series({"a": 0.2, "b": 0.6, "c": 0.9, "d": 0.1})
    tables = scale.orders(matrix, final, cut=0.05)
    assert tables["recall, perfect proxy"]["proxy"].to_dict() == {"a": 0.6, "b": 0.6, "c": 0.1, "d": 0.1}
    assert list(tables["prior"].index) == ["d", "c", "b", "a"]


def test_the_rule_takes_what_explains_most_then_what_is_left():
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((2, 200))
    noise = 0.01 * rng.standard_normal((5, 200))
    matrix = pd.DataFrame(np.stack([x, x, x, y, y]) + noise, index=["x1", "x2", "x3", "y1", "y2"])
    first, second, *_ = subsets.greedy(matrix)
    assert first in {"x1", "x2", "x3"} and second in {"y1", "y2"}
    assert sorted(subsets.greedy(matrix)) == sorted(matrix.index)
    dense = subsets.by_density(matrix)
    assert {dense[0][0], dense[1][0]} == {"x", "y"} and len(set(dense)) == 4


def test_a_stage_along_the_data_costs_the_examples_it_adds(mirror):
    found = sizes.records(3)
    costs = found.frame.groupby("epoch")["seconds"].first()
    assert costs.loc[1:3].tolist() == pytest.approx([0.8, 0.8, 1.6]) and found.epochs == 12
    assert costs.sum() == pytest.approx(1638.4)


def test_table_2_is_matched_cluster_by_cluster(mirror, tmp_path, monkeypatch):
    monkeypatch.setattr(matrices, "save_table", lambda table, *_: table)
    table = matrices.membership(sources.paper("nlp"))
    assert table["size"].tolist() == [5, 7, 5, 2, 2, 3, 4, 2] and table["found"].sum() == 27
    assert table.loc["C2", "jaccard"] == 1 and table.loc["C1", "elsewhere"] == "connectivity/bert_ft_qqp-7"


def test_every_claim_is_tested_or_says_why_not(mirror):
    committed = pd.read_csv(ROOT / "results" / "published" / "claims.csv")
    assert committed["number"].tolist() == list(LEDGER) and committed["why"].notna().all()
    tested = set(committed.loc[committed["verdict"] != UNTESTED, "number"])
    assert (
        tested == set(claims.OWN).union(*(numbers for _, numbers in claims.MEASURED_BY.values())) and len(tested) >= 20
    )
    assert (ROOT / "results/claims/published.csv").read_bytes() == (ROOT / "results/published/claims.csv").read_bytes()


def test_committed_claims_are_what_the_code_tests(mirror):
    committed = pd.read_csv(ROOT / "results" / "published" / "claims.csv", keep_default_na=True)
    now = claims.tested()
    assert now["verdict"].tolist() == committed["verdict"].tolist()
    assert np.allclose(now["value"].astype(float), committed["value"], rtol=1e-4, atol=1e-6, equal_nan=True)


def test_the_default_pipeline_needs_nothing_of_this_one():
    ours = yaml.safe_load((ROOT / "notebooks/published/dvc.yaml").read_text())["stages"]
    made = {next(iter(out)) for stage in ours.values() for out in stage["outs"]}
    theirs = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    read = {dep for stage in theirs.values() for dep in stage.get("do", stage).get("deps", [])}
    assert made and not made & read and not any(out.startswith(f"{dep}/") for out in made for dep in read)


def test_the_adaptive_cut_is_what_the_records_choose():
    table = pd.read_csv(ROOT / "results" / "tables" / "table_cuts_published.csv", index_col=["source", "cut"])
    named = table.rename(index=lambda cut: cut if cut == "as configured" else float(cut), level="cut")
    assert len(named.index.unique("source")) >= 6
    assert matrices.best_factor(named) == ADAPTIVE
