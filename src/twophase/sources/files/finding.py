"""Which files of a folder are which split of a task, and of which kind."""

import itertools
import re
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from datasets.data_files import SPLIT_KEYWORDS

from twophase.errors import UserError
from twophase.sources.files.names import encodable, shorten

SUFFIXES = {
    "csv": (".csv", ".tsv", ".txt"),
    "json": (".json", ".jsonl", ".ndjson"),
    "parquet": (".parquet", ".pq", ".arrow"),  # arrow: what `save_to_disk` of the `datasets` library writes
}
KEYWORDS = {word: str(split) for split, words in SPLIT_KEYWORDS.items() for word in words}
DESCRIPTIONS = {"dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json", "config.json"}
PICTURES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")


def kind_of(path: Path) -> str | None:
    """The kind of table that a file is by its suffix, with or without .gz behind it; None for none."""
    return next((kind for kind, suffixes in SUFFIXES.items() if bare(path).endswith(suffixes)), None)


def bare(path: Path) -> str:
    """A file's name in small letters, without .gz."""
    return path.name.lower().removesuffix(".gz")


def split_of(name: str) -> str | None:
    """The split that a file or folder holds by a word in its name, of those that the `datasets` library knows."""
    return next((KEYWORDS[word] for word in re.split(r"[-._ 0-9]+", name.lower()) if word in KEYWORDS), None)


def find(kind: str, path: Path, given: dict[str, Path], notes: list[str]) -> dict[str, list[Path]]:
    """Split -> its files, of `path` (a file, or a folder with files or folders a split) and of further files.

    Raises:
        UserError: a path is missing, of the wrong sort or suffix; a split is there twice or in part, or training is not.
    """
    folder = exists(path).is_dir()
    sources = _splits_of(kind, path, given.values(), notes) if folder else {"train": [path]}
    add_given(sources, given)
    for at in [*([] if folder else [path]), *given.values()]:
        if not exists(at).is_file():
            raise UserError(f"{at} is a folder or no plain file, where a {kind} file is needed; name the file in it.")
        if kind_of(at) != kind:
            fitting = f"task={kind_of(at)}" if kind_of(at) else "the kind that the file is"
            raise UserError(
                f"{at}: a {kind} file ends in {' or '.join(SUFFIXES[kind])}, not {at.suffix or 'nothing'}; "
                f"choose {fitting}, or save it as one of these."
            )
    for at in itertools.chain(*sources.values()):
        if not encodable(at.name):
            raise UserError(f"the name of {str(at)!r} is not UTF-8; rename it.")
    return sources


def exists(path: Path) -> Path:
    """The path. Raises UserError if nothing is there, a link leads nowhere, or it may not be looked at."""
    try:
        path.stat()
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist; give the path of the data.") from error
    except (OSError, ValueError) as error:  # a loop of links, no permission, a NUL in the name
        raise UserError(f"{path} cannot be opened ({error}); give the path of data that can be read.") from error
    return path


def inside(folder: Path, wanted: Callable[[Path], bool]) -> list[Path]:
    """What is wanted of a folder, by name. Raises UserError if it cannot be listed."""
    try:
        return sorted((path for path in folder.iterdir() if wanted(path)), key=lambda path: path.name)
    except OSError as error:
        raise UserError(f"{folder} cannot be listed ({error}); make it readable.") from error


def splits_among(folder: Path, paths: Iterable[Path]) -> dict[str, list[Path]]:
    """Split -> the file or folder with its name, or files whose names differ by numbers only: parts of one.

    Raises:
        UserError: a split is there twice.
    """
    found: dict[str, list[Path]] = {}
    for path in paths:
        if split := split_of(path.name):
            found.setdefault(split, []).append(path)
    for split, parts in found.items():
        for path in parts[1:]:
            if path.is_dir() or alike(path) != alike(parts[0]):
                raise UserError(f"{folder} has {parts[0].name} and {path.name}, both {split}; keep one.")
    return found


def alike(path: Path) -> str:
    """A file's name with a star for each number: the same for all parts of one table."""
    return re.sub(r"\d+", "*", path.name)


def add_given(sources: dict[str, list[Path]], given: dict[str, Path]) -> None:
    """Enter the splits that the user named. Raises UserError where one is there already."""
    for split, at in given.items():
        if split in sources:
            raise UserError(f"{split} is given twice, {sources[split][0]} and {at}; leave one out.")
        sources[split] = [at]


def tables_in(path: Path) -> list[Path]:
    """A file that is a table, or those of a folder."""
    files = inside(path, Path.is_file) if path.is_dir() else [path]
    return [file for file in files if kind_of(file) and file.name not in DESCRIPTIONS and file.name[0] != "."]


def kind_in(path: Path) -> str | None:
    """The kind of a file, or of the tables in a folder and in its folders that are named as splits; None for others.

    A .txt, which may be a note, is of none.
    """
    there = [path]
    if path.is_dir():
        there = inside(path, lambda one: one.name[0] != "." and (not one.is_dir() or split_of(one.name) is not None))
    kinds = [kind_of(file) for one in there for file in tables_in(one) if not bare(file).endswith(".txt")]
    return kinds[0] if kinds else None


def _splits_of(kind: str, folder: Path, given: Collection[Path], notes: list[str]) -> dict[str, list[Path]]:
    def rank(file: Path) -> tuple[bool, bool, str]:
        """The kind that is asked for comes first, and last what may be a note beside the data."""
        return bare(file).endswith(".txt"), kind_of(file) != kind, kind_of(file)

    there = inside(folder, lambda path: path.name[0] != ".")
    named = {path: split_of(path.name) for path in there}
    ranks = {
        path: min(map(rank, files))
        for path, split in named.items()
        if (split or not path.is_dir()) and (files := tables_in(path))
    }
    first = {split: min(ranks[path] for path in ranks if named[path] == split) for split in map(named.get, ranks)}
    chosen = [path for path in ranks if ranks[path] == first[named[path]]]
    sources = splits_among(folder, chosen)
    if not sources and len(set(map(alike, chosen))) == 1:
        sources = {"train": chosen}
    if "train" not in sources:
        advice = "Name a file, or rename the training file."
        below = itertools.islice(itertools.chain(folder.glob("*/*"), folder.glob("*/*/*")), 1000)
        if not ranks and any(path.suffix.lower() in PICTURES for path in below):
            advice = "Below it are pictures: choose the kind image_folder (task=image_folder)."
        raise UserError(
            f"{folder} is a folder without a training file (train{SUFFIXES[kind][0]}); tables in it: "
            f"{shorten(path.name for path in ranks)}. {advice}"
        )
    sources = {
        split: [file for path in parts for file in tables_in(path) if rank(file) == ranks[path]]
        for split, parts in sources.items()
    }
    for split, files in sources.items():
        for count in set(re.findall(r"-of-(\d+)", " ".join(file.name for file in files))):
            if (here := sum(f"-of-{count}" in file.name for file in files)) != int(count):
                raise UserError(
                    f"{folder} has {here} of the {int(count)} parts of {split} ({shorten(p.name for p in files)}); "
                    "bring the others, or rename what is there."
                )
    used = {*itertools.chain(*sources.values()), *given}
    every = [file for path in there for file in (path.iterdir() if path in ranks and path.is_dir() else [path])]
    if unread := sorted(str(path.relative_to(folder)) for path in every if path not in used and path.name[0] != "."):
        notes.append(f"{folder.name}: not read: {shorten(unread)}")
    return sources
