"""Whether the library can work here: Python, libraries, extras, data, publishers' files, places to write."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Final, Literal, TypeAlias

from packaging.requirements import Requirement

from clsimpact._version import __version__
from clsimpact.errors import ClsimpactError

__all__ = ["Finding", "examine"]

State: TypeAlias = Literal["ok", "optional", "missing"]

_OLDEST_PYTHON: Final = (3, 11)
_EXTRAS: Final = {
    "report": "Word, accessible workbook, Markdown tables, equations and PDF of the report",
    "notebook": "the notebooks",
}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes
    ----------
    what
        What was looked at.
    found
        What is there.
    state
        ``"ok"``; ``"optional"``: not there, and the found words say what does without it; ``"missing"``:
        estimates or data cannot be had.
    repair
        What to do; empty where all is well.

    Examples
    --------
    >>> Finding("numpy", "2.4.6 (2.0 or newer is needed)", "ok").state
    'ok'
    """

    what: str
    found: str
    state: State
    repair: str = ""


def examine() -> tuple[Finding, ...]:
    """Look at the environment; nothing is changed, and no connection is made.

    Returns
    -------
    tuple of Finding
        Python, the libraries beside the versions that are allowed, the extras, the committed data, the
        publishers' files that are at hand, and whether temporary files can be written.

    Examples
    --------
    >>> [finding.what for finding in examine() if finding.state == "missing"]
    []
    """
    return (_python(), *_libraries(), *_extras(), *_data(), _publishers_files(), _scratch())


def _python() -> Finding:
    where = f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors"
    found = f"{platform.python_version()}, {where}"
    if sys.version_info < _OLDEST_PYTHON:
        return Finding("Python", found, "missing", "Install Python 3.11 or newer.")
    return Finding("Python", found, "ok")


def _required(extra: str = "") -> list[Requirement]:
    """Return what the package declares, for an extra or for itself."""
    try:
        declared = [Requirement(words) for words in requires("clsimpact") or ()]
    except PackageNotFoundError:
        return []
    chosen = []
    for it in declared:
        of_extra = it.marker is not None and "extra" in str(it.marker)
        if of_extra == bool(extra) and (it.marker is None or it.marker.evaluate({"extra": extra})):
            chosen.append(it)
    return chosen


def _installed(requirement: Requirement) -> tuple[str, bool]:
    """Return the version that is there, in words, and whether it is allowed."""
    try:
        found = version(requirement.name)
    except PackageNotFoundError:
        return f"not installed ({requirement.specifier} is needed)", False
    allowed = requirement.specifier.contains(found, prereleases=True)
    return f"{found} ({requirement.specifier} is needed)", allowed


def _libraries() -> Iterator[Finding]:
    yield Finding("clsimpact", f"{__version__} in {Path(__file__).parent}", "ok")
    declared = _required()
    if not declared:
        words = "not installed as a package: the versions of libraries cannot be compared"
        yield Finding("libraries", words, "optional", "Install it: pip install clsimpact.")
    for requirement in declared:
        found, allowed = _installed(requirement)
        repair = "" if allowed else f'Install it: pip install "{requirement.name}{requirement.specifier}".'
        yield Finding(requirement.name, found, "ok" if allowed else "missing", repair)


def _extras() -> Iterator[Finding]:
    for extra, use in _EXTRAS.items():
        lacking = [it.name for it in _required(extra) if not _installed(it)[1]]
        if lacking:
            words = f"not installed: {', '.join(lacking)} (for: {use})"
            yield Finding(f"extra {extra}", words, "optional", f'pip install "clsimpact[{extra}]"')
        elif _required(extra):
            yield Finding(f"extra {extra}", use, "ok")


def _data() -> Iterator[Finding]:
    """Say whether the committed tables are there and can be read."""
    from clsimpact.panel import load_panel
    from clsimpact.store import processed_folder
    from clsimpact.treatment import load_adoption

    again = "Install the package again; from a clone: git checkout data."
    try:
        yield Finding("committed data", str(processed_folder()), "ok")
        panel, adopters = load_panel(), load_adoption()
    except (ClsimpactError, OSError) as error:
        yield Finding("committed data", str(error).splitlines()[0], "missing", again)
        return
    years = f"{panel['year'].min()} to {panel['year'].max()}"
    words = f"{panel['ons_code'].nunique()} areas, {years}; {len(adopters)} rows of evidence of adoption"
    yield Finding("panel", words, "ok")


def _publishers_files() -> Finding:
    from clsimpact.fetch import default_folder
    from clsimpact.loaders.manifest import all_sources

    what, repair = "publishers' files", "clsimpact fetch downloads those whose addresses are known."
    try:
        folder = default_folder()
    except ClsimpactError as error:
        return Finding(what, str(error).splitlines()[0], "optional", error.repair or repair)
    sources = all_sources().values()
    held = sum((folder / source.file).is_file() for source in sources)
    words = f"{held} of {len(sources)} in {folder}; the committed figures do not need them"
    return Finding(what, words, "ok" if held else "optional", "" if held else repair)


def _scratch() -> Finding:
    try:
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "a").write_bytes(b"a")
    except OSError as error:
        words = f"cannot be written in {tempfile.gettempdir()}: {error.strerror}"
        return Finding("temporary files", words, "missing", "Set TMPDIR to a folder that can be written.")
    return Finding("temporary files", tempfile.gettempdir(), "ok")
