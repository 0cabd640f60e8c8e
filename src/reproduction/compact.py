"""Which benchmark datasets are enough, and how many: chosen by predictive density, against as many at random.

The benchmark datasets are divided at random into three parts. Each part is the targets once, and sets are chosen among the
others: greedily, the dataset next with which the belief made of the set says most about those outside it (log density of
their final tests given their proxy scores); or by chance. No choice sees a target.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd

from reproduction.evidence import Evidence, loaded
from reproduction.leading import density, selected, tables_of
from twophase.belief import belief
from twophase.errors import UserError
from twophase.infra.compute import Failure, parallel_map
from twophase.selection import brute_force

PARTS, RANDOM = 3, 3
SIZES = (5, 8, 11)  # of five the leader makes a belief at least
COLUMNS = ["dataset", "size", "choice", "chosen", "regret"]
GREEDY, CHANCE, ALL = "by density", "at random", "all"


def parts(names: list[str]) -> list[list[str]]:
    """The names in three random parts, always the same."""
    order = np.random.default_rng(0).permutation(names)
    return [sorted(part.tolist()) for part in np.array_split(order, PARTS)]


def greedy(known: dict[str, np.ndarray], size: int, proxies: int, **learned: float) -> list[str]:
    """Datasets in the order in which they are chosen, the best pair first.

    Args:
        known: dataset -> table (M, Q), the first `proxies` quantities proxy scores, the last the final test.
        size: how many, fewer than there are.
        learned: of `belief`.
    """
    seen = {name: np.concatenate([table[:, :proxies], table[:, -1:]], axis=1) for name, table in known.items()}

    def tells(chosen: tuple[str, ...]) -> float:
        state = belief(np.stack([seen[name] for name in chosen]), proxies, **learned)
        return float(np.mean([density(state, table) for name, table in seen.items() if name not in chosen]))

    chosen = max(combinations(seen, 2), key=tells)
    while len(chosen) < size:
        chosen = max(((*chosen, name) for name in seen if name not in chosen), key=tells)
    return list(chosen)


def compared(domain: str) -> pd.DataFrame:
    """Every benchmark dataset as target, the leader knowing a set of the others.

    Returns:
        dataset, size and choice of the set, chosen (its datasets), regret (against brute force's pick); a row a random set.

    Raises:
        UserError: a failure, with its reason.
    """
    names = list(tables_of(domain))
    if len(names) * (PARTS - 1) // PARTS <= min(SIZES):
        return pd.DataFrame(columns=COLUMNS)
    found = parallel_map(_part, [(domain, part) for part in parts(names)], description=f"{domain} compact sets")
    if failed := [result for result in found if isinstance(result, Failure)]:
        raise UserError(f"compact sets of {domain} cannot be compared: {failed[0].reason}")
    return pd.concat(found, ignore_index=True)


def _part(item: tuple[str, list[str]]) -> pd.DataFrame:
    """The rows of one part's targets."""
    evidence, whole, targets = loaded(item[0]), tables_of(item[0]), item[1]
    leader, rest = evidence.params.leader, {name: table for name, table in whole.items() if name not in targets}
    sizes = [size for size in SIZES if size < len(rest)]
    order, draw = greedy(rest, max(sizes), len(leader.proxies), **leader.learned), np.random.default_rng(1)
    sets = [(size, GREEDY, order[:size]) for size in sizes]
    sets += [
        (size, CHANCE, sorted(draw.choice(list(rest), size, replace=False))) for size in sizes for _ in range(RANDOM)
    ]
    sets.append((len(rest), ALL, list(rest)))
    rows = []
    for target in targets:
        runs = evidence.runs(target)
        best = brute_force(runs, evidence.models).test
        for size, choice, chosen in sets:
            state = belief(np.stack([rest[name] for name in chosen]), len(leader.proxies), **leader.learned)
            lost = best - selected(evidence, runs, state, whole[target], leader.price)
            rows.append([target, size, choice, " ".join(chosen), lost])
    return pd.DataFrame(rows, columns=COLUMNS)


def regrets(evidence: Evidence) -> pd.DataFrame:
    """Regret on each benchmark dataset (rows) by (choice, size); of random sets the mean over draws."""
    return evidence.compact.pivot_table(index="dataset", columns=["choice", "size"], values="regret")
