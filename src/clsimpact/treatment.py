"""Who adopted the programme, when, on what evidence; and how that is written onto a panel.

The adoption list is known to be incomplete: a council that is not on it is *never known* to have adopted,
which is weaker than never having adopted.
"""

from __future__ import annotations

import copy
import csv
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, get_args

import numpy as np
import pandas as pd

from clsimpact._adopters import YEARS, Adopter, check_fit, find_adopters
from clsimpact._display_data import shown_as_panel
from clsimpact._input import is_made_up
from clsimpact._own_files import why_unreadable
from clsimpact._paths import path_of
from clsimpact.errors import AdoptionError, did_you_mean, list_some
from clsimpact.store import read_parquet
from clsimpact.years import year_label

__all__ = ["ADOPTION_COLUMNS", "adoption_table", "load_adoption", "tag_adoption"]

ADOPTION_COLUMNS: Final = {
    "la_name": "name of the local authority",
    "ons_code": "ONS code of the local authority",
    "nation": "England, Wales or Scotland",
    "adoption_year": "start year of the financial year of first exposure: own programme signed up or "
    "launched, or first hub or team opened",
    "earliest_year": "earliest year that the evidence allows",
    "latest_year": "latest year that the evidence allows",
    "adoption_date_basis": "what the date rests on",
    "confidence": "high, medium or low: the lower of whether the date is right and whether it is the "
    "programme",
    "source_url": "where the evidence was found",
    "note": "doubts and details",
}
"""The columns of an adoption list, and what each means."""

_NO_YEAR: Final = 1e6
"""No number as large as this is a year."""
_NEEDED: Final = ("ons_code", "adoption_year")
DateChoice = Literal["adoption_year", "earliest", "latest"]
PartYear = Literal["first_exposed", "first_full"]
Undated = Literal["drop", "control", "treated_from_latest"]
AlwaysTreated = Literal["drop", "keep"]


def load_adoption(path: str | os.PathLike[str] | None = None) -> pd.DataFrame:
    """Load a list of adopters.

    Parameters
    ----------
    path
        A CSV of your own with the same columns (``ons_code`` and ``adoption_year`` are needed, the others
        optional); the committed list of Community Led Support if omitted.

    Returns
    -------
    pandas.DataFrame
        Columns :data:`ADOPTION_COLUMNS`; years are Int64 and missing where unknown.

    Raises
    ------
    AdoptionError
        If the file is absent, a needed column is lacking, or a year is no whole number; all problems are
        listed.

    Examples
    --------
    >>> adoption = load_adoption()
    >>> adoption.loc[adoption["la_name"] == "Leeds", "adoption_year"].tolist()
    [2016]
    """
    if path is None:
        return _typed(read_parquet("adoption"), "The committed adoption list", first_row=0)
    where = path_of(path, "a CSV of adopters")
    repair = "Give the path of a CSV of adopters."
    if where.is_dir():
        raise AdoptionError(f"{where} is a folder, not a file.", repair=repair)
    if not where.is_file():
        raise AdoptionError(f"There is no file {where}.", repair=repair)
    try:
        table = pd.read_csv(where, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise AdoptionError(
            f"{where.name} cannot be read as a CSV in UTF-8.",
            [why_unreadable(where, error)],
            repair="Save it as CSV UTF-8 (comma delimited), and give that file.",
        ) from error
    if not isinstance(table.index, pd.RangeIndex):
        raise AdoptionError(
            f"The rows of {where.name} have more cells than its headings.",
            repair="Put a name that has a comma in it into quotation marks.",
        )
    _refuse_short_rows(where)
    return _typed(table, where.name, first_row=2)


def _refuse_short_rows(where: Path) -> None:
    """Refuse rows with fewer cells than headings: after a lost one, the others stand under wrong headings."""
    with where.open(encoding="utf-8-sig", newline="") as stream:
        try:
            rows = [row for row in csv.reader(stream) if row]
        except csv.Error as error:
            raise AdoptionError(
                f"{where.name} cannot be read as a CSV in UTF-8.",
                [str(error)],
                repair="Save it as CSV UTF-8 (comma delimited), and give that file.",
            ) from error
    short = [f"row {n}: {len(row)} cells" for n, row in enumerate(rows, 1) if len(row) < len(rows[0])]
    if short:
        raise AdoptionError(
            f"{where.name}: some rows have fewer cells than the {len(rows[0])} headings.",
            short,
            repair="Give each row as many cells as there are headings; a cell may be blank.",
        )


def _typed(table: pd.DataFrame, where: str, *, first_row: int) -> pd.DataFrame:
    """Give the columns of an adoption list their types; ``first_row`` is what messages call the first row."""
    names = [str(column) for column in table.columns]
    problems = [f"no column {name!r}{did_you_mean(name, names)}" for name in _NEEDED if name not in names]
    others = [name for name in names if name not in ADOPTION_COLUMNS]
    typed = table.reset_index(drop=True).reindex(columns=[*ADOPTION_COLUMNS, *others])
    if "nation" not in names:
        typed["nation"] = "England"
    for column in typed.columns:
        text = _text(typed[column])
        if column in YEARS:
            typed[column], wrong = _years(text)
            problems += [
                f"row {row + first_row}, column {column!r}: {cell!r} is no year" for row, cell in wrong
            ]
        else:
            typed[column] = text
    if "ons_code" in names:
        nameless = np.flatnonzero(typed["ons_code"].isna())
        problems += [f"row {row + first_row}: no ons_code" for row in nameless]
    if problems:
        raise AdoptionError(
            f"{where} is not a usable list of adopters.", problems, repair=_repair(names, problems)
        )
    return typed


def _repair(names: list[str], problems: list[str]) -> str:
    """Say what to do about an adoption list that cannot be used."""
    if len(names) == 1 and ";" in names[0]:
        return "Its headings stand in one cell: save it with commas, not with semicolons."
    found = []
    if any(text.startswith("no column") for text in problems):
        found.append(f"The list has: {list_some(names)}. Name its columns as those that are lacking.")
    if any(text.endswith("is no year") for text in problems):
        found.append("Write a year as the one in which the financial year starts: 2016 for 2016-17.")
    if any(text.endswith("no ons_code") for text in problems):
        found.append("clsimpact.geography.councils() has the codes.")
    return " ".join(found)


def _text(column: pd.Series) -> pd.Series:
    text = column.astype("string").str.strip()
    return text.mask(text.eq("").fillna(False).astype(bool))


def _years(text: pd.Series) -> tuple[pd.Series, list[tuple[int, str]]]:
    """Return the years of a column of text, and the row and text of those that are none."""
    number = pd.to_numeric(text, errors="coerce").to_numpy("float64", na_value=np.nan)
    with np.errstate(invalid="ignore"):
        whole = np.isfinite(number) & (number == np.round(number)) & (np.abs(number) < _NO_YEAR)
    bad = np.flatnonzero(text.notna().to_numpy(dtype=bool) & ~whole)
    years = pd.Series(np.where(whole, number, np.nan), index=text.index).astype("Int64")
    return years, [(int(row), str(text.iloc[row])) for row in bad]


def tag_adoption(
    panel: pd.DataFrame,
    adoption: pd.DataFrame,
    *,
    date: DateChoice = "adoption_year",
    part_year: PartYear = "first_exposed",
    undated: Undated = "drop",
    always_treated: AlwaysTreated = "drop",
) -> pd.DataFrame:
    """Write the year of adoption onto a panel.

    Parameters
    ----------
    panel
        A panel with ``ons_code`` and ``year``, and ``name`` for messages, such as
        :func:`clsimpact.load_panel` gives.
    adoption
        A list of adopters, such as :func:`load_adoption` gives; it needs ``ons_code`` and ``adoption_year``.
    date
        Which date to believe: the best guess, the earliest or the latest that the evidence allows. An adopter
        without that date is undated.
    part_year
        Adoption happens within a year. ``"first_exposed"`` counts that year as treated; ``"first_full"``
        counts from the year after (after the panel's last year, such an adopter is not yet treated).
    undated
        What to do with adopters without a year, and with councils whose adoption itself is in doubt:
        ``"drop"`` them, use them as ``"control"``, or count dated-by-bound ones as ``"treated_from_latest"``
        (those without even a latest year are dropped).
    always_treated
        Adopters treated from the panel's first year or before have no period without treatment: ``"drop"`` or
        ``"keep"``.

    Returns
    -------
    pandas.DataFrame
        The panel with ``adoption_year`` (first treated year, missing for controls), ``treated`` (0 or 1),
        ``event_time`` (years since adoption) and ``adoption_status``: ``adopter``, ``always treated``,
        ``undated``, ``unknown`` (whether it adopted is itself in doubt) or ``never known``.
        ``attrs["adoption"]`` records the choices and who was left out and why.

    Raises
    ------
    AdoptionError
        If a choice is unknown; if the panel lacks columns, has no rows, or several for one council and year;
        if the list names councils that do not exist or are not in the panel, names one twice, or gives a year
        outside the panel. Everything wrong with the list is told at once.

    Notes
    -----
    Authorities outside England are left out and recorded. Where councils were merged in the panel, an
    adopter stands for the whole merged area. Where the panel has councils as reported, those that took over
    an adopter carry its year.

    Examples
    --------
    >>> import clsimpact as ci
    >>> tagged = tag_adoption(ci.load_panel(), load_adoption())
    >>> tagged.groupby("adoption_status")["ons_code"].nunique().to_dict()
    {'adopter': 5, 'never known': 138}
    """
    _require_tables(panel, adoption)
    _refuse_mixture(panel, adoption)
    choices = {"date": date, "part_year": part_year, "undated": undated, "always_treated": always_treated}
    _check_choices(choices)
    keys = _checked_keys(panel)
    listed = _typed(adoption, "The adoption list", first_row=0)
    adopters = find_adopters(keys, listed, date)
    check_fit(keys, adopters, date, undated)
    first, shift = int(keys["year"].min()), int(part_year == "first_full")
    cohort, status = _cohorts(adopters, first, shift, from_latest=undated == "treated_from_latest")
    out = {"always treated"} if always_treated == "drop" else set()
    out |= {"undated", "unknown"} if undated != "control" else set()
    left_out = {area: kind for area, kind in status.items() if kind in out}
    kept = ~keys["ons_code"].isin(list(left_out))
    codes, years = keys.loc[kept, "ons_code"], keys.loc[kept, "year"]
    adopted = codes.map(cohort).astype("Int64")
    columns: dict[str, pd.Series[Any]] = {
        "adoption_year": adopted,
        "treated": (years >= adopted).fillna(False).astype("int64"),
        "event_time": (years - adopted).astype("Int64"),
        "adoption_status": codes.map(lambda code: status.get(code, "never known")).astype("string"),
    }
    rest = panel.loc[kept.to_numpy(), [name for name in panel.columns if name not in columns]]
    added = pd.DataFrame({name: column.array for name, column in columns.items()}, index=rest.index)
    tagged = pd.concat([rest, added], axis=1)
    tagged.attrs = copy.deepcopy(dict(panel.attrs))
    tagged.attrs["adoption"] = _record(keys, listed, left_out, choices)
    return shown_as_panel(tagged)


def _require_tables(panel: object, adoption: object) -> None:
    """Refuse a path, or anything else, in place of a panel or a list of adopters."""
    wrong = [
        f"{name} is {it!r}" if isinstance(it, str) else f"{name} is a {type(it).__name__}"
        for name, it in (("panel", panel), ("adoption", adoption))
        if not isinstance(it, pd.DataFrame)
    ]
    if wrong:
        raise AdoptionError(
            "A panel and a list of adopters have to be tables.",
            wrong,
            repair="Give load_panel() and load_adoption(), or load_adoption(<path of your CSV>).",
        )


def _refuse_mixture(panel: pd.DataFrame, adoption: pd.DataFrame) -> None:
    """Refuse to tag official figures with adopters that were made up, or the other way round."""
    words = adoption.select_dtypes(exclude="number")
    made_up = any("SIMULATED" in str(word) for name in words for word in words[name].unique())
    if made_up and not is_made_up(panel):
        raise AdoptionError(
            "The adoption list is made up (it says SIMULATED) and the panel is not.",
            repair="Use it with load_panel('simulated'), or give the list of real adopters.",
        )
    real = "source_url" in adoption and adoption["source_url"].notna().any()
    if real and not made_up and is_made_up(panel):
        raise AdoptionError(
            "The panel is made up, and the adoption list gives evidence about real councils.",
            repair="Use load_panel(), or the adopters of the made-up world: "
            "clsimpact.simulate.world.simulate_world(1).adoption().",
        )


def _check_choices(choices: Mapping[str, str]) -> None:
    kinds = {"date": DateChoice, "part_year": PartYear, "undated": Undated, "always_treated": AlwaysTreated}
    wrong = [
        f"{name}={choices[name]!r} is not one of {', '.join(map(repr, get_args(kind)))}"
        f"{did_you_mean(str(choices[name]), get_args(kind))}"
        for name, kind in kinds.items()
        if choices[name] not in get_args(kind)
    ]
    if wrong:
        raise AdoptionError("A choice of tag_adoption is unknown.", wrong, repair="Use one of those named.")


def _checked_keys(panel: pd.DataFrame) -> pd.DataFrame:
    """Return code, year and, if there is one, name of every row; raise unless they are one row each."""
    lacking = [name for name in ("ons_code", "year") if name not in panel]
    if lacking:
        raise AdoptionError(
            f"The panel has no column {' and no column '.join(map(repr, lacking))}.",
            repair="Use load_panel().",
        )
    keys = pd.DataFrame(
        {name: panel[name].to_numpy("object") for name in ("ons_code", "year", "name") if name in panel},
        index=panel.index,
    )
    if keys.empty:
        raise AdoptionError("The panel has no rows.", repair="Use load_panel().")
    if keys[["ons_code", "year"]].isna().any(axis=None):
        raise AdoptionError("The panel has rows without ons_code or year.", repair="Leave those rows out.")
    _, wrong = _years(keys["year"].astype("string"))
    if wrong:
        raise AdoptionError(
            "The panel's years must be whole numbers, the start years of financial years.",
            [
                f"{text!r} in {sum(other == text for _, other in wrong)} rows"
                for text in dict.fromkeys(t for _, t in wrong)
            ],
            repair="Use clsimpact.parse_year('2016-17') to get 2016.",
        )
    keys = keys.astype({"ons_code": "object", "year": "int64"})
    twice = keys[keys.duplicated(["ons_code", "year"])].drop_duplicates(["ons_code", "year"])
    if len(twice):
        names = _names(keys)
        places = [
            f"{names.get(code, 'unnamed')} ({code}) in {year_label(year)}"
            for code, year in zip(twice["ons_code"], twice["year"], strict=True)
        ]
        raise AdoptionError(
            "The panel has several rows for one council and year.", places, repair="Keep one row each."
        )
    return keys


def _names(keys: pd.DataFrame) -> dict[str, str]:
    """Return the name of every code, where there are names."""
    if "name" not in keys:
        return {}
    named = keys.dropna(subset=["name"]).drop_duplicates("ons_code")
    return dict(zip(named["ons_code"].astype(str), named["name"].astype(str), strict=True))


def _cohorts(
    adopters: list[Adopter], first: int, shift: int, *, from_latest: bool
) -> tuple[dict[str, int], dict[str, str]]:
    """Return the first treated year of every dated adopter, and the status of every adopter."""
    cohort, status = {}, {}
    for row in adopters:
        year = row.latest if row.date is None and from_latest else row.date
        for area in row.areas:
            if year is not None:
                cohort[area] = year + shift
                status[area] = "always treated" if year + shift <= first else "adopter"
            else:
                status[area] = "undated" if any(given is not None for given in row.given) else "unknown"
    return cohort, status


def _record(
    keys: pd.DataFrame, listed: pd.DataFrame, left_out: Mapping[str, str], choices: Mapping[str, str]
) -> dict[str, Any]:
    """Return what the provenance of a tagged panel says about adoption."""
    abroad = listed[listed["nation"].fillna("England") != "England"]
    names = _names(keys)
    return {
        "choices": dict(choices),
        "left_out": {names.get(area, area): left_out[area] for area in sorted(left_out)},
        "outside_england": sorted(abroad["la_name"].fillna(abroad["ons_code"]).astype(str)),
        "caution": "The list of adopters is known to be incomplete: "
        "unknown adopters may be among the controls.",
    }


def adoption_table(tagged: pd.DataFrame) -> pd.DataFrame:
    """Show how adoption spread: per year of adoption the councils, and the share of adults living in them.

    Parameters
    ----------
    tagged
        A panel from :func:`tag_adoption`.

    Returns
    -------
    pandas.DataFrame
        ``adoption_year, year_label, n_councils, councils, share_of_population, cumulative_share``: shares (0
        to 1) of the residents aged 18 and over of the panel's areas, in the first year with a population.

    Raises
    ------
    AdoptionError
        If the panel was not tagged or has no ``name`` or ``population_18_plus``.

    Examples
    --------
    >>> import clsimpact as ci
    >>> table = adoption_table(tag_adoption(ci.load_panel(), load_adoption()))
    >>> table[["year_label", "n_councils"]].to_dict("list")
    {'year_label': ['2016-17', '2017-18', '2018-19'], 'n_councils': [3, 1, 1]}
    """
    lacking = [name for name in ("adoption_year", "name", "population_18_plus") if name not in tagged]
    if lacking:
        raise AdoptionError(
            f"The panel has no column {lacking[0]!r}.",
            repair="Use tag_adoption(load_panel(), load_adoption()).",
        )
    held = tagged[tagged["population_18_plus"].notna()].sort_values(["ons_code", "year"])
    held = held.drop_duplicates("ons_code")
    adopters = held[held["adoption_year"].notna()].sort_values(["adoption_year", "name"])
    total = held["population_18_plus"].sum()
    rows = [
        (
            year,
            year_label(year),
            int((adopters["adoption_year"] == year).sum()),
            ", ".join(adopters.loc[adopters["adoption_year"] == year, "name"]),
            adopters.loc[adopters["adoption_year"] == year, "population_18_plus"].sum() / total,
        )
        for year in map(int, adopters["adoption_year"].unique())
    ]
    table = pd.DataFrame(
        rows, columns=["adoption_year", "year_label", "n_councils", "councils", "share_of_population"]
    )
    return table.assign(cumulative_share=table["share_of_population"].cumsum())
