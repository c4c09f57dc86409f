"""PSS-EX1 2014-15: wide CSV files in Windows-1252, one column a council, regions and England at the right.

Row 1 holds region letters, row 2 the headings; notes stand below the figures. Expenditure is in £000,
activity in weeks, unit costs in £ per week (their numerators in £000, their denominators in weeks).
A file that lacks a council, a region, a row of figures or the notes below them is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pandas as pd

from clsimpact.errors import LayoutError, did_you_mean, list_some
from clsimpact.geography import councils, regions
from clsimpact.loaders._complete import council_names, fold_name, lacking_areas, raise_incomplete
from clsimpact.loaders.csvs import figures, read_text_cells, translate_column
from clsimpact.loaders.labels import fold, measures
from clsimpact.loaders.manifest import Source
from clsimpact.loaders.returns import as_returns
from clsimpact.loaders.sheets import column_letters

__all__ = ["read"]

_YEAR: Final = 2014
_ENGLAND: Final = "E92000001"
_COUNCIL: Final = re.compile(r"^(\d{3}) - (.+)$")
_REGION_SPELLINGS: Final = {"Yorkshire and Humber": "Yorkshire and The Humber", "East": "East of England"}
# Label columns by the file's heading, in the order of the file; the last one says what is measured.
_COMMON: Final = ("care_type", "age_band", "primary_support_reason", "support_setting")
_LABELS: Final[Mapping[str, tuple[str, ...]]] = {
    "pss_ex1_expenditure_2014_15": (*_COMMON, "MEASURE"),
    "pss_ex1_activity_2014_15": (*_COMMON, "provision"),
    "pss_ex1_unit_costs_2014_15": (*_COMMON, "MEASURE", "provision"),
}
_HEADINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "pss_ex1_expenditure_2014_15": (
        "Support type", "Age category", "Summary", "Delivery mechanism", "Accounting category",
    ),
    "pss_ex1_activity_2014_15": (
        "Support type", "Age category", "Primary support reason", "Service delivery mechanism", "Provision",
    ),
    "pss_ex1_unit_costs_2014_15": (
        "Support type", "Age category", "Primary support reason", "Service delivery mechanism",
        "Unit cost category", "Unit cost provision",
    ),
}  # fmt: skip
_MEASURES: Final[Mapping[str, tuple[str, str | None]]] = {
    "Gross total cost: own provision": ("total_expenditure", "Own provision"),
    "Gross total cost: provision by others": ("total_expenditure", "Provision by others"),
    "Gross total cost: grants to voluntary org": ("total_expenditure", "Grants to voluntary organisations"),
    "Gross total cost: total expenditure": ("total_expenditure", "Total"),
    "Income: client contributions": ("total_income", "Client contributions"),
    "Income: joint arrangements": ("total_income", "Joint arrangements"),
    "Income: Income from NHS": ("total_income", "Income from NHS"),
    "Income: other income": ("total_income", "Other income"),
    "Income: total": ("total_income", "Total"),
    "Capital charges: own provision": ("capital_charges", "Own provision"),
    "Capital charges: provision by others": ("capital_charges", "Provision by others"),
    "Net total expenditure": ("net_total_expenditure", None),
    "Net current expenditure": ("net_current_expenditure", None),
    "Gross total expenditure": ("gross_total_expenditure", None),
    "Gross current expenditure": ("gross_current_expenditure", None),
    "Gross SSMSS": ("gross_ssmss", None),
    "Numerator": ("unit_cost_numerator", None),
    "Denominator": ("unit_cost_denominator", None),
    "Unit costs": ("unit_cost", None),
}
_ROWS: Final[Mapping[str, int]] = {
    "pss_ex1_expenditure_2014_15": 2_674,
    "pss_ex1_activity_2014_15": 84,
    "pss_ex1_unit_costs_2014_15": 216,
}
"""Rows of figures in each publication. (Labels cannot tell a row that stands twice: some rows of the
expenditure file share theirs.)"""
_TOTAL: Final = ("Adult Social Care", "Total", "Gross current expenditure")
"""The row of the expenditure file that every outcome of 2014-15 rests on."""
_MADE_UP: Final = "SIMULATED"
_DIMENSIONS: Final = (*_COMMON, "purpose", "provision", "carer_support_type")


def read(path: Path, source: Source) -> pd.DataFrame:
    """Read one wide PSS-EX1 file.

    Parameters
    ----------
    path
        The CSV.
    source
        Its manifest record, which names the layout.

    Returns
    -------
    pandas.DataFrame
        A returns table: every printed value once.

    Raises
    ------
    LayoutError
        If a heading, label or value is not known, or a council's name is not that of its code; all of them
        are listed with their places. If areas, rows of figures or the notes below them are missing. If the
        notes say that the file is made up and its manifest record does not.
    SourceError
        If the file cannot be read as a CSV.
    """
    sheet = read_text_cells(path, source)
    _refuse_made_up(sheet, path, source)
    header, first = _find_header(sheet, path, source)
    areas, problems = _areas(sheet.iloc[header], first)
    body = sheet.iloc[header + 1 :]
    body = body[(body.iloc[:, first:] != "").any(axis=1)]
    labels, found = _labels(body, source)
    problems += found
    # Notes fill no cell of an area; regions and England have no answer to a question.
    long = body.iloc[:, first:].melt(ignore_index=False, var_name="column", value_name="printed")
    cells = long.rename_axis("row").set_index("column", append=True).sort_index()["printed"]
    values, found = figures(cells, source, _address, blank_is_layout=True)
    problems += found
    problems += _blank_councils(cells, areas)
    if problems:
        raise LayoutError(
            f"{path.name}: some cells are not understood.",
            problems,
            repair="Use the publisher's file unchanged.",
        )
    raise_incomplete(path.name, _incomplete(sheet, body, areas, source))
    rows = values[values["status"].notna()].reset_index()
    rows = rows.join(labels, on="row").join(areas, on="column")
    letters = {column: column_letters(column) for column in areas.index}
    rows["cell"] = rows["column"].map(letters) + (rows["row"] + 1).astype(str)
    rows = rows.drop(columns=["row", "column"])
    return as_returns(rows.assign(year=_YEAR, table=path.stem, return_=source.return_), source)


def _layout(source: Source) -> str:
    """Return the id of the publication whose layout a file has: a made-up file has that of its model."""
    return source.id.removeprefix("simulated_")


def _refuse_made_up(sheet: pd.DataFrame, path: Path, source: Source) -> None:
    """Refuse a file whose first column says that it is made up, unless its record says so too."""
    marked = sheet.index[sheet.iloc[:, 0].str.startswith(_MADE_UP)]
    if len(marked) and not source.simulated:
        raise LayoutError(
            f"{path.name}: the file says it is made up.",
            [f"A{row + 1}: {sheet.iloc[row, 0]}" for row in marked[:3]],
            repair="Read made-up files with the manifest of their folder, and never beside official ones.",
        )


def _incomplete(
    sheet: pd.DataFrame, body: pd.DataFrame, areas: pd.DataFrame, source: Source
) -> Iterator[str]:
    """Yield the areas and rows that are missing, and the rows that stand twice."""
    yield from lacking_areas(areas["cassr_code"].dropna(), council_names(_YEAR))
    labels = body.iloc[:, : len(_LABELS[_layout(source)])].map(lambda cell: str(cell).strip())
    if _layout(source) == "pss_ex1_expenditure_2014_15":
        if not (labels.iloc[:, 2:].apply(tuple, axis=1) == _TOTAL).any():
            yield f"no row {' / '.join(_TOTAL)}"
    else:
        yield from lacking_areas(areas["ons_code"], {**regions(), _ENGLAND: "England"}, "regions and England")
    wanted = _ROWS[_layout(source)]
    if len(body) != wanted:
        yield f"{len(body):,} rows of figures, where the publication has {wanted:,}"
        again = body.index[body.duplicated()] + 1
        if len(again) and len(body) > wanted:
            yield f"row {list_some(again, 4)}: the same as a row above it"
    below = sheet.iloc[body.index[-1] + 1 :, :3] if len(body) else sheet.iloc[:0]
    if not below.map(lambda cell: fold(cell).startswith("notes")).any(axis=None):
        yield "the notes that end the file are not there"


def _address(place: tuple[int, int]) -> str:
    return f"{column_letters(place[1])}{place[0] + 1}"


def _find_header(sheet: pd.DataFrame, path: Path, source: Source) -> tuple[int, int]:
    """Return the row of the headings and the column of the first council, both found by their text."""
    wanted = _HEADINGS[_layout(source)]
    for row in range(min(10, len(sheet))):
        printed = [str(cell).strip() for cell in sheet.iloc[row]]
        if printed[0] != wanted[0]:
            continue
        wrong = [
            f"column {column_letters(at)} is headed {have!r}, not {word!r}"
            for at, (word, have) in enumerate(zip(wanted, printed, strict=False))
            if have != word
        ]
        if wrong or len(printed) <= len(wanted):
            raise LayoutError(
                f"{path.name}, row {row + 1}: the headings are not the declared ones.",
                wrong or ["no column of a council stands behind them"],
                repair="Use the publisher's file unchanged.",
            )
        return row, len(wanted)
    raise LayoutError(
        f"{path.name}: no row begins with {wanted[0]!r}.", repair="Use the publisher's file unchanged."
    )


def _areas(header: pd.Series[Any], first: int) -> tuple[pd.DataFrame, list[str]]:
    """Return the area of every column of figures."""
    known = councils(_YEAR).set_index("cassr_code")
    found: dict[int, dict[str, str]] = {}
    problems = []
    for column, cell in enumerate(header):
        if column < first:
            continue
        try:
            found[column] = _area(str(cell).strip(), known)
        except KeyError as error:
            problems.append(f"column {column_letters(column)}: {error.args[0]}")
    frame = pd.DataFrame.from_dict(found, orient="index", columns=["level", "cassr_code", "ons_code", "name"])
    for name, same in frame.groupby("ons_code"):
        if len(same) > 1:
            letters = " and ".join(column_letters(column) for column in same.index)
            problems.append(f"columns {letters}: {same['name'].iloc[0]} ({name}) stands in several columns")
    return frame.astype("object"), problems


def _area(printed: str, known: pd.DataFrame) -> dict[str, str]:
    match = _COUNCIL.match(printed)
    if match:
        code = match[1]
        if code not in known.index:
            raise KeyError(
                f"{printed!r}: no council had this code in 2014-15{did_you_mean(code, list(known.index))}"
            )
        ons_code, name = str(known.loc[code, "ons_code"]), str(known.loc[code, "name"])
        if fold_name(match[2]) != fold_name(name):
            raise KeyError(f"{printed!r}: the code {code} is that of {name}")
        return {"level": "council", "cassr_code": code, "ons_code": ons_code, "name": name}
    if printed.casefold() == "england":
        return {"level": "england", "ons_code": _ENGLAND, "name": "England"}
    codes = {name: code for code, name in regions().items()}
    name = _REGION_SPELLINGS.get(printed, printed)
    if name in codes:
        return {"level": "region", "ons_code": codes[name], "name": name}
    raise KeyError(f"unknown area {printed!r}{did_you_mean(printed, [*codes, *_REGION_SPELLINGS])}")


def _blank_councils(cells: pd.Series[Any], areas: pd.DataFrame) -> list[str]:
    columns = areas.index[areas["level"] == "council"]
    blank = cells.index[(cells.str.strip() == "") & cells.index.isin(columns, level="column")]
    return [f"{_address(place)}: blank, and a blank has no meaning in this file" for place in blank[:5]]


def _labels(body: pd.DataFrame, source: Source) -> tuple[pd.DataFrame, list[str]]:
    """Return what the labels of every row of figures say."""
    printed = body.iloc[:, : len(_LABELS[_layout(source)])].map(lambda cell: str(cell).strip())
    printed.columns = pd.Index(_LABELS[_layout(source)])
    labels: dict[str, Any] = {}
    combined = printed["support_setting"] == "Short and long term total"
    overall = printed["primary_support_reason"] == "Adult Social Care"
    labels["detail"] = pd.Series(None, index=body.index, dtype="object").mask(
        combined, "long and short term care"
    )
    printed.loc[combined | overall, ["care_type", "support_setting"]] = ["Total", "Total"]
    printed.loc[overall, "primary_support_reason"] = "Total"
    measure, problems = _accounting(printed) if "MEASURE" in printed else (_activity(printed), [])
    unit = {name: entry["unit"] for name, entry in measures().items()}
    labels.update(measure, unit=measure["measure"].map(unit))
    _split_settings(printed, labels)
    for dimension in _DIMENSIONS:
        column = labels.pop(dimension, None) if dimension in labels else printed.get(dimension)
        if column is not None:
            heading = dimension.replace("_", " ")
            labels[dimension], found = translate_column(column.rename(heading), dimension, first_row=1)
            problems += found
    return pd.DataFrame(labels, index=body.index), problems


def _split_settings(printed: pd.DataFrame, labels: dict[str, Any]) -> None:
    """Tell apart what one column mixes: settings, purposes of short term care, and support to carers."""
    setting = printed["support_setting"]
    purpose = setting.isin(["To maximise independence", "Other short term"])
    carer = printed["primary_support_reason"].map(fold).eq("social support support to carer")
    labels["purpose"] = setting.where(purpose, "")
    labels["carer_support_type"] = setting.where(carer, "")
    labels["support_setting"] = setting.mask(purpose | carer, "")


def _accounting(printed: pd.DataFrame) -> tuple[dict[str, pd.Series[Any]], list[str]]:
    """Return measure and finance description of rows that name an accounting or unit cost category."""
    problems = []
    for label in printed["MEASURE"].unique():
        if label not in _MEASURES:
            rows = list_some(printed.index[printed["MEASURE"] == label] + 1, 4)
            near = did_you_mean(label, list(_MEASURES))
            problems.append(f"accounting category, row {rows}: {label!r} is not known{near}")
    measure = printed["MEASURE"].map({label: name for label, (name, _) in _MEASURES.items()})
    description = printed["MEASURE"].map({label: what for label, (_, what) in _MEASURES.items()})
    special = printed["primary_support_reason"]
    measure = measure.mask(special == "Income from Specific and Special Grants", "specific_grants_income")
    overall = special.isin(["Income from Specific and Special Grants", "Actual total net cost"])
    printed.loc[overall, "primary_support_reason"] = "Total"
    return {"measure": measure, "finance_description": description}, problems


def _activity(printed: pd.DataFrame) -> dict[str, pd.Series[Any]]:
    """Return the measure of rows of activity, which their labels imply."""
    setting = printed["support_setting"].copy()
    hourly = printed["provision"] == "Hourly rate"
    charges, clients = setting == "Capital charges", setting == "Number of SALT Clients"
    measure = pd.Series("care_weeks", index=printed.index).mask(hourly, "home_care_hourly_rate")
    measure = measure.mask(charges, "capital_charges_included").mask(clients, "salt_clients_also_long_term")
    words = {"Internal home care provision": "In house", "External home care provision": "External"}
    printed.loc[hourly, "provision"] = setting[hourly].replace(words)
    printed.loc[hourly, "support_setting"] = "Community: home care"
    printed.loc[charges | clients, "support_setting"] = ""
    return {"measure": measure}
