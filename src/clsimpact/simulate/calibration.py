"""What the made-up world is set to: England's series and mixes, and how far councils differ and change.

``calibration.toml`` and ``national.csv`` hold figures of England and spreads over councils, each with its
source; ``populations.csv`` holds residents. ``tools/calibrate_simulation.py`` writes all three.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["YEARS", "Calibration", "Persistence", "calibration", "national_figures", "population_figures"]

YEARS: Final = tuple(range(2014, 2024))
"""Start years of the financial years that are made up."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Persistence:
    """How the differences between councils last.

    Attributes
    ----------
    stays
        Share of their variance that stays for good.
    carries
        First-order autocorrelation of the rest.
    """

    stays: float
    carries: float


@dataclass(frozen=True)
class Calibration:
    """The numbers of ``calibration.toml``, by table; see there for their sources."""

    national: Mapping[str, Any]
    councils: Mapping[str, Any]
    persistence: Mapping[str, Persistence]
    sequels: Mapping[str, Any]

    def series(self, name: str) -> Floats:
        """Return one of England's series over :data:`YEARS`."""
        values = np.array(self.national[name], dtype="float64")
        if name not in ("gce", "deflator"):
            return values
        return np.asarray(values[YEARS[0] - int(self.national["gce_first_year"]) :])

    def history(self, name: str) -> dict[int, float]:
        """Return GCE or the deflator by year, from the first year that the publisher prints."""
        first = int(self.national["gce_first_year"])
        return {first + step: float(value) for step, value in enumerate(self.national[name])}

    def spread(self, name: str) -> float:
        """Return the standard deviation over councils of a logarithm or logit."""
        return float(self.councils["sd"][self.councils["names"].index(name)])


def _read(name: str) -> Any:
    return resources.files("clsimpact.simulate") / name


@functools.cache
def calibration() -> Calibration:
    """Return what the made-up world is set to.

    Examples
    --------
    >>> int(calibration().series("requests_18_64")[7])
    611505
    """
    with _read("calibration.toml").open("rb") as stream:
        found = tomllib.load(stream)
    lasting = {name: Persistence(**value) for name, value in found["persistence"].items()}
    return Calibration(found["national"], found["councils"], lasting, found["sequels"])


@functools.cache
def national_figures() -> pd.DataFrame:
    """Return England's published figures by which totals are broken down (``national.csv``)."""
    with _read("national.csv").open("rb") as stream:
        table = pd.read_csv(stream, dtype=str, keep_default_na=False)
    return table.assign(value=table["value"].astype("float64"), year=table["year"].astype("int64"))


@functools.cache
def population_figures() -> pd.DataFrame:
    """Return residents by age band of every smallest area and mid-year (``populations.csv``)."""
    with _read("populations.csv").open("rb") as stream:
        return pd.read_csv(stream)
