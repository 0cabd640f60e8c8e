"""What one model does wrong is that model's failure: it is named, and the run goes on with the others."""

import json
import shutil

import architectures
import pandas as pd
import pytest

from twophase.commands.select import run, settings
from twophase.errors import UserError
from twophase.infra.compute import spreads
from twophase.training import loading


def _panics(folder):
    """A tokenizer whose library, in Rust, panics at the first text: it puts before each a token that it does not have."""
    file = folder / "tokenizer.json"
    held = json.loads(file.read_text())
    held["post_processor"]["single"].insert(0, {"SpecialToken": {"id": "gone", "type_id": 0}})
    file.write_text(json.dumps(held))


def _never_ends(folder):
    """A configuration with more layers than can be built while anybody waits."""
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"num_hidden_layers": 10**7}))


@pytest.fixture
def zoo(tmp_path, monkeypatch):
    """(folder with three models, table): of a BERT, a GPT-2 without a token for padding, and a Reformer, which trains on texts of
    one length only."""
    monkeypatch.setattr(loading, "PATIENCE", 2)
    for name in ("bert", "gpt2", "reformer"):
        architectures.save("text", name, tmp_path / "zoo" / name)
    rows = [(" ".join(architectures.WORDS[4 + (i + j) % 10] for j in range(1 + i % 4)), "ab"[i % 2]) for i in range(60)]
    pd.DataFrame(rows, columns=["text", "label"]).to_csv(tmp_path / "texts.csv", index=False)
    return tmp_path / "zoo", tmp_path / "texts.csv"


def _run(zoo, *more):
    folder, table = zoo
    said = []
    given = [
        "task=csv",
        f"task.path={table}",
        "zoo=folder",
        f"zoo.path={folder}",
        "training.epochs=1",
        "compute=serial",
    ]
    outcome = run.run(settings.compose([*given, f"out={folder.parent / 'out'}", *more]), said.append, progress=False)
    return outcome, said


TOKENIZER = "the tokenizer in {} cannot read the texts of split train (PanicException: no entry found for key); save the model's own there."
SLOW = "{} cannot be loaded as a classifier of texts (TimeoutError: not done after 2 seconds); give a folder written by save_pretrained "
REFORMER = (
    "ValueError: If training, make sure that config.axial_pos_shape factors: (8, 8) multiply to sequence length. Got prod((8, 8)) != "
    "sequence_length: 6. You might want to consider padding your sequence length to 64 or changing config.axial_pos_shape."
)


def test_a_model_that_panics_or_never_ends_is_named_and_the_others_are_trained(zoo):
    for name, spoil in (("panic", _panics), ("million", _never_ends)):
        shutil.copytree(zoo[0] / "bert", zoo[0] / name)
        spoil(zoo[0] / name)
    shutil.rmtree(zoo[0] / "reformer")
    outcome, said = _run(zoo)
    reasons = outcome.facts["failures"]
    assert outcome.winner in ("bert", "gpt2") and set(outcome.ledger["model"]) == {"bert", "gpt2"}
    assert reasons["panic"] == "UserError: " + TOKENIZER.format(zoo[0] / "panic")
    assert reasons["million"].startswith("UserError: " + SLOW.format(zoo[0] / "million"))
    assert f"panic cannot be used (UserError: {TOKENIZER.format(zoo[0] / 'panic')})." in said


def test_a_model_that_is_scored_and_fails_in_training_is_named(zoo):
    outcome, said = _run(zoo, "method=halving")
    assert f"reformer failed in training and is left out: {REFORMER}" in said
    assert outcome.facts["failures"] == {"reformer": REFORMER}


def test_where_every_model_fails_in_training_the_reason_is_told(zoo):
    for name in ("bert", "gpt2"):
        shutil.rmtree(zoo[0] / name)
    with pytest.raises(UserError) as caught:
        _run(zoo)
    assert REFORMER in str(caught.value)


@pytest.mark.parametrize(("kind", "elsewhere"), [("folder", True), ("live", False)])
def test_models_of_others_are_computed_in_workers_even_alone(kind, elsewhere, tmp_path, monkeypatch):
    monkeypatch.setenv("TWOPHASE_WORKERS", "2")
    monkeypatch.setattr(run, "_run", lambda *given: spreads(1))
    (tmp_path / "x.csv").write_text("text,label\n" + "good,1\nbad,0\n" * 30)
    given = ["task=csv", f"task.path={tmp_path / 'x.csv'}", f"zoo={kind}", f"out={tmp_path / 'out'}"]
    given += ["zoo.path=x"] if kind == "folder" else []
    assert run.run(settings.compose(given)) is elsewhere
    assert run.run(settings.compose([*given, "compute=serial"])) is False
