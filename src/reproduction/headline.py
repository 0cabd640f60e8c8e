"""The tables of README and docs/results.md, from the committed results: `python -m reproduction.headline` writes them."""

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from reproduction import paper
from reproduction.leave_one_out import NESTED, of
from reproduction.n09_claims import said
from reproduction.verdicts import HOLDS, OPEN, SAME
from twophase.infra.config import root
from twophase.infra.files import replacing, write_text

TITLES = {"cv": "vision, 30 models, 4 epochs", "nlp": "text, 40 models, 5 epochs"}
SHOWN = {"cv": "vision", "nlp": "text"}


def summary(folder: Path) -> str:
    """Speed-ups and regrets, one table per domain; `folder` holds the tables of results."""
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
    """The leader, with choices made in each fold, beside the two phases and halving: regret and savings, one row per method."""
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


def short(folder: Path) -> str:
    """The README's table: six rows, a column for each domain, the paper's values in brackets."""
    columns = {name: _short(domain, folder) for domain, name in SHOWN.items()}
    lines = ["| | " + " | ".join(columns) + " |", "|:---|" + ":---|" * len(columns)]
    lines += [
        f"| {row} | " + " | ".join(column[row] for column in columns.values()) + " |"
        for row in next(iter(columns.values()))
    ]
    return "\n".join(lines)


def _short(domain: str, folder: Path) -> dict[str, str]:
    against = pd.read_csv(folder / f"table_against_{domain}.csv", index_col=0)
    turns = pd.read_csv(folder.parent / "leave_one_out" / f"{domain}.csv", keep_default_na=False)
    two, brute, chance = (of(turns, method) for method in ("two-phase", "brute force", "one at random"))
    leader = of(turns, "leader", variant=NESTED)
    lost = brute["accuracy"] - two["accuracy"]
    printed = pd.DataFrame(paper.TABLE_6[domain], index=["epochs", "saved", "halving", "brute", "half", "two"]).T
    cheapest = against[against["it is"] != "worse"].sort_values("epochs").iloc[0]
    accuracy = " / ".join(f"{rows['accuracy'].mean():.2f}" for rows in (two, brute, chance))
    return {
        "training saved against trying every model": f"{(brute['epochs'] / two['epochs']).mean():.1f}x ({printed['saved'].min():.1f}x to {printed['saved'].max():.1f}x)",
        "test accuracy: two phases / trying all / one at random": f"{accuracy} ({printed['two'].mean():.2f} / {printed['brute'].mean():.2f} / not printed)",
        "accuracy lost against trying all": f"{lost.mean():.3f} (at most {(printed['brute'] - printed['two']).max():.3f})",
        "datasets on which more than a point is lost": f"{(lost > SAME).sum()} of {len(lost)}",
        "the cheapest rival that is no worse": f"{cheapest.name}: {cheapest['difference']:+.2f} accuracy for {cheapest['epochs']:.1f}x the epochs",
        "our own method, the leader": f"loses {(brute['accuracy'] - leader['accuracy']).mean():.3f}, saves {(brute['epochs'] / leader['epochs']).mean():.1f}x",
    }


def fails(folder: Path) -> str:
    """What does not reproduce, as a list: rivals that are better, and claims that hold in no domain."""
    ledger = pd.read_csv(folder.parent / "claims.csv", index_col="number", keep_default_na=False)
    lines = []
    for domain, name in SHOWN.items():
        against = pd.read_csv(folder / f"table_against_{domain}.csv", index_col=0)
        better = against[(against["it is"] == "better") & (against["epochs"] <= 1)]
        named = (
            " and ".join(f"a {rival.replace(', no model', ' without any pre-trained model')}" for rival in better.index)
            or "nothing"
        )
        close = ledger.loc["S18", f"verdict {domain}"]
        lines.append(
            f"- In {name}, *nearly as accurate as trying every model* {close if close != OPEN else f'is {OPEN}'}. More accurate for no more epochs than the two phases: {named}."
        )
    line = [ledger.loc["N2", f"verdict {domain}"] == HOLDS for domain in SHOWN]
    if all(line):
        lines.append(
            "- A straight line predicts a run's final accuracy better than convergence trends do, in both domains."
        )
    return "\n".join([*lines, f"- {said(ledger)}"])


PICTURE = "Who was cut when"  # of the report of notebook 15, which the README shows


def report(folder: Path) -> bytes:
    """The picture of a report that the README shows: of the last execution of notebook 15."""
    notebook = json.loads((folder.parent / "notebooks" / "15_your_own_data_cv.ipynb").read_text(encoding="utf-8"))
    cell = next(
        cell for cell in notebook["cells"] if PICTURE in "".join(cell["source"]) and cell["cell_type"] == "code"
    )
    return base64.b64decode("".join(cell["outputs"][0]["data"]["image/png"]))


BLOCKS = {  # file -> its generated blocks
    "README.md": {"headline": short, "fails": fails},
    "docs/results.md": {"summary": summary, "rivals": rivals, "leader": leader},
}


def written(text: str, folder: Path, blocks: dict[str, Callable[[Path], str]]) -> str:
    """A page with its generated blocks made anew; `folder` holds the tables of results."""
    for name, made in blocks.items():
        block = re.compile(rf"(<!-- {name}: [^\n]* -->\n).*?(\n<!-- /{name} -->)", re.S)
        text = block.sub(lambda found, made=made: found[1] + made(folder) + found[2], text)
    return text


if __name__ == "__main__":
    tables = root() / "results" / "tables"
    for page, blocks in BLOCKS.items():
        write_text(root() / page, written((root() / page).read_text(encoding="utf-8"), tables, blocks))
    with replacing(root() / "docs" / "report.png") as new:
        new.write_bytes(report(tables))
