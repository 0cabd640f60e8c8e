"""`python -m reproduction.bench [part …] key=value`: what `make bench` runs.

Parts are measured one after the other; what is finished is kept, and `results/bench/` is written when all are there.
"""

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import psutil

from reproduction.stages import QUIET
from twophase.errors import UserError, unknown
from twophase.infra import config
from twophase.infra.compute import worker_count
from twophase.infra.files import digest
from twophase.infra.machine import processor, versions

# part -> its block of conf/bench.yaml, and the module and function that give a row a measurement
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
PACKAGES = (
    "torch",
    "transformers",
    "numpy",
    "scipy",
    "scikit-learn",
    "numba",
    "optuna",
    "accelerate",
    "transformer-ranker",
)

EPILOG = f"""parts: {", ".join(PARTS)}; all of them without a name.

A part that is finished is kept when the run is interrupted, and results/bench/ is written when all that were asked for
are there. key=value overrides conf/bench.yaml, for example proxies.repeats=3.
  python -m reproduction.bench proxies trainer
  python -m reproduction.bench profile profile.before=build/before.log profile.after=build/after.log
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark. Returns 0, 2 for the user's fault, 130 on Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog="python -m reproduction.bench",
        description="Measure how long things take, beside what one would use instead; writes results/bench/.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("given", nargs="*", metavar="part | key=value")
    given = parser.parse_args(arguments).given
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    try:
        root = config.root()
        parts = [word for word in given if "=" not in word]
        overrides = [word for word in given if "=" in word]
        written = run(parts, overrides, print, root / "results" / "bench", root / "build" / "bench")
    except UserError as error:
        print(f"twophase: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("twophase: interrupted; the parts that are finished are kept", file=sys.stderr)
        return 130
    for path in written:
        print(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
    return 0


def settings(overrides: list[str]) -> dict[str, dict]:
    """The blocks of `conf/bench.yaml`. Raises UserError on an unknown key or a wrong value."""
    values = config.parse(config.compose(overrides, "bench"), "conf/bench.yaml")
    for name, block in values.items():
        repeats = block.setdefault("repeats", 1)
        if isinstance(repeats, bool) or not isinstance(repeats, int) or repeats < 1:
            raise UserError(f"{name}.repeats: got {repeats!r}; allowed is a whole number of at least 1")
    return values


def run(parts: list[str], overrides: list[str], say: Callable[[str], None], results: Path, kept: Path) -> list[Path]:
    """Measure parts, each once: one that an interrupted run has finished with the same settings is not measured again.

    Args:
        parts: names; none for all that the configuration has.
        overrides: of `conf/bench.yaml`, `key=value`.
        results: folder of the csv files and of `machine.json`, written when all parts are there.
        kept: folder of the parts finished so far.

    Returns:
        The files written.

    Raises:
        UserError: an unknown part or key, or what a part needs is not there.
    """
    values, done = settings(overrides), {}
    known = [part for part, (block, *_) in PARTS.items() if block in values]
    for part in parts:
        if part not in known:
            raise unknown(f"part {part!r}", part, known)
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
    key = digest(json.dumps(block, sort_keys=True).encode())
    mark = path / "settings"
    if mark.is_file() and mark.read_text() == key:
        say(f"{part}: kept from the run before.")
        return path
    say(f"{part}: {block['repeats']} repeats" if block["repeats"] > 1 else f"{part}:")
    machine = _machine()
    _, module, function = PARTS[part]
    measure = getattr(import_module(f"{__package__}.{module}"), function)
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
        "packages": versions(PACKAGES),
        "load_at_start": round(os.getloadavg()[0], 2),
    }


def _publish(done: dict[str, Path], results: Path) -> list[Path]:
    """Move the tables to the results, and enter the machine that each was measured on."""
    results.mkdir(parents=True, exist_ok=True)
    described = results / "machine.json"
    machines = json.loads(described.read_text()) if described.is_file() else {}
    written = []
    for part, folder in done.items():
        machines[part] = json.loads((folder / "machine.json").read_text())
        target = results / f"{FILES.get(part, part)}.csv"
        (folder / "table.csv").replace(target)
        written.append(target)
        for left in folder.iterdir():
            left.unlink()
    if written:
        ordered = {part: machines[part] for part in PARTS if part in machines}
        described.write_text(json.dumps(ordered, indent=2) + "\n")
    return written


if __name__ == "__main__":
    sys.exit(main())
