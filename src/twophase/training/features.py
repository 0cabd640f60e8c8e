"""What a pre-trained model already knows of a task: source-label probabilities and features, in one pass."""

import inspect
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from datasets import DatasetDict

from twophase import proxies as proxies_package
from twophase.infra.files import digest_each
from twophase.proxies import PROXIES, RELEASED
from twophase.training.encoding import Encoded, encode
from twophase.training.finetuning import EVALUATION_BATCH, encoded
from twophase.training.hardware import PLAIN, Hardware, batches, halving
from twophase.training.loading import has_source_head, load_classifier, load_with_new_layers
from twophase.training.stored import libraries


@dataclass(frozen=True)
class Extraction:
    """What `extract` returns.

    Attributes:
        features: (N, D) float64, the input of the classification head.
        probabilities: (N, Z) over the model's own source labels; None without a source head.
        labels: (N,) of the task.
        loading, forward: wall-clock of reading the model, and of its pass.
    """

    features: np.ndarray
    probabilities: np.ndarray | None
    labels: np.ndarray
    loading: float
    forward: float


def extract(
    model_folder: str | Path, task: DatasetDict | Encoded, split: str = "train", hardware: Hardware = PLAIN
) -> Extraction:
    """One pass of a pre-trained model, untouched, over a split of a task.

    Raises:
        UserError: the model or its processor cannot be loaded, or the hardware is not here.
    """
    start, hardware = time.perf_counter(), hardware.resolved()
    device = hardware.open()
    task = task if isinstance(task, Encoded) else encode(task, model_folder)
    headed = has_source_head(model_folder)
    # the last layer of a published head reads the features; without one, the first layer that is not published
    if headed:
        model = load_classifier(model_folder, frozen=True)
        layers = [m for m in model.classifier.modules() if isinstance(m, torch.nn.Linear)][-1:]
    else:
        model, layers = load_with_new_layers(model_folder, task.classes)
    loaded = time.perf_counter()
    seen: dict[int, list[torch.Tensor]] = {}
    hooks = [
        m.register_forward_pre_hook(lambda m, given: seen.setdefault(id(m), []).append(given[0].cpu())) for m in layers
    ]
    model.to(device).eval()

    def logits(size: int) -> list[torch.Tensor]:
        seen.clear()
        with torch.inference_mode(), hardware.autocast():
            return [
                model(**{k: v[rows].to(device) for k, v in task.inputs[split].items()}).logits.cpu()
                for rows in batches(len(task.labels[split]), size)
            ]

    parts, _ = halving(EVALUATION_BATCH, logits, str(device))
    for hook in hooks:
        hook.remove()
    return Extraction(
        features=torch.cat(next(iter(seen.values()))).flatten(1).double().numpy(),
        probabilities=torch.cat(parts).double().softmax(1).numpy() if headed else None,
        labels=task.labels[split].numpy(),
        loading=loaded - start,
        forward=time.perf_counter() - loaded,
    )


def balanced(labels: np.ndarray, examples: int, seed: int = 0) -> np.ndarray:
    """Rows (at most `examples`, rising) with as many of each class as there are, the classes taking turns; seeded.

    Args:
        labels: (N,) of the classes.
        examples: how many rows.
        seed: of the order within each class.
    """
    mixed = np.random.default_rng(seed).permutation(len(labels))
    turn = np.empty(len(labels), dtype=int)  # how many of its class come before a row
    for label in np.unique(labels):
        own = mixed[labels[mixed] == label]
        turn[own] = np.arange(len(own))
    return np.sort(mixed[np.argsort(turn[mixed], kind="stable")][:examples])


def score_cell(
    model_folder: str | Path,
    task_folder: str | Path,
    proxies: list[str],
    hardware: Hardware = PLAIN,
    examples: int | None = None,
) -> list[dict]:
    """Proxy scores of one model on one task's training split, all from one pass.

    Args:
        examples: so many of the split are looked at (`balanced`); None: all.

    Returns:
        A dict a proxy: proxy, score, seconds (as it would cost alone) and what they are made of: loading, forward, scoring.
        A proxy that needs source labels is absent for a model without a source head.

    Raises:
        UserError: the model or the task cannot be loaded.
    """
    task = encoded(task_folder, model_folder, ("train",))
    if examples is not None:
        kept = torch.from_numpy(balanced(task.labels["train"].numpy(), examples))
        inputs = {name: values[kept] for name, values in task.inputs["train"].items()}
        task = replace(task, inputs={"train": inputs}, labels={"train": task.labels["train"][kept]})
    seen = extract(model_folder, task, hardware=hardware)
    rows = []
    for name in proxies:
        proxy = (PROXIES | RELEASED)[name]
        given = getattr(seen, proxy.reads)
        if given is None:
            continue
        start = time.perf_counter()
        score, scoring = float(proxy(given, seen.labels)), time.perf_counter() - start
        parts = {"loading": seen.loading, "forward": seen.forward, "scoring": scoring}
        rows.append({"proxy": name, "score": score, "seconds": sum(parts.values()), **parts})
    return rows


def score_key(
    model: str, data: str, proxies: list[str], hardware: Hardware = PLAIN, examples: int | None = None
) -> dict:
    """Key of the proxy scores of a model on a dataset: digests of both, and the code and libraries that compute them."""
    computed = {name: (PROXIES | RELEASED)[name] for name in proxies}
    own = {Path(inspect.getsourcefile(inspect.unwrap(function))) for function in computed.values()}
    code = digest_each(Path(__file__), *sorted({*Path(proxies_package.__file__).parent.glob("*.py"), *own}))
    facts = {"model": model, "data": data, "proxies": proxies, "code": code}
    facts |= {} if examples is None else {"examples": examples}
    return facts | libraries("scikit-learn", "scipy") | hardware.key()


def score_one(item: tuple) -> list[dict]:
    return score_cell(*item)
