import os
import subprocess
import sys

import pytest
from threadpoolctl import threadpool_info

from twophase.proxies._proxy import proxy

SCORES = """
import numpy as np
from twophase.proxies import PROXIES
labels = np.arange(400) % 10
features = np.random.default_rng(0).normal(size=(400, 150)) + 0.2 * labels[:, None] % 3
print([PROXIES[name](features, labels).hex() for name in PROXIES if PROXIES[name].reads == "features"])
"""


def scores(threads):
    variables = {name: str(threads) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    command = [sys.executable, "-c", SCORES]
    return subprocess.run(command, env=os.environ | variables, check=True, capture_output=True, text=True).stdout


def test_scores_have_the_same_bits_whatever_the_number_of_threads():
    assert scores(1) == scores(4)


@pytest.mark.usefixtures("two_threads")
def test_the_limit_holds_inside_and_ends_outside():
    before = {library["filepath"]: library["num_threads"] for library in threadpool_info()}

    @proxy(label="A score", reads="features")
    def inside(add, *, times):
        """Described."""
        assert {library["num_threads"] for library in threadpool_info()} == {1}
        return add * times

    assert inside(2, times=3) == 6
    assert (inside.__name__, inside.__doc__) == ("inside", "Described.")
    assert (inside.label, inside.reads, inside.released) == ("A score", "features", False)
    after = {library["filepath"]: library["num_threads"] for library in threadpool_info()}
    assert {path: after[path] for path in before} == before
