"""The finance return (ASC-FR) of the made-up world: money, weeks of care and rates by year, area and cell."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clsimpact.simulate._adoption import Treatment
from clsimpact.simulate._areas import atoms, residents
from clsimpact.simulate._cubes import GROUPS, Cells, national_weights
from clsimpact.simulate._draw import expit, paths, stream
from clsimpact.simulate.calibration import YEARS, calibration, national_figures

__all__ = ["COMPONENTS", "MoneyWorld", "draw_money"]

Floats = NDArray[np.float64]

COMPONENTS: Final = (
    *("exp_own", "exp_others", "exp_grants"),
    *("inc_client", "inc_joint", "inc_nhs", "inc_other"),
    *("cap_own", "cap_others", "bcf", "ssmss", "gce"),
)
"""What the money of a cell is kept as; all else is made of these. ``bcf`` is a part of ``inc_nhs``."""
_PLACE: Final = {name: column for column, name in enumerate(COMPONENTS)}
_DIMENSIONS: Final = (
    *("care_type", "age_band", "primary_support_reason"),
    *("support_setting", "purpose", "carer_support_type"),
)
_SUB_BANDS: Final = GROUPS["age_band"]["65 and over"]
_SUB_SHARES: Final = (0.13, 0.31, 0.56)
"""Shares of the sub-bands of 65 and over where 2016-17 has no figures for a cell."""
_CARERS: Final = "Social support: support to carer"
_CARER_TYPES: Final = {"Community: direct payments": 0.45, "Community: other": 0.55}
"""England's split of support to carers, rounded, from the council figures of 2017-18."""
_OVERHEAD: Final = 0.08
_DECIMALS: Final = 5


@dataclass(frozen=True)
class MoneyWorld:
    """Money by year (£000), weeks of care and the money behind their unit costs, and hourly rates.

    Attributes
    ----------
    cells, money
        Cells, and one array a year: smallest areas by cells by :data:`COMPONENTS`.
    care_cells, weeks, costs
        Cells of care that is counted in weeks (with ``provision``); weeks and £000, one array a year.
    rates
        Provision to hourly rates of home care: years by smallest areas; 0 where there is no such care.
    hours_weight
        What rates are weighted by: years by smallest areas.
    grants
        Income from specific and special grants: years by smallest areas.
    """

    cells: Cells
    money: list[Floats]
    care_cells: Cells
    weeks: list[Floats]
    costs: list[Floats]
    rates: Mapping[str, Floats]
    hours_weight: Floats
    grants: Floats


def draw_money(seed: int, latents: Mapping[str, Floats], treatment: Treatment) -> MoneyWorld:
    """Draw all money of ASC-FR.

    England's gross current expenditure is that of the published series, with last year's figures of councils
    that do not submit; an effect on spending is added on top. In every cell expenditure less income other
    than client contributions, less capital, is gross current expenditure.
    """
    missing = treatment.missing["ASC-FR"]
    gross = _gross(latents, treatment)
    rows, national = money_cells()
    cells = Cells.of_rows(rows)
    split = _split(seed, rows, national, gross)
    money = _components(seed, rows, split, _national_ratios(rows, national))
    weeks, costs, care = _weeks(seed, rows, money)
    for parts in (money, weeks, costs):
        _carry(parts, missing)
    home = rows["support_setting"].eq("Community: home care").to_numpy()
    hours = np.stack([np.maximum(year[:, home, _PLACE["gce"]].sum(axis=1), 1.0) for year in money])
    rates = _rates(seed)
    for rate in rates.values():
        _carry(list(rate), missing)
    grants = np.round(0.01 * gross * np.exp(0.4 * _paths(seed, "grants", 1)[..., 0]), _DECIMALS)
    return MoneyWorld(cells, money, Cells.of_rows(care), weeks, costs, rates, hours, grants)


def _carry(parts: list[Floats], missing: NDArray[np.bool_]) -> None:
    for year in range(1, len(parts)):
        parts[year][missing[year]] = parts[year - 1][missing[year]]


def _paths(seed: int, topic: str, width: int) -> Floats:
    shape = (len(atoms()), width)
    return paths(stream(seed, topic), len(YEARS), shape, calibration().persistence["gce"])


def _gross(latents: Mapping[str, Floats], treatment: Treatment) -> Floats:
    """Return gross current expenditure in £000: years by smallest areas."""
    adults = residents().sum(axis=2)
    weights = adults * np.exp(latents["gce"])
    missing = treatment.missing["ASC-FR"]
    prices = calibration().series("deflator") / calibration().series("deflator")[7]
    effect = treatment.effects["gce_per_adult"] * adults * prices[:, None] / 1000
    out = np.empty_like(weights)
    for year, total in enumerate(calibration().series("gce")):
        kept = missing[year]
        before = out[year - 1, kept] if year else np.zeros(0)
        out[year, kept] = before
        out[year, ~kept] = (total - before.sum()) * weights[year, ~kept] / weights[year, ~kept].sum()
    return np.asarray(out + effect)


def money_cells() -> tuple[pd.DataFrame, Floats]:
    """Return the cells of expenditure and England's gross current expenditure in them, 2021-22.

    The 99 cells of the return, with 65 and over in its three sub-bands.
    """
    found = []
    plans = (
        ("T45", "Long term", ["age_band", "support_setting", "primary_support_reason"]),
        ("T29", "Short term", ["age_band", "purpose", "primary_support_reason"]),
        ("T46", "Other", ["primary_support_reason"]),
    )
    for table, care, words in plans:
        rows, weight = national_weights(table, words)
        found.append(rows.assign(care_type=care, weight=weight))
    every = (
        pd.concat(found, ignore_index=True).reindex(columns=[*_DIMENSIONS, "weight"]).fillna({"weight": 0.0})
    )
    every = every.astype(dict.fromkeys(_DIMENSIONS, "object")).fillna("")
    carers = every[every["primary_support_reason"] == _CARERS]
    older = every[every["age_band"] == "65 and over"]
    parts = [every.drop(index=[*carers.index, *older.index])]
    parts += [
        carers.assign(carer_support_type=t, weight=carers["weight"] * s) for t, s in _CARER_TYPES.items()
    ]
    shares = _sub_band_shares(older)
    parts += [
        older.assign(age_band=b, weight=older["weight"] * shares[:, i]) for i, b in enumerate(_SUB_BANDS)
    ]
    rows = pd.concat(parts, ignore_index=True)
    return rows[list(_DIMENSIONS)], rows["weight"].to_numpy("float64")


def _sub_band_shares(older: pd.DataFrame) -> Floats:
    """Return how a cell of 65 and over falls into sub-bands, by the figures of 2016-17."""
    old = national_figures()
    old = old[(old["table"] == "asc_fr_totals_2016_17") & old["age_band"].isin(_SUB_BANDS)]
    words = ["care_type", "support_setting", "primary_support_reason", "purpose"]
    wide = old.pivot_table(index=words, columns="age_band", values="value", aggfunc="sum")
    shares = wide.reindex(pd.MultiIndex.from_frame(older[words]))[list(_SUB_BANDS)].to_numpy(
        "float64", copy=True
    )
    fine = np.isfinite(shares).all(axis=1) & (shares > 0).all(axis=1)
    shares[~fine] = _SUB_SHARES
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def _split(seed: int, rows: pd.DataFrame, national: Floats, gross: Floats) -> Floats:
    """Split spending among cells: years, areas, cells. Some small cells are negative, as in the returns."""
    mix = np.maximum(national, 1.0)
    noise = np.exp(0.35 * _paths(seed, "money cells", len(rows)))
    share = mix * noise
    share /= share.sum(axis=2, keepdims=True)
    drawn = stream(seed, "negative cells").random((len(YEARS), len(atoms()), len(rows)))
    small = (mix / mix.sum() < 0.002) & rows["age_band"].ne("65 to 74").to_numpy()
    negative = small & (drawn < 0.012)
    largest = rows["primary_support_reason"].eq("Commissioning and service delivery").to_numpy()
    moved = np.where(negative, 1.4 * share, 0.0)
    share = share - moved
    share[..., largest] += moved.sum(axis=2, keepdims=True)
    return np.asarray(share * gross[..., None])


def _national_ratios(rows: pd.DataFrame, spent: Floats) -> Floats:
    """Return England's income over gross current expenditure by cell and kind of income (T7, 2021-22)."""
    kinds = ("Client contributions", "Joint arrangements", "Income from NHS", "Other income")
    income = national_figures()
    income = income[(income["table"] == "T7") & (income["measure"] == "total_income")]
    got = income.set_index(["care_type", "age_band", "finance_description"])["value"]
    out = np.empty((len(rows), len(kinds)))
    for care, age in itertools.product(("Long term", "Short term", "Other"), ("18 to 64", "65 and over", "")):
        ages = (*GROUPS["age_band"].get(age, ()), age)
        here = (rows["care_type"].eq(care) & rows["age_band"].isin(ages)).to_numpy()
        if here.any():
            out[here] = [float(got[care, age, kind]) / float(spent[here].sum()) for kind in kinds]
    return out


def _components(seed: int, rows: pd.DataFrame, split: Floats, ratios: Floats) -> list[Floats]:
    """Return the components of every cell's money: one array a year."""
    size = np.abs(split)
    out = np.zeros((*split.shape, len(COMPONENTS)))
    kinds = ("inc_client", "inc_joint", "inc_nhs", "inc_other")
    noise = _paths(seed, "income", len(kinds))
    for column, kind in enumerate(kinds):
        wide = 0.25 if kind in ("inc_client", "inc_nhs") else 0.6
        out[..., _PLACE[kind]] = size * ratios[:, column] * np.exp(wide * noise[..., column, None])
    out[..., _PLACE["inc_nhs"]] += np.where(split < 0, 1.5 * size, 0.0)
    capital = 0.0068 * size * np.exp(0.5 * _paths(seed, "capital", 1))
    own = _own_share(seed, rows)
    nursing = rows["support_setting"].eq("Nursing").to_numpy()
    cap_own = np.where(nursing, 0.0, 0.76)
    out[..., _PLACE["cap_own"]] = capital * cap_own
    out[..., _PLACE["cap_others"]] = capital * (1 - cap_own)
    out[..., _PLACE["gce"]] = split
    out = np.round(out, _DECIMALS)
    spent = out[..., [_PLACE[name] for name in ("gce", "inc_joint", "inc_nhs", "inc_other")]].sum(axis=3)
    spent += out[..., _PLACE["cap_own"]] + out[..., _PLACE["cap_others"]]
    out[..., _PLACE["exp_own"]] = np.round(spent * own, _DECIMALS)
    grants = np.where(rows["care_type"].eq("Other").to_numpy(), 0.05, 0.003)
    out[..., _PLACE["exp_grants"]] = np.round(spent * grants, _DECIMALS)
    rest = spent - out[..., _PLACE["exp_own"]] - out[..., _PLACE["exp_grants"]]
    out[..., _PLACE["exp_others"]] = np.round(rest, _DECIMALS)
    fund = expit(0.1 + 0.3 * _paths(seed, "better care fund", 1))
    out[..., _PLACE["bcf"]] = np.round(out[..., _PLACE["inc_nhs"]] * fund, _DECIMALS)
    out[..., _PLACE["ssmss"]] = np.round(_OVERHEAD * spent, _DECIMALS)
    return list(out)


def _own_share(seed: int, rows: pd.DataFrame) -> Floats:
    """Return the share of a cell that the council provides itself: none of nursing; some run no homes."""
    typical = np.select(
        [
            rows["support_setting"].eq("Residential"),
            rows["care_type"].eq("Short term"),
            rows["care_type"].eq("Other"),
        ],
        [0.07, 0.45, 0.45],
        default=0.12,
    )
    share = expit(np.log(typical / (1 - typical)) + 0.6 * _paths(seed, "own provision", 1))
    homes = stream(seed, "own homes").random(len(atoms())) < 0.7
    without = rows["support_setting"].eq("Residential").to_numpy() & ~homes[:, None]
    nursing = rows["support_setting"].eq("Nursing").to_numpy()
    return np.where(without | nursing, 0.0, share)


def _weeks(
    seed: int, rows: pd.DataFrame, money: list[Floats]
) -> tuple[list[Floats], list[Floats], pd.DataFrame]:
    """Return weeks of care, the £000 behind them, and their cells (with who provides)."""
    weekly = _weekly_costs(rows)
    counted = np.flatnonzero(np.isfinite(weekly))
    care = [rows.iloc[counted].assign(provision=word) for word in ("In house", "External")]
    wide = 0.12 * _paths(seed, "unit costs", 2)
    fine = 0.08 * stream(seed, "unit costs by cell").standard_normal((len(atoms()), len(counted)))
    prices = calibration().series("deflator") / calibration().series("deflator")[7]
    all_weeks, all_costs = [], []
    for year, parts in enumerate(money):
        gross = np.maximum(parts[:, counted, _PLACE["gce"]], 0.0)
        spent = parts[:, counted][..., [_PLACE[name] for name in ("exp_own", "exp_others", "exp_grants")]]
        total = spent.sum(axis=2)
        own = np.divide(spent[..., 0], total, out=np.zeros_like(total), where=total > 0)
        weeks, costs = [], []
        for side, share, dear in ((0, own, 1.75), (1, 1 - own, 0.97)):
            price = weekly[counted] * dear * prices[year] * np.exp(wide[year][:, side, None] + fine)
            cost = np.round(gross * share, _DECIMALS)
            weeks.append(np.round(1000 * cost / price, 2))
            costs.append(np.where(weeks[-1] > 0, cost, 0.0))
        all_weeks.append(np.concatenate(weeks, axis=1))
        all_costs.append(np.concatenate(costs, axis=1))
    return all_weeks, all_costs, pd.concat(care, ignore_index=True)


def _weekly_costs(rows: pd.DataFrame) -> Floats:
    """Return England's cost of a week by cell, 2021-22 (T53, T54); NaN where weeks are not counted."""
    table = national_figures()
    table = table[table["measure"] == "unit_cost"]
    known = {
        (sheet, setting, reason): value
        for sheet, setting, reason, value in zip(
            table["table"],
            table["support_setting"],
            table["primary_support_reason"],
            table["value"],
            strict=True,
        )
    }
    out = np.full(len(rows), np.nan)
    for place, row in enumerate(rows.itertuples(index=False)):
        if row.support_setting in ("Nursing", "Residential"):
            sheet = "T53" if row.age_band == "18 to 64" else "T54"
            out[place] = known[sheet, row.support_setting, row.primary_support_reason]
        elif row.purpose == "To maximise independence":
            out[place] = 650.0 if row.age_band == "18 to 64" else 550.0
    return out


def _rates(seed: int) -> dict[str, Floats]:
    """Return hourly rates of home care by provision; two councils in three have none in house."""
    known = national_figures()
    rates = known[known["table"] == "T51"].set_index("provision")["value"]
    noise = 0.1 * _paths(seed, "hourly rates", 2)
    prices = (calibration().series("deflator") / calibration().series("deflator")[7])[:, None]
    none = stream(seed, "home care in house").random(len(atoms())) < 0.65
    inside = np.where(none, 0.0, float(rates["In house"]) * prices * np.exp(2 * noise[..., 0]))
    outside = float(rates["External"]) * prices * np.exp(noise[..., 1])
    return {"In house": np.round(inside, 2), "External": np.round(outside, 2)}
