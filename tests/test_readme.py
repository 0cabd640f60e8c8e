"""The README against the repository: its commands, its map and its numbers."""

import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import yaml

ROOT = Path(__file__).parents[1]

README = (ROOT / "README.md").read_text()


TITLES = {"cv": "vision, 30 models, 4 epochs", "nlp": "text, 40 models, 5 epochs"}


def headline() -> str:
    """The headline tables as they should stand, from the committed results."""
    tables = []
    for domain, title in TITLES.items():
        table = pd.read_csv(ROOT / "results" / "tables" / f"table_summary_{domain}.csv", index_col=0)
        lines = [f"| {title} | " + " | ".join(table.columns) + " |", "|---|" + "---|" * table.shape[1]]
        lines += [f"| {name} | " + " | ".join(row) + " |" for name, row in table.iterrows()]
        tables.append("\n".join(lines))
    return "\n\n".join(tables)


def test_headline_numbers_are_the_committed_ones():
    shown = re.search(r"<!-- headline: .*? -->\n(.*?)\n<!-- /headline -->", README, re.S)[1]
    assert shown == headline()


def test_the_map_names_notebooks_stages_and_files_that_exist():
    rows = [line.split("|")[2:5] for line in README.splitlines() if re.match(r"\| (Fig|Table)", line)]
    assert len(rows) == 6
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    for notebook, stage, files in rows:
        name = notebook.strip(" `")
        assert (ROOT / "notebooks" / f"{name}.ipynb").is_file() and name in stages
        assert stage.strip() == f"`{name}@cv`, `@nlp`"
        for domain in TITLES:
            outs = {next(iter(out)).replace("${item}", domain) for out in stages[name]["do"]["outs"]}
            for file in re.findall(r"`([^`]+)`", files):
                file = file.replace("DOMAIN", domain)
                wanted = (
                    {f"results/{file[:-1]}{suffix}" for suffix in ("svg", "png")}
                    if file.endswith("*")
                    else {f"results/{file}"}
                )
                assert wanted <= outs and all((ROOT / path).is_file() for path in wanted)


def test_every_make_verb_in_the_text_exists():
    verbs = set(re.findall(r"`make ([a-z-]+)", README)) | set(re.findall(r"^make ([a-z-]+)", README, re.M))
    known = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.M))
    assert verbs and verbs <= known


def test_the_python_example_runs():
    program = re.search(r"```python\n(.*?)```", README, re.S)[1]
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "stage" in done.stdout and "kept" in done.stdout
