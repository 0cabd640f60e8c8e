"""The published notebooks: one module per notebook, and their part of the ledger of claims."""
