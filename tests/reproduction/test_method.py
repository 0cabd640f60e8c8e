"""Notebook 00: its toy worked by hand, and each equation by hand beside the library's value."""

import re
from pathlib import Path

import nbformat
import pandas as pd
import pytest

from reproduction import n00_method as method

ROOT = Path(__file__).parents[2]


def cells(tag):
    notebook = nbformat.read(ROOT / "notebooks" / "00_method.ipynb", as_version=4)
    return [cell.source for cell in notebook.cells if tag in cell.metadata.get("tags", [])]


@pytest.fixture(scope="module")
def toy():
    """What the toy's cells leave behind."""
    names = {"pd": pd, "method": method, "say": str}
    for source in cells("toy"):
        exec(source, names)
    return names


def test_the_toys_models_are_alike_as_by_hand(toy):
    assert toy["by_hand"] == pytest.approx(1 - (0.06 + 0.04) / 2) == pytest.approx(toy["similarity"].loc["ant", "bee"])
    assert toy["similarity"].loc["elk", ["ant", "cat"]].tolist() == pytest.approx([1 - 0.8 / 2, 1 - 0.64 / 2])
    assert toy["clusters"].labels.to_dict() == {"ant": 0, "bee": 0, "cat": 1, "dog": 1, "elk": 2}


def test_the_toys_ranking_is_prior_times_proxy(toy):
    ranking = toy["ranking"]
    assert ranking["proxy"].to_dict() == pytest.approx(
        {"cat": 0.8, "dog": 0.8, "ant": 0.4, "bee": 0.4, "elk": (0.6 * 0.4 + 0.68 * 0.8) / 2}
    )
    assert ranking["recall_score"].to_dict() == pytest.approx(
        {"cat": 0.608, "dog": 0.584, "ant": 0.3, "bee": 0.288, "elk": 0.196}
    )
    assert toy["elk_by_hand"] == pytest.approx(0.392)


def test_the_toys_trends_and_selection(toy):
    assert toy["predictor"].trends("cat", 1).to_numpy().ravel().tolist() == pytest.approx([0.325, 0.65, 0.69, 0.87])
    assert toy["predicted"] == pytest.approx(0.87)
    history = toy["chosen"].history
    assert history.loc[~history["kept"], ["stage", "model"]].to_numpy().tolist() == [[1, "ant"], [1, "bee"], [2, "dog"]]
    assert history.loc[history["stage"] == 1, "predicted"].tolist() == pytest.approx([0.65, 0.63, 0.87, 0.82])
    said = method.toy_said(toy["chosen"], toy["proxies"], toy["task"])
    assert "6 model-epochs and 2 proxy scores, 7 in all, where training all 5 models takes 10" in said
    assert "Never trained: *elk*" in said


@pytest.mark.parametrize("domain", ["cv", "nlp"])
def test_each_equation_by_hand_is_the_librarys(domain):
    """In the executed notebook, every table with both columns has the same number in each."""
    executed = nbformat.read(ROOT / "results" / "notebooks" / f"00_method_{domain}.ipynb", as_version=4)
    shown = [output.data["text/html"] for cell in executed.cells for output in cell.get("outputs", []) if "data" in output
             and "by hand" in output.data.get("text/html", "")]  # fmt: skip
    pairs = [re.findall(r"<td[^>]*>([^<]+)</td>", table) for table in shown]
    assert [len(cells) for cells in pairs] == [2, 6, 4]  # Eq. 1; 2, 3, 4; 5, 6
    assert all(cells[::2] == cells[1::2] for cells in pairs)
