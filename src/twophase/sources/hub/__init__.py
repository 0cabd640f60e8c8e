"""A model or a dataset of a Hugging Face hub as a local folder, safely: data only, at one commit, checked by hash.

All of it has been tested against a server on the same machine that speaks the hub's protocol; the tests have not
reached the live hub.
"""

from twophase.sources.hub.datasets import dataset_bytes, fetch_dataset, gather, left_over
from twophase.sources.hub.models import HubModel, describe, fetch_model, here

__all__ = ["HubModel", "dataset_bytes", "describe", "fetch_dataset", "fetch_model", "gather", "here", "left_over"]
