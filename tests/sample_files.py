"""Files of small labelled tasks, and the rows of what is read from them."""

import io

import numpy as np
import pandas as pd
from PIL import Image

ROWS = [(f"a message, number {i}", ("ham", "spam")[i % 2]) for i in range(20)]


def table(folder, rows=ROWS, name="data.csv", columns=("text", "label")):
    frame = pd.DataFrame(rows, columns=columns)
    if name.endswith(".parquet"):
        frame.to_parquet(folder / name)
    elif name.endswith(".jsonl"):
        frame.to_json(folder / name, orient="records", lines=True)
    elif name.endswith(".json"):
        frame.to_json(folder / name, orient="records")
    else:
        frame.to_csv(folder / name, index=False, sep="\t" if name.endswith(".tsv") else ",")
    return folder / name


def jpeg(shade, side=24):
    out = io.BytesIO()
    noise = np.random.default_rng(shade).integers(0, 60, (side, side, 3))
    Image.fromarray((noise + shade).astype(np.uint8)).save(out, "JPEG")
    return out.getvalue()


def pictures(folder, classes=("cat", "dog"), each=6, shade=0):
    for number, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for i in range(each):
            (folder / name / f"{i}.jpg").write_bytes(jpeg(shade + 20 * number + i))
    return folder


def plain(made):
    """Every row of every split, as values that compare."""
    return {split: [tuple(row.values()) for row in rows.with_format("pandas")[:].to_dict("records")]
            for split, rows in made.task.items() if "text" in rows.features}  # fmt: skip


def texts(made):
    return {split: list(rows["text"]) for split, rows in made.task.items()}


def all_texts(made):
    return {text for split in texts(made).values() for text in split}
