"""The datasets of the live zoos as files, as a user would bring them."""

from collections.abc import Callable
from pathlib import Path

from twophase.errors import UserError, unknown
from twophase.sources.live import parameters
from twophase.sources.live.opening import built
from twophase.training import tasks


def save_task(name: str, path: str | Path, say: Callable[[str], None] = print) -> Path:
    """Write a dataset as a folder: train.csv, validation.csv, test.csv with columns text and label, or pictures by class.

    Args:
        name: a benchmark dataset or target of a live zoo.
        path: of the folder; made, or empty.

    Returns:
        The folder.

    Raises:
        UserError: an unknown name, or a folder that holds something.
    """
    path = Path(path).expanduser()
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise UserError(f"{path} is there already; give a new folder.")
    task = tasks.load(_folder(name, say))
    classes = task["train"].features["label"].names
    path.mkdir(parents=True, exist_ok=True)
    for split, rows in task.items():
        if "text" in rows.features:
            frame = rows.to_pandas()
            frame["label"] = [classes[label] for label in frame["label"]]
            frame.to_csv(path / f"{split}.csv", index=False, lineterminator="\n")
            continue
        for number, row in enumerate(rows):
            folder = path / split / classes[row["label"]].replace("/", "-")
            folder.mkdir(parents=True, exist_ok=True)
            row["image"].save(folder / f"{number:04}.png")
    return path


def _folder(name: str, say: Callable[[str], None]) -> Path:
    params, names = parameters.load(), []
    for domain, part in params.domain.items():
        if name in part.tasks.roles:
            return built(params, domain, say)[2] / name
        names += list(part.tasks.roles)
    raise unknown(f"dataset {name!r}", name, names)
