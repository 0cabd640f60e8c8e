"""Rows drawn class by class, so that copies of one input stay together."""

import numpy as np
import pandas as pd


def groups(frame: pd.DataFrame, least: int) -> pd.DataFrame:
    """(rows,) group: a number for the row's input, the same for its copies; stratum: the group's most frequent label.

    Copies in two splits would let a model be tested on what it was trained on. Rows of a class that has fewer than
    `least` groups are a group each, with a negative number, since it could not be in all splits otherwise.
    """
    of = _groups(frame)
    counts = of.drop_duplicates("group")["stratum"].value_counts()
    poor = [name for name in frame["label"].unique() if counts.get(name, 0) < least]
    if not poor:
        return of
    apart = frame["label"].isin(poor)
    alone = pd.DataFrame({"group": -1 - np.arange(apart.sum()), "stratum": frame["label"][apart]})
    return pd.concat([_groups(frame[~apart]), alone]).reindex(frame.index)


def _groups(frame: pd.DataFrame) -> pd.DataFrame:
    inputs = [column for column in frame if column != "label"]
    of = pd.DataFrame({"group": frame.groupby(inputs, sort=False).ngroup(), "label": frame["label"]})
    sizes = of.groupby(["group", "label"], sort=False).size().sort_values(ascending=False, kind="stable")
    most = sizes.reset_index().drop_duplicates("group").set_index("group")["label"]
    return pd.DataFrame({"group": of["group"], "stratum": of["group"].map(most)})


def allot(counts: pd.Series, total: int, leave: int) -> pd.Series:
    """Rows a class, in proportion to what there is, but at least one, and `leave` left over.

    scikit-learn's stratified splits promise neither (a small class may miss a split), and refuse to leave out fewer
    rows than there are classes.

    Args:
        counts: (classes,) rows there are, each above `leave`.
        total: rows to take; met as nearly as the bounds allow.
        leave: rows of each class not to take.
    """
    most = counts - leave
    total = min(max(total, len(counts)), int(most.sum()))
    quotas = counts * total / counts.sum()
    sizes = np.floor(quotas).astype(int).clip(1, most)
    while sizes.sum() < total:
        sizes[(quotas - sizes).where(sizes < most).idxmax()] += 1
    while sizes.sum() > total:
        sizes[(sizes - quotas).where(sizes > 1).idxmax()] -= 1
    return sizes


def draw(labels: pd.Series, sizes: pd.Series, rng: np.random.Generator) -> np.ndarray:
    """(rows,) True for those drawn, `sizes` of each label."""
    chosen = np.zeros(len(labels), dtype=bool)
    for name, size in sizes.items():
        chosen[rng.permutation(np.flatnonzero(labels == name))[:size]] = True
    return chosen


def draw_groups(of: pd.DataFrame, total: int, leave: int, classes: list[str], rng: np.random.Generator) -> np.ndarray:
    """(rows,) True for those drawn of what `groups` gave: whole groups, about `total` rows, each stratum in proportion.

    Without copies the same rows as `draw` gives for `allot`'s sizes. With them a stratum gives at most its size, or its
    smallest group where all are larger, and keeps `leave` groups at least.
    """
    sizes = allot(of["stratum"].value_counts().reindex(classes), total, leave)
    rows = of["group"].value_counts().to_dict()
    chosen: set[int] = set()
    for name, size in sizes.items():
        permuted = rng.permutation(np.flatnonzero(of["stratum"] == name))
        drawn = list(dict.fromkeys(of["group"].to_numpy()[permuted]))
        if min(map(rows.get, drawn)) > size:
            chosen.add(min(drawn, key=rows.get))
            continue
        most = len(drawn) - leave
        for group in drawn:
            if most and rows[group] <= size:
                chosen.add(group)
                size, most = size - rows[group], most - 1
    return of["group"].isin(chosen).to_numpy()
