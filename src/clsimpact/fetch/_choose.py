"""Which sources a fetch concerns, and into which folder they go."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Final

import pooch

from clsimpact.errors import ClsimpactError, SourceError, did_you_mean, list_some
from clsimpact.loaders.manifest import Source, all_sources, load_manifest
from clsimpact.years import parse_year, spans, year_label

__all__ = ["check_ids", "choose_sources", "covered_years", "default_folder", "raw_destination"]

_RETURNS: Final = {"SALT", "ASC-FR", "SALT and ASC-FR", "PSS-EX1", "ASCOF", "CLD"}
"""The returns, which are asked for by year; look-ups and populations are not."""


def raw_destination(dest: str | os.PathLike[str] | None = None) -> tuple[Path, str]:
    """Return the folder that publishers' files go into, and why it is that one.

    Parameters
    ----------
    dest
        A folder of your own.

    Returns
    -------
    pathlib.Path
        The argument; else the folder that ``CLSIMPACT_RAW`` names; else ``data/raw`` of the checkout; else a
        folder of the user's, where the operating system keeps such files.
    str
        Which of these it is, in words.

    Raises
    ------
    SourceError
        If the place is taken by a file, or holds made-up publications.

    Examples
    --------
    >>> raw_destination("official")
    (PosixPath('official'), 'the folder asked for')
    """
    named = os.environ.get("CLSIMPACT_RAW")
    checkout = Path(__file__).resolve().parents[3] / "data" / "raw"
    if dest is not None:
        folder, why = Path(dest), "the folder asked for"
    elif named:
        folder, why = Path(named), "the folder that CLSIMPACT_RAW names"
    elif (checkout / "manifest.toml").is_file():
        folder, why = checkout, "data/raw of the checkout"
    else:
        folder, why = Path(pooch.os_cache("clsimpact")) / "raw", "the user's own data folder"
    if folder.exists() and not folder.is_dir():
        raise SourceError(f"{folder} is a file.", repair="Name a folder for the publishers' files.")
    own = folder / "manifest.toml"
    if own.is_file() and any(source.simulated for source in load_manifest(own).values()):
        raise SourceError(
            f"{folder} holds made-up publications; official ones are not put beside them.",
            repair="Name another folder for the publishers' files.",
        )
    return folder, why


def default_folder() -> Path:
    """Return the folder that publishers' files go into when none is named.

    Returns
    -------
    pathlib.Path
        See :func:`raw_destination`. It need not exist.

    Raises
    ------
    SourceError
        If the place is taken by a file, or holds made-up publications.
    """
    return raw_destination()[0]


def covered_years(source: Source) -> range:
    """Return the start years of the financial years that a return covers.

    Parameters
    ----------
    source
        Its record.

    Returns
    -------
    range
        Empty for a source that is not a return.

    Examples
    --------
    >>> [year_label(year) for year in covered_years(all_sources()["asc_fr_salt_2021_22"])]
    ['2019-20', '2020-21', '2021-22']
    >>> covered_years(all_sources()["population_mid_2015"])
    range(0, 0)
    """
    if source.return_ not in _RETURNS:
        return range(0)
    with contextlib.suppress(ClsimpactError):
        ends = [parse_year(words) for words in source.years.split(" to ")]
        return range(ends[0], ends[-1] + 1)
    return range(0) if source.year is None else range(source.year, source.year + 1)


def choose_sources(
    wanted: Iterable[str | Source] | None, years: Iterable[str | int] | None, *, superseded: bool
) -> list[Source]:
    """Return the records that a fetch concerns.

    Parameters
    ----------
    wanted
        Ids, or records of your own; every publication if omitted.
    years
        Financial years; all if omitted.
    superseded
        Whether releases that have been re-issued are wanted too.

    Returns
    -------
    list of Source
        In the order of the manifest, or as named.

    Raises
    ------
    SourceError
        If an id or a year is not known, or a superseded release is named without ``superseded``.
    """
    pool = all_sources()
    if wanted is None:
        records = [source for source in pool.values() if superseded or not source.superseded_by]
    else:
        words = [wanted] if isinstance(wanted, (str, Source)) else list(wanted)
        check_ids([word for word in words if isinstance(word, str)], pool)
        records = [pool[word] if isinstance(word, str) else word for word in words]
        _check_superseded(records, superseded=superseded)
    if years is None:
        return records
    starts = _start_years(years, records)
    return [source for source in records if starts.intersection(covered_years(source))]


def check_ids(names: Iterable[str], pool: Mapping[str, Source], *, extra: Collection[str] = ()) -> None:
    """Refuse ids that the manifest does not know; all of them are listed.

    Parameters
    ----------
    names
        The ids.
    pool
        The records known.
    extra
        Ids known besides.

    Raises
    ------
    SourceError
        If an id is not known.
    """
    known = [*pool, *extra]
    unknown = [name for name in dict.fromkeys(names) if name not in known]
    if unknown:
        raise SourceError(
            f"The manifest knows no source {list_some(map(repr, unknown))}.",
            [f"{name}{did_you_mean(name, known)}" for name in unknown],
            repair="`clsimpact sources` lists every id.",
        )


def _check_superseded(records: Iterable[Source], *, superseded: bool) -> None:
    old = [source for source in records if source.superseded_by and not superseded]
    if old:
        raise SourceError(
            "A superseded release is fetched only on request.",
            [f"{source.id} was re-issued as {source.superseded_by}" for source in old],
            repair="Name the re-issue, or give superseded=True.",
        )


def _start_years(years: Iterable[str | int], records: Iterable[Source]) -> set[int]:
    words = [years] if isinstance(years, (str, int)) else list(years)
    known = sorted({year for source in records for year in covered_years(source)})
    labels = [year_label(year) for year in known]
    starts, problems = set(), []
    for word in words:
        try:
            bare = re.fullmatch(r"\s*\d{4}\s*", str(word))
            start = int(word) if bare else parse_year(str(word))
        except ClsimpactError as error:
            problems.append(f"{error.summary.rstrip('.')}{did_you_mean(str(word), labels)}")
            continue
        starts.add(start)
        if start not in known:
            label = year_label(start)
            problems.append(f"no source covers {label}{did_you_mean(label, labels, how_many=1)}")
    if problems:
        raise SourceError(
            f"Not every year can be fetched: {list_some(map(str, words))}.",
            problems,
            repair=f"The years there are: {spans(known) or 'none'}. Write one as '2019-20' or 2019.",
        )
    return starts
