"""What tests of placebos and of leaving out share."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest

from clsimpact.diagnostics import registry

NAMED = (
    "precision",
    "sensitivity",
    "anticipation",
    "placebo_dates",
    "placebo_outcomes",
    "placebo_adopters",
    "leave_one_out",
    "leave_one_cohort",
    "dropped_years",
    "matching",
    "regional_shocks",
)
"""Checks that advice names."""


@pytest.fixture
def own_checks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run these checks only, whatever the others do."""
    there = [name for name in NAMED if importlib.util.find_spec(f"clsimpact.diagnostics.{name}")]
    monkeypatch.setattr(registry, "_MODULES", tuple(there))
    registry.all_checks.cache_clear()
    yield
    registry.all_checks.cache_clear()


def shifted(data: pd.DataFrame, size: float, *, start: int) -> pd.DataFrame:
    """Let adopters move by ``size`` from ``start`` years after adoption on (before it, where negative)."""
    after = (data["year"] - data["adoption_year"] >= start).to_numpy()
    return data.assign(cost=data["cost"] + size * np.where(after, 1.0, 0.0))
