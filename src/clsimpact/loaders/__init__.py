"""Official files to one tidy table of figures, the *returns*: file layouts live here and nowhere else."""

from __future__ import annotations

import importlib
import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from clsimpact._progress import Progress
from clsimpact.errors import SourceError, SourceWarning
from clsimpact.loaders._fetched import read_lock
from clsimpact.loaders.manifest import Source, all_sources, find_source, load_manifest, sha256_of

__all__ = [
    "compare_fingerprints",
    "find_file",
    "folder_sources",
    "raw_folder",
    "read_raw",
    "read_return",
]


def read_return(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read any one of the publishers' files.

    Parameters
    ----------
    path
        The file; it is recognised by its SHA-256, or else by its name.

    Returns
    -------
    pandas.DataFrame
        The returns table of the file (columns :data:`clsimpact.loaders.returns.COLUMNS`), or for a look-up
        file its codes.

    Raises
    ------
    SourceError
        If the file does not exist, is not in the manifest, or cannot be opened.
    LayoutError
        If its headings, labels or values are not the ones its layout declares.

    Warns
    -----
    SourceWarning
        If the file was recognised by its name only: it differs from the one that the adapter was checked
        against.

    Examples
    --------
    >>> read_return("no-such-file.csv")
    Traceback (most recent call last):
    clsimpact.errors.SourceError: There is no file no-such-file.csv.
    Repair: Give the path of one of the publishers' files.
    """
    where, source = Path(path), find_source(path)
    table = _read(where, source)
    if source.sha256 and sha256_of(where) != source.sha256:
        message = (
            f"{where.name} differs from the file that the adapter {source.adapter!r} was checked against "
            f"({source.publication}).\n"
            "Repair: look for a re-issue in the publication's notes, "
            "or compare SHA-256 with data/raw/manifest.toml."
        )
        warnings.warn(message, SourceWarning, stacklevel=2)
    from clsimpact._display_data import shown_as_returns

    return shown_as_returns(table)


def _read(path: Path, source: Source) -> pd.DataFrame:
    adapter = importlib.import_module(f"clsimpact.loaders.{source.adapter}")
    table: pd.DataFrame = adapter.read(path, source)
    return table


def raw_folder(raw: str | os.PathLike[str] | None = None) -> Path | None:
    """Return the folder of publishers' files: the argument, else ``CLSIMPACT_RAW``, else ``None``.

    Raises
    ------
    SourceError
        If a folder is named and does not exist.
    """
    named = raw or os.environ.get("CLSIMPACT_RAW") or None
    if named is None:
        return None
    folder = Path(named)
    repair = "Name the folder that holds the publishers' files."
    if folder.is_file():
        raise SourceError(f"{folder} is a file, not a folder.", repair=repair)
    if not folder.is_dir():
        raise SourceError(f"There is no folder {folder}.", repair=repair)
    return folder


def folder_sources(raw: Path) -> dict[str, Source]:
    """Return the sources that can be read from a folder.

    Parameters
    ----------
    raw
        The folder. If its ``manifest.toml`` is one of made-up publications, they are the sources, and no
        others.

    Returns
    -------
    dict
        Source id to record: every committed source (whether or not its file is there), then the further
        publications whose file is there. Superseded files are left out where their re-issue is there.
    """
    own = raw / "manifest.toml"
    made_up = load_manifest(own) if own.is_file() else {}
    if any(source.simulated for source in made_up.values()):
        return made_up
    further = {
        name: source
        for name, source in all_sources().items()
        if name not in load_manifest() and source.adapter and find_file(raw, source)
    }
    return load_manifest() | {
        name: source for name, source in further.items() if source.superseded_by not in further
    }


def read_raw(
    raw: Path, sources: Iterable[Source] | None = None, *, progress: Progress | None = None
) -> dict[str, pd.DataFrame]:
    """Read every file of the manifest from a folder.

    Parameters
    ----------
    raw
        The folder; files lie in it as the manifest says, or anywhere below it under their published names.
    sources
        Which files; all of the manifest if omitted.
    progress
        Called before each file with its name, its number and the number of files.

    Returns
    -------
    dict
        Source id to the table read.

    Raises
    ------
    SourceError
        If files are absent; all of them are listed.
    LayoutError
        If a file is not laid out as declared.
    """
    wanted = list(load_manifest().values() if sources is None else sources)
    tables = {}
    for number, (source, place) in enumerate(zip(wanted, _places(raw, wanted), strict=True), start=1):
        if progress is not None:
            progress(source.file, number, len(wanted))
        tables[source.id] = _read(place, source)
    return tables


def compare_fingerprints(raw: Path, sources: Iterable[Source], *, accept_changed: bool = False) -> None:
    """Refuse a folder in which files are not the ones that the adapters were checked against.

    Parameters
    ----------
    raw
        The folder.
    sources
        Which files.
    accept_changed
        Only warn about files that differ.

    Raises
    ------
    SourceError
        If files are absent, or differ from the manifest and are not accepted; all of them are listed.

    Warns
    -----
    SourceWarning
        If files differ and are accepted.
    """
    wanted = list(sources)
    places = zip(wanted, _places(raw, wanted), strict=True)
    recorded = {name: entry.sha256 for name, entry in read_lock(raw).items()}
    changed = [source for source, place in places if _differs(source, place, recorded)]
    if not changed:
        return
    error = SourceError(
        f"{len(changed)} of {len(wanted)} files in {raw} differ from data/raw/manifest.toml (SHA-256), "
        "or from what was recorded at their download.",
        [f"{source.path} ({source.publication})" for source in changed],
        repair="Download them again. If one is a newer release, check what was revised and put its SHA-256 "
        "in its record of data/raw/manifest.toml (or add a record); to read the files as they are, give "
        "accept_changed=True in Python.",
    )
    if not accept_changed:
        raise error
    warnings.warn(str(error), SourceWarning, stacklevel=3)


def _differs(source: Source, place: Path, recorded: Mapping[str, str]) -> bool:
    """Whether a file is not the one of the manifest or, where that has no hash, of its first download."""
    expected = source.sha256 or recorded.get(source.id, "")
    return bool(expected) and sha256_of(place) != expected


def _places(raw: Path, wanted: Sequence[Source]) -> list[Path]:
    """Return where each file lies, or say which are absent."""
    places = [find_file(raw, source) for source in wanted]
    absent = [source for source, place in zip(wanted, places, strict=True) if place is None]
    if absent:
        raise SourceError(
            f"{raw} lacks {len(absent)} of {len(wanted)} files.",
            [f"{source.path} ({source.publication})" for source in absent],
            repair="Put the files there under these names; data/raw/manifest.toml names each publication.",
        )
    return [place for place in places if place is not None]


def find_file(raw: Path, source: Source) -> Path | None:
    """Return where a file lies in a folder: as the manifest says, or anywhere below under its name."""
    declared = raw / source.path
    if declared.is_file():
        return declared
    found = sorted(raw.rglob(source.file))
    return found[0] if found else None
