"""The playground computes what the pipeline has at the configured settings, follows a change, and runs without widgets."""

import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pandas as pd
import pytest

from reproduction import playground
from reproduction.leave_one_out import of
from twophase.errors import UserError

ROOT = Path(__file__).parents[2]
COMMITTED = {"two phases": ("two-phase", "all"), "brute force": ("brute force", "all"),
             "successive halving": ("successive halving", "all"), playground.ALL: ("fine-selection", "all")}  # fmt: skip


@pytest.fixture(autouse=True)
def here(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize("domain", ["cv", "nlp"])
def test_the_configured_settings_give_the_committed_selections(domain):
    turns = pd.read_csv(ROOT / "results" / "leave_one_out" / f"{domain}.csv", keep_default_na=False)
    played = playground.play(domain, **playground.settings(domain))
    table = playground.against(played).loc["with these settings"]
    for name, (method, candidates) in COMMITTED.items():
        row = of(turns, method, candidates).loc[played.target]
        assert table.loc[name, "selected"] == row["winner"] and table.loc[name, "model-epochs"] == row["epochs"]
        assert table.loc[name, "regret"] == pytest.approx(row["best"] - row["accuracy"], abs=1e-6)


def test_a_change_changes_who_is_recalled_and_what_is_said():
    own = playground.settings("cv")
    played = playground.play("cv", **own | {"top": 3, "proxy": "knn", "method": playground.HALVED})
    assert played.ranking["recalled"].sum() == 3 and set(played.chosen.history["model"]) == set(
        played.ranking.index[:3]
    )
    assert played.costs[playground.HALVED] == 3 + 1 + 1 + 1 + 0.5 * len(played.clusters.non_singletons)
    said = playground.said(played)
    assert "Models recalled: 3;" in said and f"selects **{played.chosen.winner}** for 10.5 model-epochs" in said
    alone = playground.play("cv", **own | {"cut": 0.0})
    assert playground.said(alone).startswith("No two models share a cluster at this cut")
    assert len(playground.figure(alone).axes) == 3
    with pytest.raises(UserError, match="target 'cirillic'"):
        playground.play("cv", "cirillic")
    with pytest.raises(UserError, match="method 'guess'"):
        playground.play("cv", "cyrillic", "guess")


def test_the_notebook_runs_in_plain_cells_without_widgets(monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    notebook = nbformat.read(ROOT / "notebooks" / "playground.ipynb", as_version=4)
    names, code = {}, [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in code)
    for cell in code:
        exec(cell.source, names)
    assert names["played"].ranking["recalled"].sum() == names["settings"]["top"] == 5
    assert "change the settings in the cells below" in playground.controls("cv").data


def test_every_slider_is_a_setting_and_begins_at_the_configured_value(monkeypatch):
    def widget(*value, **options):
        return value[0] if value else options["value"]

    stub = SimpleNamespace(Dropdown=widget, IntSlider=widget, FloatSlider=widget, interactive=lambda f, **given: given)
    monkeypatch.setitem(sys.modules, "ipywidgets", stub)
    assert playground.controls("nlp") == playground.settings("nlp")
