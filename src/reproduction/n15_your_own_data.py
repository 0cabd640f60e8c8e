"""Notebook 15: a dataset as a user's files, and what `twophase.select` found, without this machine's paths."""

import base64
import shutil
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from reproduction.evidence import load
from twophase.commands.select.outcome import Outcome
from twophase.commands.select.report import pictures
from twophase.commands.zoos import save_task
from twophase.infra.config import root
from twophase.infra.store import cache_folder, digest
from twophase.sources.live import parameters
from twophase.training import tasks
from twophase.training.loading import model_digest


def target(domain: str) -> str:
    """The last target of a domain."""
    return parameters.read(root() / "params.yaml").domain[domain].tasks.target[-1]


def example(domain: str, folder: str | Path) -> Path:
    """That target as files in a new folder."""
    return save_task(target(domain), Path(folder) / target(domain))


def run_folder(domain: str) -> Path:
    """Where the run is kept: beside the cell store, so that a second execution trains nothing.

    Other models, data or ways to train are another folder, and that of before is removed.
    """
    params = parameters.read(root() / "params.yaml")
    models = [path.parent for path in sorted((root() / "zoo" / domain).glob("*/config.json"))]
    facts = {
        "models": {folder.name: model_digest(folder) for folder in models},
        "task": tasks.digest(root() / "data" / domain / target(domain)),
        "training": asdict(params.domain[domain].training),
    }
    runs, name = cache_folder() / "runs", f"notebook-{params.profile}-{target(domain)}"
    folder = runs / f"{name}-{digest(facts)[:12]}"
    for old in runs.glob(f"{name}-*"):
        if old != folder:
            shutil.rmtree(old, ignore_errors=True)
    (folder / "settings.json").unlink(missing_ok=True)  # what a run says here must not depend on earlier ones
    return folder


def first_rows(folder: Path, n: int = 5, split: str = "train") -> pd.DataFrame:
    """The first rows of a split, or the first pictures' names."""
    if (folder / f"{split}.csv").is_file():
        return pd.read_csv(folder / f"{split}.csv").head(n)
    files = sorted((folder / split).glob("*/*.png"))[:n]
    return pd.DataFrame({"picture": [file.name for file in files], "label": [file.parent.name for file in files]})


def answer(found: Outcome) -> str:
    """Which model was found for these data, and at what cost beside trying them all."""
    spent, whole = (found.costs.iloc[place] for place in (0, 1))
    low, high = found.interval
    return (
        f"**Answer.** For these data, {found.winner}: fine-tuned, it has a test accuracy of {found.test:.2f} (95 %: {low:.2f} to "
        f"{high:.2f}; always answering the most frequent class: {found.baseline:.2f}). Finding it took {spent['epochs']:g} "
        f"model-epochs and {spent['seconds']:.0f} seconds; trying every model would have taken {whole['epochs']:g} and about "
        f"{whole['seconds']:.0f}."
    )


def proxies_said(domain: str) -> str:
    """Which proxies `select` computes and why: how well each one's looks rank models on the benchmark datasets."""
    evidence = load(domain)
    chosen, headless = evidence.params.leader, evidence.params.proxy.headless
    looks = evidence.looks[evidence.looks["dataset"].isin(evidence.benchmarks)]
    rho = pd.DataFrame(
        {
            dataset: here.pivot(index="model", columns="proxy", values="score").corrwith(
                evidence.final(dataset), method="spearman"
            )
            for dataset, here in looks.groupby("dataset")
        }
    ).T[list(chosen.proxies)]
    first = rho.dropna(how="all").idxmax(axis=1)  # where all models are equally good, nothing ranks them
    each = "; ".join(f"`{name}` {rho[name].mean():.2f}, first on {(first == name).sum()}" for name in rho)
    return (
        f"**Which proxy `select` uses, and why.** Not one but {len(rho.columns)}, since no single one is first everywhere. Rank "
        f"correlations with the final accuracy (of the models that a proxy can score; mean over {len(rho)} benchmark datasets): {each}. All of them are computed from one "
        f"pass over {chosen.examples} training examples, so that several cost hardly more than one, and how far to trust each was learned from "
        f"these datasets. `method=two_phase` uses `{evidence.params.proxy.name}`, as the paper does, and `{headless}` where a "
        "model has no source head."
    )


def summary(found: Outcome) -> pd.DataFrame:
    """The outcome in a few rows, but for paths."""
    return found.summary().drop(index=["model", "report"])


def shown(found: Outcome, title: str):
    """One picture of the report, or that it has none of this title: only the leader has a belief."""
    from IPython.display import Image, Markdown

    tag = pictures(found).get(title)
    if tag is None:
        return Markdown(f"The report of this run has no picture *{title}*: too little was known for a belief.")
    encoded, width = (tag.split(mark)[1].split('"')[0] for mark in ("base64,", 'width="'))
    return Image(base64.b64decode(encoded), width=int(width))


def answers(classify, folder: Path, n: int = 5) -> pd.DataFrame:
    """What the selected model says to the first examples of the test split."""
    rows = first_rows(folder, n, "test")
    if "picture" in rows:
        files = zip(rows["label"], rows["picture"], strict=True)
        said = [classify(str(folder / "test" / label / picture))[0] for label, picture in files]
    else:
        given = rows["text"].tolist() if "text_pair" not in rows else rows[["text", "text_pair"]].to_dict("records")
        said = [answer[0] if isinstance(answer, list) else answer for answer in classify(given, truncation=True)]
        rows = rows.assign(text=rows["text"].str.slice(0, 80))
    return rows.assign(answer=[one["label"] for one in said], score=[round(one["score"], 3) for one in said])
