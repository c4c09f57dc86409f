r"""The panel laid out as units by periods, and unit and period effects removed from it exactly.

On the grid a row that is not in the sample has mass zero. With mass :math:`w_{it}` the effects of a variable
z solve

.. math:: S\lambda = \sum_i w_{it}(z_{it} - \bar z_i), \qquad
          S = \mathrm{diag}(w_{\cdot t}) - W'\,\mathrm{diag}(1/w_{i\cdot})\,W, \qquad
          \alpha_i = \bar z_i - \sum_t w_{it}\lambda_t / w_{i\cdot},

a system as wide as there are periods. Its pseudo-inverse is exact; nothing iterates. One null direction of S
belongs to each set of units and periods that no row connects to the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from clsimpact.design import Design

__all__ = ["Grid", "TwoWay", "grid_of"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NULL_SHARE = 1e-10
"""Eigenvalues of S below this share of the largest are zero: rounding leaves about 1e-15.

The least that is not zero belongs to periods that few units connect: one of ten thousand leaves 1e-4."""


@dataclass(frozen=True)
class Grid:
    """A panel as arrays of N units by T periods, zero where there is no row.

    Attributes
    ----------
    y : float array (N, T)
    x : float array (k, N, T)
        Covariates.
    seen : boolean array (N, T)
        True where the sample has a row.
    mass : float array (N, T)
        Weight of the row (1 without weights), 0 where not seen.
    cohorts : float array (N)
        First treated period of each unit; NaN where never treated.
    periods : integer array (T)
    event : float array (N, T)
        Period minus cohort; NaN where never treated.
    treated : boolean array (N, T)
        True from ``cohort - anticipation`` on, whether seen or not.
    balanced : bool
        Every unit is seen in every period and there are no weights.

    Examples
    --------
    >>> from clsimpact.datasets import load_mpdta
    >>> design = Design(load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat")
    >>> grid_of(design).y.shape
    (500, 5)
    """

    y: Floats
    x: Floats
    seen: Bools
    mass: Floats
    cohorts: Floats
    periods: Ints
    event: Floats
    treated: Bools
    balanced: bool


def grid_of(design: Design) -> Grid:
    """Lay a design out as a grid."""
    shape = (len(design.units), len(design.periods))
    full = design.n_obs == shape[0] * shape[1]
    at = (design.unit_codes, design.time_codes)

    def laid(values: Floats) -> Floats:
        if full:
            return values.reshape(shape)
        out = np.zeros(shape)
        out[at] = values
        return out

    seen = np.ones(shape, dtype=bool)
    if not full:
        seen = np.zeros(shape, dtype=bool)
        seen[at] = True
    periods = np.array(design.periods, dtype=np.int64)
    event = periods[None, :] - design.unit_cohorts[:, None]
    return Grid(
        y=laid(design.y),
        x=np.array([laid(column) for column in design.X.T]).reshape(-1, *shape),
        seen=seen,
        mass=seen.astype(np.float64) if design.w is None else laid(design.w),
        cohorts=design.unit_cohorts,
        periods=periods,
        event=event,
        treated=event >= -design.anticipation,
        balanced=full and design.w is None,
    )


@dataclass(frozen=True)
class TwoWay:
    """Unit and period effects on the rows with positive mass.

    Attributes
    ----------
    mass : float array (N, T)
        Weight of each row; 0 leaves the row out.

    Examples
    --------
    >>> z = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    >>> bool(np.abs(TwoWay(np.ones((2, 3))).residuals(z)).max() < 1e-14)
    True
    """

    mass: Floats

    @cached_property
    def unit_mass(self) -> Floats:
        """Mass of each unit (N)."""
        return np.asarray(self.mass.sum(axis=1))

    @cached_property
    def time_mass(self) -> Floats:
        """Mass of each period (T)."""
        return np.asarray(self.mass.sum(axis=0))

    @cached_property
    def shares(self) -> Floats:
        """Mass of each row as a share of its unit's (N, T); zero for a unit without rows."""
        whole = np.where(self.unit_mass > 0, self.unit_mass, 1.0)
        return np.asarray(self.mass / whole[:, None])

    @cached_property
    def spectrum(self) -> tuple[Floats, Floats]:
        """Eigenvalues and vectors of S that are not null."""
        scale = np.sqrt(np.where(self.time_mass > 0, self.time_mass, 1.0))
        system = np.diag(self.time_mass) - self.mass.T @ self.shares
        values, vectors = np.linalg.eigh(system / scale[:, None] / scale[None, :])
        kept = values > NULL_SHARE
        return values[kept], vectors[:, kept] / scale[:, None]

    @property
    def rank(self) -> int:
        """Number of free effects: units and periods with rows, less one for each connected set."""
        return int((self.unit_mass > 0).sum()) + self.spectrum[0].size

    @cached_property
    def reach(self) -> Bools:
        """True (N, T) where unit and period effect together are determined: rows connect the two."""
        rows = self.mass > 0
        near = rows.T.astype(np.float64) @ rows > 0
        for _ in range(int(np.ceil(np.log2(max(len(near), 2))))):
            near = near.astype(np.float64) @ near > 0
        return np.asarray(rows.astype(np.float64) @ near > 0)

    def period_effects(self, values: Floats) -> Floats:
        """Return the period effects (..., T) of ``values`` (..., N, T); they sum to nothing where free."""
        massed = self.mass * values
        moved = massed.sum(axis=-2) - massed.sum(axis=-1) @ self.shares
        roots, vectors = self.spectrum
        return np.asarray(((moved @ vectors) / roots) @ vectors.T)

    def effects(self, values: Floats) -> tuple[Floats, Floats]:
        """Return unit effects (..., N) and period effects (..., T) of ``values`` (..., N, T)."""
        period = self.period_effects(values)
        unit = (self.shares * values).sum(axis=-1) - period @ self.shares.T
        return unit, period

    def residuals(self, values: Floats) -> Floats:
        """Return ``values`` (..., N, T) net of effects, also where the mass is zero.

        The second round removes the rounding error that the first leaves.
        """
        for _ in range(2):
            unit, period = self.effects(values)
            values = values - unit[..., :, None] - period[..., None, :]
        return values
