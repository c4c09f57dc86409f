"""Ways to get p-values and intervals, with their options: what `Estimate.with_inference` takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["NAMED", "ConleyTaber", "FermanPinto", "Method", "Multiplier", "Permutation", "Wild"]


@dataclass(frozen=True)
class Permutation:
    """Re-assign adoption among units: see `clsimpact.inference.randomisation`.

    Attributes
    ----------
    statistic : str
        ``"t"``: the error is taken anew in each re-assignment. ``"coefficient"``: the estimate alone, valid
        only if adopters are as noisy as everybody else (measured: 20-30% rejections of a true null at a
        nominal 5% where they are twice as noisy).
    who : str
        ``"units"``: who adopts, every cohort keeping its size. ``"dates"``: when, among adopters only.
    strata : mapping or None
        Label of the stratum of each unit (a region, a fifth of deprivation): re-assignment within strata.
    impose_null : bool
        False: effects are taken out at their estimates; one distribution for everything. True: each
        hypothesis on each number by itself, intervals by inversion.
    refit : bool
        Estimate every re-assigned panel again, which weights, covariates and weights that depend on the
        outcomes need: a fit per draw. Units exchange dates whatever the periods in which they are observed.

    Examples
    --------
    >>> Permutation(who="dates").statistic
    't'
    """

    statistic: Literal["t", "coefficient"] = "t"
    who: Literal["units", "dates"] = "units"
    strata: Mapping[Any, Any] | None = None
    impose_null: bool = False
    refit: bool = False


@dataclass(frozen=True)
class Wild:
    """Wild cluster bootstrap: see `clsimpact.inference.wild`.

    Attributes
    ----------
    weights : str
        ``"rademacher"``, ``"webb"`` (six points: for a dozen clusters or fewer) or ``"mammen"``.
    impose_null : bool
        WCR, the default, or WCU.
    parts : str
        ``"clusters"``, or ``"rows"`` for the sub-cluster bootstrap, in which each row has a multiplier of its
        own: for very few treated clusters, where WCR hardly ever rejects and WCU far too often.

    Examples
    --------
    >>> Wild(weights="webb").impose_null
    True
    """

    weights: Literal["rademacher", "webb", "mammen"] = "rademacher"
    impose_null: bool = True
    parts: Literal["clusters", "rows"] = "clusters"


@dataclass(frozen=True)
class Multiplier:
    """Bootstrap of influence functions, as Callaway and Sant'Anna (2021): no refit and no new errors.

    Attributes
    ----------
    weights : str
        As in `Wild`. Rademacher signs come nearest to the critical values of R did, whose errors are taken
        from the spread of the draws (2.557 for the dynamic effects of mpdta; here 2.58).

    Examples
    --------
    >>> Multiplier().weights
    'rademacher'
    """

    weights: Literal["rademacher", "webb", "mammen"] = "rademacher"


@dataclass(frozen=True)
class ConleyTaber:
    """Residuals of controls as the distribution of the estimate (Conley and Taber 2011).

    Valid for one adopter or more, if adopters are as noisy as controls.

    Examples
    --------
    >>> ConleyTaber()
    ConleyTaber()
    """


@dataclass(frozen=True)
class FermanPinto:
    """Conley and Taber with errors whose variance falls with the size of a unit (Ferman and Pinto 2019).

    Attributes
    ----------
    size : mapping
        Size of each unit, its population say.

    Examples
    --------
    >>> FermanPinto(size={"a": 10.0}).size["a"]
    10.0
    """

    size: Mapping[Any, float]


Method = Permutation | Wild | Multiplier | ConleyTaber | FermanPinto

NAMED: Mapping[str, Method] = {
    "permutation": Permutation(),
    "wild": Wild(),
    "multiplier": Multiplier(),
    "conley_taber": ConleyTaber(),
}
"""Methods that a name stands for, with their usual options."""
