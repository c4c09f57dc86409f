"""Estimators: each takes a `Design` and returns an `Estimate`."""

from clsimpact.estimators.event_study import event_study
from clsimpact.estimators.twfe import twfe

__all__ = ["event_study", "twfe"]
