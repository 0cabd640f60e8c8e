"""Test loss of 30 language models on three tasks after fine-tuning on 0 to 1,638,400 examples."""

from math import exp
from pathlib import Path

import pandas as pd

from twophase.records import TrainingRecords
from twophase.sources.published.catalogue import Account, Published, find, get

SOURCE = "scaling-law"
TASKS = ("flan", "wmt19", "gigaword")
FACTS = ["size", "family"]


def read(mirror: str | Path | None = None) -> Published:
    """Learning curves along training-set size: each doubling of the data stands as an epoch.

    `test` and `val` are exp(-loss), the model's mean likelihood of a test token in (0, 1], so that higher is better, as
    everywhere in this project; the source gives one loss and no separate validation. Row "0 examples" is left out: it is
    no fine-tuning.

    Raises:
        UserError: the file cannot be had.
    """
    account = Account("curves")
    tables = {task: losses(task, mirror) for task in TASKS}
    long = pd.concat({task: table.T.drop(index=0) for task, table in tables.items()}, names=["dataset", "examples"])
    account.start(pd.concat(tables.values()), f"{len(TASKS)} files")
    long = (-long).map(exp).rename_axis(columns="model").stack().rename("test").reset_index()
    sizes = sorted(long["examples"].unique())
    long["epoch"] = long["examples"].map({size: number for number, size in enumerate(sizes, 1)})
    frame = long.assign(val=long["test"], role="benchmark", metric="likelihood")
    facts = pd.read_csv(get(find(SOURCE, f"{TASKS[0]}.csv"), mirror), index_col="config name")[FACTS]
    return Published(TrainingRecords.from_frame(frame), account.table, facts)


def losses(task: str, mirror: str | Path | None = None) -> pd.DataFrame:
    """Test losses of a task (nats a token, lower is better), models x training examples (0 … 1,638,400)."""
    table = pd.read_csv(get(find(SOURCE, f"{task}.csv"), mirror), index_col="config name").drop(columns=FACTS)
    return table.rename(columns=int).rename_axis(index="model", columns="examples")
