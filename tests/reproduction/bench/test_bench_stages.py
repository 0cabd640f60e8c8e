"""Where the time of a pipeline went, from DVC's lines and when they came."""

import io

import pytest

from reproduction.bench.stages import run, stamp
from twophase.errors import UserError

LOG = """\
    1.50 Running stage 'check':
    1.50 > python -m reproduction.stages check
    3.00
    3.00 Running stage 'tasks@cv':
   10.25 Stage 'tasks@nlp' didn't change, skipping
   11.00 Running stage 'notebooks/published/dvc.yaml:claims':
   12.50 Use `dvc push` to send your updates to remote storage.
   13.00 end
"""


def test_a_stage_lasts_until_the_next_line_about_a_stage(tmp_path):
    (tmp_path / "log").write_text(LOG)
    found = run({"before": str(tmp_path / "log"), "after": None})
    assert found.to_dict("list") == {
        "when": ["before"] * 4,
        "stage": ["check", "tasks@cv", "notebooks/published/dvc.yaml:claims", "all"],
        "seconds": [1.5, 7.25, 2.0, 13.0],
    }


def test_what_is_stamped_can_be_read(tmp_path):
    written = io.StringIO()
    stamp(io.StringIO("Running stage 'a':\n\nRunning stage 'b':\n"), written)
    (tmp_path / "log").write_text(written.getvalue())
    both = run({"before": tmp_path / "log", "after": tmp_path / "log"})
    assert both["stage"].tolist() == ["a", "b", "all"] * 2
    assert both["when"].tolist() == ["before"] * 3 + ["after"] * 3


def test_stages_that_run_side_by_side_say_how_long_they_took(tmp_path):
    lines = [
        "1.0 Running stage 'a@cv':", "1.1 Running stage 'a@nlp':", "3.0 Finished stage 'a@nlp' in 1.90 seconds",
        "3.1 Running stage 'b@nlp':", "4.0 Finished stage 'a@cv' in 3.00 seconds", "5.0 end",
    ]  # fmt: skip
    (tmp_path / "log").write_text("\n".join(lines))
    found = run({"after": tmp_path / "log"}).set_index("stage")["seconds"]
    assert found.to_dict() == {"a@cv": 3.0, "a@nlp": 1.9, "b@nlp": 1.9, "all": 5.0}


def test_a_stage_of_the_pipeline_says_how_long_it_took(tmp_path, monkeypatch, capsys):
    from reproduction import stages

    monkeypatch.setitem(stages.VERBS, "check", lambda: None)
    assert stages.main(["check"]) == 0
    assert capsys.readouterr().out == ""
    monkeypatch.setenv("DVC_STAGE", "check")
    monkeypatch.setattr("twophase.infra.compute.die_with_launcher", lambda: None)
    assert stages.main(["check"]) == 0
    (tmp_path / "log").write_text(f"0.10 Running stage 'check':\n9.00 {capsys.readouterr().out}")
    assert run({"after": tmp_path / "log"})["seconds"].iloc[0] < 5


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(UserError, match="name no file; write one with"):
        run({"before": None, "after": None})
    with pytest.raises(UserError, match=r"none\.log is not there"):
        run({"before": tmp_path / "none.log"})
    (tmp_path / "log").write_text("Running stage 'a':\n")
    with pytest.raises(UserError, match="holds no line such as"):
        run({"before": tmp_path / "log"})
