"""The fetch itself: one source after the other, each with its outcome."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from urllib.parse import urlsplit

import requests

from clsimpact._alone import alone_in
from clsimpact._deprecated import renamed
from clsimpact._disk import is_full
from clsimpact._progress import bar
from clsimpact.errors import ClsimpactError
from clsimpact.fetch._choose import check_ids, choose_sources, raw_destination
from clsimpact.fetch._content import check_content
from clsimpact.fetch._policy import Policy, RefusedError, UnsteadyError, own_hosts
from clsimpact.fetch._report import FetchReport, Outcome
from clsimpact.fetch._transfer import Arrival, Bar, discard, download, partial_of
from clsimpact.loaders import find_file
from clsimpact.loaders._fetched import LOCK, Entry, read_lock, record
from clsimpact.loaders.manifest import Source, all_sources, sha256_of
from clsimpact.store import sweep

__all__ = ["connection_answers", "fetch"]


@renamed(show_progress="progress")
def fetch(
    sources: Iterable[str | Source] | None = None,
    *,
    years: Iterable[str | int] | None = None,
    dest: str | os.PathLike[str] | None = None,
    offline: bool = False,
    superseded: bool = False,
    accept_changed: Iterable[str] = (),
    progress: bool = False,
    now: dt.date | None = None,
    _policy: Policy | None = None,
) -> FetchReport:
    """Bring the publishers' files into a folder, and check every one that is there.

    A file that is there and has the fingerprint of the manifest, or the one recorded in ``fetched.toml`` when
    it first came, is not downloaded again. A file whose fingerprint nobody knows is recorded as *found in
    place*. No file of the folder is ever overwritten, and no body that is not whole and checked gets a file's
    name. A source that cannot be had costs only itself.

    Parameters
    ----------
    sources
        Ids of the manifest, or records of your own on the manifest's hosts; every publication if omitted.
    years
        Financial years, as ``"2019-20"`` or their start year; all if omitted.
    dest
        The folder; see :func:`raw_destination` for what is taken if it is omitted.
    offline
        Only check what is there.
    superseded
        Fetch the releases that have been re-issued too, into their own folders.
    accept_changed
        Ids of sources whose file may differ from what is known; the fingerprint of the new one is recorded.
    progress
        Show a bar a file, in a terminal or a notebook (formerly ``show_progress``).
    now
        The date to record; today (UTC) if omitted.

    Returns
    -------
    FetchReport
        One outcome a source.

    Raises
    ------
    SourceError
        If a source or a year is not known, the folder is a file or holds made-up publications, its
        ``fetched.toml`` cannot be read, or another run writes to it.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     report = fetch(years=["2019-20"], dest=folder, offline=True)
    >>> report["tables_2019_20"].status
    'kept offline'
    """
    wanted = choose_sources(sources, years, superseded=superseded)
    accepted = [accept_changed] if isinstance(accept_changed, str) else list(accept_changed)
    check_ids(accepted, all_sources(), extra=[source.id for source in wanted])
    folder, chosen = raw_destination(dest)
    read_lock(folder)
    run = _Run(
        folder=folder,
        policy=_policy or Policy(hosts=own_hosts()),
        offline=offline,
        progress=progress,
        accepted=frozenset(accepted),
        date=(now or dt.datetime.now(dt.UTC).date()).isoformat(),
    )
    if offline and not folder.is_dir():
        return FetchReport(folder, chosen, tuple(run.obtain(source) for source in wanted))
    with alone_in(folder):
        return FetchReport(folder, chosen, tuple(run.obtain(source) for source in wanted))


@dataclass
class _Run:
    """What the sources of one run share."""

    folder: Path
    policy: Policy
    offline: bool
    progress: bool
    accepted: frozenset[str]
    date: str
    silent: set[str] = field(default_factory=set)
    """Hosts without a connection: the sources that follow try them once, not again and again."""

    def obtain(self, source: Source) -> Outcome:
        """Return the outcome of one source; nothing that goes wrong with it stops the others."""
        place = self.folder / source.path
        try:
            _check_path(source)
            found = find_file(self.folder, source)
            if found is not None:
                outcome = self._verify(source, found)
                _tidy(place)
                return outcome
            if not source.address:
                return Outcome(source.id, "no address known", _get_by_hand(source, place), str(place))
            if self.offline:
                words = "Not there; run again without offline to download it."
                return Outcome(source.id, "kept offline", words, str(place))
            return self._download(source, place)
        except ClsimpactError as error:
            return Outcome(source.id, "failed", _message(error, source, place), str(place))
        except OSError as error:
            return Outcome(source.id, "failed", _disk_message(error, place), str(place))

    def _verify(self, source: Source, found: Path) -> Outcome:
        """Check a file that is there."""
        fingerprint, size = sha256_of(found), found.stat().st_size
        where = found.relative_to(self.folder).as_posix()
        known, whence = self._known(source)
        changed = bool(known) and fingerprint != known
        if changed and source.id not in self.accepted:
            raise RefusedError(
                f"{found} is not the file that is known: its SHA-256 is {fingerprint}, "
                f"{whence} says {known}.",
                repair=f"Move it away and fetch again, or accept it with accept_changed=[{source.id!r}].",
            )
        if changed or not known:
            _check_found(found, source)
            entry = Entry(where, fingerprint, size, "", self.date, "found in place", accepted=changed)
            record(self.folder, source.id, entry)
        words = "SHA-256 as known." if known and not changed else f"Found in place; recorded in {LOCK}."
        return Outcome(source.id, "verified", words, str(found), size, fingerprint)

    def _download(self, source: Source, place: Path) -> Outcome:
        partial = partial_of(place)
        sweep(place.parent)
        entry: Entry | None = None

        def check(arrival: Arrival) -> None:
            nonlocal entry
            check_content(partial, source, bounded=arrival.bounded)
            entry = self._judge(source, partial)

        host = urlsplit(source.address).netloc
        try:
            download(
                source.address,
                partial,
                self.policy,
                check=check,
                single=host in self.silent,
                bar=self._bar(source),
            )
            if entry is None:
                raise RefusedError("The body was not checked.")
            # The record comes first: a file whose fingerprint is not recorded never has a file's name.
            record(self.folder, source.id, entry)
            partial.replace(place)
        except UnsteadyError as error:
            self.silent |= set() if error.reached else {host}
            raise
        except (ClsimpactError, OSError) as error:
            if is_full(error):
                discard(partial)  # What it takes up may let the next source in.
            raise
        discard(partial)
        words = f"Downloaded from {source.address}."
        return Outcome(source.id, "fetched", words, str(place), entry.bytes, entry.sha256)

    def _judge(self, source: Source, partial: Path) -> Entry:
        """Compare the fingerprint of a download with the one known."""
        fingerprint, size = sha256_of(partial), partial.stat().st_size
        known, whence = self._known(source)
        changed = bool(known) and fingerprint != known
        if changed and source.id not in self.accepted:
            raise RefusedError(
                f"The file at {source.address} is not the one that is known: its SHA-256 is {fingerprint}, "
                f"{whence} says {known}.",
                repair="If the publisher has re-issued it, see what was revised, then accept it with "
                f"accept_changed=[{source.id!r}].",
            )
        return Entry(source.path, fingerprint, size, source.address, self.date, "fetched", accepted=changed)

    def _known(self, source: Source) -> tuple[str, str]:
        """Return the fingerprint a file must have, and who says so."""
        entry = read_lock(self.folder).get(source.id)
        if source.sha256 and not (entry and entry.accepted):
            return source.sha256, "the manifest"
        return (entry.sha256, f"{LOCK} of {entry.date}") if entry else ("", "")

    def _bar(self, source: Source) -> Bar | None:
        if not self.progress:
            return None
        return lambda total, there: bar(
            desc=source.file, total=total, initial=there, unit="B", unit_scale=True
        )


def _tidy(place: Path) -> None:
    """Remove what a run left that was killed after the file had got its name."""
    sweep(place.parent)
    with contextlib.suppress(OSError):
        discard(partial_of(place))


def _check_path(source: Source) -> None:
    """Refuse a record whose file would lie outside the folder, or under a name that hides it."""
    parts = PurePosixPath(source.path).parts
    windows = PureWindowsPath(source.path)
    odd = any(part in {"..", "."} or part.startswith(".") or not part.isprintable() for part in parts)
    name = parts[-1] if parts else ""
    if not parts or odd or windows.drive or windows.root or "\\" in source.path or name == LOCK:
        raise RefusedError(f"The path {source.path!r} of the record does not stay in the folder.")


def _check_found(found: Path, source: Source) -> None:
    try:
        check_content(found, source)
    except RefusedError as error:
        raise RefusedError(
            f"{found} is there, but is not the file: {error.summary}",
            repair="Move it away and fetch again.",
        ) from error


def _get_by_hand(source: Source, place: Path) -> str:
    words = f"{source.publication} ({source.publisher})"
    return f"No address is known. Repair: look for {words} and save the file as {place}."


def _message(error: ClsimpactError, source: Source, place: Path) -> str:
    """Return what went wrong, where, and how to repair it."""
    where = "" if source.address in error.summary or not source.address else f" Address: {source.address}."
    repair = error.repair or f"open {source.address} in a browser and save the file as {place}."
    return f"{error.summary}{where} Repair: {repair}"


def _disk_message(error: OSError, place: Path) -> str:
    if is_full(error):
        return f"The disk is full: {place} was not written. Repair: make room, or name another folder (dest)."
    reason = error.strerror or str(error)
    return f"{place} could not be written: {reason}. Repair: name a folder that you may write to (dest)."


def connection_answers(*, timeout: float = 3.0) -> bool:
    """Return whether a host of the manifest answers: whether it is worth trying to fetch.

    Parameters
    ----------
    timeout
        Seconds until the answer is no. Looking up the host's name counts too.

    Returns
    -------
    bool
        ``False`` also for whatever goes wrong; nothing is raised.

    Examples
    --------
    >>> connection_answers(timeout=0)
    False
    """
    address = next((source.address for source in all_sources().values() if source.address), "")
    answers: list[bool] = []
    thread = threading.Thread(target=_ask, args=(address, timeout, answers), daemon=True)
    if timeout > 0 and address:
        thread.start()
        thread.join(timeout)
    return any(answers)


def _ask(address: str, timeout: float, answers: list[bool]) -> None:
    try:
        with requests.head(address, timeout=timeout, allow_redirects=False) as response:
            answers.append(response.status_code < 400)
    except Exception:  # a doubt is a no
        answers.append(False)
