"""The README's tables, from the committed results: `python -m reproduction.headline` writes them."""

import re
from pathlib import Path

import pandas as pd

from twophase.infra.config import root
from twophase.infra.files import write_text

TITLES = {"cv": "vision, 30 models, 4 epochs", "nlp": "text, 40 models, 5 epochs"}
SHOWN = {"cv": "vision", "nlp": "text"}


def summary(folder: Path) -> str:
    """Speed-ups and regrets, a table a domain; `folder` holds the tables of results."""
    tables = []
    for domain, title in TITLES.items():
        table = pd.read_csv(folder / f"table_summary_{domain}.csv", index_col=0, dtype=str)
        lines = [f"| {title} | " + " | ".join(table.columns) + " |", "|---|" + "---|" * table.shape[1]]
        lines += [f"| {name} | " + " | ".join(row) + " |" for name, row in table.iterrows()]
        tables.append("\n".join(lines))
    return "\n\n".join(tables)


def rivals(folder: Path) -> str:
    """The alternatives against the two phases, the best in both domains together first; bold where they are better."""
    tables = {name: pd.read_csv(folder / f"table_against_{d}.csv", index_col=0) for d, name in SHOWN.items()}
    order = sum(table["difference"] for table in tables.values()).dropna().sort_values(ascending=False).index
    lines = ["| instead of the two phases | " + " | ".join(f"{name} | epochs" for name in tables) + " |"]
    lines.append("|---|" + "---|---|" * len(tables))
    for method in order:
        cells = []
        for table in tables.values():
            row = table.loc[method]
            said = f"{row['difference']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]"
            cells += [f"**{said}**" if row["it is"] == "better" else said, f"{row['epochs']:.1f}x"]
        lines.append(f"| {method} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def leader(folder: Path) -> str:
    """The leader, with choices made in each fold, beside the two phases and halving: regret and savings, a row a method."""
    lines = ["| | " + " | ".join(f"{name}: loses to brute force | epochs | seconds" for name in SHOWN.values()) + " |"]
    lines.append("|---|" + "---|---|---|" * len(SHOWN))
    methods = {
        "leader": "leader, chosen in each fold",
        "two-phase": "two-phase",
        "successive halving": "successive halving",
    }
    tables = {d: pd.read_csv(folder / f"table_leader_{d}.csv", index_col=0) for d in SHOWN}
    times = {d: pd.read_csv(folder / f"table_seconds_{d}.csv", index_col=0) for d in SHOWN}
    for name, row in methods.items():
        cells = []
        for domain, table in tables.items():
            fewer = f"1/{table.loc[row, 'fewer epochs than brute force']:.0f}"
            seconds = times[domain].loc[name, "loading on both sides"].split()[0]
            cells += [table.loc[row, "regret against brute force"], fewer, f"1/{float(seconds):.0f}"]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


BLOCKS = {"headline": summary, "rivals": rivals, "leader": leader}


def written(text: str, folder: Path) -> str:
    """A README with its generated blocks made anew."""
    for name, made in BLOCKS.items():
        block = re.compile(rf"(<!-- {name}: [^\n]* -->\n).*?(\n<!-- /{name} -->)", re.S)
        text = block.sub(lambda found, made=made: found[1] + made(folder) + found[2], text)
    return text


if __name__ == "__main__":
    readme = root() / "README.md"
    write_text(readme, written(readme.read_text(encoding="utf-8"), root() / "results" / "tables"))
