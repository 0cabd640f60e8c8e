"""What a table of training records must be."""

import numpy as np
import pandas as pd

from twophase.errors import UserError
from twophase.inputs import in_order, shown

KEY = ["model", "dataset", "seed", "epoch"]
COLUMNS = ["model", "dataset", "role", "seed", "epoch", "val", "test", "seconds"]
ROLES = ("benchmark", "target")
BOUNDED = ("accuracy", "f1", "macro_f1", "balanced_accuracy")  # metrics that live in [0, 1]


def last_epochs(frame: pd.DataFrame) -> pd.DataFrame:
    """Each cell's row of its last epoch."""
    return frame[frame["epoch"] == frame.groupby(["model", "dataset", "seed"])["epoch"].transform("max")]


def validated(frame: pd.DataFrame) -> pd.DataFrame:
    """The table with all columns and their types; raises UserError naming what is missing, doubled, empty or out of range."""
    try:
        frame = pd.DataFrame(frame)
    except (ValueError, TypeError) as error:
        raise UserError(f"records: got {shown(frame)}; needed is a table with the columns {COLUMNS}.") from error
    if missing := [column for column in ("model", "dataset", "role", "test") if column not in frame]:
        raise UserError(f"records lack the columns {missing}; needed are {COLUMNS} (val and seconds may be empty).")
    frame = frame.copy()
    for column, default in {"seed": 0, "epoch": 1, "val": np.nan, "seconds": np.nan}.items():
        if column not in frame:
            frame[column] = default
    frame = frame[[*COLUMNS, *[c for c in ("metric",) if c in frame]]].reset_index(drop=True)
    some(frame)
    if unnamed := int(frame[["model", "dataset"]].isna().any(axis=1).sum()):
        raise UserError(f"{unnamed} rows name no model or no dataset; every row needs both.")
    for column in ("model", "dataset"):
        in_order(frame[column].unique(), f"{column}s")
    if unknown := sorted(set(frame["role"].astype(str)) - set(ROLES)):
        raise UserError(f"unknown roles {unknown}; allowed: {', '.join(ROLES)}.")
    if mixed := list(frame.groupby("dataset")["role"].nunique().loc[lambda n: n > 1].index):
        raise UserError(f"datasets {mixed} are benchmark in some rows and target in others; each has one role.")
    for column in ("seed", "epoch", "val", "test", "seconds"):
        try:
            frame[column] = pd.to_numeric(frame[column])
        except (ValueError, TypeError) as error:
            raise UserError(f"column {column!r} must hold numbers: {error}.") from error
    for column in ("seed", "epoch"):
        if frame[column].isna().any() or (frame[column] % 1 != 0).any():
            raise UserError(f"column {column!r} must hold whole numbers, without empty rows.")
        frame[column] = frame[column].astype(int)
    doubled = frame[frame.duplicated(KEY)]
    if len(doubled):
        row = doubled.iloc[0]
        raise UserError(
            f"{len(doubled)} duplicate rows, the first: model {row['model']!r}, dataset {row['dataset']!r}, "
            f"seed {row['seed']}, epoch {row['epoch']}; a (model, dataset, seed, epoch) may stand once."
        )
    _check_cells(frame)
    _check_ranges(frame)
    return frame


def some(frame: pd.DataFrame) -> pd.DataFrame:
    """The table; raises UserError if it has no row."""
    if frame.empty:
        raise UserError("the records are empty; at least one row is needed.")
    return frame


def _check_cells(frame: pd.DataFrame) -> None:
    cells = frame.groupby(["model", "dataset", "seed"], sort=False)
    rungs = np.unique(frame["epoch"])
    if rungs[0] < 1:
        raise UserError(f"column 'epoch' holds {rungs[0]}; epochs count from 1.")
    epochs = cells["epoch"].agg(["max", "size"])
    gaps = epochs[epochs["size"] != np.searchsorted(rungs, epochs["max"]) + 1]
    if len(gaps):
        raise UserError(
            f"the epochs of {_cell(gaps.index[0])} have a gap: it has {gaps['size'].iloc[0]} rows up to epoch "
            f"{gaps['max'].iloc[0]}, and the records are of epochs {', '.join(map(str, rungs[:8]))}"
            f"{' …' * (len(rungs) > 8)}; every cell has them all from the first on."
        )
    empty = frame["val"].isna().groupby([frame[name] for name in ("model", "dataset", "seed")], sort=False).mean()
    partly = empty[(empty > 0) & (empty < 1)]
    if len(partly):
        raise UserError(
            f"val is NaN in some epochs of {_cell(partly.index[0])}; it is given for all epochs or for none."
        )
    last = last_epochs(frame)
    if (hole := last["test"].isna()).any():
        row = last[hole].iloc[0]
        raise UserError(
            f"the final test score of {_cell((row['model'], row['dataset'], row['seed']))} is NaN; "
            "leave a failed cell out, or train it again."
        )


def _check_ranges(frame: pd.DataFrame) -> None:
    bounded = frame["metric"].isin(BOUNDED) if "metric" in frame else pd.Series(True, index=frame.index)
    for column in ("val", "test"):
        values = frame[column]
        wrong = frame[(bounded & ((values < 0) | (values > 1))) | np.isinf(values)]
        if len(wrong):
            row = wrong.iloc[0]
            raise UserError(
                f"{column} of {_cell((row['model'], row['dataset'], row['seed']))} is {row[column]:g}; scores lie in [0, 1]"
                " (percentages are divided by 100; another metric is named in a column metric)."
            )
    if (frame["seconds"] < 0).any():
        raise UserError("column 'seconds' holds negative values.")


def _cell(key: tuple) -> str:
    model, dataset, seed = key
    return f"model {model!r} on dataset {dataset!r} (seed {seed})"
