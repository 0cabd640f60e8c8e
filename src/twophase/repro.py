"""``python -m twophase.repro [--force]``: the pipeline, with what follows training side by side for the domains.

DVC runs one stage after the other. Stages that train use every core themselves; those that analyse and draw use one,
so each domain's are handed to a DVC of its own. ``dvc repro`` does the same, one by one.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

ALONE = ("check", "tasks", "zoo", "records", "second_rate", "proxies")  # they use all workers, or their seconds count
LAST = ("15_your_own_data",)  # measures seconds, too
DVC = [sys.executable, "-m", "dvc", "--wait-for-lock"]


def order(stages: list[str]) -> tuple[list[str], list[list[str]], list[str]]:
    """What runs first, what runs side by side (a list a domain), what runs last.

    Args:
        stages: names in the order of dvc.yaml, "stage" or "stage@domain".
    """
    first = [name for name in stages if name.split("@")[0] in ALONE]
    middle = [name for name in stages if "@" in name and name.split("@")[0] not in (*ALONE, *LAST)]
    domains = dict.fromkeys(name.split("@")[1] for name in middle)
    together = [[name for name in middle if name.endswith(f"@{domain}")] for domain in domains]
    return first, together, [name for name in stages if name not in {*first, *middle}]


def repro(force: bool = False) -> int:
    """Run what is missing or stale, or with `force` everything; returns the exit code of the first DVC that failed."""
    listed = subprocess.run([*DVC, "stage", "list", "--name-only"], stdout=subprocess.PIPE, text=True)
    if listed.returncode:
        return listed.returncode
    first, together, last = order(listed.stdout.split())
    # forced one by one: by their targets alone, DVC would force all that is before them, too
    command = [*DVC, "repro", *(["--force", "--single-item"] if force else [])]
    if code := subprocess.run([*command, *first]).returncode:
        return code
    from .compute import worker_count

    share = os.environ | {"TWOPHASE_WORKERS": str(max(1, worker_count() // max(1, len(together))))}
    running = [subprocess.Popen([*command, *stages], env=share) for stages in together]
    if code := max((process.wait() for process in running), default=0, key=abs):
        return code
    return subprocess.run([*command, *last]).returncode


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m twophase.repro", description=__doc__.splitlines()[0])
    parser.add_argument("--force", action="store_true", help="also what is up to date")
    try:
        return repro(parser.parse_args(arguments).force)
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
