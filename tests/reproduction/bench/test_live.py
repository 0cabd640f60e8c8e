"""The parts that train, on a tiny zoo: what they measure is really done."""

import shutil

import pytest

from reproduction import evidence
from reproduction.bench import live
from twophase.errors import UserError
from twophase.training.finetuning import train_cell

CELLS = {"cv": {"models": ["vit", "resnet"], "datasets": ["first"]}}


def test_throughput_trains_every_cell_with_each_number_of_workers(project):
    found = live.throughput({"workers": [1, 2], "domains": CELLS}, 2)
    measured = found[found["repeat"] > 0]
    assert measured.groupby(["workers", "repeat"]).size().to_dict() == {(w, r): 1 for w in (1, 2) for r in (1, 2)}
    assert (measured["cells"] == 2).all() and (measured["seconds"] > 0).all()
    assert found[found["repeat"] == 0]["cells"].tolist() == [1, 2]


def test_a_cell_that_fails_ends_it(project, tmp_path, monkeypatch):
    shutil.copytree(project.root, tmp_path / "copy", symlinks=True)
    monkeypatch.chdir(tmp_path / "copy")
    (tmp_path / "copy" / "zoo" / "cv" / "vit" / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(UserError, match="vit on first cannot be trained"):
        live.throughput({"workers": [1], "domains": CELLS}, 1)


def test_our_loop_and_trainer_do_the_same_work(project):
    pytest.importorskip("accelerate", reason="accelerate is not installed: pip install -e '.[bench]'")
    found = live.trainer({"domains": CELLS}, 2)
    assert len(found) == 2 * 2 * 2
    assert set(found["side"]) == {"twophase", "transformers.Trainer"}
    assert (found["steps"] == found["steps"].iloc[0]).all() and found["test"].between(0, 1).all()
    wide = found.pivot_table(index=["model", "repeat"], columns="side", values="test")
    assert (wide["twophase"] == wide["transformers.Trainer"]).all()  # one order of examples, no dropout: one result
    ours = found[(found["side"] == "twophase") & (found["model"] == "vit") & (found["repeat"] == 1)]["test"]
    training = live.Zoo("cv").training
    rows = train_cell(project.root / "zoo/cv/vit", project.root / "data/cv/first", training)
    assert ours.item() == rows[-1]["test"]


def test_trainer_makes_our_number_of_steps_with_our_schedule(project, monkeypatch):
    pytest.importorskip("accelerate", reason="accelerate is not installed: pip install -e '.[bench]'")
    rates, step = [], live.FineTuning._rate
    monkeypatch.setattr(live.FineTuning, "_rate", lambda self, number: rates.append(number) or step(self, number))
    config = live.TrainingConfig(epochs=3, batch_size=16)
    folder, data = project.root / "zoo/cv/vit", project.root / "data/cv/first"
    live._by_trainer(folder, live.encoded(data, folder), config, 0)
    assert sorted(set(rates)) == list(range(3 * 3 + 1))  # 48 examples, 16 a step; the scheduler looks one step ahead


def test_end_to_end_trains_what_each_method_asks_for(project):
    found = live.end_to_end({"targets": {"cv": [project.target]}}, 1).set_index("side")
    assert list(found.index) == ["2PH", "BF", "SH", "ASHA"]
    known = evidence.load("cv")
    assert found.loc["BF", "epochs"] == 3 * 2
    assert found.loc["SH", "epochs"] == 3 + 1
    assert found.loc["2PH", "epochs"] == 2 + 1 + 0.5 * len(known.scored(project.target))
    assert (found["trained"] < found["seconds"]).all()
    final = known.final(project.target)
    assert found.loc["BF", "test"] == final[found.loc["BF", "winner"]]  # the seed of the records: the same runs


def test_what_is_not_built_is_named(project):
    with pytest.raises(UserError, match=r"none is not there; run `make repro` first"):
        live.throughput({"workers": [1], "domains": {"cv": {"models": ["none"], "datasets": ["first"]}}}, 1)
    with pytest.raises(UserError, match="unknown domain 'audio'"):
        live.end_to_end({"targets": {"audio": ["x"]}}, 1)
