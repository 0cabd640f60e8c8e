"""The live zoos: datasets made of what installed packages contain, and models pre-trained on them."""
