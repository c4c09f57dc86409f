"""What the long ASC-FR files have in common: styles by their columns, areas, and what a row measures.

Tables come as categories of text. What several columns say together is worked out once for each different
combination, never row by row.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clsimpact.errors import did_you_mean, list_some
from clsimpact.geography import councils, regions
from clsimpact.loaders._complete import fold_name, number_rows
from clsimpact.loaders.csvs import find_columns, fold_heading
from clsimpact.loaders.labels import fold, read_toml
from clsimpact.years import year_label

__all__ = ["ENGLAND", "Style", "find_areas", "find_details", "find_measures", "find_style"]

ENGLAND: Final = "E92000001"
_AREA: Final = ("LEVEL", "cassr_code", "ons_code", "REGION", "name")
_QUANTITY: Final = ("DATA_LEVEL", "GROUP", "FINANCE_TYPE", "VALUE_TYPE")
_DETAILS: Final = ("DATA_SOURCE", "FINANCE_TYPE", "COMPARATIVE")
# Words of the 2015-16 file that are not among those of the 2016-17 keys.
_DETAIL_WORDS: Final = ("", "-", "Number of SALT Clients")


@dataclass(frozen=True)
class Style:
    """One way in which the finance return was published, as ``asc_fr_styles.toml`` describes it."""

    name: str
    verified: str
    items: int
    columns: Mapping[str, str]
    optional: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    markers: Mapping[str, str] = field(default_factory=dict)
    keys: bool = False

    @property
    def is_long(self) -> bool:
        """Whether each row says by its words what it measures."""
        return "VALUE" in self.columns.values()


class _Area(NamedTuple):
    level: str
    ons_code: str
    cassr_code: str | None
    name: str


class _UnknownError(Exception):
    """What a combination of words says makes no sense; the caller adds the rows."""

    def __init__(self, text: str, column: str = "") -> None:
        super().__init__(text)
        self.column = column


@functools.cache
def styles() -> tuple[Style, ...]:
    """Return every style."""
    return tuple(Style(**record) for record in read_toml("asc_fr_styles.toml")["style"])


@functools.cache
def key_words() -> Mapping[str, Mapping[str, str]]:
    """Return what the numeric keys of each column mean."""
    keys: dict[str, dict[str, str]] = read_toml("asc_fr_styles.toml")["keys"]
    return keys


def find_style(table: pd.DataFrame, path: Path) -> tuple[Style, dict[str, tuple[str, int]]]:
    """Recognise the style of a file by its columns.

    Parameters
    ----------
    table
        The file, with the headings as printed.
    path
        Where it came from, for the message.

    Returns
    -------
    Style
        The style.
    dict
        Column of the returns table (or word of the style) to the heading as printed and its position.

    Raises
    ------
    LayoutError
        If no style has these columns; the message compares them with those of the nearest style.
    """
    have = {fold_heading(heading) for heading in table.columns}

    def distance(style: Style) -> int:
        return len(set(style.columns) - have) + len(have - {*style.columns, *style.optional})

    style = min(styles(), key=distance)
    wanted = {**style.columns, **{name: to for name, to in style.optional.items() if name in have}}
    return style, find_columns(table, path, wanted)


def _distinct(
    table: pd.DataFrame, names: Sequence[str]
) -> tuple[NDArray[np.int64], list[dict[str, str]], list[int]]:
    """Return the number of each row's combination of words, the combinations, and their first rows."""
    present = [name for name in names if name in table]
    numbers = number_rows(table[present])
    _, first, numbers = np.unique(numbers, return_index=True, return_inverse=True)
    texts = [table[name].iloc[first].astype("object").tolist() for name in present]
    found = [dict(zip(present, map(str.strip, row), strict=True)) for row in zip(*texts, strict=True)]
    return numbers.reshape(-1), found or [{}], first.tolist()


def _rows(table: pd.DataFrame, numbers: NDArray[np.int64], number: int) -> str:
    return list_some(table.index[numbers == number] + 2, 4)


def _spread(numbers: NDArray[np.int64], words: Sequence[str | None], index: pd.Index) -> pd.Series[Any]:
    """Return the word of each row as categories."""
    kinds = sorted({word for word in words if word})
    place = {word: number for number, word in enumerate(kinds)}
    codes = np.array([place.get(word or "", -1) for word in words])
    categories = pd.Index(pd.array(kinds, dtype="string"))
    return pd.Series(pd.Categorical.from_codes(codes[numbers], categories=categories), index=index)


def find_areas(table: pd.DataFrame, printed: Mapping[str, str], year: int) -> tuple[pd.DataFrame, list[str]]:
    """Return the area of each row.

    Parameters
    ----------
    table
        The file, with the columns named by its style.
    printed
        The headings as printed.
    year
        Start year of the financial year.

    Returns
    -------
    pandas.DataFrame
        ``level, ons_code, cassr_code, name`` as categories.
    list of str
        Rows whose area is not known, or whose codes and names contradict each other.
    """
    numbers, combinations, _ = _distinct(table, _AREA)
    areas: list[_Area | None] = []
    problems = []
    for number, says in enumerate(combinations):
        try:
            areas.append(_area(says, printed, year))
        except _UnknownError as error:
            areas.append(None)
            column = f"column {error.column}, " if error.column else ""
            problems.append(f"{column}row {_rows(table, numbers, number)}: {error}")
    columns = {
        name: _spread(numbers, [area and area[place] for area in areas], table.index)
        for place, name in enumerate(_Area._fields)
    }
    return pd.DataFrame(columns), problems


def _area(says: Mapping[str, str], printed: Mapping[str, str], year: int) -> _Area:
    level = _level(says, printed)
    if level == "council":
        return _council(says, printed, year)
    code, column = says.get("ons_code", ""), "ons_code"
    if not code:
        code, column = says.get("REGION", ""), "REGION"
    names = {ENGLAND: "England"} if level == "england" else regions()
    if "LEVEL" not in says:
        names = {**regions(), ENGLAND: "England"}
    if code not in names:
        near = did_you_mean(code, list(names))
        raise _UnknownError(f"{code!r} is no region{near}", printed.get(column, column))
    return _Area("england" if code == ENGLAND else "region", code, None, names[code])


def _level(says: Mapping[str, str], printed: Mapping[str, str]) -> str:
    """Return the level: as the row says, or else a council unless a code of a region stands alone."""
    if "LEVEL" not in says:
        return "region" if "REGION" in says and not says["cassr_code"] else "council"
    known = _levels()
    try:
        return known[fold(says["LEVEL"])]
    except KeyError:
        near = did_you_mean(fold(says["LEVEL"]), list(known))
        raise _UnknownError(f"{says['LEVEL']!r} is no known level of area{near}", printed["LEVEL"]) from None


@functools.cache
def _levels() -> Mapping[str, str]:
    return {fold(word): str(level) for word, level in read_toml("asc_fr_styles.toml")["levels"].items()}


@functools.cache
def _councils(year: int) -> Mapping[str, Mapping[str, str]]:
    """Return the social-care code of each council by code, ONS code and folded name."""
    table = councils(year)
    names = table["name"].map(fold_name)
    unique = ~names.duplicated(keep=False)
    return {
        "cassr_code": dict(zip(table["cassr_code"], table["cassr_code"], strict=True)),
        "ons_code": dict(zip(table["ons_code"], table["cassr_code"], strict=True)),
        "name": dict(zip(names[unique], table.loc[unique, "cassr_code"], strict=True)),
    }


def _council(says: Mapping[str, str], printed: Mapping[str, str], year: int) -> _Area:
    """Return a council by its social-care code, else its ONS code, else its name; all must agree."""
    column = next(name for name in ("cassr_code", "ons_code", "name") if name in says)
    known, text = _councils(year)[column], says[column]
    code = known.get(fold_name(text) if column == "name" else text)
    if code is None:
        what = {"cassr_code": "social-care code", "ons_code": "ONS code", "name": "name"}[column]
        near = did_you_mean(fold_name(text) if column == "name" else text, list(known))
        raise _UnknownError(f"{text!r} was no council's {what} in {year_label(year)}{near}", printed[column])
    name, ons = _names(year)[code]
    if "ons_code" in says and says["ons_code"] != ons:
        raise _UnknownError(
            f"{printed[column]} {text!r} stands with {printed['ons_code']} {says['ons_code']!r}"
        )
    if "name" in says and fold_name(says["name"]) != fold_name(name):
        raise _UnknownError(f"the code {code} is that of {name}, not of {says['name']!r}")
    return _Area("council", ons, code, name)


@functools.cache
def _names(year: int) -> Mapping[str, tuple[str, str]]:
    """Return name and ONS code of each council by its social-care code."""
    table = councils(year)
    both = zip(table["name"], table["ons_code"], strict=True)
    return dict(zip(table["cassr_code"], both, strict=True))


def find_measures(table: pd.DataFrame, printed: Mapping[str, str]) -> tuple[pd.Series[Any], list[str]]:
    """Return what each row of a file in long style measures, by the rules of ``asc_fr_styles.toml``.

    Returns
    -------
    pandas.Series
        Measures as categories.
    list of str
        Rows to which no rule applies, with the nearest words of the rules.
    """
    numbers, combinations, _ = _distinct(table, _QUANTITY)
    found = [_measure(says) for says in combinations]
    problems = []
    for number, (says, measure) in enumerate(zip(combinations, found, strict=True)):
        if measure is None:
            words = " and ".join(f"{printed[name]} {text!r}" for name, text in says.items() if text)
            problems.append(
                f"row {_rows(table, numbers, number)}: {words or 'a row without words'} is no known "
                f"quantity{_nearest(says)}"
            )
    return _spread(numbers, found, table.index), problems


def _measure(says: Mapping[str, str]) -> str | None:
    for rule in _rules():
        allowed = {"GROUP": ("", "expenditure"), **rule}
        words = {name: fold(says.get(name, "")) for name in _QUANTITY}
        if all(word in allowed.get(name, ("",)) or word == "99" for name, word in words.items()):
            return str(rule["measure"])
    return None


@functools.cache
def _rules() -> tuple[Mapping[str, Any], ...]:
    """Return the rules of quantities with their words folded."""
    return tuple(
        {key: words if key == "measure" else [fold(word) for word in words] for key, words in rule.items()}
        for rule in read_toml("asc_fr_styles.toml")["quantity"]
    )


def _nearest(says: Mapping[str, str]) -> str:
    """Return the nearest words to the first one that no rule has."""
    for name, text in says.items():
        known = sorted({word for rule in _rules() for word in rule.get(name, ()) if word})
        if text and fold(text) not in (*known, "99", "expenditure"):
            return did_you_mean(fold(text), known)
    return ""


def find_details(table: pd.DataFrame, printed: Mapping[str, str]) -> tuple[pd.Series[Any] | None, list[str]]:
    """Return what an item of the additional data is called: what its keys mean, or the words as printed.

    Returns
    -------
    pandas.Series or None
        The words as categories; nothing if the file has none of the columns.
    list of str
        The words that are not known.
    """
    names = [name for name in _DETAILS if name in table]
    if not names:
        return None, []
    problems = [problem for name in names for problem in _unknown_details(table[name], printed[name])]
    numbers, combinations, _ = _distinct(table, names)
    details = [
        "; ".join(filter(None, (_detail(name, text) for name, text in says.items()))) for says in combinations
    ]
    return _spread(numbers, details, table.index), problems


def _detail(name: str, text: str) -> str:
    return "" if text in ("-", "99") else key_words()[name].get(text, text)


def _unknown_details(column: pd.Series[Any], printed: str) -> Iterator[str]:
    keys = key_words()[str(column.name)]
    known = {fold(word) for word in (*keys.values(), *_DETAIL_WORDS)}
    for text in column.unique():
        if text.strip() not in (*keys, "99") and fold(text) not in known:
            rows = list_some(column.index[column == text] + 2, 4)
            near = did_you_mean(fold(text), sorted(known))
            yield f"column {printed}, row {rows}: {text.strip()!r} is no known item{near}"
