"""`twophase.published`, the promised name of `twophase.sources.published`: one package under two names."""

import sys

from twophase.sources import published

# submodules, too, or the ordinary finder would load them a second time
for name, module in list(sys.modules.items()):
    if name == published.__name__ or name.startswith(f"{published.__name__}."):
        sys.modules[name.replace(published.__name__, __name__, 1)] = module
