"""The README and the pages under docs/ against the repository: commands, links, the map and the numbers."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml
from clones import remade

from reproduction import headline

ROOT = Path(__file__).parents[1]

README = (ROOT / "README.md").read_text()
PAGES = {"README.md": README} | {
    path.relative_to(ROOT).as_posix(): path.read_text() for path in sorted((ROOT / "docs").glob("*.md"))
}
LIBRARY = PAGES["docs/library.md"]


@pytest.mark.parametrize("page", headline.BLOCKS)
def test_the_generated_tables_are_of_the_committed_results(page):
    for name in headline.BLOCKS[page]:
        assert PAGES[page].count(f"<!-- {name}: ") == PAGES[page].count(f"<!-- /{name} -->") == 1
    if remade():
        pytest.skip("results were made anew here: `python -m reproduction.headline` writes them into the pages")
    assert headline.written(PAGES[page], ROOT / "results" / "tables", headline.BLOCKS[page]) == PAGES[page]


def test_the_readme_is_short_says_first_what_fails_and_shows_pictures_that_exist():
    lines = README.splitlines()
    assert len(lines) <= 120
    headings = [line for line in lines if line.startswith("## ")]
    assert headings[0] == "## What does not reproduce"
    tables = headline.short(ROOT / "results" / "tables").splitlines()
    assert len(tables) - 2 <= 6 and {line.count("|") - 1 for line in tables} == {3}
    for picture in re.findall(r"!\[[^]]+\]\(([^)]+)\)", README):
        assert (ROOT / picture).is_file()


def test_the_picture_of_a_report_is_of_the_committed_run():
    if remade():
        pytest.skip("results were made anew here: `python -m reproduction.headline` writes the picture")
    assert (ROOT / "docs" / "report.png").read_bytes() == headline.report(ROOT / "results" / "tables")


@pytest.mark.parametrize("page", PAGES)
def test_every_link_between_the_pages_leads_somewhere(page):
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", PAGES[page]):
        assert ((ROOT / page).parent / link).exists(), link


def test_what_the_results_say_beats_the_two_phases_does():
    if remade():
        pytest.skip("results were made anew here; the sentence is about the committed ones")
    tables = {d: pd.read_csv(ROOT / f"results/tables/table_against_{d}.csv", index_col=0) for d in ("cv", "nlp")}
    probe, halving = (tables["cv"].loc[name] for name in ("linear probe of every model", "successive halving"))
    assert probe["low"] > 0 and probe["epochs"] < 1 and halving["low"] > 0 and round(halving["epochs"]) == 3
    assert tables["nlp"].loc["linear classifier, no model", "low"] > 0


def the_map():
    """Cells of each row of the table of items: item, notebook, stages, files."""
    table = PAGES["docs/map.md"].split("| item of the paper |")[1].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table]


def outs(stages, name, domain):
    """What a stage writes, of one domain."""
    stage = stages[name].get("do", stages[name])
    return {next(iter(out)).replace("${item}", domain) for out in stage["outs"]}


def test_the_map_names_every_item_of_the_paper():
    items = "; ".join(row[0] for row in the_map())
    for number in ("1", "2", "3", "4", "5", "6", "7", "8"):
        assert re.search(rf"Figs?\.[ 0-9,]*\b{number}\b", items), f"Fig. {number} is not in the map"
    for number in ("I", "II", "III", "IV", "V", "VI", "VII", "X", "XI"):
        assert re.search(rf"Tables?[ IVX,]*\b{number}\b", items), f"Table {number} is not in the map"


def test_the_map_names_notebooks_stages_and_files_that_exist():
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    stages |= yaml.safe_load((ROOT / "notebooks/published/dvc.yaml").read_text())["stages"]
    notebooks = []
    for _, notebook, stage, files in the_map():
        name = notebook.strip("`")
        notebooks.append(f"{name}.ipynb")
        assert stage == (f"`{name}@cv`, `@nlp`" if "do" in stages[name] else f"`{name}`")
        for domain in headline.TITLES:
            for file in re.findall(r"`([^`]+)`", files):
                file = f"results/{file}".replace("DOMAIN", domain)
                wanted = {f"{file[:-1]}{suffix}" for suffix in ("svg", "png")} if file.endswith("*") else {file}
                assert wanted <= outs(stages, name, domain) and all((ROOT / path).is_file() for path in wanted)
    assert notebooks == sorted(path.name for path in (ROOT / "notebooks").rglob("[0-9]*.ipynb"))


def test_every_make_verb_in_the_text_exists():
    verbs = {verb for text in PAGES.values() for verb in re.findall(r"(?:`|^)make ([a-z-]+)", text, re.M)}
    known = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.M))
    assert verbs and verbs <= known


def example(holds: str) -> str:
    """The Python example of docs/library.md that holds a word."""
    (program,) = [text for text in re.findall(r"```python\n(.*?)```", LIBRARY, re.S) if holds in text]
    return program


def run(program: str, **environment) -> str:
    command = [sys.executable, "-c", program]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=True, env=os.environ | environment
    ).stdout


def test_the_python_example_runs():
    printed = run(example("fine_selection"))
    assert "models on" in printed and "models in" in printed and "Selection(winner=" in printed
    assert "stage" in printed and "kept" in printed


def test_the_example_on_published_records_runs(published):
    printed = run(example("model_recycling"), TWOPHASE_MIRROR=str(published))
    assert "recall_score" in printed and len(printed.splitlines()) == 12


def test_the_example_of_many_models_runs():
    printed = run(example("GrowingClusters"))
    assert "3000 models in" in printed and "3003 models in" in printed and printed.count("True") == 10
