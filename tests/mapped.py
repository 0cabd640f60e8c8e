"""What the tests of the parallel map compute: importable by name, since workers are other interpreters."""

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

from twophase.infra.compute import chosen


def square(number):
    time.sleep(0.05 * (number % 3))
    return number * number


def odd_fails(number):
    if number % 2:
        raise ValueError(f"{number} is odd\nand more")
    return number


class Panic(BaseException):
    """What a library in Rust raises in panic: no `Exception`."""


def panics(_):
    raise Panic("no entry found for key")


def interrupts(_):
    raise KeyboardInterrupt


def product(seed):
    """Sums whose last bit depends on how many threads share the work."""
    random = np.random.default_rng(seed)
    left, right = random.normal(size=(2, 400, 400)).astype(np.float32)
    return (left @ right).sum().item(), float(np.linalg.svd(left[:60, :60])[1].sum())


def threads(_):
    import torch
    from threadpoolctl import threadpool_info

    return torch.get_num_threads(), max(pool["num_threads"] for pool in threadpool_info())


def killed_once(item):
    number, folder = item
    mark = Path(folder) / str(number)
    if number == 2 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number * 10


def always_killed(number):
    if number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.1)
    return number


HELD = []  # what a worker keeps from one item to the next


def grown(megabytes):
    HELD.append(np.ones(megabytes * 2**17))
    time.sleep(1.2)  # loky looks at a worker's memory once a second
    return os.getpid()


def surroundings(_):
    return *threads(_), os.getcwd(), os.environ.get("TWOPHASE_SAID"), chosen().engine


def hears_ctrl_c():
    """For `preexec_fn`: what a shell runs in the background ignores Ctrl-C, and hands that down to its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def loaded(module):
    return module in sys.modules


def unpicklable(_):
    return lambda: None


def slow(folder):
    """Says that it has begun, and goes on for a minute."""
    (Path(folder) / str(os.getpid())).touch()
    time.sleep(60)


def device(seconds):
    """When it ran, in which process, and what it may see of the machine's GPUs."""
    begun = time.time()
    time.sleep(seconds)
    return begun, time.time(), os.getpid(), os.environ.get("CUDA_VISIBLE_DEVICES")
