"""The ledger: every claim of the paper, and what simpler methods do, tested on each domain; `LEDGER` is all of them."""

from dataclasses import astuple

import pandas as pd

from reproduction.claims import beyond, coarse, fine, released, simpler
from reproduction.evidence import Evidence
from reproduction.verdicts import HOLDS, OPEN, UNTESTED, Claim, Measured, untested

SECTIONS = {
    "C": coarse.CLUSTERS,
    "R": coarse.RECALL,
    "T": fine.TRENDS,
    "S": fine.SELECTION,
    "D": released.DIFFERENCES,
    "N": simpler.SIMPLER,
    "B": beyond.BEYOND,
}
LEDGER: dict[str, Claim] = {
    f"{letter}{number}": claim for letter, claims in SECTIONS.items() for number, claim in enumerate(claims, 1)
}
COLUMNS = ["number", "value", "low", "high", "verdict", "why"]


def tested(evidence: Evidence) -> pd.DataFrame:
    """Every claim on a domain, see `table`."""
    found = {}
    for number, claim in LEDGER.items():
        absent = [name for name in claim.proxies if name not in evidence.settings.proxies]
        why = f"the proxy {', '.join(absent)} is not computed" if absent else claim.why
        found[number] = claim.measure(evidence) if claim.measure and not absent else untested(why)
    return table(found)


def table(found: dict[str, Measured]) -> pd.DataFrame:
    """A row per claim: number, value, low, high (95 % interval, empty for counts), verdict, why."""
    return pd.DataFrame([(number, *astuple(measured)) for number, measured in found.items()], columns=COLUMNS)


def ledger(domains: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """The ledger of all domains (or "published"), of what `tested` returned for each.

    Returns:
        number; claim, place and quantity; paper (printed values); a column per domain (value); published (empty where
        published records were not read); interval; verdict (of all domains); a verdict and a reason a domain.
    """
    rows = {}
    tables = {domain: table.set_index("number") for domain, table in domains.items()}
    for number, claim in LEDGER.items():
        found = {domain: table.loc[number] for domain, table in tables.items()}
        printed = "; ".join(f"{domain} {value}" for domain, value in claim.paper.items())
        spans = [f"{d} [{row['low']:.3f}, {row['high']:.3f}]" for d, row in found.items() if pd.notna(row["low"])]
        row = {"claim": claim.claim, "place": claim.place, "quantity": claim.quantity, "paper": printed}
        row |= {domain: measured["value"] for domain, measured in found.items()}
        row.setdefault("published", None)
        row["interval"] = "; ".join(spans)
        row["verdict"] = _together([measured["verdict"] for measured in found.values()])
        for what in ("verdict", "why"):
            row |= {f"{what} {domain}": measured[what] for domain, measured in found.items()}
        rows[number] = row
    return pd.DataFrame(rows).T.rename_axis("number")


def _together(verdicts: list[str]) -> str:
    """One verdict for all domains: theirs if they agree (the untested aside), else "holds in part" or "not settled"."""
    known = {verdict for verdict in verdicts if verdict != UNTESTED}
    if len(known) <= 1:
        return next(iter(known), UNTESTED)
    return "holds in part" if HOLDS in known else OPEN
