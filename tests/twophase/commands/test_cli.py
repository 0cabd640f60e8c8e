"""The command line: exit codes, one-line complaints, speed."""

import errno
import io
import os
import subprocess
import sys
import time

import pytest

from twophase.__main__ import main
from twophase.commands.matrix import settings as of_matrix
from twophase.commands.select import settings as of_select
from twophase.errors import UserError
from twophase.infra import config
from twophase.infra.store import Store
from twophase.sources.live import parameters


@pytest.fixture
def project(tmp_path, monkeypatch):
    """An empty project whose configuration is the repository's."""
    (tmp_path / "conf").symlink_to(config.find_conf(), target_is_directory=True)
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TWOPHASE_CACHE", str(tmp_path / "store"))
    return tmp_path


def run(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "twophase", *arguments], capture_output=True, text=True, timeout=60, **options
    )


@pytest.mark.alone
def test_help_is_fast_and_shows_examples():
    times = []
    for _ in range(3):
        start = time.perf_counter()
        done = run("--help")
        times.append(time.perf_counter() - start)
    assert done.returncode == 0
    assert "twophase params profile=smoke" in done.stdout
    assert min(times) < 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["params", "selection.treshold=1"],
        ["params", "proxy=leap"],
        ["params", "nonsense"],
        ["models", "list", "recall.top=99"],
        ["models", "add"],
        ["paramz"],
        [],
    ],
)
def test_the_users_fault_is_one_line_and_exit_code_2(project, arguments):
    done = run(*arguments, cwd=project)
    assert done.returncode == 2
    assert done.stderr.startswith("twophase")
    assert len(done.stderr.splitlines()) == 1
    assert not (project / "params.yaml").exists()


def test_params_writes_into_the_project_from_any_folder_below(project, monkeypatch, capsys):
    (project / "below").mkdir()
    monkeypatch.chdir(project / "below")
    assert main(["params", "profile=smoke", "recall.top=2"]) == 0
    params = parameters.read(project / "params.yaml")
    assert (params.profile, params.recall.top) == ("smoke", 2)
    assert params.overrides == ("profile=smoke", "recall.top=2")
    assert str(project / "params.yaml") in capsys.readouterr().out


def test_params_outside_a_project(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["params"]) == 2
    assert "--stdout" in capsys.readouterr().err
    assert main(["params", "proxy=logme", "--stdout"]) == 0
    assert capsys.readouterr().out == config.compose(["proxy=logme"])


def test_lists(project, capsys):
    assert (
        main(["models", "list", "cv.zoo.include=[vit-latin,vit-latin-ft-greek-1]", "domains=[cv]", "recall.top=2"]) == 0
    )
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines] == ["model", "vit-latin", "vit-latin-ft-greek-1"]
    assert main(["tasks", "list"]) == 0
    listed = [tuple(line.split()[:3:2]) for line in capsys.readouterr().out.splitlines()[1:]]
    assert [listed.count((d, r)) for d in ("cv", "nlp") for r in ("benchmark", "target")] == [21, 4, 21, 4]
    assert main(["proxies", "list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:3]] == ["h_score", "knn"]


def test_doctor_says_what_is_out_of_step(project, capsys):
    assert main(["doctor"]) == 2
    assert "make params" in capsys.readouterr().out
    main(["params"])
    assert main(["doctor"]) == 0
    report = capsys.readouterr().out
    assert "in step with conf/" in report
    assert str(project / "store") in report


def test_clean_needs_a_yes(project, monkeypatch, capsys):
    store = Store()
    assert main(["clean"]) == 0
    assert "holds nothing to remove" in capsys.readouterr().out
    store.put("cells", 1, 1)
    with open(os.devnull) as nobody:
        monkeypatch.setattr(sys, "stdin", nobody)
        assert main(["clean"]) == 2
    assert "--yes" in capsys.readouterr().err
    assert store.get("cells", 1) == 1
    assert main(["clean", "--yes"]) == 0
    assert store.get("cells", 1) is None


def test_a_pipe_that_nobody_reads_is_no_success():
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "twophase", "proxies", "list"], stdout=write, stderr=subprocess.PIPE, text=True
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


def test_an_output_that_is_full_is_one_line():
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "twophase", "proxies", "list"], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 2 and done.stderr.startswith(
        "twophase: [Errno 28] No space left on device. See to the disk"
    )
    assert done.stderr.count("\n") == 1


def test_what_an_output_cannot_encode_is_escaped(monkeypatch, capsys):
    monkeypatch.setattr("twophase.commands.verbs.run_proxies", lambda given: print("± 1"))
    monkeypatch.setattr(sys, "stdout", out := io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    assert main(["proxies", "list"]) == 0
    assert out.buffer.getvalue() == b"\\xb1 1\n"


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.EFBIG, errno.ENAMETOOLONG, errno.ESTALE])
def test_what_the_system_refuses_is_one_line(monkeypatch, capsys, number):
    def refused(given):
        raise OSError(number, os.strerror(number), "/somewhere/x")

    monkeypatch.setattr("twophase.commands.verbs.run_proxies", refused)
    assert main(["proxies", "list"]) == 2
    said = capsys.readouterr().err
    assert (
        said.startswith(f"twophase: [Errno {number}] {os.strerror(number)}: '/somewhere/x'. See to")
        and said.count("\n") == 1
    )


WRITTEN = ["a\\b", "a\\\\b", "${HOME}", "a ${now:%Y} b", "\\${x}", "$x{y}", "~x", "a,b", "[x].csv", "a=b", "it's", 'a"b', "'q'.csv", "x\\",
           "\\'", "{a}", "(a)", "true", "1"]  # fmt: skip


def test_paths_and_columns_are_taken_as_they_are_written():
    keys = [key for key in of_select.LITERAL if key.startswith("task.")]
    for start in range(0, len(WRITTEN), len(keys)):
        for form in (str, config.quoted):
            given = dict(zip(keys, WRITTEN[start:], strict=False))
            found = of_select.compose(
                ["task.path=a", "out=a", *(f"{key}={form(value)}" for key, value in given.items())]
            )
            assert {key: getattr(found.task, key.partition(".")[2]) for key in given} == given
    labels = {f"matrix.datasets.d{number}.label": value for number, value in enumerate(WRITTEN)}
    for written in WRITTEN[:3]:
        first = {"matrix.models": written, "matrix.tasks": written, "matrix.datasets.d0.text": written, "out": written}
        given = of_matrix.compose([f"{key}={value}" for key, value in (first | labels).items()])
        found = given.matrix.datasets
        assert [*given.matrix.models, given.matrix.tasks, *found["d0"].text, given.out] == [written] * 4
        assert [source.label for source in found.values()] == WRITTEN


def test_a_complaint_shows_what_was_written():
    with pytest.raises(UserError, match=r"^got task.path=\$\{a\}.csv recall.top=\(: "):
        of_select.compose(["task.path=${a}.csv", "recall.top=("])
    assert of_matrix.compose(["matrix.models=[a,b]", "matrix=hub", "matrix.datasets.a.path=o/a"]).matrix.models == (
        "a",
        "b",
    )


def test_ctrl_c_is_130(monkeypatch, capsys):
    def interrupted(given):
        raise KeyboardInterrupt

    monkeypatch.setattr("twophase.commands.verbs.run_proxies", interrupted)
    assert main(["proxies", "list"]) == 130
    assert "interrupted" in capsys.readouterr().err
