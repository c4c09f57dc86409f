"""What tests of checks of the adoption list share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pytest

from clsimpact.design import Design
from clsimpact.diagnostics import registry
from clsimpact.diagnostics.setting import Effect

MODULES = ("adoption_dates", "undated_adopters", "unknown_adopters")

NOTHING = Effect(np.nan, np.nan, np.nan, np.nan)


@contextmanager
def only_these() -> Iterator[None]:
    """Let ``fit.check`` know these checks only."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "_MODULES", MODULES)
        registry.all_checks.cache_clear()
        yield
    registry.all_checks.cache_clear()


def effect(low: float, high: float) -> Effect:
    """Return an effect in the middle of an interval."""
    return Effect((low + high) / 2, low, high, 0.5)


def adoption_of(design: Design, *, reach: int = 0, only: int | None = None) -> pd.DataFrame:
    """List the adopters of a design, the first of them (``only``) known to within some years."""
    inside = np.flatnonzero(design.in_window)
    years = design.unit_cohorts[inside].astype(int)
    wide = np.where(np.arange(years.size) < (years.size if only is None else only), reach, 0)
    return pd.DataFrame(
        {
            design.unit: [design.units[i] for i in inside],
            "adoption_year": years,
            "earliest_year": years - wide,
            "latest_year": years + wide,
        }
    )
