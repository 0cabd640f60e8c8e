"""The one exception that is the user's to mend, and what a command makes of it."""

import difflib
import functools
import sys
from collections.abc import Callable, Iterable

LONGEST = 2000  # characters of a message: input that it repeats may have millions


class UserError(ValueError):
    """Bad input: the message names what was got, what is allowed and what to do (exit code 2 on the command line)."""

    def __init__(self, message: str):
        half = LONGEST // 2
        super().__init__(message if len(message) <= LONGEST else f"{message[:half]} … {message[-half:]}")


class Unreachable(UserError):
    """A server that does not answer at all: asking it for the next thing is of no use."""


def unknown(what: str, got: object, allowed: Iterable[object]) -> UserError:
    """The complaint about a name that is not in a list, with the nearest one that is."""
    allowed = [str(name) for name in allowed]
    near = difflib.get_close_matches(str(got), allowed, n=1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    return UserError(f"unknown {what}{hint}; allowed: {', '.join(allowed) or 'none'}")


def refused(error: OSError) -> UserError:
    """What the system refuses, as the user's to mend."""
    return UserError(
        f"{error}. See to the disk and your rights there, or name another place (TWOPHASE_CACHE, out=…); what was finished is "
        "kept, and the same command goes on."
    )


def exit_code(interrupted: str = "interrupted") -> Callable[[Callable[..., int | None]], Callable[..., int]]:
    """Makes of a command one that returns its exit code: its own (0 for none), 2 on a `UserError`, 130 on Ctrl-C.

    Args:
        interrupted: the line that Ctrl-C leaves on stderr; a `UserError` leaves its message.
    """

    def mark(command: Callable[..., int | None]) -> Callable[..., int]:
        @functools.wraps(command)
        def main(*given, **named) -> int:
            try:
                return command(*given, **named) or 0
            except UserError as error:
                print(f"twophase: {error}", file=sys.stderr)
                return 2
            except KeyboardInterrupt:
                print(f"twophase: {interrupted}", file=sys.stderr)
                return 130

        return main

    return mark
