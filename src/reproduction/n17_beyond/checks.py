"""Whether the belief is right, and where the leader fails: coverage, stated probabilities, less that is known."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd
from scipy.stats import norm

from reproduction.evidence import Evidence
from reproduction.leading import led, tables
from reproduction.tables import interval, save_table, with_interval
from reproduction.verdicts import Measured, same, untested
from twophase.belief import belief
from twophase.selection import brute_force
from twophase.trends import TrendPredictor

CHANCE = 0.1  # a stated probability and the share of successes within it are called the same
LEVEL = 0.8  # of the intervals whose coverage is counted
SUBSETS, FEW_MODELS = (5, 10), (5, 15)  # numbers of benchmark datasets and of models that are known
DRAWS = 2  # random choices of them


def predictions(evidence: Evidence) -> pd.DataFrame:
    """Every benchmark dataset left out: final tests as predicted after each stage of all models, by three ways.

    Returns:
        A row per dataset, model and stage (0: after the looks alone): actual; belief and its deviation; Eq. 6 (not at 0); line:
        fitted to all other cells' validations of that stage and final tests.
    """

    def made() -> pd.DataFrame:
        known, chosen = tables(evidence), evidence.params.leader
        models, rows = sorted(evidence.models), []
        for target, table in known.items():
            others = np.stack([t for name, t in known.items() if name != target])
            state, P = belief(others, len(chosen.proxies), **chosen.learned), len(chosen.proxies)
            trends = TrendPredictor(evidence.known(target), evidence.params.selection.n_trends)
            for m in range(len(models)):
                state.see_proxies(m, table[m, :P])
            for stage in range(table.shape[1] - P):
                parts = {"belief": state.finals, "deviation": np.sqrt(np.diag(state.spread)), "actual": table[:, -1]}
                if stage:
                    val = others[:, :, P + stage - 1].ravel(), others[:, :, -1].ravel()
                    slope, offset = np.polyfit(*val, 1)
                    here = table[:, P + stage - 1]
                    parts |= {"line": offset + slope * here}
                    parts |= {"Eq. 6": [trends.predict(models[m], stage, here[m]) for m in range(len(models))]}
                rows.append(pd.DataFrame(parts).assign(dataset=target, stage=stage, model=models))
                if stage < table.shape[1] - P - 1:
                    for m in range(len(models)):
                        state.see_validation(m, stage + 1, table[m, P + stage])
        return pd.concat(rows, ignore_index=True)

    return evidence.once("predictions", "", made)


def table_calibration(evidence: Evidence) -> pd.DataFrame:
    """Coverage and width of 80 % intervals after each stage: the belief's, and conformal ones of Eq. 6 and of a line.

    A conformal interval's half width is the 80 % quantile of the absolute errors at that stage on the other datasets.
    """
    found, rows = predictions(evidence), {}
    for stage, here in found.groupby("stage"):
        half = norm.ppf((1 + LEVEL) / 2) * here["deviation"]
        error = (here["belief"] - here["actual"]).abs()
        row = {
            ("belief", "coverage"): (error <= half).mean(),
            ("belief", "half width"): half.mean(),
            ("belief", "error"): error.mean(),
        }
        for way in ("Eq. 6", "line") if stage else ():
            error = (here[way] - here["actual"]).abs()
            widths = pd.Series({d: error[here["dataset"] != d].quantile(LEVEL) for d in here["dataset"].unique()})
            row |= {(way, "coverage"): (error <= here["dataset"].map(widths)).mean(), (way, "half width"): widths.mean(), (way, "error"): error.mean()}  # fmt: skip
        rows["looks" if stage == 0 else f"epoch {stage}"] = row
    table = pd.DataFrame(rows).T.rename_axis("after")
    save_table(table.set_axis([f"{a}: {b}" for a, b in table.columns], axis=1), "table_calibration", evidence.name)
    return table


def chances(evidence: Evidence) -> pd.DataFrame:
    """Each dataset's winner (choices made in each fold): its stated probability to be the best, and whether it is, by test.

    Datasets that are unlike the others are left out: nothing is stated for them.
    """
    rows = {}
    for target, choice in evidence.leader_folds.set_index("dataset").iterrows():
        found, final = led(evidence, target, **choice), evidence.final(target)
        if np.isnan(found.chance):
            continue
        rows[target] = {"stated": found.chance, "best": found.test >= final.max(), "lost": final.max() - found.test}
    table = pd.DataFrame(rows, index=["stated", "best", "lost"]).T
    return table.astype({"stated": float, "best": bool, "lost": float})


def chance_said(table: pd.DataFrame) -> str:
    """The stated probabilities against what happened."""
    if table.empty:
        return "Nothing is stated: the benchmark datasets are too few for a belief, or the targets unlike them."
    found = calibrated(table)
    low, high = interval(table["best"].astype(float))
    halves = table.sort_values("stated")
    first, second = halves.iloc[: len(halves) // 2], halves.iloc[len(halves) // 2 :]
    return (
        f"On average the winner was said to be the best with probability **{table['stated'].mean():.2f}**, and was on "
        f"**{table['best'].mean():.2f}** [{low:.2f}, {high:.2f}] of {len(table)} datasets. Of the half that was surer "
        f"({second['stated'].mean():.2f}) {second['best'].mean():.2f} were the best, of the other half "
        f"({first['stated'].mean():.2f}) {first['best'].mean():.2f}. It states {found.said(2)} more than comes true; that it is "
        f"as often right as it says, within {CHANCE:g}: **{found.verdict}** (claim B5)."
    )


def calibrated(table: pd.DataFrame) -> Measured:
    """Whether stated probabilities come true as often as they say."""
    if table.empty:
        return untested("no probability was stated")
    return same(table["stated"] - table["best"], CHANCE)


def table_less(evidence: Evidence) -> pd.DataFrame:
    """Regret against brute force's pick where less is known: random subsets of benchmark datasets, none like the target, few models.

    "None like it" leaves out the half whose final tests correlate most with the target's, which the leader cannot know.
    """
    rows, others = {}, len(evidence.benchmarks) - 1
    final = {name: evidence.final(name)[evidence.models] for name in evidence.benchmarks}
    cases: dict[str, Callable] = {
        f"{n} datasets": partial(_draws, evidence.benchmarks, n, "only") for n in SUBSETS if n < others
    }
    alike = {t: sorted(set(final) - {t}, key=lambda name, t=t: final[name].corr(final[t])) for t in final}
    cases["no dataset like it"] = lambda target: [{"only": alike[target][: others // 2]}]
    cases |= {
        f"{n} models": partial(_draws, evidence.models, n, "among") for n in FEW_MODELS if n < len(evidence.models)
    }
    cases["all"] = lambda target: [{}]
    for name, draws in cases.items():
        lost = {}
        for target in evidence.benchmarks:
            given = draws(target)
            picked = [brute_force(evidence.runs(target), one.get("among") or evidence.models).test for one in given]
            found = [led(evidence, target, **one).test for one in given]
            lost[target] = float(np.mean(picked) - np.mean(found))
        rows[name] = {"regret against brute force": with_interval(list(lost.values())), "worst": max(lost.values())}
    return save_table(pd.DataFrame(rows).T.rename_axis("known"), "table_less", evidence.name)


def _draws(names: list[str], n: int, what: str, target: str) -> list[dict[str, list[str]]]:
    """Random subsets of `names` without the target."""
    rest = [name for name in names if name != target]
    return [{what: list(np.random.default_rng(draw).choice(rest, n, replace=False))} for draw in range(DRAWS)]
