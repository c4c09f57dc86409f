"""Inference on arrays: each function takes arrays and returns a number or a frozen object."""

from clsimpact.inference.sandwich import KINDS, Counts, Covariance, sandwich, satterthwaite

__all__ = ["KINDS", "Counts", "Covariance", "sandwich", "satterthwaite"]
