"""One repository of a hub: its files listed at one commit, received with resumption, checked by hash.

`huggingface_hub` makes the requests' addresses, headers and errors, but does not receive files here: version 2.4
throws a broken download away, never compares hashes, and asks for listings without a time-out.
"""

import contextlib
import difflib
import hashlib
import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
from huggingface_hub import HfApi, errors, hf_hub_url
from huggingface_hub.hf_api import RepoSibling
from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status
from tqdm import tqdm

from twophase.errors import Unreachable, UserError
from twophase.infra.files import replacing
from twophase.sources.hub.place import COMMIT, endpoint

TIMEOUT = 20.0  # seconds that the hub may be silent
RETRIES, PAUSE = 3, 1.0  # of a file whose connection broke; seconds between them
NO_BAR = tqdm(disable=True)


@dataclass(frozen=True)
class Repository:
    """A repository at one commit.

    Attributes:
        kind: "model" or "dataset".
        files: name -> size (bytes), and sha256 (`lfs`, large files) or git's own hash (`blob_id`); None where not told.
        card: the metadata block of its README.
    """

    kind: str
    name: str
    commit: str
    gated: bool
    files: dict[str, RepoSibling]
    card: dict


def list_repository(kind: str, name: str, revision: str | None) -> Repository:
    """The files of a repository at the commit that a revision (branch, tag, commit; default branch) stands for.

    Raises:
        UserError: no such repository or revision, no access, or no answer that can be understood.
    """
    api = HfApi(endpoint=endpoint())
    with _explained(kind, name, revision):
        try:
            ask = api.model_info if kind == "model" else api.dataset_info
            info = ask(name, revision=revision, files_metadata=True, timeout=TIMEOUT)
            if not COMMIT.fullmatch(info.sha or ""):
                raise KeyError("sha")
            files = {file.rfilename: _listed(file) for file in info.siblings or []}
            card = info.card_data.to_dict() if hasattr(info.card_data, "to_dict") else {}
        except (errors.HfHubHTTPError, errors.OfflineModeIsEnabled, httpx2.HTTPError, httpx2.InvalidURL):
            raise
        except Exception as error:  # an answer can be anything, and is taken apart by others
            raise UserError(
                f"{endpoint()} does not answer as a hub does ({type(error).__name__}: {str(error)[:80]}); "
                "HF_ENDPOINT must be the address of a Hugging Face hub or a mirror of it."
            ) from error
    return Repository(kind, name, info.sha, bool(info.gated), files, card)


def _listed(file: RepoSibling) -> RepoSibling:
    """A file of a listing, if that has names, sizes and hashes. Raises ValueError if not."""
    hashes = file.blob_id, file.lfs.sha256 if file.lfs else None
    if not isinstance(file.rfilename, str) or not isinstance(file.size, int | None) or (file.size or 0) < 0:
        raise ValueError(f"file {file.rfilename!r} of size {file.size!r}")
    if not all(isinstance(one, str | None) for one in hashes):
        raise ValueError(f"{file.rfilename} with hashes {hashes!r}")
    return file


def total_size(repository: Repository, names: Iterable[str]) -> int:
    """Bytes of files of a repository, as listed."""
    return sum(repository.files[name].size or 0 for name in names)


def receive_all(repository: Repository, files: dict[str, str], folder: Path, progress: bool) -> None:
    """Bring the files, given as local name -> name in the repository, that are not in the folder yet.

    Raises:
        UserError: no room, or see `receive`.
    """
    missing = [source for target, source in files.items() if not (folder / target).is_file()]
    needed, free = total_size(repository, missing), shutil.disk_usage(folder).free
    if needed > free:
        raise UserError(
            f"{repository.name} needs {needed:,} bytes and {folder} has {free:,} left; "
            "make room, or name another folder in TWOPHASE_CACHE."
        )
    total = total_size(repository, files.values())
    with tqdm(total=total, unit="B", unit_scale=True, desc=repository.name, disable=not progress) as bar:
        for target, source in files.items():
            receive(repository, source, folder / target, bar)


def receive(repository: Repository, name: str, target: Path, bar: tqdm = NO_BAR) -> None:
    """Bring one file to `target`; what an earlier call received of it is kept and not asked for again.

    Raises:
        UserError: no access, no answer, broken off (repeat: it continues), or not the file that was listed.
    """
    entry, part = repository.files[name], target.with_name(target.name + ".incomplete")
    if target.is_file() and entry.size in (None, target.stat().st_size):
        bar.update(target.stat().st_size)
        return
    address = hf_hub_url(
        repository.name, name, repo_type=repository.kind, revision=repository.commit, endpoint=endpoint()
    )
    with _explained(repository.kind, repository.name, repository.commit, name):
        for attempt in range(RETRIES + 1):
            try:
                _stream(address, part, entry.size, bar)
                break
            except httpx2.TransportError:
                if attempt == RETRIES:
                    raise
                time.sleep(PAUSE)
    _check(repository, name, part)
    with replacing(target) as new:
        part.replace(new)


def _stream(address: str, part: Path, size: int | None, bar: tqdm) -> None:
    have = part.stat().st_size if part.is_file() else 0
    if size is not None and have >= size > 0:
        return
    # compressed on the way, a file could not be continued at a byte
    headers = build_hf_headers() | {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with get_session().stream("GET", address, headers=headers, timeout=TIMEOUT) as response:
        if response.is_error:
            response.read()
        hf_raise_for_status(response)
        continues = response.status_code == 206
        have = have if continues else 0
        with part.open("ab" if continues else "wb") as file:
            # in blocks as they come: a block size would lose what was gathered when the connection breaks
            for block in response.iter_bytes():
                have += file.write(block)
                bar.update(len(block))
                if size is not None and have > size:
                    return


def _check(repository: Repository, name: str, part: Path) -> None:
    entry, got = repository.files[name], part.stat().st_size
    sha256 = entry.lfs.sha256 if entry.lfs else None
    if entry.size not in (None, got):
        over = "over " if got > entry.size else ""
        wrong = f"has {over}{min(got, entry.size + 1):,} bytes, listed are {entry.size:,}"
    elif sha256 and (found := _hash(part, hashlib.sha256())) != sha256:
        wrong = f"has sha256 {found}, listed is {sha256}"
    elif not sha256 and entry.blob_id and (found := _hash(part, hashlib.sha1(b"blob %d\0" % got))) != entry.blob_id:
        wrong = f"has git hash {found}, listed is {entry.blob_id}"
    else:
        return
    part.unlink()
    raise UserError(
        f"{name} of {repository.name} {wrong}; only the listed file is accepted. Repeat; if it is the same again, "
        f"something between here and {endpoint()} changes files."
    )


def _hash(path: Path, start) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: start).hexdigest()


@contextlib.contextmanager
def _explained(kind: str, name: str, revision: str | None, file: str | None = None) -> Iterator[None]:
    """Turn what `huggingface_hub`, the connection and the disk raise into a UserError that says what to do."""
    what = f"{file} of {name}" if file else name
    again = "repeat the call: it continues where it stopped" if file else "repeat later"
    try:
        yield
    except errors.HfHubHTTPError as error:
        raise UserError(_refusal(kind, name, revision, what, again, error)) from error
    except errors.OfflineModeIsEnabled as error:
        raise UserError(f"{what} was asked for while HF_HUB_OFFLINE is set; unset it and repeat.") from error
    except httpx2.TimeoutException as error:
        raise Unreachable(f"{endpoint()} was silent for {TIMEOUT:g} s on {what}; {again}.") from error
    except (httpx2.ConnectError, httpx2.UnsupportedProtocol, httpx2.InvalidURL) as error:
        raise Unreachable(
            f"{endpoint()} cannot be reached ({error}); check the connection and HF_ENDPOINT, or set HF_HUB_OFFLINE=1 "
            "to use what an earlier call brought."
        ) from error
    except httpx2.HTTPError as error:
        raise UserError(f"the connection to {endpoint()} broke off on {what} ({error}); {again}.") from error
    except OSError as error:
        raise UserError(f"{what} cannot be written ({error}); make room, or name another folder.") from error


def _refusal(kind: str, name: str, revision: str | None, what: str, again: str, error: errors.HfHubHTTPError) -> str:
    status, missing = error.response.status_code, error.response.headers.get("X-Error-Code") == "RepoNotFound"
    page = f"{endpoint()}/{'datasets/' if kind == 'dataset' else ''}{name}"
    login = "log in with `hf auth login` or set HF_TOKEN"
    if isinstance(error, errors.GatedRepoError) or (status in (401, 403) and not missing):
        return f"{what} is gated or private ({status}): accept its licence at {page}, then {login}, and repeat."
    if isinstance(error, errors.RevisionNotFoundError):
        near = _near(revision or "", _references(kind, name))
        return f"{name} has no revision {revision!r}; {near} Give a branch, a tag or a whole commit."
    if missing or (status == 404 and what == name):
        near = _near(name, _neighbours(kind, name))
        return f"{endpoint()} has no {kind} {name!r} ({status}); {near} If it is private, {login}."
    if status == 404:
        return f"{what} is listed but not there (404); repeat later, or give another revision."
    if status == 429:
        return f"{endpoint()} has had too many requests (429); wait some minutes, or {login}, then {again}."
    return f"{endpoint()} answers {status} on {what}; {again}."


def _near(got: str, known: list[str]) -> str:
    near = difflib.get_close_matches(got, known, 3, 0.4) or known[:3]
    return f"nearest: {', '.join(near)}." if near else "nothing near it was found."


def _neighbours(kind: str, name: str) -> list[str]:
    owner, _, last = name.rpartition("/")
    queries = [{"search": last, "limit": 20}] + ([{"author": owner, "limit": 100}] if owner else [])
    found = [_ask(f"api/{kind}s", query) for query in queries]
    return [row["id"] for rows in found if isinstance(rows, list) for row in rows]


def _references(kind: str, name: str) -> list[str]:
    found = _ask(f"api/{kind}s/{name}/refs", {})
    rows = [*found.get("branches", []), *found.get("tags", [])] if isinstance(found, dict) else []
    return [row["name"] for row in rows]


def _ask(path: str, query: dict) -> list | dict | None:
    # only for hints: whatever goes wrong here must not hide the error that is being explained
    try:
        answer = get_session().get(f"{endpoint()}/{path}", params=query, headers=build_hf_headers(), timeout=TIMEOUT)
        return answer.json() if answer.is_success else None
    except (httpx2.HTTPError, ValueError, OSError):
        return None
