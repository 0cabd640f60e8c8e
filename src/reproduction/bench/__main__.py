"""``python -m reproduction.bench [part …] key=value``: what `make bench` runs."""

import argparse
import os
import sys
from pathlib import Path

from reproduction.bench.harness import PARTS, run
from reproduction.stages import QUIET
from twophase.errors import UserError
from twophase.infra import config

EPILOG = """parts: {parts}; all of them without a name.

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
        epilog=EPILOG.format(parts=", ".join(PARTS)),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("given", nargs="*", metavar="part | key=value")
    given = parser.parse_args(arguments).given
    os.environ.update({name: value for name, value in QUIET.items() if name not in os.environ})
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


if __name__ == "__main__":
    sys.exit(main())
