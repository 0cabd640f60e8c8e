import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import yaml

import reproduction.published
from reproduction import notebooks
from twophase.errors import UserError
from twophase.infra import plots

ROOT = Path(__file__).parents[2]

STYLED = "import pandas\npandas.DataFrame({'a': [1]}).style.set_properties(color='red')"
PUBLISHED = ["10_paper_matrices", "11_thousand_models", "12_real_proxies", "13_seed_noise", "14_training_sizes"]
WITHOUT_DOMAIN = ("08_ablations", "09_claims", "16_scale", *PUBLISHED)
TALKING = ("15_your_own_data",)  # what a run prints is part of what it shows
SHOWN = {  # the library's calls that a notebook explains
    "00_method": [
        "top_k_similarity",
        "cluster_models",
        "silhouette",
        "coarse_recall",
        "TrendPredictor",
        "fine_selection",
        "two_phase",
    ],
    "02_clustering": ["cluster_models", "silhouette"],
    "03_recall": ["coarse_recall"],
    "04_convergence": ["TrendPredictor", "predictor.predict"],
    "05_fine_selection": ["algorithm_1", "successive_halving"],
    "06_end_to_end": ["two_phase", "brute_force"],
}
SOURCES = sorted((ROOT / "notebooks").rglob("[0-9]*.ipynb"), key=lambda path: path.name)
INTERACTIVE = ["playground"]  # no number, no stage, no outputs: what it shows depends on who plays


def small(tmp_path, *sources):
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    cells[0].metadata["tags"] = ["parameters"]
    path = tmp_path / "small.ipynb"
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
    return path


def test_the_notebooks_are_there():
    assert [path.stem for path in SOURCES] == [
        "00_method", "01_models", "02_clustering", "03_recall", "04_convergence", "05_fine_selection", "06_end_to_end",
        "07_released_code", "08_ablations", "09_claims", *PUBLISHED, "15_your_own_data", "16_scale", "17_beyond",
    ]  # fmt: skip
    others = {path.stem for path in (ROOT / "notebooks").rglob("*.ipynb")} - {path.stem for path in SOURCES}
    assert sorted(others) == INTERACTIVE


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_notebook_module_and_stage_are_one_word(path):
    """`03_recall.ipynb`, the stage 03_recall, and the module n03_recall: Python wants a letter first."""
    own = path.parent == ROOT / "notebooks"
    package = reproduction if own else reproduction.published
    assert importlib.util.find_spec(f"{package.__name__}.n{path.stem}")
    stages = yaml.safe_load((ROOT / "dvc.yaml" if own else path.parent / "dvc.yaml").read_text())["stages"]
    stage = stages[path.stem].get("do", stages[path.stem])
    assert f"notebook {path.stem}" in stage["cmd"] and path.relative_to(ROOT).as_posix() in stage["deps"]
    assert any(dep.startswith(f"src/{package.__name__.replace('.', '/')}/n{path.stem}") for dep in stage["deps"])


def test_what_dvc_plots_is_what_stages_draw():
    pipeline = yaml.safe_load((ROOT / "dvc.yaml").read_text())
    stages = [stage.get("do", stage) for stage in pipeline["stages"].values()]
    drawn = {next(iter(out)) for stage in stages for out in stage.get("outs", []) if isinstance(out, dict)}
    drawn = {name.replace("${item}", domain) for name in drawn for domain in ("cv", "nlp")}
    assert len(pipeline["plots"]) >= 5 and set(pipeline["plots"]) <= drawn


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_notebooks_are_documents(path):
    """Prose first, outputs stripped, short cells, nothing defined, a parameters cell."""
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert notebook.cells[0].cell_type == "markdown"
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in code)
    assert all(cell.source.count("\n") < 12 for cell in code)
    assert not any(re.search(r"^\s*(def|class) ", cell.source, re.M) for cell in code)
    parameters = [cell.source for cell in code if "parameters" in cell.metadata.get("tags", [])]
    assert parameters == ([] if path.stem in WITHOUT_DOMAIN else ['domain = "cv"'])
    assert sum(cell.cell_type == "markdown" for cell in notebook.cells) >= 4


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_notebooks_begin_with_their_question_and_its_computed_answer(path):
    """The answer is the first thing that an executed notebook says, and no notebook has one typed into its text."""
    notebook = nbformat.read(path, as_version=4)
    assert "**Question.**" in notebook.cells[0].source
    assert not any("**Answer.**" in cell.source for cell in notebook.cells)
    for domain in ("",) if path.stem in WITHOUT_DOMAIN else ("_cv", "_nlp"):
        executed = nbformat.read(ROOT / "results" / "notebooks" / f"{path.stem}{domain}.ipynb", as_version=4)
        first = next(output for cell in executed.cells for output in cell.get("outputs", []))
        assert first["data"]["text/markdown"].startswith("**Answer.** ")


@pytest.mark.parametrize("name, calls", SHOWN.items(), ids=SHOWN)
def test_the_calls_that_do_the_work_are_in_the_open(name, calls):
    """In cells that the site shows open, and before any table over all targets."""
    notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
    shown = [cell for cell in notebook.cells if "open" in cell.metadata.get("tags", [])]
    assert all(any(f"{call}(" in cell.source for cell in shown) for call in calls)
    tables = [
        number for number, cell in enumerate(notebook.cells) if "## Table" in cell.source or "## Fig. 5" in cell.source
    ]
    assert notebook.cells.index(shown[0]) < min(tables, default=len(notebook.cells))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_committed_results_show_their_figures_and_no_error(path):
    for domain in ("",) if path.stem in WITHOUT_DOMAIN else ("_cv", "_nlp"):
        executed = nbformat.read(ROOT / "results" / "notebooks" / f"{path.stem}{domain}.ipynb", as_version=4)
        outputs = [output for cell in executed.cells for output in cell.get("outputs", [])]
        assert not any(output.output_type == "error" for output in outputs)
        said = {output.name for output in outputs if output.output_type == "stream"}
        assert said == ({"stdout"} if path.stem in TALKING else set())
        kinds = {kind for output in outputs for kind in output.get("data", {})}
        assert {"image/png", "text/html"} <= kinds
        source = nbformat.read(path, as_version=4)
        assert [c.source for c in source.cells] == [
            c.source for c in executed.cells if "injected-parameters" not in c.metadata.get("tags", [])
        ]


def test_two_executions_give_the_same_bytes(tmp_path):
    source = small(tmp_path, "n = 1", "print(object())\nobject()", STYLED, "n + 1")
    one = notebooks.execute(source, tmp_path / "new" / "one.ipynb", {"n": 4}).read_bytes()
    two = notebooks.execute(source, tmp_path / "new" / "two.ipynb", {"n": 4}).read_bytes()
    assert one == two
    outputs = json.loads(one)["cells"][-1]["outputs"]
    assert outputs[0]["data"]["text/plain"] == ["5"]


def test_the_users_own_settings_stay_out(tmp_path, monkeypatch):
    """Neither a startup file of an IPython profile nor a matplotlibrc changes what a notebook shows."""
    startup = tmp_path / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "mine.py").write_text("leaked = True\n")
    (tmp_path / "matplotlibrc").write_text("axes.facecolor: black\n")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("MATPLOTLIBRC", str(tmp_path / "matplotlibrc"))
    code = "import matplotlib\nprint('leaked' in globals(), matplotlib.rcParams['axes.facecolor'])"
    path = notebooks.execute(small(tmp_path, "n = 1", code), tmp_path / "out.ipynb", {})
    assert nbformat.read(path, as_version=4).cells[-1].outputs[0].text == "False white\n"


def test_a_figure_has_the_projects_style_alone():
    """A matplotlibrc that asks for LaTeX would end a run at its report, after all training."""
    import matplotlib.pyplot as plt

    with plt.rc_context({"text.usetex": True, "axes.facecolor": "black", "font.size": 30}):
        with plots.style():
            assert (plt.rcParams["text.usetex"], plt.rcParams["axes.facecolor"]) == (False, "white")
            assert plt.rcParams["font.size"] == plots.STYLE["font.size"]
        assert plt.rcParams["text.usetex"] is True


def test_printed_pieces_are_put_together(tmp_path):
    """The kernel sends what a cell prints in pieces, by the clock."""
    code = "import sys, time\nfor i in range(4):\n    print(i, flush=True)\n    print(-i, file=sys.stderr, flush=True)\n    time.sleep(0.3)"
    path = notebooks.execute(small(tmp_path, "n = 1", code), tmp_path / "out.ipynb", {})
    outputs = nbformat.read(path, as_version=4).cells[-1].outputs
    assert [(output.name, output.text) for output in outputs] == [
        ("stdout", "0\n1\n2\n3\n"),
        ("stderr", "0\n-1\n-2\n-3\n"),
    ]


def test_an_undeclared_parameter_is_refused(tmp_path):
    source = small(tmp_path, "n = 1")
    with pytest.raises(UserError, match=r"declares no parameter \['m'\]; declared: \['n'\]"):
        notebooks.execute(source, tmp_path / "out.ipynb", {"m": 4})
    with pytest.raises(UserError, match="does not exist"):
        notebooks.execute(tmp_path / "none.ipynb", tmp_path / "out.ipynb", {})


def test_a_failing_cell_leaves_no_result_but_its_trace(tmp_path):
    from papermill import PapermillExecutionError

    source = small(tmp_path, "n = 1", "raise RuntimeError('the reason')")
    with pytest.raises(PapermillExecutionError, match="the reason"):
        notebooks.execute(source, tmp_path / "out.ipynb", {"n": 2})
    assert not (tmp_path / "out.ipynb").exists() and (tmp_path / "out.failed.ipynb").exists()


@pytest.mark.slow
def test_run_all_in_the_editor_writes_where_the_stage_does(tmp_path):
    """A kernel started in notebooks/ makes the committed figures and tables again, and leaves nothing beside them."""
    copy = tmp_path / "copy"
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}

    def run(*command, cwd=copy, **options):
        done = subprocess.run(command, cwd=cwd, env=own | {"PYTHONPATH": str(copy / "src")}, capture_output=True,
                              text=True, timeout=300, **options)  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    for name in filter(None, run("git", "ls-files", "-z", cwd=ROOT).split("\0")):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, copy / name)
    run("git", "init", "-q")
    run("git", "add", "-A")
    run("git", "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-q", "-m", "as committed")
    figures = ["figure_1_cv.png", "figure_1_cv.svg", "figure_regimes_cv.png", "figure_regimes_cv.svg"]
    for name in figures:
        (copy / "results" / "figures" / name).unlink()
    program = "from reproduction.notebooks import execute; execute('01_models.ipynb', '../../done.ipynb', {})"
    run(sys.executable, "-c", program, cwd=copy / "notebooks")
    assert run("git", "status", "--porcelain", "--untracked-files=all") == ""
    assert all((copy / "results" / "figures" / name).is_file() for name in figures)
