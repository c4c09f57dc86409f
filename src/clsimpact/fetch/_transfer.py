"""One file from one address to a partial file: redirects, retries, resumption. Others judge the content.

The transfer itself is :class:`pooch.HTTPDownloader`'s. Pooch's registry is not used, because it throws away
what an interrupted download has brought, retries a missing page as if it were a lost connection, and follows
redirects to any host.
"""

from __future__ import annotations

import contextlib
import json
import os
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Final
from urllib.parse import urldefrag, urljoin, urlsplit

import pooch
import requests
import urllib3

from clsimpact.errors import ClsimpactError
from clsimpact.fetch._policy import MEBIBYTE, Policy, RefusedError, UnsteadyError, check_address
from clsimpact.store import write_bytes

__all__ = ["Arrival", "Bar", "discard", "download", "partial_of"]

Bar = Callable[[int | None, int], Any]
CHUNK: Final = 64 * 1024
_MOVED: Final = {301, 302, 303, 307, 308}


@dataclass(frozen=True)
class Arrival:
    """How a body arrived: continued from an earlier attempt or whole, and whether its end was announced."""

    resumed: bool
    bounded: bool


def partial_of(path: Path) -> Path:
    """Return the name under which a file lies until it is whole and checked."""
    return path.with_name(f".{path.name}.partial")


def _memo_of(partial: Path) -> Path:
    return partial.with_name(f"{partial.name}.json")


def discard(partial: Path) -> None:
    """Remove a partial file and what is remembered of it."""
    partial.unlink(missing_ok=True)
    _memo_of(partial).unlink(missing_ok=True)


def download(
    address: str,
    partial: Path,
    policy: Policy,
    *,
    check: Callable[[Arrival], None],
    single: bool = False,
    bar: Bar | None = None,
) -> None:
    """Bring a file, in as many attempts as the policy allows.

    Parameters
    ----------
    address
        Where it is.
    partial
        Where it is written to; what an earlier attempt left there is continued if the server still has the
        same file.
    policy
        The limits.
    check
        Called with a whole body in ``partial``; raises :class:`RefusedError` if it is not what was wanted.
    single
        Try only once.
    bar
        Makes a progress bar with the interface of tqdm, from the size of the file and what is there of it.

    Raises
    ------
    RefusedError
        If the file cannot be had; the partial file stays only if a later run can continue it.
    OSError
        If the partial file cannot be written.
    """
    waits = () if single else policy.waits
    for attempt, wait in enumerate((*waits, None), start=1):
        try:
            arrival = _arrive(address, partial, policy, bar)
        except UnsteadyError as error:
            _keep_or_discard(partial)
            if wait is None:
                tried = f"{error.summary} Tried {attempt} time{'s' * (attempt > 1)}."
                raise UnsteadyError(tried, reached=error.reached) from error
            policy.sleep(wait if error.wait is None else error.wait)
            continue
        except RefusedError:
            discard(partial)
            raise
        try:
            check(arrival)
        except RefusedError:
            discard(partial)
            if not arrival.resumed or wait is None:
                raise
            continue  # A body that was pieced together gets another chance, from its first byte.
        return


def _keep_or_discard(partial: Path) -> None:
    if not _memo_of(partial).is_file():
        discard(partial)


def _arrive(address: str, partial: Path, policy: Policy, bar: Bar | None) -> Arrival:
    """Follow redirects, each checked before it is opened, and receive the body at their end."""
    seen = [address]
    while True:
        check_address(seen[-1], policy)
        try:
            return _receive(address, seen[-1], partial, policy, bar)
        except _MovedError as moved:
            target = urldefrag(urljoin(seen[-1], moved.location)).url
        if target in seen:
            raise RefusedError(f"The address redirects in a loop: {' -> '.join([*seen, target])}.")
        if len(seen) > policy.hops:
            raise RefusedError(f"More than {policy.hops} redirects: {' -> '.join([*seen, target])}.")
        seen.append(target)


def _receive(address: str, place: str, partial: Path, policy: Policy, bar: Bar | None) -> Arrival:
    with _Receiver(address, partial, policy, bar) as receiver:
        if receiver.complete:
            return receiver.arrival()
        downloader = pooch.HTTPDownloader(
            chunk_size=CHUNK,
            timeout=(policy.connect_timeout, policy.read_timeout),
            allow_redirects=False,
            headers=receiver.headers(),
            hooks={"response": receiver.begin},
        )
        with _translated(place, receiver):
            downloader(place, receiver, None)
        return receiver.finish()


@contextlib.contextmanager
def _translated(address: str, receiver: _Receiver) -> Iterator[None]:
    """Say in words what the network libraries report."""
    host = urlsplit(address).netloc
    try:
        yield
    except ClsimpactError:
        raise
    except requests.exceptions.SSLError as error:
        if isinstance(_innermost(error), ssl.SSLCertVerificationError):
            raise RefusedError(f"The certificate of {host} was not accepted: {_words(error)}.") from error
        raise UnsteadyError(f"No secure connection to {host}: {_words(error)}.") from error
    except requests.exceptions.ConnectTimeout as error:
        raise UnsteadyError(f"{host} did not answer in time.", reached=False) from error
    except requests.exceptions.Timeout as error:
        raise UnsteadyError(f"{host} sent nothing for too long.") from error
    except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, ValueError) as error:
        if receiver.response is None:
            raise UnsteadyError(
                f"No connection to {host}: {_words(error)}.", reached=_reached(error)
            ) from error
        if "timed out" in str(error):
            raise UnsteadyError(f"{host} sent nothing for too long.") from error
        raise UnsteadyError(f"The connection broke off after {receiver.position:,} bytes.") from error


def _innermost(error: BaseException) -> BaseException:
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__ or error
    return error


def _words(error: BaseException) -> str:
    first = _innermost(error)
    return str(first.args[-1] if first.args else type(first).__name__).rstrip(".")


def _reached(error: BaseException) -> bool:
    """Return whether there was a connection before it failed."""
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return not isinstance(reason, (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ProxyError))


class _MovedError(Exception):
    """The server names another address."""

    def __init__(self, location: str) -> None:
        super().__init__(location)
        self.location = location


class _Receiver:
    """The partial file: decides from the first header whether to continue it, and counts what arrives."""

    def __init__(self, address: str, partial: Path, policy: Policy, bar: Bar | None) -> None:
        self.address, self.partial, self.policy = address, partial, policy
        self.make_bar, self.bar = bar, None
        self.response: requests.Response | None = None
        self.total: int | None = None
        self.bounded = self.resumed = False
        self.deadline = time.monotonic() + policy.longest
        partial.parent.mkdir(parents=True, exist_ok=True)
        partial.touch()
        self.stream = partial.open("r+b", buffering=0)
        self.memo = self._recall()
        self.position = self.stream.seek(0, os.SEEK_END) if self.memo else 0
        self.complete = bool(self.memo) and self.position == self.memo["size"]

    def __enter__(self) -> _Receiver:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for thing in (self.bar, self.response, self.stream):
            if thing is not None:
                thing.close()

    def _recall(self) -> dict[str, Any]:
        """Return what is known of the file that an earlier attempt began, if it can be continued."""
        try:
            memo = json.loads(_memo_of(self.partial).read_text(encoding="utf-8"))
            whole = memo["address"] == self.address and memo["mark"] and memo["size"] > 0
        except (OSError, ValueError, KeyError, TypeError):
            return {}
        return memo if whole else {}

    def headers(self) -> dict[str, str]:
        """Return what to ask for: the rest, if the server still has the same file."""
        plain = {"Accept-Encoding": "identity"}
        if self.position == 0:
            return plain
        return plain | {"Range": f"bytes={self.position}-", "If-Range": self.memo["mark"]}

    def begin(self, response: requests.Response, *_: object, **__: object) -> None:
        """Judge an answer by its status and headers, before its body."""
        self.response = response
        status = response.status_code
        if status in _MOVED:
            raise _MovedError(_location(response))
        if status == HTTPStatus.PARTIAL_CONTENT and self.position:
            self._continue(response)
        elif status == HTTPStatus.OK:
            self._start(response)
        else:
            _refuse_status(response, self.policy, self.partial)
        if (self.total or 0) > self.policy.largest:
            raise RefusedError(f"The server announces {self.total:,} bytes; {self._limit()}.")
        if self.make_bar is not None:
            self.bar = self.make_bar(self.total, self.position)

    def _continue(self, response: requests.Response) -> None:
        wanted = f"bytes {self.position}-{self.memo['size'] - 1}/{self.memo['size']}"
        same = _mark(response) in {self.memo["mark"], ""}
        if response.headers.get("Content-Range", "").strip() != wanted or not same:
            _memo_of(self.partial).unlink(missing_ok=True)
            raise UnsteadyError(
                "The server continued another file than the one begun: started again.", wait=0.0
            )
        self.total, self.bounded, self.resumed = self.memo["size"], True, True

    def _start(self, response: requests.Response) -> None:
        plain = response.headers.get("Content-Encoding", "identity").lower() == "identity"
        length = response.headers.get("Content-Length", "")
        self.stream.seek(0)
        self.stream.truncate()
        self.position = 0
        self.total = int(length) if length.isdecimal() and plain else None
        chunked = "chunked" in response.headers.get("Transfer-Encoding", "").lower()
        self.bounded = chunked or length.isdecimal()
        memo = {"address": self.address, "mark": _mark(response), "size": self.total or 0}
        if memo["mark"] and memo["size"]:
            write_bytes(_memo_of(self.partial), json.dumps(memo).encode())
        else:
            _memo_of(self.partial).unlink(missing_ok=True)

    def write(self, chunk: bytes) -> None:
        """Take some bytes."""
        if self.position + len(chunk) > self.policy.largest:
            raise RefusedError(f"The server sent more than it may; {self._limit()}.")
        if time.monotonic() > self.deadline:
            raise UnsteadyError(f"Not whole after {self.policy.longest:,.0f} seconds.")
        while chunk:  # An unbuffered file may take less than it is given.
            taken = self.stream.write(chunk)
            self.position += taken
            chunk = chunk[taken:]
            if self.bar is not None:
                self.bar.update(taken)

    def flush(self) -> None:
        """Do nothing: the file is not buffered."""

    def finish(self) -> Arrival:
        """Compare the length with the one announced, and put the bytes on the disk."""
        if self.total is not None and self.position != self.total:
            raise UnsteadyError(f"The body has {self.position:,} bytes; the server announced {self.total:,}.")
        os.fsync(self.stream.fileno())
        return self.arrival()

    def arrival(self) -> Arrival:
        """Say how the body arrived."""
        return Arrival(resumed=self.resumed or self.complete, bounded=self.bounded or self.complete)

    def _limit(self) -> str:
        return f"files above {self.policy.largest / MEBIBYTE:,.0f} MiB are not taken"


def _location(response: requests.Response) -> str:
    location = response.headers.get("Location", "")
    if not location:
        raise RefusedError(
            f"{response.url} is redirected (HTTP {response.status_code}), but not said where to."
        )
    return location


def _mark(response: requests.Response) -> str:
    """Return what tells two editions of a file apart: a strong ETag, or else the date of the last change."""
    tag = response.headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified", "")


def _refuse_status(response: requests.Response, policy: Policy, partial: Path) -> None:
    status = response.status_code
    words = f"HTTP {status}, {response.reason or 'no reason given'}"
    if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        _memo_of(partial).unlink(missing_ok=True)
        raise UnsteadyError(f"The server could not continue the file begun ({words}).", wait=0.0)
    if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        wait = _asked_wait(response)
        if wait is not None and wait > policy.longest_wait:
            raise RefusedError(
                f"The server asks to come back in {wait:,.0f} seconds ({words}): try again then."
            )
        raise UnsteadyError(f"The server did not serve it ({words}).", wait=wait)
    if status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
        raise RefusedError(f"There is no file at this address any more ({words}).")
    raise RefusedError(f"The server does not hand it out ({words}).")


def _asked_wait(response: requests.Response) -> float | None:
    """Return the seconds of ``Retry-After``, which is a number or a date."""
    asked = response.headers.get("Retry-After", "").strip()
    if asked.isdecimal():
        return float(asked)
    try:
        return max(0.0, parsedate_to_datetime(asked).timestamp() - time.time())
    except ValueError:
        return None
