"""Notebook 16, last part: what the method costs for a hub of models, on paper, from `results/bench/hub.csv`."""

import pandas as pd

from reproduction.n16_scale.measured import load, missing, table_of
from reproduction.tables import say
from twophase.selection import halving_epochs

TASKS = ("flan", "wmt19", "gigaword")
FORMATS = {
    "models trained": "{:,.0f}",
    "datasets": "{:,.0f}",
    "share of a training": "{:.4g}",
    "GPU-hours": "{:,.0f}",
    "times less": "{:,.1f}",
    "GPU-hours, one more model": "{:.2f}",
    "gain kept": "{:.0%}",
}


@table_of("hub")
def inputs(raw: pd.DataFrame) -> pd.DataFrame:
    """Every number that the estimate rests on: value, unit, source; index name."""
    return raw.set_index("name").fillna({"unit": ""})


@table_of("hub", "table_hub")
def costs(raw: pd.DataFrame) -> pd.DataFrame:
    """GPU-hours of the performance matrix, saving by saving, each on top of those before it: the columns of `FORMATS`.

    "times less" is against the hub without any saving; "gain kept" is what this saving alone keeps, where it was measured.
    """
    value = raw.set_index("name")["value"]
    hub, few = value["models"], value["datasets_enough"]
    epoch, kept = value.filter(like="one_epoch_share_").max(), value.filter(like="one_epoch_kept_").min()
    part = epoch * value[[f"sample_{task}" for task in TASKS]].median()
    trained = max(int(name.removeprefix("metadata_kept_")) for name in value.filter(like="metadata_kept_").index)
    rows = [
        ("the paper's matrix", value["paper_models"], value["paper_benchmarks"], 1.0, None),
        ("the hub, as the paper does it", hub, value["benchmarks"], 1.0, None),
        ("fewer benchmark datasets", hub, few, 1.0, value["datasets_kept"]),
        ("and one epoch", hub, few, epoch, kept),
        ("and a part of the data (median of three tasks)", hub, few, part, None),
        ("and a sample of models, metadata for the others", trained, few, part, value[f"metadata_kept_{trained}"]),
    ]
    names = ["what is done", "models trained", "datasets", "share of a training", "gain kept"]
    table = pd.DataFrame(rows, columns=names).set_index("what is done")
    table["GPU-hours, one more model"] = table["datasets"] * table["share of a training"] * value["cell_mean"]
    table["GPU-hours"] = table["models trained"] * table["GPU-hours, one more model"]
    table["times less"] = table["GPU-hours"]["the hub, as the paper does it"] / table["GPU-hours"]
    table.loc["the paper's matrix", "times less"] = None
    return table[list(FORMATS)]


def per_target():
    """What one selection costs, beside trying every model, in a sentence."""
    given = inputs()
    if given.empty:
        return say(missing("hub"))
    value = given["value"]
    top, epochs, hours = int(value["top"]), int(value["cell_epochs"]), value["cell_mean"]
    tuned = halving_epochs(top, epochs) / epochs * hours
    clusters = load("clustering")
    proxies = ""
    if clusters is not None:
        largest = clusters.sort_values("n").iloc[-1]
        scored = int(largest["clusters"] - largest["singletons"])
        proxies = (
            f" Scoring a representative of each of the {scored:,} clusters of several models that {int(largest['n']):,} "
            f"simulated models form takes {scored * value['proxy_mean']:,.0f} GPU-hours at {value['proxy_mean'] * 3600:.0f} "
            f"seconds each, {scored * value['proxy_mean'] / tuned:,.1f} times the fine-tuning; notebooks 11 and 12 ask "
            "what that adds to the prior."
        )
    return say(
        f"One target: fine-tuning the {top} models recalled with halving takes at most {tuned:.1f} GPU-hours "
        f"({halving_epochs(top, epochs)} model-epochs, of {epochs} per run); trying all {int(value['models']):,} models takes "
        f"{value['models'] * hours:,.0f}.{proxies}"
    )


def verdict():
    """Which saving brings the cost down by how much, and what speaks against it."""
    given, table = inputs(), costs()
    if given.empty:
        return say(missing("hub"))
    value, whole = given["value"], table["GPU-hours"]
    steps = (whole.shift(1) / whole).iloc[2:]
    samples = ", ".join(f"{task} {value[f'sample_{task}']:.0%}" for task in TASKS)
    few = sum(value[f"sample_{task}"] <= 0.1 for task in TASKS)
    epochs = value.filter(like="one_epoch_kept_")
    epoch = ", ".join(f"{name.removeprefix('one_epoch_kept_')} {kept:.0%}" for name, kept in epochs.items())
    metadata = value.filter(like="metadata_kept_").drop("metadata_kept_0")
    shares = ", ".join(f"{kept:.0%} with {name.removeprefix('metadata_kept_')}" for name, kept in metadata.items())
    return say(
        f"- **Fewer benchmark datasets**: {steps.iloc[0]:.1f} times less. {int(value['datasets_enough'])} keep "
        f"{value['datasets_kept']:.0%} of the gain.\n"
        f"- **One epoch in place of all**: {steps.iloc[1]:.0f} times less. The prior of first epochs keeps, of the gain of the "
        f"models recalled: {epoch}, where {value['keep']:.0%} is asked for. Convergence trends cannot be mined then: "
        "fine-selection becomes halving.\n"
        f"- **A part of the training data**: {steps.iloc[2]:.0f} times less, with the least support: to keep the order of 30 "
        f"language models (Spearman {value['agreement']:.1f}) it takes {samples} of the data. That a relatively small subset "
        f"could be enough, as the paper has it, holds for {few} of {len(TASKS)} tasks if a tenth counts as small.\n"
        f"- **Metadata**: {steps.iloc[3]:,.0f} times less, as the cost no longer grows with the hub. A model that is not trained "
        f"gets the mean of the trained ones of its base model. Of the gain of training all {int(value['metadata_models'])} "
        f"models this keeps {shares} trained; knowing the base model's mean alone keeps {value['metadata_kept_0']:.0%}. Among "
        "a million models there are more base models, and models without one: an extrapolation.\n"
        "- **Clustering by a sample and incremental adding** save no training at all. They bring the mathematics from a "
        "similarity matrix of a million million entries to what the first figure shows, and a new model from a new clustering "
        "to a comparison with the clusters.\n\n"
        "The savings were measured one at a time; that they keep what they keep when combined has not been measured."
    )
