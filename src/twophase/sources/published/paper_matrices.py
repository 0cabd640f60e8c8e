"""The paper's own performance matrices (39 x 21 and 30 x 6) and the LEEP scores that were released with them."""

from pathlib import Path

import pandas as pd

from twophase.errors import UserError
from twophase.records import TrainingRecords
from twophase.sources.published.catalogue import Account, Published, find, get

SOURCE = "two-phase-selection"
DOMAINS = ("nlp", "cv")
LEEP_TARGET = {"nlp": "multirc", "cv": "xray"}  # the only targets whose scores were released

CORRELATIONS = {"cola": "matthews", "stsb": "correlation"}  # of which some cells are negative


def read(domain: str = "nlp", mirror: str | Path | None = None) -> Published:
    """The matrix of a domain, every dataset a benchmark.

    Args:
        domain: "nlp" (39 models x 21 datasets) or "cv" (30 x 6).
        mirror: see `catalogue.get`.

    Raises:
        UserError: an unknown domain, or a file that cannot be had.
    """
    _check(domain)
    account = Account("models")
    table = pd.read_csv(_path(f"{domain}_matrix.tsv", mirror), sep="\t")
    names = _path(f"{domain}_datasets.txt", mirror).read_text(encoding="utf-8").split()
    matrix = table.set_axis(names, axis="index").rename(columns=lambda name: name.replace("--", "/"))
    account.start(matrix.T, f"{domain}_matrix.tsv")
    return Published(
        TrainingRecords.from_matrix(matrix, metrics=CORRELATIONS), account.table, pd.DataFrame(index=matrix.columns)
    )


def leep(domain: str = "nlp", mirror: str | Path | None = None) -> pd.Series:
    """Released LEEP scores, model -> score (nats), on MultiRC (nlp) or the X-ray dataset (cv)."""
    _check(domain)
    table = pd.read_csv(_path(f"{domain}_leep_{LEEP_TARGET[domain]}.tsv", mirror), sep="\t")
    return table.iloc[0].rename(index=lambda name: name.replace("--", "/")).rename("leep")


def _path(file: str, mirror: str | Path | None) -> Path:
    return get(find(SOURCE, file), mirror)


def _check(domain: str) -> None:
    if domain not in DOMAINS:
        raise UserError(f"unknown domain {domain!r} of the paper's matrices; allowed: {', '.join(DOMAINS)}.")
