"""What a matrix will cost, before anything starts: arithmetic on sizes, with every input in ``conf/matrix.yaml``."""

import math
from dataclasses import dataclass

from twophase.commands.matrix.data import Data
from twophase.commands.matrix.models import Model
from twophase.commands.matrix.settings import Estimate
from twophase.training.config import TrainingConfig
from twophase.training.hardware import Hardware

FORWARD, TRAINING = (
    2,
    6,
)  # floating-point operations a parameter and token: a pass, and a pass with its gradients (Kaplan et al., 2020, Section 2.1)
STATE = 12  # bytes a parameter of a checkpoint: the weight and AdamW's two moments, in float32


@dataclass(frozen=True)
class Cost:
    """What one cell costs.

    Attributes:
        operations: floating-point.
        training: seconds of one device for all epochs, as a cell measures them.
        seconds: the same with loading and encoding.
    """

    operations: float
    training: float
    seconds: float


def cell_cost(model: Model, data: Data, training: TrainingConfig, hardware: Hardware, given: Estimate) -> Cost:
    """Training and validation of every epoch, and the test at the end."""
    tokens = model.tokens or data.tokens
    evaluated = data.rows["validation"] * training.epochs + data.rows["test"]
    each = model.computing * tokens
    operations = TRAINING * each * data.rows["train"] * training.epochs + FORWARD * each * evaluated
    steps = math.ceil(data.rows["train"] / training.batch_size) * training.epochs
    device = kind(hardware)
    training_ = operations / rate(hardware, given) + steps * given.seconds_per_step[device]
    return Cost(operations, training_, training_ + given.seconds_per_cell[device])


def rate(hardware: Hardware, given: Estimate) -> float:
    """Floating-point operations that are expected of a device in a second."""
    peak = given.peak_flops[kind(hardware)][hardware.precision]
    return float(peak) * given.utilisation


def kind(hardware: Hardware) -> str:
    """ "cuda" or "cpu"."""
    return hardware.resolved().device.split(":")[0]


def wall_clock(seconds: list[float], devices: int) -> float:
    """Seconds until all cells are done: the devices share them, and none is split."""
    return max(sum(seconds) / devices, max(seconds, default=0.0))
