"""The registry of source files: what each is, where it comes from, and which adapter reads it."""

from __future__ import annotations

import functools
import hashlib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Final

from clsimpact._paths import is_inside
from clsimpact._toml import parse_toml
from clsimpact.errors import SourceError, did_you_mean

__all__ = [
    "VERIFIED",
    "Source",
    "all_sources",
    "find_source",
    "load_manifest",
    "manifest_path",
    "sha256_of",
]

VERIFIED: Final[dict[str, str]] = {
    "publisher's file": "the adapter has read the publisher's own file (what agrees: docs/reconciliation.md)",
    "third party's copy": "the adapter has read a conversion of the publisher's file, kept by a third party",
    "documented layout": "the adapter was written from what is documented of the layout; no file was seen",
    "made-up file": "the file was made up by this library, in a layout of the publisher's",
}
"""What an adapter was checked against, for one file: no more than was seen."""


@dataclass(frozen=True)
class Source:
    """One file of one publication, as the manifest describes it.

    Attributes
    ----------
    id
        Short name that every figure of the file carries in ``source_id``.
    file
        File name as published.
    path
        Where the file lies below the raw folder.
    publication, publisher, years
        What it is, who published it, which financial years it covers.
    address
        Where it can be downloaded; empty when not known.
    sha256
        Fingerprint of the file that the adapter was checked against.
    licence, attribution
        What must be said wherever its figures are shown.
    released, revisions
        Release date where known, and what was re-issued since.
    adapter
        Name of the adapter (a module of :mod:`clsimpact.loaders`) that reads it.
    return_
        Which return the figures belong to (``SALT``, ``ASC-FR``, ``PSS-EX1``, ``ASCOF``, ...).
    year
        Start year of the financial year when the file has one and does not state it.
    markers
        The symbols this file uses in place of numbers, and the status each stands for.
    status
        Whether the figures are accredited official statistics, official statistics, or converted by somebody
        else.
    notes
        Quirks a reader must know.
    verified
        What the adapter was checked against for this file: one of :data:`VERIFIED`.
    superseded_by
        Id of the re-issue that is to be read instead; empty when this is the latest known.
    simulated
        Whether the file was made up by :mod:`clsimpact.simulate`.
    """

    id: str
    file: str
    path: str
    publication: str
    publisher: str
    years: str
    adapter: str
    sha256: str
    licence: str
    attribution: str
    return_: str = ""
    year: int | None = None
    address: str = ""
    released: str = ""
    revisions: str = ""
    status: str = ""
    notes: str = ""
    encoding: str = "utf-8-sig"
    markers: Mapping[str, str] = field(default_factory=dict)
    verified: str = ""
    superseded_by: str = ""
    simulated: bool = False


def manifest_path() -> Path:
    """Return the manifest, in a checkout or in an installed package.

    Returns
    -------
    pathlib.Path
        ``data/raw/manifest.toml`` of the checkout, or its copy in the package.
    """
    packaged = Path(str(resources.files("clsimpact"))) / "data" / "raw" / "manifest.toml"
    checkout = Path(__file__).resolve().parents[3] / "data" / "raw" / "manifest.toml"
    return packaged if packaged.is_file() else checkout


def load_manifest(path: Path | None = None) -> dict[str, Source]:
    """Read the manifest.

    Parameters
    ----------
    path
        A manifest of your own; default is the one of the library.

    Returns
    -------
    dict
        Source id to :class:`Source`, in the order of the file.

    Raises
    ------
    SourceError
        If two records share an id or a path, or a record lacks a field.

    Examples
    --------
    >>> load_manifest()["asc_fr_salt_2021_22"].years
    '2019-20 to 2021-22'
    """
    return _held() if path is None else _read_manifest(path)


@functools.cache
def _held() -> dict[str, Source]:
    return _read_manifest(manifest_path())


def _read_manifest(where: Path) -> dict[str, Source]:
    try:
        document = parse_toml(where.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SourceError(
            f"{where} is no manifest.", [str(error)], repair="Make or fetch the folder's files again."
        ) from error
    licences = document.get("licence", {})
    sources: dict[str, Source] = {}
    records = document.get("source", [])
    for record in records if isinstance(records, list) else [records]:
        fields = _fields(record, licences, where)
        try:
            source = Source(**fields)
        except TypeError as error:
            raise SourceError(
                f"{where.name}: the record {record.get('id', '?')!r} is not complete.",
                [str(error)],
                repair="Add the field, or take the record out.",
            ) from error
        _refuse_outside(source, where)
        if source.id in sources or source.path in {known.path for known in sources.values()}:
            raise SourceError(
                f"{where.name}: {source.id!r} or its path is listed twice.",
                repair="Keep one record for each id and path.",
            )
        sources[source.id] = source
    return sources


def _fields(record: Any, licences: Any, where: Path) -> dict[str, Any]:
    """Return the fields of a record with those of its licence, after checking that each is of its kind."""
    if not isinstance(record, dict) or not isinstance(licences, dict):
        raise SourceError(
            f"{where.name}: records and licences are no tables.",
            repair="Write each record below [[source]], each licence below [licence.name].",
        )
    terms = licences.get(str(record.get("terms", "")), {})
    fields = {**(terms if isinstance(terms, dict) else {}), **record}
    fields.pop("terms", None)
    wrong = [f"{name!r} is {value!r}" for name, value in fields.items() if not _is_of_kind(name, value)]
    if wrong:
        raise SourceError(
            f"{where.name}: fields of the record {record.get('id', '?')!r} are of another kind.",
            wrong,
            repair="'year' is a whole number, 'markers' a table of texts, 'simulated' true or false; "
            "all others are texts.",
        )
    fields.setdefault("file", Path(fields.get("path", "")).name)
    fields.setdefault("verified", _verified(fields.get("status", "")))
    return fields


def _is_of_kind(name: str, value: object) -> bool:
    if name == "markers":
        return isinstance(value, dict) and all(isinstance(status, str) for status in value.values())
    kinds: dict[str, type] = {"year": int, "simulated": bool}
    return isinstance(value, kinds.get(name, str)) and (name != "year" or not isinstance(value, bool))


def _refuse_outside(source: Source, where: Path) -> None:
    """Refuse names that lead out of the manifest's folder: a folder may come from a stranger."""
    wrong = [name for name in (source.file, source.path) if not is_inside(name)]
    if wrong:
        raise SourceError(
            f"{where}: the record {source.id!r} names a file outside its folder.",
            wrong,
            repair="Use this folder only if you know who made it, and name files without '..' or a drive.",
        )


def _verified(status: str) -> str:
    return "third party's copy" if "third party" in status else "publisher's file"


@functools.cache
def all_sources() -> dict[str, Source]:
    """Return every publication that the library knows: those held, then those that a user must get.

    Returns
    -------
    dict
        Source id to :class:`Source`. The figures of :func:`load_manifest` are committed; of the others only
        the adapter is, and ``sha256`` is empty.

    Examples
    --------
    >>> all_sources()["tables_2018_19"].verified
    'documented layout'
    """
    return load_manifest() | load_manifest(manifest_path().with_name("manifest-not-held.toml"))


def sha256_of(path: Path) -> str:
    """Return the SHA-256 fingerprint of a file.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def find_source(path: str | os.PathLike[str]) -> Source:
    """Return the manifest record of a file, by its fingerprint or else by its name.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    Source
        Its record.

    Raises
    ------
    SourceError
        If the file does not exist, or the manifest knows neither its content nor its name.
    """
    where = Path(path)
    if not where.is_file():
        raise SourceError(
            f"There is no file {where}.", repair="Give the path of one of the publishers' files."
        )
    sources = _made_up_beside(where) or all_sources()
    fingerprint = sha256_of(where)
    for source in sources.values():
        if source.sha256 == fingerprint:
            return source
    for source in sources.values():
        if source.file.casefold() == where.name.casefold():
            return source
    names = [source.file for source in sources.values()]
    raise SourceError(
        f"The manifest knows no file named {where.name!r}{did_you_mean(where.name, names)}.",
        repair="Keep the publisher's file name, or add a record to data/raw/manifest.toml.",
    )


def _made_up_beside(path: Path) -> dict[str, Source]:
    """Return the sources of the made-up set in whose folder a file lies, if it does."""
    for folder in path.resolve().parents[:4]:
        own = folder / "manifest.toml"
        if own.is_file():
            sources = load_manifest(own)
            return sources if any(source.simulated for source in sources.values()) else {}
    return {}
