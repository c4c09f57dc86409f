"""Made-up panels on which the size and power of inference is measured: numpy only, for every program alike.

150 units, 7 or 8 years from 2016, adopters in cohorts 2018 to 2021 (2018 to 2020 with three adopters), no
effect on average. Units of outcome: the standard deviation of an error (of a control).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

UNITS = 150
FIRST = 2016
ADOPTERS = (3, 5, 10, 25)
PERIODS = (8, 7)
ERRORS = ("independent", "ar_0.5", "ar_0.8", "population", "noisy_adopters", "heavy_tails")
EFFECTS = ("none", "varying")
SHAPES = (
    (12, 5),
    (20, 5),
    (20, 10),
    (40, 5),
    (40, 10),
    (40, 20),
    (40, 30),
    (40, 35),
    (60, 5),
    (60, 10),
    (60, 20),
    (80, 5),
    (80, 10),
    (80, 20),
    (100, 5),
    (100, 10),
    (100, 20),
    (150, 60),
    (150, 75),
    (150, 120),
    (150, 140),
)
"""Units and adopters of panels of other shapes."""

SHAPE_ERRORS = ("ar_0.5", "noisy_adopters", "noisy_controls")

WORDS = {
    "independent": "independent errors, normal",
    "ar_0.5": "AR(1) errors with coefficient 0.5, normal",
    "ar_0.8": "AR(1) errors with coefficient 0.8, normal",
    "population": "AR(1) 0.5; variance of a unit falls with its population (log-normal, sigma 0.7)",
    "noisy_adopters": "AR(1) 0.5; adopters have twice the standard deviation",
    "noisy_controls": "AR(1) 0.5; units that never adopt have twice the standard deviation",
    "heavy_tails": "AR(1) 0.5; innovations from t with 3 degrees of freedom",
    "none": "no effect on anybody",
    "varying": "each adopter has an effect of its own, normal with mean 0 and standard deviation 0.5",
}


@dataclass(frozen=True)
class Cell:
    """One kind of panel."""

    adopters: int
    periods: int
    errors: str
    effects: str
    units: int = UNITS

    @property
    def cohorts(self) -> Ints:
        """Cohort of each unit, 0 for those that never adopt."""
        years = [2018, 2019, 2020, 2021] if self.adopters > 3 else [2018, 2019, 2020]
        first = np.zeros(self.units, dtype=np.int64)
        first[: self.adopters] = np.array(years)[np.arange(self.adopters) % len(years)]
        return first

    def generator(self) -> np.random.Generator:
        """Return the generator of this cell."""
        kinds = (*ERRORS, "noisy_controls")
        place = (self.adopters, self.periods, kinds.index(self.errors), EFFECTS.index(self.effects))
        if self.units != UNITS:
            place = (*place, self.units)
        return np.random.default_rng(np.random.SeedSequence(20261128, spawn_key=place))

    def panels(self, count: int) -> Floats:
        """Return outcomes (count, units, periods): the first panels are the same whatever the count."""
        rng = self.generator()
        return np.array([self.panel(rng) for _ in range(count)])

    def panel(self, rng: np.random.Generator) -> Floats:
        """Return the outcomes of one panel (units, periods)."""
        shape = (self.units, self.periods)
        if self.errors == "heavy_tails":
            shocks = rng.standard_t(3, size=shape) / np.sqrt(3)
        else:
            shocks = rng.standard_normal(shape)
        rho = {"independent": 0.0, "ar_0.8": 0.8}.get(self.errors, 0.5)
        y = shocks.copy()
        for t in range(1, self.periods):
            y[:, t] = rho * y[:, t - 1] + np.sqrt(1 - rho**2) * shocks[:, t]
        first = self.cohorts
        if self.errors == "population":
            people = np.exp(rng.normal(0, 0.7, self.units))
            y *= np.sqrt(people.mean() / people)[:, None]
        if self.errors == "noisy_adopters":
            y[first > 0] *= 2
        if self.errors == "noisy_controls":
            y[first == 0] *= 2
        own = rng.normal(0, 0.5, self.units)
        if self.effects == "varying":
            years = FIRST + np.arange(self.periods)
            y += own[:, None] * ((first[:, None] > 0) & (years >= first[:, None]))
        return np.asarray(y)
