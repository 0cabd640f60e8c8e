"""A dataset of a hub as local files: which files of its repository, of which split, and one file a split made of them."""

import difflib
import fnmatch
import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from urllib.parse import quote

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from twophase.errors import UserError
from twophase.sources.files import finding, tables
from twophase.sources.hub.place import Place
from twophase.sources.hub.transfer import list_repository, receive_all, total_size
from twophase.training.tasks import SPLITS

FORMATS = ((".parquet",), (".csv",), (".json", ".jsonl"))  # the first that a configuration has is taken
SHARD = re.compile(r"(?P<split>[\w.]+)-\d{5}-of-\d{5}\S*")
PARTS = {split: rf"{split}\b.*\.(parquet|csv|jsonl|json)" for split in SPLITS}


def fetch_dataset(
    name: str,
    config: str | None = None,
    revision: str | None = None,
    *,
    cache: str | Path | None = None,
    progress: bool = True,
) -> Path:
    """Bring the parquet, csv or json files of a dataset's configuration; a loading script is never run or brought.

    Returns:
        A folder of files named by split: train-00000-of-00001.parquet, test-00000-of-00001.parquet, …

    Raises:
        UserError: as `models.fetch_model`; or no such files, no such configuration, or several and none named.
    """
    place = Place("dataset", name, revision, cache)
    if kept := place.kept(config or ""):
        return kept
    repository = list_repository("dataset", place.name, place.revision)
    chosen, files = layout(place.name, repository.files, repository.card, config)
    with place.lock() as root:
        folder = root / f"{repository.commit}@{quote(chosen, safe='')}"
        folder.mkdir(exist_ok=True)
        place.sound(folder)
        receive_all(repository, files, folder, progress)
        place.keep(config or "", folder)
    return folder


def dataset_bytes(name: str, config: str | None = None, revision: str | None = None) -> int:
    """What `fetch_dataset` would download into an empty cache; asks for a listing only.

    Raises:
        UserError: as `fetch_dataset`.
    """
    place = Place("dataset", name, revision, None)
    repository = list_repository("dataset", place.name, place.revision)
    return total_size(repository, layout(place.name, repository.files, repository.card, config)[1].values())


def layout(name: str, files: Iterable[str], card: dict, config: str | None = None) -> tuple[str, dict[str, str]]:
    """Choose a configuration and name its files by split.

    Args:
        card: metadata of its README; its `configs` decide if there are any, else folders' and files' names do.
        config: a configuration; may be left out if there is one only, or one is the default.

    Returns:
        The configuration, and {local name, such as "train-00000-of-00002.parquet": path in the repository}.

    Raises:
        UserError: no data files, or no such configuration, or several and none named.
    """
    files = sorted(files)
    data = [f for f in files if f.endswith(sum(FORMATS, ())) and PurePosixPath(f).name not in finding.DESCRIPTIONS]
    if not data:
        script = any(f.endswith(".py") for f in files)
        raise UserError(
            f"dataset {name} has no parquet, csv or json files ({len(files)} others); "
            + ("its loading script is never run: " if script else "")
            + "try revision='refs/convert/parquet', or another dataset."
        )
    given = card.get("configs")
    configs = [c for c in given if isinstance(c, dict)] if isinstance(given, list) else []
    listed = [c for c in configs if c.get("data_files") or c.get("data_dir")]
    found = {str(c.get("config_name", "default")): _from_card(c, data) for c in listed} or _from_folders(data)
    defaults = [str(c.get("config_name", "default")) for c in listed if c.get("default")]
    chosen = _choose(name, config, list(found), defaults)
    if not found[chosen]:
        raise UserError(f"configuration {chosen!r} of {name} has no parquet, csv or json files; choose another.")
    return chosen, _named(found[chosen])


def _choose(name: str, config: str | None, known: list[str], defaults: list[str]) -> str:
    if config in known:
        return config
    usual = defaults or [k for k in known if k == "default"] or known
    if config is None and (defaults or len(usual) == 1):
        return usual[0]
    near = difflib.get_close_matches(config or "", known, 3, 0.4) or known[:20]
    raise UserError(
        f"dataset {name} has {len(known)} configuration(s), got {config!r}; give one of them in `config`: "
        f"{', '.join(near)}{' …' if len(near) < len(known) else ''}."
    )


def _from_card(config: dict, data: list[str]) -> dict[str, list[str]]:
    if not (rows := config.get("data_files")):
        folder = str(config["data_dir"]).strip("/") + "/"
        return _by_split([f for f in data if f.startswith(folder)])
    rows = rows if isinstance(rows, list) else [rows]
    splits: dict[str, list[str]] = {}
    for row in rows:
        row = row if isinstance(row, dict) else {"split": "train", "path": row}
        patterns = row.get("path") or []
        patterns = [str(p) for p in (patterns if isinstance(patterns, list) else [patterns])]
        files = [f for f in data if any(_fits(f, p) for p in patterns)]
        if files:
            splits.setdefault(str(row.get("split", "train")), []).extend(files)
    return splits


def _fits(file: str, glob: str) -> bool:
    """Whether a path is of a pattern, ** standing for any number of folders; in time that grows with both lengths alone."""
    parts, reached = file.split("/"), {0}  # how many of the parts the pattern may have used so far
    for piece in glob.removeprefix("./").split("/"):
        if piece == "**":
            reached = set(range(min(reached, default=len(parts) + 1), len(parts) + 1))
        else:
            reached = {n + 1 for n in reached if n < len(parts) and fnmatch.fnmatchcase(parts[n], piece)}
    return len(parts) in reached


def _from_folders(data: list[str]) -> dict[str, dict[str, list[str]]]:
    groups: dict[str, list[str]] = {}
    for file in data:
        first = file.split("/")[0]
        named = "/" in file and first != "data" and finding.split_of(first) is None
        groups.setdefault(first if named else "default", []).append(file)
    return {config: _by_split(files) for config, files in groups.items()}


def _by_split(files: list[str]) -> dict[str, list[str]]:
    splits: dict[str, list[str]] = {}
    for file in files:
        if split := _split(PurePosixPath(file)):
            splits.setdefault(split, []).append(file)
    return splits or ({"train": files} if files else {})


def _split(file: PurePosixPath) -> str | None:
    if shard := SHARD.fullmatch(file.name):
        return shard["split"]
    return next((word for part in reversed(file.parts) if (word := finding.split_of(part))), None)


def _named(splits: dict[str, list[str]]) -> dict[str, str]:
    every = [file for files in splits.values() for file in files]
    suffixes = next(s for s in FORMATS if any(f.endswith(s) for f in every))
    named = {}
    for split, files in splits.items():
        files = [file for file in files if file.endswith(suffixes)]
        safe = re.sub(r"[^\w.]", "_", split)  # a card can say anything, and this becomes a file's name
        for number, file in enumerate(files):
            named[f"{safe}-{number:05d}-of-{len(files):05d}{PurePosixPath(file).suffix}"] = file
    return named


def gather(folder: str | Path, target: str | Path, splits: Mapping[str, str] | None = None) -> Path:
    """Write `target`/SPLIT.parquet from the parts in `folder`; returns `target`.

    `splits`: train, validation, test -> what the hub calls it; others are left out. None: by their own names.

    Numbers of a column that the hub's schema calls a class label become the names that go with them; -1 (no label) is empty.

    Raises:
        UserError: no part is of a split that this project knows, a file cannot be read, or columns differ between parts.
    """
    folder, target = Path(folder), Path(target)
    wanted = PARTS if splits is None else {split: f"{re.escape(named)}-.*" for split, named in splits.items()}
    files = sorted(folder.iterdir())
    parts = {
        split: found for split, name in wanted.items() if (found := [p for p in files if re.fullmatch(name, p.name)])
    }
    if absent := sorted(set(splits or ()) - set(parts)):
        there = ", ".join(sorted({path.name.split("-")[0] for path in files}))
        raise UserError(f"the dataset in {folder} has no split {splits[absent[0]]!r}; its splits: {there}.")
    if "train" not in parts:
        raise UserError(f"the dataset in {folder} has no training split ({', '.join(path.name for path in files)}).")
    target.mkdir(parents=True, exist_ok=True)
    for split, found in parts.items():
        try:
            frame = pd.concat([_read(path) for path in found], ignore_index=True)
            frame.to_parquet(target / f"{split}.parquet", index=False)
        except (ValueError, OSError, pa.ArrowException) as error:
            raise UserError(
                f"split {split} of the dataset in {folder} cannot be read: {str(error).splitlines()[0]}."
            ) from error
    return target


def left_over(folder: str | Path) -> list[str]:
    """The splits in a folder that `gather` leaves out, since they are none of train, validation and test."""
    there = {path.name.split("-")[0] for path in Path(folder).iterdir()}
    return sorted(name for name in there if not any(re.match(rf"{split}\b", name) for split in SPLITS))


def _read(path: Path) -> pd.DataFrame:
    return tables.named_classes(pq.read_table(path)) if path.suffix == ".parquet" else tables.read([path], [])[0]
