"""What became of a user's rows: how many there are, which were left out and why, and where each split comes from."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Account:
    """The rows of one split; every one is in what was drawn from it, was left out, or is used.

    Attributes:
        path: of the file or folder; of several files one that stands for them (`train-*.csv`).
        rows: in the file.
        lines: of a csv file.
        what: a row is.
        drawn: how the rows were set apart from those of train; "" where they were given.
        left_out: why -> rows.
        set_apart: split -> rows drawn from these.
    """

    path: Path
    rows: int
    lines: int | None = None
    what: str = "row"
    drawn: str = ""
    left_out: Counter[str] = field(default_factory=Counter)
    set_apart: Counter[str] = field(default_factory=Counter)

    @property
    def source(self) -> str:
        """The file's or folder's name."""
        return self.path.absolute().name

    @property
    def read(self) -> int:
        """Rows that were not left out."""
        return self.rows - self.left_out.total()

    def facts(self) -> dict[str, Any]:
        """All of it as plain values; `used`: rows of the split in the end."""
        return {
            "source": "train" if self.drawn else self.source,
            "drawn": bool(self.drawn),
            "lines": self.lines,
            "rows": self.rows,
            "left_out": dict(+self.left_out),
            "read": self.read,
            "set_apart": dict(self.set_apart),
            "used": self.read - self.set_apart.total(),
        }

    def said(self, split: str) -> str:
        """The same in one sentence."""
        rows = plural(self.rows, self.what)
        if self.drawn:
            return f"{split}: {rows} set apart from train, {self.drawn}"
        lines = f" ({plural(self.lines, 'line')})" if self.lines else ""
        reasons = ", ".join(f"{count} {why}" for why, count in self.left_out.items() if count)
        out = f", {self.left_out.total()} left out: {reasons}" if reasons else ""
        apart = " and ".join(f"{count} for {other}" for other, count in self.set_apart.items())
        return f"{split}: {rows} in {self.source}{lines}, {self.read} read{out}" + (
            f"; set apart: {apart}" if apart else ""
        )


def plural(count: int, what: str) -> str:
    """ "1 row", "2 rows", for messages."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
