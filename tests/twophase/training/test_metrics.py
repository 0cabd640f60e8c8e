import subprocess
import sys

import numpy as np
import pytest

from twophase.errors import UserError
from twophase.training.config import METRICS, check_metric, scorer

LABELS, SAID = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 1, 0, 2])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("accuracy", 4 / 6),
        ("balanced_accuracy", (2 / 3 + 1 / 2 + 1) / 3),
        ("macro_f1", (2 / 3 + 1 / 2 + 1) / 3),  # per class: precision and recall 2/3; 1/2; 1
        ("weighted_f1", (3 * 2 / 3 + 2 * 1 / 2 + 1) / 6),
        ("matthews", (6 * 4 - 14) / (36 - 14)),  # sum of squared counts is 14 for labels and answers
    ],
)
def test_by_hand_and_offline(name, value, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert scorer(name)(LABELS, SAID) == pytest.approx(value)
    assert name in METRICS


def test_a_program_from_a_hub_is_not_executed_unasked():
    with pytest.raises(UserError, match="is a program from a hub; give trust_remote_code=true"):
        scorer("someone/metric")
    with pytest.raises(UserError, match="unknown metric 'acuracy' .did you mean accuracy"):
        scorer("acuracy")


def test_what_is_known_is_checked_without_the_library():
    """Its import takes seconds, which a wrong argument need not wait for."""
    code = "import sys; from twophase.training.config import check_metric; check_metric('macro_f1'); sys.exit('evaluate' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    with pytest.raises(UserError, match="did you mean accuracy"):
        check_metric("acuracy")
    with pytest.raises(UserError, match="is a program from a hub"):
        check_metric("someone/metric")
