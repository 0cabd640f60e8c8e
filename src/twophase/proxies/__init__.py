"""Proxy scores: how well a pre-trained model fits a labelled dataset, without any fine-tuning.

Each is one pure function of arrays in a module `_name.py` beside this one, marked with `proxy`, which says what it
reads and what it is called; a higher score always means a better fit. A new module is found by itself. Arrays may be tensors
or sparse matrices; labels are of any kind that scikit-learn numbers.
"""

import pkgutil
from importlib import import_module

_FOUND = {
    name: function
    for module in pkgutil.iter_modules(__path__)
    for name, function in vars(import_module(f"{__name__}.{module.name}")).items()
    if hasattr(function, "reads") and function.__module__ == f"{__name__}.{module.name}"
}
globals().update(_FOUND)

PROXIES = {name: function for name, function in _FOUND.items() if not function.released}
# Of no use to a user: what the paper's released code computes, on features, to measure what that does to the results.
RELEASED = {name: function for name, function in _FOUND.items() if function.released}
# What the first argument of each must be: source-label probabilities (N, Z) or features (N, D).
PROXY_INPUTS = {name: function.reads for name, function in PROXIES.items()}

__all__ = ["PROXIES", "PROXY_INPUTS", "RELEASED", *_FOUND]
