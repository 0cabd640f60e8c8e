"""Groups of models that perform alike, their representatives, and how well the groups hold together."""

from twophase.clustering.clusters import Clusters
from twophase.clustering.models import METHODS, cluster_models
from twophase.clustering.silhouettes import silhouette
from twophase.large.growing import GrowingClusters

__all__ = ["METHODS", "Clusters", "GrowingClusters", "cluster_models", "silhouette"]
