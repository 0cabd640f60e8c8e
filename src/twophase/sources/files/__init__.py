"""A user's own labelled data, read from files and folders."""
