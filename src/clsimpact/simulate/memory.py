"""Made-up returns and the panel of them without a file: every figure of the panel, straight from the books.

The same figures reach the panel when whole publications are written and read again; this is the short way,
for trying an analysis and for checking a method on many seeds. Secondary outcomes from ASCOF are not made up
and stay ``not_held``.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Protocol

import numpy as np
import pandas as pd

from clsimpact._content import SIMULATED
from clsimpact._display_data import shown_as_returns
from clsimpact._parts import PARTS, Part
from clsimpact.geography import Boundaries
from clsimpact.loaders.labels import measures
from clsimpact.loaders.manifest import Source, all_sources
from clsimpact.loaders.returns import DIMENSIONS, as_returns, concat_returns
from clsimpact.panel import build_panel
from clsimpact.simulate.publication import Book
from clsimpact.simulate.truth import Truth
from clsimpact.simulate.world import simulate_world
from clsimpact.years import year_label

__all__ = ["simulated_panel", "simulated_returns"]

_SALT_ADAPTERS: Final = ("salt_csv", "csv_pack")
_MONEY_SOURCES: Final[Mapping[int, str]] = {
    2014: "pss_ex1_expenditure_2014_15",
    2015: "asc_fr_expenditure_2015_16",
    2016: "asc_fr_totals_2016_17",
}
"""The years whose money stands in one of several files; later it is in the one file of the year."""
_MONEY_ADAPTERS: Final = ("asc_fr_long", "csv_pack")
_YEARS: Final = range(2014, 2024)


class Books(Protocol):
    """What the returns of a made-up world are read from: a book for every year."""

    def book(self, year: int) -> Book:
        """Return the figures of one financial year."""


def simulated_panel(
    seed: int = 1,
    *,
    truth: Truth | None = None,
    boundaries: Boundaries = "constant",
    years: tuple[int, int] | None = None,
) -> pd.DataFrame:
    """Make up a world and build the panel of it, without files.

    Parameters
    ----------
    seed
        Seed of the world: the same seed and truth give the same panel.
    truth
        What adoption does, who adopts when, and what disturbs it; the claims of the study if omitted.
    boundaries
        As in :func:`clsimpact.build_panel`.
    years
        First and last year; 2014-15 to 2023-24 if omitted.

    Returns
    -------
    pandas.DataFrame
        A panel as :func:`clsimpact.load_panel` gives; ``attrs["simulated"]`` is true, and
        ``attrs["simulation"]`` has the seed and the truth (TOML), with the adopters that were drawn.

    Examples
    --------
    >>> panel = simulated_panel(seed=2, years=(2018, 2019))
    >>> panel.attrs["title"], panel.attrs["simulation"]["seed"]
    ('SIMULATED adult social care in English councils, 2018-19 to 2019-20', 2)
    """
    world = simulate_world(seed, truth)
    first, last = (min(_YEARS), max(_YEARS)) if years is None else years
    returns = simulated_returns(world, years=range(first, last + 1))
    panel = build_panel(returns, boundaries=boundaries, years=(first, last))
    panel.attrs["simulation"] = {"seed": seed, "truth": world.truth.to_toml()}
    return panel


def simulated_returns(world: Books, *, years: Iterable[int] = _YEARS) -> pd.DataFrame:
    """Return the figures of the panel from the books of a made-up world, as a returns table.

    Parameters
    ----------
    world
        A world of :func:`clsimpact.simulate.world.simulate_world`, or anything with ``book(year)``.
    years
        Start years.

    Returns
    -------
    pandas.DataFrame
        A returns table: councils, regions and England; ``source_id`` is that of the made-up publication that
        would print the figure. ``table`` and ``cell`` say that it was never in a file.

    Examples
    --------
    >>> returns = simulated_returns(simulate_world(1), years=[2018])
    >>> returns["source_id"].unique().tolist()
    ['simulated_csv_pack_2018_19']
    """
    tables = [
        _of_source(world.book(year), source, parts)
        for year in years
        for source, parts in _by_source(year).items()
    ]
    return shown_as_returns(concat_returns(tables))


@functools.cache
def _source(official: str) -> Source:
    return replace(
        all_sources()[official],
        id=f"{SIMULATED}{official}",
        sha256="",
        verified="made-up file",
        simulated=True,
    )


def _by_source(year: int) -> dict[str, list[Part]]:
    """Return the parts of a year that are made up, by the publication that would print them."""
    found: dict[str, list[Part]] = {}
    for part in PARTS:
        if part.measure in measures() and year >= part.first_year:
            found.setdefault(_publication(part, year), []).append(part)
    return found


def _publication(part: Part, year: int) -> str:
    """Return the id of the CSV that holds a part: of SALT or, for money, of the finance return."""
    salt = measures()[part.measure]["return_"] == "SALT"
    if not salt and year in _MONEY_SOURCES:
        return _MONEY_SOURCES[year]
    adapters = _SALT_ADAPTERS if salt else _MONEY_ADAPTERS
    sources = all_sources().values()
    return next(it.id for it in sources if it.adapter in adapters and it.year == year)


def _of_source(book: Book, official: str, parts: Sequence[Part]) -> pd.DataFrame:
    """Return the figures of one publication: one row a part and area, part by part."""
    areas = book.areas()
    answers = [book.figures(part.measure, dict(part.words), areas) for part in parts]
    columns: dict[str, Any] = {
        "value": np.concatenate([answer.value for answer in answers]),
        "year": np.full(len(parts) * len(areas), book.year),
        "cell": [f"{part.name} of {code}" for part in parts for code in areas["ons_code"]],
    }
    statuses = np.concatenate([answer.status for answer in answers])
    columns["status"] = _repeated(np.arange(len(statuses)), statuses.tolist())
    for name in ("level", "ons_code", "cassr_code", "name"):
        columns[name] = _repeated(np.tile(np.arange(len(areas)), len(parts)), areas[name].tolist())
    of_part = np.repeat(np.arange(len(parts)), len(areas))
    old_money = all_sources()[official].return_ == "PSS-EX1"
    kinds = ["PSS-EX1" if old_money else measures()[part.measure]["return_"] for part in parts]
    columns["return_"] = _repeated(of_part, kinds)
    columns["unit"] = _repeated(of_part, [measures()[part.measure]["unit"] for part in parts])
    columns["measure"] = _repeated(of_part, [part.measure for part in parts])
    for name in (*DIMENSIONS, "marker"):
        columns[name] = _repeated(of_part, [part.words.get(name) for part in parts])
    columns["table"] = _repeated(of_part, [f"book of {year_label(book.year)}"] * len(parts))
    return as_returns(pd.DataFrame(columns), _source(official))


def _repeated(positions: Any, words: Sequence[Any]) -> pd.Categorical:
    """Return the words at some positions, as categories."""
    codes, categories = pd.factorize(pd.Series(words, dtype="object"))
    return pd.Categorical.from_codes(codes[positions], categories=pd.Index(categories, dtype="string"))
