"""Checks that need the publishers' files: fingerprints, independent counts and sums, look-ups."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

import pandas as pd
import python_calamine

from clsimpact._parts import WORKBOOK
from clsimpact.errors import SourceError, list_some
from clsimpact.geography import councils
from clsimpact.loaders import find_file, read_raw
from clsimpact.loaders._comparison import Comparison
from clsimpact.loaders.manifest import load_manifest, sha256_of
from clsimpact.loaders.returns import as_text

__all__ = ["count_cells", "raw_checks"]

_RELATIVE: Final = 1e-9
"""Of the sum of absolute values: the same numbers added up in another order differ by less.

They differ by 1e-13; one thousand pounds of England's spending of twenty billion is 5e-8."""
_Tables: TypeAlias = dict[str, dict[str, list[float]]]


def raw_checks(raw: Path, returns: pd.DataFrame) -> Iterator[Comparison]:
    """Compare figures with the publishers' files.

    Parameters
    ----------
    raw
        Folder with the files.
    returns
        The returns table.

    Yields
    ------
    Comparison
        Fingerprints, an independent count and sum of every table's cells, and councils against look-ups.

    Raises
    ------
    SourceError
        If none of the files is there, or a look-up file is absent or cannot be opened.
    """
    sources = load_manifest()
    found = {name: find_file(raw, source) for name, source in sources.items()}
    places = {name: place for name, place in found.items() if place is not None}
    if not places:
        raise SourceError(
            f"{raw} holds none of the {len(sources)} files of the manifest.",
            [f"{source.path} ({source.publication})" for source in sources.values()],
            repair="Put the files there under these names; data/raw/manifest.toml names each publication.",
        )
    yield _fingerprints(places)
    if WORKBOOK in places:
        tables = _plain_numbers(places[WORKBOOK])
        yield _cells(tables, returns)
        yield _values(tables, returns)
    yield from _lookups(raw)


def _fingerprints(places: Mapping[str, Path]) -> Comparison:
    sources = load_manifest()
    changed = [name for name, place in places.items() if sha256_of(place) != sources[name].sha256]
    absent = [name for name in sources if name not in places]
    notes = [f"different: {list_some(changed, 4)}"] if changed else []
    if absent:
        notes.append(f"absent files count as different: {list_some(absent, 4)}")
    other = len(changed) + len(absent)
    name = "files against the manifest (SHA-256)"
    return Comparison(name, len(sources), len(sources) - other, 0, other, "; ".join(notes))


def count_cells(path: Path) -> dict[str, Counter[str]]:
    """Count the figures of each table of the data tables without any knowledge of their layout.

    Parameters
    ----------
    path
        The workbook.

    Returns
    -------
    dict
        Table to a count of numeric cells (``number``), printed percentages (``percent``) and each marker.
    """
    return _counts(_plain_numbers(path))


def _plain_numbers(path: Path) -> _Tables:
    """Return the figures of each table by kind, as the workbook holds them; a marker is a 0."""
    workbook = python_calamine.CalamineWorkbook.from_path(path)
    tables: _Tables = {}
    for name in workbook.sheet_names:
        if not re.fullmatch(r"T\d+", name):
            continue
        found = tables.setdefault(name, {})
        for line in workbook.get_sheet_by_name(name).to_python():
            for cell in line:
                text = str(cell).strip()
                if isinstance(cell, int | float):
                    found.setdefault("number", []).append(float(cell))
                elif text in ("[c]", "[x]"):
                    found.setdefault(text, []).append(0.0)
                elif re.fullmatch(r"-?\d+(\.\d+)?%", text):
                    found.setdefault("percent", []).append(float(text.removesuffix("%")))
    return tables


def _counts(tables: _Tables) -> dict[str, Counter[str]]:
    return {
        table: Counter({kind: len(values) for kind, values in found.items()})
        for table, found in tables.items()
    }


def _kinds(rows: pd.DataFrame) -> pd.Series[Any]:
    kind = rows["marker"].where(rows["marker"].isin(["[c]", "[x]"]), "number")
    percent = rows["marker"].str.endswith("%").fillna(False).astype(bool)
    return kind.mask(percent, "percent").fillna("number").rename("kind")


def _values(tables: _Tables, returns: pd.DataFrame) -> Comparison:
    """Compare the sum over each table, numbers and printed percentages apart."""
    rows = as_text(returns[returns["source_id"] == WORKBOOK])
    read = rows["value"].groupby([rows["table"], _kinds(rows)]).sum().to_dict()
    wrong, compared = [], 0
    for table, found in tables.items():
        for kind in ("number", "percent"):
            values = found.get(kind, [])
            if values:
                compared += 1
                total = math.fsum(values)
                size = math.fsum(abs(value) for value in values)
                if not abs(float(read.get((table, kind), math.nan)) - total) <= _RELATIVE * size:
                    wrong.append(f"{table} ({kind})")
    name = f"values of the {len(tables)} tables against an independent sum"
    note = f"different: {list_some(wrong, 4)}" if wrong else "numbers and printed percentages apart"
    return Comparison(name, compared, compared - len(wrong), 0, len(wrong), note)


def _cells(tables: _Tables, returns: pd.DataFrame) -> Comparison:
    rows = as_text(returns[returns["source_id"] == WORKBOOK])
    read = rows.groupby(["table", _kinds(rows)]).size()
    expected = {(table, what): n for table, found in _counts(tables).items() for what, n in found.items()}
    agree = sum(int(read.get(key, 0)) == n for key, n in expected.items())
    differ = len(expected) - agree + len(set(read.index) - set(expected))
    total: Counter[str] = Counter()
    for (_, what), n in expected.items():
        total[what] += n
    note = ", ".join(f"{n:,} {what}" for what, n in sorted(total.items()))
    return Comparison(
        "cells of the 55 tables against an independent count", len(expected), agree, 0, differ, note
    )


def _lookups(raw: Path) -> Iterator[Comparison]:
    """Compare the dated table of councils with the ONS look-ups and the ASCOF code list."""
    years = {f"lookup_lower_upper_{year}": year for year in (2016, 2019, 2020, 2022, 2023)}
    tables = read_raw(raw, [load_manifest()[source_id] for source_id in years])
    for source_id, year in years.items():
        table = tables[source_id]
        # Some put metropolitan counties (E11) and halves of London (E13) above districts with care duties.
        own = ~table["upper_code"].str.slice(0, 3).isin(["E11", "E13"])
        theirs = {
            code for code in table["upper_code"].where(own, table["lower_code"]) if code.startswith("E")
        }
        ours = set(councils(year)["ons_code"])
        wrong = ours ^ theirs
        yield Comparison(
            f"councils of {year} against the ONS look-up",
            len(ours | theirs),
            len(ours & theirs),
            0,
            len(wrong),
            ", ".join(sorted(wrong)) or "the same codes",
        )
