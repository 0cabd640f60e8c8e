"""Proxy scores: how well a pre-trained model fits a labelled dataset, without any fine-tuning.

Each is one pure function of arrays; a higher score always means a better fit. To add one, write a
module `_name.py` beside these and enter it in the two dictionaries below.
"""

from twophase.proxies._h_score import h_score
from twophase.proxies._knn import knn
from twophase.proxies._leep import leep, leep_reinitialised
from twophase.proxies._linear_probe import linear_probe
from twophase.proxies._logme import logme
from twophase.proxies._nleep import nleep

PROXIES = {
    "leep": leep,
    "nleep": nleep,
    "logme": logme,
    "h_score": h_score,
    "knn": knn,
    "linear_probe": linear_probe,
}

# Of no use to a user: what the paper's released code computes, on features, to measure what that does to the results.
RELEASED = {"leep_reinitialised": leep_reinitialised}

# What the first argument of each must be: source-label probabilities (N, Z) or features (N, D).
PROXY_INPUTS = {
    "leep": "probabilities",
    "nleep": "features",
    "logme": "features",
    "h_score": "features",
    "knn": "features",
    "linear_probe": "features",
}

__all__ = ["PROXIES", "PROXY_INPUTS", "RELEASED", "h_score", "knn", "leep", "leep_reinitialised", "linear_probe", "logme",
           "nleep"]  # fmt: skip
