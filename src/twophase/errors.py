"""The one exception that is the user's to mend."""

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """Bad input: the message names what was got, what is allowed and what to do (exit code 2 on the command line)."""


class Unreachable(UserError):
    """A server that does not answer at all: asking it for the next thing is of no use."""


def unknown(what: str, got: object, allowed: Iterable[object]) -> UserError:
    """The complaint about a name that is not in a list, with the nearest one that is."""
    allowed = [str(name) for name in allowed]
    near = difflib.get_close_matches(str(got), allowed, n=1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    return UserError(f"unknown {what}{hint}; allowed: {', '.join(allowed) or 'none'}")
