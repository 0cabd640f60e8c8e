"""What a run found: the winner, how it was found, and what it cost."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from urllib.parse import quote

import pandas as pd
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix

from twophase.commands.wording import counted, metric, seconds, short
from twophase.errors import unknown
from twophase.infra.files import write_json

LEAKED = 0.01  # share of test rows seen in training, from which on the accuracy is marked
RISING = 0.01  # of validation over the last epoch, from which on more epochs are advised


@dataclass(frozen=True, repr=False)
class Outcome:
    """What `twophase.select` returns; in a notebook it shows itself as a table and pictures.

    Attributes:
        winner: name of the model selected.
        test: its accuracy on the test split, `interval` with 95 % (Wilson).
        baseline: accuracy of always answering the training split's most frequent class.
        metric, score: what the selection was judged by, and its value on the test split.
        model: folder of the fine-tuned model, for `transformers.pipeline`.
        recall: the ranking of all models (prior, proxy, recall_score, rank, recalled); `ranking` is the same.
        history: a row a stage and model: stage, model, val, predicted, kept, reason.
        ledger: what was trained: stage, model, epochs, seconds.
        costs: a row a method (that of this run; brute force, estimated): epochs, seconds.
        classes: a row a class: training and test examples, right (share), low, high, most often taken for.
        facts: everything that `selection.json` holds.
        folder: of the run.
        finished: False if it was stopped, or its minutes were over; then the winner is the best so far.
        pictures: draws the outcome: title -> an image tag.
    """

    winner: str
    test: float
    interval: tuple[float, float]
    baseline: float
    metric: str
    score: float
    model: Path
    recall: pd.DataFrame
    history: pd.DataFrame
    ledger: pd.DataFrame
    costs: pd.DataFrame
    classes: pd.DataFrame
    facts: dict
    folder: Path
    finished: bool = True
    pictures: Callable[[Outcome], dict[str, str]] = lambda outcome: {}

    @property
    def report(self) -> Path:
        """The report as a web page that needs no network."""
        return self.folder / "report.html"

    @property
    def ranking(self) -> pd.DataFrame:
        """The ranking of all models before any training."""
        return self.recall

    @property
    def trained(self) -> int:
        """Epochs that the winner was trained for."""
        return int(self.history.loc[self.history["model"] == self.winner, "stage"].max())

    @property
    def leaked(self) -> str:
        """Says how many test rows are also in the training data, and what that does at most; empty if none is."""
        n, total = self.facts["data"]["leaked"], self.facts["data"]["test"]
        if not n:
            return ""
        effect = f", which raises the accuracy by {n / total:.2g} at most" if n < total else ""
        return f"{n:,} of {total:,} test rows {'is' if n == 1 else 'are'} also in the training data{effect}"

    @property
    def misleading(self) -> bool:
        """Whether so many are that the accuracy says little about new data."""
        return self.facts["data"]["leaked"] > LEAKED * self.facts["data"]["test"]

    @property
    def baselines(self) -> list[dict]:
        """What linear classifiers reach without fine-tuning: name, accuracy, score, seconds; the best first."""
        return sorted(self.facts.get("baselines", []), key=lambda row: -row["accuracy"])

    @property
    def beaten(self) -> str:
        """Says that a linear classifier is as good on the test split, or better, and what to do; empty if none is."""
        best = next(iter(self.baselines), {"accuracy": -1.0})
        if best["accuracy"] < self.test:
            return ""
        by = f"better than the selected model, {best['accuracy']:.3f} against {self.test:.3f}"
        how = by if best["accuracy"] > self.interval[1] else "as good as the selected model"
        return (
            f"{best['name'][0].upper()}{best['name'][1:]} is {how}: use that, train for longer (training.epochs), or choose a zoo "
            "of larger models"
        )

    @property
    def rising(self) -> str:
        """Says that the winner's validation was still rising when its training ended; empty if it was not."""
        val = self.history[self.history["model"] == self.winner].sort_values("stage")["val"].tolist()
        if len(val) < 2 or val[-1] < max(val) or val[-1] - val[-2] < RISING:
            return ""
        return (
            f"{val[-2]:.3f} to {val[-1]:.3f} over the last epoch: training.epochs={4 * self.facts['training']['epochs']} "
            "would give it time"
        )

    @property
    def saving(self) -> float:
        """How many times fewer seconds than the estimate for brute force."""
        return float(self.costs["seconds"].iloc[1] / self.costs["seconds"].iloc[0])

    def summary(self) -> pd.DataFrame:
        """The outcome in a few rows."""
        low, high = self.interval
        accuracy = f"{self.test:.3f} (95 %: {low:.3f} to {high:.3f})"
        spent, whole = self.costs.iloc[0], self.costs.iloc[1]
        chance = (self.facts.get("belief") or {}).get("probability")
        times = f" ({self.saving:.1f} times as long)" if self.saving >= 1 else ""
        rows = {
            "selected model": self.winner + ("" if self.finished else " (best so far)"),
            "test accuracy": f"{accuracy}; too high: {self.leaked}" if self.misleading else accuracy,
            **({} if self.metric == "accuracy" else {f"test {metric(self.metric)}": f"{self.score:.3f}"}),
            "most frequent class": f"accuracy {self.baseline:.3f}",
            **{
                f"without fine-tuning ({number})"
                if number > 1
                else "without fine-tuning": f"accuracy {row['accuracy']:.3f}, {row['name']}, {seconds(row['seconds'])}"
                for number, row in enumerate(self.baselines, 1)
            },
            **({"a simpler way": self.beaten} if self.beaten else {}),
            **({"still rising": f"validation, {self.rising}"} if self.rising else {}),
            **({} if chance is None else {"the best of all": f"with probability {chance:.2f}"}),
            "cost": f"{counted(spent['epochs'], 'epoch')}, {seconds(spent['seconds'])}",
            "trying all of them": f"{counted(whole['epochs'], 'epoch')}, about {seconds(whole['seconds'])}{times}",
            "model": short(self.model),
            "report": short(self.report),
        }
        return pd.Series(rows, name="").rename_axis("").to_frame()

    def __str__(self) -> str:
        rows = self.summary()[""]
        width = max(map(len, rows.index))
        return "\n".join(f"{name.ljust(width)}  {value}" for name, value in rows.items())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = {name: escape(value) for name, value in self.summary()[""].items()}
        for name, path in (("model", self.model), ("report", self.report)):
            rows[name] = f'<a href="{quote(os.path.relpath(path))}">{rows[name]}</a>'
        left = 'style="text-align: left"'
        cells = "".join(f"<tr><th {left}>{name}</th><td {left}>{value}</td></tr>" for name, value in rows.items())
        return f"<table><tbody>{cells}</tbody></table>" + "".join(self.pictures(self).values())

    def why(self, model: str) -> str:
        """What became of a model, in a sentence.

        Raises:
            UserError: it was no candidate.
        """
        failures = self.facts.get("failures", {})
        trained = self.history[self.history["model"] == model]
        if model not in self.recall.index and model not in failures and trained.empty:
            raise unknown(f"model {model!r}", model, [*self.recall.index, *failures])
        if model in failures:
            return f"{model} was left out: {failures[model]}"
        rank = f"ranked {self.recall.loc[model, 'rank']} of {len(self.recall)} before any training"
        if trained.empty:
            return f"{model} was {rank} and not trained."
        last = trained.sort_values("stage").iloc[-1]
        won, reached = (
            model == self.winner,
            f"with validation {last['val']:.3f} after {counted(last['stage'], 'epoch')}",
        )
        ended = "was selected" if won else f"ended ({last['reason']})"
        return f"{model} was {rank}, and {ended} {reached}."

    def usage(self, model: str) -> str:
        """How the model is used, as Python; `model`: its folder."""
        kind = self.facts["pipeline"]
        options = [f'"{kind}"', f'model="{model}"', *(["truncation=True"] if kind == "text-classification" else [])]
        example = '"a picture.png"' if kind == "image-classification" else '"a text"'
        if self.facts["data"]["pairs"]:
            example = '{"text": "a text", "text_pair": "another"}'
        inside = "".join(f"    {option},\n" for option in options)
        return f"from transformers import pipeline\n\nclassify = pipeline(\n{inside})\nclassify({example})"

    def write(self) -> None:
        """Write `selection.json` into the run's folder."""
        write_json(self.folder / "selection.json", self.facts)


def wilson(right: int, n: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson, 1927)."""
    found = binomtest(right, n).proportion_ci(0.95, method="wilson")
    return float(found.low), float(found.high)


def by_class(labels, predicted, training: pd.Series) -> pd.DataFrame:
    """A row a class: training and test examples, right (share), interval, most often taken for (and how often).

    Args:
        labels, predicted: numbers of classes, an entry a test example.
        training: examples of each class in the training split, in the order of their numbers.
    """
    table = confusion_matrix(labels, predicted, labels=range(len(training)))
    rows = {}
    for number, (name, seen) in enumerate(training.items()):
        n, right = int(table[number].sum()), int(table[number, number])
        low, high = wilson(right, n) if n else (math.nan, math.nan)
        wrong = table[number].copy()
        wrong[number] = 0
        other = int(wrong.argmax())
        rows[name] = {
            "training": int(seen),
            "test": n,
            "right": right / n if n else math.nan,
            "low": low,
            "high": high,
            "most often taken for": f"{training.index[other]} ({wrong[other]})" if wrong[other] else "",
        }
    return pd.DataFrame(rows).T.rename_axis("class").infer_objects()
