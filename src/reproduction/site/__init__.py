"""The executed notebooks as web pages with an index, readable without a network."""

import shutil
import tempfile
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from nbconvert import HTMLExporter
from PIL import Image
from pygments.formatters import HtmlFormatter

from reproduction.site.markdown import LINKED, Linked, read_readme
from reproduction.site.pages import by_domain, neighbours, read_pages
from twophase.commands.select import report
from twophase.errors import UserError

TEMPLATES = Path(__file__).with_name("templates")
MARK = '<meta name="generator" content="twophase">'  # a folder without it is not ours to replace
HEADLINE = {  # figures of the index, as far as they are there: of each domain, or of all
    "figure_regret": "Regret of the methods",
    "figure_cost": "Cost and regret of the methods, each dataset in turn as target",
    "figure_5": "Fig. 5: average accuracy of the K models recalled",
    "figure_7": "Fig. 7: accuracy of the model selected",
}


def build(results: str | Path, readme: str | Path, target: str | Path) -> Path:
    """Write a page a notebook, the index, and copies of figures and tables to `target`; returns the index's path.

    The same results give the same bytes. A site that stands at `target` is replaced once the new one is complete.

    Raises:
        UserError: no executed notebooks, a README without what the index shows, or a `target` that is no such site.
    """
    results, readme, target = Path(results), Path(readme), Path(target)
    index = target / "index.html"
    if target.exists() and not (index.is_file() and MARK in index.read_text(encoding="utf-8")):
        raise UserError(f"{target} holds something else than a site; remove it or name another folder.")
    pages = read_pages(results)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as beside:
        new = Path(beside) / "site"
        new.mkdir()
        for kind in LINKED:
            if (results / kind).is_dir():
                shutil.copytree(results / kind, new / kind)
        template = _templates()
        bodies = _bodies(pages)
        for page, body in zip(pages, bodies, strict=True):
            html = template("page.html.j2").render(page=page, body=body, **neighbours(page, pages))
            (new / page.address).write_text(html, encoding="utf-8")
        domains = by_domain(pages)
        addresses = {}
        for page in pages:
            addresses.setdefault(page.stem, {})[page.domain or "page"] = page.address
        parts = read_readme(readme, Linked(addresses, [domain for domain in domains if domain], new))
        figures = _figures(new, [*filter(None, domains), ""])
        html = template("index.html.j2").render(domains=domains, figures=figures, **parts)
        (new / index.name).write_text(html, encoding="utf-8")
        if target.exists():
            shutil.rmtree(target)
        new.rename(target)
    return index


def _templates():
    environment = Environment(
        loader=FileSystemLoader([TEMPLATES, report.TEMPLATES]), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.globals.update(mark=MARK, highlighting=HtmlFormatter().get_style_defs(".highlight"))
    return environment.get_template


def _bodies(pages: list) -> list[str]:
    """The notebooks' cells as HTML. nbconvert's full pages would load scripts from the network; its cells load none."""
    exporter = HTMLExporter(
        template_name="basic", template_file=str(TEMPLATES / "cells.html.j2"), exclude_anchor_links=True,
        exclude_input_prompt=True, exclude_output_prompt=True,
    )  # fmt: skip
    for page in pages:
        for cell in page.notebook.cells:
            cell.metadata.setdefault("alt", (cell.source.splitlines() or [""])[-1])
    return [exporter.from_notebook_node(page.notebook)[0] for page in pages]


def _figures(site: Path, domains: list[str]) -> dict[str, dict[str, tuple[str, int]]]:
    """Caption -> domain -> address and width in CSS pixels."""
    found = {}
    for stem, caption in HEADLINE.items():
        found[caption] = {}
        for domain in domains:
            name = f"figures/{stem}_{domain}.png" if domain else f"figures/{stem}.png"
            if (site / name).is_file():
                with Image.open(site / name) as image:
                    found[caption][domain] = (name, image.width // 2)  # crisp on screens of double density
    return found
