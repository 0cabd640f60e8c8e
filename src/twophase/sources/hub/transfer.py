"""Files of one repository of a hub: listed at one commit, received with resumption, checked by size and hash.

`huggingface_hub` makes the requests' addresses, headers and errors, but does not receive files here: version 2.4
throws a broken download away, never compares hashes, and asks for listings without a time-out.
"""

import contextlib
import difflib
import hashlib
import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
from huggingface_hub import HfApi, constants, hf_hub_url, is_offline_mode
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, OfflineModeIsEnabled, RevisionNotFoundError
from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status
from tqdm import tqdm

from twophase.errors import Unreachable, UserError

PUBLIC = "https://huggingface.co"
TIMEOUT = 20.0  # seconds that the hub may be silent
RETRIES, PAUSE = 3, 1.0  # of a file whose connection broke; seconds between them
BLOCK = 1 << 20  # bytes read at a time to compute a hash
COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Entry:
    """A file of a listing: bytes, and its sha256 (large files) or git's own hash (others); None where not told."""

    size: int | None
    sha256: str | None
    blob: str | None


@dataclass(frozen=True)
class Repository:
    """A repository at one commit; `kind` is "model" or "dataset", `card` the metadata block of its README."""

    kind: str
    name: str
    commit: str
    gated: bool
    files: dict[str, Entry]
    card: dict


def endpoint() -> str:
    """``HF_ENDPOINT`` as it is now, else the public hub: `huggingface_hub` reads it once, at import."""
    return (os.environ.get("HF_ENDPOINT") or PUBLIC).rstrip("/")


def offline() -> bool:
    """Whether ``HF_HUB_OFFLINE`` is set, now or when `huggingface_hub` was imported."""
    return is_offline_mode() or os.environ.get("HF_HUB_OFFLINE", "").upper() in constants.ENV_VARS_TRUE_VALUES


def list_repository(kind: str, name: str, revision: str | None) -> Repository:
    """The files of a repository at the commit that a revision (branch, tag, commit; default branch) stands for.

    Raises:
        UserError: no such repository or revision, no access, or no answer that can be understood.
    """
    api = HfApi(endpoint=endpoint())
    with explained(kind, name, revision):
        try:
            ask = api.model_info if kind == "model" else api.dataset_info
            info = ask(name, revision=revision, files_metadata=True, timeout=TIMEOUT)
            if not COMMIT.fullmatch(info.sha or ""):
                raise KeyError("sha")
        except HfHubHTTPError:
            raise
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(
                f"{endpoint()} does not answer as a hub does ({type(error).__name__}: {str(error)[:80]}); "
                "HF_ENDPOINT must be the address of a Hugging Face hub or a mirror of it."
            ) from error
    files = {}
    for file in info.siblings or []:
        files[file.rfilename] = Entry(file.size, file.lfs.sha256 if file.lfs else None, file.blob_id)
    card = info.card_data.to_dict() if hasattr(info.card_data, "to_dict") else {}
    return Repository(kind, name, info.sha, bool(info.gated), files, card)


def make_room(repository: Repository, names: Iterable[str], folder: Path) -> int:
    """Bytes of the named files. Raises UserError if the disk of `folder` has less room than that."""
    needed, free = sum(repository.files[name].size or 0 for name in names), shutil.disk_usage(folder).free
    if needed > free:
        raise UserError(
            f"{repository.name} needs {needed:,} bytes and {folder} has {free:,} left; "
            "make room, or name another folder in TWOPHASE_CACHE."
        )
    return needed


def receive(repository: Repository, name: str, target: Path, bar=None) -> None:
    """Bring one file to `target`; what an earlier call received of it is kept and not asked for again.

    Raises:
        UserError: no access, no answer, broken off (repeat: it continues), or not the file that was listed.
    """
    entry, part = repository.files[name], target.with_name(target.name + ".incomplete")
    if target.is_file() and entry.size in (None, target.stat().st_size):
        if bar is not None:
            bar.update(target.stat().st_size)
        return
    address = hf_hub_url(
        repository.name, name, repo_type=repository.kind, revision=repository.commit, endpoint=endpoint()
    )
    with explained(repository.kind, repository.name, repository.commit, name):
        for attempt in range(RETRIES + 1):
            try:
                _stream(address, part, entry.size, bar)
                break
            except httpx2.TransportError:
                if attempt == RETRIES:
                    raise
                time.sleep(PAUSE)
    _check(repository, name, part)
    part.replace(target)


def _stream(address: str, part: Path, size: int | None, bar) -> None:
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
                if bar is not None:
                    bar.update(len(block))
                if size is not None and have > size:
                    return


def _check(repository: Repository, name: str, part: Path) -> None:
    entry, got = repository.files[name], part.stat().st_size
    if entry.size not in (None, got):
        wrong = (
            f"has {'over ' if got > entry.size else ''}{min(got, entry.size + 1):,} bytes, listed are {entry.size:,}"
        )
    elif entry.sha256 and (found := _hash(part, hashlib.sha256())) != entry.sha256:
        wrong = f"has sha256 {found}, listed is {entry.sha256}"
    elif not entry.sha256 and entry.blob and (found := _hash(part, hashlib.sha1(b"blob %d\0" % got))) != entry.blob:
        wrong = f"has git hash {found}, listed is {entry.blob}"
    else:
        return
    part.unlink()
    raise UserError(
        f"{name} of {repository.name} {wrong}; only the listed file is accepted. Repeat; if it is the same again, "
        f"something between here and {endpoint()} changes files."
    )


def _hash(path: Path, total) -> str:
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            total.update(block)
    return total.hexdigest()


@contextlib.contextmanager
def explained(kind: str, name: str, revision: str | None, file: str | None = None) -> Iterator[None]:
    """Turn what `huggingface_hub`, the connection and the disk raise into a UserError that says what to do."""
    what = f"{file} of {name}" if file else name
    again = "repeat the call: it continues where it stopped" if file else "repeat later"
    try:
        yield
    except HfHubHTTPError as error:
        raise UserError(_refusal(kind, name, revision, what, again, error)) from error
    except OfflineModeIsEnabled as error:
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


def _refusal(kind: str, name: str, revision: str | None, what: str, again: str, error: HfHubHTTPError) -> str:
    status, missing = error.response.status_code, error.response.headers.get("X-Error-Code") == "RepoNotFound"
    page = f"{endpoint()}/{'datasets/' if kind == 'dataset' else ''}{name}"
    login = "log in with `hf auth login` or set HF_TOKEN"
    if isinstance(error, GatedRepoError) or (status in (401, 403) and not missing):
        return f"{what} is gated or private ({status}): accept its licence at {page}, then {login}, and repeat."
    if isinstance(error, RevisionNotFoundError):
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


def receive_all(repository: Repository, files: dict[str, str], folder: Path, progress: bool) -> None:
    """Bring the files, given as local name -> name in the repository, that are not in the folder yet.

    Raises:
        UserError: no room, or see `receive`.
    """
    missing = [source for target, source in files.items() if not (folder / target).is_file()]
    make_room(repository, missing, folder)
    total = total_size(repository, files.values())
    with tqdm(total=total, unit="B", unit_scale=True, desc=repository.name, disable=not progress) as bar:
        for target, source in files.items():
            receive(repository, source, folder / target, bar)


def total_size(repository: Repository, names: Iterable[str]) -> int:
    """Bytes of files of a repository, as listed."""
    return sum(repository.files[name].size or 0 for name in names)
