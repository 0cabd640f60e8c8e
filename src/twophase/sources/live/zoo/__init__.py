"""Small pre-trained models that the repository makes itself: recipes, pre-training, model cards."""

from twophase.sources.live.zoo.parts import forget_upstreams, share, shared
from twophase.sources.live.zoo.pretraining import ZOO_VERSION, build, digest
from twophase.sources.live.zoo.recipes import Recipe, fingerprint, recipes, table

__all__ = [
    "ZOO_VERSION",
    "Recipe",
    "build",
    "digest",
    "fingerprint",
    "forget_upstreams",
    "recipes",
    "share",
    "shared",
    "table",
]
