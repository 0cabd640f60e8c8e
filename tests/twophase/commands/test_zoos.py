"""Models and datasets of one's own in a live zoo; the zoo here is the small one, in the place of the project's."""

import errno
import re
import shutil

import pandas as pd
import pytest

from twophase.__main__ import main
from twophase.commands import zoos
from twophase.errors import UserError
from twophase.sources.files import reader as files
from twophase.sources.live import opening
from twophase.training import tasks


@pytest.fixture
def live(pictures, monkeypatch, tmp_path):
    """The small vision zoo as the live zoo of pictures, with three benchmark datasets."""
    root = pictures[0].parent
    names = ("degradation", "surfaces", "focus")
    params = zoos.params_of("cv")
    part = params.domain["cv"]
    from dataclasses import replace

    small = replace(part.tasks, benchmark=names, target=("tissue",))
    training = replace(part.training, epochs=2, batch_size=8)
    params = replace(params, domain={"cv": replace(part, tasks=small, training=training)})
    monkeypatch.setattr(zoos, "params_of", lambda domain: params)
    monkeypatch.setattr(zoos.parameters, "load", lambda *_: params)
    place = (pictures[0], pictures[0] / "records.csv", root / "data")
    monkeypatch.setattr(opening, "built", lambda *_: place)
    monkeypatch.setattr(zoos, "built", lambda *_: place)
    monkeypatch.setattr(zoos, "live_place", lambda *_: place)
    return lambda: opening.open_live(params, "cv", print)


@pytest.fixture
def own(pictures, tmp_path):
    """A model that the zoo does not have yet."""
    folder = tmp_path / "own"
    shutil.copytree(pictures[0] / "vit", folder)
    return folder


def test_a_model_is_added_by_its_own_cells(live, own, monkeypatch):
    trained = []
    honest = opening.stored.train_one

    def train_one(item):
        trained.append((item[0].name, item[1].name))
        return honest(item)

    monkeypatch.setattr(opening.stored, "train_one", train_one)
    table = zoos.add_model(own, name="mine")
    assert sorted(trained) == [("mine", name) for name in ("degradation", "focus", "surfaces")]
    matrix = live().records.matrix()
    assert "mine" in matrix and matrix.shape == (3, 5)
    assert table["score"].to_dict() == matrix["mine"].to_dict()
    assert zoos.added("cv") == ["mine"]
    folder, shown = zoos.show("mine")
    assert (folder / "model.safetensors").is_file() and shown["score"].notna().all()


def test_failed_cells_stay_visible_and_the_same_call_tries_them_again(live, own, monkeypatch):
    from twophase.infra.compute import Failure

    honest = opening.stored.through_store
    monkeypatch.setattr(
        opening.stored, "through_store",
        lambda store, kind, keys, function, items, *rest: [
            Failure("the power went out") if item[1].name == "focus" else value
            for item, value in zip(items, honest(store, kind, keys, function, items, *rest), strict=True)
        ],
    )  # fmt: skip
    table = zoos.add_model(own, name="mine")
    assert table.loc["focus", "failure"] == "the power went out" and table["score"].notna().sum() == 2
    _, shown = zoos.show("mine")
    assert shown.loc["focus", "failure"] == "the power went out"
    monkeypatch.setattr(opening.stored, "through_store", honest)
    again = zoos.add_model(own, name="mine")
    assert (again["failure"] == "").all() and live().records.matrix().loc["focus", "mine"] == again.loc[
        "focus", "score"
    ]


@pytest.mark.parametrize("damage", [b"", b"model,dataset\nmine", b"\x00\xff\x80"])
def test_damaged_records_are_named_set_aside_and_made_anew_from_the_cells(live, own, monkeypatch, capsys, damage):
    table = zoos.add_model(own, name="mine")
    records = opening.added_folder("cv") / "records" / "mine.csv"
    whole = records.read_bytes()
    records.write_bytes(damage)
    monkeypatch.setattr(opening.stored, "train_one", lambda item: pytest.fail("it is trained again"))
    assert live().records.matrix()["mine"].to_dict() == table["score"].to_dict()
    assert records.read_bytes() == whole and records.with_name("mine.csv.broken").read_bytes() == damage
    said = capsys.readouterr().out
    assert str(records) in said and "It is mine.csv.broken now, and made anew from the cells." in said


def test_damaged_records_of_what_the_user_deleted_are_set_aside(live, own):
    zoos.add_model(own, name="mine")
    added = opening.added_folder("cv")
    shutil.rmtree(added / "models" / "mine")
    (added / "records" / "mine.csv").write_bytes(b"")
    assert "mine" not in live().folders and not (added / "records" / "mine.csv").exists()


def test_a_full_disk_leaves_the_kept_records(live, own, monkeypatch, capsys):
    zoos.add_model(own, name="mine")
    records = opening.added_folder("cv") / "records" / "mine.csv"
    whole = records.read_bytes()
    honest = opening.TrainingRecords.write

    def write(self, path):
        honest(self, path)
        path.write_bytes(path.read_bytes()[:100])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(opening.TrainingRecords, "write", write)
    assert main(["models", "add", str(own), "name=mine"]) == 2
    assert "no space is left for" in capsys.readouterr().err
    assert records.read_bytes() == whole and [path.name for path in records.parent.iterdir()] == ["mine.csv"]


def test_a_benchmark_dataset_is_added_by_a_cell_of_every_model(live, pictures):
    data = files.read("image_folder", pictures[1], validation_share=0.2)
    table = zoos.add_dataset("photos", data.task)
    assert set(table.index) == {"vit", "resnet", "regnet", "untrained"} and table["score"].notna().all()
    assert live().records.matrix().shape == (4, 4)
    smaller = files.read("image_folder", pictures[1], validation_share=0.3)
    with pytest.raises(UserError, match="a dataset 'photos' with other content is there already"):
        zoos.add_dataset("photos", smaller.task)


def test_a_dataset_is_added_through_the_command_line(live, pictures, capsys):
    assert main(["tasks", "add", "task=image_folder", f"task.path={pictures[1]}", "name=photos"]) == 0
    said = capsys.readouterr().out
    shown = dict(line.split() for line in said.splitlines()[-4:])
    final = live().records.matrix().loc["photos"]
    assert shown == {model: f"{score:.3f}" for model, score in final.items()}
    assert main(["tasks", "list"]) == 0
    assert re.search(r"^cv +photos +benchmark, added by you +\d+ +\d+ +\d+$", capsys.readouterr().out, re.M)
    assert main(["tasks", "save", "tissue"]) == 2
    assert "`tasks save` takes a dataset and a folder" in capsys.readouterr().err


def test_what_was_added_can_be_removed_and_nothing_else(live, own, pictures, capsys):
    before = live().records.frame
    zoos.add_model(own, name="mine")
    zoos.add_dataset("photos", files.read("image_folder", pictures[1], validation_share=0.2).task)
    assert main(["models", "remove", "mine"]) == main(["tasks", "remove", "photos"]) == 0
    assert zoos.added("cv") == zoos.added("cv", "tasks") == [] and live().records.frame.equals(before)
    for command in (["models", "remove", "vit"], ["tasks", "remove", "focus"], ["models", "remove", "../vit"]):
        capsys.readouterr()
        assert main(command) == 2
        assert "of your own; allowed: none" in capsys.readouterr().err


def test_a_model_of_a_zoo_that_is_not_built_is_not_built_to_be_shown(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(opening, "build_tasks", lambda *given: pytest.fail("it is built"))
    with pytest.raises(UserError, match="vit-latin is not built yet: `make repro` builds the live zoo"):
        zoos.show("vit-latin")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("vit", "the live zoo has a 'vit' of its own; give another name"),
        ("../up", "'../up' is no name"),
        ("", "nowhere is no folder; give one written by save_pretrained"),
    ],
)
def test_names_that_cannot_be(live, own, name, message):
    with pytest.raises(UserError, match=message):
        zoos.add_model(own if name else own / "nowhere", name=name or None)


def test_a_model_with_other_weights_under_the_same_name(live, own, pictures):
    zoos.add_model(own, name="mine")
    with pytest.raises(UserError, match="a model 'mine' with other weights is there already"):
        zoos.add_model(pictures[0] / "untrained", name="mine")


def test_a_broken_model_is_refused_before_anything_is_kept(live, own):
    (own / "model.safetensors").write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00{")
    with pytest.raises(UserError, match="own: model.safetensors is no safetensors file"):
        zoos.add_model(own, name="mine")
    assert zoos.added("cv") == []


def test_a_dataset_is_saved_as_files_that_are_read_again(live, pictures, tmp_path):
    folder = zoos.save_task("tissue", tmp_path / "out")
    again = files.read("image_folder", folder)
    before = tasks.load(pictures[0].parent / "data" / "tissue")
    assert {split: len(rows) for split, rows in again.task.items()} == {s: len(rows) for s, rows in before.items()}
    named = [
        [rows.features["label"].int2str(label) for label in rows["label"]]
        for rows in (again.task["test"], before["test"])
    ]
    assert sorted(named[0]) == sorted(named[1])
    assert isinstance(again.counts, pd.DataFrame)
    with pytest.raises(UserError, match="is there already; give a new folder"):
        zoos.save_task("tissue", tmp_path / "out")
    with pytest.raises(UserError, match="unknown dataset 'tisue' .did you mean tissue"):
        zoos.save_task("tisue", tmp_path / "other")
