"""The site as a book: `make site` runs Sphinx with the repository as source folder and this file's as configuration."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
project, author, copyright = "twophase", "the twophase developers", "the twophase developers"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
root_doc, html_theme, html_title = "docs/index", "furo", "twophase"
include_patterns = ["README.md", "CONTRIBUTING.md", "docs/*.md", "results/notebooks/*.ipynb"]
exclude_patterns = ["**/*.failed.ipynb"]
nb_execution_mode = "off"  # notebooks are shown as the stages executed them
myst_enable_extensions, myst_heading_anchors = ["dollarmath"], 3
autodoc_member_order, autodoc_typehints = "bysource", "signature"
html_static_path, html_css_files = ["_static"], ["site.css"]
html_copy_source = html_show_sphinx = False
suppress_warnings = ["mystnb.unknown_mime_type"]


def contact_sheet(app, document: str, source: list[str]) -> None:
    """Append every committed figure to docs/figures.md."""
    if document == "docs/figures":
        for figure in sorted((ROOT / "results" / "figures").glob("*.png")):
            source[0] += f"\n## {figure.stem}\n\n![{figure.stem}](../results/figures/{figure.name})\n"


def front_page(app, error: Exception | None) -> None:
    """Lead from the top of the site to its first page."""
    if not error:
        Path(app.outdir, "index.html").write_text('<meta http-equiv="refresh" content="0; url=docs/index.html">\n')


def setup(app) -> None:
    app.connect("source-read", contact_sheet)
    app.connect("build-finished", front_page)
