"""Is a file whole? Councils, items and rows that must be there, whatever the fingerprint of the file says.

A CSV that was cut at the end of a line still opens; sums over it are wrong without a sign. So the adapters
compare what they find with what the publication is known to hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clsimpact.errors import LayoutError, list_some
from clsimpact.geography import councils

__all__ = [
    "council_names",
    "fold_name",
    "item_problems",
    "lacking_areas",
    "name_problems",
    "number_rows",
    "raise_incomplete",
]

_MOST_PROBLEMS: Final = 20
_TITLES: Final = frozenset(
    {"and", "borough", "city", "council", "county", "of", "the", "towns", "ua", "unitary"}
)
"""Words that one publication adds to a council's name and another leaves out. Without them the names of
councils still differ from each other."""


def fold_name(name: str) -> str:
    """Fold a council's name, so that the spellings of different publications compare equal.

    Examples
    --------
    >>> fold_name("Torbay UA"), fold_name("Medway Towns"), fold_name("County Durham")
    ('torbay', 'medway', 'durham')
    >>> fold_name("Herefordshire, County of") == fold_name("Herefordshire")
    True
    """
    words = re.sub(r"[^a-z0-9]+", " ", re.sub(r"['’.]", "", name.casefold())).split()
    return " ".join(word for word in words if word not in _TITLES)


def council_names(year: int) -> dict[str, str]:
    """Return the social-care code of every council of a year, and its name."""
    table = councils(year)
    return dict(zip(table["cassr_code"], table["name"], strict=True))


def name_problems(codes: pd.Series[Any], printed: pd.Series[Any], year: int) -> Iterator[str]:
    """Yield the rows whose printed name is not the one of the council with that social-care code.

    Parameters
    ----------
    codes
        Social-care codes; those not in use that year are passed over (another check reports them).
    printed
        Names as printed, with the same index; row 2 of the file has index 0.
    year
        Start year of the financial year.

    Yields
    ------
    str
        One problem for each code and name that do not belong together.
    """
    known = council_names(year)
    pairs = pd.DataFrame({"code": codes, "name": printed})
    for code, name in pairs.drop_duplicates().itertuples(index=False):
        if code in known and fold_name(name) != fold_name(known[code]):
            rows = pairs.index[(pairs["code"] == code) & (pairs["name"] == name)] + 2
            yield f"row {list_some(rows, 4)}: the code {code} is that of {known[code]}, not of {name!r}"


def item_problems(
    areas: pd.Series[Any], items: pd.DataFrame, names: Mapping[str, str], expected: int
) -> Iterator[str]:
    """Yield the areas that do not have every item once.

    Parameters
    ----------
    areas
        Code of the area of each row; row 2 of the file has index 0.
    items
        What the figures of each row are broken down by: together, the item.
    names
        Name of every area.
    expected
        How many items the publication has for an area.

    Yields
    ------
    str
        One problem an area, with the number of rows and the place.
    """
    item = number_rows(items)
    place, codes = pd.factorize(areas, use_na_sentinel=False)
    pair = pd.Series(place * (item.max(initial=0) + 1) + item)
    again = pair.duplicated()
    every = len(np.unique(item))
    if every < expected:
        yield f"{every} different items an area, where the publication has {expected}"
    different = np.bincount(place[~again], minlength=len(codes))
    twice = np.bincount(place[again], minlength=len(codes))
    for number in np.flatnonzero((different < every) | (twice > 0)).tolist():
        of_area = place == number
        yield from _lacking_items(
            f"{names.get(str(codes[number]), codes[number])} ({codes[number]})",
            areas.index[of_area] + 2,
            areas.index[of_area & again.to_numpy()] + 2,
            (every - int(different[number]), every),
        )


def _lacking_items(area: str, rows: pd.Index, twice: pd.Index, lacking: tuple[int, int]) -> Iterator[str]:
    """Yield what is wrong with the rows of one area: which stand twice, and how many of how many lack."""
    if len(twice):
        words = "row stands" if len(twice) == 1 else "rows stand"
        yield f"{area}: {len(twice)} {words} twice (row {list_some(twice, 4)})"
    if lacking[0]:
        words = "row is" if lacking[0] == 1 else "rows are"
        have = f"it has rows between {rows[0]} and {rows[-1]}"
        yield f"{area}: {lacking[0]} of {lacking[1]} {words} missing ({have})"


def number_rows(items: pd.DataFrame) -> NDArray[np.int64]:
    """Give equal rows of a table one number, column by column, so that no number grows large.

    Parameters
    ----------
    items
        Columns of text, plain or as categories.

    Returns
    -------
    numpy.ndarray
        The same number for the same words, from 0 in order of appearance.

    Examples
    --------
    >>> number_rows(pd.DataFrame({"a": ["x", "y", "x"], "b": ["1", "1", "1"]})).tolist()
    [0, 1, 0]
    """
    number = np.zeros(len(items), dtype=np.int64)
    for name in items:
        column = items[name]
        if isinstance(column.dtype, pd.CategoricalDtype):
            codes = column.cat.codes.to_numpy(dtype=np.int64) + 1
        else:
            codes = pd.factorize(column, use_na_sentinel=False)[0].astype(np.int64)
        if codes.max(initial=0) > codes.min(initial=codes.max(initial=0)):
            number = pd.factorize(number * (codes.max() + 1) + codes)[0].astype(np.int64)
    return number


def lacking_areas(found: Iterable[str], names: Mapping[str, str], what: str = "councils") -> Iterator[str]:
    """Yield one problem that names the areas that are not there, if any.

    Parameters
    ----------
    found
        Codes of the areas that are there.
    names
        Code and name of every area that must be there.
    what
        What they are called together.

    Yields
    ------
    str
        How many are missing, and which.
    """
    have = set(found)
    lacking = [f"{name} ({code})" for code, name in names.items() if code not in have]
    if lacking:
        yield f"{len(lacking)} of {len(names)} {what} are missing: {list_some(lacking, 6)}"


def raise_incomplete(file: str, problems: Iterable[str]) -> None:
    """Raise one LayoutError that lists what is missing or twice, if anything is.

    Raises
    ------
    LayoutError
        If there is a problem; after the first twenty only their number is given.
    """
    every = list(problems)
    shown = every[:_MOST_PROBLEMS]
    if len(every) > len(shown):
        shown.append(f"and {len(every) - len(shown)} more")
    if shown:
        raise LayoutError(
            f"{file}: the file is not whole, or holds rows twice.",
            shown,
            repair="Download the file again and compare its SHA-256 with data/raw/manifest.toml.",
        )
