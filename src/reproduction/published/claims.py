"""The ledger's published column: the claims that final scores of other groups' models can decide."""

import numpy as np
import pandas as pd

from reproduction.claims import COLUMNS, LEDGER
from reproduction.claims.verdicts import Measured, above, counted, untested
from reproduction.evidence import Evidence
from reproduction.published import n10_paper_matrices as matrices
from reproduction.published import n14_training_sizes as sizes
from reproduction.published.sources import paper, params, recycling, recycling_evidence, transfer
from twophase.sources.published import model_recycling, paper_matrices

CURVES = "needs validation curves along epochs, which none of these records has"
SCORES = "needs what these records do not have: the same models' proxies, cards or upstreams"


def _random_regret() -> Measured:
    matrix = recycling().matrix
    return above(matrix.max(axis=1) - matrix.mean(axis=1), 0.05)


def _part_of_the_data() -> Measured:
    table = sizes.agreement()
    part = table.columns[-5]  # a sixteenth
    return above(table[part], 0.9, f"tasks, models trained on {part:,} examples against {table.columns[-1]:,}")


def _constant_leep() -> Measured:
    scores = {domain: paper_matrices.leep(domain, params().published.mirror) for domain in paper_matrices.DOMAINS}
    near = {domain: int((one - one.median()).abs().le(0.001 + 1e-9).sum()) for domain, one in scores.items()}
    said = "; ".join(f"{domain}: {near[domain]} of {len(one)}" for domain, one in scores.items())
    share = sum(near.values()) / sum(map(len, scores.values()))
    return counted(share, share > 0.5, f"released scores, {said}")


def _prior_decides() -> Measured:
    rhos = {}
    for domain in paper_matrices.DOMAINS:
        table = matrices.released_leep(paper(domain))["released LEEP"]
        rhos[domain] = float(table["Spearman of recall score and prior, clustered models"])
    said = "; ".join(f"{domain}: {rho:.3f}" for domain, rho in rhos.items())
    value = float(np.mean(list(rhos.values())))
    return counted(value, min(rhos.values()) > 0.9, f"released scores, {said}; the line is .9 in both")


MEASURED_BY = {  # evidence -> the claims whose own measure is applied to it
    "recycling": ("C1", "C6", "C9", "C10", "R1"),
    "paper": ("C3", "C11", "D9", "D10", "D11"),
    "transfer": ("R6", "R7", "R8", "R9", "R10", "R11", "R12"),
}
SAID = {
    "recycling": f"{model_recycling.SOURCE} (text, 36 datasets)",
    "paper": "the paper's own text matrix",
    "transfer": "TransferGraph (text, 8 datasets, LogME)",
}
OWN = {"R2": _random_regret, "C2": _part_of_the_data, "D4": _constant_leep, "D5": _prior_decides}


def _evidence(name: str) -> Evidence:
    return {"recycling": recycling_evidence, "paper": lambda: paper("nlp"), "transfer": transfer}[name]()


def tested() -> pd.DataFrame:
    """Every claim on published records: number, value, low, high, verdict, why."""
    found = {number: measure() for number, measure in OWN.items()}
    for source, numbers in MEASURED_BY.items():
        evidence = _evidence(source)
        for number in numbers:
            measured = LEDGER[number].measure(evidence)
            found[number] = Measured(**(vars(measured) | {"why": f"{SAID[source]}; {measured.why}"}))
    rows = []
    for number in LEDGER:
        why = CURVES if number[0] in "TS" else SCORES
        one = found.get(number) or untested(why)
        rows.append((number, one.value, one.low, one.high, one.verdict, one.why))
    return pd.DataFrame(rows, columns=COLUMNS)
