"""A server on this machine that speaks a Hugging Face hub's protocol, as far as `huggingface_hub` 2.4 asks for it."""

import hashlib
import http.server
import json
import re
import threading
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

LARGE = (".safetensors", ".bin", ".parquet")  # kept in LFS: a sha256 is listed, and is the ETag
TOKEN = "hf_accepted"
LISTING = re.compile(r"/api/(models|datasets)/([^/]+/[^/]+)(?:/(revision|tree)/([^/]+)|/(refs))?")
FILE = re.compile(r"/(datasets/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)")


@dataclass
class Repo:
    """A folder that is served, and how.

    Attributes:
        revisions: folder of each branch or tag; "main" is the default branch. A commit is the hash of what is there.
        gated: files only for who sends `TOKEN`.
        card: metadata of the README, as the hub gives it in its listing.
        behave: "well"; or for all requests "broken" (500), "silent", "busy" (429), "foreign" (an HTML page);
            or for large files only "stalls" (sends half, then nothing), "changed" (other bytes), "longer", "gone" (404).
        cut: the connection of a large file ends after so many bytes.
        elsewhere: address that large files are redirected to.
        bare: the listing has neither sizes nor hashes.
    """

    revisions: dict[str, Path]
    gated: bool = False
    card: dict = field(default_factory=dict)
    behave: str = "well"
    cut: int | None = None
    elsewhere: str = ""
    bare: bool = False

    def find(self, revision: str) -> tuple[str, Path] | None:
        """Commit and folder of a branch, tag or commit."""
        for name, folder in self.revisions.items():
            if revision in (name, commit(folder)):
                return commit(folder), folder
        return None


def files(folder: Path) -> dict[str, bytes]:
    """Content of each file under a folder."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def commit(folder: Path) -> str:
    """A hash of names and contents, 40 digits."""
    return hashlib.sha1(repr(sorted(files(folder).items())).encode()).hexdigest()


def described(name: str, content: bytes) -> dict:
    """A file as the listing of a repository has it: size, git's hash, and LFS's sha256 if it is large."""
    row = {"rfilename": name, "size": len(content)}
    if not name.endswith(LARGE):
        return row | {"blobId": hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()}
    lfs = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 134}
    return row | {"blobId": hashlib.sha1(b"a pointer").hexdigest(), "lfs": lfs}


class HubServer:
    """Serves `models` and `datasets` ({"org/name": Repo}); `requests` are (method, path, headers by lower name)."""

    def __init__(self):
        self.models: dict[str, Repo] = {}
        self.datasets: dict[str, Repo] = {}
        self.requests: list[tuple[str, str, dict]] = []
        self.closing = threading.Event()
        handler = type("Handler", (_Handler,), {"hub": self})
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def downloads(self) -> list[str]:
        """Names of the files whose content was asked for."""
        return [path.split("/")[-1] for method, path, _ in self.requests if method == "GET" and "/resolve/" in path]

    def close(self):
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()


def reach(server: HubServer, monkeypatch, folder: Path, timeout: float = 1.0):
    """Send `huggingface_hub` and this project to the server, without a token, with short time-outs."""
    from twophase.sources.hub import transfer

    monkeypatch.setenv("HF_ENDPOINT", server.address)
    for name in ("HF_HUB_OFFLINE", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(folder / "no token"))
    monkeypatch.setattr(transfer, "TIMEOUT", timeout)
    monkeypatch.setattr(transfer, "RETRIES", 0)
    monkeypatch.setattr(transfer, "PAUSE", 0.0)


class _Handler(http.server.BaseHTTPRequestHandler):
    hub: HubServer

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        path = urlsplit(self.path).path
        self.hub.requests.append((self.command, unquote(path), {k.lower(): v for k, v in self.headers.items()}))
        if path in ("/api/models", "/api/datasets"):
            self.search(path.split("/")[-1])
        elif match := LISTING.fullmatch(path):
            kind, name, what, revision, references = match.groups()
            if repo := self.repository(getattr(self.hub, kind), name):
                self.listing(name, repo, what or references, unquote(revision or "main"))
        elif match := FILE.fullmatch(path):
            kind, name, revision, file = match.groups()
            if repo := self.repository(self.hub.datasets if kind else self.hub.models, name):
                self.file(repo, unquote(revision), unquote(file))
        else:
            self.refuse(404)

    def search(self, kind):
        query = {key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()}
        known = [n for n in getattr(self.hub, kind) if query.get("search", "") in n]
        self.json([{"id": name} for name in known if name.startswith(query.get("author", ""))])

    def repository(self, known, name):
        repo = known.get(name)
        if repo is None:
            # without a token the hub does not tell whether a repository is missing or private
            self.refuse(404 if "Authorization" in self.headers else 401, "RepoNotFound")
        elif repo.behave == "broken":
            self.refuse(500)
        elif repo.behave == "busy":
            self.refuse(429)
        elif repo.behave == "silent":
            self.hub.closing.wait(10)
        elif repo.behave == "foreign":
            self.answer(b"<html>Welcome</html>", {"Content-Type": "text/html"})
        else:
            return repo
        return None

    def listing(self, name, repo, what, revision):
        if what == "refs":
            rows = [{"name": n, "ref": n, "targetCommit": commit(f)} for n, f in repo.revisions.items()]
            self.json({"branches": rows, "tags": [], "converts": []})
        elif (found := repo.find(revision)) is None:
            self.refuse(404, "RevisionNotFound")
        elif what == "tree":
            rows = [described(n, c) for n, c in files(found[1]).items()]
            self.json([_in_tree(row) for row in rows])
        else:
            rows = [described(n, c) for n, c in files(found[1]).items()]
            rows = [{"rfilename": row["rfilename"]} for row in rows] if repo.bare else rows
            gated = "manual" if repo.gated else False
            self.json({"id": name, "sha": found[0], "gated": gated, "siblings": rows, "cardData": repo.card})

    def file(self, repo, revision, name):
        found = repo.find(revision)
        content = files(found[1]).get(name) if found else None
        large = name.endswith(LARGE)
        if repo.gated and self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self.refuse(403 if "Authorization" in self.headers else 401, "GatedRepo")
        elif found is None:
            self.refuse(404, "RevisionNotFound")
        elif content is None or (large and repo.behave == "gone"):
            self.refuse(404, "EntryNotFound")
        else:
            row = described(name, content)
            tag = row["lfs"]["sha256"] if large else row["blobId"]
            headers = {"ETag": f'"{tag}"', "X-Repo-Commit": found[0], "Accept-Ranges": "bytes"}
            if large:
                headers |= {"X-Linked-Size": str(len(content)), "X-Linked-Etag": f'"{tag}"'}
            if large and repo.elsewhere:
                self.answer(b"", headers | {"Location": repo.elsewhere + self.path}, 302)
            else:
                self.content(repo if large else Repo({}), content, headers)

    def content(self, repo, content, headers):
        if repo.behave in ("changed", "longer"):
            content = content[:-1] + bytes([content[-1] ^ 1]) + (b"more" if repo.behave == "longer" else b"")
        status, first = 200, 0
        if match := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", "")):
            status, first = 206, int(match[1])
            headers |= {"Content-Range": f"bytes {first}-{len(content) - 1}/{len(content)}"}
        content = content[first:]
        sent = content[: len(content) // 2] if repo.behave == "stalls" else content[: repo.cut]
        self.answer(sent, headers | {"Content-Length": str(len(content))}, status)
        if repo.behave == "stalls":
            self.wfile.flush()
            self.hub.closing.wait(10)

    def json(self, value):
        self.answer(json.dumps(value).encode(), {"Content-Type": "application/json"})

    def refuse(self, status, code=""):
        self.answer(b"", {"X-Error-Code": code} if code else {}, status)

    def answer(self, content, headers, status=200):
        self.send_response(status)
        for key, value in ({"Content-Length": str(len(content))} | headers).items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *_):
        pass


def _in_tree(row):
    made = {"type": "file", "path": row["rfilename"], "size": row["size"], "oid": row["blobId"]}
    if lfs := row.get("lfs"):
        made["lfs"] = {"oid": lfs["sha256"], "size": lfs["size"], "pointerSize": lfs["pointerSize"]}
    return made
