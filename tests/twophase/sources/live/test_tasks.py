import hashlib
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from fontTools.ttLib import TTFont

from twophase.errors import UserError
from twophase.sources.live import corpora, opening, parameters
from twophase.sources.live.corpora import photographs as kinds
from twophase.sources.live.corpora import vision
from twophase.sources.live.corpora.pictures import Glyphs
from twophase.training import tasks

SIZES = {"train": 80, "validation": 80, "test": 80}
GLYPHS = [name for name, task in vision.TASKS.items() if isinstance(task, Glyphs)]


def pictures(split):
    return [hashlib.sha256(np.asarray(picture).tobytes()).hexdigest() for picture in split["image"]]


@pytest.mark.parametrize("name", corpora.names("cv"))
def test_every_task_is_a_labelled_dataset_of_small_pictures(name):
    task = corpora.build("cv", name, SIZES)
    assert {split: len(rows) for split, rows in task.items()} == SIZES
    for rows in task.values():
        counts = np.bincount(rows["label"], minlength=rows.features["label"].num_classes)
        assert counts.min() >= 1
        assert rows[0]["image"].size == (16, 16) and rows[0]["image"].mode == "RGB"
    assert not set(pictures(task["train"])) & set(pictures(task["test"]))


def test_same_seed_same_bytes_and_another_seed_another_draw(tmp_path):
    for folder, seed in (("a", 0), ("b", 0), ("c", 1)):
        tasks.save(corpora.build("cv", "capitals", SIZES, seed), tmp_path / folder)
    assert tasks.digest(tmp_path / "a") == tasks.digest(tmp_path / "b") != tasks.digest(tmp_path / "c")


def test_saved_task_reads_back(tmp_path):
    built = corpora.build("cv", "surfaces", SIZES)
    read = tasks.load(tasks.save(built, tmp_path / "surfaces"))
    assert pictures(read["train"]) == pictures(built["train"])
    assert read["test"].features["label"].names == list(vision.TASKS["surfaces"].classes)


@pytest.mark.parametrize("name", GLYPHS)
def test_every_font_has_every_character(name):
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    for font in vision.TASKS[name].fonts:
        missing = [
            c for c in vision.TASKS[name].characters if ord(c) not in TTFont(folder / f"{font}.ttf").getBestCmap()
        ]
        assert not missing, f"{font} lacks {missing}"


def test_blocks_of_splits_share_no_pixel():
    for name in ("china.jpg", "retina.jpg", "text.png"):
        owners = [set(kinds.blocks(name, split)) for split in tasks.SPLITS]
        assert all(owners)
        assert not owners[0] & owners[1] and not owners[0] & owners[2] and not owners[1] & owners[2]


def test_upstream_benchmark_and_target_sources_are_disjoint():
    """No character in the same font and no photograph serves two of the three roles."""
    roles = {
        "upstream": ["latin", "greek", "syllabics", "photographs", "photo_focus", "photo_degradation"],
        "benchmark": ["capitals", "mathematics", "georgian", "hebrew", "zodiac", "surfaces", "whereabouts",
                      "degradation", "focus"],
        "target": ["cyrillic", "arabic", "tissue", "microscope_focus"],
    }  # fmt: skip
    sources = {role: set() for role in roles}
    for role, names in roles.items():
        for task in (vision.TASKS[name] for name in names):
            if isinstance(task, Glyphs):
                sources[role] |= {(font, c) for font in task.fonts for c in task.characters}
            else:
                sources[role] |= set(getattr(task, "photographs", vision.MEDICAL_PHOTOS))
    assert not sources["upstream"] & sources["benchmark"]
    assert not sources["upstream"] & sources["target"]
    assert not sources["benchmark"] & sources["target"]


def test_unknown_names_and_small_splits_say_what_is_allowed(tmp_path):
    with pytest.raises(UserError, match="unknown domain 'audio'; known: cv, nlp"):
        corpora.names("audio")
    with pytest.raises(UserError, match=r"unknown cv task 'capital'; known: .*capitals"):
        corpora.build("cv", "capital", SIZES)
    with pytest.raises(UserError, match="20 test examples for 26 classes"):
        corpora.build("cv", "capitals", SIZES | {"test": 20})
    with pytest.raises(UserError, match="has 539 train pictures, 600 were asked for"):
        corpora.build("cv", "digits", SIZES | {"train": 600})
    (tmp_path / "train.parquet").write_bytes(b"not parquet")
    with pytest.raises(UserError, match=r"train\.parquet cannot be read as a task split"):
        tasks.load(tmp_path)


def test_a_missing_package_is_said_before_a_live_zoo_is_built(tmp_path, monkeypatch):
    """With the library alone the packages that the zoos are made of are not there."""
    monkeypatch.setenv("TWOPHASE_CACHE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(corpora, "source", lambda package: (_ for _ in ()).throw(UserError(f"{package} is not there.")))
    said = []
    with pytest.raises(UserError, match="not all are here: .* is not there. .*zoo=folder"):
        opening.built(parameters.load(["domains=[nlp]"]), "nlp", said.append)
    assert said == []


def test_pictures_of_a_missing_package_are_the_users_to_mend(monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage", None)
    kinds.photograph.cache_clear()
    with pytest.raises(UserError, match="package 'skimage' is not installed, and its pictures are asked for"):
        kinds.photograph("astronaut.png")
