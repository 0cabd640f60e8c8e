"""IBM's model-recycling: 2,703 text models fine-tuned on 36 datasets, and 6 base models with 20 seeds each."""

from pathlib import Path

import numpy as np
import pandas as pd

from twophase.records import TrainingRecords
from twophase.sources.published.catalogue import Account, Published, find, get

SOURCE = "model-recycling"
FACTS = ["base_model", "size", "model_type", "layers", "mnli_lp"]
TARGETS = ["mnli", "multirc", "boolq", *(f"tweet_ev_{part}" for part in
           ("emoji", "emotion", "hate", "irony", "offensive", "sentiment"))]  # the paper's four, Tweet in its parts  # fmt: skip
PAPER = ["cola", "mrpc", "qnli", "qqp", "rte", "sst2", "stsb", "wnli", "cb", "copa", "wic", "imdb", "yahoo_answers",
         "anli", "trec_coarse", "trec_fine", "financial_phrasebank"]  # of the paper's benchmark datasets  # fmt: skip
# Examples that each dataset is evaluated on: an accuracy is a whole number of them, which tells columns apart.
# (stsb is a correlation; what qqp, mnli and four others were evaluated on is not whole, so they tell nothing.)
EVALUATED = {
    "cola": 1043, "mrpc": 408, "boolq": 3270, "cb": 56, "copa": 100, "multirc": 4848, "wic": 638, "wsc": 104,
    "rte": 277, "wnli": 71, "sst2": 872, "qnli": 5463, "trec_coarse": 500, "trec_fine": 500, "poem_sentiment": 104,
    "rotten_tomatoes": 1066, "sst_5bins": 2210, "tweet_ev_irony": 784, "tweet_ev_offensive": 860,
    "tweet_ev_emotion": 1421, "tweet_ev_hate": 2970, "imdb": 25000, "anli": 3200, "esnli": 9824, "isear": 1534,
    "20_newsgroup": 7532,
}  # fmt: skip
CLASSES = {
    "ag_news": 4, "isear": 7, "yahoo_answers": 10, "20_newsgroup": 20, "trec_fine": 50, "trec_coarse": 6, "imdb": 2,
    "rotten_tomatoes": 2, "sst_5bins": 5, "sst2": 2, "amazon_reviews_multi": 5, "financial_phrasebank": 3,
    "tweet_ev_emoji": 20, "tweet_ev_emotion": 4, "mnli": 3, "qnli": 2, "esnli": 3, "qqp": 2, "poem_sentiment": 4,
}  # where every model should be well above 1 / classes  # fmt: skip


def read(mirror: str | Path | None = None, clean: bool = True) -> Published:
    """Accuracy of models on 36 datasets (stsb: Spearman), every dataset a benchmark.

    Args:
        mirror: see `catalogue.get`.
        clean: False keeps every complete row with a name of its own, as others who use this table do.

    Returns:
        `Published`; its account counts incomplete rows, rows whose values stand in the wrong columns (an accuracy
        that is no whole number of that dataset's evaluation examples), names that stand twice, and failed runs.

    Raises:
        UserError: the file cannot be had.
    """
    account = Account("models")
    table = account.start(pd.read_csv(get(find(SOURCE, "models_tested.csv"), mirror)), "models_tested.csv")
    datasets = list(table.columns[table.columns.get_loc("mnli_lp") + 1 :])
    table = account.keep(table, table[datasets].notna().all(axis=1), "not all 36 datasets are filled")
    if clean:
        table = account.keep(table, ~misplaced(table), "values stand in other datasets' columns")
    table = account.keep(table, ~table["model_name"].duplicated(), "a name that stands twice: the first row is kept")
    if clean:
        table = account.keep(table, ~failed(table), "a run failed: at or below chance")
    table = table.set_index("model_name").rename_axis("model")
    long = table[datasets].rename_axis(columns="dataset").stack().rename("test").reset_index()
    long["metric"] = np.where(long["dataset"] == "stsb", "spearman", "accuracy")
    return Published(TrainingRecords.from_frame(long.assign(role="benchmark")), account.table, table[FACTS])


def misplaced(table: pd.DataFrame) -> pd.Series:
    """Rows of which an accuracy is no multiple of 1 / evaluation examples: their values have slipped to other columns."""
    examples = pd.Series(EVALUATED)
    right = table[examples.index] * examples
    return ((right - right.round()).abs() > 1e-6 * examples + 1e-3).any(axis=1)


def failed(table: pd.DataFrame) -> pd.Series:
    """Rows with an accuracy at or below chance on a dataset where models are far above it, or a correlation below 0."""
    chance = 1 / pd.Series(CLASSES)
    return (table[chance.index] <= chance).any(axis=1) | (table["stsb"] < 0)
