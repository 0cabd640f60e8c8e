"""The site without a browser: every link, twice the same bytes, hostile text, neighbours, clear refusals."""

import base64
import shutil
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from reproduction.site import MARK, build
from reproduction.site.__main__ import main
from twophase.errors import UserError

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "results" / "notebooks").glob("*.ipynb"))
README = """# A & B\n\nIntroduction.\n\n## Rest\n\n<!-- headline: x -->\n| a | b |\n|---|---|\n| <i>1 | 2 |
<!-- /headline -->\n\nLegend.\n\n| item of the paper | notebook | files |\n|---|---|---|
| Fig. 1 | `01_one` | `figures/figure_1_DOMAIN.*`, `tables/none_DOMAIN.csv` |\n"""
DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


class References(HTMLParser):
    """Of a page: where it links to, and what it loads."""

    def __init__(self, text):
        super().__init__()
        self.links, self.loads = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name in ("href", "src", "srcset", "data", "poster"):
                (self.links if tag == "a" else self.loads).append(value)


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def small(tmp_path):
    """Results of two domains with hostile text, one notebook about both, and a README."""
    results = tmp_path / "results"
    (tmp_path / "README.md").write_text(README)
    dot = new_output("display_data", {"image/png": DOT})
    for name, cells in {
        "01_one_cv": [new_markdown_cell("# <script>x</script> & *first*\n\n# later"), new_code_cell("f('<b>')", outputs=[dot])],
        "01_one_nlp": [new_markdown_cell("text"), new_code_cell("1", outputs=[new_output("stream", text="<b>&")])],
        "02_two_cv": [new_markdown_cell("## Two")],
        "09_both": [new_markdown_cell("# Both")],
        "02_two_nlp.failed": [],
    }.items():  # fmt: skip
        (results / "notebooks").mkdir(parents=True, exist_ok=True)
        nbformat.write(new_notebook(cells=cells), results / "notebooks" / f"{name}.ipynb")
    for domain in ("cv", "nlp"):
        (results / domain).mkdir()
        (results / domain / "records.csv").touch()
    (results / "figures").mkdir()
    (results / "figures" / "figure_1_cv.svg").touch()
    (results / "figures" / "figure_regret.png").write_bytes(base64.b64decode(DOT))
    return tmp_path


def test_every_link_resolves_and_nothing_is_loaded_from_elsewhere(site):
    linked = set()
    for page in site.glob("*.html"):
        references = References(page.read_text())
        assert not [address for address in references.loads if urlsplit(address).scheme not in ("", "data")]
        assert "@import" not in page.read_text() and "url(" not in page.read_text()
        for address in references.links + references.loads:
            if not urlsplit(address).scheme:
                path = unquote(urlsplit(urljoin(page.name, address)).path)
                assert (site / path).is_file(), f"{page.name} links to {address}"
                linked.add((page.name, path))
    assert {f"{path.stem}.html" for path in NOTEBOOKS} <= {path for page, path in linked if page == "index.html"}


def test_a_second_build_replaces_the_first_with_the_same_bytes(small):
    target = small / "site"
    first = files(build(small / "results", small / "README.md", target).parent)
    (target / "old.html").touch()
    assert files(build(small / "results", small / "README.md", target).parent) == first
    assert sorted(path.name for path in small.iterdir()) == ["README.md", "results", "site"]


def test_names_titles_and_text_are_escaped(small):
    made = files(build(small / "results", small / "README.md", small / "site").parent)
    assert sorted(made) == ["01_one_cv.html", "01_one_nlp.html", "02_two_cv.html", "09_both.html",
                            "figures/figure_1_cv.svg", "figures/figure_regret.png", "index.html"]  # fmt: skip
    page, index = made["01_one_cv.html"].decode(), made["index.html"].decode()
    assert "<title>&lt;script&gt;x&lt;/script&gt; &amp; first · cv</title>" in page and "alt=\"f('&lt;b&gt;')\"" in page
    assert "&lt;script&gt;x&lt;/script&gt; &amp; first</a>" in index and "<script" not in index
    assert "<title>A &amp; B</title>" in index and "&lt;i&gt;1" in index
    assert "&lt;b&gt;&amp;" in made["01_one_nlp.html"].decode() and ">01_one_nlp</a>" not in page


def test_pages_lead_to_their_neighbours(small):
    made = build(small / "results", small / "README.md", small / "site").parent
    links = {page.stem: list(dict.fromkeys(References(page.read_text()).links)) for page in made.glob("*.html")}
    assert links["01_one_cv"] == ["index.html", "02_two_cv.html", "01_one_nlp.html"]
    assert links["01_one_nlp"] == ["index.html", "09_both.html", "01_one_cv.html"]
    assert links["02_two_cv"] == ["index.html", "01_one_cv.html", "09_both.html"]
    assert links["09_both"] == ["index.html", "02_two_cv.html"]
    pages = [f"{name}.html" for name in ("01_one_cv", "02_two_cv", "01_one_nlp", "09_both")]
    assert links["index"] == ["figures/figure_regret.png", *pages, "figures/figure_1_cv.svg"]


def test_refusals_say_what_to_do(small):
    results, readme, target = small / "results", small / "README.md", small / "site"
    (small / "mine").mkdir()
    with pytest.raises(UserError, match="holds something else than a site"):
        build(results, readme, small / "mine")
    readme.write_text(README.replace("<!-- headline: x -->", ""))
    with pytest.raises(UserError, match="lacks a title"):
        build(results, readme, target)
    with pytest.raises(UserError, match="NONE.md does not exist"):
        build(results, small / "NONE.md", target)
    (results / "notebooks" / "01_one_cv.ipynb").write_text("{")
    with pytest.raises(UserError, match=r"01_one_cv\.ipynb is not a notebook; .* `make repro`"):
        build(results, readme, target)
    shutil.rmtree(results / "notebooks")
    with pytest.raises(UserError, match="notebooks holds no executed notebook; run `make repro`"):
        build(results, readme, target)
    assert not target.exists()


def test_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(ROOT / "notebooks")
    assert main(["--target", str(tmp_path / "site")]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'site' / 'index.html'}\n"
    assert MARK in (tmp_path / "site" / "index.html").read_text()
    monkeypatch.chdir(tmp_path)
    assert main([]) == 2
    assert "is not inside the repository" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stop:
        main(["--none"])
    assert stop.value.code == 2
