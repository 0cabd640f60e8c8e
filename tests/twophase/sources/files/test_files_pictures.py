"""Pictures of a user's folders."""

import os
import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sample_files import jpeg, pictures, table

from twophase.errors import UserError
from twophase.sources.files.reader import read
from twophase.training.tasks import SPLITS, load, save


def test_image_folder_gives_stored_rgb_pictures_in_any_listing_order(tmp_path, monkeypatch):
    folder = pictures(tmp_path / "data", ("dog", "cat", "10"), 10)
    made = read("image_folder", folder)
    assert made.task["train"].features["label"].names == ["10", "cat", "dog"]
    assert made.counts.to_dict("list") == {"train": [7] * 3, "validation": [1] * 3, "test": [2] * 3}
    picture = made.task["train"][0]["image"]
    assert picture.mode == "RGB" and picture.size == (24, 24)
    assert made.guesses == []
    listing = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda self: random.Random(3).sample(items := list(listing(self)), len(items)))
    again = read("image_folder", folder)
    for split in SPLITS:
        assert made.task[split].data.table == again.task[split].data.table
    assert np.array_equal(load(save(made.task, tmp_path / "saved"))["train"][0]["image"], picture)


def test_image_folder_with_splits_and_further_folders(tmp_path):
    pictures(tmp_path / "data" / "train", each=4)
    pictures(tmp_path / "data" / "val", each=2, shade=80)
    (tmp_path / "data" / "extra").mkdir()
    made = read("image_folder", tmp_path / "data", test=pictures(tmp_path / "more", each=3, shade=120))
    assert made.counts.to_dict("list") == {"train": [4, 4], "validation": [2, 2], "test": [3, 3]}
    assert made.notes[0] == "data: not read: 'extra'"


def only(tmp_path, image, name="x.png", **options):
    """The picture that is made of one, alone in its split."""
    folder = pictures(tmp_path / "data")
    for split in ("val", "test"):
        pictures(tmp_path / split, each=1, shade=80)
    image.save(tmp_path / "test" / "cat" / "0.jpg", {".png": "PNG", ".tif": "TIFF"}.get(name[1:]), **options)
    made = read("image_folder", folder, test=tmp_path / "test", validation=tmp_path / "val")
    assert made.counts["test"].to_dict() == {"cat": 1, "dog": 1}, made.notes
    picture = made.task["test"][0]["image"]
    assert picture.mode == "RGB"
    return np.asarray(picture), made.notes


def test_sixteen_bits_are_scaled(tmp_path):
    values = np.array([[0, 257, 25700, 65535]] * 4, dtype=np.uint16)
    picture, _ = only(tmp_path, Image.fromarray(values))
    assert picture[0].tolist() == [[0] * 3, [1] * 3, [100] * 3, [255] * 3]


@pytest.mark.parametrize(
    ("kind", "top", "values"),
    [
        (np.int32, 255, [0, 51, 204, 255]),
        (np.uint16, 255, [0, 51, 204, 255]),
        (np.int32, 65535, [0, 13107, 52428, 65535]),
        (np.float32, 255, [0, 51, 204, 255]),
        (np.float32, 1, [0, 0.2, 0.8, 1]),
    ],
)
def test_values_of_many_bits_are_scaled_by_what_they_reach(tmp_path, kind, top, values):
    picture, notes = only(tmp_path, Image.fromarray(np.array([values] * 4, dtype=kind)), "x.tif")
    assert picture[0].tolist() == [[0] * 3, [51] * 3, [204] * 3, [255] * 3]
    assert any("255 read as white" in note for note in notes) == (top == 255)


def test_a_huge_picture_is_left_out_before_it_is_decoded(tmp_path, monkeypatch):
    folder = pictures(tmp_path / "data")
    # in a few kilobytes, of which the decoded picture and its copies would take gigabytes
    Image.fromarray(np.zeros((8001, 8000), np.uint16)).save(folder / "cat" / "huge.png")
    Image.new("L", (8001, 8000)).save(folder / "cat" / "camera.jpg")  # a JPEG is decoded smaller
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40_000_000)
    Image.new("1", (9000, 9000)).save(folder / "dog" / "bomb.png")  # refused by PIL itself
    made = read("image_folder", folder)
    assert ("train: 2 files that cannot be read as pictures left out: 'cat/huge.png' (more than 64 million pixels); "
            "'dog/bomb.png' (more than 80 million pixels)") in made.notes  # fmt: skip
    assert made.said[0].startswith(
        "train: 15 files in data, 13 read, 2 left out: 2 that cannot be read as pictures; set"
    )


def test_transparency_is_put_on_white(tmp_path):
    values = np.array([[[255, 0, 0, 255], [255, 0, 0, 0], [0, 0, 0, 51]]], dtype=np.uint8)
    picture, _ = only(tmp_path, Image.fromarray(values))
    assert picture[0].tolist() == [[255, 0, 0], [255, 255, 255], [204, 204, 204]]


def test_palette_with_a_transparent_colour(tmp_path):
    image = Image.fromarray(np.array([[0, 1, 2]], dtype=np.uint8)).convert("P")
    image.putpalette([9, 8, 7, 0, 200, 0, 1, 1, 1])
    picture, _ = only(tmp_path, image, transparency=2)
    assert picture[0].tolist() == [[9, 8, 7], [0, 200, 0], [255, 255, 255]]


def test_grey_and_cmyk(tmp_path):
    picture, _ = only(tmp_path / "grey", Image.fromarray(np.array([[0, 99, 255]], dtype=np.uint8)))
    assert picture[0].tolist() == [[0] * 3, [99] * 3, [255] * 3]
    picture, _ = only(tmp_path / "cmyk", Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "x.jpg")
    assert np.abs(picture.astype(int) - [255, 0, 0]).max() <= 3  # JPEG rounds


def test_rotation_of_a_camera_is_applied(tmp_path):
    image = Image.fromarray(np.array([[[255, 0, 0], [0, 0, 255]]], dtype=np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show it turned clockwise
    picture, _ = only(tmp_path, image, exif=exif)
    assert picture.tolist() == [[[255, 0, 0]], [[0, 0, 255]]]


@pytest.mark.parametrize(
    ("name", "size", "wanted"), [("x.jpg", (4000, 1000), (128, 512)), ("x.png", (600, 300), (256, 512))]
)
def test_large_pictures_are_reduced_with_a_note(tmp_path, name, size, wanted):
    picture, notes = only(tmp_path, Image.new("RGB", size, (10, 200, 30)), name)
    assert picture.shape == (*wanted, 3)
    assert np.abs(picture.astype(int) - [10, 200, 30]).max() <= 3
    assert "test: 1 picture larger than 512 pixels a side reduced to 512" in notes


def test_broken_pictures_are_left_out_and_named(tmp_path):
    folder = pictures(tmp_path / "data", each=8)
    (folder / "cat" / "a.txt").write_text("a note")
    (folder / "cat" / "b.jpg").write_bytes(jpeg(3, 200)[:-2000])
    (folder / "cat" / "c.jpg").write_bytes(b"")
    (folder / "dog" / "d.jpg").symlink_to(folder / "dog" / "d.jpg")
    Image.fromarray(np.full((4, 4), 7e9, np.float32)).save(folder / "dog" / "e.tif")
    (folder / "cat" / ".DS_Store").write_bytes(b"x")
    (folder / "readme.md").write_text("beside")
    os.mkfifo(folder / "dog" / "f.png")
    (folder / "cat" / "_1.jpg").write_bytes(jpeg(99))
    made = read("image_folder", folder)
    assert made.counts.to_numpy().sum() == 17
    note = next(
        note for note in made.notes if note.startswith("train: 6 files that cannot be read as pictures left out: ")
    )
    for name, reason in (("cat/a.txt", "none of the formats"), ("cat/b.jpg", "image file is truncated")):
        assert f"'{name}' ({reason}" in note
    assert note.endswith("; and 3 more reasons")
    assert "train: 1 file beside the class folders left out: 'readme.md'" in made.notes


def test_class_folder_without_pictures_and_doubled_pictures_are_noted(tmp_path):
    folder = pictures(tmp_path / "data")
    (folder / "bird").mkdir()
    (folder / "cat" / "inner").mkdir()
    (folder / "cat" / "copy.jpg").write_bytes((folder / "cat" / "0.jpg").read_bytes())
    made = read("image_folder", folder)
    assert list(made.counts.index) == ["cat", "dog"]
    assert "train: class 'bird' has no pictures: left out" in made.notes
    assert "train: folders inside class 'cat' left out: 'inner'" in made.notes
    assert "train: 1 duplicate row kept, copies in one split as far as possible" in made.notes


def no_classes(folder):
    (folder / "a.jpg").write_bytes(jpeg(0))
    return folder


def empty_classes(folder):
    (folder / "cat").mkdir(), (folder / "dog").mkdir()
    return folder


def half_empty(folder):
    pictures(folder, ("cat",)), (folder / "dog").mkdir()
    return folder


def mostly_broken(folder):
    for i in range(20):
        (pictures(folder) if not i else folder).joinpath("cat", f"x{i}.jpg").write_bytes(b"no picture")
    return folder


def pointers(folder):
    for file in pictures(folder, each=1).glob("*/*"):
        file.write_text("version https://git-lfs.github.com/spec/v1\n")
    return folder


def no_training(folder):
    return pictures(folder / "test", each=2).parent


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda f: f / "none", "none does not exist"),
        (no_classes, r"has no class folders and 1 file .'a\.jpg'.; put pictures in a folder a class"),
        (lambda f: pictures(f, ("cat",)), "has one class folder only, 'cat'; put pictures in"),
        (empty_classes, "there are no pictures in 'cat', 'dog'"),
        (half_empty, "one class only in the class folders: 'cat'"),
        (
            lambda f: pictures(f / "images", each=1).parent,
            r"'images'; .* .in images are folders, 'cat', 'dog': is it the",
        ),
        (pointers, "2 of 2 files cannot be read as pictures: .* .a pointer of Git LFS .its content was not fetched.."),
        (
            mostly_broken,
            r"20 of 32 files cannot be read as pictures: 'cat/x0\.jpg'.*none of the formats.*readable are BMP",
        ),
        (
            lambda f: table(f).parent,
            r"no class folders and 1 file .'data\.csv'.*for tables choose the kind csv or json",
        ),
        (no_training, "has 'test' and no folder train"),
    ],
)
def test_faults_of_image_folders_are_named(tmp_path, make, message):
    with pytest.raises(UserError, match=message):
        read("image_folder", make(tmp_path))


@pytest.mark.parametrize("train, test", [("Training", "Testing"), ("training_set", "test_set"), ("TRAIN", "eval")])
def test_folders_of_splits_are_known_by_their_words(tmp_path, train, test):
    for name, shade in ((train, 0), (test, 80)):
        pictures(tmp_path / name, shade=shade)
    (tmp_path / "notes.txt").write_text("beside")
    made = read("image_folder", tmp_path)
    assert made.counts.to_dict("list") == {"train": [5, 5], "validation": [1, 1], "test": [6, 6]}
    assert [account.source for account in made.accounts.values()] == [train, train, test]
    assert made.notes[0] == f"{tmp_path.name}: not read: 'notes.txt'"


def test_classes_whose_names_hold_a_word_for_a_split_stay_classes(tmp_path):
    made = read("image_folder", pictures(tmp_path / "data", ("train station", "test tube", "airport")))
    assert list(made.counts.index) == ["airport", "test tube", "train station"]


@pytest.mark.parametrize("sign", ["/", "\\"])
@pytest.mark.parametrize("options", [{}, {"text": "file", "label": "kind"}])
def test_a_table_of_names_gives_the_pictures_beside_it(tmp_path, sign, options):
    folder = pictures(tmp_path / "data")
    names = [f"{kind}{sign}{i}.jpg" for kind in ("cat", "dog") for i in range(6)]
    given = [(name, name[:3], i) for i, name in enumerate([*names, f"cat{sign}gone.jpg"])]
    made = read("csv", table(folder, given, columns=("file", "kind", "number")), **options)
    assert list(made.counts.index) == ["cat", "dog"] and made.task["train"][0]["image"].size == (24, 24)
    assert "column 'file' names pictures, which are read from beside the table" in made.guesses
    assert f"train: 1 file that cannot be read as pictures left out: {given[-1][0]!r} (no such file)" in made.notes
    assert seen(made) == seen(read("image_folder", folder))


def seen(made):
    return {row["image"].tobytes(): made.task["train"].features["label"].int2str(row["label"])
            for rows in made.task.values() for row in rows}  # fmt: skip


def test_picture_folders_of_two_splits_must_be_apart(tmp_path):
    folder = pictures(tmp_path / "data")
    with pytest.raises(UserError, match="the test would be the training data"):
        read("image_folder", folder, test=folder)
    pictures(folder / "more")
    with pytest.raises(UserError, match="one lies inside the other"):
        read("image_folder", folder, test=folder / "more")
