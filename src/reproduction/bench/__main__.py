"""`python -m reproduction.bench [part …] key=value`: what `make bench` runs."""

import argparse
import json
import os
import platform
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import psutil

from reproduction.stages import QUIET
from twophase.errors import UserError, exit_code, unknown
from twophase.infra import config, files
from twophase.infra.compute import worker_count
from twophase.infra.machine import processor, versions

# part -> its block of conf/bench.yaml, and the module and function that give a row per measurement
PARTS = {
    "clustering": ("clustering", "clustering", "run"),
    "agreement": ("clustering", "agreement", "agreement"),
    "likeness": ("clustering", "agreement", "likeness"),
    "proxies": ("proxies", "proxies", "run"),
    "throughput": ("throughput", "live", "throughput"),
    "trainer": ("trainer", "live", "trainer"),
    "end_to_end": ("end_to_end", "live", "end_to_end"),
    "hub": ("hub", "hub", "run"),
    "profile": ("profile", "stages", "run"),
}
OPTIONAL = ("likeness", "hub", "profile")  # left out, with a sentence, where what they read is not there
FILES = {"profile": "stages"}  # file of a part that is not called after it
PACKAGES = ("torch", "transformers", "numpy", "scipy", "scikit-learn", "numba")
BESIDE = ("optuna", "accelerate", "transformer-ranker")  # what one would use instead

EPILOG = f"""parts: {", ".join(PARTS)}; all of them without a name.

A finished part is kept when the run is interrupted; results/bench/ is written when all that were asked for are there.
key=value overrides conf/bench.yaml, for example proxies.repeats=3.
  python -m reproduction.bench proxies trainer
  python -m reproduction.bench profile profile.before=build/before.log profile.after=build/after.log
"""


@exit_code("interrupted; the parts that are finished are kept")
def main(arguments: list[str] | None = None) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        prog="python -m reproduction.bench",
        description="Measure how long things take, beside what one would use instead; writes results/bench/.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("given", nargs="*", metavar="part | key=value")
    given = parser.parse_args(arguments).given
    os.environ.update(QUIET | os.environ)
    root = config.root()
    parts = [word for word in given if "=" not in word]
    overrides = [word for word in given if "=" in word]
    for path in run(parts, overrides, print, root / "results" / "bench", root / "build" / "bench"):
        print(os.path.relpath(path))


def settings(overrides: list[str]) -> dict[str, dict]:
    """The blocks of `conf/bench.yaml`. Raises UserError on an unknown key or a wrong value."""
    values = config.parse(config.compose(overrides, "bench"), "conf/bench.yaml")
    for name, block in values.items():
        repeats = block.setdefault("repeats", 1)
        if type(repeats) is not int or repeats < 1:
            raise UserError(f"{name}.repeats: got {repeats!r}; allowed is a whole number of at least 1")
    return values


def run(parts: list[str], overrides: list[str], say: Callable[[str], None], results: Path, kept: Path) -> list[Path]:
    """Measure parts (none: all) and return the files written; what an interrupted run has finished is not measured again.

    Args:
        overrides: of `conf/bench.yaml`, `key=value`.
        results: folder of the csv files and of `machine.json`, written when all parts are there.
        kept: folder of the parts finished so far.

    Raises:
        UserError: an unknown part or key, or what a part needs is not there.
    """
    values, done = settings(overrides), {}
    known = [part for part, (block, *_) in PARTS.items() if block in values]
    if strange := next((part for part in parts if part not in known), None):
        raise unknown(f"part {strange!r}", strange, known)
    for part in parts or known:
        try:
            done[part] = _measured(part, values[PARTS[part][0]], kept / part, say)
        except UserError as error:
            if parts or part not in OPTIONAL:
                raise
            say(f"{part}: left out. {error}")
    return _publish(done, results)


def _measured(part: str, block: Mapping, path: Path, say: Callable[[str], None]) -> Path:
    """The folder of a finished part, measured now unless it is there with the same settings."""
    key = files.digest(json.dumps(block, sort_keys=True).encode())
    mark = path / "settings"
    if mark.is_file() and mark.read_text() == key:
        say(f"{part}: kept from the run before.")
        return path
    say(f"{part}: {block['repeats']} repeats" if block["repeats"] > 1 else f"{part}:")
    machine = _machine()
    _, module, function = PARTS[part]
    measure = resolve_name(f"{__package__}.{module}:{function}")
    table = measure({name: value for name, value in block.items() if name != "repeats"}, block["repeats"])
    path.mkdir(parents=True, exist_ok=True)
    table.to_csv(path / "table.csv", index=False, float_format="%.10g", lineterminator="\n")
    (path / "machine.json").write_text(json.dumps(machine))
    mark.write_text(key)
    return path


def _machine() -> dict[str, Any]:
    """Processor, cores, memory, versions, and the load of the last minute. No date: a repeat differs by its figures."""
    return {
        "processor": processor(),
        "cores": worker_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": versions(PACKAGES + BESIDE),
        "load_at_start": round(os.getloadavg()[0], 2),
    }


def _publish(done: dict[str, Path], results: Path) -> list[Path]:
    """Move the tables to the results, and enter the machine that each was measured on."""
    described = results / "machine.json"
    machines = json.loads(described.read_text()) if described.is_file() else {}
    written = []
    for part, folder in done.items():
        machines[part] = json.loads((folder / "machine.json").read_text())
        results.mkdir(parents=True, exist_ok=True)
        written.append((folder / "table.csv").replace(results / f"{FILES.get(part, part)}.csv"))
        shutil.rmtree(folder)
    if written:
        files.write_json(described, {part: machines[part] for part in PARTS if part in machines})
    return written


if __name__ == "__main__":
    sys.exit(main())
