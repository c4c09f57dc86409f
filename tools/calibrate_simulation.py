"""Measure in the committed official returns what the made-up world is set to, and write it with its source.

No council's own figure is written but its population: only England's figures, and means, spreads and
correlations over councils. Run from the root of the repository::

    python tools/calibrate_simulation.py
"""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

import clsimpact as ci
from clsimpact.geography import councils
from clsimpact.loaders.returns import DIMENSIONS, as_text
from clsimpact.outcomes import SEQUELS

OUT: Final = Path("src/clsimpact/simulate")
WORKBOOK: Final = "asc_fr_salt_2021_22"
AGES: Final = ("18 to 64", "65 and over")
FUNDED: Final = ("st_max", "nursing", "residential", "community", "prison")
REST: Final = ("nhs", "end_of_life", "low_level", "other_short", "deceased", "no_service")
SMALL: Final = 0.005
"""Shares are kept this far from 0 and 1 before logarithms are taken; councils below are few."""
SUPPRESSED: Final = 2.0
CHRISTCHURCH: Final = "E07000048"
NATIONAL_TABLES: Final = (
    *("T7", "T9", "T23", "T25", "T26", "T27", "T29", "T35", "T39", "T41", "T45", "T46", "T48"),
    *("T3", "T13", "T28", "T33", "T40", "T50", "T51", "T53", "T54", "T55"),
)
SHARES: Final = (
    "sequel_to_short_term_support",
    "offered_reablement",
    "reablement_still_home_91_days",
    "self_directed_support",
    "direct_payments",
    "learning_disability_employment",
    "learning_disability_settled_home",
)
Series = dict[int, "pd.Series[float]"]


def main() -> None:
    """Write ``calibration.toml``, ``national.csv`` and ``populations.csv``."""
    returns = ci.load_returns()
    book = as_text(returns[returns["source_id"] == WORKBOOK])
    people = populations(returns)
    people.to_csv(OUT / "populations.csv", index=False, lineterminator="\n")
    national(book, returns).to_csv(OUT / "national.csv", index=False, lineterminator="\n")
    text = "\n".join(
        [
            *_note(
                "What the made-up returns are set to. Written by tools/calibrate_simulation.py "
                "from the committed official returns; no council's own figure is in here. Ages "
                "are always 18 to 64, then 65 and over."
            ),
            "",
            *_series_lines(returns, book),
            *_latent_lines(returns, book, people),
            *_composition_lines(book),
        ]
    )
    (OUT / "calibration.toml").write_text(text + "\n", encoding="utf-8")


def populations(returns: pd.DataFrame) -> pd.DataFrame:
    """Return residents by age band of every smallest area and mid-year that is held (mid-2015 to mid-2022).

    Smallest areas are the councils of 2023-24, with Bournemouth, Poole and Christchurch apart. Where a year's
    estimates name only the whole, it is split by the parts' shares in the nearest year that names them.
    """
    found = []
    for year in range(2015, 2023):
        rows = as_text(returns[returns["source_id"] == f"population_mid_{year}"])
        rows = rows[rows["age_band"].isin(AGES) & rows["level"].isin(["council", "district"])]
        table = rows.pivot_table(index="ons_code", columns="age_band", values="value", aggfunc="first")
        found.append(table[list(AGES)].assign(mid_year=year))
    every = pd.concat(found).reset_index().set_index(["mid_year", "ons_code"])
    return _smallest(every)


def _smallest(every: pd.DataFrame) -> pd.DataFrame:
    """Return one row an area and mid-year; see :func:`populations`."""
    renamed = {
        "E06000060": "E10000002",
        "E06000065": "E10000023",
        "E06000066": "E10000027",
    }
    wholes = {
        ("E06000061", "E06000062"): ("E10000021", 2020),
        ("E06000063", "E06000064"): ("E10000006", 2022),
        ("E06000028", "E06000029", CHRISTCHURCH): ("E06000058", 2017),
    }
    parts = {part: (whole, *split) for whole, split in wholes.items() for part in whole}
    codes = sorted({*councils(2023)["ons_code"], *parts} - {"E06000058"})
    rows = []
    for year, code in itertools.product(range(2015, 2023), codes):
        held = every.loc[year]
        if code in held.index:
            people = held.loc[code].to_numpy("float64")
        elif code in renamed:
            people = held.loc[renamed[code]].to_numpy("float64")
        elif code == "E06000059":
            people = (held.loc["E10000009"] - held.loc[CHRISTCHURCH]).to_numpy("float64")
        else:
            people = _part(every, year, code, *parts[code])
        rows.append((year, code, *people.astype("int64")))
    return pd.DataFrame(rows, columns=["mid_year", "ons_code", "aged_18_64", "aged_65_plus"])


def _part(
    every: pd.DataFrame, year: int, code: str, whole: tuple[str, ...], name: str, split_year: int
) -> NDArray[np.float64]:
    """Return residents of a part of a whole: by the parts' shares in a year; the last has the rest."""
    held = every.loc[year].loc[name].to_numpy("float64")
    split = every.loc[split_year].loc[list(whole)].to_numpy("float64")
    people = np.round(held * split / split.sum(axis=0))
    people[-1] = held - people[:-1].sum(axis=0)
    return np.asarray(people[whole.index(code)])


def national(book: pd.DataFrame, returns: pd.DataFrame) -> pd.DataFrame:
    """Return England's figures by which totals are broken down; withheld ones at their middle."""
    withheld = book["status"] == "suppressed"
    book = book.assign(value=book["value"].mask(withheld, SUPPRESSED))
    keep = (book["level"] == "england") & book["statistic"].isna() & book["value"].notna()
    keep &= book["table"].isin(NATIONAL_TABLES) & (book["year"] == 2021)
    rows = [book[keep]]
    for source in ("asc_fr_totals_2016_17", "asc_fr_activity_2016_17"):
        older = as_text(returns[(returns["source_id"] == source) & (returns["level"] == "england")])
        old = older[
            older["measure"].isin(["gross_current_expenditure", "care_weeks"]) & older["value"].notna()
        ]
        old = old[~old["support_setting"].fillna("").str.startswith("Key")]
        rows.append(old.assign(table=source))
    table = pd.concat(rows).dropna(axis=1, how="all")
    columns = ["table", "year", "measure", *(name for name in DIMENSIONS if name in table), "value"]
    return table[columns]


def _series_lines(returns: pd.DataFrame, book: pd.DataFrame) -> list[str]:
    """Write England's series by year; what is not published is extrapolated, and the comment says how."""
    england = book[book["level"] == "england"]
    t2 = england[england["table"] == "T2"]
    episodes = {age: _of_year(t2, "st_max_clients", age) for age in AGES}
    carers = _of_year(t2, "carers_supported", "Total")
    over = [474115, 459395, 458915]
    pairs = zip((288045, 268435, 253325), over, strict=True)
    reviewed = [round(some / whole, 6) for some, whole in pairs]
    deflator = as_text(returns[returns["source_id"] == "gdp_deflator_2023_12"])
    deflator = (
        deflator[deflator["measure"] == "gdp_deflator"].dropna(subset=["value"]).set_index("year")["value"]
    )
    prices = {year: float(deflator[year]) for year in range(2005, 2023)} | {2023: 106.1}
    t4 = england[(england["table"] == "T4") & (england["measure"] == "gross_current_expenditure")]
    t4 = t4[t4["statistic"].isna()].set_index("year")["value"]
    gce = {year: float(t4[year]) for year in range(2005, 2022)} | {2016: 17526378.0}
    real_growth = (gce[2021] / prices[2021] / (gce[2014] / prices[2014])) ** (1 / 7)
    for year in (2022, 2023):
        gce[year] = round(gce[year - 1] * prices[year] / prices[year - 1] * real_growth, 0)
    return [
        "[national]",
        "years = [2014, 2015, 2016, 2017, 2018, 2019, 2020, 2021, 2022, 2023]",
        *_note(
            "Requests. 2015-16 to 2021-22 as published; totals of 2014-15, 2022-23, 2023-24 "
            "as published, split by age by carrying on the change of the nearest two years' "
            "shares."
        ),
        f"requests_18_64 = {_requests(0)}",
        f"requests_65_plus = {_requests(1)}",
        *_note(
            "Long term support in the year. 2014-15: total as published, split as above; "
            "after 2021-22 each age band carries on its mean yearly change of 2015-16 to "
            "2021-22."
        ),
        f"long_term_18_64 = {_long_term(0)}",
        f"long_term_65_plus = {_long_term(1)}",
        *_note(
            "Over 12 months at the year end: 2019-20 to 2021-22 as published; other years "
            "hold the nearest year's ratio to long term support in the year."
        ),
        f"over_12_months = {_held(over, _both_long_term())}",
        *_note("Share of them reviewed: as published for 2019-20 to 2021-22, else the nearest year's."),
        f"reviewed_share = {[reviewed[0]] * 6 + [reviewed[1]] + [reviewed[2]] * 3}",
        *_note("Carers supported: T2 of 2021-22 for 2019-20 to 2021-22, else the nearest year's."),
        f"carers = {[int(carers[0])] * 5 + [int(value) for value in carers] + [int(carers[2])] * 2}",
        *_note(
            "New clients with ST-Max over requests that led to ST-Max, by age (T2 against "
            "T10, T11 of 2021-22)."
        ),
        f"st_max_per_request = {_st_max_ratio(england, episodes)}",
        *_note(
            "GCE in £000 cash from 2005-06: T4 of 2021-22, but 2016-17 is the sum of the "
            "council rows (the printed figure was corrected later). 2022-23 and 2023-24: the "
            "deflator's change and the mean real growth of 2014-15 to 2021-22."
        ),
        "gce_first_year = 2005",
        f"gce = {[gce[year] for year in range(2005, 2024)]}",
        *_note("GDP deflator, 2022-23 = 100 (HM Treasury, December 2023); 2023-24 is its forecast."),
        f"deflator = {[prices[year] for year in range(2005, 2024)]}",
        "",
    ]


_REQUESTS: Final = np.array(
    [
        [500670, 508620, 523920, 550435, 560350, 577765, 611505],
        [1310060, 1305795, 1320000, 1364095, 1370205, 1337875, 1367045],
    ]
)
_REQUEST_TOTALS: Final = {2014: 1846000, 2022: 2002055, 2023: 2085720}
_LONG_TERM: Final = np.array(
    [
        [285020, 290835, 292380, 293415, 290075, 289695, 288905],
        [587490, 577600, 565385, 548435, 548450, 551550, 529010],
    ]
)
_LONG_TERM_2014: Final = 890000


def _requests(age: int) -> list[int]:
    share = _REQUESTS[0] / _REQUESTS.sum(axis=0)
    steps = {2014: share[0] - (share[1] - share[0]), 2022: 2 * share[-1] - share[-2]}
    steps[2023] = steps[2022] + share[-1] - share[-2]
    young = {year: 5 * round(total * steps[year] / 5) for year, total in _REQUEST_TOTALS.items()}
    ends = {year: (young[year], total - young[year])[age] for year, total in _REQUEST_TOTALS.items()}
    return [ends[2014], *_REQUESTS[age].tolist(), ends[2022], ends[2023]]


def _long_term(age: int) -> list[int]:
    share = _LONG_TERM[0] / _LONG_TERM.sum(axis=0)
    young = 5 * round(_LONG_TERM_2014 * (2 * share[0] - share[1]) / 5)
    first = (young, _LONG_TERM_2014 - young)[age]
    known = _LONG_TERM[age].tolist()
    step = (known[-1] - known[0]) / 6
    return [first, *known, *(5 * round((known[-1] + k * step) / 5) for k in (1, 2))]


def _both_long_term() -> NDArray[np.float64]:
    return np.array([_long_term(0), _long_term(1)], dtype="float64").sum(axis=0)


def _held(known: list[float], base: NDArray[np.float64]) -> list[int]:
    """Return the series known for 2019-20 to 2021-22, with the nearest ratio to a base before and after."""
    ratio = np.array(known) / base[5:8]
    before, after = ratio[0] * base[:5], ratio[2] * base[8:]
    return [int(5 * round(value / 5)) for value in (*before, *known, *after)]


def _of_year(rows: pd.DataFrame, measure: str, age: str) -> list[float]:
    chosen = rows[(rows["measure"] == measure) & (rows["age_band"] == age)].sort_values("year")
    return [float(value) for value in chosen["value"]]


def _st_max_ratio(england: pd.DataFrame, episodes: dict[str, list[float]]) -> list[float]:
    asked = england[england["table"].isin(["T10", "T11"]) & (england["sequel"] == SEQUELS["st_max"])]
    return [
        round(float(episodes[age][2] / asked.loc[asked["age_band"] == age, "value"].iloc[0]), 4)
        for age in AGES
    ]


def _latent_lines(returns: pd.DataFrame, book: pd.DataFrame, people: pd.DataFrame) -> list[str]:
    """Write spreads, correlations and persistence of what differs between councils."""
    council = book[book["level"] == "council"]
    shares = {age: sequel_shares(council, table) for age, table in zip(AGES, ("T10", "T11"), strict=True)}
    adults = people[people["mid_year"] == 2020].set_index("ons_code")
    columns = {}
    for short, age in (("18_64", AGES[0]), ("65_plus", AGES[1])):
        t2 = council[(council["table"] == "T2") & (council["age_band"] == age) & (council["year"] == 2021)]
        for name, measure in (("requests", "requests"), ("long_term", "long_term_clients")):
            counts = t2[t2["measure"] == measure].set_index("ons_code")["value"]
            columns[f"{name}_{short}"] = np.log(counts / adults[f"aged_{short}"])
        columns[f"funded_{short}"] = _logit(shares[age][list(FUNDED)].sum(axis=1))
        rest = 1 - shares[age][list(FUNDED)].sum(axis=1)
        columns[f"signposted_{short}"] = _logit(shares[age]["signposted"] / rest)
    t50 = council[council["table"] == "T50"].pivot_table(
        index="ons_code", columns="measure", values="value", aggfunc="first"
    )
    reviewed = t50["clients_reviewed"]
    columns["planned"] = _logit(t50["clients_planned_reviews"] / reviewed)
    columns["reviewed"] = _logit(reviewed / t50["long_term_clients_over_12_months"])
    money = council[(council["table"] == "T16") & (council["year"] == 2021)]
    money = money[money["measure"] == "gross_current_expenditure_per_100k"]
    columns["gce"] = np.log(money.set_index("ons_code")["value"].where(lambda value: value > 0))
    frame = pd.DataFrame(columns)
    small = adults[["aged_18_64", "aged_65_plus"]].sum(axis=1)
    frame = frame[frame.index.isin(small[small > 30_000].index)]
    names = list(frame.columns)
    return [
        *_note(
            "Differences between councils of 30,000 adults or more, 2021-22 (T2, T10, T11, "
            "T16, T50): requests, long term support and GCE per resident of the age band as "
            "logarithms; shares as logits: funded of all requests, signposted of the others, "
            "planned of people reviewed, reviewed of people with more than 12 months of "
            "support."
        ),
        "[councils]",
        f"names = {_strings(names)}",
        f"sd = {_numbers(frame.std())}",
        "correlation = [",
        *(f"  {_numbers(row, 2)}," for row in frame.corr().to_numpy()),
        "]",
        "",
        *_persistence_lines(returns, council),
    ]


def sequel_shares(council: pd.DataFrame, table: str) -> pd.DataFrame:
    """Return the shares of the twelve sequels by council; suppressed counts enter at their middle."""
    rows = council[council["table"] == table]
    rows = rows.assign(count=rows["value"].where(rows["status"] != "suppressed", SUPPRESSED))
    wide = rows.pivot_table(index="ons_code", columns="sequel", values="count", aggfunc="first")
    wide = wide[wide["Total"].notna()].rename(columns={label: name for name, label in SEQUELS.items()})
    counts = wide[list(SEQUELS)].fillna(0.0)
    return counts.div(counts.sum(axis=1), axis=0)


def _persistence_lines(returns: pd.DataFrame, council: pd.DataFrame) -> list[str]:
    t2 = council[(council["table"] == "T2") & (council["age_band"] == AGES[1])]
    requests = _by_year(t2[t2["measure"] == "requests"], np.log)
    long_term = _by_year(t2[t2["measure"] == "long_term_clients"], np.log)
    panel = pd.read_parquet("data/processed/panel.parquet")
    gce = panel[["ons_code", "year", "gce_per_adult"]].dropna().rename(columns={"gce_per_adult": "value"})
    found = {
        "requests": (persistence(requests), "requests aged 65 and over, T2, 2019-20 to 2021-22"),
        "long_term": (persistence(long_term), "long term support aged 65 and over, T2, 2019-20 to 2021-22"),
        "gce": (
            persistence(_by_year(gce, np.log)),
            "GCE per adult, 2014-15, 2016-17, 2017-18, 2020-21, 2021-22",
        ),
        "shares": (
            _of_shares(returns),
            "mean of seven ASCOF measures made from SALT, 2017-18 to 2022-23, as logits",
        ),
    }
    lines = [
        *_note(
            "How much of the variance between councils stays for good, and how the rest "
            "carries over from year to year (first-order autocorrelation): least squares on "
            "the covariances between years."
        ),
        "[persistence]",
    ]
    for name, ((stays, carries), source) in found.items():
        lines += [f"# {source}", f"{name} = {{ stays = {stays:.2f}, carries = {carries:.2f} }}"]
    return [*lines, ""]


def persistence(series: Series) -> tuple[float, float]:
    """Fit cov(lag) = total * (stays + (1 - stays) * carries ** lag) to the covariances between years.

    Series are in units of their own spread in every year, so the total is one.
    """
    frame = pd.DataFrame(series)
    frame = (frame - frame.mean()) / frame.std()
    pairs = [(b - a, frame[a].cov(frame[b])) for a, b in itertools.combinations(frame.columns, 2)]
    lags, cov = np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs])
    grid = itertools.product(np.arange(0.3, 0.96, 0.01), np.arange(0.2, 0.81, 0.01))
    best = min(grid, key=lambda g: float(((g[0] + (1 - g[0]) * g[1] ** lags - cov) ** 2).sum()))
    return float(best[0]), float(best[1])


def _of_shares(returns: pd.DataFrame) -> tuple[float, float]:
    """Return the mean persistence of ASCOF measures from SALT: the series at hand that are shares."""
    ascof = as_text(returns[returns["source_id"] == "ascof_joined_2017_24"])
    ascof = ascof[(ascof["statistic"] == "Outcome") & (ascof["gender"] == "Total") & (ascof["year"] < 2023)]
    ascof = ascof[ascof["level"] == "council"]
    fits = []
    for measure in SHARES:
        rows = ascof[ascof["measure"] == measure]
        fits.append(persistence(_by_year(rows, lambda value: _logit(value / 100))))
    stays, carries = np.mean(fits, axis=0)
    return float(stays), float(carries)


def _by_year(rows: pd.DataFrame, transform: Callable[[Any], Any]) -> Series:
    wide = rows.pivot_table(index="ons_code", columns="year", values="value", aggfunc="first")
    wide = wide.where(wide > 0)
    return {int(year): transform(wide[year]) for year in wide.columns}


def _composition_lines(book: pd.DataFrame) -> list[str]:
    """Write what is left of the sequels' mix: how councils split the funded and the other requests."""
    council = book[book["level"] == "council"]
    england = book[book["level"] == "england"]
    mixes, spread = [], {name: [] for name in (*FUNDED, *REST)}
    for table in ("T10", "T11"):
        shares = sequel_shares(council, table)
        for block in (FUNDED, REST):
            inside = shares[list(block)].clip(lower=SMALL / 5)
            log = np.log(inside.div(inside.sum(axis=1), axis=0))
            centred = log.sub(log.mean(axis=1), axis=0)
            for name in block:
                spread[name].append(float(centred[name].std()))
        counts = england[(england["table"] == table)].set_index("sequel")["value"]
        mixes.append([counts[label] / counts["Total"] for label in SEQUELS.values()])
    return [
        "[sequels]",
        f"names = {_strings(SEQUELS)}",
        *_note("England 2021-22 (T10, T11)."),
        f"mix_18_64 = {_numbers(mixes[0], 5)}",
        f"mix_65_plus = {_numbers(mixes[1], 5)}",
        *_note(
            "England 2014-15, both ages: the five shares that the publication names (prison "
            "and NHS funded care were not asked yet). The mix by age keeps 2021-22's ratios "
            "between the ages; other sequels share what is left."
        ),
        "first_mix = { "
        "signposted = 0.31, no_service = 0.28, low_level = 0.16, st_max = 0.12, long_term = 0.08 }",
        *_note(
            "Spread over councils of log shares inside the funded sequels and inside those "
            "neither funded nor signposted, mean of both age bands, 2021-22."
        ),
        "spread = { " + ", ".join(f"{name} = {np.mean(sds):.2f}" for name, sds in spread.items()) + " }",
        *_note("Correlation of the two age bands' log shares (typical of T10 against T11)."),
        "between_ages = 0.75",
        *_note("People with both kinds of review over people reviewed: mean and spread of logits (T50)."),
        f"both_reviews = {_both(council)}",
    ]


def _both(council: pd.DataFrame) -> list[float]:
    t50 = council[council["table"] == "T50"].pivot_table(
        index="ons_code", columns="measure", values="value", aggfunc="first"
    )
    logit = _logit(t50["clients_both_reviews"] / t50["clients_reviewed"])
    return [round(float(logit.mean()), 3), round(float(logit.std()), 3)]


def _note(text: str) -> list[str]:
    """Return a comment in lines."""
    return textwrap.wrap(text, 112, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)


def _logit(share: pd.Series[float]) -> pd.Series[float]:
    inside = share.clip(SMALL, 1 - SMALL)
    return np.log(inside / (1 - inside))


def _numbers(values: Iterable[Any], digits: int = 3) -> str:
    return "[" + ", ".join(f"{float(value):.{digits}f}" for value in values) + "]"


def _strings(values: Iterable[str]) -> str:
    return "[" + ", ".join(f'"{value}"' for value in values) + "]"


if __name__ == "__main__":
    main()
