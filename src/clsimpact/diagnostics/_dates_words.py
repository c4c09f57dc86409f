"""Sentences about dates in doubt: whom they leave out, and what to do where the list says nothing."""

from __future__ import annotations

from clsimpact._check import plural
from clsimpact.diagnostics._dates_in_doubt import Doubt
from clsimpact.diagnostics.result import Advice, Found
from clsimpact.diagnostics.setting import Setting
from clsimpact.errors import list_some

__all__ = ["certain", "left", "many", "outside", "widen", "without_years"]


def many(n: int) -> str:
    """Write a count, by its power of ten where it is large."""
    return f"{n:,}" if n < 10**6 else f"about 10^{len(str(n)) - 1}"


def outside(doubt: Doubt) -> str:
    """Name adopters whose date in the design is none that the list allows."""
    if not doubt.outside:
        return ""
    return f" The design dates {doubt.setting.names(doubt.outside)} otherwise than the list allows."


def left(doubt: Doubt) -> str:
    """Say who of the list is no adopter in the design."""
    if not doubt.lost:
        return ""
    n = len(doubt.lost)
    return (
        f" {n} more on the list {'is' if n == 1 else 'are'} not dated in this design "
        f"({list_some(doubt.lost)}): "
        "see undated_adopters."
    )


def certain(doubt: Doubt) -> Found:
    """Say that there is nothing to try."""
    words = (
        f"The list allows one date for each of {plural(doubt.n_listed, 'adopter')} in the design, or "
        "dates that "
        "are the same in this panel, so no other dates were tried: this holds as far as the list does."
    )
    return Found("holds", words + left(doubt), {"adopters_in_doubt": 0, "sets": 1})


def without_years(doubt: Doubt) -> Found:
    """Say what the list lacks."""
    if doubt.n_listed:
        words = (
            "The list of adopters has no earliest_year or latest_year, so it does not say how sure dates are."
        )
    else:
        words = "No adopter of the design is on the list with a year, so no other date can be tried."
    return Found("cannot tell", words + left(doubt), advice=widen(doubt.setting))


def widen(setting: Setting) -> tuple[Advice, ...]:
    """Say how to try a year earlier and later."""
    design = setting.design
    code = (
        "fit.check('adoption_dates', "
        f"adoption=pd.DataFrame({{{design.unit!r}: design.units, 'adoption_year': "
        "design.unit_cohorts, 'earliest_year': design.unit_cohorts - 1, 'latest_year': "
        "design.unit_cohorts + 1})"
        ".dropna())"
    )
    text = "Say which years the evidence allows; to begin with, try a year earlier and a year later."
    return (Advice(text, code),)
