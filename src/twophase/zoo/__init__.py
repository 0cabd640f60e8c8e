"""Small pre-trained models that the repository makes itself: recipes, pre-training, model cards."""

from .parts import forget_upstreams, share, shared
from .pretraining import ZOO_VERSION, build, digest
from .recipes import Recipe, fingerprint, recipes, table

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
