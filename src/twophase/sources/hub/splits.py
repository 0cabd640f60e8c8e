"""Which files of a dataset repository make up a configuration, and which split each belongs to."""

import difflib
import re
from collections.abc import Iterable
from pathlib import PurePosixPath

from twophase.errors import UserError

FORMATS = ((".parquet",), (".csv",), (".json", ".jsonl"))  # the first that a configuration has is taken
DESCRIPTIONS = {"dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json", "config.json"}
SHARD = re.compile(r"(?P<split>[\w.]+)-\d{5}-of-\d{5}\S*")
WORDS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "dev", "val"),
    "test": ("test", "testing", "eval", "evaluation"),
}  # as the `datasets` library reads them


def layout(name: str, files: Iterable[str], card: dict, config: str | None = None) -> tuple[str, dict[str, str]]:
    """Choose a configuration and name its files by split.

    Args:
        name: of the repository, for messages.
        files: paths in the repository.
        card: metadata of its README; its `configs` decide if there are any, else folders' and files' names do.
        config: a configuration; may be left out if there is one only, or one is the default.

    Returns:
        The configuration, and {local name, such as "train-00000-of-00002.parquet": path in the repository}.

    Raises:
        UserError: no data files, or no such configuration, or several and none named.
    """
    files = sorted(files)
    data = [f for f in files if f.endswith(sum(FORMATS, ())) and PurePosixPath(f).name not in DESCRIPTIONS]
    if not data:
        script = any(f.endswith(".py") for f in files)
        raise UserError(
            f"dataset {name} has no parquet, csv or json files ({len(files)} others); "
            + ("its loading script is never run: " if script else "")
            + "try revision='refs/convert/parquet', or another dataset."
        )
    listed = [
        c for c in card.get("configs") or [] if isinstance(c, dict) and (c.get("data_files") or c.get("data_dir"))
    ]
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
        patterns = [_pattern(str(p)) for p in (patterns if isinstance(patterns, list) else [patterns])]
        files = [f for f in data if any(p.fullmatch(f) for p in patterns)]
        if files:
            splits.setdefault(str(row.get("split", "train")), []).extend(files)
    return splits


def _pattern(glob: str) -> re.Pattern:
    parts = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    pieces = re.split(r"(\*\*/|\*\*|\*|\?)", glob.removeprefix("./"))
    return re.compile("".join(parts.get(piece, re.escape(piece)) for piece in pieces))


def _from_folders(data: list[str]) -> dict[str, dict[str, list[str]]]:
    groups: dict[str, list[str]] = {}
    for file in data:
        first = file.split("/")[0]
        named = "/" in file and first != "data" and _word(first) is None
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
    return next((word for part in reversed(file.parts) if (word := _word(part))), None)


def _word(part: str) -> str | None:
    words = re.split(r"[-._ 0-9]+", part.lower())
    return next((split for split, known in WORDS.items() if set(known) & set(words)), None)


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
