"""Precisions, batches in parts, memory that does not suffice, states that go from one device to another."""

import math
from types import SimpleNamespace

import pytest
import small_zoo
import torch

from twophase.errors import UserError
from twophase.training import features as inference
from twophase.training import finetuning, hardware, stored, tasks
from twophase.training.encoding import Encoded
from twophase.training.hardware import PLAIN, Hardware
from twophase.training.resumable import Checkpoints
from twophase.training.stored import CellFailed, cell_key, train_one

CONFIG = finetuning.TrainingConfig(epochs=3, learning_rate=3e-2, batch_size=16)
SIZES = {"train": 48, "validation": 32, "test": 32}


class Net(torch.nn.Module):
    """Dropout and batch normalisation: what a batch that begins anew must not feel."""

    def __init__(self, dropout=0.0, norm=False):
        super().__init__()
        torch.manual_seed(0)
        norms = [torch.nn.BatchNorm1d(12)] if norm else []
        self.layers = torch.nn.Sequential(torch.nn.Linear(8, 12), *norms, torch.nn.ReLU(), torch.nn.Dropout(dropout))
        self.classifier = torch.nn.Linear(12, 3)
        self.calls, self.dtypes = 0, set()

    def forward(self, x):
        out = self.classifier(self.layers(x))
        self.dtypes.add(out.dtype)
        self.calls += self.training
        return SimpleNamespace(logits=out)


class Short(Net):
    """Runs out of memory: with more than `most` examples, and once in the middle of a batch."""

    def __init__(self, most, **options):
        super().__init__(**options)
        self.most, self.failed = most, 0

    def forward(self, x):
        found = super().forward(x)
        once = self.training and self.calls == 6 and self.failed < 3
        if len(x) > self.most or once:
            self.failed += self.training or self.most > 10
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return found


@pytest.fixture(scope="module")
def task():
    """Three classes, apart in eight dimensions."""
    generator = torch.Generator().manual_seed(1)
    centres = torch.randn(3, 8, generator=generator)
    inputs, labels = {}, {}
    for split, count in {"train": 150, "validation": 60, "test": 60}.items():
        labels[split] = torch.randint(0, 3, (count,), generator=generator)
        noise = torch.randn(count, 8, generator=generator) / 2
        inputs[split] = {"x": centres[labels[split]] + noise}
    return Encoded(inputs, labels, ("a", "b", "c"))


def trained(model, task, chosen=PLAIN, epochs=1):
    run = finetuning.FineTuning(model, task, CONFIG, hardware=chosen)
    scores = [run.epoch() for _ in range(epochs)]
    return run, scores


def same(one, other):
    pairs = zip(one.model.state_dict().values(), other.model.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize(("precision", "dtype"), [("bfloat16", torch.bfloat16), ("float16", torch.float16)])
def test_mixed_precision_computes_in_it_and_learns(task, precision, dtype):
    run, scores = trained(Net(), task, Hardware(precision=precision), epochs=3)
    assert run.model.dtypes == {dtype} and {p.dtype for p in run.model.parameters()} == {torch.float32}
    assert scores[-1] > 0.8 and run.predict("test").dtype.name == "float32"
    whole, plain = trained(Net(), task, epochs=3)
    assert abs(plain[-1] - scores[-1]) < 0.1 and not same(run, whole)


def test_float16_states_hold_the_scale_and_go_on_bit_for_bit(task):
    whole, scores = trained(Net(0.2), task, Hardware(precision="float16"), epochs=3)
    part, _ = trained(Net(0.2), task, Hardware(precision="float16"))
    back = finetuning.FineTuning(Net(0.2), task, CONFIG, hardware=Hardware(precision="float16")).restore(part.state())
    assert [back.epoch(), back.epoch()] == scores[1:] and same(back, whole)


@pytest.mark.parametrize("size", [1, 5, 16])
def test_parts_of_a_batch_sum_up_to_its_update(task, size):
    whole, _ = trained(Net(), task)
    parts, _ = trained(Net(), task, Hardware(micro_batch=size))
    assert parts.model.calls == sum(math.ceil(rows / size) for rows in [16] * 9 + [6])
    pairs = zip(parts.model.parameters(), whole.model.parameters(), strict=True)
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in pairs)


def test_parts_weigh_as_many_examples_as_they_have():
    """Two parts of 3 and 1 by hand: the gradient of a mean is 1 / 4 for each example."""
    model = torch.nn.Linear(1, 1, bias=False)
    x = torch.tensor([[1.0], [2.0], [3.0], [10.0]])
    loss, size = hardware.summed_gradients(lambda rows: model(x[rows]).mean(), torch.arange(4), 3, model, None)
    assert size == 3 and model.weight.grad.item() == pytest.approx(4.0)
    assert loss.item() == pytest.approx(4 * model.weight.item())


def test_out_of_memory_halves_the_parts_and_leaves_no_trace(task, caplog):
    options = {"dropout": 0.3, "norm": True}
    run, _ = trained(Short(5, **options), task, Hardware(micro_batch=16))
    assert run.model.failed == 3 and run.micro_batch == 2  # 16 and 8 are too many; then once at 4
    assert "8 examples at a time" in caplog.text
    small, _ = trained(Net(**options), task, Hardware(micro_batch=2))
    assert same(run, small)


def test_memory_that_does_not_suffice_for_one_example_is_the_models_failure(task):
    with pytest.raises(UserError, match=r"memory of cpu does not suffice for one example .*gpus_per_task"):
        trained(Short(0), task, Hardware(micro_batch=4))


def test_evaluation_halves_too(task):
    run, _ = trained(Net(), task)
    whole = run.predict("test")
    run.model.__class__, run.model.most, run.model.failed = Short, 20, 0
    assert (abs(run.predict("test") - whole) < 1e-6).all() and run.model.failed == 4  # 256, 128, 64, 32; then 16


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"device": "gpu"}, "hardware.device is 'gpu'; allowed: auto, cpu"),
        ({"precision": "float8"}, "unknown hardware.precision 'float8'"),
        ({"micro_batch": 0}, "hardware.micro_batch: got 0"),
    ],
)
def test_what_there_is_not_is_refused(given, said):
    with pytest.raises(UserError, match=said):
        Hardware(**given)


def test_a_device_that_is_not_here_is_named(task, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(UserError, match=r"'cuda:1', and this process sees 1 GPU"):
        finetuning.FineTuning(Net(), task, CONFIG, hardware=Hardware("cuda:1"))


def test_keys_of_default_cells_are_as_they_always_were(monkeypatch):
    key = cell_key("m", "d", CONFIG, 3)
    assert sorted(key) == ["config", "data", "model", "numpy", "seed", "torch", "training", "transformers"]
    assert sorted(key["config"]) == ["batch_size", "epochs", "learning_rate", "warmup", "weight_decay"]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert cell_key("m", "d", CONFIG, 3, Hardware("auto")) == key
    assert cell_key("m", "d", CONFIG, 3, Hardware(micro_batch=4)) == key  # equal up to rounding
    assert cell_key("m", "d", CONFIG, 3, Hardware(precision="bfloat16"))["hardware"] == {"precision": "bfloat16"}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for device in ("auto", "cuda", "cuda:3"):  # a GPU adds in another order
        assert cell_key("m", "d", CONFIG, 3, Hardware(device))["hardware"] == {"device": "cuda"}


def test_checkpoints_of_another_precision_are_another_runs(tmp_path):
    Checkpoints(tmp_path / "a", {"seed": 0})
    Checkpoints(tmp_path / "b", {"seed": 0} | Hardware(precision="bfloat16").key())
    for folder, chosen in (("a", Hardware(precision="bfloat16")), ("b", PLAIN)):
        with pytest.raises(UserError, match=r"another run's checkpoints \(hardware differ\)"):
            Checkpoints(tmp_path / folder, {"seed": 0} | chosen.key())


def test_a_checkpoint_of_a_gpu_opens_without_one(task, tmp_path, monkeypatch):
    run, _ = trained(Net(), task)
    kept = Checkpoints(tmp_path, {})
    with monkeypatch.context() as patch:
        patch.setattr(torch.serialization, "location_tag", lambda storage: "cuda:0")
        kept.write("m", {"source": "s", "val": [], "accuracy": [], "seconds": [], "state": run.state()})
    with pytest.raises(RuntimeError, match=r"torch\.cuda\.is_available\(\) is False"):
        torch.load(next(tmp_path.glob("*.pt")), weights_only=True)
    back = finetuning.FineTuning(Net(), task, CONFIG).restore(kept.read("m", "s")["state"])
    assert same(back, run) and back.epoch() == run.epoch() and same(back, run)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("hardware")
    small_zoo.draw(root, ("photographs", "degradation"), SIZES)
    small_zoo.build(root, ["vit"], root)
    return root


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("TWOPHASE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TWOPHASE_WORKERS", "1")


def scores(rows):
    return [(row["epoch"], row["val"], row["test"]) for row in rows]


def test_a_cell_that_was_stopped_goes_on_after_its_last_epoch(folders, tmp_path, epochs, store):
    model, data, kept = folders / "vit", folders / "degradation", tmp_path / "kept"
    epochs.interrupt(3)
    with pytest.raises(KeyboardInterrupt):
        train_one((model, data, CONFIG, 0, PLAIN, kept))
    found = train_one((model, data, CONFIG, 0, PLAIN, kept))
    assert len(epochs) == 4 and list(kept.glob("*.pt"))
    assert scores(found) == scores(finetuning.train_cell(model, data, CONFIG, 0))
    rows, failures = stored.train_folders(
        {"m": model}, {"d": data}, {"d": "benchmark"}, [("m", "d", 0)], CONFIG, "x", checkpoints=tmp_path / "states"
    )
    assert not failures and scores(rows.replace({float("nan"): None}).to_dict("records")) == scores(found)
    assert not list((tmp_path / "states").rglob("*.pt")), "a cell that is kept needs no state"


def test_a_checkpointed_cell_that_fails_says_why(folders, tmp_path):
    with pytest.raises(CellFailed, match=r"model\.safetensors|cannot be loaded"):
        (tmp_path / "broken").mkdir()
        for name in ("config.json", "preprocessor_config.json"):
            (tmp_path / "broken" / name).write_bytes((folders / "vit" / name).read_bytes())
        train_one((tmp_path / "broken", folders / "degradation", CONFIG, 0, PLAIN, tmp_path / "kept"))


def test_another_precision_is_another_cell_and_says_its_parts(folders, store):
    cell = [{"m": folders / "vit"}, {"d": folders / "degradation"}, {"d": "benchmark"}, [("m", "d", 0)], CONFIG, "x"]
    plain, _ = stored.train_folders(*cell)
    mixed, _ = stored.train_folders(*cell, hardware=Hardware(precision="bfloat16"))
    assert "micro_batch" not in plain and mixed["micro_batch"].dropna().tolist() == [16]
    assert mixed["seconds"].tolist() != plain["seconds"].tolist()


def test_features_in_another_precision_are_near(folders):
    task = tasks.load(folders / "degradation")
    plain = inference.extract(folders / "vit", task)
    mixed = inference.extract(folders / "vit", task, hardware=Hardware(precision="bfloat16"))
    gap = abs(plain.features - mixed.features).max()
    assert 0 < gap < 0.1 * abs(plain.features).max() and mixed.features.dtype == plain.features.dtype
