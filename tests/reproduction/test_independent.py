"""Headline numbers computed again by code that shares nothing with the package but the files of results and settings.

Written from the paper's equations with dictionaries and loops; slow, and on purpose unlike the package.
"""

import itertools
import json
import math
import re
import statistics
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.cluster.hierarchy import fcluster, linkage

ROOT = Path(__file__).parents[2]
PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))


class Independent:
    """One domain's evidence and the whole method on it."""

    def __init__(self, domain: str):
        folder = ROOT / "results" / domain
        self.params, self.own = PARAMS, PARAMS[domain]
        records = pd.read_csv(folder / "records.csv")
        self.role = dict(zip(records["dataset"], records["role"], strict=True))
        first = records[records["seed"] == records.groupby(["model", "dataset"])["seed"].transform("min")]
        self.epochs = int(records["epoch"].max())
        self.val = {(r.model, r.dataset, r.epoch): r.val for r in first.itertuples()}
        self.seconds = {(r.model, r.dataset, r.epoch): r.seconds for r in first.itertuples()}
        last = first[first["epoch"] == self.epochs]
        self.test = {(r.model, r.dataset): r.test for r in last.itertuples()}
        final = records[records["epoch"] == self.epochs].groupby(["model", "dataset"])["test"].mean()
        self.average = final.to_dict()  # over seeds: what a performance matrix holds
        curve = records.groupby(["model", "dataset", "epoch"])["val"].mean()
        self.curve = curve.to_dict()
        self.datasets = [*dict.fromkeys(records["dataset"])]
        everywhere = len(self.datasets)
        counts = {m: sum((m, d) in self.test for d in self.datasets) for m in dict.fromkeys(records["model"])}
        self.models = [m for m, n in counts.items() if n == everywhere]
        scores = pd.read_csv(folder / "proxies.csv")
        self.proxy = {(r.model, r.dataset, r.proxy): r.score for r in scores.itertuples()}
        self.proxy_seconds = {(r.model, r.dataset, r.proxy): r.seconds for r in scores.itertuples()}

    def benchmarks(self, target: str) -> list[str]:
        return [d for d in self.datasets if self.role[d] == "benchmark" and d != target]

    def distance(self, a: str, b: str, known: list[str]) -> float:
        """1 - Eq. 1."""
        gaps = sorted((abs(self.average[a, d] - self.average[b, d]) for d in known), reverse=True)
        return statistics.fmean(gaps[: self.params["clustering"]["k"]])

    def clusters(self, target: str) -> list[list[str]]:
        known, names = self.benchmarks(target), sorted(self.models)
        pairs = [self.distance(a, b, known) for a, b in itertools.combinations(names, 2)]
        below = self.own["cut"] * (1 - 1e-9)  # groups nearer than the cut are merged, whatever rounding makes of a tie
        found = fcluster(linkage(pairs, "average"), below, "distance")
        return [[n for n, label in zip(names, found, strict=True) if label == one] for one in sorted(set(found))]

    def score(self, target: str, models: list[str]) -> dict[str, float]:
        """LEEP; N-LEEP moved to its scale where a model has no source head."""
        name, other = self.params["proxy"]["name"], self.params["proxy"]["headless"]
        both = [m for m in models if (m, target, name) in self.proxy]
        gap = (
            statistics.median([self.proxy[m, target, name] - self.proxy[m, target, other] for m in both]) if both else 0
        )
        return {m: self.proxy.get((m, target, name), self.proxy[m, target, other] + gap) for m in models}

    def recalled(self, target: str) -> tuple[list[str], list[str]]:
        """Models recalled, and who was scored (Eq. 2-4)."""
        known = self.benchmarks(target)
        prior = {m: statistics.fmean([self.average[m, d] for d in known]) for m in self.models}
        groups = [group for group in self.clusters(target) if len(group) > 1]
        first = [min(group, key=lambda m: (-prior[m], m)) for group in groups]
        raw = self.score(target, first)
        low, high = min(raw.values()), max(raw.values())
        if (self.params["proxy"]["normalization"] or self.own["normalization"]) == "minmax":
            normal = {m: max((s - low) / (high - low), 1e-9) for m, s in raw.items()}
        else:
            normal = {m: math.exp(s) for m, s in raw.items()}
        shared = {m: normal[one] for group, one in zip(groups, first, strict=True) for m in group}
        found = {}
        for m in self.models:
            alone = [(1 - self.distance(m, one, known)) * normal[one] for one in first] if m not in shared else None
            found[m] = prior[m] * (shared[m] if alone is None else statistics.fmean(alone))
        order = sorted(self.models, key=lambda m: (-found[m], -prior[m], m))
        return order[: self.params["recall"]["top"]], first

    def trend(self, model: str, stage: int, target: str) -> float:
        """Eq. 5 and 6, trends by trying every division of the sorted validations."""
        known = self.benchmarks(target)
        rows = sorted((self.curve[model, d, stage], self.average[model, d]) for d in known)
        parts = min(self.params["selection"]["n_trends"], len({val for val, _ in rows}))
        best = self._division([val for val, _ in rows], parts)
        value = self.val[model, target, stage]
        means = [
            (statistics.fmean([v for v, _ in rows[a:b]]), statistics.fmean([t for _, t in rows[a:b]]))
            for a, b in itertools.pairwise(best)
        ]
        return min(means, key=lambda pair: abs(pair[0] - value))[1]

    @staticmethod
    def _division(values: list[float], parts: int) -> list[int]:
        """Where sorted values are cut so that squares within the parts are least (dynamic programming)."""
        n = len(values)
        cost = np.full((parts + 1, n + 1), np.inf)
        cost[0, 0], back = 0, {}
        for part in range(1, parts + 1):
            for end in range(1, n + 1):
                for start in range(end):
                    here = np.asarray(values[start:end])
                    total = cost[part - 1, start] + ((here - here.mean()) ** 2).sum()
                    if total < cost[part, end] - 1e-15:
                        cost[part, end], back[part, end] = total, start
        cuts = [n]
        for part in range(parts, 0, -1):
            cuts.append(back[part, cuts[-1]])
        return cuts[::-1]

    def halving(self, target: str, models: list[str], predict: bool) -> tuple[str, int]:
        """Winner and epochs of Algorithm 1, or of halving alone."""
        alive, epochs = sorted(models), 0
        for stage in range(1, self.epochs + 1):
            epochs += len(alive)
            if len(alive) == 1:
                continue
            val = {m: self.val[m, target, stage] for m in alive}
            left = list(alive)
            if predict:
                ends = {m: self.trend(m, stage, target) for m in alive}
                beaten = {m for m in alive for j in alive if val[j] > val[m] and ends[j] > ends[m]}
                left = [m for m in alive if m not in beaten]
            room = max(1, len(alive) // 2)
            alive = sorted(sorted(left, key=lambda m: (-val[m], m))[:room])
        last = {m: self.val[m, target, self.epochs] for m in alive}
        return min(alive, key=lambda m: (-last[m], m)), epochs

    def brute(self, target: str) -> str:
        return min(self.models, key=lambda m: (-self.val[m, target, self.epochs], m))


@pytest.fixture(scope="module", params=PARAMS["domains"])
def both(request):
    """Ten headline numbers, ours, and the table of the notebook that prints them."""
    one = Independent(request.param)
    if one.params["selection"]["threshold"] or one.params["recall"]["singletons"]:
        pytest.skip("written for the configuration of the paper")
    rows = {}
    for target in one.datasets:
        recalled, scored = one.recalled(target)
        winner, epochs = one.halving(target, recalled, predict=True)
        rows[target] = {
            "2PH": one.test[winner, target], "2PH epochs": epochs + 0.5 * len(scored),
            "SH": one.test[one.halving(target, one.models, predict=False)[0], target],
            "SH epochs": one.halving(target, one.models, predict=False)[1],
            "BF": one.test[one.brute(target), target], "BF epochs": one.epochs * len(one.models),
            "best": max(one.test[m, target] for m in one.models),
            "gain": statistics.fmean([one.test[m, target] for m in recalled])
            - statistics.fmean([one.test[m, target] for m in one.models]),
            "holds the best": max(one.models, key=lambda m: one.test[m, target]) in recalled,
        }  # fmt: skip
    return one, pd.DataFrame(rows).T, request.param


def test_ten_headline_numbers(both):
    _, rows, domain = both
    rows = rows.astype(float)
    table = pd.read_csv(ROOT / "results" / "tables" / f"table_summary_{domain}.csv", index_col="quantity")
    everywhere = table[f"all {len(rows)} datasets"]
    expected = {
        "speed-up against brute force (epochs)": (rows["BF epochs"] / rows["2PH epochs"]).mean(),
        "speed-up against halving (epochs)": (rows["SH epochs"] / rows["2PH epochs"]).mean(),
        "2PH regret against brute force's pick": (rows["BF"] - rows["2PH"]).mean(),
        "SH regret against brute force's pick": (rows["BF"] - rows["SH"]).mean(),
        "2PH regret against the best by test": (rows["best"] - rows["2PH"]).mean(),
        "SH regret against the best by test": (rows["best"] - rows["SH"]).mean(),
        "BF regret against the best by test": (rows["best"] - rows["BF"]).mean(),
    }
    for quantity, value in expected.items():
        printed = re.match(r"-?[\d.]+", everywhere[quantity])[0]
        assert abs(float(printed) - value) <= 0.5000001 * 10.0 ** -len(printed.partition(".")[2]), quantity
    metrics = json.loads((ROOT / "results" / "metrics" / f"{domain}.json").read_text(encoding="utf-8"))
    assert metrics["gain"] == pytest.approx(rows["gain"].mean(), abs=1e-6)
    assert metrics["contains_best"] == pytest.approx(rows["holds the best"].mean(), abs=1e-6)
    claims = pd.read_csv(ROOT / "results" / "claims" / f"{domain}.csv", index_col="number")["value"]
    assert claims["S18"] == pytest.approx((rows["BF"] - rows["2PH"]).mean(), abs=1e-6)


def test_every_winner_is_the_same(both):
    one, _, domain = both
    turns = pd.read_csv(ROOT / "results" / "leave_one_out" / f"{domain}.csv", keep_default_na=False)
    plain = turns[(turns["variant"] == "") & (turns["candidates"] == "all")].set_index(["dataset", "method"])["winner"]
    for target in one.datasets:
        assert plain[target, "two-phase"] == one.halving(target, one.recalled(target)[0], predict=True)[0]
        assert plain[target, "brute force"] == one.brute(target)
