"""The activity return (SALT) of the made-up world: counts by year, smallest area and cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clsimpact.outcomes import SEQUELS
from clsimpact.simulate import _shares
from clsimpact.simulate._adoption import Treatment
from clsimpact.simulate._areas import atoms, residents
from clsimpact.simulate._cubes import SUBSETS, Cells, national_weights
from clsimpact.simulate._draw import allocate, apportion, expit, lasting, match_mean, paths, stream
from clsimpact.simulate.calibration import YEARS, calibration, national_figures

__all__ = ["AGES", "SaltWorld", "draw_latents", "draw_salt"]

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

AGES: Final = ("18 to 64", "65 and over")
_NO_PRISON: Final = 0
"""Index of the year in which prisons were not asked about: 2014-15."""


@dataclass(frozen=True)
class SaltWorld:
    """Counts of every return year.

    Attributes
    ----------
    cells
        Breakdown to its cells.
    counts
        Breakdown to one array a year: smallest areas by cells.
    """

    cells: Mapping[str, Cells]
    counts: Mapping[str, list[Floats]]


def draw_latents(seed: int) -> dict[str, Floats]:
    """Return how councils differ, by name of ``calibration.toml`` [councils]: years by smallest areas.

    Logarithms or logits around zero, with the spreads and correlations of the real cross-section; what lasts
    is drawn by the persistence of requests, long term support, spending and shares.
    """
    known = calibration()
    names = list(known.councils["names"])
    correlation = np.array(known.councils["correlation"])
    values, vectors = np.linalg.eigh(correlation)
    root = vectors * np.sqrt(np.clip(values, 0, None)) @ vectors.T
    drawn = stream(seed, "councils").standard_normal((len(YEARS) + 1, len(atoms()), len(names))) @ root
    return {
        name: known.spread(name) * lasting(drawn[..., column], known.persistence[_kind(name)])
        for column, name in enumerate(names)
    }


def _kind(name: str) -> str:
    for kind in ("requests", "long_term", "gce"):
        if name.startswith(kind):
            return kind
    return "shares"


def _by_age(latents: Mapping[str, Floats], name: str) -> Floats:
    return np.stack([latents[f"{name}_18_64"], latents[f"{name}_65_plus"]], axis=2)


def _yearly(totals: Floats, weights: Floats, missing: NDArray[np.bool_]) -> Counts:
    """Split England's totals by year among areas; those that do not submit keep last year's number."""
    out = np.empty(weights.shape, dtype="int64")
    for year, total in enumerate(totals):
        before = out[year - 1] if year else np.zeros(weights.shape[1], dtype="int64")
        out[year] = allocate(round(float(total)), weights[year], missing[year], before)
    return out


def _carry(counts: Counts, missing: NDArray[np.bool_]) -> Counts:
    """Give areas that do not submit last year's figures: what the publisher's totals hold for them."""
    for year in range(1, len(counts)):
        counts[year, missing[year]] = counts[year - 1, missing[year]]
    return counts


def draw_salt(seed: int, latents: Mapping[str, Floats], treatment: Treatment) -> SaltWorld:
    """Draw all counts of SALT.

    England's totals of requests, long term support, people with more than 12 months of support, people
    reviewed and carers are those of the published series, with last year's figures of councils that do not
    submit; a recording change is added on top.
    """
    missing = treatment.missing["SALT"]
    builder = _Builder(seed, missing)
    sequels = _requests(seed, latents, treatment)
    builder.requests(sequels)
    builder.st_max(sequels[..., SEQUEL_PLACE["st_max"]])
    long_term = _national_by_age("long_term", latents, missing)
    builder.long_term(long_term)
    builder.reviews(latents, treatment)
    builder.carers()
    return SaltWorld(builder.cells, builder.counts)


_REASONS: Final = {"18 to 64": "T25", "65 and over": "T26"}
"""Sheets with the support reasons of existing clients."""
SEQUEL_PLACE: Final = {name: column for column, name in enumerate(_shares.SEQUEL_NAMES)}


def _national_by_age(name: str, latents: Mapping[str, Floats], missing: NDArray[np.bool_]) -> Counts:
    rates = np.exp(_by_age(latents, name)) * residents()
    totals = [calibration().series(f"{name}_{age}") for age in ("18_64", "65_plus")]
    ages = [_yearly(total, rates[..., age], missing) for age, total in enumerate(totals)]
    return np.stack(ages, axis=2)


def _requests(seed: int, latents: Mapping[str, Floats], treatment: Treatment) -> Counts:
    """Return requests by year, area, age band and sequel."""
    missing = treatment.missing["SALT"]
    requests = _national_by_age("requests", latents, missing)
    weights = requests.astype("float64")
    base = _shares.base_shares(
        seed, _by_age(latents, "funded"), _by_age(latents, "signposted"), weights, treatment.roomy
    )
    effects = treatment.effects
    shares = _shares.moved(base, weights, effects["funded_mid"], effects["signposted"])
    counts = apportion(requests, shares)
    recorded = _shares.SIGNPOSTED | np.isin(_shares.SEQUEL_NAMES, ["no_service", "deceased"])
    more = np.rint(counts * treatment.recording_factor[..., None, None]).astype("int64")
    return _carry(np.where(recorded, more, counts), missing)


class _Builder:
    """Breaks totals down into cells."""

    def __init__(self, seed: int, missing: NDArray[np.bool_]) -> None:
        self.seed = seed
        self.missing = missing
        self.cells: dict[str, Cells] = {}
        self.counts: dict[str, list[Floats]] = {}

    def _noise(self, topic: str, cells: int, spread: float) -> Floats:
        """Return what areas' weights of cells are multiplied by: years, areas, cells."""
        rng = stream(self.seed, topic)
        drawn = paths(rng, len(YEARS), (len(atoms()), cells), calibration().persistence["shares"])
        return np.asarray(np.exp(spread * drawn))

    def _add(self, name: str, rows: pd.DataFrame, counts: Counts) -> None:
        """Keep a breakdown: years, areas, cells."""
        self.cells[name] = Cells.of_rows(rows)
        self.counts[name] = list(_carry(counts, self.missing).astype("float64"))

    def requests(self, sequels: Counts) -> None:
        """Break requests down by route of access, and count the clients behind them."""
        found, parts = [], []
        for age, word in enumerate(AGES):
            table = _route_mix(word)
            for name, label in SEQUELS.items():
                mix = table[label].to_numpy("float64") * self._noise(
                    f"routes {word} {name}", len(table), 0.25
                )
                mix[_NO_PRISON][:, table.index == "Prison"] = 0.0
                count = apportion(sequels[:, :, age, SEQUEL_PLACE[name]], mix)
                fund = count[..., table.index == "Self-funder with depleted funds"]
                parts.append(np.concatenate([count, np.rint(0.15 * fund).astype("int64")], axis=2))
                rows = pd.DataFrame({"route_of_access": [*table.index, SUBSETS[0]]})
                found.append(rows.assign(sequel=label, age_band=word))
        self._add("requests", pd.concat(found, ignore_index=True), np.concatenate(parts, axis=2))
        per_client = [_figure("T13", "requests_per_client", age) for age in AGES]
        noise = np.log(self._noise("requests per client", 2, 0.12))
        ratio = 1 + (np.array(per_client) - 1) * np.exp(noise)
        clients = np.rint(sequels.sum(axis=3) / ratio).astype("int64")
        self._add("request_clients", pd.DataFrame({"age_band": AGES}), clients)

    def st_max(self, asked: Counts) -> None:
        """Count episodes of short-term support to maximise independence, by what happened next and reason."""
        ratio = np.array(calibration().national["st_max_per_request"])
        new = np.rint(asked * ratio * self._noise("st max", 2, 0.08)).astype("int64")
        self._add_episodes("st_max_episodes_new_clients", new, "T23")
        rates = np.array([_existing_total(age) for age in AGES]) / residents()[7].sum(axis=0)
        existing = np.rint(rates * residents() * self._noise("existing", 2, 0.7)).astype("int64")
        self._add_episodes("st_max_episodes_existing_clients", existing, "T27")
        both = np.array([_figure("T28", "st_max_episodes_per_client", age) for age in AGES])
        per_client = 1 + (both - 1) * self._noise("episodes per client", 2, 0.2)
        clients = np.rint((new + existing) / per_client).astype("int64")
        self._add("st_max_clients", pd.DataFrame({"age_band": AGES}), clients)

    def _add_episodes(self, name: str, totals: Counts, table: str) -> None:
        found, parts = [], []
        for age, word in enumerate(AGES):
            rows, weight = _episode_mix(table, word)
            sequels = sorted(set(rows["sequel"]))
            which = [sequels.index(sequel) for sequel in rows["sequel"]]
            noise = self._noise(f"{name} {word}", len(sequels), 0.4)[..., which]
            parts.append(apportion(totals[..., age], weight * noise))
            found.append(rows.assign(age_band=word))
        self._add(name, pd.concat(found, ignore_index=True), np.concatenate(parts, axis=2))

    def long_term(self, totals: Counts) -> None:
        """Break long term support down by setting and reason; count it at the year end and over 12 months."""
        words = ["primary_support_reason", "support_setting"]
        found, parts = [], []
        for age, word in enumerate(AGES):
            rows, weight = national_weights("T35", words, age_band=word)
            settings = sorted(set(rows["support_setting"]))
            which = [settings.index(setting) for setting in rows["support_setting"]]
            noise = self._noise(f"settings {word}", len(settings), 0.3)[..., which]
            mix = weight * noise
            mix[_NO_PRISON][:, rows["support_setting"].str.startswith("Prison").to_numpy()] = 0.0
            parts.append(apportion(totals[..., age], mix))
            found.append(rows.assign(age_band=word))
        rows = pd.concat(found, ignore_index=True)
        counts = np.concatenate(parts, axis=2)
        self._add("long_term_clients", rows, counts)
        at_end = self._year_end(totals)
        end = self._of_ages(rows, counts, at_end)
        self._add("long_term_clients_year_end", rows, end)
        over = self._of_ages(rows, end, self._over_12_months(at_end))
        self._add("long_term_clients_over_12_months", rows, over)
        self._people(rows, end)
        share = [
            _figure("T40", "full_cost_clients", a) / _figure("T40", "long_term_clients_year_end", a)
            for a in AGES
        ]
        full = np.rint(at_end * np.array(share) * self._noise("full cost", 2, 0.5)).astype("int64")
        self._add("full_cost_clients", pd.DataFrame({"age_band": AGES}), np.minimum(full, at_end))

    def _year_end(self, totals: Counts) -> Counts:
        measures = ("long_term_clients_year_end", "long_term_clients")
        end, year = (np.array([_figure("T33", name, age) for age in AGES]) for name in measures)
        odds = np.log(end / (year - end)) + 0.15 * np.log(self._noise("year end", 2, 1.0))
        return np.asarray(np.minimum(np.rint(totals * expit(odds)).astype("int64"), totals))

    def _over_12_months(self, at_end: Counts) -> Counts:
        """Return who has had support for 12 months: England's series, split by those at the year end."""
        measures = ("long_term_clients_over_12_months", "long_term_clients_year_end")
        over, end = (np.array([_figure("T33", name, age) for age in AGES]) for name in measures)
        odds = np.log(over / (end - over)) + 0.15 * np.log(self._noise("over 12 months", 2, 1.0))
        out = np.empty_like(at_end)
        for year, total in enumerate(calibration().series("over_12_months")):
            share = expit(match_mean(odds[year], at_end[year].astype("float64"), total / at_end[year].sum()))
            fixed = np.repeat(self.missing[year][:, None], 2, axis=1).ravel()
            before = out[year - 1] if year else at_end[year]
            found = allocate(int(total), (at_end[year] * share).ravel(), fixed, before.ravel())
            out[year] = np.minimum(found.reshape(-1, 2), at_end[year])
        return out

    def _of_ages(self, rows: pd.DataFrame, cells: Counts, totals: Counts) -> Counts:
        """Take a part of every cell: the same share of each age band, so that no part exceeds its cell."""
        out = np.empty_like(cells)
        for age, word in enumerate(AGES):
            here = rows["age_band"].eq(word).to_numpy()
            out[..., here] = apportion(totals[..., age], cells[..., here].astype("float64"))
        return out

    def _people(self, rows: pd.DataFrame, end: Counts) -> None:
        """Break people at the year end down by gender and ethnicity, within the same totals by setting."""
        found, parts = [], []
        mixes, weight = national_weights("T41", ["gender", "ethnicity", "support_setting"])
        names = sorted(set(mixes["ethnicity"]))
        spread = np.array([0.0 if name == "White" else 0.9 for name in names])
        noise = np.log(self._noise("ethnicity", len(names), 1.0)) * spread
        for setting in sorted(set(rows["support_setting"])):
            here = mixes[mixes["support_setting"] == setting]
            which = [names.index(name) for name in here["ethnicity"]]
            mix = np.maximum(weight[here.index], 0.2) * np.exp(noise[..., which])
            total = end[..., rows["support_setting"].eq(setting).to_numpy()].sum(axis=2)
            parts.append(apportion(total, mix))
            found.append(here)
        self._add("people_year_end", pd.concat(found, ignore_index=True), np.concatenate(parts, axis=2))

    def reviews(self, latents: Mapping[str, Floats], treatment: Treatment) -> None:
        """Count people reviewed (England's series), planned, unplanned and both, by age band."""
        rows = self.cells["long_term_clients_over_12_months"].words["age_band"]
        cells = np.stack(self.counts["long_term_clients_over_12_months"])
        over = np.stack([cells[..., rows == word].sum(axis=2) for word in AGES], axis=2)
        total = calibration().series("over_12_months") * calibration().series("reviewed_share")
        reviewed = np.empty(over.shape, dtype="int64")
        for year, goal in enumerate(5 * np.rint(total / 5)):
            odds = np.repeat(latents["reviewed"][year][:, None], 2, axis=1)
            share = expit(match_mean(odds, over[year], goal / over[year].sum()))
            fixed = np.repeat(self.missing[year][:, None], 2, axis=1).ravel()
            before = reviewed[year - 1] if year else over[year].astype("int64")
            found = allocate(int(goal), (over[year] * share).ravel(), fixed, before.ravel())
            reviewed[year] = np.minimum(found.reshape(-1, 2), over[year].astype("int64"))
        planned = self._planned_share(latents["planned"], reviewed, treatment)
        with_plan = np.rint(reviewed * planned).astype("int64")
        mean, sd = calibration().sequels["both_reviews"]
        both = expit(mean + sd * np.log(self._noise("both reviews", 1, 1.0)))
        both = np.minimum(np.rint(reviewed * both).astype("int64"), with_plan)
        ages = pd.DataFrame({"age_band": AGES})
        self._add("clients_reviewed", ages, reviewed)
        self._add("clients_planned_reviews", ages, with_plan)
        self._add("clients_both_reviews", ages, both)
        self._add("clients_unplanned_reviews", ages, reviewed - with_plan + both)

    def _planned_share(self, latent: Floats, reviewed: Counts, treatment: Treatment) -> Floats:
        """Return planned over reviewed, the same in both age bands: years, areas, 1."""
        england = _figure("T50", "clients_planned_reviews", "Total") / _figure(
            "T50", "clients_reviewed", "Total"
        )
        weights = reviewed.sum(axis=2, keepdims=True).astype("float64")
        target = np.full((len(YEARS), 1), england)
        base = _shares.between(latent[..., None], weights, target, treatment.roomy, _shares.PLANNED_ROOM)
        return np.asarray(base + treatment.effects["planned_share"][..., None])

    def carers(self) -> None:
        """Break carers down by age band and what they got; support to the cared-for person is a part."""
        rows, weight = national_weights("T48", ["age_band", "carer_support_type"])
        part = rows["carer_support_type"].isin(SUBSETS).to_numpy()
        adults = residents().sum(axis=2)
        noise = self._noise("carers", 1, 0.45)[..., 0]
        totals = _yearly(calibration().series("carers"), adults * noise, self.missing)
        types = sorted(set(rows["carer_support_type"]))
        which = [types.index(word) for word in rows["carer_support_type"]]
        mix = np.maximum(weight, 0.5) * self._noise("carer support", len(types), 0.7)[..., which]
        counts = np.zeros(mix.shape, dtype="int64")
        counts[..., ~part] = apportion(totals, mix[..., ~part])
        share = weight[part].sum() / weight[~part].sum()
        cared = np.rint(totals * share * self._noise("cared-for", 1, 0.6)[..., 0]).astype("int64")
        counts[..., part] = apportion(np.minimum(cared, totals), mix[..., part])
        self._add("carers_supported", rows, counts)


def _figure(table: str, measure: str, age: str) -> float:
    rows = national_figures()
    keep = (rows["table"] == table) & (rows["measure"] == measure) & (rows["age_band"] == age)
    return float(rows.loc[keep, "value"].iloc[0])


def _route_mix(age: str) -> pd.DataFrame:
    """Return England's requests of an age band by route (rows) and sequel (columns); no route is quite empty.

    Planned entry (transition) is for people aged 18 to 64 alone.
    """
    rows, weight = national_weights("T9", ["age_band", "route_of_access", "sequel"])
    every = rows.assign(weight=weight)
    every = every[~every["route_of_access"].isin(SUBSETS)]
    routes = list(dict.fromkeys(every["route_of_access"]))
    every = every[every["age_band"] == age]
    table = every.pivot_table(index="route_of_access", columns="sequel", values="weight").reindex(routes)
    table = table.fillna(0.0).clip(lower=0.5)
    if age != AGES[0]:
        table.loc["Planned entry (transition)"] = 0.0
    return table


def _existing_total(age: str) -> float:
    rows, weight = national_weights("T27", ["sequel"], age_band=age)
    return float(weight[rows["sequel"].ne("Total").to_numpy()].sum())


def _episode_mix(table: str, age: str) -> tuple[pd.DataFrame, Floats]:
    """Return sequels by support reasons of episodes, and England's weights of these cells."""
    if table == "T23":
        rows, weight = national_weights(table, ["sequel", "primary_support_reason"], age_band=age)
        return rows, np.maximum(weight, 0.3)
    sequels, first = national_weights(table, ["sequel"], age_band=age)
    reasons, second = national_weights(_REASONS[age], ["primary_support_reason"])
    return sequels.merge(reasons, how="cross"), np.outer(first / first.sum(), np.maximum(second, 0.3)).ravel()
