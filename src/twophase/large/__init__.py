"""What only zoos of many thousands of models need: compiled and blocked Eq. 1, clusters of a sample, a zoo that grows,
a recall index. All of it gives the bits of the plain formulas in `twophase`, except where a result says "sampled".
"""

from twophase.large.clusters import GrowingClusters, LazyClusters, cluster_many
from twophase.large.recall_index import RecallIndex

__all__ = ["GrowingClusters", "LazyClusters", "RecallIndex", "cluster_many"]
