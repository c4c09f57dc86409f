"""The quality report as one page that needs no other file, no script and no network."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from importlib import resources
from typing import TYPE_CHECKING, Any

import jinja2
import pandas as pd

from clsimpact.errors import list_some
from clsimpact.geography import regions
from clsimpact.quality._findings import SEVERITIES, each
from clsimpact.years import spans, year_label

if TYPE_CHECKING:
    from clsimpact.quality.report import QualityReport

__all__ = ["page"]

_LICENCE = "https://www.nationalarchives.gov.uk/doc/open-government-licence/version/3/"
_USUAL = "No endorsement by the publishers is implied. "


@functools.cache
def _template() -> jinja2.Template:
    text = resources.files("clsimpact.quality").joinpath("page.html.j2").read_text(encoding="utf-8")
    settings = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return settings.from_string(text)


def page(report: QualityReport) -> str:
    """Return a quality report as HTML.

    Parameters
    ----------
    report
        What :func:`clsimpact.quality.quality` returns.

    Returns
    -------
    str
        The same page for the same report.
    """
    years = sorted(set(report.coverage["year"].tolist()))
    returns = sorted(set(report.coverage["return_"].tolist()))
    licence = f"{_USUAL}Open Government Licence v3.0: {_LICENCE}"
    return _template().render(
        simulated=report.simulated,
        mark="SIMULATED. " if report.simulated else "",
        returns=list_some(returns),
        years=spans(years),
        total=f"{len(report.findings):,}",
        rules=[_rule(row, report.findings) for row in each(report.rules)],
        tables=[_heat(return_, report) for return_ in returns],
        attribution=report.attribution,
        thanks="" if report.simulated else licence,
        made_by=report.made_by,
    )


def _rule(row: Any, findings: pd.DataFrame) -> dict[str, Any]:
    """Return what the page says of one rule, with its findings grouped by year."""
    counts = [f"{getattr(row, name):,} {name}" for name in reversed(SEVERITIES) if getattr(row, name)]
    headline = ", ".join(counts) if counts else "Nothing found" if row.looked_at else "Nothing to look at"
    mine = findings[findings["rule"] == row.rule]
    groups = [
        {"year": year_label(int(str(year))), "rows": [_finding(one) for one in each(rows)]}
        for year, rows in mine.groupby("year", sort=True)
    ]
    facts = {name: getattr(row, name) for name in ("title", "looks_at", "threshold", "false_alarms")}
    facts |= {name: getattr(row, name) for name in ("cannot_see", "source")}
    looked = f"{row.looked_at:,} {row.unit}"
    words = f"Looked at {looked}." if row.looked_at else f"It needs {row.unit}, and the returns hold none."
    return {
        "name": row.rule,
        **facts,
        "headline": headline,
        "looked_at": looked,
        "looked": words,
        "groups": groups,
    }


def _finding(row: Any) -> dict[str, str]:
    name = row.ons_code if pd.isna(row.name) else row.name
    place = [text for text in (row.source_id, row.table, row.cell) if pd.notna(text)]
    where = ", ".join(dict.fromkeys(place))
    return_ = "" if pd.isna(row.return_) else row.return_
    return {"name": name, "severity": row.severity, "return_": return_, "words": row.words, "where": where}


def _heat(return_: str, report: QualityReport) -> dict[str, Any]:
    """Return the table of one return: the worst severity of every council and year."""
    held = report.coverage[report.coverage["return_"] == return_]
    years = sorted(set(held["year"].tolist()))
    mine = report.findings[report.findings["return_"] == return_]
    rank = mine["severity"].map({name: place for place, name in enumerate(SEVERITIES)})
    worst = mine.assign(rank=rank).groupby(["ons_code", "year"])["rank"].agg(["max", "size"])
    cells = {key: (SEVERITIES[int(top)], int(many)) for key, top, many in worst.itertuples()}
    known = set(zip(held["ons_code"], held["year"], strict=True))
    places = held.drop_duplicates("ons_code", keep="last")[["ons_code", "name", "region"]]
    found = []
    for region in dict.fromkeys(regions().values()):
        rows = places[places["region"] == region].sort_values(["name", "ons_code"])
        lines = [_line(row, years, cells, known) for row in each(rows)]
        if lines:
            found.append({"name": region, "rows": lines})
    anchor = re.sub(r"[^a-z0-9]+", "-", return_.casefold()).strip("-")
    return {
        "anchor": f"councils-{anchor}",
        "title": return_,
        "years": [year_label(year) for year in years],
        "regions": found,
    }


def _line(
    row: Any, years: Iterable[int], cells: dict[Any, tuple[str, int]], known: set[tuple[str, int]]
) -> dict[str, Any]:
    line = []
    for year in years:
        key = (row.ons_code, year)
        kind, many = cells.get(key, ("none", 0)) if key in known or key in cells else ("blank", 0)
        text = f"{kind} {many}" if many else "–" if kind == "blank" else "none"
        line.append({"kind": kind, "text": text})
    return {"name": row.name, "cells": line}
