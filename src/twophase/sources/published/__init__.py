"""Other groups' fine-tuning records: a catalogue of files (facts), and a reader for each source."""

from twophase.sources.published import model_recycling, paper_matrices, scaling_law, transfergraph
from twophase.sources.published.catalogue import Published

READERS = {
    "two-phase-selection": paper_matrices.read,
    "model-recycling": model_recycling.read,
    "transfergraph": transfergraph.read,
    "scaling-law": scaling_law.read,
}

__all__ = ["READERS", "Published"]
