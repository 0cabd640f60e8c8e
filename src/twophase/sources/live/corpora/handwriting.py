"""Handwritten digits (UCI optical recognition, 1,797 pictures of 8 x 8) from scikit-learn."""

from dataclasses import dataclass

import numpy as np

from twophase.errors import UserError
from twophase.sources.live.corpora.pictures import SIDE, finish

SPLIT_SHARES = {"train": (0.0, 0.3), "validation": (0.3, 0.5), "test": (0.5, 1.0)}


@dataclass(frozen=True)
class Digits:
    """Which digit is it? Each split has its own share of the 1,797 pictures, in a fixed shuffled order."""

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple("0123456789")

    def sample(self, split: str, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """n digits (n, 16, 16, 3) uint8 and labels (n,).

        Raises:
            UserError: more pictures asked for than the split has.
        """
        from sklearn.datasets import load_digits

        data = load_digits()
        start, stop = (round(share * len(data.target)) for share in SPLIT_SHARES[split])
        if n > stop - start:
            raise UserError(
                f"task 'digits' has {stop - start} {split} pictures, {n} were asked for; lower tasks.sizes.{split}."
            )
        rows = np.random.default_rng(0).permutation(len(data.target))[start:stop]
        rows = rng.permutation(rows)[:n]
        pictures = np.kron(data.images[rows] / 16, np.ones((1, SIDE // 8, SIDE // 8)))
        return finish(np.repeat(pictures[..., None], 3, axis=-1), 0.0, rng), data.target[rows].astype(int)
