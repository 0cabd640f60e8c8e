"""The site as its readers see it: every page in a real browser, and a check that can fail."""

from pathlib import Path

import nbformat
from browser import faults, visit

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "results" / "notebooks").glob("*.ipynb"))
FIGURES = sorted((ROOT / "results" / "figures").glob("*.png"))
DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def pages(site):
    """Its pages, but for those that Sphinx makes of an index or a search."""
    made = {"index.html", "genindex.html", "py-modindex.html", "search.html"}
    return sorted(p for path in site.rglob("*.html") if (p := path.relative_to(site).as_posix()) not in made)


def test_every_notebook_guide_and_function_has_its_place(site):
    expected = {f"results/notebooks/{path.stem}.html" for path in NOTEBOOKS}
    expected |= {f"docs/{path.stem}.html" for path in (ROOT / "docs").glob("*.md")} | {
        "README.html",
        "CONTRIBUTING.html",
    }
    assert set(pages(site)) == expected
    contents = (site / "docs" / "index.html").read_text()
    assert [
        page
        for page in expected - {"docs/index.html"}
        if f'href="../{page}"' not in contents and f'href="{page[5:]}"' not in contents
    ] == []
    reference = (site / "docs" / "api.html").read_text()
    for name in ("recall.coarse_recall", "selection.fine_selection", "pipeline.two_phase", "leader.Leader.follow"):
        assert f'id="twophase.{name}"' in reference


def test_every_page_in_the_browser(site, tmp_path):
    """Every figure of every executed notebook is seen, no error is, and nothing comes from elsewhere."""
    reports, requests = visit(site, pages(site), tmp_path)
    assert {page: faults(report) for page, report in reports.items()} == {page: [] for page in pages(site)}
    assert {(path, code) for path, code in requests if code not in (200, 304)} == set()
    for path in NOTEBOOKS:
        outputs = [o for cell in nbformat.read(path, 4).cells for o in cell.get("outputs", []) if "data" in o]
        figures = sum("image/png" in output.data for output in outputs)
        assert len(reports[f"results/notebooks/{path.stem}.html"]["images"]) == figures
    assert len(reports["docs/figures.html"]["images"]) == len(FIGURES)


def test_a_narrow_window_scrolls_tables_not_pages(site, tmp_path):
    reports, _ = visit(site, pages(site), tmp_path, width=400)
    assert {page: report["overflow"] for page, report in reports.items()} == dict.fromkeys(pages(site), 0)


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
