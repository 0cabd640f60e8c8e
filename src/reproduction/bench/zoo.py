"""The live zoo of a domain, as `make repro` left it in the project."""

from dataclasses import dataclass
from pathlib import Path

from twophase.errors import UserError
from twophase.infra import config
from twophase.sources.live import parameters


@dataclass(frozen=True)
class Live:
    """Folders of a domain's models and datasets, and the project's configuration.

    Attributes:
        models: folder of folders written by `save_pretrained`.
        data: folder of tasks (`tasks.load`).
    """

    domain: str
    params: parameters.Params
    models: Path
    data: Path

    def model(self, name: str) -> Path:
        return _there(self.models / name)

    def task(self, name: str) -> Path:
        return _there(self.data / name)


def live(domain: str) -> Live:
    """The domain's zoo. Raises UserError where it has not been built, or the domain is not configured."""
    here = config.root()
    params = parameters.read(here / "params.yaml")
    if domain not in params.domain:
        raise UserError(f"unknown domain {domain!r}; configured: {', '.join(params.domain)}.")
    return Live(domain, params, _there(here / "zoo" / domain), _there(here / "data" / domain))


def _there(folder: Path) -> Path:
    if not folder.is_dir():
        raise UserError(f"{folder} is not there; run `make repro` first, which builds zoo and data.")
    return folder
