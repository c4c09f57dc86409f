"""The CSV data pack of a year: the ASC-FR CSV and the SALT CSV in one zip archive (2018-19 to 2020-21).

Written from what is documented of the layout: no such file was seen. Members are recognised by their
headings, not by name or order: ``SHEET`` and ``TABLE`` make a SALT CSV, ``DimensionGroup`` makes an ASC-FR
CSV, ``Field, Key, Description`` the reference data of a CSV beside it. Each is read by its own adapter. Other
kinds of file (a readme, say) are passed over; a CSV that is none of these is an error.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import pandas as pd

from clsimpact.errors import LayoutError, SourceError, SourceWarning, list_some
from clsimpact.loaders import asc_fr_long, salt_csv
from clsimpact.loaders._archive import unpack
from clsimpact.loaders._keyed_csv import read_headings
from clsimpact.loaders._keyed_layout import fold_heading
from clsimpact.loaders.manifest import Source
from clsimpact.loaders.returns import concat_returns

__all__ = ["read"]

_KINDS: Final[Mapping[str, frozenset[str]]] = {
    "ASC-FR": frozenset({"dimensiongroup"}),
    "SALT": frozenset({"sheet", "table"}),
    "reference data": frozenset(fold_heading(name) for name in salt_csv.REFERENCE_HEADINGS),
}
"""Headings that tell which CSV a member is."""


def read(path: Path, source: Source) -> pd.DataFrame:
    """Read a CSV data pack.

    Parameters
    ----------
    path
        The archive.
    source
        Its manifest record, which holds for the members too.

    Returns
    -------
    pandas.DataFrame
        A returns table: the figures of the finance return, then those of the activity return. ``table``
        begins with the name of the member.

    Raises
    ------
    SourceError
        If the archive is broken or breaks a limit (see :func:`clsimpact.loaders._archive.unpack`), or a
        member cannot be read as a CSV.
    LayoutError
        If the archive holds no CSV of the returns, two of one return, or an unknown CSV; or if a member is
        not laid out as its adapter expects.

    Warns
    -----
    SourceWarning
        If one of the two returns is not in the archive.

    Examples
    --------
    >>> from clsimpact.loaders.manifest import all_sources
    >>> read(Path("pack.zip"), all_sources()["csv_pack_2018_19"])
    Traceback (most recent call last):
    clsimpact.errors.SourceError: pack.zip cannot be unpacked into ...
    ...
    """
    adapters: dict[str, Callable[[Path, Source], pd.DataFrame]] = {
        "ASC-FR": asc_fr_long.read,
        "SALT": salt_csv.read,
    }
    with tempfile.TemporaryDirectory() as scratch:
        members = _sort(path, unpack(path, Path(scratch)), source)
        tables = []
        for kind, adapter in adapters.items():
            if kind not in members:
                message = f"{path.name} holds no CSV of the {kind} return: its figures are missing."
                warnings.warn(message, SourceWarning, stacklevel=2)
                continue
            try:
                tables.append(adapter(members[kind], replace(source, return_=kind)))
            except (LayoutError, SourceError) as error:
                raise type(error)(
                    f"{path.name}: {error.summary}", error.problems, repair=error.repair
                ) from error
    return concat_returns(tables)


def _sort(path: Path, members: list[Path], source: Source) -> dict[str, Path]:
    """Return the one CSV of each return, after checking that every CSV is known."""
    found: dict[str, Path] = {}
    problems = []
    for member in members:
        if member.suffix.casefold() != ".csv" or member.name.startswith("._"):  # macOS writes ._ twins
            continue
        headings = read_headings(member, source)
        folded = {fold_heading(heading) for heading in headings}
        kinds = [kind for kind, tell in _KINDS.items() if tell <= folded]
        if not kinds:
            problems.append(f"{member.name} is no known CSV; it begins with {list_some(headings, 6)}")
        elif kinds[0] == "reference data":
            continue
        elif kinds[0] in found:
            problems.append(
                f"{member.name} and {found[kinds[0]].name} are both a CSV of the {kinds[0]} return"
            )
        else:
            found[kinds[0]] = member
    if not problems and not found:
        problems.append("it holds no CSV of the returns")
    if problems:
        raise LayoutError(
            f"{path.name}: its files are not those of a CSV data pack.",
            problems,
            repair="Use the publisher's archive unchanged.",
        )
    return found
