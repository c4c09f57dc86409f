"""Which rules notice a changed figure: what they find that they did not find before, and that names it.

Many figures are changed at once, far from each other, and every finding is traced to the one it names: its
cell, its council and year, or a total over it.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from clsimpact.geography import councils
from clsimpact.loaders.consistency import find_inconsistencies
from clsimpact.loaders.returns import DIMENSIONS
from clsimpact.quality import quality
from clsimpact.quality._material import NOT_SUBMITTED_BY_COUNCILS
from tests.corruption.figures import Change

_ENGLAND = "E92000001"
_QUALITY_KEYS = ["rule", "ons_code", "year", "return_", "measure", "severity"]
_KEYS = ["rule", "source_id", "table", "cell", "year"]
_LEFT_OUT = ("submitted", "suppressed", "codes", "totals")
"""Rules of the quality report that look at what is missing, never at a value; and the one on totals, which
compares what `find_inconsistencies` compares and names one total of many."""


@dataclass(frozen=True)
class Found:
    """What the rules find in a table: consistency by cell, quality by council and year."""

    consistency: pd.DataFrame
    quality: pd.DataFrame


def look(returns: pd.DataFrame) -> Found:
    """Run the rules."""
    report = quality(returns).findings
    return Found(find_inconsistencies(returns), report[~report["rule"].isin(_LEFT_OUT)])


def changed(returns: pd.DataFrame, changes: Sequence[Change]) -> pd.DataFrame:
    """Return the table with other figures in some rows."""
    values = returns["value"].copy()
    values.loc[[it.row for it in changes]] = [it.after for it in changes]
    return returns.assign(value=values)


def batches(returns: pd.DataFrame, changes: Sequence[Change], *, largest: int) -> list[list[Change]]:
    """Put changes together that no finding can confuse: no two of one area in a table or return of a year."""
    found: list[tuple[list[Change], set[object]]] = []
    for change in changes:
        row = returns.loc[change.row]
        area = str(row["ons_code"]) if pd.notna(row["ons_code"]) else str(row["name"])
        marks: set[object] = {(str(row["source_id"]), str(row["table"]), *_region(row))}
        if row["return_"] not in NOT_SUBMITTED_BY_COUNCILS:
            marks.add((area, str(row["return_"])))
        place = next((it for it in found if len(it[0]) < largest and not it[1] & marks), None)
        if place is None:
            place = ([], set())
            found.append(place)
        place[0].append(change)
        place[1].update(marks)
    return [members for members, _ in found]


def _region(row: pd.Series[Any]) -> tuple[str, ...]:
    """Return the region and year of a figure, so that two parts of one total are never changed together."""
    code = str(row["ons_code"])
    return (_regions().get(code, code), str(row["year"]), str(row["measure"]))


@functools.cache
def _regions() -> dict[str, str]:
    """Return the region of every council."""
    table = councils().drop_duplicates("ons_code")
    return dict(zip(table["ons_code"].astype(str), table["region_code"].astype(str), strict=True))


def noticed(
    returns: pd.DataFrame, before: Found, changes: Sequence[Change]
) -> Iterator[tuple[Change, tuple[str, ...]]]:
    """Yield each change with the names of the rules that notice it."""
    after = look(changed(returns, changes))
    news = _new(before.consistency, after.consistency, _KEYS)
    quality_news = _new(before.quality, after.quality, _QUALITY_KEYS)
    at = _rows_of(returns, news)
    for change in changes:
        figure = returns.loc[change.row]
        rules = {str(row.rule) for row in news.itertuples() if _names(returns, figure, row, at)}
        rules |= {f"quality: {row.rule}" for row in quality_news.itertuples() if _is_about(figure, row)}
        yield change, tuple(sorted(rules))


def _new(before: pd.DataFrame, after: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    known = set(before[keys].astype("string").fillna("").itertuples(index=False, name=None))
    is_new = [
        row not in known for row in after[keys].astype("string").fillna("").itertuples(index=False, name=None)
    ]
    return after[is_new]


def _rows_of(returns: pd.DataFrame, news: pd.DataFrame) -> dict[tuple[str, str, str, str], pd.Series[Any]]:
    """Return the figures that findings stand at."""
    wanted = {(str(r.source_id), str(r.table), str(r.cell), str(r.year)) for r in news.itertuples()}
    part = returns[returns["cell"].isin(list({cell for _, _, cell, _ in wanted}))]
    keys = zip(*(part[name].astype("string") for name in ("source_id", "table", "cell")), strict=True)
    years = part["year"].astype("float64").map(str)
    found = {}
    for place, (key, year) in enumerate(zip(keys, years, strict=True)):
        if (*key, year) in wanted:
            found[(*key, year)] = part.iloc[place]
    return found


def _names(
    returns: pd.DataFrame,
    figure: pd.Series[Any],
    finding: Any,
    at: dict[tuple[str, str, str, str], pd.Series[Any]],
) -> bool:
    """Return whether a finding stands at a figure, at a total over it, or tells of its cell."""
    source, table, cell, year = (getattr(finding, name) for name in ("source_id", "table", "cell", "year"))
    if str(source) != str(figure["source_id"]):
        return False
    if str(table) == str(figure["table"]) and str(cell) == str(figure["cell"]):
        return True
    if f"{figure['table']} {figure['cell']}" in str(finding.finding).split(" in ", 1)[-1].split(", "):
        return True
    place = at.get((str(source), str(table), str(cell), str(year)))
    if place is None or str(table) != str(figure["table"]) or place["year"] != figure["year"]:
        return False
    same_area = str(place["ons_code"]) == str(figure["ons_code"]) and str(place["name"]) == str(
        figure["name"]
    )
    return same_area or (_above(place, figure) and str(place["measure"]) == str(figure["measure"]))


def _above(place: pd.Series[Any], figure: pd.Series[Any]) -> bool:
    """Return whether a figure is a part of the total of a region or of England, with the same dimensions."""
    over = {_regions().get(str(figure["ons_code"]), ""), _ENGLAND}
    alike = all(_word(place[name]) == _word(figure[name]) for name in DIMENSIONS)
    return str(place["ons_code"]) in over and alike


def _word(value: object) -> str:
    return "Total" if pd.isna(value) else str(value)


def _is_about(figure: pd.Series[Any], row: Any) -> bool:
    """Return whether a finding of the quality report is about the council and the year."""
    near = pd.notna(figure["year"]) and abs(int(row.year) - int(figure["year"])) <= 2
    returned = str(row.return_) == str(figure["return_"]) or figure["return_"] == "MYE"
    return str(row.ons_code) == str(figure["ons_code"]) and bool(near) and returned
