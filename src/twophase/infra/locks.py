"""Locks that say who has them: a lock file, and beside it a note of its holder."""

import contextlib
import json
import os
import shlex
import socket
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from twophase.errors import UserError
from twophase.infra import files


@dataclass(frozen=True)
class Holder:
    """Who has a lock; `entries`: what of the store it is for."""

    pid: int
    host: str
    command: str
    entries: list[str]


@contextlib.contextmanager
def held(lock: Path, what: str = "", remedy: str = "", entries: Sequence[str] = ()) -> Iterator[None]:
    """Hold a lock file. The operating system frees it with its process, however that ended.

    Raises:
        UserError: another process has it, which is named; `what` is in use, and `remedy` says what else to do than wait.
            Or the lock file cannot be written.
    """
    file, note = FileLock(lock), lock.with_suffix(".json")
    try:
        file.acquire(timeout=0)
    except Timeout:
        raise UserError(
            f"{what} is in use by {named(holder(lock))}: wait for it or stop that process, then repeat; {remedy}."
        ) from None
    try:
        command = shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
        who = Holder(os.getpid(), socket.gethostname(), command, list(entries))
        files.write_text(note, json.dumps(asdict(who)))
        yield
    finally:
        note.unlink(missing_ok=True)
        file.release()


def holder(lock: Path) -> Holder | None:
    """Who has a lock, or had it when it was killed; None if that is not known."""
    with contextlib.suppress(UserError):
        return files.read_json(lock.with_suffix(".json"), Holder, "")
    return None


def named(who: Holder | None) -> str:
    """A holder for the user."""
    return f"process {who.pid} on {who.host} ({who.command})" if who else "another process"
