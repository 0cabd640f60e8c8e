"""Where the time of `make repro` goes, stage by stage, from what DVC printed and when.

    make from-scratch | python -m reproduction.bench.stages > build/before.log

writes DVC's lines with the seconds since the start before each; two such files, of before and after a change, make
``results/bench/stages.csv``. A stage says itself how long it took (`reproduction.stages`); where it does not, it lasts
until the next line about a stage.
"""

import itertools
import re
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import pandas as pd

from twophase.errors import UserError

HOW = "write one with `make from-scratch | python -m reproduction.bench.stages > FILE`"
LINE = re.compile(r"\s*(\d+(?:\.\d+)?) ?(.*)")
FINISHED = re.compile(r"Finished stage '(.+)' in (\d+(?:\.\d+)?) seconds")
BEGAN = re.compile(r"Running stage '(?P<running>.+)':|Stage '.+' (didn't change|is cached)")


def run(settings: Mapping, repeats: int = 1) -> pd.DataFrame:
    """Seconds a stage; ``settings``: the files of "before" and "after", either of them may be None (left out).

    Columns: when ("before", "after"), stage ("all": the whole), seconds; in the order in which the stages ran. Raises
    UserError where no file is named, one is not there, or it holds no stage.
    """
    given = {when: settings[when] for when in ("before", "after") if settings.get(when)}
    if not given:
        raise UserError(f"profile.before and profile.after name no file; {HOW} and give profile.before=FILE.")
    tables = [parse(Path(path)).assign(when=when) for when, path in given.items()]
    return pd.concat(tables)[["when", "stage", "seconds"]]


def parse(path: Path) -> pd.DataFrame:
    """Stage and seconds, from a file of DVC's lines with the time before each. Raises UserError without any stage."""
    if not path.is_file():
        raise UserError(f"{path} is not there; {HOW}.")
    marks: list[tuple[float, str | None]] = []
    said: dict[str, float] = {}
    last = 0.0
    for found in filter(None, map(LINE.match, path.read_text(encoding="utf-8").splitlines())):
        last = float(found[1])
        if began := BEGAN.match(found[2]):
            marks.append((last, began["running"]))
        elif finished := FINISHED.match(found[2]):
            said[finished[1]] = float(finished[2])
    marks.append((last, None))
    rows = [(name, said.get(name, end - start)) for (start, name), (end, _) in itertools.pairwise(marks) if name]
    if not rows:
        raise UserError(f"{path} holds no line such as \"12.3 Running stage 'check':\"; see reproduction.bench.stages.")
    return pd.DataFrame([*rows, ("all", last)], columns=["stage", "seconds"]).round({"seconds": 2})


def stamp(lines: IO[str], to: IO[str]) -> None:
    """Write each line as it comes, with the seconds since the start before it, and the end of all."""
    start = time.perf_counter()
    for line in lines:
        print(f"{time.perf_counter() - start:9.2f} {line.rstrip()}", file=to, flush=True)
    print(f"{time.perf_counter() - start:9.2f} end", file=to, flush=True)


if __name__ == "__main__":
    stamp(sys.stdin, sys.stdout)
