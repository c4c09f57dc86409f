"""A made-up world: all publications' figures of 2014-15 to 2023-24, drawn from a seed and a truth."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import pandas as pd

from clsimpact.errors import ClsimpactError
from clsimpact.geography import councils
from clsimpact.simulate._adoption import Treatment, draw_treatment
from clsimpact.simulate._areas import atoms
from clsimpact.simulate._money_world import MoneyWorld, draw_money
from clsimpact.simulate._salt_world import SaltWorld, draw_latents, draw_salt
from clsimpact.simulate.book import WorldBook
from clsimpact.simulate.calibration import YEARS
from clsimpact.simulate.truth import EFFECT_LIMITS, Truth
from clsimpact.years import year_label

__all__ = ["FIRST_YEAR", "LAST_YEAR", "YEARS", "World", "simulate_world"]

FIRST_YEAR: Final = YEARS[0]
LAST_YEAR: Final = YEARS[-1]
"""First and last financial year that is made up, by start year."""

_EVIDENCE: Final = "SIMULATED: drawn by a computer, nothing is known of this council from this row"


@dataclass(frozen=True, eq=False)
class World:
    """A made-up world with a known truth.

    What is real: the councils' names, codes, regions and boundary changes, their residents, England's
    published totals by year (requests and long term support by age band, people with more than 12 months of
    support and those reviewed, carers, gross current expenditure), England's mix of sequels in 2014-15 and
    2021-22, and the breakdowns of 2021-22. Years that are not published carry the nearest ones on
    (``calibration.toml`` says how).

    What is made up: every council's own figures. Councils differ by logarithms and logits drawn with the
    spreads and correlations of the real cross-section of 2021-22; part of a difference stays for good and
    the rest fades from year to year, as measured in the series that are held. Spreads, correlations and
    persistence of sequels and reviews are those of other shares where no series is held. Figures inside are
    whole counts and money to 0.00001 of £000; the book rounds and withholds as the publisher does.

    What an effect is: it is added to the share over both age bands (requests: of all with a known sequel;
    reviews: of people reviewed), or to spending per adult. Treated councils start with room for it: before
    England's yearly change, their funded share lies between 0.14 and 0.76 and their planned share between
    0.24 and 0.84, on the same straight line in every year, so that nothing is cut off and effects are exact
    but for whole numbers. They differ from the others in level. England's yearly change is the same number
    of percentage points in every council and age band, so that trends are parallel; only the slowly
    changing weights of the age bands move shares of both bands by a few tenths of a point. What is neither
    funded nor signposted takes up what an effect frees or needs, in proportion. Fewer requests that lead to
    ST-Max mean fewer ST-Max episodes; long term support follows no effect. Effects and recording changes
    come on top of England's published totals.

    Attributes
    ----------
    seed
        What everything was drawn from.
    truth
        With its adopters filled in.
    """

    seed: int
    truth: Truth
    treatment: Treatment = field(repr=False)
    salt: SaltWorld = field(repr=False)
    money: MoneyWorld = field(repr=False)
    _books: dict[int, WorldBook] = field(default_factory=dict, repr=False, compare=False)

    def book(self, year: int) -> WorldBook:
        """Return every figure of one financial year as its publisher would print it.

        Parameters
        ----------
        year
            Start year, 2014 to 2023.

        Returns
        -------
        WorldBook
            A :class:`~clsimpact.simulate.publication.Book`.

        Raises
        ------
        ClsimpactError
            If the year is not made up.
        """
        if year not in YEARS:
            raise ClsimpactError(
                f"The made-up world has no year {year}.",
                repair=f"Years are {YEARS[0]} ({year_label(YEARS[0])}) to {YEARS[-1]}.",
            )
        if year not in self._books:
            self._books[year] = WorldBook(year, self.salt, self.money, self.treatment.missing, self.book)
        return self._books[year]

    def effects(self) -> pd.DataFrame:
        """Return the effect on every treated council in every year.

        Returns
        -------
        pandas.DataFrame
            Columns ``outcome, ons_code, name, cohort, event_time, year, effect, kind``: ``kind`` is
            ``adopter`` or ``contaminated`` (whose ``cohort`` is missing: they are on no adoption list).
        """
        names = councils(YEARS[0]).set_index("ons_code")["name"]
        starts = [(code, year, "adopter") for code, year in (self.truth.adopters or {}).items()]
        first = self.truth.contamination.first_year
        starts += [(code, first, "contaminated") for code in self.treatment.contaminated]
        place = {atom: column for column, atom in enumerate(atoms())}
        rows = [
            (
                *(outcome, code, names[code], start if kind == "adopter" else None, year - start, year),
                float(self.treatment.effects[outcome][step, place[code]]),
                kind,
            )
            for outcome in EFFECT_LIMITS
            for code, start, kind in starts
            for step, year in enumerate(YEARS)
        ]
        columns = ["outcome", "ons_code", "name", "cohort", "event_time", "year", "effect", "kind"]
        return pd.DataFrame(rows, columns=columns).astype({"cohort": "Int64"})

    def adoption(self) -> pd.DataFrame:
        """Return the made-up list of adopters in the form that :func:`clsimpact.tag_adoption` takes.

        Returns
        -------
        pandas.DataFrame
            One row an adopter; the evidence says that it is made up.
        """
        names = councils(YEARS[0]).set_index("ons_code")["name"]
        rows = [
            {
                "la_name": names[code],
                "ons_code": code,
                "nation": "England",
                "adoption_year": year,
                "earliest_year": year,
                "latest_year": year,
                "adoption_date_basis": _EVIDENCE,
                "confidence": "high",
                "source_url": None,
                "note": f"SIMULATED with seed {self.seed}",
            }
            for code, year in (self.truth.adopters or {}).items()
        ]
        columns = [
            *("la_name", "ons_code", "nation", "adoption_year", "earliest_year", "latest_year"),
            *("adoption_date_basis", "confidence", "source_url", "note"),
        ]
        table = pd.DataFrame(rows, columns=columns)
        years = ["adoption_year", "earliest_year", "latest_year"]
        texts = [name for name in columns if name not in years]
        return table.astype({**dict.fromkeys(years, "Int64"), **dict.fromkeys(texts, "string")})


def simulate_world(seed: int, truth: Truth | None = None) -> World:
    """Draw a made-up world.

    Parameters
    ----------
    seed
        A whole number from 0: the same seed and truth give the same world. What councils are like without the
        truth's effects depends on the seed and on who is treated alone.
    truth
        What holds in it; the default of :class:`Truth` if omitted.

    Returns
    -------
    World
        The world.

    Raises
    ------
    ClsimpactError
        If the seed is no whole number from 0, or the effects leave no room for other sequels.

    Examples
    --------
    >>> world = simulate_world(1)
    >>> len(world.truth.adopters), world.book(2021).year
    (24, 2021)
    """
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise ClsimpactError(
            f"The seed {seed!r} is no whole number from 0.", repair="Give a number such as 1."
        )
    treatment = draw_treatment(seed, Truth() if truth is None else truth)
    latents = draw_latents(seed)
    salt = draw_salt(seed, latents, treatment)
    money = draw_money(seed, latents, treatment)
    return World(seed, treatment.truth, treatment, salt, money)
