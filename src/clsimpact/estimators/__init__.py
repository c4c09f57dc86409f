"""Estimators: each takes a `Design` and returns an `Estimate`."""

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

__all__ = [
    "did_m",
    "event_study",
    "extended_twfe",
    "group_time",
    "imputation",
    "local_projection",
    "stacked",
    "sun_abraham",
    "synthetic_did",
    "twfe",
    "two_stage",
]
