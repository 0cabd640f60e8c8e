"""Find the pre-trained model worth fine-tuning for a new task: coarse recall, then fine-selection."""

import importlib.abc
import importlib.util
import sys
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from twophase.commands.select import select

__version__ = "0.1.0"
__all__ = ["__version__", "select"]


warnings.filterwarnings("ignore", message="IProgress not found")  # in a notebook a plain bar does without ipywidgets


def __getattr__(name: str) -> Any:
    if name == "select":
        return importlib.import_module("twophase.commands.select").select
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class _Published(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """`twophase.published`, the promised name of `twophase.sources.published`: one module under two names."""

    name, place = "twophase.published", "twophase.sources.published"

    def find_spec(self, fullname, path=None, target=None):
        if fullname == self.name or fullname.startswith(f"{self.name}."):
            return importlib.util.spec_from_loader(fullname, self)
        return None

    def create_module(self, spec):
        module = importlib.import_module(self.place + spec.name.removeprefix(self.name))
        self._spec = module.__spec__
        return module

    def exec_module(self, module):
        module.__spec__ = self._spec  # the import system has put the alias's in its place


sys.meta_path.insert(0, _Published())  # the ordinary finder would load submodules a second time
