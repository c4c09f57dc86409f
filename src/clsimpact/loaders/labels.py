"""What the publisher's labels mean: one vocabulary for all files, kept as data."""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import Any

from clsimpact.errors import did_you_mean

__all__ = ["fold", "known_labels", "measures", "read_toml", "translate"]


def fold(label: object) -> str:
    r"""Fold case, colons, footnote marks and white space, so that spellings of one label compare equal.

    Examples
    --------
    >>> fold("Physical Support:\nPersonal Care Support ")
    'physical support personal care support'
    """
    text = re.sub(r"\[note[s]? [^\]]*\]", " ", str(label), flags=re.IGNORECASE)
    return " ".join(text.replace(":", " ").casefold().split())


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
