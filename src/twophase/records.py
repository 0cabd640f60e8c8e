"""Training records: a row per (model, dataset, seed, epoch), of which the performance matrix is a view."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from twophase.errors import UserError
from twophase.inputs import as_datasets_by_models, check_choice, few
from twophase.inputs.records import COLUMNS, ROLES, last_epochs, some, validated

SUFFIXES = (".csv", ".csv.gz", ".parquet")
EMPTY = ["", "nan", "NaN", "NA", "N/A", "null", "NULL", "None"]
AS_WRITTEN = {  # a model may be called 001 or nan
    "dtype": {"model": str, "dataset": str},
    "keep_default_na": False,
    "na_values": dict.fromkeys([*COLUMNS, "metric"], EMPTY) | {"model": [""], "dataset": [""]},
}


class TrainingRecords:
    """Validated records of fine-tuning runs.

    A cell is one (model, dataset, seed); its epochs are the rungs at which it was validated: usually 1 to E, but any
    rising numbers that all cells share (a cell may end early). `val` and `seconds` may be empty for a whole cell (a
    published matrix has no curves); `test` may be empty before a cell's last epoch.

    Attributes:
        frame: columns model, dataset, role, seed, epoch, val, test, seconds, and metric if it was given.
    """

    def __init__(self, frame: pd.DataFrame):
        self.frame = validated(frame)

    def __repr__(self) -> str:
        datasets = self.datasets()
        roles = ", ".join(f"{n} {role}" for role in ROLES if (n := len(self.datasets(role))))
        return (
            f"{len(self.models)} models on {len(datasets)} datasets ({roles}), {self.epochs} epochs, {len(self.frame)} rows; "
            f"the models are {few(self.models)}, the datasets {few(datasets)}"
        )

    @classmethod
    def from_frame(cls, frame: pd.DataFrame) -> TrainingRecords:
        """Records from a table (or records). Raises UserError naming what is missing, doubled, empty or out of range."""
        return frame if isinstance(frame, cls) else cls(frame)

    @classmethod
    def from_matrix(
        cls, matrix: pd.DataFrame, role: str = "benchmark", metrics: Mapping[str, str] | None = None
    ) -> TrainingRecords:
        """Records without curves from final scores, datasets (rows) x models (columns); empty cells are left out.

        `metrics`: dataset -> metric, for those that are not measured by accuracy (a correlation may be negative).
        """
        named = as_datasets_by_models(matrix).rename_axis(index="dataset", columns="model")
        long = named.stack().dropna().rename("test").reset_index()
        if metrics:
            long["metric"] = long["dataset"].map(dict(metrics)).fillna("accuracy")
        return cls(long.assign(role=role, seed=0, epoch=1, val=np.nan, seconds=np.nan))

    @classmethod
    def read(cls, path: str | Path) -> TrainingRecords:
        """Records from a .csv, .csv.gz or .parquet file. In csv the names of models and datasets are text, as written.

        Raises:
            UserError: the file is missing, empty, or of another kind; or see `from_frame`.
        """
        path = Path(path)
        suffix = _suffix(path)
        try:
            frame = pd.read_parquet(path) if suffix == ".parquet" else pd.read_csv(path, **AS_WRITTEN)
        except FileNotFoundError as error:
            raise UserError(f"{path} does not exist; give the path of a records file.") from error
        except (ValueError, OSError, EOFError) as error:  # pandas' and pyarrow's parsing errors derive from these
            raise UserError(f"{path} cannot be read as {suffix[1:]} ({error}); give a table of records.") from error
        try:
            return cls(frame)
        except UserError as error:
            raise UserError(f"{path}: {error}") from None

    def write(self, path: str | Path) -> Path:
        """Write csv or parquet by the path's suffix, the same bytes for the same records; returns the path.

        Raises:
            UserError: another suffix.
        """
        path = Path(path)
        suffix = _suffix(path)
        if suffix == ".parquet":
            self.frame.to_parquet(path, index=False)
        else:
            packed = {"method": "gzip", "mtime": 0} if suffix == ".csv.gz" else None
            self.frame.to_csv(path, index=False, lineterminator="\n", compression=packed)
        return path

    @property
    def models(self) -> list[str]:
        """Models in order of first appearance."""
        return list(self.frame["model"].unique())

    @property
    def epochs(self) -> int:
        """Epochs of the longest cell."""
        return int(self.frame["epoch"].max())

    @property
    def rungs(self) -> list[int]:
        """Epochs after which runs were validated, rising."""
        return sorted(int(epoch) for epoch in self.frame["epoch"].unique())

    def datasets(self, role: str | None = None) -> list[str]:
        """Datasets in order of first appearance, of one role or of all."""
        frame = self.frame if role is None else self.frame[self.frame["role"] == role]
        return list(frame["dataset"].unique())

    def only(self, role: str) -> TrainingRecords:
        """The records of one role."""
        return self.where(self.frame["role"] == role)

    def without(self, datasets: Iterable[str] = (), models: Iterable[str] = ()) -> TrainingRecords:
        """The records but for some datasets and models."""
        out = self.frame["dataset"].isin(list(datasets)) | self.frame["model"].isin(list(models))
        return self.where(~out)

    def where(self, kept: pd.Series) -> TrainingRecords:
        """The records of the rows that are true in `kept` (by `frame`'s index): whole cells, so nothing is checked anew.

        Raises:
            UserError: no row is.
        """
        part = TrainingRecords.__new__(TrainingRecords)
        part.frame = some(self.frame[kept].reset_index(drop=True))
        return part

    def first_seed(self, dataset: str | None = None) -> pd.DataFrame:
        """The rows of each model's lowest seed, on one dataset or on all: the runs that selections replay."""
        rows = self.frame if dataset is None else self.frame[self.frame["dataset"] == dataset]
        return rows[rows["seed"] == rows.groupby(["model", "dataset"])["seed"].transform("min")]

    def matrix(
        self, role: str | None = "benchmark", exclude: Iterable[str] = (), missing: str = "raise"
    ) -> pd.DataFrame:
        """The performance matrix: final test score, seeds averaged, datasets (rows) x models (columns).

        Args:
            role: "benchmark", "target", or None for both.
            exclude: datasets to leave out.
            missing: what to do about empty cells: "raise", "drop" the models that have any, or "keep" them as NaN.

        Raises:
            UserError: empty cells with missing="raise" (named), no records of that role, an unknown option.
        """
        check_choice("missing", missing, ("raise", "drop", "keep"))
        last = last_epochs(self.frame)
        last = last[(last["role"] == role) | (role is None)]
        last = last[~last["dataset"].isin(list(exclude))]
        if last.empty:
            raise UserError(
                f"no records of role {role!r} are left; roles present: {sorted(self.frame['role'].unique())}."
            )
        table = last.groupby(["dataset", "model"], sort=False)["test"].mean().unstack("model")
        table = table.reindex(index=last["dataset"].unique(), columns=[m for m in self.models if m in table.columns])
        holes = [(dataset, model) for dataset, model in zip(*np.where(table.isna()), strict=True)]
        if holes and missing == "raise":
            named = ", ".join(f"{table.columns[m]} on {table.index[d]}" for d, m in holes[:5])
            more = f" and {len(holes) - 5} more" if len(holes) > 5 else ""
            raise UserError(
                f"{len(holes)} cells of the matrix are missing: {named}{more}; "
                "train them, or pass missing='drop' (leave such models out) or 'keep' (NaN)."
            )
        return table.dropna(axis="columns") if missing == "drop" else table

    def final(self, dataset: str) -> pd.Series:
        """Final test score of every model that was trained on a dataset, seeds averaged."""
        self._known(dataset)
        last = last_epochs(self.frame[self.frame["dataset"] == dataset])
        return last.groupby("model", sort=False)["test"].mean()

    def curve(self, model: str, dataset: str, seed: int | None = None) -> pd.Series:
        """Validation score per epoch (index, from 1) of one cell; seeds averaged where none is named.

        Raises:
            UserError: no such cell, or records without curves.
        """
        self._known(dataset)
        rows = self.frame[(self.frame["model"] == model) & (self.frame["dataset"] == dataset)]
        if seed is not None:
            rows = rows[rows["seed"] == seed]
        if rows.empty:
            raise UserError(
                f"no records of model {model!r} on {dataset!r}" + ("" if seed is None else f" with seed {seed}") + "."
            )
        if rows["val"].isna().any():
            raise UserError(
                f"the records of {model!r} on {dataset!r} have no validation curve (final scores only); "
                "what needs curves, such as halving or convergence trends, cannot use them."
            )
        return rows.groupby("epoch")["val"].mean()

    def _known(self, dataset: str) -> None:
        if dataset not in set(self.frame["dataset"]):
            raise UserError(f"no records of dataset {dataset!r}; datasets: {', '.join(self.datasets())}.")


def _suffix(path: Path) -> str:
    for suffix in SUFFIXES:
        if path.name.endswith(suffix):
            return suffix
    raise UserError(f"{path}: records are {', '.join(SUFFIXES)}, not {path.suffix or 'a file without a suffix'}.")
