"""The datasets of a live zoo, built side by side."""

from dataclasses import asdict
from pathlib import Path

import pandas as pd

from twophase.errors import UserError
from twophase.infra.compute import parallel_map
from twophase.sources.live import corpora
from twophase.sources.live.parameters import Params
from twophase.training import tasks


def build_tasks(params: Params, domain: str, folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Build the datasets into `folder/<task>`. One that cannot be built ends the stage.

    Returns:
        What they were drawn from (`corpora.prepare`), and facts of each (`tasks.describe`, and its role).
    """
    chosen = params.domain[domain].tasks
    sizes = dict.fromkeys(chosen.roles, chosen.sizes) | dict.fromkeys(chosen.upstream, chosen.upstream_sizes)
    sources = corpora.prepare(domain, list(sizes), folder, chosen.files)
    items = [(domain, name, asdict(size), params.seed, folder, name in chosen.upstream) for name, size in sizes.items()]
    results = parallel_map(build_task, items, description=f"{domain} tasks")
    failed = [f"{name} ({result.reason})" for name, result in zip(sizes, results, strict=True) if result]
    if failed:
        raise UserError(f"{domain} datasets that cannot be built: {'; '.join(failed)}")
    roles = chosen.roles | dict.fromkeys(chosen.upstream, "upstream")
    facts = [{"dataset": name, "role": roles[name], **tasks.describe(folder / name)} for name in sizes]
    return sources, pd.DataFrame(facts)


def build_task(item: tuple[str, str, dict, int, Path, bool]) -> None:
    """Build and save one dataset."""
    domain, name, sizes, seed, folder, at_most = item
    tasks.save(corpora.build(domain, name, sizes, seed, folder, at_most), folder / name)
