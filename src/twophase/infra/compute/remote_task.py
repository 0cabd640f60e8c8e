"""A task on a worker of a cluster, as it would be computed here: same folder, same variables, one thread, nothing beside it.

What travels are bytes, so that an item or a result that cannot be pickled fails alone, whatever the cluster's own pickling.
"""

import contextlib
import os
import pickle
import threading
from collections.abc import Callable, Iterator
from typing import Any

from twophase.infra.compute.engines import Engine, using
from twophase.infra.compute.failure import Failure, guarded
from twophase.infra.compute.threads import single_thread

VARIABLES = ("TWOPHASE_", "TRANSFORMERS_", "HF_HUB_", "HF_DATASETS_")  # how they begin; an access token is none of them
_ALONE = threading.Lock()


def pack(function: Callable[[Any], Any], item: Any) -> bytes:
    """A task for :func:`run`; raises what pickling raises."""
    import cloudpickle

    variables = {name: value for name, value in os.environ.items() if name.startswith(VARIABLES)}
    # a pickle in a pickle: the inner one is read after the variables are set, since libraries look at them when imported
    return pickle.dumps((os.getcwd(), variables, cloudpickle.dumps((function, item))))


def run(packed: bytes) -> bytes | Failure:
    """Compute a packed task in this process, a worker's, and pack its result.

    Libraries' random states, threads and variables belong to the process: where a worker has several threads, its tasks
    wait for each other.
    """
    folder, variables, task = pickle.loads(packed)
    with _ALONE, _placed(folder, variables), single_thread(), using(Engine("serial")):
        return guarded(_computed, task)


def unpack(result: bytes | Failure) -> Any:
    """What :func:`run` has packed."""
    return result if isinstance(result, Failure) else pickle.loads(result)


def _computed(task: bytes) -> bytes:
    import cloudpickle

    function, item = pickle.loads(task)
    return cloudpickle.dumps(function(item))


@contextlib.contextmanager
def _placed(folder: str, variables: dict[str, str]) -> Iterator[None]:
    """In a folder, if this machine has it, and with variables; as before afterwards, since a worker may serve others."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        with contextlib.chdir(folder) if os.path.isdir(folder) else contextlib.nullcontext():
            yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})
