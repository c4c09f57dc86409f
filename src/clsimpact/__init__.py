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
    from clsimpact.claims.evaluate import evaluate_claims
    from clsimpact.claims.reading import load_claims
    from clsimpact.comparison import compare
    from clsimpact.datasets import load_mpdta
    from clsimpact.decomposition.bacon import bacon
    from clsimpact.decomposition.twfe_weights import twfe_weights
    from clsimpact.design import Design
    from clsimpact.diagnostics._specification_study import study_specifications
    from clsimpact.diagnostics.detectable_effects import minimum_detectable_effects
    from clsimpact.diagnostics.honest_did import honest_did
    from clsimpact.diagnostics.pre_trend_power import pre_trend_power
    from clsimpact.diagnostics.registry import checks
    from clsimpact.diagnostics.specification_curve import specification_curve
    from clsimpact.dictionary import describe
    from clsimpact.estimators.did_m import did_m
    from clsimpact.estimators.event_study import event_study
    from clsimpact.estimators.extended_twfe import extended_twfe
    from clsimpact.estimators.group_time import group_time
    from clsimpact.estimators.imputation import imputation
    from clsimpact.estimators.local_projection import local_projection
    from clsimpact.estimators.stacked import stacked
    from clsimpact.estimators.sun_abraham import sun_abraham
    from clsimpact.estimators.synthetic_did import synthetic_did
    from clsimpact.estimators.twfe import twfe
    from clsimpact.estimators.two_stage import two_stage
    from clsimpact.families import holm, romano_wolf
    from clsimpact.fetch import fetch as fetch_returns
    from clsimpact.loaders import read_return
    from clsimpact.loaders.consistency import find_inconsistencies
    from clsimpact.loaders.reconcile import check
    from clsimpact.panel import build_panel, load_panel
    from clsimpact.quality import quality as quality_report
    from clsimpact.rebuild import build, load_returns
    from clsimpact.report.demo import demonstrate
    from clsimpact.report.replicate import replicate
    from clsimpact.saved import load_estimate
    from clsimpact.simulate.memory import simulated_panel
    from clsimpact.simulate.publish import simulate as simulate_returns
    from clsimpact.simulate.truth import Truth
    from clsimpact.sources import sources as list_sources
    from clsimpact.treatment import adoption_table, load_adoption, tag_adoption
    from clsimpact.years import parse_year, year_label

_HOME = {
    "Design": "design",
    "Truth": "simulate.truth",
    "adoption_table": "treatment",
    "bacon": "decomposition.bacon",
    "build": "rebuild",
    "build_panel": "panel",
    "check": "loaders.reconcile",
    "checks": "diagnostics.registry",
    "compare": "comparison",
    "demonstrate": "report.demo",
    "describe": "dictionary",
    "did_m": "estimators.did_m",
    "evaluate_claims": "claims.evaluate",
    "event_study": "estimators.event_study",
    "extended_twfe": "estimators.extended_twfe",
    "fetch_returns": "fetch:fetch",
    "find_inconsistencies": "loaders.consistency",
    "group_time": "estimators.group_time",
    "holm": "families",
    "honest_did": "diagnostics.honest_did",
    "imputation": "estimators.imputation",
    "list_sources": "sources:sources",
    "load_adoption": "treatment",
    "load_claims": "claims.reading",
    "load_estimate": "saved",
    "load_mpdta": "datasets",
    "load_panel": "panel",
    "load_returns": "rebuild",
    "local_projection": "estimators.local_projection",
    "minimum_detectable_effects": "diagnostics.detectable_effects",
    "parse_year": "years",
    "pre_trend_power": "diagnostics.pre_trend_power",
    "quality_report": "quality:quality",
    "read_return": "loaders",
    "replicate": "report.replicate",
    "romano_wolf": "families",
    "simulate_returns": "simulate.publish:simulate",
    "simulated_panel": "simulate.memory",
    "specification_curve": "diagnostics.specification_curve",
    "stacked": "estimators.stacked",
    "study_specifications": "diagnostics._specification_study",
    "sun_abraham": "estimators.sun_abraham",
    "synthetic_did": "estimators.synthetic_did",
    "tag_adoption": "treatment",
    "twfe": "estimators.twfe",
    "twfe_weights": "decomposition.twfe_weights",
    "two_stage": "estimators.two_stage",
    "year_label": "years",
}

__all__ = [
    "Design",
    "Truth",
    "__version__",
    "adoption_table",
    "bacon",
    "build",
    "build_panel",
    "check",
    "checks",
    "compare",
    "demonstrate",
    "describe",
    "did_m",
    "evaluate_claims",
    "event_study",
    "extended_twfe",
    "fetch_returns",
    "find_inconsistencies",
    "group_time",
    "holm",
    "honest_did",
    "imputation",
    "list_sources",
    "load_adoption",
    "load_claims",
    "load_estimate",
    "load_mpdta",
    "load_panel",
    "load_returns",
    "local_projection",
    "minimum_detectable_effects",
    "parse_year",
    "pre_trend_power",
    "quality_report",
    "read_return",
    "replicate",
    "romano_wolf",
    "simulate_returns",
    "simulated_panel",
    "specification_curve",
    "stacked",
    "study_specifications",
    "sun_abraham",
    "synthetic_did",
    "tag_adoption",
    "twfe",
    "twfe_weights",
    "two_stage",
    "year_label",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that ``import clsimpact`` stays quick."""
    if name in _HOME:
        module, _, own_name = _HOME[name].partition(":")
        return getattr(importlib.import_module(f"clsimpact.{module}"), own_name or name)
    from clsimpact.errors import did_you_mean

    raise AttributeError(f"module 'clsimpact' has no attribute {name!r}{did_you_mean(name, __all__)}")


def __dir__() -> list[str]:
    """List what is public: Tab completion imports nothing."""
    return sorted(__all__)
