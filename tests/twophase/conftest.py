import pytest


class Epochs(list):
    """The model type of each epoch that is begun."""

    def __init__(self):
        self.last = None

    def interrupt(self, number):
        """As by Ctrl-C, at the beginning of the epoch that will be the ``number``-th from here; those after it go on."""
        self.last = len(self) + number


@pytest.fixture
def epochs(monkeypatch) -> Epochs:
    """Grows with each epoch that is begun, in this process."""
    from twophase.training import finetuning  # torch, for which the tests without models should not wait

    begun, honest = Epochs(), finetuning.FineTuning.epoch

    def epoch(self):
        begun.append(self.model.config.model_type)
        if len(begun) == begun.last:
            raise KeyboardInterrupt
        return honest(self)

    monkeypatch.setattr(finetuning.FineTuning, "epoch", epoch)
    return begun
