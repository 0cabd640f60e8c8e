"""Readers on hand-made tables, and on the real files where a mirror is at hand."""

import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest

from twophase.clustering import cluster_models, silhouette
from twophase.errors import UserError
from twophase.recall import coarse_recall
from twophase.similarity import top_k_similarity
from twophase.sources.published import READERS, model_recycling, paper_matrices, scaling_law, transfergraph


def row_of(**changes):
    """One row of models_tested.csv with every dataset in place, and its changes."""
    row = {name: round(0.8 * size) / size for name, size in model_recycling.EVALUATED.items()}
    row |= dict.fromkeys(("qqp", "ag_news", "yahoo_answers", "dbpedia", "amazon_reviews_multi", "mnli", "qnli"), 0.8)
    row |= dict.fromkeys(("financial_phrasebank", "tweet_ev_emoji", "tweet_ev_sentiment", "stsb"), 0.8)
    row["qnli"] = round(0.8 * 5463) / 5463
    facts = {"model_name": "a", "base_model": "b", "size": 1.0, "model_type": "bert", "layers": 12.0, "mnli_lp": 0.5}
    return facts | row | changes


@pytest.fixture
def table(tmp_path, monkeypatch):
    """Write rows as the published file; the reader finds it."""

    def write(rows):
        path = tmp_path / "models_tested.csv"
        pd.DataFrame(rows).to_csv(path, index=False)
        monkeypatch.setattr(model_recycling, "get", lambda entry, mirror=None: path)

    return write


def test_rows_are_left_out_and_counted_one_reason_each(table):
    good = [row_of(model_name=f"m{i}") for i in range(3)]
    table([
        *good, row_of(model_name="m0"), row_of(model_name="hole", wnli=np.nan), row_of(model_name="slipped", wnli=0.8),
        row_of(model_name="chance", imdb=0.5), row_of(model_name="negative", stsb=-0.01),
    ])  # fmt: skip
    found = model_recycling.read()
    assert found.records.models == ["m0", "m1", "m2"]
    assert found.account["dropped"].tolist() == [0, 1, 1, 1, 2] and found.account["left"].tolist() == [8, 7, 6, 5, 3]
    assert found.models.loc["m1", "base_model"] == "b"
    raw = model_recycling.read(clean=False)
    assert raw.records.models == ["m0", "m1", "m2", "slipped", "chance", "negative"]
    assert raw.matrix.loc["stsb", "negative"] == -0.01


def test_the_papers_text_matrix(published):
    matrix = paper_matrices.read("nlp", published).matrix
    found = cluster_models(matrix, k=5, threshold=0.09)
    assert matrix.shape == (21, 39) and found.labels.nunique() == 16
    assert len(found.non_singletons) == 8 and found.labels.isin(found.non_singletons).sum() == 31
    assert silhouette(found) == pytest.approx(0.168, abs=5e-4)
    assert silhouette(found, models="clustered") == pytest.approx(0.252, abs=5e-4)
    skipping = cluster_models(matrix, similarity=top_k_similarity(matrix, 5, positive_only=True), threshold=0.09)
    assert silhouette(skipping, "released") == pytest.approx(0.5355, abs=5e-4)


def test_the_papers_vision_matrix(published):
    matrix = paper_matrices.read("cv", published).matrix
    found = cluster_models(matrix, k=5, threshold=0.03)
    assert matrix.shape == (6, 30) and len(found.non_singletons) == 5
    assert found.labels.isin(found.non_singletons).sum() == 29
    assert silhouette(found) == pytest.approx(0.486, abs=5e-4)
    assert silhouette(found, "released") == pytest.approx(0.778, abs=5e-4)
    with pytest.raises(UserError, match="unknown domain 'audio' of the paper's matrices; allowed: nlp, cv"):
        paper_matrices.read("audio", published)


def test_the_released_leep_is_almost_constant(published):
    scores = paper_matrices.leep("nlp", published)
    assert len(scores) == 39 and (scores == -0.683).sum() == 36 and scores.max() == -0.680
    assert set(scores.index) == set(paper_matrices.read("nlp", published).records.models)


def test_model_recycling(published):
    found = model_recycling.read(published)
    assert found.account["left"].tolist() == [2703, 1273, 989, 982, 973] and found.matrix.shape == (36, 973)
    assert set(model_recycling.TARGETS) | set(model_recycling.PAPER) < set(found.matrix.index)
    raw = model_recycling.read(published, clean=False).matrix
    assert raw.shape == (36, 1266)  # 1,273 rows, seven names twice
    assert raw.loc["boolq"].max() == pytest.approx(0.978) and found.matrix.loc["boolq"].max() < 0.86


@pytest.mark.alone
def test_a_thousand_models_are_clustered_and_recalled_from_quickly(published):
    matrix = model_recycling.read(published, clean=False).matrix
    top_k_similarity(matrix.iloc[:, :3])  # compiled once a process
    start = time.perf_counter()
    found = cluster_models(matrix, k=5, threshold=0.09)
    clustered = time.perf_counter()
    scores = matrix.loc["mnli", found.representatives[found.non_singletons]]
    table = coarse_recall(matrix, found, scores, top=10)
    recalled = time.perf_counter()
    assert found.labels.nunique() == 287 and len(found.non_singletons) == 57
    assert table["rank"].tolist() == list(range(1, 1267))
    assert clustered - start < 5 and recalled - clustered < 0.5


def test_transfergraph(published):
    found = transfergraph.read(published)
    assert found.account["left"].tolist() == [3194, 3190, 1757, 1756, 1756, 1439, 1395]
    assert found.matrix.shape == (9, 141)
    scores = transfergraph.proxies(published)
    assert len(scores) == 2510 and set(scores["proxy"]) == {"logme", "h_score"} and (scores["seconds"] > 0).all()
    assert scores["dataset"].nunique() == 8 and set(scores["dataset"]) < set(found.matrix.index)


def test_losses_become_scores_of_which_more_is_better(published):
    found = scaling_law.read(published).records
    losses = scaling_law.losses("flan", published)
    assert losses.shape == (30, 15) and found.epochs == 14
    assert found.final("flan")["gpt2"] == pytest.approx(np.exp(-losses.loc["gpt2", 1638400]))
    assert found.curve("gpt2", "flan")[1] == pytest.approx(np.exp(-losses.loc["gpt2", 200]))
    assert found.final("flan").idxmax() == losses[1638400].idxmin()


def test_records_without_curves_say_so(published):
    found = paper_matrices.read("nlp", published).records
    with pytest.raises(UserError, match="have no validation curve"):
        found.curve("roberta-base", "sst2")


@pytest.mark.parametrize("source", READERS)
def test_every_reader_gives_an_account_that_adds_up(source, published):
    account = READERS[source](mirror=published).account
    assert (account["left"].shift(1).iloc[1:] - account["dropped"].iloc[1:] == account["left"].iloc[1:]).all()


def test_the_promised_name_is_the_same_module():
    code = (
        "import twophase.published.catalogue as promised; from twophase.published import model_recycling; "
        "import twophase.sources.published as place; from twophase.sources.published import catalogue; "
        "import twophase.published as package; "
        "assert promised is catalogue and package is place and model_recycling is place.model_recycling"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
