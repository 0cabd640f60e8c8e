"""Small pre-trained models that the repository makes itself: recipes, pre-training, model cards."""

from .pretraining import ZOO_VERSION, build, digest
from .recipes import Recipe, fingerprint, recipes, table
from .words import share, shared

__all__ = ["ZOO_VERSION", "Recipe", "build", "digest", "fingerprint", "recipes", "share", "shared", "table"]
