"""Whole panels: what to do with units that lack periods, for methods that need every unit in every period."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from clsimpact._check import plural, unit_word
from clsimpact.design import Design
from clsimpact.errors import DesignError, did_you_mean, list_some

__all__ = ["BALANCING", "whole_panel"]

BALANCING = ("refuse", "complete")
"""What `whole_panel` can do with units that lack periods."""


def whole_panel(design: Design, *, unbalanced: str, method: str) -> Design:
    """Return a design in which every unit has every period.

    Parameters
    ----------
    design
    unbalanced
        ``"refuse"``: raise where a unit lacks a period. ``"complete"``: leave such units out; they are listed
        in ``design.dropped``.
    method
        Name for the message.

    Raises
    ------
    DesignError
        An unknown option; missing rows (by unit and period); no unit that has every period.

    Examples
    --------
    >>> from clsimpact.datasets import load_mpdta
    >>> data = load_mpdta().iloc[1:]
    >>> design = Design(data, outcome="lemp", unit="county", time="year", cohort="first_treat")
    >>> len(whole_panel(design, unbalanced="complete", method="bacon").units)
    499
    """
    if unbalanced not in BALANCING:
        raise DesignError(
            f"unbalanced={unbalanced!r} is not known{did_you_mean(str(unbalanced), BALANCING)}.",
            repair=f"Use one of {', '.join(BALANCING)}.",
        )
    if design.balanced:
        return design
    seen = np.zeros((len(design.units), len(design.periods)), dtype=bool)
    seen[design.unit_codes, design.time_codes] = True
    whole = np.asarray(seen.all(axis=1))
    if unbalanced == "complete" and whole.any():
        return design.restrict(whole[design.unit_codes], reason=f"unit lacks periods ({method})")
    raise DesignError(
        f"{method} needs every {unit_word(design)} in every period.",
        [f"no row for {text}" for text in _gaps(design, seen)],
        repair=_repair(design, int(whole.sum())),
    )


def _gaps(design: Design, seen: NDArray[np.bool_], limit: int = 12) -> list[str]:
    short = np.flatnonzero(~seen.all(axis=1))
    said = [
        f"{design.unit_names[i]} in {list_some(design.periods[t] for t in np.flatnonzero(~seen[i]))}"
        for i in short[:limit]
    ]
    more = short.size - limit
    return [*said, f"periods of {plural(more, f'more {unit_word(design)}')}"] if more > 0 else said


def _repair(design: Design, n_whole: int) -> str:
    if n_whole == 0:
        return f"No {unit_word(design)} has every period: restrict the design to periods that units share."
    return (
        f'unbalanced="complete" keeps the {plural(n_whole, unit_word(design))} that have every period and '
        "lists the others in design.dropped; or restrict the periods."
    )
