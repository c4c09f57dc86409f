"""Who is treated in a made-up world, and the effect on every area in every year."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from clsimpact.simulate._areas import atoms, kept_councils, residents
from clsimpact.simulate._draw import stream
from clsimpact.simulate.calibration import YEARS
from clsimpact.simulate.truth import EFFECT_LIMITS, Truth

__all__ = ["Treatment", "draw_treatment"]

Floats = NDArray[np.float64]
_SMALLEST: Final = 30_000
"""Adults that a council drawn for anything must have: the shares of smaller ones are mostly withheld."""
_MISSING_A_YEAR: Final = (1, 2)


@dataclass(frozen=True)
class Treatment:
    """Who is treated, and what it does.

    Attributes
    ----------
    truth
        The truth with its adopters filled in.
    contaminated, recording
        Codes of the councils that get in the way.
    missing
        Return (``SALT``, ``ASC-FR``) to which areas do not submit it in which year: years by smallest areas.
    effects
        Outcome to its effect: years by smallest areas.
    recording_factor
        Years by smallest areas: what signposting and no service are multiplied by.
    """

    truth: Truth
    contaminated: tuple[str, ...]
    recording: tuple[str, ...]
    missing: Mapping[str, NDArray[np.bool_]]
    effects: Mapping[str, Floats]
    recording_factor: Floats

    @property
    def roomy(self) -> NDArray[np.bool_]:
        """Which areas have an effect at some time, and so must have room for it."""
        treated = {*(self.truth.adopters or {}), *self.contaminated}
        return np.array([atom in treated for atom in atoms()])


def draw_treatment(seed: int, truth: Truth) -> Treatment:
    """Draw who adopts, who is contaminated, who changes how requests are recorded, and who does not submit.

    Councils are drawn among those whose boundaries never changed and that have 30,000 adults. Who does not
    submit is drawn among those who are not treated.
    """
    adults = dict(zip(atoms(), residents()[0].sum(axis=1), strict=True))
    able = [code for code in atoms() if code in kept_councils() and adults[code] >= _SMALLEST]
    order = [able[i] for i in stream(seed, "adopters").permutation(len(able))]
    if truth.adopters is None:
        drawn = {
            code: truth.cohorts[i % len(truth.cohorts)] for i, code in enumerate(order[: truth.n_adopters])
        }
        truth = replace(truth, adopters=dict(sorted(drawn.items(), key=lambda item: (item[1], item[0]))))
    adopters = truth.adopters or {}
    others = [code for code in order if code not in adopters]
    contaminated = tuple(others[: truth.contamination.councils])
    among = {"all": order, "adopters": [c for c in order if c in adopters], "others": others}
    pool = among[truth.recording.among]
    shuffled = [pool[i] for i in stream(seed, "recording").permutation(len(pool))]
    recording = tuple(shuffled[: truth.recording.councils])
    untreated = [code for code in others if code not in contaminated]
    return Treatment(
        truth,
        contaminated,
        recording,
        {name: _missing(seed, name, untreated) for name in ("SALT", "ASC-FR")},
        {name: _effects(truth, name, contaminated) for name in EFFECT_LIMITS},
        _factor(truth, recording),
    )


def _missing(seed: int, return_: str, able: list[str]) -> NDArray[np.bool_]:
    """Draw one or two councils a year, none in the first; some of them fail again the next year."""
    rng = stream(seed, f"not submitted {return_}")
    found = np.zeros((len(YEARS), len(atoms())), dtype=bool)
    place = {atom: column for column, atom in enumerate(atoms())}
    for year in range(1, len(YEARS)):
        if not able:
            break
        picks = rng.choice(len(able), size=int(rng.choice(_MISSING_A_YEAR)), replace=False)
        found[year, [place[able[pick]] for pick in picks]] = True
        again = rng.random(len(atoms())) < 0.25
        if year > 1:
            found[year] |= found[year - 1] & ~found[year - 2] & again
    return found


def _effects(truth: Truth, outcome: str, contaminated: tuple[str, ...]) -> Floats:
    found = np.zeros((len(YEARS), len(atoms())))
    place = {atom: column for column, atom in enumerate(atoms())}
    for code, start in (truth.adopters or {}).items():
        path = [truth.effect(outcome, year - start, cohort=start) for year in YEARS]
        found[:, place[code]] = path
    for code in contaminated:
        start = truth.contamination.first_year
        path = [truth.contamination.share * truth.effect(outcome, year - start) for year in YEARS]
        found[:, place[code]] = path
    return found


def _factor(truth: Truth, recording: tuple[str, ...]) -> Floats:
    after = np.array(YEARS)[:, None] >= truth.recording.first_year
    chosen = np.array([atom in recording for atom in atoms()])
    return np.where(after & chosen, truth.recording.factor, 1.0)
