"""The published notebooks: one module a notebook, and their part of the ledger of claims."""
