"""Small made-up CSVs with a column for every dimension, whole for their year: every council, every item."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from clsimpact.geography import councils, regions
from clsimpact.loaders.manifest import Source, all_sources

Item = Mapping[str, str]

SALT_HEADINGS = {
    "level": "GEOGRAPHY_LEVEL",
    "ending": "FY_Ending",
    "cassr": "CASSR_CODE",
    "ons": "GEOGRAPHY_CODE",
    "name": "DH_GEOGRAPHY_NAME",
    "region": "REGION_GO_CODE",
    "region_name": "GEOGRAPHY_NAME",
}
CLD_HEADINGS = {
    "level": "GeographyLevel",
    "ending": "FYEnding",
    "cassr": "CASSRCode",
    "ons": "GeographyCode",
    "name": "DHGeographyName",
    "region": "RegionGOCode",
    "region_name": "GeographyName",
}
Rows = list[dict[str, str]]


def whole_file(year: int, items: Sequence[Item], headings: Mapping[str, str] = SALT_HEADINGS) -> Rows:
    """Return rows of every council, region and England; the value of an item is 5 times the row's number."""
    areas = [
        ("Local Authority", c.cassr_code, c.ons_code, c.name, c.region_code, c.region)
        for c in councils(year).itertuples()
    ]
    areas += [("Regional", "", "", "", code, name) for code, name in regions().items()]
    areas.append(("National", "", "", "", "E92000001", "England"))
    rows: Rows = []
    for level, cassr, ons, name, region, region_name in areas:
        for item in items:
            area = (level, str(year + 1), cassr, ons, name, region, region_name)
            row = dict(zip(headings.values(), area, strict=True))
            rows.append({**row, **item, "ITEMVALUE": str(5 * (len(rows) + 1))})
    return rows


def write_rows(path: Path, rows: Sequence[Mapping[str, str]], *, columns: Sequence[str] = ()) -> Path:
    """Write rows; the columns are those of all rows, in order of appearance, unless given."""
    names = list(columns or dict.fromkeys(name for row in rows for name in row))
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, names, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return path


def source_of(source_id: str, **changes: object) -> Source:
    """Return the record of a publication, with changes."""
    return replace(all_sources()[source_id], **changes)  # type: ignore[arg-type]
