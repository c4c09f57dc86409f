"""What the panel and the returns look like in a notebook: a caption, the source, the first rows, coverage.

Both are plain pandas frames and stay so. The loaders give the very frame that they hand out a way to show
itself; a copy, a selection or a pickle of it is shown by pandas. A subclass of the frame would be told apart
from a plain frame by ``pandas.testing.assert_frame_equal``.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

import pandas as pd

from clsimpact._check import number, plural
from clsimpact._display import attribution_of, card, folded, grid, paragraphs
from clsimpact._provenance import CARE, is_simulated
from clsimpact.attribution import condense
from clsimpact.dictionary import ASCOF_OUTCOMES, column_facts
from clsimpact.errors import ClsimpactError
from clsimpact.loaders.manifest import all_sources
from clsimpact.outcomes import OUTCOMES
from clsimpact.years import spans, year_label

__all__ = ["panel_html", "returns_html", "shown_as_panel", "shown_as_returns"]

Show: TypeAlias = Callable[[pd.DataFrame], str]

_ROWS: Final = 5
_KEYS: Final = ("name", "year_label", "region")
_ADOPTION: Final = {"adoption_year": "Adopted (start of the financial year)", "adoption_status": "Adoption"}
_MOST: Final = 4
"""Outcomes of which the first rows show the value; the panel has more than a hundred columns."""

_RETURNS: Final = {
    "year": "Financial year", "name": "Area", "level": "Level", "return_": "Return", "measure": "Measure",
    "value": "Value", "unit": "Unit", "status": "Status", "source_id": "File",
}  # fmt: skip


def shown_as_panel(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the same frame, which notebooks show as a panel of councils and years."""
    return _shown(frame, panel_html)


def shown_as_returns(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the same frame, which notebooks show as a table of published figures."""
    return _shown(frame, returns_html)


def _shown(frame: pd.DataFrame, show: Show) -> pd.DataFrame:
    """Give one frame a way to show itself; pandas shows it if it is no longer what it was.

    It does not keep the frame alive: whoever shows a frame holds it.
    """
    there = weakref.ref(frame)

    def display() -> str | None:
        held = there()
        if held is None:
            return None
        try:
            return show(held)
        except (KeyError, ClsimpactError, TypeError, ValueError):
            return str(pd.DataFrame._repr_html_(held))  # type: ignore[attr-defined]

    object.__setattr__(frame, "_repr_html_", display)
    return frame


def panel_html(panel: pd.DataFrame) -> str:
    """Return a panel as HTML: caption, first rows, and how many areas have each outcome in each year.

    Raises
    ------
    KeyError
        If a column of areas or years is absent.
    """
    facts, attrs = column_facts(), panel.attrs
    years = sorted({int(year) for year in panel["year"]})
    title = attrs.get("title", "Panel of council areas and financial years")
    areas = plural(panel["ons_code"].nunique(), "council area")
    caption = f"{title}: {areas} × {plural(len(years), 'year')}, {len(panel.columns)} columns"
    held = [name for name in (*OUTCOMES, *ASCOF_OUTCOMES) if name in panel and panel[name].notna().any()]
    columns = [*_KEYS, *(name for name in _ADOPTION if name in panel), *held[:_MOST]]
    heads = [_ADOPTION.get(name) or _heading(facts[name].label, facts[name].unit) for name in columns]
    align = "l" * (len(columns) - len(held[:_MOST])) + "r" * len(held[:_MOST])
    rows = [[_cell(value) for value in row] for row in _first(panel, columns)]
    return card(
        grid(caption, heads, rows, align=align),
        paragraphs([f"The first {plural(len(rows), 'row')}; clsimpact.describe() defines every column."]),
        folded("Areas with a figure, by outcome and year", _panel_coverage(panel, held, years)),
        folded("Attribution", paragraphs([attribution_of(attrs), str(attrs.get("licence", ""))])),
        simulated=bool(attrs.get("simulated", False)),
        source=str(attrs.get("source_line", "")),
    )


def _heading(label: str, unit: str) -> str:
    return f"{label} ({unit})" if unit else label


def _first(frame: pd.DataFrame, columns: Sequence[str]) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = list(
        frame.loc[:, list(columns)].head(_ROWS).itertuples(index=False, name=None)
    )
    return rows


def _cell(value: object) -> str:
    """Write a cell: what is missing stays empty, never a number."""
    if pd.isna(value):  # type: ignore[call-overload]
        return ""
    return number(value) if isinstance(value, float) else str(value)


def _told(column: str, value: object) -> str:
    """Write a cell of the returns: measures and statuses without the underscores of their names."""
    return _cell(value).replace("_", " ") if column in ("measure", "status") else _cell(value)


def _panel_coverage(panel: pd.DataFrame, held: Sequence[str], years: Sequence[int]) -> str:
    facts = column_facts()
    counts: dict[Any, dict[Any, int]] = panel[list(held)].notna().groupby(panel["year"]).sum().to_dict()
    rows = [
        [_heading(facts[name].label, facts[name].unit), *(str(counts[name][year]) for year in years)]
        for name in held
    ]
    heads = ["Outcome", *map(year_label, years)]
    table = grid("", heads, rows, align="l" + "r" * len(years)) if rows else ""
    return f"{table}{paragraphs(['A status column beside each outcome says why a figure is missing.'])}"


def returns_html(returns: pd.DataFrame) -> str:
    """Return a table of published figures as HTML: caption, first rows, and figures by return and year.

    Raises
    ------
    KeyError
        If a column is absent.
    """
    files = sorted(map(str, returns["source_id"].dropna().unique()))
    care = returns[returns["return_"].isin(CARE).to_numpy(dtype=bool, na_value=False)]
    years = sorted(int(year) for year in (care if len(care) else returns)["year"].dropna().unique())
    many = f"{len(returns):,} figures of {plural(len(files), 'publication')}"
    caption = f"Published figures: {many}{', ' if years else ''}{spans(years)}"
    rows = [
        ["" if pd.isna(year) else year_label(int(year)), *map(_told, list(_RETURNS)[1:], others)]
        for year, *others in _first(returns, list(_RETURNS))
    ]
    made_up = is_simulated(returns)
    known = all_sources()
    used = [known[name] for name in files if name in known]
    words = condense(source.attribution for source in used if source.attribution)
    return card(
        grid(caption, list(_RETURNS.values()), rows, align="lllllrlll"),
        paragraphs([f"The first {plural(len(rows), 'row')}, without the columns that break figures down."]),
        folded("Figures by return and year", _returns_coverage(returns, "return_", "Return", years)),
        folded("Figures by status and year", _returns_coverage(returns, "status", "Status", years)),
        simulated=made_up,
        source=words,
    )


def _returns_coverage(returns: pd.DataFrame, column: str, heading: str, years: Sequence[int]) -> str:
    crossed = pd.crosstab(returns[column].astype("object"), returns["year"].astype("object"))
    counts: dict[Any, dict[Any, int]] = crossed.to_dict("index")
    rows = [
        [_told(column, name), *(f"{by_year.get(year, 0):,}" for year in years), f"{sum(by_year.values()):,}"]
        for name, by_year in sorted(counts.items())
    ]
    heads = [heading, *map(year_label, years), "Every year"]
    return grid("", heads, rows, align="l" + "r" * (len(years) + 1)) if rows else ""
