"""A model or a dataset of a Hugging Face hub as a local folder, safely: data only, at one commit, checked by hash.

All of it has been tested against a server on the same machine that speaks the hub's protocol; the tests have not
reached the live hub.
"""

from .datasets import fetch_dataset
from .models import HubModel, fetch_model, plan

__all__ = ["HubModel", "fetch_dataset", "fetch_model", "plan"]
