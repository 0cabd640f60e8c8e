"""Parts *agreement* and *likeness*: sampled clusters beside exact ones, simulated matrices beside published ones."""

from collections.abc import Mapping

import pandas as pd

from twophase.infra import config
from twophase.sources.live import parameters


def agreement(settings: Mapping, repeats: int) -> pd.DataFrame:
    """`bench.agreement.agreement`, which repeats over targets by itself."""
    from reproduction.bench.agreement import agreement as measure

    return measure(settings, _mirror())


def likeness(settings: Mapping, repeats: int) -> pd.DataFrame:
    """`bench.agreement.likeness`, with its own number of simulated matrices."""
    from reproduction.bench.agreement import likeness as measure

    return measure(settings, _mirror())


def _mirror() -> str | None:
    return parameters.read(config.root() / config.PARAMS).published.mirror
