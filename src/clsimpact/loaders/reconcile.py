"""Do the figures agree with each other? Council sums, accounting identities, populations, national totals.

Every comparison ends as *agrees*, *explained* (a known difference, stated) or *differs*. Only the last is a
failure.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from clsimpact._parts import WORKBOOK
from clsimpact.errors import ReconciliationError
from clsimpact.geography import councils
from clsimpact.loaders import raw_folder
from clsimpact.loaders._comparison import Comparison
from clsimpact.loaders._council_rows import council_rows
from clsimpact.loaders.raw_checks import raw_checks
from clsimpact.loaders.returns import as_text
from clsimpact.store import read_parquet
from clsimpact.years import year_label

__all__ = ["Comparison", "check"]

_POUNDS: Final = 0.5
"""£000: unrounded money agrees to less than £500; what is left is the publisher's own rounding of totals."""
_HALF: Final = 2.5
"""SALT counts are rounded to the nearest 5, so each cell is within 2.5."""
_SMALL: Final = 4
"""A suppressed count is at most 4."""
_ROUNDING: Final = 30
"""Requests: what rounding to 5 can add up to in the difference between England and its councils."""
_PRINTED: Final = 5e-4
"""Outcomes are printed to one decimal and scores to three, alike in both files: half of the last digit."""
_ENGLAND: Final = "E92000001"
_NORTHAMPTONSHIRE: Final = "E10000021"
_ADULTS: Final = ("18 to 64", "65 and over")
_IMPUTED: Final[Mapping[tuple[str, int], tuple[str, str]]] = {
    ("E12000007", 2020): ("E09000012", "Hackney"),
    ("E12000007", 2021): ("E09000012", "Hackney"),
    ("E12000002", 2020): ("E08000005", "Rochdale"),
    ("E12000009", 2021): ("E06000030", "Swindon"),
}
"""Regions whose published total holds an earlier year's figures of a council that did not submit."""
_PLAUSIBLE: Final = 2.5
"""A figure held over for a council is at most this many times its share: the region's figure by the council's
share of the region's adults (mid-2020). The largest counts in the 2021-22 workbook are 2.5 times the share,
apart from rounding (Hackney, new requests by sequel), most figures 0.5 to 1.5 times."""
_PLAUSIBLE_INCOME: Final = 9.0
"""The same for income, which does not follow population: Hackney's from the NHS is 9.0 times its share."""
_FEW: Final = 150.0
"""£000: what a figure held over may exceed that by, since small lines do not follow population either
(Hackney's spending on carers in T46 exceeds it by 125)."""

_CLOSE: Final = 5.0
"""£000: sums over councils agree with a printed total to less than this."""
_T4_KNOWN: Final[Mapping[int, tuple[float, str]]] = {
    2016: (
        127_920,
        "T4 printed 17,398,458; NHS England corrected the 2016-17 figures on 16 February 2024; "
        "the council rows of 2016-17 stand",
    ),
    2017: (10, "the converted council file sums to about £10k more than T4; the cause is not known"),
    2020: (-163_053, "T4 holds 2019-20 figures of Hackney and Rochdale, which did not submit"),
    2021: (-171_395, "T4 holds earlier figures of Hackney and Swindon, which did not submit"),
}
"""Council sums of gross current expenditure less T4 of the 2021-22 workbook (£000), and why they differ."""
_SUMS: Final[Mapping[int, float]] = {2014: 17_043_296, 2016: 17_526_378, 2017: 17_928_198}
"""Council sums (£000) counted independently of this library from the same files."""


def check(raw: str | os.PathLike[str] | None = None, *, strict: bool = False) -> pd.DataFrame:
    """Compare the figures with each other, and with the publishers' files where these are at hand.

    Parameters
    ----------
    raw
        Folder with the publishers' files: adds fingerprints and an independent count of every table's cells.
        Without it the committed figures are checked among themselves. (The command line takes it from
        ``CLSIMPACT_RAW`` too.)
    strict
        Raise if anything differs.

    Returns
    -------
    pandas.DataFrame
        ``check, compared, agree, explained, differ, note``, one row per kind of check.

    Raises
    ------
    ReconciliationError
        With ``strict``, if any comparison differs without a known explanation, or finds nothing to compare.

    Examples
    --------
    >>> int(check()["differ"].sum())
    0
    """
    returns, panel = read_parquet("returns"), read_parquet("panel")
    folder = None if raw is None else raw_folder(raw)
    rows: list[Comparison] = [] if folder is None else list(raw_checks(folder, returns))
    for compare in _CHECKS:
        rows += compare(returns)
    rows += [*_populations(returns), *_national(returns, panel), *_ascof(returns)]
    table = pd.DataFrame(rows, columns=pd.Index(Comparison._fields))
    wrong = [row for row in rows if row.differ or not row.compared]
    if strict and wrong:
        raise ReconciliationError(
            f"{sum(row.differ for row in wrong)} comparisons differ.",
            [f"{row.check}: {row.differ} of {row.compared} differ; {row.note}" for row in wrong],
            repair="Compare the files with data/raw/manifest.toml; 'clsimpact build --raw DIR' rebuilds "
            "the data.",
        )
    return table


def _of(returns: pd.DataFrame, source_id: str, **columns: object) -> pd.DataFrame:
    """Return the rows of a source where every named column holds the given value."""
    rows = returns[returns["source_id"] == source_id]
    for column, value in columns.items():
        rows = rows[rows[column] == value]
    return as_text(rows)


def _workbook(returns: pd.DataFrame) -> pd.DataFrame:
    rows = _of(returns, WORKBOOK)
    rows = rows[rows["statistic"].isna() & rows["unit"].isin(["£000", "people", "requests", "episodes"])]
    rows = rows[rows["return_"] != "MYE"]
    return rows.assign(column=rows["cell"].str.extract(r"^([A-Z]+)", expand=False))


def _council_sums(returns: pd.DataFrame) -> Iterator[Comparison]:
    """Councils against regions, regions against England, in every additive column of the 2021-22 workbook."""
    rows = _workbook(returns)
    keys = ["table", "column", "year"]
    shares = _shares(returns)
    region = councils().drop_duplicates("ons_code").set_index("ons_code")["region_code"]
    lower = rows[rows["level"] == "council"]
    lower = lower.assign(group=lower["ons_code"].map(region))
    upper = rows[rows["level"] == "region"]
    lower = lower.merge(upper[keys].drop_duplicates(), on=keys)
    upper = upper.assign(group=upper["ons_code"])
    yield _sum_check(
        "councils against their region, 2021-22 data tables", lower, upper, [*keys, "group"], shares
    )
    whole = rows[(rows["level"] == "england") & rows["table"].isin(set(upper["table"]))]
    whole = whole[whole.groupby(keys)["cell"].transform("count") == 1].assign(group=_ENGLAND)
    pairs = upper.merge(whole[keys].drop_duplicates(), on=keys).assign(group=_ENGLAND)
    yield _sum_check("regions against England, 2021-22 data tables", pairs, whole, [*keys, "group"], shares)


def _shares(returns: pd.DataFrame) -> dict[tuple[str, int], float]:
    """Return the share of each imputed council in the adults of its region."""
    ons = _of(returns, "population_mid_2020")
    ons = ons[ons["age_band"].isin(_ADULTS)]
    adults = {str(code): float(rows["value"].sum()) for code, rows in ons.groupby("ons_code")}
    return {
        place: adults.get(code, np.nan) / adults.get(place[0], np.nan)
        for place, (code, _) in _IMPUTED.items()
    }


def _sum_check(
    name: str,
    lower: pd.DataFrame,
    upper: pd.DataFrame,
    keys: list[str],
    shares: Mapping[tuple[str, int], float],
) -> Comparison:
    both = upper[upper["value"].notna()].set_index(keys)[["value", "return_", "measure", "cell"]]
    both = both.join(_sums(lower, keys), how="inner").reset_index()
    gap = (both["value"] - both["total"]).to_numpy("float64")
    shown, small = both["shown"].to_numpy("float64"), both["small"].to_numpy("float64")
    salt = both["return_"].eq("SALT").to_numpy("bool")
    slack = np.where(salt, _HALF * (shown + small + 1), _POUNDS)
    most = slack + np.where(salt, _SMALL * small, 0.0)
    fits = (gap >= -slack) & (gap <= most)
    held = _held_over(both, shares)
    # A count held over can only add; money held over may be negative (income above the cost of a line).
    explained = ~fits & (gap <= most + held) & (gap >= np.where(salt, -slack, -most - held))
    note = "rounding to 5"
    if explained.any():
        note = "totals hold earlier figures of " + ", ".join(sorted({name for _, name in _IMPUTED.values()}))
    bad = both[~fits & ~explained]
    if len(bad):
        first = bad.iloc[0]
        place = f"{first['table']} {first['cell']}, {first['group']}"
        note = f"first: {place}: {first['value']:,.1f} against a sum of {first['total']:,.1f}"
    return Comparison(name, len(both), int(fits.sum()), int(explained.sum()), len(bad), note)


def _held_over(both: pd.DataFrame, shares: Mapping[tuple[str, int], float]) -> npt.NDArray[np.float64]:
    """Return the most that the figure held over for a council may be; missing if none is held over."""
    places = zip(both["group"], both["year"].astype("int64"), strict=True)
    share = np.array([shares.get(place, np.nan) for place in places], dtype="float64")
    share[both["absent"].to_numpy("float64") == 0] = np.nan
    times = np.where(both["measure"].eq("total_income").to_numpy("bool"), _PLAUSIBLE_INCOME, _PLAUSIBLE)
    few = np.where(both["return_"].eq("SALT").to_numpy("bool"), 0.0, _FEW)
    most: npt.NDArray[np.float64] = times * share * both["value"].abs().to_numpy("float64") + few
    return most


def _sums(lower: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Return the sum over the parts of a total, and how many parts are shown, small or absent."""
    parts = lower.assign(
        total=lower["value"],
        shown=lower["value"].notna(),
        small=lower["status"].eq("suppressed"),
        absent=lower["status"].eq("not_submitted"),
    )
    return parts.groupby(keys)[["total", "shown", "small", "absent"]].sum()


def _hackney(returns: pd.DataFrame) -> Iterator[Comparison]:
    """England less the councils is exactly Hackney's last submitted figure (T2)."""
    rows = _workbook(returns)
    rows = rows[(rows["table"] == "T2") & (rows["measure"] == "requests")]
    agree = 0
    pairs = [(age, year) for age in ("18 to 64", "65 and over") for year in (2020, 2021)]
    for age, year in pairs:
        of_age = rows[rows["age_band"] == age]
        level = of_age[of_age["year"] == year].groupby("level")["value"].sum()
        held = of_age[(of_age["year"] == 2019) & (of_age["ons_code"] == "E09000012")]["value"].sum()
        agree += bool(abs(level["england"] - level["council"] - held) <= _ROUNDING)
    note = "England and London hold Hackney's 2019-20 requests; the council rows do not"
    name = "England less councils is Hackney's 2019-20 figure (requests)"
    yield Comparison(name, len(pairs), agree, 0, len(pairs) - agree, note)


def _identities(returns: pd.DataFrame) -> Iterator[Comparison]:
    """Net total = expenditure - income; gross adds client contributions back; current = total - capital."""
    table = _of(returns, WORKBOOK, table="T3", year=2021)
    yield _identity("GCE identities, 2021-22 (T3)", _accounts(table[table["statistic"].isna()], ["name"]))
    totals = _of(returns, "pss_ex1_expenditure_2014_15", primary_support_reason="Total", care_type="Total")
    yield _identity("GCE identities, 2014-15", _accounts(totals[totals["detail"].isna()], ["name"]))
    rows = _of(returns, "asc_fr_totals_2016_17")
    rows = rows.assign(row=rows["cell"].str.extract(r"(\d+)$", expand=False).astype("int64"))
    wide = rows.pivot_table(index="row", columns="measure", values="value", aggfunc="first")
    net = wide["total_expenditure"] - wide["total_income"] - wide["net_total_expenditure"]
    gross_capital = wide["gross_total_expenditure"] - wide["gross_current_expenditure"]
    net_capital = wide["net_total_expenditure"] - wide["net_current_expenditure"]
    gap = pd.concat([net.abs(), (gross_capital - net_capital).abs()], axis=1).max(axis=1, skipna=False)
    fits = gap <= _POUNDS
    note = "net total = expenditure - income; the same capital in gross and net"
    bad = gap[~fits]
    if len(bad):
        place = f"row {bad.index[0]} ({rows.loc[rows['row'] == bad.index[0], 'name'].iloc[0]})"
        note = f"first: {place}: off by {bad.iloc[0]:,.1f} (£000)"
    differ = int((~fits).sum())
    yield Comparison("GCE identities, 2016-17 (every row)", len(wide), int(fits.sum()), 0, differ, note)


def _accounts(rows: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    rows = rows.assign(account=rows["measure"] + " " + rows["finance_description"].fillna(""))
    return rows.pivot_table(index=["ons_code", *keys], columns="account", values="value", aggfunc="first")


def _identity(name: str, wide: pd.DataFrame) -> Comparison:
    spent, income = wide["total_expenditure Total"], wide["total_income Total"]
    clients = wide["total_income Client contributions"]
    capital = wide.filter(regex="^capital_charges (Own|Provision)").sum(axis=1)
    gaps = pd.DataFrame(
        {
            "net": spent - income - wide["net_total_expenditure "],
            "gross": spent - (income - clients) - wide["gross_total_expenditure "],
            "current": wide["gross_total_expenditure "] - capital - wide["gross_current_expenditure "],
        }
    ).dropna()
    fits = gaps.abs() <= _POUNDS
    bad = gaps[~fits.all(axis=1)]
    note = (
        "net total = expenditure - income; gross total keeps client contributions; "
        "gross current = gross total - capital"
    )
    if len(bad):
        place = ", ".join(str(part) for part in bad.reset_index().iloc[0][["ons_code", "name"]])
        note = f"first: {place}: off by {bad.iloc[0].abs().max():,.1f} (£000)"
    agree = int(fits.to_numpy().sum())
    return Comparison(name, fits.size, agree, 0, fits.size - agree, note)


def _populations(returns: pd.DataFrame) -> Iterator[Comparison]:
    """ONS mid-2020 estimates against the denominators printed in T12 (rounded to 5) and T16 (not rounded)."""
    ons = _of(returns, "population_mid_2020")
    ons = ons[ons["age_band"].isin(_ADULTS)]
    by_age = ons.set_index(["ons_code", "age_band"])["value"]
    adults = ons.groupby("ons_code")["value"].sum()
    printed = _of(returns, WORKBOOK, measure="population")
    printed = printed[printed["value"].notna() & printed["ons_code"].notna()]
    t12 = printed[printed["table"] == "T12"]
    gap = t12["value"].to_numpy() - _look_up(by_age, t12[["ons_code", "age_band"]])
    note = "the publisher divides 2021-22 by mid-2020 estimates"
    yield _gaps("populations against T12 (2021-22, rounded to 5)", gap, _HALF, note)
    t16 = printed[(printed["table"] == "T16") & (printed["ons_code"] != _NORTHAMPTONSHIRE)]
    gap = t16["value"].to_numpy() - adults.reindex(t16["ons_code"]).to_numpy()
    note = "England is printed rounded; Northamptonshire was split, so its former county is left out"
    yield _gaps("populations against T16 (2020-21 and 2021-22)", gap, _HALF, note)
    yield _overview_populations(returns)


def _overview_populations(returns: pd.DataFrame) -> Comparison:
    overview = _of(returns, "asc_overview_2022", measure="population", table="Table 3")
    overview = overview[overview["age_band"].isin(_ADULTS)]
    people = returns[returns["source_id"].str.startswith("population_mid")]
    people = as_text(people[people["ons_code"] == _ENGLAND])
    england = people[people["measure"] == "population"].set_index(["year", "age_band"])["value"]
    gap = overview["value"].to_numpy() - _look_up(england, overview[["year", "age_band"]])
    note = (
        "mid-2015 to mid-2020; the mid-2019 estimates on 2020 codes are 2 and 1 people above the Overview "
        "(cause not known); 2014-15 has no mid-2014 estimate here and uses mid-2015 (status: estimated)"
    )
    known = overview["year"].eq(2019).to_numpy("bool") & (np.abs(gap) <= 2)
    return _gaps("England populations against the Overview (2015-16 to 2020-21)", gap, 0.5, note, known)


def _look_up(values: pd.Series[Any], keys: pd.DataFrame) -> npt.NDArray[np.float64]:
    return values.reindex(pd.MultiIndex.from_frame(keys)).to_numpy("float64")


def _gaps(
    name: str,
    gap: npt.NDArray[np.float64],
    tolerance: float,
    note: str,
    known: npt.NDArray[np.bool_] | None = None,
) -> Comparison:
    fits = np.abs(gap) <= tolerance
    explained = ~fits & (known if known is not None else False)
    return Comparison(
        name, len(gap), int(fits.sum()), int(explained.sum()), int((~fits & ~explained).sum()), note
    )


def _national(returns: pd.DataFrame, panel: pd.DataFrame) -> Iterator[Comparison]:
    """Council sums of GCE against T4, year by year, and against independent counts."""
    t4 = _of(returns, WORKBOOK, table="T4", measure="gross_current_expenditure")
    t4 = t4[t4["statistic"].isna()]
    national = dict(zip(t4["year"].astype("int64"), t4["value"], strict=True))
    summed = panel.groupby("year")["gce"].sum(min_count=1).dropna()
    sums = {int(year): float(total) for year, total in zip(summed.index.to_list(), summed, strict=True)}
    for year, total in sums.items():
        gap = total - national[year]
        known, why = _T4_KNOWN.get(year, (0.0, ""))
        fits = abs(gap) <= _CLOSE
        explained = not fits and abs(gap - known) <= _CLOSE
        note = f"councils {total:,.0f}, T4 {national[year]:,.0f}, difference {gap:,.0f} (£000)"
        note += f": {why}" if why and not fits else ""
        name = f"GCE of councils against T4, {year_label(year)}"
        yield Comparison(name, 1, int(fits), int(explained), int(not fits and not explained), note)
    for year, expected in _SUMS.items():
        fits = abs(sums.get(year, np.nan) - expected) <= _CLOSE
        name = f"GCE of councils against an independent count, {year_label(year)}"
        yield Comparison(name, 1, int(fits), 0, int(not fits), f"{expected:,.0f} (£000)")


def _ascof(returns: pd.DataFrame) -> Iterator[Comparison]:
    """ASCOF 2020-21: outcomes of the joined file against the open data."""
    keys = ["ons_code", "measure", "age_band", "gender"]
    joined = _of(returns, "ascof_joined_2017_24", year=2020)
    opened = _of(returns, "ascof_open_data_2020_21", statistic="Outcome")
    both = joined[joined["ons_code"].notna()].merge(
        opened[opened["value"].notna()], on=keys, suffixes=("", "_open")
    )
    gap = (both["value"] - both["value_open"]).to_numpy("float64")
    note = "outcomes are printed to one decimal (scores to three)"
    yield _gaps("ASCOF 2020-21: joined file against the open data", gap, _PRINTED, note)


_CHECKS: Final[tuple[Callable[[pd.DataFrame], Iterator[Comparison]], ...]] = (
    _council_sums,
    council_rows,
    _hackney,
    _identities,
)
