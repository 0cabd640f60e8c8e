import pytest

from twophase.commands.select.fine_selecting import halving_epochs, halving_seconds, plan
from twophase.commands.select.settings import Budget
from twophase.errors import UserError


def test_halving_costs_what_the_paper_counts():
    assert halving_epochs(10, 5) == 19 and halving_epochs(40, 5) == 77
    assert halving_epochs(10, 4) == 18 and halving_epochs(30, 4) == 55


@pytest.mark.parametrize(
    ("budget", "top", "epochs", "said"),
    [
        (Budget(None, None), 10, 5, ""),
        (Budget(None, 24), 10, 5, ""),  # 5 spent, 19 left: just enough
        (Budget(None, 23), 9, 5, "The budget of 23 epochs allows 9 instead of 10 models."),
        (Budget(1, None), 10, 5, ""),  # 60 s, 20 spent, 2 s an epoch: 20 epochs
        (Budget(0.75, None), 6, 5, "The budget of 0.75 minutes allows 6 instead of 10 models."),
        (Budget(None, 8.5), 1, 3, "The budget of 8.5 epochs allows 1 instead of 10 models and 3 instead of 5 epochs."),
        (Budget(1, 12), 3, 5, "The budget of 1 minutes and 12 epochs allows 3 instead of 10 models."),
    ],
)
def test_the_most_models_that_fit(budget, top, epochs, said):
    found = plan(10, 5, budget, spent_epochs=5, spent_seconds=20, epoch_seconds=2)
    assert (found.top, found.epochs, found.said) == (top, epochs, said)
    assert halving_seconds(found.top, found.epochs, 2) == 2 * halving_epochs(top, epochs)


def test_nothing_fits():
    with pytest.raises(UserError, match=r"the budget \(5 epochs\) is spent by recall \(5 epochs, 20 s\)"):
        plan(10, 5, Budget(None, 5), 5, 20, 2)


def test_models_that_train_at_the_same_time_fit_more_into_the_minutes():
    alone = plan(10, 5, Budget(1, None), 0, 20, 4)
    together = plan(10, 5, Budget(1, None), 0, 20, 4, workers=2)
    assert (alone.top, halving_seconds(alone.top, alone.epochs, 4)) == (5, 4 * (5 + 2 + 1 + 1 + 1))
    assert (together.top, halving_seconds(together.top, together.epochs, 4, 2)) == (9, 4 * (5 + 2 + 1 + 1 + 1))
