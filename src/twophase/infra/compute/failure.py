"""An item of a parallel map that could not be computed."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

MOST_KILLS = 2  # an item whose worker dies this often, with none beside it to blame, is given up
KILLED = "its worker process was killed each time it was tried (out of memory?)"


@dataclass(frozen=True)
class Failure:
    """An item that could not be computed.

    Attributes:
        reason: type and first line of the exception, or that its worker was killed.
    """

    reason: str


def guarded(function: Callable[[Any], Any], item: Any) -> Any:
    """``function(item)``, or the failure that its exception is."""
    try:
        return function(item)
    except Exception as error:
        return failure(error)


def failure(error: BaseException) -> Failure:
    """An exception as a failure."""
    lines = str(error).strip().splitlines()
    return Failure(f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__)
