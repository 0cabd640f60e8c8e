"""Published records as `Evidence`, so that the live notebooks' functions serve them too."""

from dataclasses import replace
from functools import cache

import pandas as pd

from reproduction.evidence import Evidence
from twophase.infra.config import root
from twophase.records import TrainingRecords
from twophase.sources.live import parameters
from twophase.sources.published import Published, model_recycling, paper_matrices, transfergraph
from twophase.training.config import Proxy


@cache
def params() -> parameters.Params:
    """The configuration of the project."""
    return parameters.read(root() / "params.yaml")


def paper(domain: str) -> Evidence:
    """The paper's own matrix of a domain ("nlp", "cv"); every dataset is left out as the target."""
    found = paper_matrices.read(domain, params().published.mirror)
    return _evidence("paper", domain, found.records, getattr(params().published.cuts, f"paper_{domain}"))


@cache
def recycling() -> Published:
    """The cleaned model-recycling matrix."""
    return model_recycling.read(params().published.mirror)


def recycling_evidence() -> Evidence:
    """The same as evidence."""
    return _evidence("recycling", "nlp", recycling().records, params().published.cuts.model_recycling)


def transfer(proxy: str = "logme") -> Evidence:
    """TransferGraph's models that have all datasets, with its proxy scores; `everything` are the datasets that have any."""
    found = transfergraph.read(params().published.mirror)
    whole = list(found.matrix.columns)
    scores = transfergraph.proxies(params().published.mirror)
    scored = scores[scores["model"].isin(whole)].groupby("dataset")["model"].nunique()
    frame = found.records.frame[found.records.frame["model"].isin(whole)]
    evidence = _evidence("transfergraph", "nlp", TrainingRecords(frame), params().published.cuts.transfergraph, proxy)
    evidence.proxies = scores
    evidence.benchmarks = [name for name in evidence.benchmarks if scored.get(name, 0) == len(whole)]
    return evidence


def _evidence(source: str, domain: str, records: TrainingRecords, cut: float, proxy: str | None = None) -> Evidence:
    given = params()
    chosen = replace(
        given,
        clustering=replace(given.clustering, k=given.published.k, method="hierarchical", n_clusters=None),
        recall=replace(given.recall, top=given.published.top),
        proxy=Proxy(proxy, "minmax", proxy) if proxy else given.proxy,
    )
    evidence = Evidence(domain, records, chosen, root() / "results", source=source, own_cut=cut)
    evidence.cards = pd.DataFrame()
    return evidence
