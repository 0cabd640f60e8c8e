"""Look at who could win, follow the leader, doubt it: the rules that turn a belief (`belief.py`) into what is done next.

    look      score the model of largest expected improvement over the leader per cost, while that exceeds the price
    follow    train the model of the largest expected final less price x remaining epochs, a stage at a time, until one is done
    doubt     train the model of largest expected improvement over the best finished per remaining epoch, while that does

The price is the accuracy that one more epoch must promise to be spent.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from twophase.belief import Belief
from twophase.errors import UserError
from twophase.runs.base import Runs

Look = Callable[
    [str], np.ndarray | None
]  # model -> its proxy scores (P,), NaN where not defined; None if it cannot be had


class Step(NamedTuple):
    """What was done, what was seen, and what is believed since."""

    action: str  # "look", "follow" or "doubt"
    model: str
    stage: int  # of training, from 1; 0: a look
    val: float  # NaN after a look or a failure
    promised: (
        float  # why this model: of a look, its expected improvement over the leader; of training, its expected final
    )
    expected: float  # its final test as expected now
    deviation: float  # standard deviation of that
    leader: str  # who is expected to be the best now
    chance: float  # the probability that it is


class Leader:
    """A selection under way.

    Args:
        belief: about the target; what is seen goes into it.
        models: names, in the order of the belief's tables.
        price: accuracy an epoch must promise to be worth it.
        tell: called with each step as it is done.

    Attributes:
        steps: all that was done.
        out: of each model, whether it could not be scored or trained.
    """

    def __init__(
        self, belief: Belief, models: Sequence[str], price: float, tell: Callable[[Step], None] = lambda step: None
    ):
        if len(models) != belief.models or not price >= 0:
            raise UserError(
                f"got {len(models)} models, a belief about {belief.models}, and the price {price}; allowed are as many models "
                "as the belief is about, and a price of at least 0 (0.001: an epoch must promise a tenth of a point)."
            )
        self.belief, self.models, self.price, self.steps = belief, list(models), price, []
        self.out, self._tell = np.zeros(len(models), dtype=bool), tell

    def ranked(self) -> list[str]:
        """The models that are not out, by expected final, best first."""
        order = np.argsort(-self.belief.finals, kind="stable")
        return [self.models[i] for i in order if not self.out[i]]

    def look(self, scores: Look, costs: np.ndarray) -> None:
        """Score models while a look promises more than its price; the leader itself is always scored.

        Args:
            scores: asked for one model at a time.
            costs: (M,) of a look, in epochs.

        Raises:
            UserError: not one model can be scored.
        """
        closed = np.zeros(len(self.models), dtype=bool)
        while not closed.all():
            i = self._first(self.belief.finals)
            gain = self.belief.improvement(i)
            if closed[i]:
                worth = np.where(closed, -np.inf, gain / np.maximum(costs, 1e-9))
                if worth.max() <= self.price:
                    return
                i = int(worth.argmax())
            found = scores(self.models[i])
            closed[i], self.out[i] = True, found is None
            if found is not None:
                self.belief.see_proxies(i, found)
            self._step("look", i, 0, np.nan, gain[i])

    def follow(self, runs: Runs) -> str:
        """Train until one model is finished, then on while another promises more than its price; the best finished one.

        Raises:
            UserError: every model failed.
        """
        done = np.zeros(len(self.models), dtype=int)
        stages = np.ones(runs.epochs) if runs.costs is None else np.asarray(runs.costs, dtype=float)
        left = np.append(stages[::-1].cumsum()[::-1], 0.0)  # epochs from each stage to the end
        while True:
            finals, finished = self.belief.finals, (done == runs.epochs) & ~self.out
            if finished.any():
                best = int(np.where(finished, finals, -np.inf).argmax())
                open_ = ~finished & ~self.out
                gain = self.belief.improvement(best)
                worth = np.where(open_, gain / np.maximum(left[done], 1e-9), -np.inf)
                if worth.max() <= self.price:
                    return self.models[best]
                action, i = "doubt", int(worth.argmax())
                promised = gain[i]
            else:
                action, i = "follow", self._first(finals - self.price * left[done])
                promised = finals[i]
            val = float(runs.advance([self.models[i]])[self.models[i]])
            done[i], self.out[i] = done[i] + 1, np.isnan(val)
            if not self.out[i]:
                self.belief.see_validation(i, int(done[i]), val)
            self._step(action, i, int(done[i]), val, promised)

    def chances(self) -> np.ndarray:
        """Probability of each model to have the best final test (M,); 0 for those that are out."""
        return self.belief.chances(~self.out)

    def _first(self, values: np.ndarray) -> int:
        return int(np.where(self.out, -np.inf, values).argmax())

    def _step(self, action: str, i: int, stage: int, val: float, promised: float) -> None:
        if self.out.all():
            raise UserError(f"every model failed, the last one {self.models[i]}. Mend the models or the task.")
        finals, first = self.belief.finals, self._first(self.belief.finals)
        now = float(finals[i]), float(self.belief.spread[i, i] ** 0.5), self.models[first], float(self.chances()[first])
        self.steps.append(Step(action, self.models[i], stage, val, float(promised), *now))
        self._tell(self.steps[-1])
