"""``python -m reproduction.site``: what `make site` calls."""

import argparse
import sys
from pathlib import Path

from reproduction.site import build
from twophase.errors import exit_code
from twophase.infra.config import root


@exit_code()
def main(arguments: list[str] | None = None) -> None:
    """Build the site and print where its index is."""
    parser = argparse.ArgumentParser(
        prog="python -m reproduction.site",
        description="Render results/notebooks/*.ipynb to web pages with an index that open without a network. "
        "Nothing is executed: `make repro` makes the notebooks.",
    )
    parser.add_argument("--target", type=Path, help="folder of the site, replaced (default: the project's build/site)")
    given = parser.parse_args(arguments)
    project = root()
    print(build(project / "results", project / "README.md", given.target or project / "build" / "site"))


if __name__ == "__main__":
    sys.exit(main())
