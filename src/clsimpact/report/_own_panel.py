"""A panel of the user's own: read from a file, and checked before anything is made of it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from clsimpact._own_files import why_unreadable
from clsimpact.errors import PanelError, did_you_mean, list_some
from clsimpact.report.study import Study

__all__ = ["read_own_panel", "require_columns"]


def read_own_panel(where: Path, study: Study) -> pd.DataFrame:
    """Read a CSV or Parquet file; its attributes say what the study says of it.

    Raises
    ------
    PanelError
        If the file is absent or cannot be read.
    """
    if not where.is_file():
        raise PanelError(
            f"There is no file {where.name} beside the study.",
            [f"looked for {where}"],
            repair="Correct panel in [data]; paths are relative to the study file.",
        )
    parquet = where.suffix.lower() == ".parquet"
    try:
        panel = pd.read_parquet(where) if parquet else pd.read_csv(where, encoding="utf-8-sig")
    except (ValueError, UnicodeDecodeError, OSError) as error:
        raise PanelError(
            f"{where.name} cannot be read.",
            ["it is no Parquet file" if parquet else why_unreadable(where, error)],
            repair="Save it as CSV UTF-8 (comma delimited), and name that file.",
        ) from error
    if not parquet and not isinstance(panel.index, pd.RangeIndex):
        raise PanelError(
            f"The rows of {where.name} have more cells than its headings.",
            repair=_repair([str(name) for name in panel.columns], "Put cells that have a comma into quotes."),
        )
    words = {it.name: {"label": it.label or it.words, "unit": it.unit} for it in study.outcomes}
    panel.attrs = {
        "title": study.title,
        "columns": words,
        "source_line": study.data.get("source", f"Source: {where.name}"),
        "attribution": [text for text in (study.data.get("source"), study.data.get("licence")) if text],
        "simulated": False,
    }
    return panel


def require_columns(panel: pd.DataFrame, study: Study, *, tagged: bool) -> None:
    """Raise unless a panel has the columns that a study names, with numbers where numbers are needed.

    Parameters
    ----------
    panel
        One row per unit and period.
    study
        Which columns have which role.
    tagged
        Whether the panel has to bring its cohorts.

    Raises
    ------
    PanelError
        With every problem, the nearest known names, and the rows.
    """
    known = [str(name) for name in panel.columns]
    roles = ["unit", "time", *(["cohort"] if tagged else [])]
    wanted = {str(study.data[role]): f"[data] {role}" for role in roles}
    wanted |= {it.name: "[[outcomes]]" for it in study.outcomes}
    problems = [
        f"{place}: no column {name!r}{did_you_mean(name, known)}"
        for name, place in wanted.items()
        if name not in known
    ]
    numeric = [name for name, place in wanted.items() if name in known and place != "[data] unit"]
    problems += [problem for name in numeric for problem in _text(panel, name)]
    unit, time = str(study.data["unit"]), str(study.data["time"])
    if unit in known and time in known:
        problems += _keys(panel, unit, time)
    if problems:
        raise PanelError(
            "The panel cannot be used with the study.",
            problems,
            repair=_repair(known, f"Correct the file or the study. The file has: {list_some(known, 30)}."),
        )


def _repair(known: list[str], otherwise: str) -> str:
    """Say how to save a file whose headings stand in one cell, or what else to do."""
    if len(known) == 1 and ";" in known[0]:
        return "Its headings stand in one cell: save it with commas, not semicolons, and points in numbers."
    return otherwise


def _text(panel: pd.DataFrame, name: str) -> Iterable[str]:
    """Say where a column of numbers holds text."""
    if pd.api.types.is_numeric_dtype(panel[name]) and not pd.api.types.is_bool_dtype(panel[name]):
        return
    held = panel[name].dropna().astype(str)
    wrong = held[pd.to_numeric(held, errors="coerce").isna()]
    shown = list_some((f"{value!r}" for value in dict.fromkeys(wrong if len(wrong) else held)), 4)
    if len(held):
        yield f"column {name!r} holds text, not numbers: {shown}"


def _keys(panel: pd.DataFrame, unit: str, time: str) -> Iterable[str]:
    """Say which rows have no unit or no whole period, and which stand there twice."""
    for name in (unit, time):
        lacking = int(panel[name].isna().sum())
        if lacking:
            yield f"column {name!r} is missing in {lacking} rows"
    times = pd.to_numeric(panel[time], errors="coerce").dropna().astype("float64")
    uneven = times[~np.equal(np.mod(times, 1), 0)]
    if len(uneven):
        yield f"column {time!r} holds no whole numbers: {list_some(dict.fromkeys(uneven), 4)}"
    twice = panel.loc[panel.duplicated([unit, time]), [unit, time]].drop_duplicates()
    if len(twice):
        rows = (f"{row[0]} in {row[1]}" for row in twice.itertuples(index=False))
        yield f"more than one row for {list_some(rows, 6)}"
