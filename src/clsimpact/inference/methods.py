"""Ways to get p-values and intervals, with their options: what `Estimate.with_inference` takes.

A value that an option does not have is refused when the method is made (`DesignError`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from clsimpact.errors import DesignError, did_you_mean

__all__ = ["NAMED", "ConleyTaber", "FermanPinto", "Method", "Multiplier", "Permutation", "Wild"]

Weights = Literal["rademacher", "webb", "mammen"]
Statistic = Literal["t", "coefficient"]
Who = Literal["units", "dates"]
Parts = Literal["clusters", "rows"]


def _checked(method: object, **options: tuple[object, object]) -> None:
    """Refuse a value that an option does not have, of all options at once."""
    problems = []
    for name, (value, known) in options.items():
        if value not in get_args(known):
            words = ", ".join(map(repr, get_args(known)))
            problems.append(f"{name} is {value!r}{did_you_mean(str(value), get_args(known))}; known: {words}")
    if problems:
        raise DesignError(
            f"{type(method).__name__} has no such option.",
            problems,
            repair="Change these, or leave them out.",
        )


def _yes_or_no(method: object, **options: object) -> None:
    """Refuse what is neither True nor False."""
    problems = [
        f"{key} is {value!r}; known: True, False" for key, value in options.items() if value not in (0, 1)
    ]
    if problems:
        raise DesignError(
            f"{type(method).__name__} has no such option.",
            problems,
            repair="Change these, or leave them out.",
        )


def _by_unit(name: str, value: object) -> dict[Any, Any]:
    """Return a mapping or a Series as a dictionary, or say what is needed."""
    try:
        return dict(value)  # type: ignore[call-overload, no-any-return]
    except (TypeError, ValueError):
        raise DesignError(
            f"{name} is {value!r}; one value for each unit is needed.",
            repair=f"Give a mapping or a Series: {name}={{unit: value, ...}}.",
        ) from None


@dataclass(frozen=True)
class Permutation:
    """Re-assign adoption among units: see `clsimpact.inference.randomisation`.

    Attributes
    ----------
    statistic : str
        ``"t"``: the error is taken anew in each re-assignment. ``"coefficient"``: the estimate alone, valid
        only if adopters are as noisy as everybody else (measured: 30-35% rejections of a true null at a
        nominal 5% with five adopters that are twice as noisy).
    who : str
        ``"units"``: who adopts, every cohort keeping its size. ``"dates"``: when, among adopters only.
    strata : mapping or None
        Label of the stratum of each unit (a region, a fifth of deprivation): re-assignment within strata.
    impose_null : bool
        False: effects are taken out at their estimates; one distribution for everything. True: each
        hypothesis on each number by itself, intervals by inversion.
    refit : bool
        Estimate every re-assigned panel again, which weights, covariates and weights that depend on the
        outcomes need: a fit per draw. Units exchange dates whatever the periods in which they are observed,
        and statistics are studentised by the estimator's own CR2 (else the jackknife, CR3 or CR1, whichever
        it has), not by path errors: where both ways exist they are not the same test.

    Examples
    --------
    >>> Permutation(who="dates").statistic
    't'
    """

    statistic: Statistic = "t"
    who: Who = "units"
    strata: Mapping[Any, Any] | None = None
    impose_null: bool = False
    refit: bool = False

    def __post_init__(self) -> None:
        _checked(self, statistic=(self.statistic, Statistic), who=(self.who, Who))
        _yes_or_no(self, impose_null=self.impose_null, refit=self.refit)
        if self.strata is not None:
            object.__setattr__(self, "strata", _by_unit("strata", self.strata))


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

    weights: Weights = "rademacher"
    impose_null: bool = True
    parts: Parts = "clusters"

    def __post_init__(self) -> None:
        _checked(self, weights=(self.weights, Weights), parts=(self.parts, Parts))
        _yes_or_no(self, impose_null=self.impose_null)


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

    weights: Weights = "rademacher"

    def __post_init__(self) -> None:
        _checked(self, weights=(self.weights, Weights))


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

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", _by_unit("size", self.size))


Method = Permutation | Wild | Multiplier | ConleyTaber | FermanPinto

NAMED: Mapping[str, Method] = {
    "permutation": Permutation(),
    "wild": Wild(),
    "multiplier": Multiplier(),
    "conley_taber": ConleyTaber(),
}
"""Methods that a name stands for, with their usual options."""
