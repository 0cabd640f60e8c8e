"""The executed notebooks as web pages with an index, readable without a network."""

import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mistune
import nbformat
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from nbconvert import HTMLExporter
from nbformat import NotebookNode
from PIL import Image
from pygments.formatters import HtmlFormatter

from twophase.commands.select import report
from twophase.errors import UserError

TEMPLATES = Path(__file__).with_name("templates")
MARK = '<meta name="generator" content="twophase">'  # a folder without it is not ours to replace
LINKED = ("figures", "tables")  # folders of results/ that the site has copies of
HEADLINE = {  # figures of the index, as far as they are there: of each domain, or of all
    "figure_regret": "Regret of the methods",
    "figure_cost": "Cost and regret of the methods, each dataset in turn as target",
    "figure_5": "Fig. 5: average accuracy of the K models recalled",
    "figure_7": "Fig. 7: accuracy of the model selected",
}
parse = mistune.create_markdown(renderer=None, plugins=["table"])


@dataclass(frozen=True, eq=False)
class Page:
    """An executed notebook."""

    stem: str  # its file's name without the domain
    domain: str  # for example "cv"; "" where it is about all of them
    title: str  # its first heading
    notebook: NotebookNode

    @property
    def address(self) -> str:
        return f"{self.stem}_{self.domain}.html" if self.domain else f"{self.stem}.html"


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
    named = sorted({page.domain for page in pages} - {""})
    domains = [*named, *{page.domain for page in pages}.difference(named)]  # "", all of them, is last
    lists = {domain: [page for page in pages if page.domain == domain] for domain in domains}
    options = {"autoescape": True, "undefined": StrictUndefined, "trim_blocks": True, "lstrip_blocks": True}
    templates = Environment(loader=FileSystemLoader([TEMPLATES, report.TEMPLATES]), **options)
    templates.globals.update(mark=MARK, highlighting=HtmlFormatter().get_style_defs(".highlight"))
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as beside:
        new = Path(beside) / "site"
        new.mkdir()
        for kind in LINKED:
            if (results / kind).is_dir():
                shutil.copytree(results / kind, new / kind)
        page_html = templates.get_template("page.html.j2")
        # nbconvert's full pages would load scripts from the network; its cells load none
        bare = dict.fromkeys(("exclude_anchor_links", "exclude_input_prompt", "exclude_output_prompt"), True)
        exporter = HTMLExporter(template_name="basic", template_file=str(TEMPLATES / "cells.html.j2"), **bare)
        for page in pages:
            for cell in page.notebook.cells:
                cell.metadata.setdefault("alt", (cell.source.splitlines() or [""])[-1])
            body = exporter.from_notebook_node(page.notebook)[0]
            # of all domains: in the line of the first
            line = [None, *(other for other in pages if other.domain in (page.domain or domains[0], "")), None]
            place = line.index(page)
            others = [other for other in pages if other.stem == page.stem and other is not page]
            html = page_html.render(page=page, body=body, before=line[place - 1], after=line[place + 1], others=others)
            (new / page.address).write_text(html, encoding="utf-8")
        addresses: dict[str, dict[str, str]] = {}
        for page in pages:
            addresses.setdefault(page.stem, {})[page.domain or "page"] = page.address
        parts = read_readme(readme, Linked(addresses, named, new))
        figures = {caption: _figures(new, stem, [*named, ""]) for stem, caption in HEADLINE.items()}
        html = templates.get_template("index.html.j2").render(domains=lists, figures=figures, **parts)
        (new / index.name).write_text(html, encoding="utf-8")
        if target.exists():
            shutil.rmtree(target)
        new.rename(target)
    return index


def read_pages(results: Path) -> list[Page]:
    """The executed notebooks by name; a domain is a folder of `results` that holds records.

    Raises UserError where there are none, or one cannot be read.
    """
    # what a failed execution leaves behind (NAME.failed.ipynb) is no result
    paths = sorted(path for path in results.glob("notebooks/*.ipynb") if "." not in path.stem)
    if not paths:
        raise UserError(f"{results / 'notebooks'} holds no executed notebook; run `make repro`.")
    domains = sorted((path.parent.name for path in results.glob("*/records.csv")), key=len, reverse=True)
    pages = []
    for path in paths:
        try:
            notebook = nbformat.read(path, as_version=4)
        except (ValueError, nbformat.ValidationError):
            raise UserError(f"{path} is not a notebook; remove it and run `make repro`.") from None
        domain = next((domain for domain in domains if path.stem.endswith(f"_{domain}")), "")
        prose = (token for cell in notebook.cells if cell.cell_type == "markdown" for token in parse(cell.source))
        title = next((text(token) for token in prose if token["type"] == "heading"), path.stem)
        pages.append(Page(path.stem.removesuffix(f"_{domain}") if domain else path.stem, domain, title, notebook))
    return pages


def _figures(site: Path, stem: str, domains: list[str]) -> dict[str, tuple[str, int]]:
    """Domain -> address of a figure and its width in CSS pixels."""
    found = {}
    for domain in domains:
        name = f"figures/{'_'.join(filter(None, (stem, domain)))}.png"
        if (site / name).is_file():
            with Image.open(site / name) as image:
                found[domain] = (name, image.width // 2)  # crisp on screens of double density
    return found


def text(token: dict[str, Any]) -> str:
    """The plain text of a token of Markdown."""
    return token.get("raw", "") + "".join(text(child) for child in token.get("children", []))


class Linked(mistune.HTMLRenderer):
    """HTML with links behind each code span that names a page (`01_models`) or files (`figures/figure_1_DOMAIN.*`).

    `addresses` are those of the pages (stem -> label -> address), `domains` what DOMAIN stands for; `folder` is the site.
    """

    def __init__(self, addresses: dict[str, dict[str, str]], domains: list[str], folder: Path):
        super().__init__()
        self.addresses, self.domains, self.folder = addresses, domains, folder

    def codespan(self, text: str) -> str:
        links = self.addresses.get(text) or self._files(text)
        made = " ".join(self.link(mistune.escape(label), address) for label, address in links.items())
        return super().codespan(text) + (f' <span class="links">{made}</span>' if made else "")

    def _files(self, pattern: str) -> dict[str, str]:
        if not pattern.startswith(tuple(f"{kind}/" for kind in LINKED)):
            return {}
        start = len(re.split(r"DOMAIN|\*", pattern)[0])
        names = [pattern.replace("DOMAIN", domain) for domain in self.domains] if "DOMAIN" in pattern else [pattern]
        paths = [path.relative_to(self.folder).as_posix() for name in names for path in sorted(self.folder.glob(name))]
        return {path[start:] or Path(path).suffix[1:]: path for path in paths}


def read_readme(path: Path, renderer: Linked) -> dict[str, str]:
    """Title, introduction, headline tables, their legend and the map of the README; all but the title as HTML.

    Raises UserError where the file is not there, or lacks one of them.
    """
    if not path.is_file():
        raise UserError(f"{path} does not exist; the index is made from the repository's README.md.")
    tokens = [token for token in parse(path.read_text(encoding="utf-8")) if token["type"] != "blank_line"]
    places = {"heading": [], "headline": [], "/headline": [], "map": []}
    for place, token in enumerate(tokens):
        if token["type"] == "heading":
            places["heading"].append(place)
        elif token["type"] == "table" and text(token).startswith("item of the paper"):
            places["map"].append(place)
        elif mark := re.match(r"<!-- (/?headline)\b", token.get("raw", "")):
            places[mark[1]].append(place)
    if len(places["heading"]) < 2 or not all(places.values()):
        raise UserError(f"{path} lacks a title, `<!-- headline -->` … `<!-- /headline -->` or the map of the items.")
    (title, second, *_), first, last = places["heading"], places["headline"][0], places["/headline"][0]
    html = mistune.create_markdown(renderer=renderer, plugins=["table"])

    def render(begin: int, end: int) -> str:
        return html.renderer.render_tokens(tokens[begin:end], html.block.state_cls())

    return {
        "title": text(tokens[title]),
        "introduction": render(title + 1, second),
        "headline": render(first + 1, last),
        "legend": render(last + 1, last + 2),
        "map": render(places["map"][0], places["map"][0] + 1),
    }
