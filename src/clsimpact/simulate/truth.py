"""The truth of a made-up world: who adopts when, what it does, and what gets in the way of finding it."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any, Final, Literal, get_args

import numpy as np

from clsimpact._toml import parse_toml
from clsimpact.errors import ClsimpactError, did_you_mean, list_some
from clsimpact.geography import constant_areas, council_codes
from clsimpact.simulate.calibration import YEARS

__all__ = ["DEFAULT_EFFECTS", "EFFECT_LIMITS", "Contamination", "Recording", "Truth"]

DEFAULT_EFFECTS: Final[Mapping[str, tuple[float, ...]]] = MappingProxyType(
    {
        "signposted": (0.06, 0.06, 0.04, 0.02, 0.0),
        "funded_mid": (-0.10,),
        "planned_share": (0.0, 0.0, 0.06),
        "gce_per_adult": (0.0,),
    }
)
"""The claims C1 to C5 of the study as paths. C3's ten points are the paper's; the other sizes are ours."""

EFFECT_LIMITS: Final[Mapping[str, tuple[float, float]]] = MappingProxyType(
    {
        "signposted": (-0.02, 0.10),
        "funded_mid": (-0.11, 0.10),
        "planned_share": (-0.20, 0.10),
        "gce_per_adult": (-100.0, 500.0),
    }
)
"""How far an effect may go, in the outcome's unit: the room that every adopter's shares are given."""

Who = Literal["all", "adopters", "others"]


@dataclass(frozen=True)
class Contamination:
    """Councils that are not on the adoption list but do something alike.

    Attributes
    ----------
    councils
        How many.
    share
        Which share of the effects they get.
    first_year
        Start year from which their event time is counted.
    """

    councils: int = 0
    share: float = 0.0
    first_year: int = 2018


@dataclass(frozen=True)
class Recording:
    """Councils that start to record contacts as requests for support: the denominator of the shares moves.

    Attributes
    ----------
    councils
        How many.
    factor
        What their requests that end in signposting or no service are multiplied by.
    first_year
        Start year of the change.
    among
        Whom they are drawn from: ``all``, ``adopters`` or ``others``.
    """

    councils: int = 0
    factor: float = 1.5
    first_year: int = 2018
    among: Who = "all"


@dataclass(frozen=True)
class Truth:
    """What holds in a made-up world.

    Attributes
    ----------
    adopters
        ONS code to the start year of adoption; ``None`` lets the seed draw them.
    n_adopters, cohorts
        If drawn: how many, and the years among which they are spread evenly.
    effects
        Outcome to the effect in event years 0, 1, 2, ..., added to the outcome in its own unit (shares 0 to
        1; pounds per adult at 2021-22 prices). The last number holds ever after. An outcome left out has no
        effect; before adoption there is none.
    cohort_multiplier
        Year of adoption to what its effects are multiplied by; 1 where not named.
    anticipation
        Share of the effect of event year 0 that is there one year before.
    contamination, recording
        What gets in the way; by default nothing does.

    Examples
    --------
    >>> truth = Truth(adopters={"E08000035": 2016})
    >>> truth.effect("funded_mid", 3, cohort=2016), truth.effect("signposted", -1, cohort=2016)
    (-0.1, 0.0)
    >>> Truth.from_toml(truth.to_toml()) == truth
    True
    """

    adopters: Mapping[str, int] | None = None
    n_adopters: int = 24
    cohorts: tuple[int, ...] = (2016, 2017, 2018, 2019, 2020)
    effects: Mapping[str, tuple[float, ...]] = field(default_factory=lambda: dict(DEFAULT_EFFECTS))
    cohort_multiplier: Mapping[int, float] = field(default_factory=dict)
    anticipation: float = 0.0
    contamination: Contamination = Contamination()
    recording: Recording = Recording()

    def __post_init__(self) -> None:
        self._make_plain()
        problems = list(_problems(self))
        if problems:
            raise ClsimpactError(
                "This is no truth that a world can be made of.",
                problems,
                repair="Correct the above; clsimpact.simulate.truth says what each field may hold.",
            )

    def _make_plain(self) -> None:
        """Take numbers of any kind (numpy's, say) and lists as what they stand for; refuse other types."""
        try:
            paths = {str(name): tuple(map(_plain, path)) for name, path in dict(self.effects).items()}
            multipliers = {int(year): _plain(factor) for year, factor in dict(self.cohort_multiplier).items()}
            adopters = (
                None if self.adopters is None else {k: _plain(v) for k, v in dict(self.adopters).items()}
            )
            plain = {"effects": paths, "cohort_multiplier": multipliers, "adopters": adopters}
            plain |= {"cohorts": tuple(map(_plain, self.cohorts))}
        except (TypeError, ValueError) as error:
            raise ClsimpactError(
                "A field of the truth is of the wrong kind.",
                [str(error)],
                repair="effects: outcome to a path of numbers; cohorts: years; adopters: ONS code to year; "
                "cohort_multiplier: year to a number.",
            ) from error
        for name, value in plain.items():
            object.__setattr__(self, name, value)

    def effect(self, outcome: str, event_time: int, *, cohort: int | None = None) -> float:
        """Return the effect on an outcome at an event time.

        Parameters
        ----------
        outcome
            A key of :data:`EFFECT_LIMITS`.
        event_time
            Years since adoption.
        cohort
            Year of adoption, for its multiplier.

        Returns
        -------
        float
            In the unit of the outcome.

        Raises
        ------
        ClsimpactError
            If the outcome is none that can have an effect.

        Examples
        --------
        >>> Truth().effect("gce_per_adult", 0)
        0.0
        """
        if outcome not in EFFECT_LIMITS:
            raise ClsimpactError(
                f"No effect on {outcome!r} is made up{did_you_mean(outcome, list(EFFECT_LIMITS))}.",
                repair=f"Effects can be on {', '.join(EFFECT_LIMITS)}.",
            )
        path = self.effects.get(outcome, (0.0,))
        size = path[min(max(event_time, 0), len(path) - 1)]
        when = 1.0 if event_time >= 0 else self.anticipation if event_time == -1 else 0.0
        multiplier = 1.0 if cohort is None else self.cohort_multiplier.get(cohort, 1.0)
        return size * when * multiplier

    def to_toml(self) -> str:
        """Return the truth as the text of a truth file, which :meth:`from_toml` reads.

        Returns
        -------
        str
            TOML, with a first line that says that everything in it is made up.

        Examples
        --------
        >>> print(Truth().to_toml().splitlines()[0])
        # SIMULATED. The truth of a made-up world: nothing here is about any real council.
        """
        lines = ["# SIMULATED. The truth of a made-up world: nothing here is about any real council."]
        lines += [f"n_adopters = {self.n_adopters}", f"cohorts = {list(self.cohorts)}"]
        lines += [f"anticipation = {self.anticipation}"]
        for name in ("contamination", "recording"):
            part = getattr(self, name)
            lines += ["", f"[{name}]"]
            lines += [f"{key.name} = {_toml(getattr(part, key.name))}" for key in fields(part)]
        lines += ["", "[effects]", *(f"{name} = {list(path)}" for name, path in self.effects.items())]
        lines += ["", "[cohort_multiplier]", *(f'"{y}" = {v}' for y, v in self.cohort_multiplier.items())]
        if self.adopters is not None:
            lines += ["", "[adopters]", *(f'"{code}" = {year}' for code, year in self.adopters.items())]
        return "\n".join(lines) + "\n"

    @classmethod
    def from_toml(cls, text: str) -> Truth:
        """Read a truth file.

        Parameters
        ----------
        text
            The text of the file. What is left out has its default.

        Returns
        -------
        Truth
            The truth.

        Raises
        ------
        ClsimpactError
            If the text is no TOML, or a field is unknown or cannot be; all problems are listed.

        Examples
        --------
        >>> Truth.from_toml("n_adopters = 7").n_adopters
        7
        """
        try:
            found = parse_toml(text)
        except tomllib.TOMLDecodeError as error:
            raise ClsimpactError(
                "The truth file is no TOML.",
                [str(error)],
                repair="Correct the line; Truth().to_toml() is a file to start from.",
            ) from error
        names = [key.name for key in fields(cls)]
        unknown = [f"{name!r}{did_you_mean(name, names)}" for name in found if name not in names]
        for name, part in (("contamination", Contamination), ("recording", Recording)):
            inside = [key.name for key in fields(part)]
            given = found.get(name, {})
            if not isinstance(given, dict):
                unknown.append(f"{name!r} must be a table")
                continue
            unknown += [f"{name}.{key!r}{did_you_mean(key, inside)}" for key in given if key not in inside]
        if unknown:
            raise ClsimpactError("The truth file has unknown fields.", unknown, repair="Correct the names.")
        return cls(**_arguments(found))


def _toml(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def _arguments(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a truth from what a truth file says."""
    out = dict(found)
    wrong = [
        f"{name} must be a table"
        for name in ("effects", "cohort_multiplier", "adopters")
        if not isinstance(found.get(name, {}), dict)
    ]
    years = found.get("cohort_multiplier", {})
    wrong += [f"cohort_multiplier: {key!r} is no year" for key in years if not str(key).isdigit()]
    wrong += (
        [
            f"effects.{name} must be a list of numbers"
            for name, path in found.get("effects", {}).items()
            if not isinstance(path, list)
        ]
        if isinstance(found.get("effects", {}), dict)
        else []
    )
    if not isinstance(found.get("cohorts", []), list):
        wrong.append("cohorts must be a list of years")
    if wrong:
        raise ClsimpactError("The truth file cannot be read.", wrong, repair="Correct the above.")
    for name, part in (("contamination", Contamination), ("recording", Recording)):
        if name in out:
            out[name] = part(**out[name])
    if "effects" in out:
        out["effects"] = {name: tuple(path) for name, path in out["effects"].items()}
    if "cohort_multiplier" in out:
        out["cohort_multiplier"] = {int(year): value for year, value in years.items()}
    if "cohorts" in out:
        out["cohorts"] = tuple(out["cohorts"])
    return out


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _problems(truth: Truth) -> Iterator[str]:
    """Yield everything that is wrong with a truth."""
    yield from _problems_of_adopters(truth)
    yield from _problems_of_effects(truth)
    if not _number(truth.anticipation) or not 0 <= truth.anticipation <= 1:
        yield f"anticipation={truth.anticipation!r} is no share from 0 to 1"
    part, change = truth.contamination, truth.recording
    if not _whole(part.councils) or not 0 <= part.councils <= 60:
        yield f"contamination.councils={part.councils!r} is no whole number from 0 to 60"
    if not _number(part.share) or not 0 <= part.share <= 1:
        yield f"contamination.share={part.share!r} is no share from 0 to 1"
    if not _whole(change.councils) or not 0 <= change.councils <= 100:
        yield f"recording.councils={change.councils!r} is no whole number from 0 to 100"
    if not _number(change.factor) or not 0.2 <= change.factor <= 5:
        yield f"recording.factor={change.factor!r} is no number from 0.2 to 5"
    if change.among not in get_args(Who):
        yield f"recording.among={change.among!r} is not one of {', '.join(map(repr, get_args(Who)))}"
    for name, year in (("contamination", part.first_year), ("recording", change.first_year)):
        if year not in YEARS:
            yield f"{name}.first_year={year!r} is outside {YEARS[0]} to {YEARS[-1]}"


def _problems_of_adopters(truth: Truth) -> Iterator[str]:
    if not _whole(truth.n_adopters) or not 0 <= truth.n_adopters <= 80:
        yield f"n_adopters={truth.n_adopters!r} is no whole number from 0 to 80"
    inside = range(YEARS[0] + 1, YEARS[-1])
    late = [year for year in truth.cohorts if year not in inside]
    if late or not truth.cohorts:
        yield f"cohorts={list(truth.cohorts)} need years from {inside[0]} to {inside[-1]}"
    if truth.adopters is None:
        return
    areas = constant_areas(YEARS[0], YEARS[-1])
    kept = {code for code in council_codes(YEARS[0]) if len(areas[code].members) == 1}
    gone = [code for code in truth.adopters if code not in kept]
    if gone:
        yield f"adopters that are no councils with the same boundaries in all years: {list_some(gone)}"
    wrong = [f"{code}: {year}" for code, year in truth.adopters.items() if year not in YEARS]
    if wrong:
        yield f"years of adoption outside {YEARS[0]} to {YEARS[-1]}: {list_some(wrong)}"


def _plain(value: Any) -> Any:
    """Return a number of numpy's as Python's own; anything else as it is."""
    return value.item() if isinstance(value, np.generic) else value


_TINY: Final = 1e-9
"""Rounding of products such as 1.1 times 0.10.

It leaves 1e-16; shares are given to two digits."""


def _problems_of_effects(truth: Truth) -> Iterator[str]:
    for year, multiplier in truth.cohort_multiplier.items():
        if not _number(multiplier):
            yield f"cohort_multiplier of {year}: {multiplier!r} is no number"
        if year not in YEARS:
            yield f"cohort_multiplier of {year}: outside {YEARS[0]} to {YEARS[-1]}"
    numbers = [value for value in truth.cohort_multiplier.values() if _number(value)]
    extremes = {1.0, *(float(value) for value in numbers)}
    for name, path in truth.effects.items():
        if name not in EFFECT_LIMITS:
            yield f"effects: {name!r} cannot have an effect{did_you_mean(name, list(EFFECT_LIMITS))}"
        elif not path or not all(map(_number, path)):
            yield f"effects.{name}={list(path)} is no path of numbers"
        else:
            low, high = EFFECT_LIMITS[name]
            reached = [value * factor for value in path for factor in extremes]
            if min(reached) < low - _TINY or max(reached) > high + _TINY:
                spoken = f"reaches {min(reached):g} to {max(reached):g}, outside {low:g} to {high:g}"
                yield f"effects.{name} {spoken}"
