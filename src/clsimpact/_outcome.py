"""What the data say of their outcome: label, unit, source line, and whether they are made up."""

from __future__ import annotations

import copy
from collections.abc import Hashable, Mapping
from typing import Any, Final

import numpy as np
import pandas as pd

from clsimpact._frames import Table
from clsimpact._printable import printable
from clsimpact.errors import DesignError, PanelError

__all__ = ["column_words", "copied", "is_made_up", "marked", "outcome_words"]


def column_words(attrs: Mapping[Any, Any], outcome: str) -> Mapping[str, Any]:
    columns = attrs.get("columns")
    found = columns.get(outcome) if isinstance(columns, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def is_made_up(data: pd.DataFrame, attrs: Mapping[Any, Any] | None = None) -> bool:
    """Whether a panel is made up, by its attributes or its column ``simulated``.

    Raises
    ------
    DesignError
        If only some of its rows are.
    """
    if "simulated" not in data.columns:
        return bool((data.attrs if attrs is None else attrs).get("simulated"))
    column = data["simulated"]
    if isinstance(column, pd.DataFrame):
        raise PanelError(
            f"column 'simulated' occurs {column.shape[1]} times.",
            repair="Give each column a name of its own.",
        )
    found: Any = column
    codes = np.arange(len(column))
    if column.dtype != np.object_:
        codes, found = pd.factorize(column)
    said = [_says(value) for value in found]
    rows = np.array([*said, False])[codes]
    if rows.any() and not rows.all():
        raise DesignError(
            f"{int(rows.sum())} of {len(rows)} rows are made up and the others are not (column 'simulated').",
            repair="Estimate from the official panel or from a simulated one, never from both.",
        )
    return bool(rows.any())


_SAID: Final = {
    **dict.fromkeys(("true", "1", "1.0", "yes", "y", "simulated"), True),
    **dict.fromkeys(("false", "0", "0.0", "no", "n", "", "nan", "none", "<na>", "nat"), False),
}
"""How other programs write whether a row is made up; an empty cell is a row that is not said to be."""


def _says(value: object) -> bool:
    """Return whether a cell of the column ``simulated`` says that its row is made up."""
    said = _SAID.get(str(value).strip().casefold())
    if said is None:
        raise DesignError(
            f"column 'simulated' holds {value!r}: whether the data are made up is not clear.",
            repair="Give True or False (1 or 0, yes or no), or name a column of another meaning otherwise.",
        )
    return said


def marked(label: str, *, made_up: bool) -> str:
    """Say in the name of an outcome that its data are made up, where they are."""
    return f"{label} (SIMULATED)" if made_up and "simulated" not in label.casefold() else label


def outcome_words(
    table: Table, outcome: str, label: str | None, unit: str | None, source: str | None
) -> dict[str, Any]:
    """Return what tables and figures say of the outcome, and a copy of the attributes it comes from."""
    words, made_up = column_words(table.attrs, outcome), is_made_up(table.frame, table.attrs)
    return {
        "outcome_label": printable(marked(label or str(words.get("label", outcome)), made_up=made_up)),
        "outcome_unit": printable(unit or str(words.get("unit") or "")),
        "source": printable(source or str(table.attrs.get("source_line", ""))),
        "simulated": made_up,
        "_attrs": copied(table.attrs),
    }


def copied(attrs: Mapping[Any, Any]) -> dict[Hashable, Any]:
    """Copy attributes, so that what is changed in one place does not reach the other.

    Examples
    --------
    >>> first = {"columns": {"y": {"unit": "£"}}}
    >>> second = copied(first)
    >>> second["columns"]["y"]["unit"] = "people"
    >>> first["columns"]["y"]["unit"]
    '£'
    """
    return {key: _copied(value) for key, value in attrs.items()}


def _copied(value: Any) -> Any:
    """Copy plain containers, which is nearly all there is, at a fraction of a deep copy's time."""
    if isinstance(value, str | int | float | None):
        return value
    if isinstance(value, dict):
        return {key: _copied(it) for key, it in value.items()}
    if isinstance(value, list):
        return [_copied(it) for it in value]
    if type(value) is tuple:
        return tuple(_copied(it) for it in value)
    return copy.deepcopy(value)
