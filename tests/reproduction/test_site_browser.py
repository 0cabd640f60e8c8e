"""The site as its readers see it: every page in a real browser, and a check that can fail."""

from pathlib import Path

import nbformat
from browser import faults, visit

NOTEBOOKS = sorted((Path(__file__).parents[2] / "results" / "notebooks").glob("*.ipynb"))
DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def test_every_page_in_the_browser(site, tmp_path):
    """Every figure of every executed notebook is seen, no error is, and nothing comes from elsewhere."""
    pages = sorted(path.name for path in site.glob("*.html"))
    assert pages == sorted(["index.html", *(f"{path.stem}.html" for path in NOTEBOOKS)])
    reports, requests = visit(site, pages, tmp_path)
    assert {page: faults(report) for page, report in reports.items()} == {page: [] for page in pages}
    assert [path for path, code in requests if code != 200] == []
    for path in NOTEBOOKS:
        outputs = [o for cell in nbformat.read(path, 4).cells for o in cell.get("outputs", []) if "data" in o]
        figures = sum("image/png" in output.data for output in outputs)
        assert len(reports[f"{path.stem}.html"]["images"]) == figures
    assert len(reports["index.html"]["images"]) >= 6


def test_a_narrow_window_scrolls_tables_not_pages(site, tmp_path):
    pages = ["index.html", *(f"{path.stem}.html" for path in NOTEBOOKS)]
    reports, _ = visit(site, pages, tmp_path, width=400)
    assert {page: report["overflow"] for page, report in reports.items()} == dict.fromkeys(pages, 0)


def test_the_browser_finds_what_is_broken(tmp_path):
    folder = tmp_path / "site"
    folder.mkdir()
    for name, body in {
        "image": '<img src="none.png">',
        "bytes": '<img src="data:image/png;base64,AAAA">',
        "script": '<script src="https://example.org/x.js"></script>',
        "error": '<div class="output_error">KeyError: 1</div>',
        "traceback": "<pre>Traceback (most recent call last)</pre>",
        "wide": '<p style="width: 3000px">x',
        "whole": f'<img src="data:image/png;base64,{DOT}">',
    }.items():
        (folder / f"{name}.html").write_text(f"<!DOCTYPE html><html><body>{body}</body></html>")
    reports, requests = visit(folder, [path.name for path in sorted(folder.iterdir())], tmp_path / "profile")
    found = {page: faults(report) for page, report in reports.items()}
    assert found["whole.html"] == []
    assert found["image.html"] == ["broken image none.png"] and ("/none.png", 404) in requests
    assert found["bytes.html"] == ["broken image data:image/png;base64,AAAA"]
    assert found["script.html"] == ["loads https://example.org/x.js"]
    assert found["error.html"] == ["shows the error KeyError: 1"]
    assert found["traceback.html"] == ["shows a traceback"]
    assert len(found["wide.html"]) == 1 and "wider than the window" in found["wide.html"][0]
