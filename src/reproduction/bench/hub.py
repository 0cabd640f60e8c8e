"""Part *hub*: what the estimate for a hub of models rests on, a row per number, each with where it is from.

Nothing is timed here: the numbers are of other groups' records (`make published`), of this project's records, or assumed in
`conf/bench.yaml`. What they come to is in `reproduction.n16_scale.hub_cost`.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from reproduction import evidence
from reproduction.published import n14_training_sizes as sizes
from reproduction.published.n11_thousand_models import subsets
from reproduction.published.sources import params, recycling
from twophase.sources.published import model_recycling, transfergraph

HOUR = 3600.0


def run(settings: Mapping[str, Any], repeats: int) -> pd.DataFrame:
    """Every number: name, value, unit, source; `settings` are explained in `conf/bench.yaml`, `repeats` are draws.

    Raises UserError where published records are not there.
    """
    names = ("models", "benchmarks", "paper_models", "paper_benchmarks", "keep", "agreement")
    rows = [(name, settings[name], "", "conf/bench.yaml") for name in names]
    rows.append(("top", params().published.top, "models recalled", "conf/config.yaml"))
    rows += _run_times() + _compact(settings["keep"]) + _metadata(settings["trained"], repeats)
    rows += _samples(settings["agreement"])
    for domain in settings["domains"]:
        rows += _one_epoch(domain)
    return pd.DataFrame(rows, columns=["name", "value", "unit", "source"])


def _run_times() -> list[tuple]:
    """GPU-hours a full fine-tuning, the log's train_runtime (seconds of the Trainer, on a GPU that is not named)."""
    found = transfergraph.read(params().published.mirror).records.frame
    proxies = transfergraph.proxies(params().published.mirror)
    source = f"transfergraph, {len(found)} full fine-tunings of {found['model'].nunique()} models for five epochs"
    proxy = proxies.loc[proxies["proxy"] == "logme", "seconds"].mean() / HOUR
    return [
        ("cell_mean", found["seconds"].mean() / HOUR, "GPU-hours", source),
        ("cell_median", found["seconds"].median() / HOUR, "GPU-hours", source),
        ("cell_epochs", 5, "epochs", source),
        ("proxy_mean", proxy, "GPU-hours", "transfergraph, LogME, features included"),
    ]


def _compact(keep: float) -> list[tuple]:
    """Benchmark datasets, drawn at random, whose prior keeps a share of the gain on the paper's targets."""
    gains = subsets.compare().query("rule == 'random'").groupby("size")["gain"].mean()
    kept = gains / gains.iloc[-1]
    enough = int(kept.index[kept >= keep][0])
    source = f"model-recycling, prior of {gains.index[-1]} datasets and of random ones among them (notebook 11)"
    rows = [("datasets_enough", enough, "datasets", source)]
    return [*rows, ("datasets_kept", kept[enough], "share of the gain", source)]


def _metadata(trained: list[int], draws: int) -> list[tuple]:
    """Only so many models trained, the prior of the others being the mean of those of their base model."""
    matrix, everything = subsets.pool(), recycling().matrix
    base, targets = recycling().models["base_model"], everything.loc[model_recycling.TARGETS].T
    prior, rng = matrix.mean(), np.random.default_rng(params().seed)

    def gain(scores: pd.Series) -> float:
        return subsets.gain(scores, targets, params().published.top).mean()

    source = f"model-recycling, {len(prior)} models of {base.nunique()} base models, {draws} draws"
    rows = [("metadata_models", len(prior), "models", source)]
    for count in trained:
        gains = []
        for _ in range(draws):
            known = prior[rng.choice(prior.index, count, replace=False)]
            families = known.groupby(base[known.index]).mean()
            guessed = base[prior.index].map(families).fillna(known.mean())
            gains.append(gain(known.reindex(prior.index).fillna(guessed)))
        rows.append((f"metadata_kept_{count}", np.mean(gains) / gain(prior), "share of the gain", source))
    families = prior.groupby(base[prior.index]).mean()
    alone = base[prior.index].map(families) + 1e-9 * pd.Series(rng.random(len(prior)), index=prior.index)
    return [*rows, ("metadata_kept_0", gain(alone) / gain(prior), "share of the gain", source)]


def _samples(agreement: float) -> list[tuple]:
    """Share of the training data from which on the order of the models agrees with that at all of it, by task."""
    table = sizes.agreement()
    source = "scaling-law, 30 language models (notebook 14)"
    shares = {task: enough / table.columns[-1] for task, enough in sizes.enough(table, agreement).items()}
    return [(f"sample_{task}", share, "share of the data", source) for task, share in shares.items()]


def _one_epoch(domain: str) -> list[tuple]:
    """What the prior of first-epoch validations gains at the top K, every dataset in turn, against that of final tests."""
    known = evidence.load(domain)
    frame = known.records.first_seed()
    first = frame[frame["epoch"] == 1].pivot(index="dataset", columns="model", values="val")
    final = frame[frame["epoch"] == frame["epoch"].max()].pivot(index="dataset", columns="model", values="test")
    gains = {"first": [], "final": []}
    for target in known.everything:
        others = [name for name in known.benchmarks if name != target]
        for name, matrix in (("first", first), ("final", final)):
            gains[name].append(subsets.gain(matrix.loc[others].mean(), final.loc[target], known.top))
    source = f"this project's {domain} records, {len(known.everything)} datasets in turn"
    return [
        (f"one_epoch_kept_{domain}", np.mean(gains["first"]) / np.mean(gains["final"]), "share of the gain", source),
        (f"one_epoch_share_{domain}", 1 / frame["epoch"].max(), "share of the epochs", source),
    ]
