"""Text that every installation has: what the sources of Python and of installed packages say about themselves.

Sources are parsed with `ast`, never imported. What comes out depends on their versions only.
"""

import ast
import functools
import hashlib
import platform
import re
import sysconfig
import textwrap
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from importlib.util import find_spec
from pathlib import Path

from twophase.errors import UserError

STANDARD_LIBRARY = "python"
OTHERS = {"_vendor", "vendored", "vendor", "externals", "site-packages", "dist-packages"}
SKIPPED = OTHERS | {"tests", "test", "testing", "idlelib", "lib2to3"}  # folders
LONGEST = 600  # characters of a snippet: more than the longest input of a model here
KINDS = ("summary", "prose", "section", "parameter", "error", "comment", "code")
SECTIONS = ("Parameters", "Returns", "Raises", "Notes", "Examples", "See Also", "Attributes", "References", "Yields")
TYPES = ("callable", "array", "tensor", "bool", "dict", "list", "tuple", "str", "float", "int", "path")
_NUMPY_SECTION = re.compile(r"^([A-Z][A-Za-z ]+)\n-{3,}\s*$", re.MULTILINE)
_GOOGLE_SECTION = re.compile(
    r"^(Args|Arguments|Parameters|Returns|Raises|Note|Notes|Example|Examples|Attributes):\s*$", re.MULTILINE
)
_NUMPY_PARAMETER = re.compile(r"^(\*{0,2}\w[\w, *]*?) : (.+)\n((?:[ \t]+.*\n?)+)", re.MULTILINE)
_GOOGLE_PARAMETER = re.compile(r"^(\w+) ?\((.+?)\) ?:\s*(.*\n?(?:[ \t]+.*\n?)*)", re.MULTILINE)


@dataclass(frozen=True)
class Snippet:
    """A piece of text and what its source says about it.

    Attributes:
        kind: one of `KINDS`.
        package: its import name; `STANDARD_LIBRARY` for Python's own.
        module: file below the package's folder, with "/" and without ".py".
        name: of the function, class, parameter or exception that it belongs to.
        label: what is natural to ask of the kind: a summary's owner (function, class, method, module), a section's
            title, a parameter's declared type, the class of an error, what code does at its end
            (returns, yields, nothing).
        text: the snippet itself.
    """

    kind: str
    package: str
    module: str
    name: str
    label: str
    text: str


def folder(package: str) -> Path:
    """Where a package's sources are.

    Raises:
        UserError: it is not installed, or has no folder of sources.
    """
    if package == STANDARD_LIBRARY:
        return Path(sysconfig.get_path("stdlib"))
    found = find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise UserError(f"package {package!r} is not installed, and its text is asked for; run `make install`.")
    return Path(next(iter(found.submodule_search_locations)))


def source(package: str) -> dict[str, str]:
    """Version and licence of a package, as its installation declares them."""
    if package == STANDARD_LIBRARY:
        return {"version": platform.python_version(), "licence": "PSF-2.0"}
    try:
        about = distribution(_distributions()[package][0]).metadata
    except (KeyError, PackageNotFoundError) as error:
        raise UserError(f"package {package!r} has no installation record; install it with pip.") from error
    licence = about.get("License-Expression") or next(
        (c.split("::")[-1].strip() for c in about.get_all("Classifier") or [] if c.startswith("License")), ""
    )
    return {"version": about["Version"], "licence": licence or (about.get("License") or "not declared").splitlines()[0]}


@functools.cache
def _distributions() -> dict[str, list[str]]:
    return packages_distributions()


def harvest(package: str, files: int | None = None, kinds: Collection[str] = KINDS) -> list[Snippet]:
    """Every snippet of a package; a file that is not Python's syntax is left out.

    Args:
        package: import name, or `STANDARD_LIBRARY`.
        files: of a package with more files that many are read, drawn by the hash of their names; None: all.
        kinds: of snippets that are wanted.

    Raises:
        UserError: see `folder`.
    """
    start = folder(package)
    found: list[Snippet] = []
    inside = [path.relative_to(start) for path in start.rglob("*.py")]
    inside = [p for p in inside if not SKIPPED & set(p.parts[:-1]) and not p.name.startswith(("test_", "conftest"))]
    drawn = sorted(inside, key=lambda p: hashlib.sha256(p.as_posix().encode()).digest())[:files]
    for path in sorted(drawn):
        try:
            content = (start / path).read_text(encoding="utf-8")
            tree = ast.parse(content)
        except (SyntaxError, UnicodeDecodeError, ValueError):
            continue
        snippets = _Reader(package, str(path.with_suffix("").as_posix()), content, kinds).read(tree)
        found += [snippet for snippet in snippets if snippet.kind in kinds]
    return found


class _Reader:
    def __init__(self, package: str, module: str, content: str, kinds: Collection[str]):
        self.package, self.module, self.lines, self.kinds = package, module, content.splitlines(), kinds

    def read(self, tree: ast.Module) -> Iterator[Snippet]:
        yield from self._docstring(tree, "module", Path(self.module).name)
        yield from self._comments()
        stack = [(node, "function") for node in reversed(tree.body)]
        while stack:
            node, owner = stack.pop()
            if isinstance(node, ast.ClassDef):
                yield from self._docstring(node, "class", node.name)
                stack += [(child, "method") for child in reversed(node.body)]
                continue
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield from self._docstring(node, owner, node.name)
                if "code" in self.kinds:
                    yield from self._code(node)
            if "error" in self.kinds:
                yield from self._messages(node)

    def _make(self, kind: str, name: str, label: str, text: str) -> Iterator[Snippet]:
        text = " ".join(text.split())[:LONGEST]
        if len(text) >= 15 and len(text.split()) >= 3:
            yield Snippet(kind, self.package, self.module, name, label, text)

    def _docstring(self, node, owner: str, name: str) -> Iterator[Snippet]:
        document = ast.get_docstring(node)
        if not document:
            return
        document = document.replace("\\", " ")
        parts = _NUMPY_SECTION.split(document)
        if len(parts) == 1:
            parts = _GOOGLE_SECTION.split(document)
        paragraphs = [p for p in re.split(r"\n\s*\n", parts[0]) if ">>>" not in p]
        if paragraphs:
            yield from self._make("summary", name, owner, paragraphs[0])
        for paragraph in paragraphs[1:]:
            yield from self._make("prose", name, owner, paragraph)
        for title, body in zip(parts[1::2], parts[2::2], strict=False):
            body = textwrap.dedent(body).strip("\n")
            title = title.strip().title()
            if title in ("Parameters", "Args", "Arguments", "Other Parameters", "Attributes"):
                yield from self._parameters(body)
            elif title in SECTIONS or title in ("Note", "Example"):
                singular = {"Note": "Notes", "Example": "Examples"}
                for paragraph in re.split(r"\n\s*\n", body)[:2]:
                    yield from self._make("section", name, singular.get(title, title), paragraph)

    def _parameters(self, body: str) -> Iterator[Snippet]:
        for pattern in (_NUMPY_PARAMETER, _GOOGLE_PARAMETER):
            for name, declared, text in pattern.findall(body + "\n"):
                yield from self._make("parameter", name.strip(), _type(declared), text)

    def _comments(self) -> Iterator[Snippet]:
        block: list[str] = []
        for line in [*self.lines, ""]:
            stripped = line.strip()
            if stripped.startswith("# ") and line != stripped:  # a comment of the code, not a licence on top
                block.append(stripped[2:])
            elif block:
                yield from self._make("comment", "", "comment", " ".join(block))
                block = []

    def _code(self, node) -> Iterator[Snippet]:
        body = node.body
        if ast.get_docstring(node, clean=False) is not None:
            body = body[1:]
        if not body or (len(body) == 1 and body[0].lineno == body[0].end_lineno):
            return
        text = "\n".join(self.lines[body[0].lineno - 1 : body[-1].end_lineno])
        yield from self._make("code", node.name, _end(node, "yield" in text), text)

    def _messages(self, node) -> Iterator[Snippet]:
        for inner in _statements(node):
            if isinstance(inner, ast.Raise) and isinstance(inner.exc, ast.Call) and inner.exc.args:
                name = _name(inner.exc.func)
                yield from self._make("error", name, name, _words(inner.exc.args[0]))


def _name(node) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _words(node) -> str:
    """The constant parts of a message; what is filled in at run time is left out."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return " ".join(_words(part) for part in node.values)
    if isinstance(node, ast.BinOp):
        return f"{_words(node.left)} {_words(node.right)}" if isinstance(node.op, ast.Add) else _words(node.left)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return _words(node.func.value)
    return ""


def _type(declared: str) -> str:
    """A declared type as one of a few words; "" where it says nothing known."""
    declared = declared.lower().replace("`", "")
    return next((word for word in TYPES if word in declared), "choice" if "{" in declared else "")


def _end(node, may_yield: bool = True) -> str:
    """Whether a function yields, returns a value, or neither; functions inside it do not count."""
    stack, ending = list(node.body), "nothing"
    while stack:
        inner = stack.pop()
        if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            continue
        if isinstance(inner, ast.Yield | ast.YieldFrom):
            return "yields"
        if isinstance(inner, ast.Return) and inner.value is not None:
            ending = "returns"
        stack += ast.iter_child_nodes(inner) if may_yield else _blocks(inner)
    return ending


def _statements(node) -> Iterator[ast.AST]:
    """`ast.walk` without expressions, which are nine nodes of ten."""
    level = [node]
    while level:
        yield from level
        level = [inner for outer in level for inner in _blocks(outer)]


def _blocks(node) -> Iterator[ast.AST]:
    """The statements right below a node, and what holds more of them, in the order of `ast.iter_child_nodes`."""
    for field in ("body", "handlers", "orelse", "finalbody", "cases"):
        found = getattr(node, field, None)
        if isinstance(found, list):  # an expression's body (of a lambda, of a ? b : c) is none
            yield from found
