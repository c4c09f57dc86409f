"""Inference on arrays: each function takes arrays and returns a number or a frozen object."""

from clsimpact.inference.influence import Adjusted, Influence, Uncertainty
from clsimpact.inference.sandwich import KINDS, Counts, Covariance, sandwich, satterthwaite

__all__ = [
    "KINDS",
    "Adjusted",
    "Counts",
    "Covariance",
    "Influence",
    "Uncertainty",
    "sandwich",
    "satterthwaite",
]
