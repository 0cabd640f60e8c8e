"""The inner loops of `assignment`, compiled once a machine; importing this imports numba, which takes a while."""

import numpy as np
from numba import njit

TILE = 64  # clusters looked at together
MARGIN = 1e-9  # far above what rounding does to a mean of gaps, far below any difference that matters


@njit(nogil=True, cache=True)
def _distance_below(limit, own, members, first, last, k, largest):
    """Mean distance of a model to members `first` to `last`; infinite as soon as it is sure to reach `limit`."""
    total = 0.0
    for y in range(first, last):
        largest[:] = 0  # ascending
        for d in range(len(own)):
            gap = abs(own[d] - members[y, d])
            if gap > largest[0]:
                place = 0
                while place + 1 < k and largest[place + 1] < gap:
                    largest[place] = largest[place + 1]
                    place += 1
                largest[place] = gap
        total += largest.sum() / k
        if total > (limit + MARGIN) * (last - first):
            return np.inf
    return total / (last - first)


@njit(nogil=True, cache=True)
def _scan(own, centres, members, starts, begin, end, k, near, best):
    """The nearest of clusters `begin` to `end` if its distance is below `best`; else what came in."""
    m = len(own)
    partial, bound, largest = np.empty(TILE), np.empty(TILE), np.empty(k)
    for start in range(begin, end, TILE):
        width = min(TILE, end - start)
        bound[:] = 0
        lowest = 0.0
        for group in range(0, m - k + 1, k):
            partial[:] = 0
            for d in range(group, group + k):
                for w in range(width):
                    partial[w] += abs(own[d] - centres[d, start + w])
            lowest = np.inf
            for w in range(width):
                bound[w] = max(bound[w], partial[w])
                lowest = min(lowest, bound[w])
            if lowest > k * (best + MARGIN):
                break
        if lowest > k * (best + MARGIN):
            continue
        for w in range(width):
            if bound[w] <= k * (best + MARGIN):
                found = _distance_below(best, own, members, starts[start + w], starts[start + w + 1], k, largest)
                if found < best:
                    near, best = start + w, found
    return near, best


@njit(nogil=True, cache=True)
def against_known(first, last, models, centres, members, starts, count, k, cluster, distance):
    for x in range(first, last):
        cluster[x], distance[x] = _scan(models[x], centres, members, starts, 0, count, k, cluster[x], distance[x])


@njit(nogil=True, cache=True)
def among_new(models, centres, members, starts, count, k, cluster, distance):
    old = count
    for x in range(len(models)):
        cluster[x], distance[x] = _scan(models[x], centres, members, starts, old, count, k, cluster[x], distance[x])
        if cluster[x] < 0:
            centres[:, count] = models[x]
            members[count] = models[x]
            cluster[x] = count
            count += 1
    return count
