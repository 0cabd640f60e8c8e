"""The ledger: every claim with place, quantity and a computed result."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reproduction import claims, paper
from reproduction.verdicts import BY_DESIGN, FAILS, HOLDS, OPEN, UNTESTED

ROOT = Path(__file__).parents[2]
TABLE = pd.read_csv(ROOT / "results" / "claims.csv", index_col="number", keep_default_na=False)


def test_at_least_25_claims_each_with_its_place_and_quantity():
    tested = {number: claim for number, claim in claims.LEDGER.items() if claim.measure}
    assert len(tested) >= 25
    for claim in claims.LEDGER.values():
        assert claim.place and claim.claim
        assert claim.quantity if claim.measure else claim.why
        assert re.search(r"Section|Table|Fig|Eq|Abstract|Appendix|LEEP|not in the paper", claim.place)
    texts = [(claim.claim, claim.quantity) for claim in claims.LEDGER.values()]
    assert len(set(texts)) == len(texts)


def test_the_committed_ledger_is_whole():
    assert list(TABLE.index) == list(claims.LEDGER)
    assert {"claim", "place", "paper", "cv", "nlp", "published", "interval", "verdict"} <= set(TABLE.columns)
    made = claims.ledger({d: pd.read_csv(ROOT / "results" / "claims" / f"{d}.csv") for d in ("cv", "nlp")})
    for domain in ("cv", "nlp"):
        assert set(TABLE[f"verdict {domain}"]) <= {HOLDS, FAILS, OPEN, BY_DESIGN, UNTESTED}
        assert list(made[f"verdict {domain}"]) == list(TABLE[f"verdict {domain}"])
        untested = TABLE[f"verdict {domain}"] == UNTESTED
        assert (TABLE.loc[untested, domain] == "").all() and (TABLE.loc[untested, f"why {domain}"] != "").all()
        assert (TABLE.loc[~untested, domain] != "").all()


def test_printed_ranges_are_those_of_the_printed_tables():
    for number, place in (("S13", 1), ("S14", 2)):
        for domain in ("cv", "nlp"):
            printed = [row[place] for row in paper.TABLE_6[domain].values()]
            assert claims.LEDGER[number].paper[domain] == f"{min(printed):.2f} to {max(printed):.2f}"
    for number, size in (("S10", "10"), ("S11", "all")):
        for domain in ("cv", "nlp"):
            whole, _, fine = paper.TABLE_5[domain][size]
            speeds = [whole / cost for cost in fine.values()]
            low, high = map(float, claims.LEDGER[number].paper[domain].split(" to "))
            assert (low, high) == (pytest.approx(min(speeds), abs=0.006), pytest.approx(max(speeds), abs=0.006))
    for domain in ("cv", "nlp"):
        printed = paper.TABLE_1[domain]
        kmeans = printed["performance", "hierarchical"] - printed["performance", "kmeans"]
        text = printed["performance", "hierarchical"] - printed["text", "hierarchical"]
        assert float(claims.LEDGER["C3"].paper[domain]) == pytest.approx(kmeans)
        assert float(claims.LEDGER["C4"].paper[domain]) == pytest.approx(text)


def test_verdicts_of_two_domains_together():
    def together(*given):
        rows = {
            f"d{i}": pd.DataFrame([("C1", 1.0, 0.5, 1.5, v, "")], columns=claims.COLUMNS) for i, v in enumerate(given)
        }
        for table in rows.values():
            for number in claims.LEDGER:
                table.loc[len(table)] = (number, np.nan, None, None, UNTESTED, "") if number != "C1" else table.loc[0]
        rows = {name: table.drop_duplicates("number") for name, table in rows.items()}
        return claims.ledger(rows).loc["C1", "verdict"]

    assert together(HOLDS, HOLDS) == HOLDS
    assert together(HOLDS, FAILS) == "holds in part"
    assert together(HOLDS, UNTESTED) == HOLDS
    assert together(OPEN, FAILS) == OPEN
    assert together(UNTESTED, UNTESTED) == UNTESTED
