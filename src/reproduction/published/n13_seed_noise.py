"""Notebook 13: how much accuracy differs between seeds, and which differences of the paper are larger."""

from functools import cache

import numpy as np
import pandas as pd

from reproduction import paper
from reproduction.published.sources import params, recycling
from reproduction.tables import save_figure, save_table, tidy
from twophase.infra import plots
from twophase.records import TrainingRecords
from twophase.sources.published import Published, model_recycling
from twophase.sources.published.catalogue import Account, find, get

TWEETS = [name for name in model_recycling.TARGETS if name.startswith("tweet")]
TARGETS = {"Tweet": TWEETS, "MNLI": ["mnli"], "MultiRC": ["multirc"], "Boolq": ["boolq"]}  # -> columns here

BASES = (
    "bert_base_cased",
    "bert_base_uncased",
    "roberta_base",
    "microsoft_deberta_v3_base",
    "t5_base",
    "google_t5_v1_1_base",
)


def read(mirror: str | None = None) -> Published:
    """Six base models of model-recycling on 36 datasets with 20 seeds each: the noise of fine-tuning."""
    account, frames = Account("runs"), []
    for base in BASES:
        file = get(find(model_recycling.SOURCE, f"models_results_{base}_pretrain.csv"), mirror)
        table = pd.read_csv(file, sep="\t").rename(columns={"dataset name": "dataset", "stage": "seed"})
        frames.append(table.assign(model=base))
    rows = account.start(pd.concat(frames, ignore_index=True), f"models_results_*_pretrain.csv, {len(BASES)} files")
    rows = rows.assign(
        test=rows["accuracy"].fillna(rows["spearmanr"]),
        metric=np.where(rows["accuracy"].notna(), "accuracy", "spearman"),
    )
    rows = account.keep(rows, rows["test"].notna(), "no score (stsb)")
    columns = ["model", "dataset", "seed", "test", "metric"]
    records = TrainingRecords.from_frame(rows[columns].assign(role="benchmark"))
    return Published(records, account.table, pd.DataFrame(index=list(BASES)))


@cache
def seeds() -> TrainingRecords:
    """Six base models, 36 datasets, 20 seeds."""
    return read(params().published.mirror).records


def deviation() -> pd.DataFrame:
    """Standard deviation over seeds (n - 1), datasets x base models."""
    return seeds().frame.groupby(["dataset", "model"], sort=False)["test"].std().unstack("model")


def summary() -> pd.DataFrame:
    """By dataset: median, least and largest seed deviation of the base models, deviation between models, their ratio."""
    names = {"median": "seeds: median", "min": "seeds: least", "max": "seeds: largest"}
    rows = deviation().agg(list(names), axis=1).rename(columns=names)
    rows["between models"] = recycling().matrix.std(axis=1)
    rows["ratio"] = rows["between models"] / rows["seeds: median"]
    return save_table(rows.sort_values("ratio").rename_axis("dataset"), "table_noise", "published")


def by_base() -> pd.DataFrame:
    """Seed deviation of each base model over the datasets: median, least, largest."""
    return deviation().agg(["median", "min", "max"]).T.sort_values("median").rename_axis("base model")


def verdict(table: pd.DataFrame) -> str:
    """The floor in words."""
    medians = by_base()["median"]
    weak = list(table.index[table["ratio"] < 3])
    return (
        f"The median seed deviation is {medians.min():.3f} to {medians.iloc[-2]:.3f} for five base models, and "
        f"{medians.max():.2f} for {medians.index[-1]}, whose runs fail often. Models differ at least three "
        f"times as much as seeds on {int((table['ratio'] >= 3).sum())} of {len(table)} datasets. The others say little about a "
        f"single run of a model, least of all {', '.join(weak[:5])}."
    )


def answer(found: pd.DataFrame) -> str:
    """How many printed differences are larger than the noise, and how large that is."""
    line = found["line"].groupby(level="target").first()
    larger = found[found["exceeds"] == "yes"]
    named = " and ".join(f"{name} on {target}" for target, name in larger.index)
    return (
        f"**Answer.** Few: {len(larger)} of the {len(found)} differences of Table VI ({named or 'none'}). Two single runs of one "
        f"model differ by more than {line.min():.3f} ({line.idxmin()}) to {line.max():.3f} ({line.idxmax()}) in one case of twenty."
    )


def differences() -> pd.DataFrame:
    """Each accuracy difference between methods in Table VI (text), against the noise of two single runs.

    Columns: the difference; line: 1.96 sqrt(2) x the median seed deviation on that target; exceeds it or not.
    """
    floor, rows = deviation().median(axis=1), {}
    for target, (*_, brute, half, two) in paper.TABLE_6["nlp"].items():
        line = 1.96 * np.sqrt(2) * floor[TARGETS[target]].median()
        for name, gap in (("BF - 2PH", brute - two), ("BF - SH", brute - half), ("2PH - SH", two - half)):
            rows[target, name] = {"difference": gap, "line": line, "exceeds": "yes" if abs(gap) > line else "no"}
    table = pd.DataFrame(rows).T.rename_axis(["target", "accuracies of Table VI"]).infer_objects()
    return save_table(table, "table_noise_paper", "published")


def differences_verdict(table: pd.DataFrame) -> str:
    """How many of the differences could not be seeds."""
    found = table[table["exceeds"] == "yes"]
    none = int((table["difference"].abs() < 1e-9).sum())
    named = ", ".join(f"{name} on {target} ({row['difference']:+.3f})" for (target, name), row in found.iterrows())
    return (
        f"Of {len(table)} differences {none} are zero in print and {len(found)} exceed what two runs of one model differ by "
        f"in 95 % of cases: {named or 'none'}. The paper gives a single run of each."
    )


def winners_curse(models: int = 10) -> pd.DataFrame:
    """How far the best of n equally good models lies above their mean by luck alone, by dataset (draws of real seeds)."""
    frame, rng = seeds().frame, np.random.default_rng(params().seed)

    def lucky(runs: pd.Series) -> float:
        return rng.choice(runs.to_numpy(), (2000, models)).max(1).mean() - runs.to_numpy().mean()

    by_dataset = frame.groupby("dataset", sort=False)
    above = {name: here.groupby("model", sort=False)["test"].agg(lucky).median() for name, here in by_dataset}
    return tidy(pd.Series(above, name=f"best of {models} runs above the mean").rename_axis("dataset").to_frame())


def figure_luck():
    """`winners_curse` as a picture, the datasets of the largest luck first."""
    luck = winners_curse().iloc[:, 0].sort_values(ascending=False)
    with plots.style():
        figure, (axis,) = plots.panels(1, height=2.6)
        axis.bar(range(len(luck)), luck, color=plots.BLUE, width=0.7)
        axis.set_xticks(range(len(luck)), [name.replace("_", " ") for name in luck.index], rotation=60, ha="right")
        axis.set(ylabel="best of ten equal models\nabove their mean (accuracy)", xlim=(-0.7, len(luck) - 0.3))
        return save_figure(figure, "figure_luck", "published")


def figure_noise():
    """Seed deviation of each base model on each dataset, beside the deviation between 973 models."""
    table, between = deviation(), recycling().matrix.std(axis=1)
    order = list(table.median(axis=1).sort_values().index)
    with plots.style():
        figure, (axis,) = plots.panels(1, height=3.0)
        labels = ["between 20 seeds, one of six base models", *[None] * (table.shape[1] - 1)]
        look = {"marker": "o", "ms": 3, "color": plots.BLUE, "alpha": 0.6, "label": labels}
        axis.plot(range(len(order)), table.loc[order], ls="", **look)
        look = {"marker": "_", "ms": 8, "color": plots.RED, "label": f"between {recycling().matrix.shape[1]} models"}
        axis.plot(range(len(order)), between.reindex(order), ls="", mew=1.5, **look)
        axis.set_xticks(range(len(order)), [name.replace("_", " ") for name in order], rotation=60, ha="right")
        axis.set(yscale="log", ylabel="standard deviation (accuracy)")
        figure.legend(loc="outside upper center", ncols=2)
        return save_figure(figure, "figure_noise", "published")
