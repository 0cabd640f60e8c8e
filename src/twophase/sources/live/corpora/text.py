"""The text tasks: what Python and installed packages say about themselves, with the labels that come with it.

No snippet is in two tasks of different roles: upstreams, benchmarks and targets read different packages or
different kinds of snippet, and a text that occurs twice in the corpus is kept once.
"""

from __future__ import annotations

import gc
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from twophase.errors import UserError
from twophase.infra.compute import Failure, parallel_map
from twophase.infra.files import replacing
from twophase.sources.live.corpora.harvest import STANDARD_LIBRARY, harvest, source
from twophase.sources.live.corpora.harvest import folder as installed

if TYPE_CHECKING:
    from datasets import DatasetDict

CORPUS = "corpus.parquet"
FIELDS = ("kind", "package", "module", "name", "label", "text")


@dataclass(frozen=True)
class TextTask:
    """Which snippets, and what is asked of them.

    Attributes:
        kinds: of snippet (`harvest.Snippet.kind`).
        packages: import names.
        by: "package", "part" (of the package: the module's first folder or file), "topic" (package and part),
            "kind", "label", or "order" (a pair, a snippet of each of two kinds: which place has the first kind?).
        classes: what is told apart, and only snippets of these are used; empty for topics: all that are common.
        below: a folder of the package whose parts are meant.
    """

    kinds: tuple[str, ...]
    packages: tuple[str, ...]
    by: str
    classes: tuple[str, ...]
    below: str = ""

    def labels(self, corpus: pd.DataFrame) -> pd.Series:
        """The class of each row of the corpus (columns `FIELDS`); NaN where it has none."""
        here = corpus["package"].isin(self.packages) & corpus["kind"].isin(self.kinds)
        if self.by == "part":
            here &= corpus["module"].str.startswith(self.below)
            values = corpus["module"].str[len(self.below) :].str.split("/").str[0]
        elif self.by == "topic":
            values = corpus["package"] + "/" + corpus["module"].str.split("/").str[0]
            common = values[here].value_counts()
            return values.where(here & values.isin(sorted(common.index[common >= 100])))
        elif self.by == "order":
            return corpus["kind"].where(here)
        else:
            values = corpus[self.by]
        return values.where(here & values.isin(self.classes))


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


def wanted(tasks: Iterable[TextTask]) -> dict[str, set[str]]:
    """Package -> kinds of snippet that the tasks read, in the order in which a repeated text is claimed."""
    read: dict[str, set[str]] = {}
    for task in tasks:
        for package in task.packages:
            read.setdefault(package, set()).update(task.kinds)
    return read


def _normal(text: str) -> str:
    return re.sub(r"[^a-z]+", " ", text.lower()).strip()


PACKAGES = tuple(wanted(TASKS.values()))


def prepare(tasks: list[str], folder: Path, files: int | None = None) -> pd.DataFrame:
    """Harvest what the named tasks read into `folder/corpus.parquet`, each text once; `files` as in `harvest`.

    Returns:
        A row a package: source, version, licence, files, snippets, characters, sha256 of its snippets.

    Raises:
        UserError: a package is not installed.
    """
    read = wanted(task for name, task in TASKS.items() if name in tasks)
    harvests = parallel_map(_frame, [(*item, files) for item in read.items()], description="text of installed packages")
    for result in harvests:
        if isinstance(result, Failure):
            raise UserError(f"text cannot be harvested: {result.reason}")
    rows = pd.concat(harvests, ignore_index=True)
    normal = rows["text"].map(_normal)
    rows = rows[~normal.duplicated() & (normal != "")]
    with replacing(folder / CORPUS) as new:
        rows.to_parquet(new, index=False, compression="zstd")
    told = []
    for package in read:
        own = rows[rows["package"] == package]
        content = "\n".join(own["kind"] + "\t" + own["label"] + "\t" + own["text"])
        facts = {"files": own["module"].nunique(), "snippets": len(own), "characters": int(own["text"].str.len().sum())}
        sha256 = hashlib.sha256(content.encode()).hexdigest()
        told.append({"source": package, **source(package), **facts, "sha256": sha256})
    return pd.DataFrame(told)


def _frame(item: tuple[str, set[str], int | None]) -> pd.DataFrame:
    package, kinds, files = item
    gc.disable()  # syntax trees hold no cycles, and looking for some takes a quarter of the time
    try:
        found = harvest(package, files, kinds)
    finally:
        gc.enable()
    return pd.DataFrame([tuple(getattr(s, field) for field in FIELDS) for s in found], columns=list(FIELDS))


def probe(name: str) -> None:
    """Find the packages that a task reads."""
    for package in TASKS[name].packages:
        installed(package)


def to_dataset(name: str, sizes: dict[str, int], seed: int, folder: Path, at_most: bool = False) -> DatasetDict:
    """Draw every split of a text task from the corpus, classes as even as they are to be had.

    `at_most`: a training split may be smaller than asked for, where there is no more.

    Raises:
        UserError: the corpus is missing, or has too few snippets.
    """
    from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

    task = TASKS[name]
    if not (folder / CORPUS).is_file():
        raise UserError(f"{folder / CORPUS} is missing; run the tasks stage.")
    read = [("package", "in", list(task.packages)), ("kind", "in", list(task.kinds))]
    corpus = pd.read_parquet(folder / CORPUS, filters=read)
    rng = np.random.default_rng(seed)
    corpus = corpus.iloc[rng.permutation(len(corpus))].reset_index(drop=True)
    classes = task.labels(corpus)
    corpus, classes = corpus[classes.notna()], classes.dropna()
    columns = {"text": Value("string")}
    if task.by == "order":
        corpus = _pairs(corpus, task, rng)
        classes, columns = corpus["answer"], columns | {"text_pair": Value("string")}
    rest = sum(size for split, size in sizes.items() if split != "train")
    if at_most:
        sizes = sizes | {"train": max(1, min(sizes["train"], len(corpus) - rest))}
    total = sum(sizes.values())
    if len(corpus) < total:
        raise UserError(
            f"task {name!r} has {len(corpus)} snippets, {total} were asked for; lower tasks.sizes or raise tasks.files."
        )
    # the k-th snippet of each class before the (k+1)-th of any: even classes, and splits alike
    order = np.lexsort((classes.to_numpy(str), classes.groupby(classes).cumcount().to_numpy()))
    chosen = corpus.iloc[order[:total]]
    chosen = chosen.assign(answer=classes.iloc[order[:total]]).iloc[rng.permutation(total)]
    features = Features(**columns, label=ClassLabel(names=list(task.classes) or sorted(set(classes))))
    splits, start = {}, 0
    for split, size in sizes.items():
        part = chosen.iloc[start : start + size]
        rows = {column: part[column].tolist() for column in columns} | {"label": part["answer"].tolist()}
        splits[split], start = Dataset.from_dict(rows, features=features), start + size
    return DatasetDict(splits)


def _pairs(corpus: pd.DataFrame, task: TextTask, rng: np.random.Generator) -> pd.DataFrame:
    """A snippet of each of the task's two kinds, in either order; every snippet once."""
    one, other = (corpus.loc[corpus["kind"] == kind, "text"].to_numpy() for kind in task.kinds)
    n = min(len(one), len(other))
    one, other = one[:n], other[:n]
    ahead = rng.permutation(n) % 2 == 0
    answer = np.where(ahead, *task.classes)
    first, second = np.where(ahead, one, other), np.where(ahead, other, one)
    return pd.DataFrame({"text": first, "text_pair": second, "answer": answer})
