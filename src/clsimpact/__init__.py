"""Difference-in-differences impact analysis of council programmes, from official returns to a verdict.

>>> import clsimpact as ci
>>> panel = ci.load_panel()
>>> tagged = ci.tag_adoption(panel, ci.load_adoption())
>>> design = ci.Design(tagged, outcome="gce_per_adult", unit="ons_code", time="year", cohort="adoption_year")
>>> fit = ci.event_study(design)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from clsimpact._version import __version__

if TYPE_CHECKING:
    from clsimpact.datasets import load_mpdta
    from clsimpact.design import Design
    from clsimpact.dictionary import describe
    from clsimpact.estimators.event_study import event_study
    from clsimpact.estimators.twfe import twfe
    from clsimpact.loaders import read_return
    from clsimpact.loaders.reconcile import check
    from clsimpact.panel import build_panel, load_panel
    from clsimpact.rebuild import build, load_returns
    from clsimpact.report.replicate import replicate
    from clsimpact.treatment import adoption_table, load_adoption, tag_adoption
    from clsimpact.years import parse_year, year_label

_HOME = {
    "Design": "design",
    "adoption_table": "treatment",
    "build": "rebuild",
    "build_panel": "panel",
    "check": "loaders.reconcile",
    "describe": "dictionary",
    "event_study": "estimators.event_study",
    "load_adoption": "treatment",
    "load_mpdta": "datasets",
    "load_panel": "panel",
    "load_returns": "rebuild",
    "parse_year": "years",
    "read_return": "loaders",
    "replicate": "report.replicate",
    "tag_adoption": "treatment",
    "twfe": "estimators.twfe",
    "year_label": "years",
}

__all__ = [
    "Design",
    "__version__",
    "adoption_table",
    "build",
    "build_panel",
    "check",
    "describe",
    "event_study",
    "load_adoption",
    "load_mpdta",
    "load_panel",
    "load_returns",
    "parse_year",
    "read_return",
    "replicate",
    "tag_adoption",
    "twfe",
    "year_label",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that ``import clsimpact`` stays quick."""
    if name in _HOME:
        return getattr(importlib.import_module(f"clsimpact.{_HOME[name]}"), name)
    raise AttributeError(f"module 'clsimpact' has no attribute {name!r}")


def __dir__() -> list[str]:
    """List what is public: Tab completion imports nothing."""
    return sorted(__all__)
