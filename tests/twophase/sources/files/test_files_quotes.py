"""Quotation marks that stand open in a user's table: no row may vanish in the cell of another."""

import pytest
from sample_files import ROWS, all_texts, table

from twophase.sources.files.reader import read


def lines(sign, label_first, marks):
    """240 rows with one label more and more often, those of `marks` beginning or ending with a quotation mark."""
    for i in range(240):
        text = marks.get(i, "{}").format(f"text number {i} goes on")
        cells = [text, "xy"[i % 2]]
        yield sign.join(cells[::-1] if label_first else cells)


BEGIN, END = '"{}', '{} of 19"'
OPEN = {
    "six": dict.fromkeys((20, 60, 90, 130, 170, 201), BEGIN),
    "neighbours": {20: BEGIN, 21: BEGIN},
    "an odd one": dict.fromkeys((20, 60, 90), BEGIN),
    "closed by a sign for inches": {20: BEGIN, 25: END},
}


@pytest.mark.parametrize("name", ["d.csv", "d.tsv"])
@pytest.mark.parametrize("label_first", [False, True])
@pytest.mark.parametrize("marks", OPEN.values(), ids=OPEN)
def test_a_mark_that_stands_open_takes_in_no_rows(tmp_path, name, label_first, marks):
    sign = "\t" if name == "d.tsv" else ","
    head = sign.join(["label", "text"] if label_first else ["text", "label"])
    (tmp_path / name).write_text("\n".join([head, *lines(sign, label_first, marks)]))
    made = read("csv", tmp_path / name)
    expected = {i: marks.get(i, "{}").format(f"text number {i} goes on") for i in range(240)}
    assert all_texts(made) == set(expected.values())
    assert made.said[0].startswith(f"train: 240 rows in {name} (241 lines), 240 read; set apart: 48 for test and 24")
    where = "" if len(marks) == 3 else " (the first in line 22)"
    assert f"{name}: quotation marks stand open{where}; read without quoting, a row a line" in made.notes
    label = made.task["train"].features["label"]
    found = {row["text"]: label.int2str(row["label"]) for rows in made.task.values() for row in rows}
    assert found == {text: "xy"[i % 2] for i, text in expected.items()}


@pytest.mark.parametrize(
    "text",
    [
        "Dear Sir,\nI write, again\nyours",  # as many commas a line as the header
        "Hello John,\nthanks",
        'he said "no"\nand, left',
        "one, two\r\nthree, four\r\nfive",
    ],
)
def test_a_text_of_several_lines_stays_one_text(tmp_path, text):
    path = table(tmp_path, [*ROWS, (text, "ham")])
    made = read("csv", path)
    assert text in all_texts(made)
    assert made.said[0].startswith(f"train: 21 rows in data.csv ({22 + text.count(chr(10))} lines), 21 read; set apart")
    assert not any("quotation" in note for note in made.notes)


def test_cells_in_quotes_lose_them_where_the_table_is_read_without_quoting(tmp_path):
    rows = [f'"text {i}",{"xy"[i % 2]}' for i in range(20)]
    rows[4], rows[5] = '"one "word" of it",x', '"it stands open,y'
    (tmp_path / "d.csv").write_text("\n".join(['"text",label', *rows]))
    made = read("csv", tmp_path / "d.csv")
    assert list(made.counts.index) == ["x", "y"] and made.counts.to_numpy().sum() == 20
    assert all_texts(made) == {
        'one "word" of it',
        '"it stands open',
        *(f"text {i}" for i in range(20) if i not in (4, 5)),
    }
