"""Part *throughput*: cells of the performance matrix a second, with one worker and with more, in turn."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import pandas as pd

from reproduction.bench.sides import in_turn
from reproduction.bench.zoo import live
from twophase.errors import UserError
from twophase.infra.compute import Engine, Failure, parallel_map, using
from twophase.training.cells import train_one
from twophase.training.hardware import PLAIN

ROUNDS = 3  # of short cells, before what is measured


def run(settings: Mapping[str, Any], repeats: int) -> pd.DataFrame:
    """Train the same cells with each number of workers, nothing kept.

    Workers are there and have encoded the tasks, as for all but the first cells of a matrix; what starting them takes is the
    row of repeat 0.

    Args:
        settings: `workers`, a list of numbers; `domains`: domain -> `models` and `datasets`, crossed.
        repeats: of all numbers of workers.

    Returns:
        domain, workers, repeat, seconds, cells.

    Raises:
        UserError: a model or dataset is not there, or a cell failed.
    """
    rows = []
    for domain, chosen in settings["domains"].items():
        zoo = live(domain)
        training = zoo.params.domain[domain].training
        items = [
            (zoo.model(m), zoo.task(d), training, zoo.params.seed) for d in chosen["datasets"] for m in chosen["models"]
        ]
        sides = {str(count): partial(_train, items, count) for count in settings["workers"]}
        first = in_turn({n: partial(_train, items[: int(n)], int(n)) for n in sides}, 1, warm=False)
        rows += [_row(domain, row, int(row["side"])) | {"repeat": 0} for row in first]
        short = [(model, task, replace(training, epochs=1), seed) for model, task, training, seed in items]
        # Each worker keeps the tasks that it has encoded; after a few rounds every worker has met nearly all of them.
        in_turn({name: partial(_train, short, int(name)) for name in sides}, ROUNDS, warm=False)
        rows += [_row(domain, row, len(items)) for row in in_turn(sides, repeats, warm=False)]
    return pd.DataFrame(rows)


def _row(domain: str, row: dict[str, Any], cells: int) -> dict[str, Any]:
    return {
        "domain": domain,
        "workers": int(row["side"]),
        "repeat": row["repeat"],
        "seconds": row["seconds"],
        "cells": cells,
    }


def _train(items: list[tuple], workers: int) -> None:
    engine = Engine("serial") if workers == 1 else Engine("local", workers)
    with using(engine):
        plain = [(*item, PLAIN, None) for item in items]
        for item, result in zip(items, parallel_map(train_one, plain, workers, "throughput"), strict=True):
            if isinstance(result, Failure):
                raise UserError(f"{item[0].name} on {item[1].name} cannot be trained: {result.reason}")
