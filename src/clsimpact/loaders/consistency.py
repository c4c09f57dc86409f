"""Do the tables of a publication agree with each other? Findings with sheet and cell; no value is changed.

Six rules, for any returns table: the same figure printed in several tables; totals against their parts;
regions against their councils and England against its regions; clients reviewed against planned and unplanned
reviews; rates and unit costs against numerator and denominator; figures that cannot be. A
difference counts only where rounding to 5 and counts withheld below 5 (SALT), or the rounding of money to
£000 by some councils, cannot make it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from clsimpact.errors import PanelError, list_some
from clsimpact.geography import councils
from clsimpact.loaders._quotients import find_wrong_quotients
from clsimpact.loaders._ranges import find_impossible
from clsimpact.loaders.returns import DIMENSIONS

__all__ = ["FINDINGS", "find_inconsistencies"]

FINDINGS: Final = (
    "source_id",
    "table",
    "cell",
    "year",
    "name",
    "rule",
    "finding",
    "value",
    "expected",
    "tolerance",
)
"""The columns of the table of findings."""

_HALF: Final = 2.5
"""Counts are rounded to the nearest 5: each is within 2.5."""
_SMALL: Final = 4.0
"""A suppressed count is at most 4."""
_MONEY: Final = 0.5
"""£000: money is not rounded and agrees to less than £500; what is left was rounded by councils."""
_RELATIVE: Final = 1e-9
"""Of the value: what the printing of a floating-point number can move.

Files print 15 to 17 digits; one pound in a billion is this much."""
_COUNTS: Final = ("people", "requests", "episodes")
_PARTS: Final = tuple(name for name in DIMENSIONS if name not in ("data_type", "statistic", "detail"))
_WITHIN: Final[Mapping[str, Mapping[str, Sequence[str]]]] = {
    "age_band": {
        "18 to 25": ("18 to 64",),
        "26 to 64": ("18 to 64",),
        "65 to 84": ("65 and over",),
        "65 to 74": ("65 and over", "65 to 84"),
        "75 to 84": ("65 and over", "65 to 84"),
        "85 and over": ("65 and over",),
    },
    "support_setting": {"Residential and nursing": ("Residential", "Nursing")},
}
"""Parts that are not added where the words on the right are there too: they hold the same people or money."""
_NEVER: Final[Mapping[str, Sequence[str]]] = {
    "route_of_access": ("of which: self-funder with 12-week disregard or deferred payment",),
    "carer_support_type": ("Support to the cared-for person",),
}
"""Parts that are never added: *of which* and *and also*."""
_CARE: Final = ("Long term", "Short term")
_ENGLAND: Final = "E92000001"

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ids = npt.NDArray[np.int64]


def find_inconsistencies(returns: pd.DataFrame) -> pd.DataFrame:
    """Return the figures that do not agree with others of the same publication.

    Only counts of SALT and money of the finance returns are added up, and only where at least two parts of a
    total are printed.

    Parameters
    ----------
    returns
        A returns table, of one publication or of many; only figures of the same source are compared.

    Returns
    -------
    pandas.DataFrame
        Columns :data:`FINDINGS`, a row a finding in the order of the sheets: the place of a figure, the
        ``rule`` that it breaks, what the ``finding`` is, the ``value`` printed, the value ``expected`` from
        the others, and the ``tolerance`` beyond which they differ. Rules: ``printed twice``,
        ``total of parts``, ``councils in region``, ``regions in England``, ``reviews``, ``quotient``,
        ``impossible value``; and
        ``imputed total``, which is no error: a total holds figures of councils that did not submit them (told
        once an area and year).

    Examples
    --------
    >>> from clsimpact.loaders.data_tables import read_sheets
    >>> from clsimpact.loaders.manifest import load_manifest
    >>> from clsimpact.loaders.sheets import Sheet
    >>> title = "Table 14: Gross Current Expenditure, by care type, 2021-22"
    >>> head = ["Geography code", "LA code", "LA name", "Region code", "Region name"]
    >>> head += ["Long Term Support GCE", "Short Term Support GCE", "Total Gross Current Expenditure (GCE)"]
    >>> england = ["", "", "", "E92000001", "England", 70.0, 20.0, 95.0]
    >>> sheet = Sheet("tables.xlsx", "T14", [[title], head, england])
    >>> returns = read_sheets([sheet], load_manifest()["asc_fr_salt_2021_22"], partial=True)
    >>> print(*find_inconsistencies(returns)[["table", "cell", "finding"]].iloc[0], sep=": ")
    T14: H3: 95 is not the sum over care type, 90
    """
    rows = _prepared(returns)
    additive = rows[rows["additive"]].reset_index(drop=True)
    found = [_printed_twice(rows)]
    found += [_total_of_parts(additive, dimension) for dimension in _PARTS]
    found += [_care_by_age(additive), _reviews(additive), *_areas(additive)]
    found += [find_impossible(rows), find_wrong_quotients(rows)]
    table = pd.concat([part for part in found if len(part)] or [pd.DataFrame(columns=[*FINDINGS, "order"])])
    table = table.sort_values("order", kind="stable").reset_index(drop=True)
    return table.reindex(columns=list(FINDINGS))


def _prepared(returns: pd.DataFrame) -> pd.DataFrame:
    """Return the rows as numbers to group by: ``Total`` and *not broken down* are one word, -1."""
    text = [
        *("source_id", "table", "ons_code", "cassr_code", "name", "level", "return_", "measure"),
        *DIMENSIONS,
    ]
    needed = ("cell", "unit", "status", *text, "year", "value", "statistic")
    lacking = [f"no column {name!r}" for name in needed if name not in returns]
    if lacking:
        raise PanelError("This is no returns table.", lacking, repair="Use clsimpact.load_returns().")
    rows = pd.DataFrame({"order": np.arange(len(returns)), "cell": returns["cell"].to_numpy(dtype=object)})
    for name in ("unit", "status", *text):
        column = returns[name].reset_index(drop=True)
        rows[name] = column if isinstance(column.dtype, pd.CategoricalDtype) else column.astype("category")
    rows["year"] = returns["year"].astype("float64").to_numpy()
    rows["value"] = returns["value"].to_numpy(dtype="float64")
    for name in DIMENSIONS:
        words = rows[name].cat.categories
        codes = rows[name].cat.codes.to_numpy().astype("int64")
        total = np.flatnonzero(np.asarray(words == "Total", dtype="bool"))
        rows[f"{name}_"] = np.where(np.isin(codes, total), -1, codes)
    one_care = rows["care_type"].isin(_CARE) & rows["detail"].eq("long and short term care")
    rows.loc[one_care.to_numpy("bool"), "detail_"] = -1
    code, cassr, name_ = (rows[name].astype("object") for name in ("ons_code", "cassr_code", "name"))
    rows["area"] = code.where(code.notna(), cassr.where(cassr.notna(), name_)).astype("category").cat.codes
    salt = rows["return_"].eq("SALT") & rows["unit"].isin(_COUNTS)
    money = rows["return_"].isin(["ASC-FR", "PSS-EX1"]) & rows["unit"].eq("£000")
    rows["count"] = salt.to_numpy("bool")
    rows["additive"] = (salt | money).to_numpy("bool") & rows["statistic"].isna().to_numpy("bool")
    rows["shown"] = rows["value"].notna()
    rows["small"] = rows["status"].eq("suppressed").to_numpy("bool")
    rows["absent"] = rows["status"].eq("not_submitted").to_numpy("bool")
    return rows


def _group(rows: pd.DataFrame, names: Sequence[str]) -> Ids:
    """Return the number of the group that each row belongs to."""
    codes = {
        name: rows[name].cat.codes if isinstance(rows[name].dtype, pd.CategoricalDtype) else rows[name]
        for name in names
    }
    groups = pd.DataFrame(codes).groupby(list(names), sort=False, dropna=False)
    return np.asarray(groups.ngroup(), dtype="int64")


def _others(*but: str) -> list[str]:
    return [f"{name}_" for name in DIMENSIONS if name not in but]


def _printed_twice(rows: pd.DataFrame) -> pd.DataFrame:
    """Find figures of which another table of the same source prints another value."""
    shown = rows[rows["shown"]].reset_index(drop=True)
    shown["scope"] = _scope(shown)
    keys = ["source_id", "measure", "unit", "scope", "year", "level", "area", *_others()]
    shown["id"] = _group(shown, keys)
    span = shown.groupby("id")["value"].agg(["min", "max"])
    size = span.abs().max(axis=1)
    people = shown["unit"].eq("people") & shown["return_"].eq("MYE")
    limit = np.where(shown["unit"].eq("£000"), _MONEY, np.where(people, _HALF, 0.0))
    shown["tolerance"] = limit + _RELATIVE * size.reindex(shown["id"]).to_numpy("float64")
    shown["span"] = shown["id"].map(span["max"] - span["min"])
    shown = shown[shown["span"] > shown["tolerance"]]
    shown = shown[shown.groupby("id")["table"].transform("nunique") > 1]
    if shown.empty:
        return shown
    votes = shown.groupby(["id", "value"], sort=False).size().reset_index(name="n")
    votes = votes.sort_values("n", ascending=False, kind="stable").drop_duplicates("id")
    usual = votes.set_index("id")["value"]
    shown["expected"] = shown["id"].map(usual)
    odd = shown[(shown["value"] - shown["expected"]).abs() > shown["tolerance"]]
    agree = shown[(shown["value"] - shown["expected"]).abs() <= shown["tolerance"]]
    places = (
        (agree["table"].astype(str) + " " + agree["cell"].astype(str)).groupby(agree["id"]).agg(list_some)
    )
    finding = (
        "the same figure is printed as "
        + odd["expected"].map("{:,.10g}".format)
        + " in "
        + odd["id"].map(places)
    )
    return odd.assign(rule="printed twice", finding=finding)


def _scope(rows: pd.DataFrame) -> Bools:
    """Return the counts that share a name with another: clients behind ST-Max episodes.

    Beside the episodes per client they are the clients of all episodes, elsewhere those of new clients alone.
    """
    tables = rows["source_id"].astype(str) + rows["table"].astype(str)
    ratio = tables[rows["measure"].eq("st_max_episodes_per_client")].unique()
    scope: Bools = (rows["measure"].eq("st_max_clients") & tables.isin(ratio)).to_numpy("bool")
    return scope


def _total_of_parts(rows: pd.DataFrame, dimension: str) -> pd.DataFrame:
    """Find totals over a dimension that are not the sum of its parts, of which none overlap."""
    column = f"{dimension}_"
    whole = rows[dimension].eq("Total").to_numpy("bool")
    part = (rows[column] != -1).to_numpy("bool")
    if not whole.any() or not part.any():
        return rows[:0]
    keys = ["source_id", "table", "measure", "year", "level", "area", *_others(dimension)]
    rows = rows.assign(id=_group(rows, keys))
    part = part & ~rows[dimension].isin(_NEVER.get(dimension, ())).to_numpy("bool")
    parts = rows[part & ~_overlapping(rows, dimension, part)]
    parts = parts.drop_duplicates(["id", column])  # a long file may print one figure under several heads
    several = parts.groupby("id")[column].transform("nunique") > 1
    what = f"over {dimension.replace('_', ' ')}"
    return _compare(rows[whole], parts[several], "total of parts", what)


def _overlapping(rows: pd.DataFrame, dimension: str, part: Bools) -> Bools:
    """Return the parts that lie within other parts of the same total."""
    words = [str(word) for word in rows[dimension].cat.categories]
    within = {word: [word.split(": ")[0]] for word in words if ": " in word}
    drop = np.zeros(len(rows), dtype="bool")
    for word, wholes in {**within, **_WITHIN.get(dimension, {})}.items():
        has_whole = rows.loc[part & rows[dimension].isin(wholes).to_numpy("bool"), "id"].unique()
        drop |= rows[dimension].eq(word).to_numpy("bool") & rows["id"].isin(has_whole).to_numpy("bool")
    return drop


def _care_by_age(rows: pd.DataFrame) -> pd.DataFrame:
    """Find totals over care types of which long and short term are printed by age band alone."""
    if not (rows["care_type"].eq("Total") & (rows["age_band_"] == -1)).any():
        return rows[:0]
    keys = ["source_id", "table", "measure", "year", "level", "area", *_others("care_type", "age_band")]
    rows = rows.assign(id=_group(rows, keys))
    rows["care_id"] = _group(rows, ["id", "care_type_"])
    care = (rows["care_type_"] != -1).to_numpy("bool")
    by_age = care & (rows["age_band_"] != -1).to_numpy("bool")
    both = rows[care & ~by_age]["care_id"]
    parts = rows[care & ~(by_age & rows["care_id"].isin(both).to_numpy("bool"))]
    parts = parts[(parts["age_band_"] != -1).groupby(parts["id"]).transform("any")]
    parts = parts[parts.groupby("id")["care_type_"].transform("nunique") > len(_CARE)]
    totals = rows[rows["care_type"].eq("Total").to_numpy("bool") & (rows["age_band_"] == -1).to_numpy("bool")]
    return _compare(totals, parts, "total of parts", "over care type and age band")


def _compare(totals: pd.DataFrame, parts: pd.DataFrame, rule: str, what: str) -> pd.DataFrame:
    """Return the totals that their parts, joined by ``id``, cannot make."""
    summed = parts.groupby("id")[["value", "shown", "small", "absent"]].sum()
    totals = totals[totals["shown"] & totals["id"].isin(summed.index)]
    sums = summed.reindex(totals["id"])
    gap = totals["value"].to_numpy("float64") - sums["value"].to_numpy("float64")
    slack, room = _slack(totals, sums)
    absent = sums["absent"].to_numpy("float64") > 0
    counts = totals["count"].to_numpy("bool")
    wrong = np.where(absent, counts & (gap < -slack), (gap < -slack) | (gap > slack + room))
    limit = np.where(gap < 0, slack, slack + room)[wrong]
    found = totals[wrong].assign(
        expected=sums["value"].to_numpy("float64")[wrong], tolerance=limit, rule=rule
    )
    few = sums["small"].to_numpy("int64")[wrong]
    texts = [
        f"{value:,.10g} is not the sum {what}, {total:,.10g}" + (f" and {n} withheld below 5" if n else "")
        for value, total, n in zip(found["value"], found["expected"], few, strict=True)
    ]
    told: pd.DataFrame = found.assign(finding=texts)
    return told


def _slack(totals: pd.DataFrame, sums: pd.DataFrame) -> tuple[Floats, Floats]:
    """Return what rounding can move a sum either way, and what suppressed parts can add to it."""
    counts = totals["count"].to_numpy("bool")
    digits = _MONEY + _RELATIVE * totals["value"].abs().to_numpy("float64")
    slack = np.where(counts, _HALF * (sums["shown"].to_numpy("float64") + 1), digits)
    return slack, np.where(counts, _SMALL * sums["small"].to_numpy("float64"), 0.0)


def _reviews(rows: pd.DataFrame) -> pd.DataFrame:
    """Find clients reviewed that are not planned plus unplanned less both: who had both is counted twice."""
    signs = {"clients_planned_reviews": 1.0, "clients_unplanned_reviews": 1.0, "clients_both_reviews": -1.0}
    keys = ["source_id", "table", "year", "level", "area", *_others()]
    rows = rows[rows["measure"].isin([*signs, "clients_reviewed"])]
    rows = rows.assign(id=_group(rows, keys))
    parts = rows[rows["measure"].isin(list(signs))]
    sign = parts["measure"].astype("object").map(signs).to_numpy("float64")
    parts = parts.assign(value=sign * parts["value"], small=False, absent=parts["small"] | parts["absent"])
    whole = parts.groupby("id")["shown"].transform("sum") == len(signs)
    what = "of planned and unplanned reviews less those of both"
    return _compare(rows[rows["measure"].eq("clients_reviewed")], parts[whole], "reviews", what)


def _areas(rows: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Find regions that are not the sum of their councils, and England where it is not that of regions."""
    keys = ["source_id", "table", "measure", "year", *_others()]
    of_council = councils().drop_duplicates("ons_code").set_index("ons_code")["region_code"]
    rows = rows.assign(key=_group(rows, keys))
    code = rows["ons_code"].astype("object")
    rows["above"] = np.where(rows["level"].eq("council"), code.map(of_council), _ENGLAND)
    rows["absent"] &= _existed(rows)
    for lower, upper in (("council", "region"), ("region", "england")):
        pair = rows[rows["level"].isin([lower, upper])]
        below = pair["level"].eq(lower).to_numpy("bool")
        place = np.where(below, pair["above"], pair["ons_code"].astype("object"))
        pair = pair.assign(place=pd.Categorical(place))
        pair["id"] = _group(pair, ["key", "place"])
        totals, parts = pair[~below], pair[below]
        totals = totals[totals.groupby("id")["id"].transform("size") == 1]
        rule = "councils in region" if lower == "council" else "regions in England"
        yield _compare(totals, parts, rule, f"over the {lower}s")
        if lower == "council":
            yield _imputed(totals, parts)


def _existed(rows: pd.DataFrame) -> Bools:
    """Return whether the council of a row existed in its year: comparison tables list old and new ones."""
    table = councils().drop_duplicates("ons_code").set_index("ons_code")
    code = rows["ons_code"].astype("object")
    first, last = (code.map(table[name]).to_numpy("float64") for name in ("first_year", "last_year"))
    year = rows["year"].to_numpy("float64")
    existed: Bools = (year >= first) & (year <= last)
    return existed


def _imputed(totals: pd.DataFrame, parts: pd.DataFrame) -> pd.DataFrame:
    """Tell, once a region and year, that its totals hold figures of councils that did not submit them."""
    summed = parts.groupby("id")[["value", "shown", "small", "absent"]].sum()
    summed = summed[summed["absent"] > 0]
    totals = totals[totals["shown"] & totals["id"].isin(summed.index)]
    sums = summed.reindex(totals["id"])
    slack, room = _slack(totals, sums)
    gap = totals["value"].to_numpy("float64") - sums["value"].to_numpy("float64")
    counts = totals["count"].to_numpy(
        "bool"
    )  # money held over may be negative: income above the cost of a line
    more = (gap > slack + room) | (~counts & (gap < -slack))
    totals = totals[more].assign(
        expected=sums["value"].to_numpy("float64")[more], tolerance=(slack + room)[more], rule="imputed total"
    )
    once = ["source_id", "year", "place"]
    findings = [_told(group, parts) for _, group in totals.groupby(once, observed=True, sort=False)]
    return totals[~totals.duplicated(once)].assign(finding=findings)


def _told(totals: pd.DataFrame, parts: pd.DataFrame) -> str:
    withheld = parts[parts["absent"] & parts["id"].isin(totals["id"])]
    who = f"councils that did not submit them ({list_some(withheld['name'].astype(str).unique())})"
    return f"{len(totals)} totals hold figures of {who}: {list_some(totals['table'].astype(str).unique())}"
