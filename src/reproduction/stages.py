"""What ``dvc.yaml`` calls: ``python -m reproduction.stages VERB [NOTEBOOK] [DOMAIN]`` beside ``params.yaml``.

Each verb reads ``params.yaml`` and what earlier stages wrote, nothing else of the configuration. Work is
kept cell by cell in the store (:mod:`twophase.training.cells`), so a stage that was killed goes on where it was.
"""

import argparse
import os
import sys
import time
from pathlib import Path

from twophase.errors import UserError
from twophase.infra import compute
from twophase.sources.live import parameters

# models load by the hundred: their libraries' bars and reports would bury the stage's own
QUIET = {"TRANSFORMERS_VERBOSITY": "error", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_OFFLINE": "1"}
HEAVY = ("datasets", "torch", "transformers.modeling_utils")  # what training and scoring import, for seconds
DATA, ZOO, RESULTS = Path("data"), Path("zoo"), Path("results")


def check() -> None:
    """Stop if ``params.yaml`` is not what ``conf/`` composes to; write what data will be made from."""
    from twophase.sources.live import corpora

    if not os.environ.get("DVC_EXP_NAME") and (fault := parameters.difference()):
        raise UserError(fault)
    domains = parameters.read().domain
    versions = [f"{domain} {name} {version}" for domain in domains for name, version in corpora.sources(domain).items()]
    mark = Path("build/check")
    mark.parent.mkdir(exist_ok=True)
    written = "\n".join(["params.yaml is what conf/ composes to", *versions, ""])
    if not mark.is_file() or mark.read_text() != written:
        mark.unlink(missing_ok=True)
        mark.write_text(written)


def tasks(name: str) -> None:
    """Build every dataset of the domain into ``data/<domain>/<task>/``; list them and what they were made from."""
    import pandas as pd

    from twophase.sources.live.datasets import build_tasks

    found, facts = build_tasks(parameters.read(), name, DATA / name)
    folder = RESULTS / name
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / "sources.csv"
    if kept.is_file():
        before = pd.read_csv(kept, dtype=str).set_index("source")
        for row in found.astype(str).set_index("source").itertuples():
            if row.Index in before.index and before.loc[row.Index, "sha256"] != row.sha256:
                version = before.loc[row.Index, "version"]
                print(
                    f"{row.Index} {row.version} gives other material than {version} did in the last run: data are new"
                )
    found.to_csv(kept, index=False, lineterminator="\n")
    facts.to_csv(folder / "tasks.csv", index=False, float_format="%.4f", lineterminator="\n")


def zoo(name: str) -> None:
    """Pre-train the models of the domain, parents first, into ``zoo/<domain>/<model>/``; list them: ``models.csv``."""
    from twophase.sources.live.models import build_zoo
    from twophase.sources.live.zoo import recipes

    compute.warm(*HEAVY)
    params, folder = parameters.read(), RESULTS / name
    build_zoo(params, name, DATA / name, ZOO / name)
    folder.mkdir(parents=True, exist_ok=True)
    recipes.table(params.domain[name].zoo.recipes).to_csv(folder / "models.csv", lineterminator="\n")


def records(name: str) -> None:
    """Fine-tune every model on every dataset: ``records.csv``, and what failed and why: ``failures.csv``."""
    from twophase.records import TrainingRecords
    from twophase.sources.live.records import train_cells

    compute.warm(*HEAVY)
    rows, failures = train_cells(parameters.read(), name, DATA / name, ZOO / name)
    folder = RESULTS / name
    folder.mkdir(parents=True, exist_ok=True)
    TrainingRecords.from_frame(rows).write(folder / "records.csv")
    failures.to_csv(folder / "failures.csv", index=False, lineterminator="\n")


def second_rate(name: str) -> None:
    """Fine-tune the best models of each target with the second learning rate: ``second_rate.csv`` (Fig. 8)."""
    from twophase.records import TrainingRecords
    from twophase.sources.live.records import train_second_rate

    compute.warm(*HEAVY)
    folder = RESULTS / name
    first = TrainingRecords.read(folder / "records.csv")
    rows, failures = train_second_rate(parameters.read(), name, DATA / name, ZOO / name, first)
    TrainingRecords.from_frame(rows).write(folder / "second_rate.csv")
    failures.to_csv(folder / "second_rate_failures.csv", index=False, lineterminator="\n")


def proxies(name: str) -> None:
    """Score every model on every dataset: ``proxies.csv``, and what failed: ``proxy_failures.csv``."""
    from twophase.sources.live.scores import score_cells

    compute.warm(*HEAVY, "sklearn.linear_model", "sklearn.mixture")
    rows, failures = score_cells(parameters.read(), name, DATA / name, ZOO / name)
    folder = RESULTS / name
    folder.mkdir(parents=True, exist_ok=True)
    rows.to_csv(folder / "proxies.csv", index=False, lineterminator="\n")
    failures.to_csv(folder / "proxy_failures.csv", index=False, lineterminator="\n")


def cards(name: str) -> None:
    """Encode the models' cards: ``cards.csv``, and by what: ``cards.json``."""
    import json

    import pandas as pd

    from reproduction.card_embedding import embed_cards

    chosen, folder = parameters.read().cards, RESULTS / name
    folder.mkdir(parents=True, exist_ok=True)
    table = pd.DataFrame(index=pd.Index([], name="model"))
    if chosen.encoder:
        with compute.single_thread():
            table = embed_cards(ZOO / name, chosen.encoder, chosen.sha256)
    table.to_csv(folder / "cards.csv", float_format="%.6f", lineterminator="\n")
    facts = {"name": chosen.name, "encoder": chosen.encoder, "sha256": chosen.sha256, "dimensions": table.shape[1]}
    (folder / "cards.json").write_text(json.dumps(facts, indent=2) + "\n")


def leave_one_out(name: str) -> None:
    """Run every selection on every dataset taking its turn as target: ``results/leave_one_out/<domain>.csv``."""
    from reproduction import evidence
    from reproduction import leave_one_out as turns

    found = turns.turns(name, evidence.load(name).everything)
    folder = RESULTS / "leave_one_out"
    folder.mkdir(parents=True, exist_ok=True)
    found.to_csv(folder / f"{name}.csv", index=False, float_format="%.8g", lineterminator="\n")


def metrics(name: str) -> None:
    """Write what ablations are judged by: ``results/metrics/<domain>.json``."""
    import json

    from reproduction import evidence
    from reproduction import metrics as judged

    found = {key: round(value, 6) for key, value in judged.metrics(evidence.load(name)).items()}
    folder = RESULTS / "metrics"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(found, indent=2) + "\n")


def claims(name: str) -> None:
    """Test every claim of the paper on the domain: ``results/claims/<domain>.csv``."""
    from reproduction import claims as ledger
    from reproduction import evidence

    folder = RESULTS / "claims"
    folder.mkdir(parents=True, exist_ok=True)
    found = ledger.tested(evidence.load(name))
    found.to_csv(folder / f"{name}.csv", index=False, float_format="%.6g", lineterminator="\n")


def published_claims() -> None:
    """Test the claims that published records can decide: ``results/published/claims.csv``."""
    from reproduction.published import claims as ledger

    folder = RESULTS / "published"
    folder.mkdir(parents=True, exist_ok=True)
    ledger.tested().to_csv(folder / "claims.csv", index=False, float_format="%.6g", lineterminator="\n")


def notebook(name: str, domain: str | None = None) -> None:
    """Execute ``notebooks/<name>.ipynb``, for one domain if it has such a parameter, into ``results/notebooks/``."""
    from reproduction import notebooks

    given = {"domain": domain} if domain else {}
    target = RESULTS / "notebooks" / f"{'_'.join([name, *given.values()])}.ipynb"
    source = Path("notebooks") / f"{name}.ipynb"
    if not source.is_file():
        source = Path("notebooks/published") / source.name
    notebooks.execute(source, target, given)


def manifest() -> None:
    """Write ``results/manifest.json``: what the figures were made with."""
    from reproduction import manifest

    RESULTS.mkdir(exist_ok=True)
    manifest.write(RESULTS / "manifest.json", parameters.read(), DATA, ZOO)


VERBS = {
    "check": check, "tasks": tasks, "zoo": zoo, "records": records, "second_rate": second_rate, "proxies": proxies, "cards": cards,
    "leave_one_out": leave_one_out, "metrics": metrics, "claims": claims, "published_claims": published_claims, "notebook": notebook, "manifest": manifest,
}  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Run one stage. Returns 0, 2 on a :class:`UserError` (one line on stderr), 130 on Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m reproduction.stages", description="one stage of dvc.yaml")
    parser.add_argument("verb", choices=VERBS)
    parser.add_argument("arguments", nargs="*", metavar="[NOTEBOOK] [DOMAIN]")
    given, start = parser.parse_args(arguments), time.perf_counter()
    os.environ.update({name: value for name, value in QUIET.items() if name not in os.environ})
    if os.environ.get("DVC_STAGE"):
        compute.die_with_launcher()
    try:
        VERBS[given.verb](*given.arguments)
    except UserError as error:
        print(f"twophase: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("twophase: interrupted; what was finished is kept", file=sys.stderr)
        return 130
    finally:
        compute.stop()
    if stage := os.environ.get("DVC_STAGE"):
        print(f"Finished stage {stage!r} in {time.perf_counter() - start:.2f} seconds", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
