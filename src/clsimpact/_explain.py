"""The words of an estimate: summary, table and explanation, all computed from the numbers."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from clsimpact import _auto
from clsimpact._check import (
    FEW_TREATED,
    cannot_be_read,
    dropped_words,
    few_treated,
    kind_label,
    lone_words,
    number,
    plural,
    rests_on_one,
    sample_words,
    unit_text,
    unit_word,
)
from clsimpact._display import attribution_of, card, folded, grid, pairs, paragraphs
from clsimpact._estimator_names import NAMES
from clsimpact.errors import ClsimpactWarning, list_some

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from clsimpact.design import Design
    from clsimpact.estimators._within import Regression
    from clsimpact.results import Estimate


NO_VARIATION = "no variation left once effects and the other terms are removed"
"""Why a coefficient is not identified that no other term shares its column with."""


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
        return NO_VARIATION
    hint = "; no unit is never treated, so leave out a second event time" if design.n_never == 0 else ""
    return f"cannot be told apart from {list_some(others)} and the effects (exact collinearity){hint}"


def interval(row: pd.Series[float], level: float) -> str:
    """Return an interval in words."""
    return f"{100 * level:.4g}% interval {number(row['conf_low'])} to {number(row['conf_high'])}"


def short(fit: Estimate) -> str:
    """Return one line, in the names that were typed."""
    head = f"{'SIMULATED: ' if fit.design.simulated else ''}{fit.estimator} of {fit.design.outcome}"
    return f"{head}: {_headline(fit)}"


def _headline(fit: Estimate) -> str:
    """Return what came out: the one number, or how many there are."""
    many = plural(len(fit.terms), "term")
    if fit.total is None and len(effects(fit)) > 1:
        return f"{many} ({kind_label(fit.method)})"
    row = (fit if fit.total is None else fit.total).tidy().iloc[0]
    if np.isnan(row["estimate"]):
        return f"{row['term']} not identified ({row['reason']})"
    span = f"{interval(row, fit.level)}, {kind_label(fit.method)}"
    if rests_on_one(fit.design, row["n_units"]):
        span = f"{lone_words(fit.design)}: no interval can be trusted"
    if np.isnan(row["conf_low"]):
        span = f"no interval, {kind_label(fit.method)}"
    more = "" if fit.total is None else f"; {many}"
    return f"{row['term']} {number(row['estimate'])} ({span}){more}"


def effects(fit: Estimate) -> list[int]:
    """Return the positions of the terms that are effects of adoption, without covariates."""
    several = [i for i, t in enumerate(fit.terms) if t.n_units is not None or t.event_time is not None]
    return several or [0]


ONE_MODEL = ("twfe", "event_study", "sun_abraham", "extended_twfe", "imputation", "two_stage")
"""Estimators with one set of effects of units and periods."""

TWO_WAY = ("twfe", "event_study")
"""Regressions that also compare with units already treated."""


def caveats(fit: Estimate) -> list[str]:
    """Return what the reader of an estimate must mind."""
    found = []
    offered = () if fit.uncertainty is None else fit.uncertainty.kinds
    shown = None if fit.refused else fit.method
    if few := few_treated(fit.design, shown, estimator=fit.estimator, offered=offered):
        found.append(few)
    if fit.design.n_never == 0:
        found.append("no unit is never treated")
    if fit.estimator in TWO_WAY and len(fit.design.cohort_sizes) > 1:
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
    unit = f" ({unit_text(design)})" if unit_text(design) else ""
    weighted = f", weighted by {design.weights}" if design.weights else ""
    held = design.unit if design.effects == "unit" else f"{design.effects}, adopter cohort"
    lines = [
        f"{fit.estimator}: {design.outcome_label}{unit}",
        f"O{_columns(design)[1:]}",
        f"Sample: {sample_words(design)}, {design.n_obs} rows{weighted}",
        f"Treated by cohort: {sizes}",
        f"Dropped: {dropped_words(design)}",
        f"{f'Effects: {held} and {design.time}; a' if fit.estimator in ONE_MODEL else 'A'}nticipation: "
        f"{design.anticipation}",
        f"Equation: {fit.equation}",
        *_comparison(fit),
        *fit.notes,
        f"Covariance: {_covariance_words(fit)}",
        *_inference_words(fit),
        f"Intervals: {100 * fit.level:.4g}%",
        "",
        _table(fit),
        *_total_row(fit),
        "",
        *_reasons(fit),
        *(f"Caveat: {text}." for text in caveats(fit)),
        *([design.source] if design.source else []),
    ]
    return "\n".join(lines).rstrip()


def _comparison(fit: Estimate) -> list[str]:
    if fit.estimator not in TWO_WAY:
        return []
    return ["Comparison: units never or not yet treated, and units already treated"]


KIND_WORDS = {
    "CR0": "no finite-sample factor",
    "cohort": "deviations from the means of each cohort and of its controls",
    "regression": "CR1 of the authors' pooled regression",
    "CR2": "Satterthwaite degrees of freedom",
    "CR2_IK": "Imbens-Kolesár degrees of freedom; with unit effects they are Satterthwaite's",
    "path": "CR2 with residuals around one path of effects by event time, Satterthwaite degrees of freedom",
    "CR3": "leaves out one cluster at a time",
    "jackknife": "leaves out one cluster at a time",
}
"""What is behind a kind of covariance, where its factor does not say it."""


def _covariance_words(fit: Estimate) -> str:
    design, vcov = fit.design, fit.vcov
    words = vcov.factor_text
    if vcov.kind in KIND_WORDS:
        words += f" ({KIND_WORDS[vcov.kind]})"
    if vcov.kind not in ("HC1", "iid"):
        treated = f"{design.n_clusters}, of which {design.n_treated_clusters} treated"
        words += f"; clusters: {design.cluster} ({treated})"
    free = vcov.df[~np.isnan(vcov.df)]
    if free.size == 0:
        return words
    if np.isinf(free).all():
        return f"{words}; normal distribution"
    least, most = f"{free.min():.5g}", f"{free.max():.5g}"
    return f"{words}; t with {least if least == most else f'{least} to {most}'} df"


def _inference_words(fit: Estimate) -> list[str]:
    """Say what p-values and intervals come from, why, and what other methods give for the overall effect."""
    lines = []
    if fit.procedure is not None:
        lines.append(f"p-values and intervals: {fit.procedure.run.words}")
    if fit.asked != "auto":
        return lines
    lines.append(f"Inference: auto, {fit.why}")
    if fit.design.n_treated_clusters > FEW_TREATED or fit.refused:
        return lines
    said = [_other_way(fit, method) for method in _auto.other_ways(fit)]
    return [*lines, f"Overall effect by other methods: {'; '.join(said)}"] if said else lines


def _other_way(fit: Estimate, method: str) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ClsimpactWarning)
        row = fit.with_inference(method).overall.iloc[0]
    label = kind_label(method)
    if np.isnan(row["conf_low"]):
        return f"{label}: no interval"
    return f"{label} {number(row['conf_low'])} to {number(row['conf_high'])}, p {_p_words(row['p_value'])}"


def _total_row(fit: Estimate) -> list[str]:
    """Return the overall effect, where the table above does not hold it."""
    if fit.total is None:
        return []
    row = fit.total.tidy().iloc[0]
    if np.isnan(row["estimate"]):
        return ["", f"Overall ({row['term']}): not identified, {row['reason']}"]
    error = "" if np.isnan(row["std_error"]) else f", standard error {number(row['std_error'])}"
    return ["", f"Overall ({row['term']}): {number(row['estimate'])} ({interval(row, fit.level)}{error})"]


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
    """Return each reason once, with the terms that it belongs to."""
    found: dict[str, list[str]] = {}
    for name, why in zip(*(fit.tidy()[key] for key in ("term", "reason")), strict=True):
        if why:
            found.setdefault(why, []).append(name)
    return [f"{list_some(names)}: {why}." for why, names in found.items()]


def _symbols(fit: Estimate) -> list[str]:
    """Say what the letters in the names of terms count."""
    period = "years" if "year" in fit.design.time.lower() else "periods"
    meaning = {
        "e": f"{period} since adoption (0 is the first treated)",
        "g": "cohort, by its first treated period",
        "t": "period",
    }
    letters = {part[0] for term in fit.terms for part in re.findall(r"\b[egt](?=[<>]?=)", term.name)}
    said = [f"{letter}: {words}" for letter, words in meaning.items() if letter in letters]
    return [f"{'; '.join(said)}."] if said else []


def _columns(design: Design) -> str:
    return f"outcome: {design.outcome}; unit: {design.unit}; time: {design.time}; cohort: {design.cohort}"


def _sentence(text: str) -> str:
    """Begin with a capital, where the first word is a word and not the name of a term."""
    return f"{text[0].upper()}{text[1:]}" if text.split(" ", 1)[0].isalpha() else text


class Shown(NamedTuple):
    """What a notebook shows of an estimate, as text.

    Attributes
    ----------
    caption, source : str
    heads, rows
        The table of terms.
    below
        Overall effect, reasons and caveats.
    how
        How it was estimated: names and what they mean.
    simulated : bool
    """

    caption: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    below: tuple[str, ...]
    how: tuple[tuple[str, str], ...]
    source: str
    simulated: bool

    def html(self) -> str:
        """Return the terms as a table, what to mind below it, and how they were estimated, folded."""
        return card(
            grid(self.caption, self.heads, self.rows, align="l" + "r" * (len(self.heads) - 1)),
            paragraphs(self.below),
            folded("How it was estimated", pairs(self.how)),
            simulated=self.simulated,
            source=self.source,
        )


def shown(fit: Estimate) -> Shown:
    """Return what a notebook shows of an estimate."""
    design, percent = fit.design, f"{100 * fit.level:.4g}%"
    heads = ("Term", "Estimate", "Std. error", "Statistic", "p-value", f"{percent} low", f"{percent} high")
    unit = f" ({unit_text(design)})" if unit_text(design) else ""
    name = f"{'SIMULATED: ' if design.simulated else ''}{NAMES.get(fit.estimator, fit.estimator)}"
    how = (
        ("Columns", _columns(design)),
        ("Equation", fit.equation),
        *(("Note", note) for note in (*_comparison(fit), *fit.notes)),
        ("Treated by cohort", ", ".join(f"{c}: {n}" for c, n in design.cohort_sizes.items())),
        ("Dropped", dropped_words(design)),
        ("Covariance", _covariance_words(fit)),
        ("p-values and intervals", "" if fit.procedure is None else fit.procedure.run.words),
        ("Inference", f"auto, {fit.why}" if fit.asked == "auto" else ""),
        ("Attribution", attribution_of(design.provenance["data"])),
    )
    return Shown(
        caption=f"{name}: {design.outcome_label}{unit}. {_sentence(_headline(fit))}. {sample_words(design)}.",
        heads=(*heads, "Treated units"),
        rows=tuple(map(tuple, _shown(fit))),
        below=(
            *_symbols(fit),
            *(line for line in _total_row(fit) if line),
            *_reasons(fit),
            *(f"Caveat: {text}." for text in caveats(fit)),
        ),
        how=how,
        source=design.source,
        simulated=design.simulated,
    )


POUNDS = {
    "£000": "thousand",
    "£1,000": "thousand",
    "£ thousand": "thousand",
    "£m": "million",
    "£ million": "million",
}
"""How units in pounds begin, where they are not single pounds, and what follows the figure."""


def size(value: float, design: Design) -> str:
    """Return a difference in words: ``0.0365 log points lower``, ``£12 higher``.

    Per cents and proportions are told in percentage points, a ratio or a score as a bare number.
    """
    unit, side = unit_text(design), "lower" if value < 0 else "higher"
    if unit.startswith("£"):
        scale = next((f" {word}" for start, word in POUNDS.items() if unit.startswith(start)), "")
        return f"£{number(abs(value))}{scale} {side}"
    if unit.startswith(("proportion", "%")):
        points = 100 * value if unit.startswith("proportion") else value
        return f"{number(abs(points))} percentage points {side}"
    after = "" if not unit or unit.startswith(("ratio", "score")) else f" {unit}"
    return f"{number(abs(value))}{after} {side}"


def span(low: float, high: float, design: Design) -> str:
    """Return a range in words: ``0.03 to 0.07 log points lower``."""
    if low * high < 0:
        return f"from {size(low, design)} to {size(high, design)}"
    near, far = (low, high) if low > 0 else (high, low)
    first, last = size(near, design), size(far, design)
    if first == last:
        return last
    start, end = first.split(" "), last.split(" ")
    while len(start) > 1 and start[-1] == end[-1]:
        start, end = start[:-1], end[:-1]
    return f"{' '.join(start)} to {last}"


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
    after = [i for i in effects(fit) if (fit.terms[i].event_time or 0) >= 0]
    if not over_time and len(after) == 1 and not fit.identified[after[0]]:
        return f"The effect cannot be estimated: {fit.terms[after[0]].reason}."
    if not fit.identified[after].any():
        return "No effect after adoption is identified: " + " ".join(_reasons(fit))
    row = fit.overall.iloc[0]
    lines = [_effect(fit, row), _range(fit, row)]
    if over_time:
        lines += _paths(fit)
    elif len(after) > 1:
        lines += _parts(fit)
    lines += [f"Mind: {text}." for text in caveats(fit)]
    return "\n".join(lines)


AVERAGES = {
    "ATT": " on average over treated units and periods",
    "average after adoption": " on average over the event times",
    "mean over cohorts": " on average over the cohorts, by their size",
    "mean over periods": " on average over the periods",
}
"""What an overall effect averages over, by its name."""


def _effect(fit: Estimate, row: pd.Series[float]) -> str:
    mean = AVERAGES.get(str(row["term"]), "")
    if not mean and fit.total is not None:
        mean = f" ({row['term']})"
    label, unit = in_sentence(fit.design.outcome_label), unit_text(fit.design)
    return (
        f"Estimated effect of adoption on {label}{f' ({unit})' if unit else ''}: "
        f"{size(row['estimate'], fit.design)}{mean}, if trends were parallel."
    )


def _range(fit: Estimate, row: pd.Series[float]) -> str:
    low, high = float(row["conf_low"]), float(row["conf_high"])
    if rests_on_one(fit.design, row["n_units"]):
        return (
            f"No interval can be trusted: the estimate rests on {lone_words(fit.design)}, whose own "
            "variation cannot be estimated."
        )
    if np.isnan(low):
        return f"No interval is shown: {fit.refused}." if fit.refused else "No interval could be computed."
    zero = "excludes zero" if low > 0 or high < 0 else "includes zero, which is not evidence of no effect"
    return (
        f"The {100 * fit.level:.4g}% interval runs from {size(low, fit.design)} to {size(high, fit.design)}: "
        f"it {zero}. Effects outside the interval are hard to reconcile with these data; effects inside are "
        "not ruled out."
    )


def _parts(fit: Estimate) -> list[str]:
    """Return the range of effects by cohort or by period."""
    frame = fit.tidy().iloc[effects(fit)]
    name = "By cohort" if frame["cohort"].notna().any() else "By period"
    lost = [str(term) for term in frame.loc[~frame["identified"], "term"]]
    more = [f"Not identified: {list_some(lost)}."] if lost else []
    return [_path(fit, name, frame[frame["identified"]], "effect"), *more]


def _paths(fit: Estimate) -> list[str]:
    frame = fit.tidy()
    frame = frame[frame["identified"] & frame["event_time"].notna()]
    sides = (
        ("Before", frame[frame["event_time"] < -fit.design.anticipation]),
        ("After", frame[frame["event_time"] >= 0]),
    )
    lines = [_path(fit, f"{name} adoption", part) for name, part in sides if len(part)]
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


def _path(fit: Estimate, name: str, part: pd.DataFrame, noun: str = "coefficient") -> str:
    """Return the coefficients of one side and what their intervals can say."""
    low, high = (size(value, fit.design) for value in (part["estimate"].min(), part["estimate"].max()))
    head = f"{name} the {len(part)} {noun}s range from {low} to {high}"
    if len(part) == 1:
        head = f"{name} the {noun} is {low}"
    alone = cannot_be_read(fit.design, part)
    counted = part[~alone & part["conf_low"].notna()]
    clear = int(((counted["conf_low"] > 0) | (counted["conf_high"] < 0)).sum())
    tail = [_clear_words(clear, len(counted))] if len(counted) else []
    tail += [_alone_words(int(alone.sum()), len(part), lone_words(fit.design))] if alone.any() else []
    return f"{'; '.join([head, *tail])}."


def _alone_words(count: int, total: int, one: str) -> str:
    if count == 1:
        return f"{'it' if total == 1 else 1} rests on {one}, so its interval cannot be trusted"
    some = f"all {count}" if count == total else count
    return f"{some} rest on {one} each, so their intervals cannot be trusted"


def _clear_words(clear: int, total: int) -> str:
    if total == 1:
        return f"the one interval counted {'excludes' if clear else 'includes'} zero"
    if clear == 0:
        return f"none of the {total} intervals excludes zero"
    if clear == total:
        return f"all {total} intervals exclude zero"
    return f"{clear} of the {total} intervals {'excludes' if clear == 1 else 'exclude'} zero"
