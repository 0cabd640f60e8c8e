"""A dataset's files as a hub has them (parts, labels as numbers) as one file a split, which `tasks.files` reads."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from twophase.errors import UserError
from twophase.sources.files import tables

PART = re.compile(r"(?P<split>train|validation|test)\b.*\.(?P<kind>parquet|csv|jsonl|json)$")


def gather(folder: str | Path, target: str | Path, splits: Mapping[str, str] | None = None) -> Path:
    """Write `target`/SPLIT.parquet from the parts in `folder`; returns `target`.

    `splits`: train, validation, test -> what the hub calls it; others are left out. None: by their own names.

    Numbers of a column that the hub's schema calls a class label become the names that go with them; -1 (no label) is empty.

    Raises:
        UserError: no part is of a split that this project knows, a file cannot be read, or columns differ between parts.
    """
    folder, target = Path(folder), Path(target)
    parts: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        if splits is None:
            if found := PART.match(path.name):
                parts.setdefault(found["split"], []).append(path)
        else:
            for split, named in splits.items():
                if path.name.startswith(f"{named}-"):
                    parts.setdefault(split, []).append(path)
    if absent := sorted(set(splits or ()) - set(parts)):
        there = ", ".join(sorted({path.name.split("-")[0] for path in folder.iterdir()}))
        raise UserError(f"the dataset in {folder} has no split {(splits or {})[absent[0]]!r}; its splits: {there}.")
    if "train" not in parts:
        raise UserError(
            f"the dataset in {folder} has no training split ({', '.join(sorted(p.name for p in folder.iterdir()))})."
        )
    target.mkdir(parents=True, exist_ok=True)
    for split, files in parts.items():
        try:
            frame = pd.concat([_read(file) for file in files], ignore_index=True)
            frame.to_parquet(target / f"{split}.parquet", index=False)
        except (ValueError, OSError, pa.ArrowException) as error:
            raise UserError(
                f"split {split} of the dataset in {folder} cannot be read: {str(error).splitlines()[0]}."
            ) from error
    return target


def _read(path: Path) -> pd.DataFrame:
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        frame = table.to_pandas()
        for column, names in _class_labels(table.schema).items():
            frame[column] = [names[number] if 0 <= number < len(names) else None for number in frame[column]]
        return frame
    return tables.read(path.suffix[1:].replace("jsonl", "json"), path, [])


def _class_labels(schema: pa.Schema) -> dict[str, list[str]]:
    """Column -> names of its classes, from the `datasets` library's note in the schema."""
    note = (schema.metadata or {}).get(b"huggingface")
    features = json.loads(note).get("info", {}).get("features", {}) if note else {}
    return {
        name: list(kind["names"])
        for name, kind in features.items()
        if isinstance(kind, dict) and kind.get("_type") == "ClassLabel" and kind.get("names")
    }
