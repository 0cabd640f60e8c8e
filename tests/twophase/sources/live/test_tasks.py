import hashlib
import itertools
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from fontTools.ttLib import TTFont

from twophase.errors import UserError
from twophase.sources.live import corpora, opening, parameters
from twophase.sources.live.corpora import drawn, vision
from twophase.sources.live.corpora import photographs as kinds
from twophase.sources.live.corpora.photographs import Tissue
from twophase.sources.live.corpora.pictures import SPLIT_SHARES, Digits, Glyphs
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
    configured = parameters.load(["domains=[cv]"]).domain["cv"].tasks
    roles = {"upstream": configured.upstream, "benchmark": configured.benchmark, "target": configured.target}
    sources = {
        role: {source for name in names for source in _sources(vision.TASKS[name])} for role, names in roles.items()
    }
    assert all(sources.values())
    assert not sources["upstream"] & sources["benchmark"]
    assert not sources["upstream"] & sources["target"]
    assert not sources["benchmark"] & sources["target"]


def _sources(task):
    """What a task is made from: characters in fonts, or pictures; nothing where each picture is drawn anew."""
    if isinstance(task, Glyphs):
        return {(font, c) for font in task.fonts for c in task.characters}
    if type(task).__module__ == drawn.__name__:
        return set()
    return {Digits: {"digits.csv.gz"}, Tissue: set(vision.MEDICAL_PHOTOS)}.get(type(task)) or set(task.photographs)


def test_faces_belong_to_one_split():
    shares = [SPLIT_SHARES[split] for split in tasks.SPLITS]
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(shares))
    shown = {split: set(pictures(rows)) for split, rows in corpora.build("cv", "face_parts", SIZES).items()}
    assert not shown["train"] & shown["validation"] and not shown["validation"] & shown["test"]


def _without_noise(name, label, split="train", seed=0):
    return vision.TASKS[name].picture(label, split, np.random.default_rng(seed))


def test_more_dots_cover_more_but_light_alone_does_not_tell_their_number():
    lit = np.array([[_without_noise("counts", label, seed=seed).mean() for seed in range(40)] for label in range(6)])
    assert (np.diff(lit.mean(1)) > 0).all()
    assert (lit[:-1].max(1) > lit[1:].min(1)).all()


def test_a_rougher_field_changes_more_from_pixel_to_pixel():
    def unevenness(label):
        shown = np.stack([_without_noise("roughness", label, seed=seed)[..., 0] for seed in range(50)])
        return (np.abs(np.diff(shown, axis=1)).mean((1, 2)) / shown.std((1, 2))).mean()

    levels = [unevenness(label) for label in range(5)]
    assert levels == sorted(levels, reverse=True)


def test_stripes_do_not_change_along_their_way():
    flat = vision.TASKS["stripes"].classes.index("0 degrees, 8 pixels")
    for seed in range(20):
        shown = _without_noise("stripes", flat, seed=seed)[..., 0]
        assert np.abs(np.diff(shown, axis=0)).mean() < np.abs(np.diff(shown, axis=1)).mean()


def test_a_smeared_patch_is_smoother_along_the_movement():
    """On average: a patch of its own may have lines of any direction."""
    along, across = (
        vision.TASKS["movement"].classes.index("0 degrees"),
        vision.TASKS["movement"].classes.index("90 degrees"),
    )
    shown = {
        label: [_without_noise("movement", label, seed=seed)[..., 0] for seed in range(50)] for label in (along, across)
    }

    def change(label, axis):
        return np.mean([np.abs(np.diff(patch, axis=axis)).mean() for patch in shown[label]])

    assert change(along, 1) < change(along, 0) and change(across, 0) < change(across, 1)


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
