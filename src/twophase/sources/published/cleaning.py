"""What a reader returns, and the account of what it left out."""

from dataclasses import dataclass

import pandas as pd

from twophase.records import TrainingRecords


@dataclass(frozen=True)
class Published:
    """Published records as this project reads them.

    Attributes:
        records: final scores, or curves where there are any.
        account: a row a cleaning step: what was left out and why (step), how many of which unit (dropped, unit), how
            many are left (left).
        models: facts of each model that the source gives, for example base_model, size (parameters).
    """

    records: TrainingRecords
    account: pd.DataFrame
    models: pd.DataFrame

    @property
    def matrix(self) -> pd.DataFrame:
        """Final scores, datasets x models; models with empty cells are left out."""
        return self.records.matrix(role=None, missing="drop")


class Account:
    """Keeps count while rows are left out."""

    def __init__(self, unit: str):
        self._unit = unit
        self._steps: list[tuple] = []

    def start(self, frame: pd.DataFrame, source: str) -> pd.DataFrame:
        """The rows as they came."""
        self._steps.append((f"in {source}", 0, self._unit, len(frame)))
        return frame

    def keep(self, frame: pd.DataFrame, these: pd.Series, why: str) -> pd.DataFrame:
        """The rows where `these` holds; the others are counted under `why`."""
        kept = frame[these]
        self._steps.append((why, len(frame) - len(kept), self._unit, len(kept)))
        return kept

    @property
    def table(self) -> pd.DataFrame:
        """step, dropped, unit, left."""
        return pd.DataFrame(self._steps, columns=["step", "dropped", "unit", "left"])
