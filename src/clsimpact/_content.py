"""Find figures in a returns table by what they say, and choose between publications that say the same."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping
from typing import Any, Final, TypeAlias

import pandas as pd

from clsimpact._status import HAS_VALUE, STATUS_ORDER
from clsimpact.errors import PanelError, list_some
from clsimpact.loaders.manifest import all_sources
from clsimpact.loaders.returns import DIMENSIONS
from clsimpact.years import year_label

__all__ = ["SIMULATED", "find_cells", "find_figures"]

SIMULATED: Final = "simulated_"
"""How the id of a made-up source begins; the rest is the id of the publication that it imitates."""

Questions: TypeAlias = Mapping[str, tuple[str, Mapping[str, str]]]
"""Name to measure and words."""

_KEYS: Final = ("age_band", "care_type", "route_of_access", "sequel", "statistic")
"""The dimensions by which parts differ; a figure must be the total over all others."""
_CARE_BY_AGE: Final = "long and short term care"
_SUMMED: Final = "gross_current_expenditure"
_MONEY_TOLERANCE: Final = 0.001
"""£000: tables of one file give money with more or fewer digits. Its counts must agree exactly."""
_PREFERENCE: Final = (
    "data_tables",
    "csv_pack",
    "salt_csv",
    "asc_fr_long",
    "pss_ex1_wide",
    "ascof_csv",
    "ascof_official_csv",
    "ascof_open_data",
)
"""The adapters whose figures the panel takes, the preferred first: no client-level data, no overviews."""
_COLUMNS: Final = ("part", "year", "ons_code", "value", "status", "source_id", "table", "cell", "printed")


def find_figures(returns: pd.DataFrame, questions: Questions, years: Iterable[int]) -> pd.DataFrame:
    """Find the council figures that answer questions, one a question, year and council.

    Parameters
    ----------
    returns
        A returns table.
    questions
        Name to measure and words. A word that is absent and ``Total`` mean the same.
    years
        Start years.

    Returns
    -------
    pandas.DataFrame
        ``part, year, ons_code, value, status, source_id, table, cell``.

    Raises
    ------
    PanelError
        If the chosen source says two things of one council, with both places.
    """
    rows = _council_rows(returns, questions, years)
    return _figures_of(rows, _printed(rows, questions), questions)


def find_cells(returns: pd.DataFrame, questions: Questions, years: Iterable[int]) -> pd.DataFrame:
    """Find the cells behind figures: the one that prints it, or all that a sum of money was added up from.

    Parameters
    ----------
    returns, questions, years
        As in :func:`find_figures`. Money is taken as a sum where one of its questions is printed nowhere.

    Returns
    -------
    pandas.DataFrame
        As :func:`find_figures`, a row per cell.
    """
    rows = _council_rows(returns, questions, years)
    printed = _printed(rows, questions)
    figures = _figures_of(rows, printed, questions)
    answered = printed[["part", "year", "source_id"]].drop_duplicates()
    marked = figures.merge(answered, how="left", on=["part", "year", "source_id"], indicator=True)
    added_up = marked["_merge"].eq("left_only").to_numpy()
    cells = rows[rows["measure"].eq(_SUMMED) & _is_cell(rows)]
    pieces = [
        _asked_for(cells, measure, words).assign(part=name, printed=0)[list(_COLUMNS)]
        for name, (measure, words) in questions.items()
    ]
    sums = figures.loc[added_up, ["part", "year", "ons_code", "source_id"]]
    found = [figures[~added_up], *(piece.merge(sums) for piece in pieces if len(piece))]
    return pd.concat([table for table in found if len(table)] or [figures], ignore_index=True)


def _council_rows(returns: pd.DataFrame, questions: Questions, years: Iterable[int]) -> pd.DataFrame:
    """Return the council rows of the measures and sources that count, their text as plain objects."""
    ids = [name for name in returns["source_id"].dropna().unique() if _adapter_rank(name) is not None]
    keep = returns["level"].eq("council") & returns["ons_code"].notna()
    keep &= returns["measure"].isin({measure for measure, _ in questions.values()})
    keep &= returns["source_id"].isin(ids) & returns["year"].isin(list(years))
    columns = ["year", "ons_code", "measure", "value", "status", "source_id", "table", "cell"]
    held = [name for name in DIMENSIONS if name in returns]
    rows = returns.loc[keep.fillna(False).astype(bool), [*columns, *held]].reindex(
        columns=[*columns, *DIMENSIONS]
    )
    rows = rows.astype({name: "object" for name in rows if name not in ("year", "value")})
    rows["year"] = rows["year"].astype("int64")
    _drop_needless_detail(rows)
    return rows


def _printed(rows: pd.DataFrame, questions: Questions) -> pd.DataFrame:
    """Return the figures that a file prints as asked, nothing added up."""
    return _matches(rows[_is_total(rows)], questions)


def _figures_of(rows: pd.DataFrame, printed: pd.DataFrame, questions: Questions) -> pd.DataFrame:
    """Return one figure a question, year and council: printed, or else a sum of money."""
    cells = rows[rows["measure"].eq(_SUMMED) & _is_cell(rows)]
    answered = printed[["part", "year", "source_id"]].drop_duplicates()
    sums = _sums(_without_totals(cells, answered, questions), questions)
    sums = sums.merge(answered, how="left", on=["part", "year", "source_id"], indicator=True)
    every = pd.concat(
        [printed, sums[sums["_merge"].eq("left_only")].drop(columns="_merge")], ignore_index=True
    )
    return _agreed(_preferred(every, rows))


def _drop_needless_detail(rows: pd.DataFrame) -> None:
    """Blank the details that say nothing more: the code of a measure; which care, where its type says so."""
    said = rows["detail"].eq(_CARE_BY_AGE) & rows["care_type"].isin(["Long term", "Short term"])
    rows["detail"] = rows["detail"].mask(said | rows["statistic"].eq("Outcome"), None)


def _is_total(rows: pd.DataFrame) -> pd.Series:
    """Say which rows are totals over every dimension that parts do not differ by."""
    kept = rows["data_type"].isna() | rows["data_type"].isin(["Total", "Mandatory"])
    for name in DIMENSIONS:
        if name not in (*_KEYS, "data_type"):
            kept &= rows[name].isna() | rows[name].eq("Total")
    return kept


def _is_cell(rows: pd.DataFrame) -> pd.Series:
    """Say which rows are cells of a grid of money: no totals, no voluntary sub-bands."""
    kept = rows["data_type"].isna() | rows["data_type"].eq("Mandatory")
    for name in ("statistic", "detail", "provision", "finance_description"):
        kept &= rows[name].isna()
    for name in ("age_band", "care_type", "support_setting", "primary_support_reason", "purpose"):
        kept &= rows[name].ne("Total")
    return kept & rows["carer_support_type"].ne("Total") & rows["primary_support_reason"].notna()


def _asked(questions: Questions) -> pd.DataFrame:
    rows = [
        {"part": name, "measure": measure}
        | {key: words.get(key, "Total") for key in _KEYS}
        | {f"asks_{key}": key in words for key in _KEYS}
        for name, (measure, words) in questions.items()
    ]
    return pd.DataFrame(rows)


def _matches(rows: pd.DataFrame, questions: Questions) -> pd.DataFrame:
    """Return the rows that say exactly what is asked, and how many of the words asked for they print."""
    prints = {f"prints_{key}": rows[key].notna() for key in _KEYS}
    said = rows.assign(**prints, **{key: rows[key].where(rows[key].notna(), "Total") for key in _KEYS})
    found = said.merge(_asked(questions), on=["measure", *_KEYS])
    words = [found[f"prints_{key}"] & found[f"asks_{key}"] for key in _KEYS]
    return found.assign(printed=sum(word.astype("int64") for word in words))[list(_COLUMNS)]


def _without_totals(cells: pd.DataFrame, answered: pd.DataFrame, questions: Questions) -> pd.DataFrame:
    """Leave out the cells of sources and years in which every sum of money is printed."""
    summed = [name for name, (measure, _) in questions.items() if measure == _SUMMED]
    printed = answered[answered["part"].isin(summed)].groupby(["year", "source_id"]).size()
    complete = printed.index[printed.eq(len(summed))]
    return cells[~pd.MultiIndex.from_frame(cells[["year", "source_id"]]).isin(complete)]


def _asked_for(cells: pd.DataFrame, measure: str, words: Mapping[str, str]) -> pd.DataFrame:
    """Return the cells that a sum of money is made of; none where no money is asked for."""
    chosen = cells if measure == _SUMMED else cells.iloc[:0]
    for key, word in words.items():
        chosen = chosen[chosen[key].eq(word)] if word != "Total" else chosen
    return chosen


def _sums(cells: pd.DataFrame, questions: Questions) -> pd.DataFrame:
    """Return sums of cells, where no totals are printed; missing, as the worst cell, unless all are held."""
    tables = [pd.DataFrame(columns=list(_COLUMNS)).astype({"year": "int64", "value": "float64"})]
    keys = ["year", "ons_code", "source_id"]
    for name, (measure, words) in questions.items():
        chosen = _asked_for(cells, measure, words)
        if len(chosen):
            ranked = chosen.assign(rank=chosen["status"].map(STATUS_ORDER.index))
            joined = ranked.groupby(keys, sort=False).agg(
                value=("value", _exact_sum),
                rank=("rank", "max"),
                table=("table", "first"),
                cell=("cell", "first"),
            )
            joined["status"] = joined["rank"].map(STATUS_ORDER.__getitem__)
            joined["value"] = joined["value"].where(joined["status"].isin(HAS_VALUE))
            tables.append(joined.reset_index().assign(part=name, printed=0)[list(_COLUMNS)])
    return pd.concat(tables, ignore_index=True) if len(tables) > 1 else tables[0]


def _exact_sum(values: pd.Series[float]) -> float:
    """Add figures up without rounding on the way, so that the order of the rows does not matter."""
    return math.fsum(values.dropna())


def _adapter_rank(source_id: str) -> int | None:
    """Return how much a source is preferred for its kind; nothing if the panel does not take its figures."""
    source = all_sources().get(source_id.removeprefix(SIMULATED))
    if source is None:
        return len(_PREFERENCE)
    return _PREFERENCE.index(source.adapter) if source.adapter in _PREFERENCE else None


def _rank(source_id: str, year: int, last_year: int) -> tuple[Any, ...]:
    """Return the place of a source in the order of preference, for one year.

    A file that names no year of its own is about every year it holds; one that the manifest does not know is
    about its last.
    """
    source = all_sources().get(source_id.removeprefix(SIMULATED))
    own = last_year if source is None else source.year
    return (
        bool(source and source.superseded_by),
        0 if own is None else abs(own - year),
        _adapter_rank(source_id),
        bool(source and source.verified == "third party's copy"),
        source_id,
    )


def _preferred(found: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Keep, for every part and year, the figures of one source."""
    last = rows.groupby("source_id")["year"].max().to_dict()
    held = found[["part", "year", "source_id"]].drop_duplicates()
    pairs = zip(held["source_id"].tolist(), held["year"].tolist(), strict=True)
    places = [_rank(source_id, year, last[source_id]) for source_id, year in pairs]
    order = sorted(range(len(held)), key=places.__getitem__)
    best = held.iloc[order].drop_duplicates(["part", "year"])
    return found.merge(best, on=["part", "year", "source_id"])


def _agreed(found: pd.DataFrame) -> pd.DataFrame:
    """Keep one of the places where a source prints a figure; raise if they differ, or a place was read twice.

    Of places that agree, that is the one that prints most of the words; of these, the last table.
    """
    key = ["part", "year", "ons_code"]
    ranked = found.assign(
        rank=found["status"].map(STATUS_ORDER.index), length=found["table"].fillna("").str.len()
    ).sort_values(
        [*key, "printed", "rank", "length", "table", "cell"],
        ascending=[True, True, True, False, True, False, False, True],
        kind="stable",
    )
    first = ranked.drop_duplicates(key)
    again = ranked[ranked.duplicated(key)]
    if len(again):
        pairs = again.merge(first, on=key, suffixes=("", "_first"))
        money = pairs["part"].str.startswith("gce")
        apart = (pairs["value"] - pairs["value_first"]).abs() > money.map(
            {True: _MONEY_TOLERANCE, False: 0.0}
        )
        apart |= pairs["status"].ne(pairs["status_first"])
        apart |= pairs["table"].eq(pairs["table_first"]) & pairs["cell"].eq(pairs["cell_first"])
        if apart.any():
            _raise_apart(pairs[apart])
    return first[list(_COLUMNS)]


def _raise_apart(pairs: pd.DataFrame) -> None:
    found = pairs.to_dict("records")
    parts = dict.fromkeys(f"{pair['part']} in {year_label(pair['year'])}" for pair in found)
    raise PanelError(
        f"{found[0]['source_id']} has several figures per council for {list_some(parts, 3)}.",
        [f"{it['ons_code']}: {_said(it, '_first')}; {_said(it, '')}" for it in found[:12]],
        repair="Look at both cells; keep one row per council if a table was read twice.",
    )


def _said(pair: Mapping[Hashable, Any], end: str) -> str:
    """Say what one of two places prints."""
    value, status = pair[f"value{end}"], pair[f"status{end}"]
    words = f"{value:,.10g}" if status in HAS_VALUE else str(status).replace("_", " ")
    return f"table {pair[f'table{end}']}, {pair[f'cell{end}']} says {words}"
