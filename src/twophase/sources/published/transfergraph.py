"""TransferGraph: about 160 text models fine-tuned on ten tasks, with LogME, H-score and the seconds of each."""

from pathlib import Path

import numpy as np
import pandas as pd

from twophase.records import TrainingRecords
from twophase.sources.published.catalogue import Account, Published, find, get

SOURCE = "transfergraph"
KEY = ["model", "finetuned_dataset"]  # full fine-tuning has the same batch size, learning rate and seed throughout
SPARSE = "dbpedia_14"
METHODS = {"TransferabilityMethod.LOG_ME": "logme", "TransferabilityMethod.REG_H_SCORE": "h_score"}


def read(mirror: str | Path | None = None) -> Published:
    """Accuracy and seconds of full fine-tuning for five epochs, every dataset a benchmark.

    A run is named by model, dataset, batch size, learning rate, epochs and seed; of runs that were repeated with the
    same settings the last is kept (the table is a log).

    Raises:
        UserError: the file cannot be had.
    """
    account = Account("runs")
    file = get(find(SOURCE, "sequence_classification_records.csv"), mirror)
    table = account.start(pd.read_csv(file, dtype={"batch_size": str}), "sequence_classification_records.csv")
    table = account.keep(table, table["task_type"] == "sequence_classification", "a malformed row")
    table = account.keep(table, table["peft_method"].isna(), "adapters (LoRA), not full fine-tuning")
    table = account.keep(table, table["num_train_epochs"] == 5, "another number of epochs")
    score = pd.to_numeric(table["eval_accuracy"], errors="coerce")
    table = account.keep(table.assign(test=score), score.between(0, 1), "no accuracy")
    table["batch_size"] = pd.to_numeric(table["batch_size"])
    table = account.keep(
        table, ~table.duplicated(KEY, keep="last"), "run again with the same settings: the last is kept"
    )
    table = account.keep(table, table["finetuned_dataset"] != SPARSE, f"on {SPARSE}, which a quarter of the models saw")
    rows = table.rename(columns={"finetuned_dataset": "dataset", "train_runtime": "seconds"})
    rows = rows[["model", "dataset", "test", "seconds"]].assign(role="benchmark")
    records = TrainingRecords.from_frame(rows)
    return Published(records, account.table, pd.DataFrame(index=records.models))


def proxies(mirror: str | Path | None = None) -> pd.DataFrame:
    """Scores of LogME and (regularised) H-score: model, dataset, proxy, score, seconds."""
    table = pd.read_csv(get(find(SOURCE, "sequence_classification_scores.csv"), mirror))
    table = table.assign(proxy=table["metric"].map(METHODS)).rename(
        columns={"target_dataset": "dataset", "runtime": "seconds"}
    )
    finite = np.isfinite(table["score"])
    return table.loc[finite, ["model", "dataset", "proxy", "score", "seconds"]].reset_index(drop=True)
