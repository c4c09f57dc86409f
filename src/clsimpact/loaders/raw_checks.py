"""Checks that need the publishers' files: fingerprints, an independent count of every cell, and look-ups."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import python_calamine

from clsimpact._parts import WORKBOOK
from clsimpact.geography import councils
from clsimpact.loaders import read_raw
from clsimpact.loaders._comparison import Comparison
from clsimpact.loaders.manifest import load_manifest, sha256_of

__all__ = ["count_cells", "raw_checks"]


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
        Fingerprints, an independent count of every table's cells, and councils against look-ups.

    Raises
    ------
    SourceError
        If a look-up file is absent or cannot be opened.
    """
    sources = load_manifest()
    places = {source.id: raw / source.path for source in sources.values() if (raw / source.path).is_file()}
    same = sum(sha256_of(place) == sources[name].sha256 for name, place in places.items())
    other = len(sources) - same
    note = "absent files count as different"
    yield Comparison("files against the manifest (SHA-256)", len(sources), same, 0, other, note)
    if WORKBOOK in places:
        yield _cells(places[WORKBOOK], returns)
    yield from _lookups(raw)


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
    workbook = python_calamine.CalamineWorkbook.from_path(path)
    counts: dict[str, Counter[str]] = {}
    for name in workbook.sheet_names:
        if not re.fullmatch(r"T\d+", name):
            continue
        found: Counter[str] = Counter()
        for line in workbook.get_sheet_by_name(name).to_python():
            for cell in line:
                if isinstance(cell, int | float):
                    found["number"] += 1
                elif str(cell).strip() in ("[c]", "[x]"):
                    found[str(cell).strip()] += 1
                elif re.fullmatch(r"-?\d+(\.\d+)?%", str(cell).strip()):
                    found["percent"] += 1
        counts[name] = found
    return counts


def _cells(path: Path, returns: pd.DataFrame) -> Comparison:
    rows = returns[returns["source_id"] == WORKBOOK]
    kind = rows["marker"].where(rows["marker"].isin(["[c]", "[x]"]), "number")
    kind = kind.mask(rows["marker"].str.endswith("%").fillna(False).astype(bool), "percent").fillna("number")
    read = rows.groupby(["table", kind.rename("kind")]).size()
    expected = {(table, what): n for table, found in count_cells(path).items() for what, n in found.items()}
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
    for source_id, year in {
        "lookup_lower_upper_2016": 2016,
        "lookup_lower_upper_2019": 2019,
        "lookup_lower_upper_2020": 2020,
        "lookup_lower_upper_2022": 2022,
        "lookup_lower_upper_2023": 2023,
    }.items():
        source = load_manifest()[source_id]
        table = read_raw(raw, [source])[source_id]
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
