"""Whatever lies in a file that was kept, or comes as a hub's answer: it is read, or refused in one line.

`DOORS=2000 pytest tests/twophase/infra/test_doors.py` tries more of it.
"""

import contextlib
import json
import os
import tempfile
from pathlib import Path

import pytest
import torch
from datasets import Dataset, DatasetDict
from huggingface_hub.hf_api import DatasetInfo, ModelInfo
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from twophase.commands.matrix import data as matrix_data
from twophase.commands.matrix import models as matrix_models
from twophase.commands.matrix import settings as matrix_settings
from twophase.commands.select.run import open_run
from twophase.errors import UserError
from twophase.infra import locks
from twophase.infra.store import MARKER, Store
from twophase.sources.hub import datasets as hub_datasets
from twophase.sources.hub import models as hub_models
from twophase.sources.hub import transfer
from twophase.sources.hub.place import Place
from twophase.sources.live.opening import _sound
from twophase.training import tasks
from twophase.training.resumable import Checkpoints

KEYS = ["task", "path", "pid", "entries", "key", "value", "files", "sha256", "source", "val", "accuracy", "seconds", "state",
        "model_type", "hidden_size", "num_hidden_layers", "image_size", "patch_size", "auto_map", "intermediate_size",
        "id", "sha", "siblings", "rfilename", "size", "lfs", "blobId", "cardData", "configs", "data_files", "data_dir",
        "config_name", "split", "default", "gated", "tags"]  # fmt: skip
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.sampled_from([*KEYS, "0" * 40])
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=12,
)
CONTENTS = st.binary(max_size=80) | VALUES.map(lambda value: json.dumps(value).encode())
COMMIT = "0" * 40
TASK = DatasetDict({split: Dataset.from_dict({"text": ["a"], "label": [0]}) for split in tasks.SPLITS})
MATRIX = matrix_settings.compose(["matrix.models=.", "matrix.tasks=."])


def parsed(content):
    with contextlib.suppress(ValueError, RecursionError):
        return json.loads(content)
    return None


def run_folder(folder, content):
    (folder / "run.json").write_bytes(content)
    with open_run(folder, TASK, "a.csv"):
        pass


def checkpoint_note(folder, content):
    (folder / "run.json").write_bytes(content)
    Checkpoints(folder, {"task": "a"})


def checkpoint_bytes(folder, content):
    kept = Checkpoints(folder, {"task": "a"})
    kept._path("m").write_bytes(content)
    kept.read("m", "source")


def checkpoint_value(folder, content):
    kept = Checkpoints(folder, {"task": "a"})
    torch.save(parsed(content), kept._path("m"))
    kept.read("m", "source")


def store_value(folder, content):
    store = Store(folder)
    store.put("cells", 1, [{"val": 0.5}])
    store.path("cells", 1).with_suffix(".json").write_bytes(content)
    assert store.get("cells", 1) in (None, [{"val": 0.5}])


def store_marker(folder, content):
    store = Store(folder)
    (store.put_folder("models", 1, lambda new: (new / "a").touch()) / MARKER).write_bytes(content)
    assert store.get_folder("models", 1) is None


def store_marker_at_a_url(folder, content):
    store = Store(f"file://{folder}/shared")
    path = Path(store.path("models", 1).removeprefix("file://"))
    path.mkdir(parents=True)
    (path / MARKER).write_bytes(content)
    store.get_folder("models", 1)


def holder(folder, content):
    (folder / ".lock.json").write_bytes(content)
    locks.named(locks.holder(folder / ".lock"))


def added_records(folder, content):
    (folder / "mine.csv").write_bytes(content)
    if (records := _sound(folder / "mine.csv", lambda line: None)) is not None:
        assert len(records.models) > 0


def kept_task(folder, content):
    tasks.save(TASK, folder)
    (folder / "train.parquet").write_bytes(content)
    tasks.load(folder)


def matrix_notes(folder, content):
    tasks.save(TASK, folder)
    (folder / "task.json").write_bytes(content)
    matrix_data._kept(MATRIX, "a", matrix_settings.Source(path="a"), folder)


def matrix_model(folder, content):
    (folder / "config.json").write_bytes(content)
    (folder / "model.safetensors").write_bytes(b"\x02\0\0\0\0\0\0\0{}")
    (folder / "tokenizer_config.json").write_text("{}")
    matrix_models.look(MATRIX, "a", folder, ask=False)
    if isinstance(config := parsed(content), dict):
        matrix_models.multiplications(config, 1, MATRIX.estimate)


def hub_note(folder, content):
    place = Place("model", "org/a", "main", folder)
    place.root.joinpath("notes").mkdir(parents=True)
    place._note("main", "").write_bytes(content)
    assert (found := place.latest("")) is None or found.parent == place.root


def hub_hashes(folder, content):
    place = Place("model", "org/a", "main", folder)
    (place.root / COMMIT).mkdir(parents=True)
    place.keep("", place.root / COMMIT)
    place._hashes(place.root / COMMIT).write_bytes(content)
    place.latest("")


def hub_settings(folder, content):
    (folder / "config.json").write_bytes(content)
    hub_models._custom("org/a", folder)


def hub_answer(kind, info):
    def door(folder, content):
        def ask(*given, **named):
            answer = json.loads(content)
            return info(
                **({"id": "org/a", "sha": COMMIT} | (answer if isinstance(answer, dict) else {"siblings": answer}))
            )

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(transfer.HfApi, f"{kind}_info", ask)
            found = transfer.list_repository(kind, "org/a", None)
        transfer.total_size(found, found.files)
        if kind == "model":
            hub_models._needed(found.files, hub_models._refuse("org/a", found.files, False), False)
        else:
            hub_datasets.layout("org/a", found.files, found.card)

    return door


DOORS = {door.__name__: door for door in (
    run_folder, checkpoint_note, checkpoint_bytes, checkpoint_value, store_value, store_marker, store_marker_at_a_url, holder,
    added_records, kept_task, matrix_notes, matrix_model, hub_note, hub_hashes, hub_settings,
)} | {"hub_model": hub_answer("model", ModelInfo), "hub_dataset": hub_answer("dataset", DatasetInfo)}  # fmt: skip


@pytest.mark.parametrize("door", DOORS)
@settings(
    max_examples=int(os.environ.get("DOORS", "25")), deadline=None, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(content=CONTENTS)
@example(content=b"[" * 100_000)
@example(content=b'"\\ud800"')
@example(content=b'{"siblings": [{"rfilename": 1, "size": "large"}]}')
@example(content=b'{"siblings": [{"rfilename": "train.csv"}], "cardData": {"configs": [{"data_files": 5}, 1]}}')
@example(content=b'{"image_size": "large", "patch_size": 0, "hidden_size": [1], "num_hidden_layers": null}')
@example(content=b"../../outside")
def test_whatever_is_found_is_read_or_refused_in_one_line(door, content):
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", folder)
        patch.delenv("TWOPHASE_CACHE", raising=False)
        try:
            DOORS[door](Path(folder), content)
        except UserError as error:
            assert "\n" not in str(error)
