"""What readers call each estimator."""

from __future__ import annotations

from typing import Final

__all__ = ["NAMES", "in_sentence"]

NAMES: Final = {
    "twfe": "Two-way fixed effects",
    "event_study": "Two-way event study",
    "group_time": "Callaway–Sant'Anna",
    "sun_abraham": "Sun–Abraham",
    "imputation": "Imputation",
    "two_stage": "Two-stage",
    "extended_twfe": "Extended two-way",
    "stacked": "Stacked",
    "did_m": "DID_M",
    "synthetic_did": "Synthetic DiD",
    "local_projection": "Local projections",
}

PROPER: Final = ("group_time", "sun_abraham", "did_m")
"""Those that keep their capital within a sentence."""


def in_sentence(estimator: str) -> str:
    """Return what an estimator is called in the middle of a sentence.

    Examples
    --------
    >>> in_sentence("twfe"), in_sentence("sun_abraham"), in_sentence("my own")
    ('two-way fixed effects', 'Sun–Abraham', 'my own')
    """
    name = NAMES.get(estimator, estimator)
    return name if estimator in PROPER else name[:1].lower() + name[1:]
