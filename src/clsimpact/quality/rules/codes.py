"""Councils that begin, end or are named by a code of another year."""

from __future__ import annotations

from typing import Any, Final

import pandas as pd

from clsimpact.errors import list_some
from clsimpact.geography import LAST_YEAR, councils, successors
from clsimpact.loaders.returns import as_text
from clsimpact.quality._findings import Found, Rule, as_findings, each
from clsimpact.quality._material import Material
from clsimpact.years import year_label

__all__ = ["RULE"]

_FIRST: Final = 2014
"""The table of councils begins here: that a council is in it does not mean that it began then."""


def _find(material: Material) -> Found:
    rows = [*_reorganised(material), *_other_codes(material)]
    return Found(as_findings(rows), int(material.listed["code"].nunique()))


def _reorganised(material: Material) -> list[dict[str, object]]:
    """Return a note for each council that began or ended between the first and the last year."""
    first, last = max(material.years[0], _FIRST), material.years[-1]
    table = councils()
    names = dict(zip(table["ons_code"], table["name"], strict=True))
    found: list[dict[str, object]] = []
    for row in each(table):
        if first < int(str(row.first_year)) <= last:
            old = [f"{names.get(code, code)} ({code})" for code in str(row.predecessors).split(";") if code]
            words = f"{row.name} ({row.ons_code}) began in {year_label(int(str(row.first_year)))}"
            words += f" in place of {list_some(old)}." if old else "."
            found.append(
                {"ons_code": row.ons_code, "year": row.first_year, "severity": "note", "words": words}
            )
        if first <= int(str(row.last_year)) < last and row.last_year != LAST_YEAR:
            new = [f"{names[code]} ({code})" for code in successors(str(row.ons_code))]
            words = f"{row.name} ({row.ons_code}) ended with {year_label(int(str(row.last_year)))}; "
            words += f"its area is now in {list_some(new)}."
            found.append(
                {"ons_code": row.ons_code, "year": row.last_year, "severity": "note", "words": words}
            )
    return found


def _other_codes(material: Material) -> list[dict[str, object]]:
    """Return a finding for each code, year and source with figures under a code not in force that year."""
    rows = material.submitted
    rows = rows[(rows["level"] == "council") & rows["value"].notna() & rows["ons_code"].notna()]
    keys = ["ons_code", "year", "return_", "source_id"]
    counts = rows.groupby(keys, observed=True).agg(
        many=("value", "size"), table=("table", "first"), cell=("cell", "first")
    )
    counts = as_text(counts.reset_index())
    counts["current"] = material.in_force(counts)
    counts = counts[counts["current"].isna() | (counts["current"] != counts["ons_code"])]
    known = set(councils()["ons_code"])
    return [_other(row, known) for row in each(counts)]


def _other(row: Any, known: set[str]) -> dict[str, object]:
    place = {
        name: getattr(row, name) for name in ("ons_code", "year", "return_", "source_id", "table", "cell")
    }
    year = year_label(int(row.year))
    if row.ons_code not in known:
        severity, words = (
            "warn",
            f"{row.many:,} figures of {year} under {row.ons_code}, which is no council's code.",
        )
    elif pd.isna(row.current):
        severity, words = (
            "look",
            f"{row.many:,} figures of {year} under {row.ons_code}: no council had that code then.",
        )
    else:
        severity = "note"
        words = f"{row.many:,} figures of {year} under {row.ons_code}; the code that year was {row.current}."
    return {**place, "value": float(row.many), "severity": severity, "words": words}


RULE: Final = Rule(
    name="codes",
    title="New, ended and misplaced council codes",
    looks_at="Councils that begin or end between the first and the last year of the returns; and figures "
    "under a code that was not in force in their year.",
    threshold="Every one: a reorganisation or a renamed council is a note, a code of no council that year "
    "a look, an unknown code a warning.",
    false_alarms="",
    cannot_see="Districts that moved between councils without a change of code.",
    source="Dated table of councils (ONS and social-care codes) of the library.",
    unit="council codes",
    find=_find,
)
"""Codes of councils through time."""
