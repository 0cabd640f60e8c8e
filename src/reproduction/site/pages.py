"""The executed notebooks of a results folder, in order and with their neighbours."""

from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from reproduction.site.markdown import parse, text
from twophase.errors import UserError


@dataclass(frozen=True, eq=False)
class Page:
    """An executed notebook.

    Attributes:
        stem: its file's name without the domain.
        domain: for example "cv"; "" where it is about all of them.
        title: its first heading.
        notebook: its content.
    """

    stem: str
    domain: str
    title: str
    notebook: NotebookNode

    @property
    def address(self) -> str:
        return f"{self.stem}_{self.domain}.html" if self.domain else f"{self.stem}.html"


def read_pages(results: Path) -> list[Page]:
    """The executed notebooks by name; a domain is a folder of `results` that holds records.

    Raises:
        UserError: there are none, or one cannot be read.
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


def by_domain(pages: list[Page]) -> dict[str, list[Page]]:
    """Domain -> its pages; what is about all domains comes last, under ""."""
    domains = sorted({page.domain for page in pages}, key=lambda domain: (not domain, domain))
    return {domain: [page for page in pages if page.domain == domain] for domain in domains}


def neighbours(page: Page, pages: list[Page]) -> dict[str, Page | list[Page] | None]:
    """The pages before and after it in its domain (of all domains: in the first), and the same of other domains."""
    domain = page.domain or next(iter(by_domain(pages)))
    line = [None, *(other for other in pages if other.domain in (domain, "")), None]
    place = line.index(page)
    others = [other for other in pages if other.stem == page.stem and other is not page]
    return {"before": line[place - 1], "after": line[place + 1], "others": others}
