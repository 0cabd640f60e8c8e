"""`twophase clean`: an empty cell store."""

import argparse
import sys

from twophase.errors import UserError
from twophase.infra.store import Store


def run(given: argparse.Namespace) -> None:

    store = Store()
    files, size = store.size()
    if not files:
        print(f"{store.root} is empty")
        return
    if not given.yes:
        if not sys.stdin.isatty():
            raise UserError(f"{store.root} holds {files} files ({size / 1e6:.1f} MB); to remove them give --yes")
        if input(f"remove {files} files ({size / 1e6:.1f} MB) from {store.root}? [y/N] ").strip().lower() != "y":
            print("nothing removed")
            return
    store.clear()
    print(f"removed {files} files ({size / 1e6:.1f} MB) from {store.root}")
