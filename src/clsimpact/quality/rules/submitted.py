"""Returns, and measures of a return, that a council did not submit although others did."""

from __future__ import annotations

from typing import Any, Final

import pandas as pd

from clsimpact.errors import list_some
from clsimpact.quality._findings import Found, Rule, as_findings, each, spoken
from clsimpact.quality._material import Material
from clsimpact.years import year_label

__all__ = ["RULE"]

MOST: Final = 0.5
"""A return is expected where more than half of the councils gave it: surveys that were called off are
given by fewer."""
NEARLY_ALL: Final = 0.9
"""A measure is expected where nine in ten councils gave it: voluntary items are given by fewer, and say
nothing about a council that lacks them."""


def _find(material: Material) -> Found:
    table = material.coverage
    table = table.assign(has=table["given"] > 0)
    shares = table.groupby(["return_", "year"])["has"].transform("mean")
    usual = table["given"].where(table["has"]).groupby([table["return_"], table["year"]]).transform("median")
    absent = table.assign(reference=usual)[(shares > MOST) & ~table["has"]]
    rows = [
        {
            **_place(row),
            "severity": "warn",
            "value": 0.0,
            "reference": row.reference,
            "words": _absent_words(row),
        }
        for row in each(absent)
    ]
    rows += _measures(material, absent)
    return Found(as_findings(rows), len(table))


def _place(row: Any) -> dict[str, object]:
    return {name: getattr(row, name) for name in ("ons_code", "year", "return_")}


def _absent_words(row: Any) -> str:
    how = f"{row.not_submitted:,} marked not submitted"
    if not row.figures:
        how = "the publication does not list the council"
    return f"{row.name} has no {row.return_} figure for {year_label(row.year)} ({how}); other councils have."


def _measures(material: Material, absent: pd.DataFrame) -> list[dict[str, object]]:
    """Return one finding for each council, year and return that lacks measures that nearly all gave."""
    rows = material.council_rows
    rows = rows.assign(given=~rows["status"].isin(["not_submitted", "not_applicable"]))
    keys = ["return_", "year", "measure", "code"]
    given = rows.groupby(keys, observed=True)["given"].max().rename("has").reset_index()
    share = given.groupby(["return_", "year", "measure"], observed=True)["has"].transform("mean")
    councils = given.groupby(["return_", "year", "measure"], observed=True)["code"].transform("size")
    listed = material.coverage.groupby(["return_", "year"]).size()
    places = pd.MultiIndex.from_frame(given[["return_", "year"]].astype({"return_": "object"}))
    every = councils > MOST * listed.reindex(places).to_numpy()
    lacks = given[(share > NEARLY_ALL) & every & ~given["has"]].astype(
        {"return_": "string", "measure": "string"}
    )
    known = pd.MultiIndex.from_frame(absent[["ons_code", "year", "return_"]].astype("object"))
    pairs = pd.MultiIndex.from_frame(lacks[["code", "year", "return_"]].astype("object"))
    lacks = lacks[~pairs.isin(known)].sort_values(["return_", "year", "code", "measure"])
    found: list[dict[str, object]] = []
    for (return_, year, code), group in lacks.groupby(["return_", "year", "code"], sort=True):
        names = group["measure"].tolist()
        said = list_some([spoken(name) for name in names], 6)
        words = f"No figure for {len(names)} measures that nine in ten councils gave: {said}."
        if len(names) == 1:
            words = f"No figure for {said}, which nine in ten councils gave."
        place = {"ons_code": code, "year": year, "return_": return_, "measure": names[0]}
        if len(names) > 1:
            place.pop("measure")
        found.append({**place, "severity": "look", "value": float(len(names)), "words": words})
    return found


RULE: Final = Rule(
    name="submitted",
    title="Not submitted",
    looks_at="Every council, year and return: figures with a value, an answer or withheld because small, "
    "against all figures; then every measure of it.",
    threshold="A return without a single figure (warn) where more than half of the councils have one: "
    "surveys that were called off are given by fewer. A measure without one (look) where more than nine in "
    "ten councils have it: voluntary items are given by fewer.",
    false_alarms="",
    cannot_see="A council that sent a return of which single cells are blank; a return that the publisher "
    "filled with an earlier year's figures without a mark.",
    source="Publishers' markers for figures that were not submitted ([x], a colon, an empty cell); "
    "publication notes on Hackney, Rochdale and Swindon.",
    unit="councils by year and return",
    find=_find,
)
"""Returns and measures that are absent."""
