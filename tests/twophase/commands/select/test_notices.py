"""What a run says before it trains."""

import pytest
from datasets import Dataset

from twophase.commands.select import settings
from twophase.commands.select.inputs import Candidates, candidate_notices, length_notices
from twophase.commands.select.run import note_settings
from twophase.errors import UserError
from twophase.training.config import TrainingConfig


def test_texts_that_a_model_does_not_read_to_the_end(texts):
    rows = Dataset.from_dict({"text": ["my card was lost"] * 3 + ["card " * 100]})
    assert length_notices(texts[0] / "bert-16", rows.select(range(3))) == []
    said = "bert-16 reads 64 tokens of a text; 25 % of the training texts are longer, and cut there."
    assert length_notices(texts[0] / "bert-16", rows) == [said]


def test_settings_that_a_zoo_has_no_use_for(tmp_path):
    given = settings.compose(["task.path=x", "selection.n_trends=3", "clustering.k=2", "recall.top=9"])
    left_out = {f"m{number}": "it is broken" for number in range(5)}
    shelf = Candidates("a zoo", {"a": tmp_path, "b": tmp_path}, None, 0.1, TrainingConfig(), left_out)
    lines = candidate_notices(given, shelf)
    assert lines[:3] == [f"m{number} is left out: it is broken." for number in range(3)]
    assert lines[3] == "2 more models are left out; the report has them all."
    assert lines[4] == "recall.top is 9, a zoo has 2 models: all of them are kept."
    assert lines[5].startswith("selection.n_trends, clustering.k: not used, since nothing is known of these models")
    assert len(lines) == 6


def test_more_trends_than_datasets_is_said(records):
    given = settings.compose(["task.path=x", "selection.n_trends=50"])
    known = records.only("benchmark")
    shelf = Candidates("a zoo", dict.fromkeys(known.models), known, 0.1, TrainingConfig(), {})
    said = candidate_notices(given, shelf)
    assert "selection.n_trends is 50, and there are 2 benchmark datasets: 2 is used." in said


def test_the_result_of_other_settings_is_replaced_only_if_that_is_asked_for(tmp_path):
    first, other = (["task.path=x", f"training.epochs={number}"] for number in (1, 2))
    note_settings(settings.compose(first), tmp_path)
    note_settings(settings.compose(other), tmp_path)  # there is no result yet
    (tmp_path / "selection.json").write_text('{"finished": true}')
    for same in ("compute=serial", "budget.minutes=5"):
        note_settings(settings.compose([*other, same]), tmp_path)
    before = (tmp_path / "settings.json").read_bytes()
    with pytest.raises(
        UserError, match=r"holds a result with other settings \(training\); give out=… .* or overwrite=true"
    ):
        note_settings(settings.compose(first), tmp_path)
    assert (tmp_path / "settings.json").read_bytes() == before
    note_settings(settings.compose([*first, "overwrite=true"]), tmp_path)
    note_settings(settings.compose(first), tmp_path)
    (tmp_path / "selection.json").write_text('{"finished": false}')  # the best so far
    note_settings(settings.compose(other), tmp_path)
