"""The executed notebooks say what the ledger says: verdicts, figures and who is better."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from reproduction.alternatives import NAMES

ROOT = Path(__file__).parents[2]
VERDICT = re.compile(r"\*\*(holds|does not hold|not settled|by design|cannot be tested here)\*\* \(claim (\w\d+)\)")
FIGURES = re.compile(r"([-+]?\d+\.\d+) \[([-+]?\d+\.\d+), ([-+]?\d+\.\d+)\]")
RIVALS = {  # the ledger's number of what notebook 6 says of an alternative
    NAMES["best proxy"]: "N4", NAMES["proxy, then fine-selection"]: "N5", NAMES["prior, then fine-selection"]: "N6",
    NAMES["best size"]: "N7", NAMES["best card accuracy"]: "N8", NAMES["linear probe"]: "N9", NAMES["no model"]: "N10",
}  # fmt: skip
NOTEBOOKS = sorted((ROOT / "results" / "notebooks").glob("[01]*_*.ipynb"))


def said(path: Path) -> list[str]:
    """Every generated Markdown output of an executed notebook."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    texts = [output.get("data", {}).get("text/markdown", "") for output in outputs]
    return ["".join(text) for text in texts if text]


def ledger(path: Path) -> pd.DataFrame:
    domain = path.stem.rsplit("_", 1)[1]
    return pd.read_csv(ROOT / "results" / "claims" / f"{domain}.csv", index_col="number")


@pytest.mark.parametrize(
    "path", [one for one in NOTEBOOKS if one.stem.endswith(("_cv", "_nlp"))], ids=lambda one: one.stem
)
def test_each_verdict_and_its_figures_are_the_ledgers(path):
    claims = ledger(path)
    for text in said(path):
        for found in VERDICT.finditer(text):
            claim = claims.loc[found[2]]
            assert claim["verdict"] == found[1], f"{path.stem} says of {found[2]} that it {found[1]}"
            before = [figures.groups() for figures in FIGURES.finditer(text[: found.start()])]
            if pd.notna(claim["low"]) and before:
                printed = before[-1]
                for got, column in zip(printed, ("value", "low", "high"), strict=True):
                    digits = len(got.partition(".")[2])
                    assert abs(float(got) - claim[column]) <= 0.51 * 10.0**-digits, (path.stem, found[2], printed)


def test_the_headline_claims_are_said_with_their_number():
    everywhere = "\n".join(text for path in NOTEBOOKS for text in said(path))
    numbers = {found[2] for found in VERDICT.finditer(everywhere)}
    assert {"S13", "S18", "R7", "C9", "S2", "N2", "N3", "B1", "B2", "B5"} <= numbers


@pytest.mark.parametrize("domain", ["cv", "nlp"])
def test_better_and_worse_are_what_the_ledger_found(domain):
    path = ROOT / "results" / "notebooks" / f"06_end_to_end_{domain}.ipynb"
    claims = ledger(path)
    text = next(text for text in said(path) if "**Better than the two phases:**" in text)
    groups = dict(re.findall(r"\*\*([^*]+):\*\* (.*)", text))
    for name, number in RIVALS.items():
        where = [group for group, line in groups.items() if f"{name} (" in line]
        better, worse = claims.loc[number, "low"] > 0, claims.loc[number, "high"] < 0
        assert ("Better than the two phases" in where) == better, name
        assert ("Worse" in where) == worse, name
        for group in where:
            difference = re.match(r"[-+]\d\.\d\d", groups[group].split(f"{name} (")[1])
            assert float(difference[0]) == pytest.approx(claims.loc[number, "value"], abs=0.0051)
