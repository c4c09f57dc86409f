"""What the publisher's labels mean: one vocabulary for all files, kept as data."""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import Any, Final

from clsimpact.errors import did_you_mean
from clsimpact.loaders.sheets import clean

__all__ = ["fold", "known_labels", "measures", "read_toml", "translate", "unmarked"]

_ALIKE: Final = str.maketrans(
    dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-") | {"\u2019": "'"}
)
_MARKS: Final = re.compile(
    r"\[notes? [^\]]*\]|[\u00b9\u00b2\u00b3\u2070\u2074-\u2079\u2020\u2021]+"
    r"|(?:\s*(?:\*+|\(\d{1,2}\)|\[\d{1,2}\]|\(notes? [^)]*\)))+\s*$",
    re.IGNORECASE,
)
_LOST_SUPERSCRIPT: Final = re.compile(r"(?<=[^\W\d_])[1-9]$")
_YEARS_OR_AGES: Final = re.compile(r"(?<=\d) ?- ?(?=\d)")


def unmarked(label: object) -> str:
    r"""Return a label as a reader sees it: without footnote marks, stray blanks, line breaks and odd dashes.

    Parameters
    ----------
    label
        What a cell holds. A whole number (a code typed as one) is written without decimals.

    Returns
    -------
    str
        The label in its own case; digits that belong to it stay.

    Examples
    --------
    >>> unmarked("Aged 18\u201364 [note 3]"), unmarked("65 and\n over (1) *"), unmarked(704.0)
    ('Aged 18-64', '65 and over', '704')
    """
    return _unmarked(str(int(label)) if isinstance(label, float) and label.is_integer() else str(label))


@functools.lru_cache(maxsize=100_000)
def _unmarked(label: str) -> str:
    text, before = clean(label).translate(_ALIKE), ""
    while text != before:
        before, text = text, " ".join(_MARKS.sub(" ", text).split())
    return _YEARS_OR_AGES.sub("-", text)


def fold(label: object) -> str:
    r"""Fold case, colons, dashes, footnote marks and blanks, so that spellings of one label compare equal.

    Examples
    --------
    >>> fold("Physical Support:\nPersonal Care Support ")
    'physical support personal care support'
    >>> fold("65 AND OVER [note 3]"), fold("2021\u201322\u00b9"), fold("Population2")
    ('65 and over', '2021-22', 'population')
    """
    return _folded(unmarked(label))


@functools.lru_cache(maxsize=100_000)
def _folded(label: str) -> str:
    text, before = label, ""
    while text != before:
        before, text = text, _unmarked(_LOST_SUPERSCRIPT.sub("", text).replace(":", " ").casefold())
    return text


def read_toml(name: str) -> dict[str, Any]:
    """Read one of the data files beside the loaders."""
    return tomllib.loads((resources.files("clsimpact.loaders") / name).read_text(encoding="utf-8"))


@functools.cache
def known_labels(dimension: str) -> Mapping[str, str]:
    """Return folded spelling to the word of the returns table, for one dimension."""
    spellings: dict[str, list[str]] = read_toml("labels.toml")[dimension]
    return {fold(spelling): word for word, many in spellings.items() for spelling in [word, *many]}


@functools.cache
def measures() -> Mapping[str, Mapping[str, str]]:
    """Return every measure of the activity and finance returns with its unit, return and meaning."""
    return read_toml("measures.toml")


def translate(dimension: str, label: object) -> str:
    """Return the word of the returns table for a label.

    Raises
    ------
    KeyError
        If the label is not known; the message names its nearest known labels. The caller adds the place.

    Examples
    --------
    >>> translate("age_band", "Age 65 and over")
    '65 and over'
    """
    known = known_labels(dimension)
    try:
        return known[fold(label)]
    except KeyError:
        nearest = did_you_mean(fold(label), list(known))
        raise KeyError(f"{label!r} is no known {dimension.replace('_', ' ')}{nearest}") from None
