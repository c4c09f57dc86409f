"""What is answered in one year: sums, ratios and rates, rounded and withheld as the publisher does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from clsimpact._status import Known, known
from clsimpact.simulate._areas import membership, residents, totals
from clsimpact.simulate._money_world import COMPONENTS, MoneyWorld
from clsimpact.simulate._salt_world import AGES, SaltWorld
from clsimpact.simulate._sheets import Sheet, aggregated
from clsimpact.simulate.calibration import YEARS

__all__ = ["Answers", "ratio_of"]

Floats = NDArray[np.float64]

_SMALL: Final = 5
"""Counts below this are withheld, zero included."""
_DECIMALS: Final = 5
_EXPENDITURE: Final = {
    "Own provision": "exp_own",
    "Provision by others": "exp_others",
    "Grants to voluntary organisations": "exp_grants",
}
_INCOME: Final = {
    "Client contributions": "inc_client",
    "Joint arrangements": "inc_joint",
    "Income from NHS": "inc_nhs",
    "Other income": "inc_other",
}
_CAPITAL: Final = {"Own provision": "cap_own", "Provision by others": "cap_others"}
_NETTED: Final = ("inc_joint", "inc_nhs", "inc_other")


def _signed(plus: Iterable[str], minus: Iterable[str] = ()) -> dict[str, float]:
    return {**dict.fromkeys(plus, 1.0), **dict.fromkeys(minus, -1.0)}


_MONEY: Final[Mapping[str, Mapping[str, float]]] = {
    "net_total_expenditure": _signed(_EXPENDITURE.values(), _INCOME.values()),
    "gross_total_expenditure": _signed(_EXPENDITURE.values(), _NETTED),
    "net_current_expenditure": _signed(_EXPENDITURE.values(), (*_INCOME.values(), *_CAPITAL.values())),
    "gross_current_expenditure": _signed(_EXPENDITURE.values(), (*_NETTED, *_CAPITAL.values())),
    "better_care_fund_income": {"bcf": 1.0},
    "gross_ssmss": {"ssmss": 1.0},
}
_BY_DESCRIPTION: Final = {
    "total_expenditure": _EXPENDITURE,
    "total_income": _INCOME,
    "capital_charges": _CAPITAL,
}
_COUNTS: Final = (
    *("requests", "request_clients", "st_max_episodes_new_clients", "st_max_episodes_existing_clients"),
    *("st_max_clients", "long_term_clients", "long_term_clients_over_12_months", "full_cost_clients"),
    *("clients_reviewed", "clients_planned_reviews", "clients_both_reviews", "clients_unplanned_reviews"),
    "carers_supported",
)
_PER_CLIENT: Final = {
    "requests_per_client": ("requests", "request_clients"),
    "st_max_episodes_per_client": ("st_max_episodes", "st_max_clients"),
    "full_cost_share": ("full_cost_clients", "long_term_clients_year_end"),
}
_PER_100K: Final = {
    "requests_per_100k": "requests",
    "long_term_clients_per_100k": "long_term_clients",
    "st_max_episodes_per_100k": "st_max_episodes_new_clients",
}
_FAIRER: Final = "Fairer charging income"


def ratio_of(top: Known, bottom: Known, scale: float = 1.0) -> Known:
    """Return a ratio; ``not_applicable`` where it is not defined, withheld where a part is."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return known(scale * top.value / bottom.value, top, bottom)


class Answers:
    """The figures of one year by row: areas above councils, then the councils of the year."""

    def __init__(
        self, year: int, salt: SaltWorld, money: MoneyWorld, missing: Mapping[str, NDArray[np.bool_]]
    ) -> None:
        self._year = year
        self._step = YEARS.index(year)
        self._salt = salt
        self._money = money
        self._gone = {name: self._missing(rows[self._step]) for name, rows in missing.items()}
        self._sheets: dict[str, Sheet] = {}
        self._found: dict[tuple[str, tuple[tuple[str, str], ...]], Known] = {}

    def _missing(self, areas: NDArray[np.bool_]) -> NDArray[np.bool_]:
        councils = (membership(self._year) @ areas) > 0
        return np.concatenate([np.zeros(len(totals(self._year)[0]), dtype=bool), councils])

    def known(self, measure: str, words: Mapping[str, str]) -> Known:
        """Return a measure for every row.

        Raises
        ------
        KeyError
            If the measure is not answered, or a word or combination is not there.
        """
        key = (measure, tuple(sorted(words.items())))
        if key not in self._found:
            self._found[key] = self._answer(measure, dict(words))
        return self._found[key]

    def _answer(self, measure: str, words: dict[str, str]) -> Known:
        statistic, unit = words.pop("statistic", None), words.pop("unit", None)
        if statistic == "Share of row total":
            return self._share(measure, words, percent=unit == "percent")
        if measure == "population":
            return self._population(words)
        if measure in _PER_100K:
            return self._per_100k(measure, words)
        if measure in _PER_CLIENT:
            top, bottom = (self._exact(name, words) for name in _PER_CLIENT[measure])
            return self._with_parts(_PER_CLIENT[measure], words, _divide(top, bottom))
        if measure == "reviewed_share":
            parts = ("clients_reviewed", "long_term_clients_over_12_months")
            top, bottom = (self._exact(name, words) for name in parts)
            return self._with_parts(parts, words, np.round(_divide(top, bottom), 2))
        if self._is_count(measure):
            return self._count(self._exact(measure, words))
        return self._finance(measure, words)

    def _is_count(self, measure: str) -> bool:
        return measure in _COUNTS or measure in ("st_max_episodes", "long_term_clients_year_end")

    # Counts of SALT

    def _exact(self, measure: str, words: Mapping[str, str]) -> Floats:
        """Return unrounded counts."""
        if measure == "st_max_episodes":
            kinds = ("st_max_episodes_new_clients", "st_max_episodes_existing_clients")
            return np.asarray(sum(self._sheet(name).sum(words) for name in kinds))
        name = measure
        if measure == "long_term_clients_year_end" and {"gender", "ethnicity"} & set(words):
            name = "people_year_end"
        return self._sheet(name).sum(words)

    def _sheet(self, name: str) -> Sheet:
        if name not in self._sheets:
            values = self._salt.counts[name][self._step]
            self._sheets[name] = Sheet.of(self._salt.cells[name], values, self._year)
        return self._sheets[name]

    def _count(self, exact: Floats) -> Known:
        status = np.where(exact < _SMALL, "suppressed", "published").astype("object")
        return self._withheld("SALT", 5 * np.floor(exact / 5 + 0.5), status)

    def _withheld(self, return_: str, value: Floats, status: NDArray[np.object_]) -> Known:
        status = np.where(self._gone[return_], "not_submitted", status).astype("object")
        status[(status == "published") & ~np.isfinite(value)] = "not_applicable"
        return Known(np.where(status == "published", value, np.nan), status)

    def _with_parts(self, parts: tuple[str, ...], words: Mapping[str, str], value: Floats) -> Known:
        """Return what is derived from counts: withheld where one of them is."""
        return known(value, *(self._count(self._exact(name, words)) for name in parts))

    def _per_100k(self, measure: str, words: Mapping[str, str]) -> Known:
        part = _PER_100K[measure]
        rate = 1e5 * _divide(self._exact(part, words), self._residents(words))
        return self._with_parts((part,), words, 5 * np.floor(rate / 5 + 0.5))

    def _share(self, measure: str, words: Mapping[str, str], *, percent: bool) -> Known:
        """Return a share of the row's total: of the dimension that the columns of its table are."""
        if measure == "gross_current_expenditure":
            return ratio_of(self.known(measure, words), self.known(measure, {**words, "care_type": "Total"}))
        across = {"requests": "route_of_access", "st_max_episodes_new_clients": "sequel"}
        if measure not in across:
            raise KeyError(f"share of {measure}")
        column = "primary_support_reason" if "primary_support_reason" in words else across[measure]
        whole = {name: word for name, word in words.items() if name != column}
        value = 100 * _divide(self._exact(measure, words), self._exact(measure, whole))
        value = np.floor(value + 0.5) if percent else value / 100
        status = np.full(len(value), "published", dtype="object")
        return self._withheld("SALT", value, status)

    # Residents

    @cached_property
    def _by_age(self) -> Floats:
        return aggregated(residents()[self._step], self._year)

    def _residents(self, words: Mapping[str, str]) -> Floats:
        age = words.get("age_band", "Total")
        if age == "Total":
            return np.asarray(self._by_age.sum(axis=1))
        return np.asarray(self._by_age[:, _age_column(age)])

    def _population(self, words: Mapping[str, str]) -> Known:
        """Return residents: rounded to 5 by age band (SALT tables), as they are in all (finance tables)."""
        value = self._residents(words)
        if words.get("age_band", "Total") != "Total":
            value = 5 * np.floor(value / 5 + 0.5)
        return Known(value, np.full(len(value), "published", dtype="object"))

    # Money and care of ASC-FR

    @cached_property
    def _finances(self) -> Sheet:
        return Sheet.of(self._money.cells, self._money.money[self._step], self._year, COMPONENTS)

    @cached_property
    def _care(self) -> Sheet:
        both = np.stack([self._money.weeks[self._step], self._money.costs[self._step]], axis=2)
        return Sheet.of(self._money.care_cells, both, self._year, ("weeks", "costs"))

    def _finance(self, measure: str, words: dict[str, str]) -> Known:
        if measure in ("care_weeks", "unit_cost", "unit_cost_numerator", "unit_cost_denominator"):
            return self._published(self._care_figure(measure, words))
        if measure == "home_care_hourly_rate":
            return self._published(self._hourly_rate(words))
        if measure == "specific_grants_income":
            _nothing_else(words, ())
            return self._published(aggregated(self._money.grants[self._step], self._year))
        if measure == "gross_current_expenditure_per_100k":
            adults = self._residents({})
            exact = self._cash("gross_current_expenditure", words)
            return self._published(1e5 * _divide(exact, adults))
        if measure == "better_care_fund_share":
            income = self._cash("total_income", {**words, "finance_description": "Income from NHS"})
            return self._published(_divide(self._cash("better_care_fund_income", words), income))
        return self._published(np.round(self._cash(measure, words), _DECIMALS))

    def _published(self, value: Floats) -> Known:
        return self._withheld("ASC-FR", value, np.full(len(value), "published", dtype="object"))

    def _cash(self, measure: str, words: Mapping[str, str]) -> Floats:
        words = dict(words)
        _mandatory_or_voluntary(words.pop("data_type", "Mandatory"))
        if words.get("support_setting") == _FAIRER:
            return self._fairer_charging(measure, words)
        detail = words.pop("detail", None)
        if detail is not None:
            words["care_type"] = _long_and_short(detail, words.get("care_type", "Total"))
        if measure in _BY_DESCRIPTION:
            kind = words.pop("finance_description", "Total")
            among = _BY_DESCRIPTION[measure]
            weights = _signed(among.values() if kind == "Total" else (among[kind],))
        else:
            weights = dict(_MONEY[measure])
        return self._finances.sum(words, weights)

    def _fairer_charging(self, measure: str, words: dict[str, str]) -> Floats:
        """Return contributions to care in the community, which 2014-15 also shows as a setting of its own."""
        del words["support_setting"]
        kind = words.pop("finance_description", "Total")
        if measure == "gross_ssmss":
            return np.zeros(len(self._finances.rows))
        sign = {"total_income": 1.0, "net_total_expenditure": -1.0, "net_current_expenditure": -1.0}[measure]
        if kind not in ("Total", "Client contributions"):
            raise KeyError(f"finance_description={kind!r}")
        paid = [
            self._finances.sum({**words, "support_setting": setting}, {"inc_client": 1.0})
            for setting in ("Community: home care", "Community: direct payments")
        ]
        return np.asarray(sign * sum(paid))

    def _care_figure(self, measure: str, words: dict[str, str]) -> Floats:
        _mandatory_or_voluntary(words.pop("data_type", "Mandatory"))
        weeks = self._care.sum(words, {"weeks": 1.0})
        if measure in ("care_weeks", "unit_cost_denominator"):
            return np.round(weeks, 2)
        costs = self._care.sum(words, {"costs": 1.0})
        if measure == "unit_cost_numerator":
            return np.round(costs, _DECIMALS)
        return np.where(weeks > 0, 1000 * _divide(costs, weeks), 0.0)

    def _hourly_rate(self, words: Mapping[str, str]) -> Floats:
        """Return hourly rates; above councils their mean, weighted by spending on home care."""
        kind = _nothing_else(words, ("provision", "support_setting", "care_type"))["provision"]
        rate = self._money.rates[kind][self._step]
        weight = np.where(rate > 0, self._money.hours_weight[self._step], 0.0)
        both = aggregated(np.stack([rate * weight, weight], axis=1), self._year)
        value = np.where(both[:, 1] > 0, _divide(both[:, 0], both[:, 1]), 0.0)
        councils = np.arange(len(value)) >= len(totals(self._year)[0])
        return np.where(councils, np.round(value, 2), value)


def _divide(top: Floats, bottom: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(top / bottom)


def _age_column(age: str) -> int:
    if age not in AGES:
        raise KeyError(f"age_band={age!r}")
    return AGES.index(age)


def _nothing_else(words: Mapping[str, str], allowed: tuple[str, ...]) -> Mapping[str, str]:
    strange = [name for name, word in words.items() if name not in allowed and word != "Total"]
    if strange:
        raise KeyError(", ".join(f"{name}={words[name]!r}" for name in strange))
    return words


def _long_and_short(detail: str, care_type: str) -> str:
    if detail != "long and short term care":
        raise KeyError(f"detail={detail!r}")
    return "Long and short term" if care_type == "Total" else care_type


def _mandatory_or_voluntary(data_type: str) -> None:
    if data_type not in ("Mandatory", "Voluntary"):
        raise KeyError(f"data_type={data_type!r}")
