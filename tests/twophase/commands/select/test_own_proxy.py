"""A proxy that somebody adds: a file is all that a run needs, and another formula in it gives other scores."""

import importlib.util

import pytest
from test_run import chosen

from twophase.proxies import PROXIES

SOURCE = """
from twophase.proxies._proxy import proxy


@proxy(label="the spread of the features", reads="features")
def spread(features, labels):
    return {sign} * float(features.std())
"""


@pytest.fixture
def added(tmp_path, monkeypatch):
    def add(sign):
        file = tmp_path / f"_spread_{sign}.py"
        file.write_text(SOURCE.format(sign=sign))
        spec = importlib.util.spec_from_file_location(file.stem, file)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        monkeypatch.setitem(PROXIES, "spread", module.spread)

    return add


def test_a_run_needs_no_list_of_names(pictures, tmp_path, added):
    added(1)
    found = chosen(pictures, tmp_path / "run", "proxy.name=spread", "proxy.headless=spread", top=2)
    assert "scored by the spread of the features" in found.facts["recall"]["how"]
    assert "the spread of the features" in found.report.read_text()


def test_a_changed_formula_is_computed_anew(texts, tmp_path, added):
    """The same model, data and name: only the code differs, so what is kept of the first must not be used."""
    scores = []
    for sign in (1, -1):
        added(sign)
        found = chosen(texts, tmp_path / f"run {sign}", "proxy.name=spread", "proxy.headless=spread", top=1)
        scores.append(found.recall["proxy"].sort_index())
    assert scores[0].gt(0).all() and scores[1].equals(-scores[0])
