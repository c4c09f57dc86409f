"""What several steps need: which outcomes can be estimated, and the results of the study's estimator."""

from __future__ import annotations

import functools
import warnings

import pandas as pd

from clsimpact._check import plural
from clsimpact.design import Design
from clsimpact.errors import DesignError, PanelError, SampleWarning
from clsimpact.report.study_data import StudyData
from clsimpact.results import Estimate
from clsimpact.years import spans

__all__ = [
    "bare",
    "design_of",
    "estimable",
    "fit_of",
    "held_years",
    "main_outcome",
    "sample_words",
    "source_line",
    "trace_name",
    "why_not",
    "years_words",
]


@functools.lru_cache(maxsize=2)
def bare(data: StudyData) -> pd.DataFrame:
    """Return the tagged panel without its attributes, which pandas copies with each operation."""
    frame = data.tagged.copy(deep=False)
    frame.attrs = {}
    return frame


def held_years(data: StudyData, outcome: str) -> list[int]:
    """Return the periods with a value of the outcome for at least one unit; none without such a column."""
    frame = bare(data)
    if outcome not in frame:
        return []
    return sorted(int(year) for year in frame.loc[frame[outcome].notna(), data.study.data["time"]].unique())


def years_words(data: StudyData, outcome: str) -> str:
    """Write the periods with values: financial years of councils, else as they are."""
    years = held_years(data, outcome)
    if data.study.of_councils:
        return spans(years) or "none"
    whole = len(years) > 1 and years[-1] - years[0] + 1 == len(years)
    return f"{years[0]} to {years[-1]}" if whole else ", ".join(map(str, years)) or "none"


def why_not(data: StudyData, outcome: str) -> str:
    """Say why no comparison of before and after can be made, or return an empty text."""
    if outcome not in data.tagged:
        return "the panel has no such column"
    years = held_years(data, outcome)
    if not years:
        return "no figures are held"
    if len(years) == 1:
        held = years_words(data, outcome)
        return f"figures are held for one year only ({held}): there is no before and after"
    roles, frame = data.study.data, bare(data)
    rows = frame[frame[outcome].notna() & frame[roles["cohort"]].notna()]
    after = rows[roles["time"]].ge(rows[roles["cohort"]])
    if not (after.groupby(rows[roles["unit"]]).nunique() == 2).any():
        return f"no adopter has figures both before and after adoption ({years_words(data, outcome)} held)"
    return ""


def design_of(data: StudyData, outcome: str) -> Design:
    """Return the design of an outcome; its items say which units leave the sample, without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SampleWarning)
        return data.design(outcome)


def fit_of(data: StudyData, outcome: str, estimator: str | None = None) -> Estimate:
    """Fit an outcome by the study's estimator, or another, with the study's inference."""
    from clsimpact import estimators

    name = estimator or data.study.estimator
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SampleWarning)
        maker = getattr(estimators, name)
        fit: Estimate = maker(design_of(data, outcome), inference=data.study.inference)
    repeated = [term.event_time for term in fit.terms if term.event_time is not None]
    return fit.aggregate("dynamic") if len(set(repeated)) < len(repeated) or not repeated else fit


def estimable(data: StudyData) -> dict[str, str]:
    """Return each outcome of the study and its claims, and why it cannot be estimated (empty: it can)."""
    found = {}
    for outcome in data.outcomes():
        why = why_not(data, outcome.name)
        if not why:
            try:
                design_of(data, outcome.name)
            except (DesignError, PanelError) as error:
                why = " ".join([error.summary, *error.problems])
        found[outcome.name] = why
    return found


def main_outcome(data: StudyData) -> str | None:
    """Return the outcome that checks look at: the study's own, or the first that can be estimated."""
    found = estimable(data)
    order = [data.study.main, *(it.name for it in data.study.outcomes)]
    return next((name for name in order if not found.get(name, "unknown")), None)


def sample_words(fit: Estimate, units: str) -> str:
    """Write what a result rests on."""
    design = fit.design
    return f"{len(design.units)} {units}, {design.n_treated} of them adopters, {plural(design.n_obs, 'row')}"


def trace_name(data: StudyData, outcome: str) -> str:
    """Return the file with the cells behind an outcome; none for a panel without returns."""
    return f"trace/{outcome}.csv" if data.returns is not None else ""


def source_line(data: StudyData) -> str:
    """Return where the data come from, without the word that tables put before it."""
    return str(data.panel.attrs.get("source_line", "")).removeprefix("Source: ")
