"""What `dvc.yaml` calls: `python -m reproduction.stages VERB [NOTEBOOK] [DOMAIN]` beside `params.yaml`.

Each verb reads `params.yaml` and what earlier stages wrote, nothing else of the configuration. Work is
kept cell by cell in the store (`twophase.training.stored`), so a stage that was killed goes on where it was.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from twophase.errors import UserError, exit_code
from twophase.infra import compute, files
from twophase.sources.live import parameters

if TYPE_CHECKING:
    import pandas as pd

# models load by the hundred: their libraries' bars and reports would bury the stage's own
QUIET = {"TRANSFORMERS_VERBOSITY": "error", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_OFFLINE": "1"}
HEAVY = ("datasets", "torch", "transformers.modeling_utils")  # what training and scoring import, for seconds
DATA, ZOO, RESULTS = Path("data"), Path("zoo"), Path("results")
LOCK = Path("constraints.txt")


def _write(table: pd.DataFrame, *place: str, index: bool = False, digits: str | None = None) -> None:
    """Write a table to the file `place` below `results/`; `digits`: the format of its numbers."""
    path = RESULTS.joinpath(*place)
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, index=index, float_format=digits, lineterminator="\n")


def check() -> None:
    """Stop if `params.yaml` is not what `conf/` composes to; write what data will be made from."""
    from twophase.sources.live import corpora

    if not os.environ.get("DVC_EXP_NAME") and (fault := parameters.difference()):
        raise UserError(fault)
    domains = parameters.read().domain
    versions = [f"{domain} {name} {version}" for domain in domains for name, version in corpora.sources(domain).items()]
    mark, written = Path("build/check"), "\n".join(["params.yaml is what conf/ composes to", *versions, ""])
    if not mark.is_file() or mark.read_text() != written:
        files.write_text(mark, written)


def tasks(name: str) -> None:
    """Build every dataset of the domain into `data/<domain>/<task>/`; list them and what they were made from."""
    import pandas as pd

    from twophase.sources.live.datasets import build_tasks

    found, facts = build_tasks(parameters.read(), name, DATA / name)
    kept = RESULTS / name / "sources.csv"
    if kept.is_file():
        both = found.astype(str).merge(pd.read_csv(kept, dtype=str), on="source", suffixes=("", "_before"))
        for row in both[both["sha256"] != both["sha256_before"]].itertuples():
            told = f"{row.source} {row.version} gives other material than {row.version_before} did"
            print(f"{told} in the last run: data are new")
    _write(found, name, "sources.csv")
    _write(facts, name, "tasks.csv", digits="%.4f")


def zoo(name: str) -> None:
    """Pre-train the models of the domain, parents first, into `zoo/<domain>/<model>/`; list them: `models.csv`."""
    import pandas as pd

    from twophase.sources.live.models import build_zoo

    compute.warm(*HEAVY)
    params = parameters.read()
    build_zoo(params, name, DATA / name, ZOO / name)
    rows = {model: asdict(recipe) for model, recipe in params.domain[name].zoo.recipes.items()}
    columns = ["architecture", "parent", "width", "depth", "upstream", "objective", "vectors", "epochs", "head"]
    made = pd.DataFrame.from_dict(rows, orient="index")[columns].rename_axis("model")
    cards = {model: (ZOO / name / model / "README.md") for model in made.index}
    texts = {model: card.read_text(encoding="utf-8") if card.is_file() else "" for model, card in cards.items()}
    for column, told in (("parameters", r"([\d,]+) parameters"), ("card_accuracy", r"- accuracy: ([\d.]+)")):
        found = {model: re.search(told, text) for model, text in texts.items()}
        made[column] = pd.Series({model: one[1].replace(",", "") if one else "" for model, one in found.items()})
    _write(made, name, "models.csv", index=True)


def records(name: str) -> None:
    """Fine-tune every model on every dataset: `records.csv`, and what failed and why: `failures.csv`."""
    from twophase.records import TrainingRecords
    from twophase.sources.live.records import train_cells

    compute.warm(*HEAVY)
    rows, failures = train_cells(parameters.read(), name, DATA / name, ZOO / name)
    _write(failures, name, "failures.csv")
    TrainingRecords.from_frame(rows).write(RESULTS / name / "records.csv")


def second_runs(name: str) -> None:
    """Fine-tune the best models once more: `second_rate.csv` (Fig. 8), `second_seed.csv`, and what failed."""
    from reproduction.second_runs import train_again
    from twophase.records import TrainingRecords

    compute.warm(*HEAVY)
    first = TrainingRecords.read(RESULTS / name / "records.csv")
    made, failures = train_again(parameters.read(), name, DATA / name, ZOO / name, first)
    _write(failures, name, "second_failures.csv")
    for file, rows in made.items():
        TrainingRecords.from_frame(rows).write(RESULTS / name / f"{file}.csv")


def proxies(name: str) -> None:
    """Score every model on every dataset: `proxies.csv`; as the leader does: `looks.csv`; and what failed."""
    from twophase.sources.live.scores import score_cells

    compute.warm(*HEAVY, "sklearn.linear_model", "sklearn.mixture")
    for file, looks in (("proxies", False), ("looks", True)):
        rows, failures = score_cells(parameters.read(), name, DATA / name, ZOO / name, looks)
        _write(rows, name, f"{file}.csv")
        _write(failures, name, f"{'look' if looks else 'proxy'}_failures.csv")


def fewer_examples(name: str) -> None:
    """Fine-tune some models on fewer examples of some datasets: `fewer_examples.csv`, and what failed."""
    from reproduction.fewer_examples import train

    compute.warm(*HEAVY)
    rows, failures = train(parameters.read(), name, DATA / name, ZOO / name)
    _write(rows, name, "fewer_examples.csv")
    _write(failures, name, "fewer_examples_failures.csv")


def rivals(name: str) -> None:
    """Fit linear classifiers in place of fine-tuning: `rivals.csv`, and what failed: `rival_failures.csv`."""
    from reproduction.rivals import fit

    compute.warm(*HEAVY, "sklearn.linear_model")
    rows, failures = fit(parameters.read(), name, DATA / name, ZOO / name)
    _write(rows, name, "rivals.csv")
    _write(failures, name, "rival_failures.csv")


def cards(name: str) -> None:
    """Encode the models' cards: `cards.csv`, and by what: `cards.json`."""
    import pandas as pd

    from reproduction.card_embedding import embed_cards

    chosen = parameters.read().cards
    table = pd.DataFrame(index=pd.Index([], name="model"))
    if chosen.encoder:
        with compute.single_thread():
            table = embed_cards(ZOO / name, chosen.encoder, chosen.sha256)
    _write(table, name, "cards.csv", index=True, digits="%.6f")
    facts = {"name": chosen.name, "encoder": chosen.encoder, "sha256": chosen.sha256, "dimensions": table.shape[1]}
    files.write_json(RESULTS / name / "cards.json", facts)


def choices(name: str) -> None:
    """Write what the rule chooses on the benchmark datasets: `choices.csv`, and for each dataset without it: `folds.csv`."""
    from reproduction import choices, evidence

    _write(choices.table(name), name, "choices.csv", digits="%.6g")
    _write(choices.folds(name, evidence.load(name).everything), name, "folds.csv")


def leading(name: str) -> None:
    """Write what the leader is told for each dataset, chosen without it: `leader.csv`; and told less: `compact.csv`."""
    from reproduction import compact, evidence, leading

    _write(leading.folds(name, evidence.load(name).everything), name, "leader.csv")
    _write(compact.compared(name), name, "compact.csv", digits="%.6g")


def leave_one_out(name: str) -> None:
    """Run every selection on every dataset, each left out as the target: `results/leave_one_out/<domain>.csv`."""
    from reproduction import evidence
    from reproduction.leave_one_out import turns

    _write(turns(name, evidence.load(name).everything), "leave_one_out", f"{name}.csv", digits="%.8g")


def metrics(name: str) -> None:
    """Write what ablations are judged by: `results/metrics/<domain>.json`."""
    from reproduction import evidence
    from reproduction.metrics import metrics as means

    found = {key: round(value, 6) for key, value in means(evidence.load(name)).items()}
    files.write_json(RESULTS / "metrics" / f"{name}.json", found)


def claims(name: str) -> None:
    """Test every claim of the paper on the domain: `results/claims/<domain>.csv`."""
    from reproduction import claims, evidence

    _write(claims.tested(evidence.load(name)), "claims", f"{name}.csv", digits="%.6g")


def published_claims() -> None:
    """Test the claims that published records can decide: `results/published/claims.csv`."""
    from reproduction.published.claims import tested

    _write(tested(), "published", "claims.csv", digits="%.6g")


def notebook(name: str, domain: str | None = None) -> None:
    """Execute `notebooks/<name>.ipynb`, for one domain if it has such a parameter, into `results/notebooks/`."""
    from reproduction.notebooks import execute

    given = {"domain": domain} if domain else {}
    target = RESULTS / "notebooks" / f"{'_'.join([name, *given.values()])}.ipynb"
    source = Path("notebooks") / f"{name}.ipynb"
    execute(source if source.is_file() else Path("notebooks/published") / source.name, target, given)


def manifest() -> None:
    """Write `results/manifest.json`, digests of data and models among it; two runs on one machine write the same."""
    from twophase.infra.machine import processor, versions
    from twophase.training.loading import model_digest
    from twophase.training.tasks import digest

    params, domains = parameters.read(), {}
    for name, part in params.domain.items():
        datasets = [*part.tasks.roles, *part.tasks.upstream]
        models = [model for model in part.zoo.recipes if (ZOO / name / model).is_dir()]
        domains[name] = {
            "data": {dataset: digest(DATA / name / dataset) for dataset in datasets},
            "models": {model: model_digest(ZOO / name / model) for model in models},
        }
    facts = {
        "profile": params.profile,
        "seed": params.seed,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor(),
        "packages": versions(),
        "lock": files.digest(LOCK) if LOCK.is_file() else None,
        "domains": domains,
    }
    files.write_json(RESULTS / "manifest.json", facts)


STAGES = (
    check,
    tasks,
    zoo,
    records,
    second_runs,
    fewer_examples,
    proxies,
    rivals,
    cards,
    choices,
    leading,
    leave_one_out,
)
VERBS = {stage.__name__: stage for stage in (*STAGES, metrics, claims, published_claims, notebook, manifest)}


@exit_code("interrupted; what was finished is kept")
def main(arguments: list[str] | None = None) -> None:
    """Run one stage."""
    parser = argparse.ArgumentParser(prog="python -m reproduction.stages", description="one stage of dvc.yaml")
    parser.add_argument("verb", choices=VERBS)
    parser.add_argument("arguments", nargs="*", metavar="[NOTEBOOK] [DOMAIN]")
    given, start = parser.parse_args(arguments), time.perf_counter()
    os.environ.update(QUIET | os.environ)
    if os.environ.get("DVC_STAGE"):
        compute.die_with_launcher()
    try:
        VERBS[given.verb](*given.arguments)
    finally:
        compute.stop()
    if stage := os.environ.get("DVC_STAGE"):
        print(f"Finished stage {stage!r} in {time.perf_counter() - start:.2f} seconds", flush=True)


if __name__ == "__main__":
    sys.exit(main())
