"""From a method to numbers: which draws a result asks for, and what its rows say with them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clsimpact import _auto, _combine
from clsimpact._check import TOO_NARROW
from clsimpact._forms import Forms
from clsimpact._refit import best_kind
from clsimpact._required import require
from clsimpact._runs import NAMES, Run
from clsimpact.errors import DesignError, FewTreatedWarning
from clsimpact.inference.blocks import checked_draws, checked_executor
from clsimpact.inference.draws import Drawn
from clsimpact.inference.influence import not_on_offer
from clsimpact.inference.linear import moments_of
from clsimpact.inference.methods import (
    NAMED,
    ConleyTaber,
    FermanPinto,
    Method,
    Multiplier,
    Permutation,
    Wild,
)
from clsimpact.inference.sandwich import KINDS, Counts, Covariance, sandwich

if TYPE_CHECKING:
    from clsimpact.design import Design
    from clsimpact.results import Estimate

__all__ = [
    "Procedure",
    "Run",
    "base_kind",
    "finished",
    "path_covariance",
    "path_df",
    "quick_kind",
    "record",
    "with_method",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ONE_ADOPTER = "one adopter: its own variation cannot be told from its effect, no interval holds"
"""Reason of a number that rests on one adopter, where the method needs to see how adopters vary."""

ONE_CLUSTER = "one treated cluster: its own variation cannot be told from its effect, no interval holds"
"""The same of a number that rests on several adopters of one cluster."""


COEFFICIENT = (
    "Permutation of the coefficient is valid only if adopters are as noisy as others; statistic='t', the "
    "default, allows for noisier ones."
)
"""Warning of a method that does not take the error anew in each draw."""


@dataclass(frozen=True, eq=False)
class Procedure:
    """What a result asks of a run: its own columns.

    Attributes
    ----------
    run : Run
    columns : tuple of int
        Column of each term in the run.
    """

    run: Run
    columns: tuple[int, ...]

    @property
    def name(self) -> str:
        """Name of the method."""
        return NAMES[type(self.run.method)]

    def drawn(self, contrast: Floats) -> Drawn | None:
        """Return the draws of a combination of terms, where there are any."""
        weights = np.zeros((self.run.width, 1))
        weights[list(self.columns), 0] = contrast
        found = self.run.numbers(weights)
        return found if isinstance(found, Drawn) else None

    def told(self, fit: Estimate, frame: pd.DataFrame, contrast: Floats | None = None) -> pd.DataFrame:
        """Put p-values and intervals of the draws into tidy rows of ``fit``, whose procedure this is.

        ``contrast`` (terms, m) makes rows of combinations; by default each row is a term.
        """
        if contrast is None:
            drawn, pick = self.run.numbers(), list(self.columns)
        else:
            weights = np.zeros((self.run.width, contrast.shape[1]))
            weights[list(self.columns)] = contrast
            drawn, pick = self.run.numbers(weights), list(range(contrast.shape[1]))
        low, high = (end[pick] for end in drawn.intervals(fit.level))
        found = {"p_value": drawn.p_values()[pick], "conf_low": low, "conf_high": high}
        if isinstance(drawn, Drawn) and _studentised(self.run.method):
            found |= {"std_error": drawn.errors[pick], "statistic": drawn.observed[pick]}
        placebos = isinstance(self.run.method, ConleyTaber | FermanPinto)
        if placebos:
            nothing = np.full(len(frame), np.nan)
            found |= {"std_error": nothing, "statistic": nothing}
        shown = frame["identified"].to_numpy(dtype=bool)
        frame = frame.assign(**{key: np.where(shown, value, np.nan) for key, value in found.items()})
        return without_remark(frame) if placebos else without_lone(fit, frame, contrast)


def without_remark(frame: pd.DataFrame) -> pd.DataFrame:
    """Take the remark on lone adopters off rows whose method does not have to see how adopters vary."""
    narrow = frame["reason"].str.contains(TOO_NARROW, regex=False).to_numpy(dtype=bool)
    narrow = narrow & frame["identified"].to_numpy(dtype=bool)
    return frame.assign(reason=np.where(narrow, "", frame["reason"].to_numpy(dtype=object)))


def without_narrow(fit: Estimate, frame: pd.DataFrame, contrast: Floats | None = None) -> pd.DataFrame:
    """Take intervals from effects of a covariance that says nothing of the adopters' own variation."""
    effects = (frame["event_time"].notna() | frame["cohort"].notna()).to_numpy(dtype=bool)
    lone = _auto.adopters_behind(fit, contrast) == 1
    narrow = frame["reason"].str.contains(TOO_NARROW, regex=False).to_numpy(dtype=bool) & effects
    gone = frame["identified"].to_numpy(dtype=bool) & (lone | narrow)
    columns = {key: frame[key].mask(gone) for key in ("p_value", "conf_low", "conf_high")}
    return frame.assign(**columns, reason=_reasons(frame, gone & ~narrow))


def _reasons(frame: pd.DataFrame, lone: NDArray[np.bool_]) -> NDArray[np.object_]:
    """Return the reasons of rows, those that rest on one treated cluster told so."""
    own = [ONE_ADOPTER if n <= 1 else ONE_CLUSTER for n in frame["n_units"].fillna(0)]
    return np.where(lone, np.array(own, dtype=object), frame["reason"].to_numpy(dtype=object))


def without_lone(fit: Estimate, frame: pd.DataFrame, contrast: Floats | None = None) -> pd.DataFrame:
    """Take intervals from rows that rest on one adopter, for methods that have to see how adopters vary.

    Where several adopters stand behind a row these methods see how they vary even if each is the only one of
    its cohort, so that the remark on lone adopters of a cohort falls.
    """
    frame = without_remark(frame)
    lone = frame["identified"].to_numpy(dtype=bool) & (_auto.adopters_behind(fit, contrast) == 1)
    gone = ("std_error", "statistic", "p_value", "conf_low", "conf_high")
    columns = {key: frame[key].mask(lone) for key in gone}
    return frame.assign(**columns, reason=_reasons(frame, lone))


def _studentised(method: Method) -> bool:
    return isinstance(method, Wild | Multiplier) or (
        isinstance(method, Permutation) and method.statistic == "t"
    )


COVARIANCES = (*KINDS, "jackknife", "CR2_IK", "cohort", "leave_one_out", "regression", "placebo", "bootstrap")
"""Names of covariances that some estimator has."""


def base_kind(inference: object, default: str) -> str:
    """Return the covariance that an estimator computes at once.

    What draws need comes after; names that nobody has come after too: `with_method` tells of every method.
    """
    return inference if isinstance(inference, str) and inference in COVARIANCES else default


def quick_kind(kind: str) -> str:
    """Return the covariance that an estimator computes when it is asked again, for its numbers only."""
    return "CR0" if kind in ("CR1", "CR2", "CR2_IK", "CR3", "jackknife") else kind


def finished(fit: Estimate, again: Callable[[Design], Estimate], inference: str | Method) -> Estimate:
    """Return what an estimator hands over: able to be asked again, with the inference that was asked for."""
    fit = replace(fit, again=again)
    if isinstance(inference, str) and inference == fit.vcov.kind:
        warn_if_narrow(fit, inference)
        return fit
    return fit.with_inference(inference)


def warn_if_narrow(fit: Estimate, kind: str) -> None:
    """Warn where a covariance was measured to reject too often with so few adopters."""
    if text := _auto.too_narrow_words(fit, kind):
        warnings.warn(text, FewTreatedWarning, stacklevel=4)


def with_method(
    fit: Estimate,
    method: str | Method,
    *,
    level: float,
    draws: int,
    seed: int,
    executor: Executor | None,
    progress: bool,
    forms: Forms | None = None,
) -> Estimate:
    """Return `Estimate.with_inference` for a name or a method that is no plain covariance."""
    draws, seed = checked_draws(draws, seed)
    checked_executor(executor)
    if method == "auto":
        return _chosen(fit, level=level, draws=draws, seed=seed, executor=executor, progress=progress)
    found = NAMED.get(method) if isinstance(method, str) else method
    if method == "ferman_pinto":
        raise DesignError(
            "ferman_pinto needs the size of each unit.",
            repair="Use with_inference(clsimpact.inference.FermanPinto(size=<population by unit>)).",
        )
    by_name = forms is None
    forms = Forms(_plain(fit), executor) if forms is None else forms
    if method == "path":
        return replace(_with_path(fit, forms, level), asked="path")
    if found is None or not isinstance(found, Method):
        offered = () if fit.uncertainty is None else fit.uncertainty.kinds
        raise not_on_offer(method, (*offered, "auto", "path", *NAMED, "ferman_pinto"))
    run = Run(found, forms, draws, seed, executor, progress)
    require(run)
    if by_name and (text := _method_words(fit, found)):
        warnings.warn(text, FewTreatedWarning, stacklevel=4)
    own_path = fit.rows is not None and isinstance(found, Permutation)
    if own_path or (isinstance(found, Permutation) and not found.refit):
        base = _with_path(fit, forms, level)
    else:
        base = _with_kind(fit, found, level)
    if executor is not None or progress:
        run.numbers()
    return _joined(base, replace(run, progress=False), found)


def record(fit: Estimate) -> dict[str, Any]:
    """Say what p-values and intervals come from, so that they can be made again (`Estimate.provenance`)."""
    run = None if fit.procedure is None else fit.procedure.run
    asked = fit.asked if isinstance(fit.asked, str) else NAMES[type(fit.asked)]
    return {
        "asked": asked or fit.vcov.kind,
        "method": fit.method,
        "options": {} if run is None else _options(run.method),
        "draws": None if run is None else run.draws,
        "seed": None if run is None else run.seed,
        "why": fit.why,
        "refused": fit.refused,
    }


def _options(method: Method) -> dict[str, Any]:
    """Options of a method by name; mappings of units become plain dictionaries."""
    found = {each.name: getattr(method, each.name) for each in fields(method)}
    return {key: dict(value) if isinstance(value, Mapping) else value for key, value in found.items()}


def _method_words(fit: Estimate, method: Method) -> str:
    """Say at which rate a method was measured to reject, where that is too often; else nothing."""
    name = NAMES[type(method)]
    if isinstance(method, Wild):
        name = "wild" if method.impose_null else "wild_unrestricted"
    elif isinstance(method, Permutation) and method.statistic == "coefficient":
        return _auto.too_narrow_words(fit, "coefficient", draws=True) or COEFFICIENT
    elif isinstance(method, Multiplier) and fit.uncertainty is not None:
        name = fit.uncertainty.kinds[0]
    elif isinstance(method, ConleyTaber | FermanPinto):
        return ""
    return _auto.too_narrow_words(fit, name, draws=True)


def _plain(fit: Estimate) -> Estimate:
    """Return a result without its draws, and without what was chosen or refused before."""
    plain: Any = {"procedure": None, "why": "", "refused": ""}
    total = None if fit.total is None else replace(fit.total, **plain)
    return replace(fit, total=total, **plain)


def _joined(fit: Estimate, run: Run, method: Method) -> Estimate:
    n = len(fit.terms)
    own = Procedure(run, tuple(range(n)))
    total = fit.total
    if total is not None:
        total = replace(total, procedure=Procedure(run, (n,)), asked=method, why="")
    return replace(fit, procedure=own, total=total, asked=method, why="")


def _with_kind(fit: Estimate, method: Method, level: float) -> Estimate:
    """Return the result with the covariance whose errors the method uses."""
    offered = () if fit.uncertainty is None else fit.uncertainty.kinds
    kind = "CR1" if isinstance(method, Wild) and "CR1" in offered else fit.vcov.kind
    if isinstance(method, Permutation):
        kind = best_kind(_plain(fit))
    if kind == "path":
        kind = offered[0]
    return _combine.with_kind(_plain(fit), kind, level)


def _with_path(fit: Estimate, forms: Forms, level: float) -> Estimate:
    """Return the result with errors around one path of effects by event time."""
    n = len(fit.terms)
    whole = path_covariance(forms)
    plain = _plain(fit)
    keep = np.where(np.append(plain.identified, plain.total.identified if plain.total else []), 1.0, np.nan)
    matrix = whole.matrix * keep[:, None] * keep
    whole = replace(whole, matrix=matrix, df=whole.df * keep)
    total = plain.total
    if total is not None:
        own = replace(whole, matrix=whole.matrix[n:, n:], df=whole.df[n:])
        total = replace(total, vcov=own, level=level, forms=forms)
    vcov = replace(whole, matrix=whole.matrix[:n, :n], df=whole.df[:n])
    return replace(plain, vcov=vcov, level=level, total=total, forms=forms)


def path_covariance(forms: Forms) -> Covariance:
    """Covariance of all columns with errors around one path, and Satterthwaite degrees of freedom."""
    if not forms.obstacle:
        form = forms.by_type
        moments = moments_of(forms.outcomes, forms.types[None], form.sizes.size)
        matrix = form.covariances(moments)[1][0]
        error = form.statistics(moments)[1][0]
        matrix = np.where(np.isnan(error)[:, None] | np.isnan(error), np.nan, matrix)
        counts = Counts(forms.design.n_obs, forms.design.n_clusters, form.basis.shape[2], form.basis.shape[2])
        return Covariance("path", matrix, form.df, 1.0, "path = 1", counts)
    rows = forms.by_row
    q = rows.basis.shape[1]
    counts = Counts(forms.design.n_obs, rows.n_clusters, q, q)
    found = sandwich(rows.weights, rows.residuals, rows.basis, rows.clusters, kind="CR2", counts=counts)
    return replace(found, kind="path", factor_text="path = 1")


def path_df(forms: Forms, columns: Sequence[int], contrast: Floats) -> float:
    """Degrees of freedom of a combination of columns."""
    if forms.obstacle:
        return float(np.nanmin(path_covariance(forms).df[list(columns)][contrast != 0]))
    weights = np.zeros((forms.by_type.weights.shape[2], 1))
    weights[list(columns), 0] = contrast
    return float(forms.by_type.combine(weights).df[0])


def _chosen(
    fit: Estimate, *, level: float, draws: int, seed: int, executor: Executor | None, progress: bool
) -> Estimate:
    """Return the result with the method that its design calls for."""
    forms = Forms(_plain(fit), executor)
    method, why = _auto.choose(fit, forms)
    kinds = () if fit.uncertainty is None else fit.uncertainty.kinds
    if method in ("none", "", *kinds):
        found = _combine.with_kind(_plain(fit), method if method in kinds else fit.vcov.kind, level)
        found = replace(found, refused=why) if method == "none" else found
    else:
        how = {"draws": draws, "seed": seed, "executor": executor, "progress": progress}
        found = with_method(fit, method, level=level, **how, forms=forms)  # type: ignore[arg-type]
    total = None if found.total is None else replace(found.total, asked="auto", refused=found.refused)
    return replace(found, asked="auto", why=why, total=total)
