r"""Multiplier bootstrap of influence functions.

With the influence :math:`\psi_g` of each cluster a draw gives :math:`\sum_g \eta_g \psi_g`, divided by the
standard error as it is: errors are not taken anew, which is why it inherits their faults where few clusters
adopt. Callaway and Sant'Anna (2021), doi 10.1016/j.jeconom.2020.12.001, take simultaneous bands from it.
"""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from clsimpact.inference.blocks import Block, blocks_of, joined, run_blocks, steady
from clsimpact.inference.draws import Drawn
from clsimpact.inference.wild import checked_weights, signs

__all__ = ["multiply"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class _Job:
    scores: Floats
    kind: str


def multiply(
    estimates: Floats,
    scores: Floats,
    *,
    weights: str = "mammen",
    draws: int,
    seed: int,
    executor: Executor | None = None,
    progress: bool = False,
) -> Drawn:
    """Draw the studentised sums of influences.

    Parameters
    ----------
    estimates
        Numbers (p).
    scores
        Influence of each cluster on each number (G, p).
    weights, draws, seed, executor, progress
        As in `clsimpact.inference.wild.wild`.

    Returns
    -------
    Drawn

    Examples
    --------
    >>> scores = np.random.default_rng(0).normal(size=(200, 1)) / 200
    >>> found = multiply(np.array([0.5]), scores, draws=4999, seed=1)
    >>> bool(abs(found.intervals(0.95)[1][0] - 0.5 - 1.96 * found.errors[0]) < 0.05 * found.errors[0])
    True
    """
    checked_weights(weights)
    error = np.sqrt((scores**2).sum(axis=0))
    error = np.where(error > 0, error, np.nan)
    job = _Job(np.nan_to_num(scores / error), weights)
    blocks = blocks_of(draws, seed=seed)
    (found,) = joined(run_blocks(partial(_sums, job), blocks, executor=executor, progress=progress))
    statistics = np.where(np.isnan(error), np.nan, found)
    points = 6 if weights == "webb" else 2
    return Drawn(estimates, error, statistics, (), False, points ** len(scores))


def _sums(job: _Job, block: Block) -> tuple[Floats]:
    return (steady(signs(block, len(job.scores), job.kind), job.scores),)
