"""Adopters on the list that a design does not date, and designs with them as controls, out, or treated."""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clsimpact.design import Design
from clsimpact.diagnostics import _adoption_list as lists
from clsimpact.diagnostics.setting import Setting
from clsimpact.errors import DesignError

__all__ = ["KINDS", "Open", "Variant", "datable", "open_adopters", "same", "variants", "whole"]

Floats = NDArray[np.float64]

CLOSE = 1e-9
"""Outcomes of the panel and of the design agree to this share, or they are not the same outcome.

Files keep 15 digits and logarithms lose one; another outcome differs in the first."""

KINDS = ("no year", "too early", "dated")
"""Why an adopter on the list is no adopter in the design."""


class Open(NamedTuple):
    """An adopter on the list that is none in the design."""

    name: str
    unit: Any
    kind: str
    latest: int | None
    now: str


class Variant(NamedTuple):
    """A design with these adopters in other roles."""

    label: str
    design: Design
    treated: int
    controls: int
    out: int


def open_adopters(setting: Setting, adoption: pd.DataFrame) -> list[Open]:
    """Return every adopter on the list that is none in the design.

    ``now`` is ``"control"``, ``"out"`` (in the panel only) or ``"absent"`` (not even there). Those with a
    usable year that the design has left out are not its business: a window or a restriction took them.
    """
    design, data = setting.design, setting.data
    known = [] if data is None or design.unit not in data else pd.unique(data[design.unit]).tolist()
    place = {unit: i for i, unit in enumerate(design.units)}
    units = list(dict.fromkeys([*design.units, *known]))
    shift, out = lists.shift_of(design), []
    for row in lists.listed(design, adoption, units):
        for unit in row.units or (None,):
            if unit in place and not np.isnan(design.unit_cohorts[place[unit]]):
                continue
            now = "absent" if unit is None else "control" if unit in place else "out"
            year = None if row.year is None else row.year + shift
            latest = max(row.years) + shift if row.years else None
            kind = _kind(design, year)
            if (kind, now) != (KINDS[2], "out"):
                out.append(Open(row.name, unit, kind, latest, now))
    return out


def _kind(design: Design, year: int | None) -> str:
    if year is None:
        return KINDS[0]
    return KINDS[1] if year <= design.periods[0] + design.anticipation else KINDS[2]


def whole(setting: Setting, adopters: list[Open]) -> tuple[Design, list[Open]]:
    """Return the design with all these adopters as controls, and those of them that have figures.

    Raises
    ------
    DesignError
        The panel lacks columns of the design, rows of it, or has another outcome.
    """
    design = setting.design
    extra = [row.unit for row in adopters if row.now == "out"]
    if not extra:
        return design, [row for row in adopters if row.now == "control"]
    frame = _frame(setting, extra)
    roles: dict[str, Any] = {"outcome": design.outcome, "unit": design.unit, "time": design.time}
    roles |= {"cohort": design.cohort, "weights": design.weights, "covariates": design.covariates}
    roles |= {"cluster": design.cluster, "effects": design.effects, "anticipation": design.anticipation}
    more = Design(frame, **roles, always_treated=design.always_treated)  # type: ignore[arg-type]
    have = set(more.units)
    return more, [row for row in adopters if row.unit in have]


def _frame(setting: Setting, extra: list[Any]) -> pd.DataFrame:
    """Return the rows of the design and of further units, from the panel."""
    design, data = setting.design, setting.data
    if data is None:
        raise DesignError("No panel was given.", repair="Use fit.check(..., data=panel).")
    values = pd.to_numeric(setting.column(design.outcome), errors="coerce").to_numpy(dtype=float)
    if not np.allclose(values, design.y, rtol=CLOSE, atol=CLOSE * float(np.abs(design.y).max())):
        raise DesignError(
            f"The panel has other values of {design.outcome} than the design.",
            repair="Hand over the panel that the design was made from, before adopters were left out.",
        )
    units = np.array([design.units[i] for i in design.unit_codes], dtype=object)
    keys = pd.MultiIndex.from_arrays([units, design.times])
    rows = pd.MultiIndex.from_arrays([data[design.unit].astype(object), data[design.time]])
    further = data[design.unit].isin(extra) & data[design.time].isin(design.periods)
    frame = data.loc[rows.isin(keys) | further.to_numpy()].copy()
    cohort = dict(zip(design.units, design.unit_cohorts, strict=True))
    frame[design.cohort] = frame[design.unit].map(lambda unit: cohort.get(unit, np.nan)).astype(float)
    return frame


def variants(base: Design, adopters: list[Open]) -> list[Variant]:
    """Return the designs in which each kind of adopter is out, a control, or treated from its latest year.

    ``base`` has all of them as controls. Kinds move on their own; roles that come to the same are left out.
    """
    kinds = [kind for kind in KINDS if any(row.kind == kind for row in adopters)]
    found: dict[tuple[object, ...], Variant] = {}
    for roles in itertools.product(ROLES, repeat=len(kinds)):
        role = dict(zip(kinds, roles, strict=True))
        cohorts = np.array(base.unit_cohorts, dtype=float)
        gone = np.zeros(len(base.units), dtype=bool)
        for row in adopters:
            i = base.units.index(row.unit)
            cohorts[i], gone[i] = _placed(base, row, role[row.kind])
        label = "; ".join(
            f"{kind}: {WORDS[role[kind]]}" if len(kinds) > 1 else WORDS[role[kind]] for kind in kinds
        )
        key = (*np.nan_to_num(cohorts).tolist(), *gone.tolist())
        if key not in found:
            found[key] = _variant(base, adopters, cohorts, gone, label)
    return list(found.values())


ROLES = ("out", "control", "latest")
WORDS = {"out": "left out", "control": "controls", "latest": "treated late"}
"""What roles are called in tables and figures; late is from the latest possible year."""


def _placed(base: Design, row: Open, role: str) -> tuple[float, bool]:
    """Return cohort, and whether the unit is left out.

    Without a latest year, or with one that leaves no period before, nobody can be treated from then on.
    """
    if role == "control":
        return np.nan, False
    if role == "out" or row.latest is None or not datable(base, row):
        return np.nan, True
    return float(row.latest), False


def datable(design: Design, row: Open) -> bool:
    """Whether an adopter can be treated from its latest year."""
    return row.latest is not None and row.latest > design.periods[0] + design.anticipation


def same(one: Design, other: Design) -> bool:
    """Whether two designs hold the same units with the same dates."""
    return one.units == other.units and np.array_equal(one.unit_cohorts, other.unit_cohorts, equal_nan=True)


def _variant(
    base: Design, adopters: list[Open], cohorts: Floats, gone: NDArray[np.bool_], label: str
) -> Variant:
    at = [base.units.index(row.unit) for row in adopters]
    design = base.with_cohorts(cohorts)
    if gone.any():
        design = design.restrict(~gone[design.unit_codes], reason="adopter without a usable date")
    inside = base.with_cohorts(cohorts).in_window
    treated = sum(bool(inside[i]) for i in at if not gone[i])
    out = sum(bool(gone[i]) for i in at)
    return Variant(label, design, treated, len(at) - treated - out, out)
