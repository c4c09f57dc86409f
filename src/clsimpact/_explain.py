"""The words of an estimate: summary, table and explanation, all computed from the numbers."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

import numpy as np

from clsimpact._check import dropped_words, few_treated, number, plural, sample_words, unit_word
from clsimpact.errors import list_some

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from clsimpact.design import Design
    from clsimpact.estimators._within import Regression
    from clsimpact.results import Estimate


def equation(design: Design, middle: str) -> str:
    """Return the equation as estimated."""
    unit, time = "unit[i]", f"{design.time}[t]"
    first = unit if design.effects == "unit" else f"{design.effects}[i] + adopter cohort[i]"
    covariates = "".join(f" + b·{name}[i,t]" for name in design.covariates)
    return f"{design.outcome}[i,t] = {first} + {time} + {middle}{covariates} + error[i,t]"


def reason(design: Design, fit: Regression, slot: int, names: Mapping[int, str], n_units: int | None) -> str:
    """Return why a coefficient is not identified, or what to mind where it is."""
    if fit.identified[slot]:
        if n_units == 1:
            return (
                f"one treated {unit_word(design)}: its own variation cannot be estimated, the "
                "interval is too narrow"
            )
        return ""
    others = [names[j] for j in fit.partners[slot] if j != slot]
    if not others:
        return "no variation left once effects and the other terms are removed"
    hint = "; no unit is never treated, so leave out a second event time" if design.n_never == 0 else ""
    return f"cannot be told apart from {list_some(others)} and the effects (exact collinearity){hint}"


def interval(row: pd.Series[float], level: float) -> str:
    """Return an interval in words."""
    return f"{100 * level:.4g}% interval {number(row['conf_low'])} to {number(row['conf_high'])}"


def short(fit: Estimate) -> str:
    """Return one line."""
    row = fit.tidy().iloc[0]
    head = f"{fit.estimator} of {fit.design.outcome}"
    if len(fit.terms) - len(fit.design.covariates) > 1:
        return f"{head}: {len(fit.terms)} terms ({fit.vcov.kind})"
    return f"{head}: {row['term']} {number(row['estimate'])} ({interval(row, fit.level)}, {fit.vcov.kind})"


def _caveats(fit: Estimate) -> list[str]:
    found = []
    if few := few_treated(fit.design, fit.vcov.kind):
        found.append(few)
    if fit.design.n_never == 0:
        found.append("no unit is never treated")
    if fit.estimator in ("twfe", "event_study") and len(fit.design.cohort_sizes) > 1:
        found.append(
            "adoption is staggered: if effects differ between cohorts or over time, two-way "
            "fixed effects mixes them with weights that can be negative"
        )
    if fit.design.covariates:
        found.append("covariates that the programme moves bias the effect")
    return found


def summary(fit: Estimate) -> str:
    """Return the text of `Estimate.summary`."""
    design = fit.design
    sizes = ", ".join(f"{c}: {n}" for c, n in design.cohort_sizes.items())
    unit = f" ({design.outcome_unit})" if design.outcome_unit else ""
    weighted = f", weighted by {design.weights}" if design.weights else ""
    effects = design.unit if design.effects == "unit" else f"{design.effects}, adopter cohort"
    lines = [
        f"{fit.estimator}: {design.outcome_label}{unit}",
        f"Outcome: {design.outcome}; unit: {design.unit}; time: {design.time}; cohort: {design.cohort}",
        f"Sample: {sample_words(design)}, {design.n_obs} rows{weighted}",
        f"Treated by cohort: {sizes}",
        f"Dropped: {dropped_words(design)}",
        f"Effects: {effects} and {design.time}; anticipation: {design.anticipation}",
        f"Equation: {fit.equation}",
        *(fit.notes or ("Comparison: units never or not yet treated, and units already treated",)),
        f"Covariance: {_covariance_words(fit)}",
        f"Intervals: {100 * fit.level:.4g}%",
        "",
        _table(fit),
        "",
        *_reasons(fit),
        *(f"Caveat: {text}." for text in _caveats(fit)),
        *([design.source] if design.source else []),
    ]
    return "\n".join(lines).rstrip()


def _covariance_words(fit: Estimate) -> str:
    design, vcov = fit.design, fit.vcov
    words = vcov.factor_text
    if vcov.kind.startswith("CR"):
        treated = f"{design.n_clusters}, of which {design.n_treated_clusters} treated"
        words += f"; clusters: {design.cluster} ({treated})"
    free = vcov.df[~np.isnan(vcov.df)]
    if free.size == 0:
        return words
    span = "" if np.allclose(free.min(), free.max()) else f" to {free.max():.5g}"
    return f"{words}; t with {free.min():.5g}{span} df"


def _shown(fit: Estimate) -> list[list[str]]:
    frame = fit.tidy()
    rows = []
    for _, row in frame.iterrows():
        cells = [str(row["term"]), number(row["estimate"])]
        cells += ["" if np.isnan(row[c]) else number(row[c]) for c in ("std_error", "statistic")]
        cells.append(_p_words(row["p_value"]))
        cells += ["" if np.isnan(row[c]) else number(row[c]) for c in ("conf_low", "conf_high")]
        cells.append("" if row["n_units"] is None or str(row["n_units"]) == "<NA>" else str(row["n_units"]))
        rows.append(cells)
    return rows


def _p_words(p: float) -> str:
    return "" if np.isnan(p) else f"{p:.4f}" if p >= 0.0001 else "<0.0001"


_HEADERS = ["term", "estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high", "treated"]


def _table(fit: Estimate) -> str:
    rows = [_HEADERS, *_shown(fit)]
    widths = [max(len(row[j]) for row in rows) for j in range(len(_HEADERS))]
    return "\n".join(
        "  ".join(
            c.ljust(w) if j == 0 else c.rjust(w) for j, (c, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )


def _reasons(fit: Estimate) -> list[str]:
    return [f"{term.name}: {term.reason}." for term in fit.terms if term.reason]


def html_table(fit: Estimate) -> str:
    """Return an HTML table with a caption, everything escaped."""
    caption = f"{short(fit)}. {sample_words(fit.design)}. {fit.vcov.factor_text}. {' '.join(fit.notes)}"
    head = "".join(f"<th scope='col'>{name}</th>" for name in _HEADERS)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in _shown(fit)
    )
    notes = "".join(f"<p>{html.escape(text)}</p>" for text in _reasons(fit))
    top = f"<caption>{html.escape(caption)}</caption><thead><tr>{head}</tr></thead>"
    return f"<table>{top}<tbody>{body}</tbody></table>{notes}"


def size(value: float, design: Design) -> str:
    """Return a difference in words: ``0.0365 log points lower``, ``£12 higher``."""
    unit, side = design.outcome_unit, "lower" if value < 0 else "higher"
    if unit.startswith("£"):
        return f"£{number(abs(value))} {side}"
    return f"{number(abs(value))}{f' {unit}' if unit else ''} {side}"


def in_sentence(label: str) -> str:
    """Return a label as it stands within a sentence (an acronym keeps its capitals).

    Examples
    --------
    >>> in_sentence("Teen employment"), in_sentence("GCE per adult")
    ('teen employment', 'GCE per adult')
    """
    return label[0].lower() + label[1:] if len(label) > 1 and label[1].islower() else label


def explain(fit: Estimate) -> str:
    """Return the text of `Estimate.explain`."""
    over_time = any(term.event_time is not None for term in fit.terms)
    if not over_time and not fit.identified[0]:
        return f"The effect cannot be estimated: {fit.terms[0].reason}."
    if over_time and not any(
        ok and (t.event_time or 0) >= 0 and t.event_time is not None
        for ok, t in zip(fit.identified, fit.terms, strict=True)
    ):
        return "No effect after adoption is identified: " + " ".join(_reasons(fit))
    row = fit.overall.iloc[0]
    lines = [_effect(fit, row, over_time), _range(fit, row)]
    if over_time:
        lines += _paths(fit)
    lines += [f"Mind: {text}." for text in _caveats(fit)]
    return "\n".join(lines)


def _effect(fit: Estimate, row: pd.Series[float], over_time: bool) -> str:
    mean = " on average over the event times" if over_time else ""
    label = in_sentence(fit.design.outcome_label)
    if fit.design.outcome_unit.startswith("£"):
        label += f" ({fit.design.outcome_unit})"
    return (
        f"After adoption, {label} was {size(row['estimate'], fit.design)}{mean} than "
        "without it, if trends were parallel."
    )


def _range(fit: Estimate, row: pd.Series[float]) -> str:
    low, high = float(row["conf_low"]), float(row["conf_high"])
    if np.isnan(low):
        return "No interval could be computed."
    head = (
        f"The {100 * fit.level:.4g}% interval runs from {size(low, fit.design)} to {size(high, fit.design)}"
    )
    if low > 0 or high < 0:
        near, far = (low, high) if low > 0 else (high, low)
        return (
            f"{head}: it excludes zero, and leaves open any size between {number(abs(near))} "
            f"and {number(abs(far))}."
        )
    return (
        f"{head}: it includes zero, which is not evidence of no effect. It rules out "
        "larger falls and larger rises than these, and nothing in between."
    )


def _paths(fit: Estimate) -> list[str]:
    frame = fit.tidy()
    frame = frame[frame["identified"] & frame["event_time"].notna()]
    lines = []
    for name, part in (
        ("Before", frame[frame["event_time"] < 0]),
        ("After", frame[frame["event_time"] >= 0]),
    ):
        if len(part):
            clear = int(((part["conf_low"] > 0) | (part["conf_high"] < 0)).sum())
            spread = f"{number(part['estimate'].min())} to {number(part['estimate'].max())}"
            lines.append(
                f"{name} adoption the {plural(len(part), 'coefficient')} "
                f"{'is' if len(part) == 1 else 'range over'} "
                f"{spread if len(part) > 1 else number(part['estimate'].iloc[0])}; {clear} of "
                "the intervals exclude zero."
            )
    lines.append(
        "Coefficients near zero before adoption do not prove parallel trends; single "
        "intervals do not test them jointly."
    )
    missing = [
        term.name
        for term, ok in zip(fit.terms, fit.identified, strict=True)
        if not ok and not term.reason.startswith("reference")
    ]
    if missing:
        lines.append(f"Not identified: {list_some(missing)}.")
    return lines
