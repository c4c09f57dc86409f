"""What figures about adopters share: what a tagged panel must have, its words, and who was left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import pandas as pd

from clsimpact.errors import PanelError, did_you_mean
from clsimpact.geography import constant_areas, councils
from clsimpact.years import year_label

__all__ = ["WHY", "caution", "code_of_name", "left_out", "merged_name", "period", "require", "source_of"]

WHY: Final[Mapping[str, str]] = {
    "always treated": "treated from the first year on",
    "undated": "no date",
    "unknown": "adoption in doubt",
}
"""Why an adopter is left out, in words that fit beside a row."""


def require(tagged: pd.DataFrame, columns: Iterable[str], figure: str) -> None:
    """Raise unless a panel has rows and the columns that a figure draws."""
    lacking = [name for name in columns if name not in tagged]
    if lacking:
        names = [str(name) for name in tagged.columns]
        raise PanelError(
            f"The {figure} cannot be drawn.",
            [f"the panel has no column {name!r}{did_you_mean(name, names)}" for name in lacking],
            repair="Use tag_adoption(load_panel(), load_adoption()).",
        )
    if tagged.empty:
        raise PanelError(f"The {figure} cannot be drawn: the panel has no rows.", repair="Use load_panel().")


def source_of(tagged: pd.DataFrame, *, made_up: bool) -> str:
    """Return the source line of a panel; it says SIMULATED where the data are made up."""
    line = str(tagged.attrs.get("source_line", ""))
    if made_up and "SIMULATED" not in line:
        return f"SIMULATED: made-up data. {line}".strip()
    return line


def caution(tagged: pd.DataFrame, *, made_up: bool) -> str:
    """Return the warning that the list of adopters is incomplete, of real adopters."""
    known = str(tagged.attrs.get("adoption", {}).get("caution", ""))
    return "" if made_up or not known else "The list of adopters is known to be incomplete."


def period(years: Iterable[int]) -> str:
    """Write the first and last of some financial years.

    Examples
    --------
    >>> period([2014, 2016, 2021]), period([2021])
    ('2014-15 to 2021-22', '2021-22')
    """
    ends = sorted({int(year) for year in years})
    return " to ".join(year_label(year) for year in dict.fromkeys((ends[0], ends[-1])))


def left_out(tagged: pd.DataFrame) -> dict[str, str]:
    """Return the areas that :func:`clsimpact.tag_adoption` left out, by name, and why."""
    record = tagged.attrs.get("adoption", {})
    return {str(name): str(kind) for name, kind in record.get("left_out", {}).items()}


def code_of_name(name: str) -> str | None:
    """Return the code of a council or merged area by its name (or the code itself); None if there is none.

    Examples
    --------
    >>> code_of_name("Leeds"), code_of_name("Cumberland + Westmorland and Furness")
    ('E08000035', 'E06000063+E06000064')
    """
    table = councils()
    known: dict[str, str] = dict(zip(table["name"], table["ons_code"], strict=True))
    if name in known:
        return known[name]
    if all(part in set(table["ons_code"]) for part in name.split("+")):
        return name
    parts = name.split(" + ")
    return "+".join(known[part] for part in parts) if all(part in known for part in parts) else None


def merged_name(code: str, years: Iterable[int]) -> str | None:
    """Return the name of the constant area that a council belongs to in a window of years."""
    window = sorted({int(year) for year in years})
    if not window or window[0] < int(councils()["first_year"].min()):
        return None
    area = constant_areas(window[0], window[-1]).get(code)
    return area.name if area else None
