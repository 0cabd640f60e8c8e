"""Executes a notebook with papermill and makes the executed copy the same bytes on every run."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_notebook

from twophase.errors import UserError
from twophase.infra.files import replacing

ADDRESSES = re.compile(r" at 0x[0-9a-f]+")
FIRST = "for name in ('reproduction.evidence', 'reproduction.tables'): __import__(name)"
TABLE_IDS = re.compile(r"\bT_[0-9a-f]{5,}")  # random, from pandas' styled tables


def execute(source: str | Path, target: str | Path, parameters: dict[str, Any], timeout: int = 600) -> Path:
    """Run `source` with `parameters` in the current folder and keep the normalised copy at `target`.

    Args:
        source: a notebook with a cell tagged `parameters`.
        target: where the executed copy goes; its folder is made.
        parameters: values for names that the parameters cell declares.
        timeout: seconds a cell may take.

    Raises:
        UserError: no such notebook, or a parameter that it does not declare.
        papermill.PapermillExecutionError: a cell failed; the copy so far stands at `target` + ".failed".
    """
    source, target = Path(source), Path(target)
    if not source.is_file():
        raise UserError(f"{source} does not exist; notebooks are in notebooks/.")
    unfinished = target.with_suffix(".failed.ipynb")
    with _kernel() as kernel:
        # jsonschema would compile the grammars of this for a second, to check addresses
        sys.modules.setdefault("rfc3987_syntax", None)
        import papermill

        declared = papermill.inspect_notebook(str(source))
        if unknown := sorted(set(parameters) - set(declared)):
            raise UserError(f"{source.name} declares no parameter {unknown}; declared: {sorted(declared) or 'none'}.")
        target.parent.mkdir(parents=True, exist_ok=True)
        options = {"kernel_name": "python3", "km": kernel, "progress_bar": False, "execution_timeout": timeout}
        # the kernel cuts what a cell prints into pieces by the clock
        papermill.execute_notebook(str(source), str(unfinished), parameters, coalesce_streams=True, **options)
    with replacing(target) as new:
        nbformat.write(normalise(nbformat.read(unfinished, as_version=4)), new)
    unfinished.unlink()
    return target


@contextmanager
def _kernel() -> Iterator[Any]:
    """A kernel that imports what most notebooks need while papermill is imported here, without the user's own settings."""
    import matplotlib
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import KernelManager

    # without folders of kernels, "python3" is the running interpreter: none needs to be installed for the user
    kernel = KernelManager(kernel_name="python3", kernel_spec_manager=KernelSpecManager(kernel_dirs=[]))
    with TemporaryDirectory() as profile:
        own = {"IPYTHONDIR": profile, "MATPLOTLIBRC": str(Path(matplotlib.get_data_path()) / "matplotlibrc")}
        # one thread, for thousands of small clusterings: threads would wait for each other
        own |= {"PYDEVD_DISABLE_FILE_VALIDATION": "1", "OMP_NUM_THREADS": "1"}
        kernel.start_kernel(
            extra_arguments=["--log-level=40", f"--IPKernelApp.exec_lines={FIRST}"], env=os.environ | own
        )
        try:
            yield kernel
        finally:
            kernel.shutdown_kernel(now=True)


def normalise(notebook: NotebookNode) -> NotebookNode:
    """Take out what differs between two runs: times, durations, generated ids, addresses."""
    for number, cell in enumerate(notebook.cells):
        injected = "injected-parameters" in cell.metadata.get("tags", [])
        cell.id = f"injected-{number}" if injected else cell.id
        cell.metadata = {"tags": cell.metadata["tags"]} if cell.metadata.get("tags") else {}
        for output in cell.get("outputs", []):
            if "metadata" in output:
                output.metadata = {}
            if "text" in output:
                output.text = ADDRESSES.sub("", output.text)
            for kind, data in output.get("data", {}).items():
                if kind.startswith("text/") and isinstance(data, str):
                    output.data[kind] = TABLE_IDS.sub(f"T_{number}", ADDRESSES.sub("", data))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return new_notebook(cells=notebook.cells, metadata={"kernelspec": kernel, "language_info": {"name": "python"}})
