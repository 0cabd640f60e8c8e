"""What an ablation is judged by: a few means over all datasets, each left out as the target."""

from statistics import fmean

from reproduction.evidence import Evidence
from twophase.selection import brute_force, successive_halving


def metrics(evidence: Evidence) -> dict[str, float]:
    """Means over all datasets.

    Returns:
        speed_up_brute_force and speed_up_halving (epochs); regret_brute_force (accuracy of its pick minus ours) and
        regret_best (of the best model by test); gain (accuracy of the recalled over all models); contains_best (share
        of datasets whose best model is recalled); clusters, proxies (numbers).
    """
    rows = [_row(evidence, target) for target in evidence.everything]
    means = {name: fmean(row[name] for row in rows) for name in rows[0]}
    return means | {"clusters": int(evidence.clusters(evidence.outside).labels.nunique())}


def _row(evidence: Evidence, target: str) -> dict[str, float]:
    runs, final, recalled = evidence.runs(target), evidence.final(target), evidence.recalled(target)
    brute, half = brute_force(runs, evidence.models), successive_halving(runs, evidence.models)
    two = evidence.two_phase(target)
    return {
        "speed_up_brute_force": brute.epochs / two.epochs,
        "speed_up_halving": half.epochs / two.epochs,
        "regret_brute_force": brute.test - two.test,
        "regret_best": float(final.max() - two.test),
        "gain": float(final[recalled].mean() - final.mean()),
        "contains_best": float(final.idxmax() in recalled),
        "proxies": two.proxies,
    }
