"""Totals that hold more than the councils explain, and figures that are marked as estimates."""

from __future__ import annotations

from typing import Any, Final

import pandas as pd

from clsimpact.errors import list_some
from clsimpact.loaders.returns import as_text
from clsimpact.quality._findings import Found, Rule, as_findings, each, number, spoken
from clsimpact.quality._material import Material
from clsimpact.quality._totals import ADDITIVE, ENGLAND

__all__ = ["IMPUTED", "TOTALS"]


INCOME: Final = 0.02
"""A line of money may be negative (income above cost): an estimate can lower a total, but only a little."""


def _largest(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the largest gap of every area, year, return and source, with the number of totals behind it."""
    keys = ["area", "year", "return_", "source_id"]
    sized = rows.assign(size=rows["gap"].abs(), totals=rows.groupby(keys)["key"].transform("size"))
    sized = sized.sort_values([*keys, "size", "measure", "cell"], ascending=[True] * 4 + [False, True, True])
    return sized.drop_duplicates(keys).rename(columns={"area": "ons_code", "total": "reference"})


def _find_imputed(material: Material) -> Found:
    totals = material.totals
    money = totals["return_"].ne("SALT")
    outside = (totals["gap"] > totals["high"]) | (money & (totals["gap"] < totals["low"]) & _few(totals))
    held = _largest(totals[outside & (totals["absent"] > 0)])
    who = _who(material)
    words = [_imputed_words(row, who) for row in each(held)]
    found = as_findings(held.assign(severity="note", words=words))
    estimated = _estimated(material)
    every = pd.concat([found, estimated], ignore_index=True) if len(estimated) else found
    return Found(every, len(totals))


def _few(totals: pd.DataFrame) -> pd.Series[bool]:
    """Whether a total of money is so little below its councils that a council's income may explain it."""
    return totals["gap"].abs() <= INCOME * totals["total"].abs()


def _who(material: Material) -> dict[tuple[str, int, str, str], list[str]]:
    """Return the councils of each area, year, source and return that have no additive figure at all."""
    rows = material.council_rows
    rows = rows[rows["unit"].isin(ADDITIVE)]
    rows = rows.assign(has=rows["value"].notna() | (rows["status"] == "suppressed"))
    given = rows.groupby(["source_id", "return_", "year", "code"], observed=True)["has"].max().reset_index()
    lacking = given[~given["has"]].astype({"source_id": "string", "return_": "string"})
    lacking = lacking.merge(material.listed, on=["code", "year"])
    found: dict[tuple[str, int, str, str], list[str]] = {}
    for row in each(lacking.sort_values("name")):
        for area in (str(row.region_code), ENGLAND):
            key = (area, int(str(row.year)), str(row.source_id), str(row.return_))
            found.setdefault(key, []).append(str(row.name))
    return found


def _imputed_words(row: Any, who: dict[tuple[str, int, str, str], list[str]]) -> str:
    names = who.get((row.ons_code, int(row.year), row.source_id, row.return_), [])
    why = f"{list_some(names, 4)} did not submit" if names else "some councils have no figure"
    more = "more" if row.value > row.reference else "less"
    return (
        f"{_many(row.totals)} {more} than the councils explain; the largest gap is in {spoken(row.measure)}: "
        f"{number(row.value)} against a sum of {number(row.reference)}. {why[:1].upper()}{why[1:]}, and the "
        "total holds something in their place."
    )


def _many(totals: int) -> str:
    return "One total holds" if totals == 1 else f"{totals:,} totals hold"


def _estimated(material: Material) -> pd.DataFrame:
    rows = material.council_rows
    rows = as_text(rows[rows["status"] == "estimated"])
    if rows.empty:
        return as_findings([])
    keys = ["code", "year", "return_", "source_id"]
    rows = rows.assign(many=rows.groupby(keys)["measure"].transform("size"))
    first = rows.sort_values([*keys, "measure", "cell"]).drop_duplicates(keys)
    words = [
        f"{row.many:,} figures are marked as estimates, the first of {spoken(row.measure)}."
        for row in each(first)
    ]
    return as_findings(first.assign(ons_code=first["code"], severity="note", words=words))


def _find_totals(material: Material) -> Found:
    totals = material.totals
    money = totals["return_"].ne("SALT")
    inside = (totals["gap"] >= totals["low"]) & (totals["gap"] <= totals["high"])
    excused = (totals["absent"] > 0) & ((totals["gap"] > 0) | (money & _few(totals)))
    wrong = _largest(totals[~inside & ~excused])
    words = [
        f"{'One total does' if row.totals == 1 else f'{row.totals:,} totals do'} not add up; the largest "
        f"gap: {spoken(row.measure)} is {number(row.value)}, its councils sum to {number(row.reference)}; "
        f"rounding explains {number(row.high)} at most."
        for row in each(wrong)
    ]
    return Found(as_findings(wrong.assign(severity="warn", words=words)), len(totals))


IMPUTED: Final = Rule(
    name="imputed",
    title="Estimated or filled in",
    looks_at="Each published total of a region and of England, less the sum of its councils, where a "
    "council has no figure; and figures that are marked as estimates.",
    threshold="More than rounding and withheld counts explain: 2.5 for every SALT cell (counts are rounded "
    "to 5), 4 for every withheld count, £500 for every line of money.",
    false_alarms="",
    cannot_see="Which council the estimate is for where several are missing, and an estimate of less than "
    "the slack that rounding leaves.",
    source="Notes of the 2021-22 data tables: totals hold earlier figures of Hackney, Rochdale and Swindon.",
    unit="totals",
    find=_find_imputed,
)
"""Totals that hold an estimate."""

TOTALS: Final = Rule(
    name="totals",
    title="Totals that do not add up",
    looks_at="The same totals where no council is missing, and totals of counts below the sum of their "
    "councils.",
    threshold="More than rounding and withheld counts explain (as for estimates).",
    false_alarms="",
    cannot_see="Two errors that cancel; a total and its councils that are printed in different publications.",
    source="Rounding and suppression as stated in the notes of the data tables.",
    unit="totals",
    find=_find_totals,
)
"""Totals that do not add up."""
