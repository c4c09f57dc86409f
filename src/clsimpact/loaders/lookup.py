"""Look-ups and code lists: which lower-tier authorities make up which upper-tier one, and area names.

Files and what :func:`read` returns, one table per kind, recognised by the headers:

- ONS *Lower Tier Local Authority to Upper Tier Local Authority* look-ups (``LTLA20CD, LTLA20NM,
  UTLA20CD, UTLA20NM``; the 2012 to 2019 one begins with ``LAD12CD``): ``lower_code, lower_name,
  upper_code, upper_name, council_code, valid_for``. ``valid_for`` is the year of the upper-tier codes.
  ``council_code`` is the authority with social-care duties: the upper tier, except in December 2016, whose
  look-up puts metropolitan districts under metropolitan counties (E11) and boroughs under Inner and Outer
  London (E13), which have none; there it is the lower tier.
- ``ons_codes.csv`` (ASCOF 2023-24): ``ons_code, area_code, name, council_type, region, cassr_code, level,
  valid_for``; ``area_code`` is a CASSR code for councils and a letter for regions.
- ``measure_direction.csv``: ``description, direction``.
- ``uk_local_authorities_future.csv`` (mySociety): its own columns with underscores instead of hyphens, all
  text.

All cells are text; a blank is missing. Source publications: Office for National Statistics, Open Geography
Portal; NHS England; mySociety.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pandas as pd

from clsimpact.loaders._area import level_of, ons_code_of
from clsimpact.loaders._grid import check_headers, open_csv, raise_problems
from clsimpact.loaders.manifest import Source
from clsimpact.loaders.sheets import Sheet, clean

__all__ = ["read"]

_TIER: Final = re.compile(r"^(LTLA|LAD|UTLA)(\d{2})(CD|NM|NMW)$")
_GROUPS: Final = ("E11", "E13")  # metropolitan counties, Inner and Outer London: no council
_ROW_NUMBERS: Final = ("FID", "OBJECTID")
_CODE: Final = re.compile(r"^[EWNSK]\d{8}$")
_CODE_LIST: Final = ("ONS Area Code", "LA Code", "Geography", "Council type", "Council region")
_DIRECTION: Final = ("Measure Group Description", "Direction")
_MYSOCIETY: Final = ("local-authority-code", "gss-code", "start-date", "end-date", "replaced-by")
_DATE: Final = re.compile(r"^\d{4}(-\d{2}-\d{2})?$")


def read(path: Path, source: Source) -> pd.DataFrame:
    """Read a look-up or code list.

    Parameters
    ----------
    path
        The CSV file.
    source
        Its manifest record.

    Returns
    -------
    pandas.DataFrame
        One of the tables described in :mod:`clsimpact.loaders.lookup`. Not a returns table: these files
        hold no figures of councils.

    Raises
    ------
    SourceError
        If the file cannot be read as CSV.
    LayoutError
        If its headers are of no known kind, or a code is malformed or listed twice.

    Examples
    --------
    >>> from clsimpact.loaders.manifest import load_manifest
    >>> source = load_manifest()["lookup_lower_upper_2020"]
    >>> read(Path("lookup.csv"), source)  # doctest: +SKIP
      lower_code lower_name upper_code upper_name  valid_for
    """
    sheet = open_csv(path, source)
    labels = sheet.labels(0)
    folded = {label.casefold() for label in labels}
    if any(_TIER.match(label) for label in labels):
        return _read_tiers(sheet)
    if "la code" in folded:
        return _read_codes(sheet, source)
    if "direction" in folded:
        table = _text_table(sheet, check_headers(sheet, 0, _DIRECTION), ["description", "direction"])
        _check_unique(sheet, table["description"], "the description")
        return table
    if "gss-code" in folded:
        return _read_mysociety(sheet)
    raise_problems(sheet, [f"row 1: unknown headers {', '.join(labels[:8])}"], "it is no known look-up")
    raise AssertionError  # pragma: no cover - raise_problems has raised


def _text_table(sheet: Sheet, columns: list[int], names: list[str]) -> pd.DataFrame:
    """Return columns of a sheet as text, after checking that headings stand once; blanks are missing."""
    again = [number for number, row in enumerate(sheet.rows[1:], start=2) if list(row) == list(sheet.rows[0])]
    raise_problems(sheet, [f"row {number}: the headings again" for number in again])
    cells = [[clean(row[column]) or None for column in columns] for row in sheet.rows[1:]]
    return pd.DataFrame(cells, columns=names, dtype="string")


def _check_unique(sheet: Sheet, codes: pd.Series, what: str) -> None:
    """Refuse a key that is missing or listed twice."""
    twice = codes.isna() | codes.duplicated(keep=False)
    problems = [
        f"row {row + 2}: {what} {codes[row]!r} is missing or listed twice" for row in codes.index[twice]
    ]
    raise_problems(sheet, problems, "its keys are not unique")


def _read_tiers(sheet: Sheet) -> pd.DataFrame:
    """Read a lower-tier to upper-tier look-up; the header of the upper-tier code says the year."""
    labels = sheet.labels(0)
    parts = {label: match for label in labels if (match := _TIER.match(label))}
    wanted = {
        ("upper" if match[1] == "UTLA" else "lower") + ("_code" if match[3] == "CD" else "_name"): label
        for label, match in parts.items()
        if match[3] != "NMW"
    }
    names = ["lower_code", "lower_name", "upper_code", "upper_name"]
    known = [wanted.get(name, f"{name.replace('_', ' ')} (such as LTLA20CD or UTLA20NM)") for name in names]
    rest = [
        label
        for label in labels
        if label.upper() in _ROW_NUMBERS or (label in parts and parts[label][3] == "NMW")
    ]
    columns = check_headers(sheet, 0, [*known, *rest])[: len(names)]
    table = _text_table(sheet, columns, names)
    problems = [
        f"row {row + 2}: {code!r} is no ONS code"
        for name in ("lower_code", "upper_code")
        for row, code in enumerate(table[name])
        if pd.isna(code) or not _CODE.match(code)
    ]
    raise_problems(sheet, problems, "its codes are not ONS codes")
    _check_unique(sheet, table["lower_code"], "the lower-tier code")
    groups = table["upper_code"].str.startswith(_GROUPS)
    council = table["upper_code"].where(~groups, table["lower_code"])
    return table.assign(council_code=council, valid_for=2000 + int(parts[wanted["upper_code"]][2]))


def _read_codes(sheet: Sheet, source: Source) -> pd.DataFrame:
    """Read the code list that comes with the ASCOF open data."""
    names = ["ons_code", "area_code", "name", "council_type", "region"]
    table = _text_table(sheet, check_headers(sheet, 0, _CODE_LIST), names)
    _check_unique(sheet, table["ons_code"], "the ONS code")
    levels = [level_of(ons_code_of(code)) for code in table["ons_code"]]
    problems = [
        f"row {row + 2}: {table['ons_code'][row]!r} is no council, region or England"
        for row, level in enumerate(levels)
        if level == "other"
    ]
    problems += [
        f"row {row + 2}: {table['name'][row]!r} has no CASSR code"
        for row, level in enumerate(levels)
        if level == "council" and pd.isna(table["area_code"][row])
    ]
    raise_problems(sheet, problems, "its codes are not those of its layout")
    cassr = table["area_code"].where(pd.Series(levels) == "council")
    return table.assign(cassr_code=cassr, level=pd.array(levels, dtype="string"), valid_for=source.year)


def _read_mysociety(sheet: Sheet) -> pd.DataFrame:
    """Read mySociety's list of past, current and future authorities."""
    labels = sheet.labels(0)
    check_headers(sheet, 0, [*dict.fromkeys([*labels, *_MYSOCIETY])])
    table = _text_table(
        sheet, list(range(len(labels))), [label.replace("-", "_").casefold() for label in labels]
    )
    _check_unique(sheet, table["local_authority_code"], "the code")
    problems = [
        f"row {row + 2}: {value!r} is no date"
        for name in ("start_date", "end_date")
        for row, value in enumerate(table[name])
        if not pd.isna(value) and not _DATE.match(value)
    ]
    raise_problems(sheet, problems, "its dates are not those of its layout")
    return table
