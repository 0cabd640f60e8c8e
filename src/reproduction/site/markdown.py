"""What the index shows of the README, read with the Markdown library that renders the notebooks."""

import re
from pathlib import Path
from typing import Any

import mistune

from twophase.errors import UserError

LINKED = ("figures", "tables")  # folders of results/ that the site has copies of
parse = mistune.create_markdown(renderer=None, plugins=["table"])


def text(token: dict[str, Any]) -> str:
    """The plain text of a token."""
    return token.get("raw", "") + "".join(text(child) for child in token.get("children", []))


class Linked(mistune.HTMLRenderer):
    """HTML with links behind each code span that names a page (`01_models`) or files (`figures/figure_1_DOMAIN.*`).

    Args:
        addresses: of the pages: stem -> label -> address.
        domains: what DOMAIN stands for.
        folder: the site.
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

    Raises:
        UserError: the file is not there, or lacks one of them.
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
