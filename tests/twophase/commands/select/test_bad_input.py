"""What a user gets wrong on the command line: one line, exit code 2, nothing begun. Faults inside the data: test_files.py."""

import os
import subprocess
import sys

import pytest
from safetensors.numpy import save_file

from twophase.__main__ import main
from twophase.errors import UserError


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "reviews.csv"
    path.write_text(
        "review,stars\n" + "".join(f"text {i} is {'good' if i % 2 else 'bad'},{i % 2}\n" for i in range(60))
    )
    return path


CASES = {
    "no path": ([], "task.path is missing"),
    "missing file": (["task.path=/nowhere.csv"], "/nowhere.csv"),
    "unknown kind of task": (["task=xml", "task.path={t}"], "unknown task 'xml'"),
    "unknown override": (["task.path={t}", "selection.treshold=1"], "unknown key 'selection.treshold'"),
    "a path to nothing": (["{t}x"], "where nothing is"),
    "not an override": (["task.path={t}", "{t}"], "an override is written key=value"),
    "no kind of task": (["{d}/notes.txt"], "neither a folder nor"),
    "the end of a key": (["{t}", "top=5"], "did you mean recall.top?"),
    "wrong column": (["task.path={t}", "task.text=revew"], "revew"),
    "text is the label": (["task.path={t}", "task.text=stars", "task.label=stars"], "stars"),
    "unknown zoo": (["task.path={t}", "zoo=cloud"], "unknown zoo 'cloud'"),
    "zoo folder missing": (["task.path={t}", "zoo=folder"], "zoo.path is missing"),
    "zoo folder is none": (["task.path={t}", "zoo=folder", "zoo.path=/nowhere"], "is not a folder"),
    "zoo folder is empty": (["task.path={t}", "zoo=folder", "zoo.path={d}"], "holds no model that can be loaded"),
    "unknown proxy": (["task.path={t}", "proxy=leap"], "unknown proxy 'leap'"),
    "unknown metric": (["task.path={t}", "metric=f2"], "unknown metric 'f2'"),
    "budget of nothing": (["task.path={t}", "budget.minutes=0"], "budget.minutes: got 0"),
    "negative budget": (["task.path={t}", "budget.epochs=-3"], "budget.epochs: got -3"),
    "budget of words": (["task.path={t}", "budget.minutes=ten"], "budget.minutes: got 'ten'"),
    "no model to recall": (["task.path={t}", "recall.top=0"], "recall.top: got 0"),
    "half a model": (["task.path={t}", "recall.top=2.5"], "recall.top: got 2.5"),
    "no epoch": (["task.path={t}", "training.epochs=0"], "training.epochs: got 0"),
    "negative rate": (["task.path={t}", "training.learning_rate=-1"], "training.learning_rate: got -1"),
    "negative threshold": (["task.path={t}", "selection.threshold=-0.1"], "selection.threshold: got -0.1"),
    "negative seed": (["task.path={t}", "seed=-1"], "seed: got -1"),
    "shares of everything": (["task.path={t}", "task.test_share=1.5"], "1.5"),
    "rows of nothing": (["task.path={t}", "task.max_rows=0"], "max_rows"),
    "pictures that are a table": (["task=image_folder", "task.path={t}"], "{t}"),
    "out below a file": (["task.path={t}", "out={t}/run"], "cannot be the run's folder"),
    "out is full of other things": (["task.path={t}", "out={d}"], "is not empty and holds no run"),
    "test is train": (["task.path={t}", "task.test={t}"], "{t}"),
    "hub name of a file": (["task.path={t}", "task.name=x"], "task.name=x names a configuration of task=hub"),
    "filter of another zoo": (
        ["task.path={t}", "zoo.base_model=roberta-base"],
        "zoo.base_model is roberta-base, which a zoo of kind live",
    ),
    "path of another zoo": (["task.path={t}", "zoo.path=/nope"], "zoo.path is /nope, which a zoo of kind live"),
    "cut beyond all distances": (["task.path={t}", "zoo.cut=5"], "zoo.cut: got 5"),
    "records of something else": (
        ["task.path={t}", "zoo=folder", "zoo.path={z}"],
        "records.csv: records lack the columns",
    ),
    "near an option": (["task.path={t}", "selection.tresh=1"], "did you mean selection.threshold"),
    "pictures' zoo for texts": (["task.path={t}", "zoo=hub_cv"], "choose another zoo"),
}


@pytest.mark.parametrize(("arguments", "message"), CASES.values(), ids=CASES)
def test_one_line_and_exit_code_2(arguments, message, table, tmp_path, capsys, monkeypatch, published_or_none):
    monkeypatch.chdir(tmp_path)
    models = tmp_path / "models"
    (tmp_path / "notes.txt").write_text("not a table")
    if any("{z}" in part for part in arguments):
        (models / "one").mkdir(parents=True)
        for name in ("config.json", "preprocessor_config.json"):
            (models / "one" / name).write_text("{}")
        save_file({}, models / "one" / "model.safetensors")
        (models / "records.csv").write_text("a,b\n1,2\n")
    filled = [part.format(t=table, d=tmp_path, z=models) for part in arguments]
    if "zoo=hub_cv" in filled and not published_or_none:
        pytest.skip("needs the published matrix")
    assert main(["select", *filled]) == 2
    said = capsys.readouterr().err
    assert said.startswith("twophase: ") and len(said.strip().splitlines()) == 1
    assert message.format(t=table, d=tmp_path) in said
    assert not list(tmp_path.rglob("*.pt")) and not list(tmp_path.rglob("model"))


@pytest.fixture
def published_or_none(monkeypatch):
    """The mirror of published records, if there is one."""
    from pathlib import Path

    folder = Path(os.environ.get("TWOPHASE_MIRROR", Path(__file__).parents[5] / "shared" / "records"))
    if folder.is_dir():
        monkeypatch.setenv("TWOPHASE_MIRROR", str(folder))
    return folder.is_dir()


@pytest.mark.parametrize(
    "name", ["my file (1).csv", "a&b.csv", "#1.csv", "a,b.csv", "a=b,c.csv", "naïve.csv", "it's.csv"]
)
def test_paths_and_columns_are_taken_as_written(name, tmp_path, monkeypatch):
    from twophase.commands.select.inputs import read_task
    from twophase.commands.select.settings import compose

    monkeypatch.setenv("HOME", str(tmp_path))
    rows = "".join(f"text {i} is {'good' if i % 2 else 'bad'},{i % 2}\n" for i in range(60))
    (tmp_path / name).write_text("my text,my label (x)\n" + rows)
    for path in (tmp_path / name, f"~/{name}"):
        given = compose([f"task.path={path}", "task.text=my text", "task.label=my label (x)"])
        assert len(read_task(given.task, given.seed).task["train"]) > 30


def test_a_path_may_stand_first_and_tells_the_kind(table, tmp_path):
    from twophase.commands.select.settings import with_path

    strange = table.rename(tmp_path / "a=b.csv")
    (tmp_path / "photos" / "cat").mkdir(parents=True)
    for path, kind in ((strange, "csv"), (tmp_path / "photos", "image_folder")):
        assert with_path([str(path), "seed=1"]) == [f"task={kind}", f"task.path={path}", "seed=1"]
    for words in ([], ["task.path=x", "seed=1"], ["~zoo"]):
        assert with_path(words) == words


def test_a_task_is_a_path():
    import pandas as pd

    import twophase

    for given in (None, pd.DataFrame()):
        with pytest.raises(UserError, match="a task is given by the path"):
            twophase.select(given)


def test_the_command_itself_ends_with_2_and_no_traceback(tmp_path):
    command = [sys.executable, "-m", "twophase", "select", "task.path=/nowhere.csv"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2 and "Traceback" not in done.stderr and len(done.stderr.strip().splitlines()) == 1
