"""Groups of models that perform alike, their representatives, and how well the groups hold together."""

from .clusters import Clusters
from .growing import GrowingClusters
from .models import METHODS, cluster_models
from .silhouettes import silhouette

__all__ = ["METHODS", "Clusters", "GrowingClusters", "cluster_models", "silhouette"]
