"""Several terms at once: joint tests, simultaneous bands, and equivalence of one number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clsimpact import _auto
from clsimpact._check import plural
from clsimpact._combine import contrast_df
from clsimpact._tidy import REFERENCE
from clsimpact.errors import DesignError, did_you_mean, list_some
from clsimpact.inference.draws import p_value
from clsimpact.inference.equivalence import (
    Equivalence,
    two_one_sided,
    two_one_sided_draws,
    two_one_sided_lines,
)
from clsimpact.inference.linear import LinearForm
from clsimpact.inference.methods import ConleyTaber, FermanPinto, Multiplier, Permutation, Wild
from clsimpact.inference.multiplicity import critical_values, max_t, min_p
from clsimpact.inference.randomisation import permute_wald
from clsimpact.inference.wald import rank_of, walds
from clsimpact.inference.wild import joint_wild

if TYPE_CHECKING:
    from clsimpact._procedures import Procedure, Run
    from clsimpact.results import Estimate

__all__ = ["LEAST_TOGETHER", "bands", "choose", "equivalence", "joint_test", "simulated", "statistics_of"]

Floats = NDArray[np.float64]

LEAST_TOGETHER = 3
"""Adopters behind a term that enters bands and joint tests: two show their variation by one difference."""

SIDES = ("before", "after", "all")
STATISTICS = ("balanced", "sup_t", "wald")


@dataclass(frozen=True)
class _Chosen:
    """Positions of the terms that are tested, and why others are not."""

    at: list[int]
    left_out: str


def choose(fit: Estimate, terms: str | Sequence[str]) -> _Chosen:
    """Return the terms of a joint test or band, and say which others are left out and why."""
    names = [term.name for term in fit.terms]
    wanted = _wanted(fit, terms)
    least = LEAST_TOGETHER if _sees_adopters(fit) else 1
    behind = _auto.adopters_behind(fit)
    few = [term.n_units is not None and n < least for term, n in zip(fit.terms, behind, strict=True)]
    thin = [i for i in wanted if fit.identified[i] and few[i]]
    absent = [i for i in wanted if not fit.identified[i]]
    bare = [i for i in wanted if i not in thin and i not in absent and _no_error(fit, i)]
    at = [i for i in wanted if i not in thin and i not in absent and i not in bare]
    said = []
    if thin:
        said.append(f"{list_some(names[i] for i in thin)} (fewer than {least} adopters)")
    if absent:
        said.append(f"{list_some(names[i] for i in absent)} (not identified)")
    if bare:
        said.append(f"{list_some(names[i] for i in bare)} (no {fit.vcov.kind} error)")
    if not at:
        none = [] if wanted else [f"there are no terms {terms!r} that have event times"]
        repair = 'Average them first, aggregate("dynamic").' if fit.aggregator else "Choose other terms."
        raise DesignError("No term is left to test.", said or none, repair=repair)
    return _Chosen(at, "; ".join(said))


def _wanted(fit: Estimate, terms: str | Sequence[str]) -> list[int]:
    """Return the positions of the terms that are asked for, without references; refuse what is none."""
    names = [term.name for term in fit.terms]
    if not isinstance(terms, str) and not isinstance(terms, Sequence):
        raise DesignError(
            f"terms is {terms!r}.",
            repair=f"Use {', '.join(SIDES)}, or a list of terms: {list_some(names, 40)}.",
        )
    if isinstance(terms, str) and terms not in SIDES:
        raise DesignError(
            f"terms {terms!r} are not known{did_you_mean(terms, SIDES)}.",
            repair=f"Use {', '.join(SIDES)}, or a list of terms: {list_some(names, 40)}.",
        )
    if isinstance(terms, str):
        event = [term.event_time for term in fit.terms]
        start = -fit.design.anticipation
        low, high = {"before": (-np.inf, start - 1), "after": (0, np.inf), "all": (-np.inf, np.inf)}[terms]
        wanted = [i for i, e in enumerate(event) if e is not None and low <= e <= high]
    else:
        unknown = [f"{name!r}{did_you_mean(str(name), names)}" for name in terms if name not in names]
        if unknown:
            raise DesignError("These are no terms.", unknown, repair=f"Terms: {list_some(names, 40)}.")
        wanted = [names.index(name) for name in terms]
    return [i for i in wanted if not fit.terms[i].reason.startswith(REFERENCE)]


def _refuse_statistic(statistic: object, known: Sequence[str], makes: str) -> None:
    """Refuse a statistic that is none."""
    if statistic is not None and statistic not in known:
        near = did_you_mean(str(statistic), known)
        raise DesignError(f"statistic {statistic!r} {makes}{near}.", repair=f"Use {' or '.join(known)}.")


def _sees_adopters(fit: Estimate) -> bool:
    """Whether the method has to see how the adopters behind a term vary."""
    method = None if fit.procedure is None else fit.procedure.run.method
    return fit.vcov.kind == "path" or isinstance(method, Permutation | Multiplier)


def _no_error(fit: Estimate, at: int) -> bool:
    """Whether the covariance has no error of a term; draws tell of that themselves."""
    return fit.procedure is None and not fit.vcov.matrix[at, at] > 0


def joint_test(fit: Estimate, terms: str | Sequence[str], statistic: str | None) -> pd.DataFrame:
    """Return `Estimate.joint_test`."""
    _wanted(fit, terms)
    _refuse_statistic(statistic, STATISTICS, "is not known")
    if why := _auto.no_joint_words(fit, terms):
        raise DesignError(f"No joint test: {why}.", repair="Ask for a method by name, and read docs/size.md.")
    chosen = choose(fit, terms)
    run = None if fit.procedure is None else fit.procedure.run
    method = None if run is None else run.method
    by_parts = isinstance(method, Wild) and method.parts != "clusters"
    ranked = isinstance(method, Permutation | Multiplier) or by_parts or (run is None and fit.asked == "auto")
    usual = "balanced" if ranked else "wald"
    kind = usual if statistic is None else statistic
    if fit.procedure is not None and (why := _no_draws(fit.procedure, kind)):
        raise DesignError(f"No joint test: {why}.", repair="Use 'permutation' or 'wild', or 'balanced'.")
    if run is None:
        value, p, words = _by_distribution(fit, chosen.at, kind)
    elif kind == "wald":
        value, p = _wald_of_draws(fit, run, chosen.at)
        words = (run if isinstance(method, Wild) else run.about_zero).words
    else:
        run = run if isinstance(method, Wild) else run.about_zero
        value, p = _largest(fit, run, chosen.at, kind)
        words = run.words
    names = [fit.terms[i].name for i in chosen.at]
    row: dict[str, Any] = {"terms": list_some(names, 40), "n_terms": len(names), "statistic": value}
    row |= {"p_value": p, "test": kind, "inference": words, "left_out": chosen.left_out}
    return pd.DataFrame([row])


def _no_draws(procedure: Procedure, kind: str) -> str:
    """Why a method has no draws of a joint statistic, or nothing."""
    method = procedure.run.method
    if not isinstance(method, Permutation | Wild | Multiplier):
        return f"{procedure.name} has no distribution of several terms"
    if kind != "wald":
        return ""
    if isinstance(method, Multiplier):
        return "the multiplier bootstrap takes no covariance anew, so that it has no Wald statistic"
    if isinstance(method, Wild) and method.parts != "clusters":
        return "the Wald statistic is drawn by clusters, not by rows"
    if isinstance(method, Permutation) and (method.refit or method.statistic != "t"):
        return "the Wald statistic is re-assigned studentised and without refits only"
    return ""


def _no_bands(fit: Estimate) -> str:
    """Why a method makes no bands, or nothing."""
    method = None if fit.procedure is None else fit.procedure.run.method
    if isinstance(method, Wild) and method.impose_null:
        return (
            "the bootstrap with the null imposed has draws for each hypothesis, not about the estimates "
            "(without it bands were measured to miss far too often with few adopters)"
        )
    return f"{fit.method} has none" if isinstance(method, ConleyTaber | FermanPinto) else ""


def statistics_of(fit: Estimate, run: Run, at: list[int]) -> tuple[Floats, Floats, Floats]:
    """Return observed statistics (m), those of the draws under no effect (B, m), and errors (m)."""
    columns = [fit.procedure.columns[i] for i in at] if fit.procedure is not None else at
    drawn = run.numbers()
    return drawn.observed[columns], drawn.statistics[:, columns], drawn.errors[columns]  # type: ignore[union-attr]


def _largest(fit: Estimate, run: Run, at: list[int], kind: str) -> tuple[float, float]:
    """Return the largest statistic and its p-value, by size or by rank."""
    observed, draws, _ = statistics_of(fit, run, at)
    known = np.isfinite(observed)
    observed, draws = observed[known], np.nan_to_num(draws[:, known], nan=np.inf)
    value = float(np.abs(observed).max(initial=0.0))
    if kind == "sup_t":
        return value, float(max_t(observed, draws).min())
    return value, min_p(observed, draws)[0]


def _wald_of_draws(fit: Estimate, run: Run, at: list[int]) -> tuple[float, float]:
    """Return the Wald statistic of several terms and its p-value by the draws of the method."""
    columns = [fit.procedure.columns[i] for i in at] if fit.procedure is not None else at
    pick = np.eye(run.width)[:, columns]
    if isinstance(run.method, Wild):
        chosen = {"weights": run.method.weights, "impose_null": run.method.impose_null}
        how = {"draws": run.draws, "seed": run.seed, "executor": run.executor}
        value, draws, every = joint_wild(run.forms.by_row, pick, **chosen, **how)  # type: ignore[arg-type]
        exact = every and run.method.impose_null
        return value, float(p_value(draws, np.array(value), enumerated=exact))
    form: LinearForm = run.forms.by_type.combine(pick)
    value, draws, every = permute_wald(
        form,
        run.forms.outcomes,
        run.assignments,
        run.forms.patterns,
        draws=run.draws,
        seed=run.seed,
        executor=run.executor,
    )
    return value, float(p_value(draws, np.array(value)))


def _by_distribution(fit: Estimate, at: list[int], kind: str) -> tuple[float, float, str]:
    """Return a Wald statistic with an F distribution, or the largest t with its simulated distribution."""
    from scipy.special import fdtrc

    numbers, matrix = fit.estimates[at], fit.vcov.matrix[np.ix_(at, at)]
    df = float(np.nanmin(fit.vcov.df[at]))
    if kind == "wald":
        value, rank = float(walds(numbers[None], matrix[None]).item()), rank_of(matrix)
        words = f"{fit.vcov.kind}, F with {rank} and {df:.4g} degrees of freedom"
        return value, float(fdtrc(rank, df, value / rank)), words
    observed = numbers / np.sqrt(np.diag(matrix))
    draws = simulated(matrix, df)
    value = float(np.abs(observed).max())
    p = max_t(observed, draws).min() if kind == "sup_t" else min_p(observed, draws)[0]
    return value, float(p), f"{fit.vcov.kind}, largest t of {SIMULATED:,} draws of a t with {df:.4g} df"


SIMULATED = 9999
"""Draws of the t distribution of several terms: the critical value is known to about 0.02."""


def simulated(matrix: Floats, df: float) -> Floats:
    """Draw studentised terms with the correlation of ``matrix``: normal, over a root of chi-squared / df."""
    rng = np.random.default_rng(0)
    error = np.sqrt(np.diag(matrix))
    roots, vectors = np.linalg.eigh(matrix / error[:, None] / error)
    draws = rng.standard_normal((SIMULATED, len(error))) @ (vectors * np.sqrt(np.maximum(roots, 0))).T
    scale = np.ones(SIMULATED) if not np.isfinite(df) else np.sqrt(rng.chisquare(df, SIMULATED) / df)
    return np.asarray(draws / scale[:, None])


def equivalence(
    fit: Estimate, margin: float | tuple[float, float], row: str | None, level: float
) -> Equivalence:
    """Return `Estimate.equivalence`."""
    if fit.refused:
        raise DesignError(
            f"No test: {fit.refused}.",
            repair="Ask for another method with with_inference, or for single terms.",
        )
    if row is None and fit.total is not None:
        return equivalence(fit.total, margin, fit.total.terms[0].name, level)
    names = [term.name for term in fit.terms]
    contrast = np.zeros(len(names))
    if row is None and any(term.event_time is not None for term in fit.terms):
        after = [i for i, t in enumerate(fit.terms) if (t.event_time or -1) >= 0 or t.event_time == 0]
        after = [i for i in after if fit.identified[i]]
        if not after:
            raise DesignError("No effect after adoption is identified.", repair="Choose a term with row=...")
        contrast[after] = 1 / len(after)
    elif row is not None and row not in names:
        raise DesignError(
            f"{row!r} is no term{did_you_mean(row, names)}.", repair=f"Terms: {list_some(names, 40)}."
        )
    else:
        contrast[0 if row is None else names.index(row)] = 1.0
    table = fit.overall if row is None else fit.tidy()
    shown = (table if row is None else table[table["term"].eq(row)]).iloc[0]
    return _against_margin(fit, contrast, shown, margin, level)


def equivalence_of(
    fit: Estimate, margin: float | tuple[float, float], weights: Mapping[str, float], level: float
) -> Equivalence:
    """Return `Estimate.equivalence` of a weighted sum of terms."""
    if fit.refused:
        raise DesignError(
            f"No test: {fit.refused}.",
            repair="Ask for another method with with_inference, or for single terms.",
        )
    shown = fit.linear_combination(weights).iloc[0]
    contrast = np.array([float(weights.get(term.name, 0.0)) for term in fit.terms])
    return _against_margin(fit, contrast, shown, margin, level)


def _against_margin(
    fit: Estimate, contrast: Floats, shown: pd.Series, margin: float | tuple[float, float], level: float
) -> Equivalence:
    """Test a combination of terms, whose row is shown, against a margin."""
    estimate = float(fit.estimates[contrast != 0] @ contrast[contrast != 0])
    if np.isfinite(estimate) and np.isnan(shown["conf_low"]):
        raise DesignError(
            f"No test: {shown['reason'] or 'the number has no interval'}.",
            repair="Choose another row, or another method with with_inference.",
        )
    if fit.procedure is None:
        used = np.flatnonzero(contrast)
        error = float(np.sqrt(contrast[used] @ fit.vcov.matrix[np.ix_(used, used)] @ contrast[used]))
        return two_one_sided(estimate, error, contrast_df(fit, contrast), margin=margin, level=level)
    drawn = fit.procedure.drawn(contrast)
    if drawn is None:
        raise DesignError(f"{fit.procedure.name} has no distribution to test against.", repair="Use 'auto'.")
    error = float(drawn.errors[0])
    if drawn.lines:
        return two_one_sided_lines(estimate, error, drawn.lines[0], margin=margin, level=level)
    return two_one_sided_draws(estimate, error, drawn.statistics[:, 0], margin=margin, level=level)


def bands(fit: Estimate, terms: str | Sequence[str], statistic: str | None, level: float) -> pd.DataFrame:
    """Return `Estimate.bands`."""
    _wanted(fit, terms)
    _refuse_statistic(statistic, STATISTICS[:2], "makes no bands")
    frame = fit.tidy()
    frame = frame.assign(band_low=np.nan, band_high=np.nan, critical=np.nan)
    if why := _auto.no_joint_words(fit, terms) or _no_bands(fit):
        if fit.asked != "auto" and not fit.refused:
            raise DesignError(f"No bands: {why}.", repair="Use 'permutation', or Wild(impose_null=False).")
        frame.attrs["bands"] = f"no bands: {why}"
        return frame
    chosen = choose(fit, terms)
    kind = statistic or "balanced"
    if fit.procedure is None:
        matrix = fit.vcov.matrix[np.ix_(chosen.at, chosen.at)]
        draws = simulated(matrix, float(np.nanmin(fit.vcov.df[chosen.at])))
        error = np.sqrt(np.diag(matrix))
    else:
        _, draws, error = statistics_of(fit, fit.procedure.run.about_zero, chosen.at)
    known = np.isfinite(error)
    at = np.array(chosen.at)[known]
    edge = critical_values(np.nan_to_num(draws[:, known], nan=np.inf), level, balanced=kind == "balanced")
    middle, margin = fit.estimates[at], edge * error[known]
    out = {"band_low": middle - margin, "band_high": middle + margin, "critical": edge}
    for name, values in out.items():
        column = np.full(len(frame), np.nan)
        column[at] = values
        frame[name] = column
    frame.attrs["bands"] = (
        f"simultaneous over {plural(len(at), 'term')}, {'balanced ' if kind == 'balanced' else ''}sup-t, "
        f"{100 * level:.4g}%" + (f"; without {chosen.left_out}" if chosen.left_out else "")
    )
    return frame
