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
from twophase.training.encoding import Encoded, alike, encode, unpadded
from twophase.training.finetuning import EVALUATION_BATCH, answer, encoded
from twophase.training.hardware import PLAIN, Hardware, halving
from twophase.training.loading import load_to_look_at
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
    model, layers, headed = load_to_look_at(model_folder, task.classes)
    loaded = time.perf_counter()
    seen: dict[int, list[tuple[torch.Tensor, torch.Tensor]]] = {}
    hooks = [
        m.register_forward_hook(lambda m, given, out: seen.setdefault(id(m), []).append((given[0].cpu(), out.cpu())))
        for m in layers
    ]
    model.to(device).eval()

    def logits(size: int) -> tuple[list[torch.Tensor], torch.Tensor | slice]:
        seen.clear()
        inputs = task.inputs[split]
        groups, back = alike(inputs, len(task.labels[split]), size)
        with torch.inference_mode(), hardware.autocast():
            given = ({k: v.to(device) for k, v in unpadded(inputs, rows).items()} for rows in groups)
            return [answer(model(**one)).cpu() for one in given], back

    (parts, back), _ = halving(EVALUATION_BATCH, logits, str(device))
    for hook in hooks:
        hook.remove()
    varied = (given for given in seen.values() if any((one != one[:1]).any() for one, _ in given))
    read = next(varied, next(iter(seen.values())))  # a new layer may read what is the same for all
    classes = parts[0].shape[1]
    return Extraction(
        features=torch.cat([_pooled(*both, given) for both, given in zip(read, parts, strict=True)])[back]
        .double()
        .numpy(),
        probabilities=torch.cat(parts)[back].double().softmax(1).numpy() if headed and classes > 1 else None,
        labels=task.labels[split].numpy(),
        loading=loaded - start,
        forward=time.perf_counter() - loaded,
    )


def _pooled(given: torch.Tensor, out: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    """What a layer read of each example, (N, D): where it read every token, of the one whose output is the model's answer.

    Where the answer is no token's, the mean of all.

    Args:
        given: (N, D) or (N, …, D), the layer's input.
        out: its output.
        logits: (N, C), the model's answer.
    """
    if given.ndim == 2:
        return given
    given, out = given.flatten(1, -2), out.flatten(1, -2)
    chosen = (out == logits[:, None]).all(-1) if out.shape[-1] == logits.shape[-1] else torch.zeros(out.shape[:2])
    share = torch.where(chosen.any(1, keepdim=True), chosen.cumsum(1).eq(1) & chosen.bool(), 1 / chosen.shape[1])
    return (given * share[..., None]).sum(1)


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
