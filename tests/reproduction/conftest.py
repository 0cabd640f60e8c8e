"""What the tests of the experiments share: the evidence of the committed results."""

from pathlib import Path

import pytest

from reproduction import evidence

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module", params=["cv", "nlp"])
def each(request):
    """The evidence of each domain, read from the root of the repository."""
    before = pytest.MonkeyPatch()
    before.chdir(ROOT)
    yield evidence.load(request.param)
    before.undo()
