"""The ledger's published column: the claims that final scores of other groups' models can decide."""

from dataclasses import replace

import numpy as np
import pandas as pd

from reproduction.claims import LEDGER, table
from reproduction.published import n10_paper_matrices as matrices
from reproduction.published import n14_training_sizes as sizes
from reproduction.published.sources import paper, params, recycling, recycling_evidence, transfer
from reproduction.verdicts import Measured, above, counted, untested
from twophase.sources.published import model_recycling, paper_matrices

CURVES = "needs validation curves along epochs, which none of these records has"
SCORES = "needs what these records do not have: the same models' proxies, cards or upstreams"


def _random_regret() -> Measured:
    matrix = recycling().matrix
    return above(matrix.max(axis=1) - matrix.mean(axis=1), 0.05)


def _part_of_the_data() -> Measured:
    known = sizes.agreement()
    part = known.columns[-5]  # a sixteenth
    return above(known[part], 0.9, f"tasks, models trained on {part:,} examples against {known.columns[-1]:,}")


def _constant_leep() -> Measured:
    scores = {domain: paper_matrices.leep(domain, params().published.mirror) for domain in paper_matrices.DOMAINS}
    near = {domain: matrices.near_median(one) for domain, one in scores.items()}
    said = "; ".join(f"{domain}: {near[domain]} of {len(one)}" for domain, one in scores.items())
    share = sum(near.values()) / sum(map(len, scores.values()))
    return counted(share, share > 0.5, f"released scores, {said}")


def _prior_decides() -> Measured:
    rhos = {}
    for domain in paper_matrices.DOMAINS:
        released = matrices.released_leep(paper(domain))["released LEEP"]
        rhos[domain] = float(released["Spearman of recall score and prior, clustered models"])
    said = "; ".join(f"{domain}: {rho:.3f}" for domain, rho in rhos.items())
    value = float(np.mean(list(rhos.values())))
    return counted(value, min(rhos.values()) > 0.9, f"released scores, {said}; the line is .9 in both")


MEASURED_BY = {  # what the records are called -> the evidence, and the claims whose own measure is applied to it
    f"{model_recycling.SOURCE} (text, 36 datasets)": (recycling_evidence, ("C1", "C6", "C9", "C10", "R1")),
    "the paper's own text matrix": (lambda: paper("nlp"), ("C3", "C11", "D9", "D10", "D11")),
    "TransferGraph (text, 8 datasets, LogME)": (transfer, ("R6", "R7", "R8", "R9", "R10", "R11", "R12")),
}
OWN = {"R2": _random_regret, "C2": _part_of_the_data, "D4": _constant_leep, "D5": _prior_decides}


def tested() -> pd.DataFrame:
    """Every claim on published records, see `claims.table`."""
    found = {number: untested(CURVES if number[0] in "TS" else SCORES) for number in LEDGER}
    found |= {number: measure() for number, measure in OWN.items()}
    for source, (read, numbers) in MEASURED_BY.items():
        evidence = read()
        for number in numbers:
            measured = LEDGER[number].measure(evidence)
            found[number] = replace(measured, why=f"{source}; {measured.why}")
    return table(found)
