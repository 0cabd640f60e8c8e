"""Where a model computes and in which precision, and a batch in parts where its memory is short.

The default (the processor, float32, whole batches) is what every kept cell was made with: nothing of it is in their keys.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from twophase.errors import UserError
from twophase.infra.schema import AtLeastOne, OneOf, settings

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from twophase.infra.compute import Engine

PRECISIONS = ("float32", "bfloat16", "float16")
log = logging.getLogger(__name__)


@settings("hardware")
class Hardware:
    """Where and how a model computes.

    Attributes:
        device: "cpu", "cuda", "cuda:1", or "auto": "cuda" where there is one, else "cpu".
        precision: "float32"; or "bfloat16" or "float16": mixed, by torch's autocast (float16 with scaled gradients).
        micro_batch: examples in memory at once while training; gradients are summed up to the configured batch. None: the
            whole batch. Where memory is short it is halved. Sums are equal up to rounding; dropout draws other masks, and
            batch normalisation sees the parts.

    Raises:
        UserError: something that there is not.
    """

    device: str = "cpu"
    precision: OneOf(PRECISIONS) = "float32"
    micro_batch: AtLeastOne | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", self.device):
            raise UserError(f"hardware.device is {self.device!r}; allowed: auto, cpu, cuda, cuda:0, cuda:1, …")

    @property
    def plain(self) -> bool:
        """Whether this is the default: float32 on the processor, whole batches."""
        return self == PLAIN

    def resolved(self) -> Hardware:
        """The same with "auto" decided by what this machine has."""
        if self.device != "auto":
            return self
        import torch

        return Hardware("cuda" if torch.cuda.is_available() else "cpu", self.precision, self.micro_batch)

    @property
    def _kind(self) -> str:
        """ "cpu" or "cuda"."""
        return self.resolved().device.partition(":")[0]

    def key(self) -> dict[str, Any]:
        """What of it changes results beyond rounding order, for the key of a kept value: {} for the default."""
        facts = {"device": self._kind, "precision": self.precision}
        changed = {name: value for name, value in facts.items() if value != getattr(PLAIN, name)}
        return {"hardware": changed} if changed else {}

    def open(self) -> torch.device:
        """The device. Raises UserError if this machine lacks it, or it lacks the precision."""
        import torch

        device = torch.device(self.resolved().device)
        if device.type == "cuda":
            count = torch.cuda.device_count()
            if (device.index or 0) >= count:
                raise UserError(
                    f"hardware.device is {self.device!r}, and this process sees {count} GPU(s); give another, cpu or auto "
                    "(on a cluster: compute.gpus_per_task above 0)."
                )
            if self.precision == "bfloat16" and not torch.cuda.is_bf16_supported(including_emulation=False):
                raise UserError(
                    f"{torch.cuda.get_device_name(device)} has no bfloat16; give hardware.precision=float16 or float32."
                )
        return device

    def autocast(self) -> contextlib.AbstractContextManager:
        """The context in which a model computes in this precision."""
        if self.precision == "float32":
            return contextlib.nullcontext()
        import torch

        return torch.autocast(self._kind, getattr(torch, self.precision))

    def scaler(self) -> torch.amp.GradScaler | None:
        """What keeps float16's small gradients from vanishing; None in other precisions."""
        if self.precision != "float16":
            return None
        import torch

        return torch.amp.GradScaler(self._kind)


PLAIN = Hardware()


def one_a_gpu(engine: Engine, hardware: Hardware) -> Engine:
    """The engine with one process on this machine's GPU where nothing else is said: one a core would fill its memory."""
    told = engine.workers is not None or os.environ.get("TWOPHASE_WORKERS")
    if engine.engine == "local" and hardware.resolved().device != "cpu" and not told:
        return replace(engine, workers=1)
    return engine


def halving(size: int, compute: Callable[[int], Any], where: str) -> tuple[Any, int]:
    """`compute(size)`, with half the size as often as the memory does not suffice; and the size that did.

    Raises:
        UserError: it does not suffice for one example either.
    """
    import torch

    while True:
        try:
            return compute(size), size
        except torch.OutOfMemoryError as error:
            if size == 1:
                raise UserError(
                    f"the memory of {where} does not suffice for one example at a time ({str(error).splitlines()[0]}); "
                    "leave this model out, or give it a larger share of a GPU (compute.gpus_per_task)."
                ) from error
        size = (size + 1) // 2  # outside the handler, which holds on to the memory of what failed
        log.warning("the memory of %s does not suffice: %d examples at a time from now on", where, size)


def summed_gradients(
    loss: Callable[[Tensor], Tensor], rows: Tensor, size: int, model: nn.Module, scaler: torch.amp.GradScaler | None
) -> tuple[Tensor, int]:
    """Gradients of the mean loss over `rows`, at most `size` of them in memory at once; the mean loss, and that size.

    Out of memory, it begins the batch anew in smaller parts: gradients, generators and running statistics as they were.
    """
    where = str(next(model.parameters()).device)
    restore = _restorer(model)

    def compute(size: int) -> Tensor:
        restore()
        total: Any = 0.0
        for part in rows.split(size):
            mean, share = loss(part), len(part) / len(rows)
            (scaler.scale(mean * share) if scaler else mean * share).backward()
            total = total + mean.detach() * share
        return total

    return halving(size, compute, where)


def _restorer(model: nn.Module) -> Callable[[], None]:
    import torch

    buffers = [(buffer, buffer.clone()) for buffer in model.buffers()]
    device = next(model.parameters()).device
    generators = torch.get_rng_state(), torch.cuda.get_rng_state(device) if device.type == "cuda" else None

    def restore() -> None:
        model.zero_grad(set_to_none=True)
        with torch.no_grad():
            for buffer, before in buffers:
                buffer.copy_(before)
        torch.set_rng_state(generators[0])
        if generators[1] is not None:
            torch.cuda.set_rng_state(generators[1], device)

    return restore


def batches(count: int, size: int) -> Iterator[slice]:
    """Slices of at most `size` rows."""
    for start in range(0, count, size):
        yield slice(start, start + size)
