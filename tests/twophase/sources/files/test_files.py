"""Faults of a user's tables, and the message for each."""

import os

import pandas as pd
import pytest
from sample_files import ROWS, pictures, table

from twophase.errors import UserError
from twophase.sources.files.reader import read

# (kind, what to write, options, message)


def written(content, name="data.csv"):
    def make(folder):
        path = folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return make


def rows(*given, name="data.csv", columns=("text", "label")):
    return lambda folder: table(folder, list(given), name, columns)


def directory(folder):
    table(folder, name="data.csv"), table(folder, name="other.csv")
    return folder


def in_part(folder):
    table(folder, name="train-00000-of-00003.csv"), table(folder, name="train-00002-of-00003.csv")
    return folder


def unlike_parts(folder):
    table(folder, name="train-1.csv"), table(folder, name="train-2.csv", columns=("text", "kind"))
    return folder


def not_utf8(folder):
    return table(folder).rename(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.csv"))


def split_not_utf8(folder):
    return table(folder).rename(os.fsdecode(os.fsencode(folder) + b"/train \xe9.csv")).parent


def open_quotes(folder):
    """A quotation mark that takes in rows, and a text of several lines beside it: not even a row a line is right."""
    lines = [f"text {i},{'xy'[i % 2]}" for i in range(60)]
    lines[5], lines[9], lines[30] = f'"{lines[5]}', f'"{lines[9]}', '"two\nlines, of a text",y'
    return written("\n".join(["text,label", *lines]))(folder)


def sparse(folder):
    lines = [f"a text {i},{'pq'[i % 2] if i < 20 else ' '}" for i in range(240)]
    return written("\n".join(["text,label", *lines]))(folder)


def truncated_parquet(folder):
    path = table(folder, name="d.parquet")
    path.write_bytes(path.read_bytes()[:-30])
    return path


def loop(folder):
    (folder / "loop.csv").symlink_to(folder / "loop.csv")
    return folder / "loop.csv"


def doubled(folder):
    for name in ("train", "val", "dev"):
        table(folder, name=f"{name}.csv")
    return folder


ALL = rows(*ROWS)
FAULTS = {
    "missing file": ("csv", lambda f: f / "none.csv", {}, r"none\.csv does not exist; give the path"),
    "missing test": ("csv", ALL, {"test": "none.csv"}, r"none\.csv does not exist"),
    "unknown kind": ("excel", ALL, {}, "unknown kind of file 'excel'; known: csv, json, parquet, image_folder"),
    "wrong suffix": ("csv", written("x", "d.xlsx"), {}, r"a csv file ends in \.csv or \.tsv or \.txt, not \.xlsx"),
    "no suffix": ("json", written("[]", "d"), {}, r"a json file ends in .*, not nothing"),
    "excel named csv": ("csv", written(b"PK\x03\x04\0\0binary"), {}, "is an Excel or zip file, whatever its name says"),
    "utf-16": ("csv", written("text,label\na,b\n".encode("utf-16")), {}, "is UTF-16 text.*export it as UTF-8"),
    "binary": ("csv", written(b"text,label\na\0b,c\n"), {}, "a binary or damaged file .it holds zero bytes"),
    "damaged far behind": (
        "csv", written("text,label\n" + "a text,x\n" * 200_000 + "\0\0,y\n"), {}, "a binary or damaged file .it holds zero",
    ),
    "pointer for parquet": (
        "parquet", written("version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "d.parquet"), {},
        "is a pointer of Git LFS .its content was not fetched., .*export it as parquet",
    ),
    "web page": ("csv", written("\n<!DOCTYPE html><html>,</html>\n"), {}, "d?ata.csv is a web page, whatever its name says"),
    "by columns": (
        "json", written('{"text": {"0": "a"}, "label": {"0": "x"}}', "d.json"), {}, "one object, .*orient=.records",
    ),
    "dates as labels": (
        "parquet", rows(("a", pd.Timestamp("2020-01-01")), ("b", pd.Timestamp("2021-01-01")), name="d.parquet"), {},
        "row 1: the label in column 'label' is Timestamp.*; a string or a number is needed",
    ),
    "endless": ("csv", lambda f: "/dev/zero", {}, "is a folder or no plain file, where a csv file is needed"),
    "folder without training": ("csv", directory, {}, r"is a folder without a training file .train\.csv.*'data\.csv', 'other\.csv'"),
    "a part is missing": ("csv", in_part, {}, r"has 2 of the 3 parts of train .'train-00000-of-00003\.csv', .*; bring the others"),
    "parts with other columns": ("csv", unlike_parts, {}, r"train-2\.csv and train-1\.csv differ in columns .'kind', 'label'."),
    "kind of another suffix": ("csv", written("[]", "d.jsonl"), {}, r"not \.jsonl; choose task=json, or save it"),
    "name not UTF-8": ("csv", not_utf8, {}, r"caf\\udce9\.csv', a name that is not UTF-8; rename it"),
    "name of a split not UTF-8": ("csv", split_not_utf8, {}, r"the name of '.*train \\udce9\.csv' is not UTF-8; rename it"),
    "rows taken in by a quotation mark": (
        "csv", open_quotes, {},
        r"data\.csv, line 7: a quotation mark opens a cell that takes in further rows, so that 62 lines become 56 rows",
    ),
    "most labels missing": (
        "csv", sparse, {},
        r"220 of 240 rows of train would be left out .220 without a label; columns 'label', 'text'.*max_missing=0\.92 .task",
    ),
    "many texts missing": (
        "csv", rows(*ROWS, *[("", "ham")] * 3), {}, r"3 of 23 rows of train would be left out .3 without a text; .*=0\.14 .task",
    ),
    "max_missing": ("csv", ALL, {"max_missing": 1.5}, "max_missing is 1.5; give a share of the rows from 0 to 1"),
    "distinct keys": (
        "json", written("\n".join(f'{{"k{i}": 1}}' for i in range(4_000)), "d.jsonl"), {},
        "has 4,000 rows and 4,000 different columns, nearly all of them empty; give every row the same few",
    ),
    "columns without cells": (
        "csv", written("a," * 4_000 + "b\n" + "x\n" * 4_000), {}, "has 4,001 rows and 4,001 different columns, nearly all",
    ),
    "pictures that are not there": (
        "csv", rows(*((f"p{i}.PNG", "xy"[i % 2]) for i in range(9))), {},
        r"data\.csv, column 'text': 9 of 9 files cannot be read as pictures: 'p0\.PNG', .* and 6 more .no such file.",
    ),
    "addresses of pictures": (
        "csv", rows(*((f"http://x.org/{i}.jpg?w=1", "xy"[i % 2]) for i in range(9))), {"text": "text"},
        r"column 'text', row 1: 'http://x\.org/0\.jpg.w=1' is an address; download the pictures",
    ),
    "names of sounds": (
        "csv", rows(*((f"{i}.wav", "xy"[i % 2]) for i in range(9)), columns=("clip", "label")), {},
        r"column 'clip' holds names or addresses of files .'0\.wav'., no texts; give a column with the texts",
    ),
    "folder as test": ("csv", ALL, {"test": "."}, "is a folder or no plain file, where a csv file is needed"),
    "a split twice": ("csv", doubled, {}, r"has dev\.csv and val\.csv, both validation; keep one"),
    "symlink loop": ("csv", loop, {}, r"loop\.csv cannot be opened .*symbolic links"),
    "empty": ("csv", written(""), {}, r"data\.csv is empty; give"),
    "blank": ("json", written(" \n\n", "d.json"), {}, r"d\.json is empty; give"),
    "empty parquet": ("parquet", written("", "d.parquet"), {}, r"d\.parquet is empty; give"),
    "header only": ("csv", written("text,label\n"), {}, "has columns .'text', 'label'. and no rows"),
    "one row": ("csv", rows(ROWS[0]), {"text": "text", "label": "label"}, "1 training row only; give two classes"),
    "wrong column": ("csv", ALL, {"text": "txet"}, "no column 'txet' for text; columns: 'text', 'label'. Did you mean 'text'?"),
    "wrong label column": ("csv", ALL, {"label": "zzz"}, "no column 'zzz' for label; columns: 'text', 'label'. Name one"),
    "text is label": ("csv", ALL, {"text": "label", "label": "label"}, "column 'label' is named as text and as label"),
    "text twice": ("csv", ALL, {"text": "text", "text_pair": "text"}, "'text' is named as text and as text_pair"),
    "no separator": ("csv", written("text label\na b\nc d\n"), {}, "one column only, 'text label'.*by commas, tabs, semi"),
    "a column twice": ("csv", written("text,label,text\na,b,c\n"), {}, "more than one column named 'text'; rename them"),
    "an address": ("csv", lambda f: "https://example.com/a.csv", {}, "the address 'https://example.com/a.csv'; give the path of a file or"),
    "pictures as csv": ("csv", lambda f: pictures(f, each=1), {}, r"'?none. Below it are pictures: choose the kind image_"),
    "train as validation": (
        "csv", ALL, {"validation": "data.csv"}, "for train and for validation: the validation would be the training data",
    ),
    "test as validation": (
        "csv", lambda f: table(f, name="other.csv").with_name("data.csv") if table(f) else None,
        {"test": "other.csv", "validation": "other.csv"}, "the test would be the validation data",
    ),
    "no header": (
        "csv", written("".join(f"text {i},{'xy'[i % 2]}\n" for i in range(12))), {},
        "the first row .'text 0', 'x'. looks like data: 'x' is a label of other rows too",
    ),
    "no path": ("csv", lambda f: None, {}, "path is None; give the path of a file or a folder"),
    "empty path": ("csv", lambda f: "", {}, "path is ''; give the path"),
    "unknown user": ("csv", lambda f: "~nobody-of-this-name/d.csv", {}, "there is no such user; write the path out"),
    "one class": ("csv", rows(("a", "x"), ("b", "x"), ("c", "x")), {}, "one class only in column 'label': 'x'"),
    "regression": (
        "csv", rows(*((f"t {i}", i / 7) for i in range(30))), {},
        "all 30 labels in column 'label' differ .*this is not classification",
    ),
    "nearly regression": (
        "csv", rows(*((f"t {i}", i // 3 / 7 if i < 9 else i / 7) for i in range(30))), {},
        "of 2[0-9] labels in column 'label' have fewer than 3 rows.*not classification",
    ),
    "nothing like a label": (
        "csv", rows(*((f"t {i}", f"u {i}") for i in range(9)), columns=("a", "b")), {}, "no column looks like a label .2 dis",
    ),
    "nothing like a text": (
        "csv", rows(*((i, "xy"[i % 2]) for i in range(9)), columns=("a", "label")), {}, "no column holds texts beside",
    ),
    "all but one class rare": (
        "csv", rows(*((f"t {i}", "x") for i in range(5)), ("u", "y"), ("v", "z")), {},
        "1 class in column 'label' has the 3 rows that training and validation and test need.*'y .1.'",
    ),
    "all labels missing": ("csv", rows(("a", None), ("b", None)), {}, "all 2 labels in column 'label' are missing"),
    "all texts empty": ("csv", rows(("", "x"), (" ", "y")), {}, "all 2 texts in column 'text' are empty"),
    "no row with both": ("csv", rows(("a", None), (None, "y")), {}, "no row with both a text and a label"),
    "numbers as text": ("csv", rows((1, "x"), (2.5, "y")), {}, "column 'text' holds no text .*'1.0'"),
    "number among texts": (
        "json", rows(("a", "x"), (3, "y"), ("c", "x"), name="d.json"), {}, r"d\.json, row 2: 3 in column 'text' is no text",
    ),
    "numbers in json": ("json", rows((1, "x"), (3, "y"), name="d.json"), {}, "column 'text' holds no text .*1"),
    "bytes in parquet": ("parquet", rows((b"a", "x"), (b"b", "y"), name="d.parquet"), {}, "holds no text .*b'a'"),
    "list as label": ("json", rows(("a", ["x"]), ("b", ["y", "x"]), name="d.json"), {}, "row 1: the label in .* is .'x'.;"),
    "half a surrogate": (
        "json", written('[{"text": "\\ud800", "label": 1}, {"text": "b", "label": 2}]', "d.json"), {},
        "row 1: the text in column 'text' is not valid Unicode",
    ),
    "latin-1": (
        "csv", written("text,label\na,b\ncafé,d\n".encode("latin-1")), {},
        r"is not UTF-8: byte 0xe9 at offset 18 .line 3.*save as UTF-8",
    ),
    "latin-1 json": ("json", written('[{"a": "é"}]'.encode("latin-1"), "d.json"), {}, "is not UTF-8: byte 0xe9 at offset 8"),
    "ragged": ("csv", written("text,label\na,b\nc,d,e,f\n"), {}, "Expected 2 fields in line 3, saw 4"),
    "all rows too long": ("csv", written("text,label\na,b,c\nd,e,f\n"), {}, "Length of header or names does not match"),
    "open quote": ("csv", written('text,label\n"abc,d\n"x, z",y\n"'), {}, "EOF inside string starting at row"),
    "invalid json": ("json", written('[{"text": "a"},\n {"text" 3}]', "d.json"), {}, "not JSON: .* at line 2, column 10"),
    "invalid line": ("json", written('{"text": "a"}\n{"text":\n', "d.jsonl"), {}, "not JSON lines: line 2: .* at column"),
    "deep json": ("json", written("[" * 100_000, "d.json"), {}, "cannot be read as JSON .*flat objects"),
    "object": ("json", written('{"text": "a", "label": 1}', "d.json"), {}, "holds one object, not a list of objects"),
    "strings": ("json", written('["a", "b"]', "d.json"), {}, "item 1 is a string, not an object; give a list of objects"),
    "truncated parquet": ("parquet", truncated_parquet, {}, "cannot be read as parquet .*cut short, broken"),
    "not parquet": ("parquet", written("hello hello hello", "d.parquet"), {}, "cannot be read as parquet .*write it again"),
    "max_rows too low": ("csv", ALL, {"max_rows": 3}, "max_rows is 3 for 2 classes; give 4 or more"),
    "max_rows no number": ("csv", ALL, {"max_rows": 0}, "max_rows is 0; give a whole number of 1 or more"),
    "seed": ("csv", ALL, {"seed": -1}, "seed is -1; give a whole number of 0 or more"),
    "share of 0": ("csv", ALL, {"test_share": 0}, "test_share is 0; give a share of the rows between 0 and 1"),
    "share above 1": ("csv", ALL, {"validation_share": 10}, "validation_share is 10; give a share"),
    "share nan": ("csv", ALL, {"validation_share": float("nan")}, "validation_share is nan; give a share"),
    "shares of all": ("csv", ALL, {"validation_share": 0.5, "test_share": 0.5}, "sum to 1 or more, which leaves nothing"),
    "train as test": ("csv", ALL, {"test": "data.csv"}, "for test and for train: the test would be the training data"),
    "columns for pictures": ("image_folder", ALL, {"text": "text"}, "text given for an image folder"),
    "a file for pictures": ("image_folder", ALL, {}, "is a file, where a folder of pictures is needed"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_of_tables_are_named(tmp_path, fault):
    kind, make, options, message = FAULTS[fault]
    path = make(tmp_path)
    options = {key: tmp_path / value if key in ("test", "validation") else value for key, value in options.items()}
    with pytest.raises(UserError, match=f"(?s){message}"):
        read(kind, path, **options)


def test_labels_and_columns_of_the_test_file_must_be_those_of_training(tmp_path):
    train = table(tmp_path)
    with pytest.raises(UserError, match="test has labels that training lacks: 'eggs'; training has 'ham', 'spam'"):
        read("csv", train, test=table(tmp_path, [("a", "eggs"), ("b", "ham")], "t.csv"))
    with pytest.raises(UserError, match=r"u\.csv lacks column 'label' .label., .* its columns: 'text', 'kind'"):
        read("csv", train, test=table(tmp_path, [("a", "ham")], "u.csv", ("text", "kind")))
    with pytest.raises(UserError, match=r"test is given twice"):
        table(tmp_path, name="train.csv"), table(tmp_path, name="test.csv")
        read("csv", tmp_path, test=tmp_path / "t.csv")
    (tmp_path / "link.csv").symlink_to(train)
    with pytest.raises(UserError, match="the test would be the training data"):
        read("csv", train, test=tmp_path / "link.csv")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file_is_named(tmp_path):
    path = table(tmp_path)
    path.chmod(0)
    with pytest.raises(UserError, match=r"data\.csv cannot be read .*make it readable"):
        read("csv", path)
