"""`twophase records`: other groups' fine-tuning records."""

import argparse

from twophase.commands import wording
from twophase.sources.live import parameters
from twophase.sources.published import READERS
from twophase.sources.published.catalogue import catalogue, get, kept


def run(given: argparse.Namespace) -> None:

    overrides = [part for part in given.given if "=" in part]
    sources = [part for part in given.given if "=" not in part]
    entries = [entry for source in sources or [None] for entry in catalogue(source)]
    mirror = parameters.load(overrides).published.mirror
    if given.action == "list":
        rows = [
            (e.source, e.file, f"{e.bytes / 1000:.1f} kB", e.licence, "yes" if kept(e, mirror) else "no")
            for e in entries
        ]
        wording.show(("source", "file", "size", "licence", "here"), rows)
        return
    for entry in entries:
        print(get(entry, mirror))
    for source in dict.fromkeys(entry.source for entry in entries):
        found = READERS[source](mirror=mirror)
        print(f"\n{source}: {len(found.records.models)} models, {len(found.records.datasets())} datasets")
        wording.show(tuple(found.account), list(found.account.itertuples(index=False)))
