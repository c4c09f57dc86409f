"""Wald statistics of several numbers, also where they outnumber the clusters: a singular covariance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["SINGULAR", "rank_of", "walds"]

Floats = NDArray[np.float64]

SINGULAR = 1e-12
"""Eigenvalues of a covariance, or singular values of restrictions, below this share of the largest are zero.

Sums of products leave up to 1e-15 where they are zero, and numpy's own limits lie among that; the least that
is not zero in the spending study is 2e-8 (terms of one adopter each beside terms of many)."""


def walds(estimates: Floats, covariances: Floats) -> Floats:
    """Return the statistic of each row of estimates (B, p) with its covariance (B, p, p).

    Directions in which a covariance is zero do not count.

    Examples
    --------
    >>> both = np.array([[1.0, 1.0], [1.0, 1.0]])
    >>> walds(np.array([[2.0, 2.0]]), both[None]).round(6).tolist(), rank_of(both)
    ([4.0], 1)
    """
    inverses = np.linalg.pinv(covariances, rcond=SINGULAR, hermitian=True)
    return np.asarray(np.einsum("bp,bpq,bq->b", estimates, inverses, estimates))


def rank_of(covariance: Floats) -> int:
    """Return in how many directions a covariance (p, p) is not zero."""
    size = np.abs(np.linalg.eigvalsh(covariance))
    return int((size > SINGULAR * size.max(initial=0.0)).sum())
