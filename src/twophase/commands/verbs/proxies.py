"""`twophase proxies`: the proxy scores that there are."""

import argparse

from twophase.commands import wording
from twophase.proxies import PROXIES


def run(given: argparse.Namespace) -> None:

    rows = [(name, run.reads, (run.__doc__ or "").strip().splitlines()[0]) for name, run in PROXIES.items()]
    wording.show(("proxy", "reads", "what it is"), rows)
