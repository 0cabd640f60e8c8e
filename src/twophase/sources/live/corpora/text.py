"""The text tasks: what Python and installed packages say about themselves, with the labels that come with it.

No snippet is in two tasks of different roles: upstreams, benchmarks and targets read different packages or
different kinds of snippet, and a text that occurs twice in the corpus is kept once.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from twophase.sources.live.corpora.corpus import TextTask, draw, gather, wanted
from twophase.sources.live.corpora.harvest import STANDARD_LIBRARY
from twophase.sources.live.corpora.harvest import folder as installed

if TYPE_CHECKING:
    import pandas as pd
    from datasets import DatasetDict

DOCUMENTATION = ("summary", "prose")
NUMERICS = ("numpy", "sympy", "torch", "transformers", "huggingface_hub", "narwhals")
SYSTEMS = ("debugpy", "dulwich", "IPython", "celery", "jedi", "rich", "asyncssh", "prompt_toolkit")
UPSTREAM = NUMERICS + SYSTEMS
TYPES = ("array", "bool", "callable", "choice", "dict", "float", "int", "list", "str", "tuple")
ERRORS = ("ValueError", "TypeError", "RuntimeError", "NotImplementedError")
PLACES = ("first", "second")
KINDS = ("summary", "prose", "parameter", "error", "comment", "code")


def _which(kinds: tuple[str, ...], packages: tuple[str, ...]) -> TextTask:
    return TextTask(kinds, packages, "package", packages)


TASKS: dict[str, TextTask] = {
    # upstream: what the zoo's models are pre-trained on
    "libraries": _which(DOCUMENTATION, UPSTREAM),
    "topics": TextTask(DOCUMENTATION, UPSTREAM, "topic", ()),
    "sympy_parts": TextTask(DOCUMENTATION, ("sympy",), "part", ("polys", "physics", "solvers", "functions", "core", "matrices", "combinatorics", "geometry", "stats", "integrals")),
    "types": TextTask(("parameter",), UPSTREAM, "label", (*TYPES, "tensor")),
    "sections": TextTask(("section",), UPSTREAM, "label", ("Examples", "Notes", "Raises", "Returns", "See Also")),
    "errors": TextTask(("error",), UPSTREAM, "label", (*ERRORS, "AssertionError")),
    "code": _which(("code",), UPSTREAM),
    "endings": TextTask(("code",), UPSTREAM, "label", ("nothing", "returns", "yields")),
    "owners": TextTask(("summary",), UPSTREAM, "label", ("class", "function", "method", "module")),
    "kinds": TextTask(KINDS, UPSTREAM, "kind", KINDS),
    "order": TextTask(("summary", "comment"), UPSTREAM, "order", PLACES),
    # benchmark: the performance matrix
    "scipy_parts": TextTask(DOCUMENTATION, ("scipy",), "part", ("stats", "optimize", "signal", "sparse", "linalg", "interpolate", "spatial", "special")),
    "sklearn_parts": TextTask(DOCUMENTATION, ("sklearn",), "part", ("utils", "metrics", "linear_model", "ensemble", "preprocessing", "decomposition", "model_selection", "datasets")),
    "pandas_parts": TextTask(DOCUMENTATION, ("pandas",), "part", ("indexes", "arrays", "frame", "dtypes", "groupby", "series"), below="core/"),
    "matplotlib_parts": TextTask(DOCUMENTATION, ("matplotlib",), "part", ("axes", "backends", "backend_bases", "patches", "transforms", "widgets")),
    "python_parts": TextTask(("prose",), (STANDARD_LIBRARY,), "part", ("asyncio", "tkinter", "email", "typing", "xml", "logging", "importlib", "http")),
    "web_packages": _which(DOCUMENTATION, ("tornado", "aiohttp", "jupyter_server", "urllib3", "kombu")),
    "tool_packages": _which(DOCUMENTATION, ("git", "fontTools", "pygments", "hypothesis", "pydantic", "mpmath")),
    "scipy_types": TextTask(("parameter",), ("scipy",), "label", ("array", "int", "float", "bool", "choice", "str", "callable", "tuple")),
    "sklearn_types": TextTask(("parameter",), ("sklearn",), "label", ("array", "int", "bool", "float", "dict", "choice", "str", "list")),
    "pandas_types": TextTask(("parameter",), ("pandas",), "label", ("bool", "str", "int", "choice", "array", "dict", "list")),
    "plot_types": TextTask(("parameter",), ("matplotlib", "mpl_toolkits", "seaborn"), "label", ("array", "bool", "float", "int", "list", "str")),
    "exceptions": TextTask(("error",), ("scipy", "sklearn", STANDARD_LIBRARY, "matplotlib"), "label", ("ValueError", "TypeError", "RuntimeError")),
    "error_packages": _which(("error",), ("fontTools", "cryptography", "hypothesis", "pandas", "pydantic")),
    "scipy_sections": TextTask(("section",), ("scipy",), "label", ("Examples", "Returns", "Notes", "References", "See Also")),
    "pandas_sections": TextTask(("section",), ("pandas",), "label", ("Examples", "Returns", "See Also", "Notes", "Raises")),
    "python_endings": TextTask(("code",), (STANDARD_LIBRARY,), "label", ("nothing", "returns")),
    "python_owners": TextTask(("summary",), (STANDARD_LIBRARY,), "label", ("method", "function", "class", "module")),
    "code_packages": _which(("code",), ("fontTools", "hypothesis", "tornado", "kombu", "mpmath", "aiohttp", "dvc", "pydantic")),
    "science_order": TextTask(("comment", "code"), ("scipy", "pandas", "sklearn", "matplotlib"), "order", PLACES),
    "jupyter_kinds": TextTask(KINDS, ("jupyter_client", "ipykernel", "nbconvert", "nbformat", "traitlets", "zmq", "papermill"), "kind", KINDS),
    "package_order": TextTask(("summary", "comment"), ("jinja2", "anyio", "click", "joblib", "platformdirs", "psutil", "requests", "pygit2", "virtualenv", "httpx", "pexpect", "filelock", "bs4", "lark"), "order", PLACES),
    # target: the final figure only, from packages that nothing else reads
    "image_parts": TextTask(("summary", "prose", "section"), ("skimage",), "part", ("filters", "transform", "feature", "morphology", "measure", "restoration", "color")),
    "image_types": TextTask(("parameter",), ("skimage", "imageio", "datasets", "pyarrow", "evaluate"), "label", ("array", "int", "float", "bool", "str", "tuple")),
    "graph_sections": TextTask(("section",), ("networkx",), "label", ("Examples", "Notes", "Returns", "References", "Raises", "See Also")),
    "media_code": _which(("code",), ("skimage", "imageio", "networkx", "datasets", "PIL", "tifffile")),
}  # fmt: skip

PACKAGES = tuple(wanted(TASKS.values()))


def prepare(tasks: list[str], folder: Path, files: int | None = None) -> pd.DataFrame:
    """`corpus.gather` for the named tasks."""
    return gather([task for name, task in TASKS.items() if name in tasks], folder, files)


def probe(name: str) -> None:
    """Find the packages that a task reads."""
    for package in TASKS[name].packages:
        installed(package)


def to_dataset(name: str, sizes: dict[str, int], seed: int, folder: Path, at_most: bool = False) -> DatasetDict:
    """`corpus.draw` for a named task."""
    return draw(name, TASKS[name], sizes, seed, folder, at_most)
