"""The second opinion: the same specification in linearmodels and in statsmodels with dummies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clsimpact import _combine

if TYPE_CHECKING:
    from clsimpact.results import Estimate

__all__ = ["AGREEMENT", "other_model", "verify"]

Floats = NDArray[np.float64]

AGREEMENT = 1e-8
"""Largest relative difference that still agrees. Three solvers in double precision on designs of moderate
condition differ by 1e-14 to 1e-10; a different sample, regressor or convention differs by far more.
Differences of estimates are relative to the larger of the estimate and its standard error, so that a
coefficient near zero is not held to more."""


def other_model(fit: Estimate) -> Any:
    """Return the fitted result of the other library for these terms."""
    design = fit.design
    return _panel_ols(fit, _kind(fit)) if design.effects == "unit" else _dummies_ols(fit, _kind(fit))


def verify(fit: Estimate) -> pd.DataFrame:
    """Compare the estimate with linearmodels and statsmodels; see `Estimate.verify`."""
    kind = _kind(fit)
    ours = _combine.with_kind(fit, kind, fit.level)
    frame = ours.tidy()
    frame = frame[frame["identified"]].reset_index(drop=True)
    out = pd.DataFrame({"term": frame["term"], "covariance": kind})
    out["estimate"], out["std_error"] = frame["estimate"], frame["std_error"]
    factors = {}
    for library, result in (("linearmodels", _panel(fit, kind)), ("statsmodels", _dummies_ols(fit, kind))):
        if result is None:
            out[f"estimate_{library}"] = out[f"std_error_{library}"] = np.nan
            continue
        factors[library] = factor = _conversion(ours, kind, library)
        error = result.std_errors if library == "linearmodels" else result.bse
        out[f"estimate_{library}"] = [float(result.params[name]) for name in frame["term"]]
        out[f"std_error_{library}"] = [float(error[name]) * np.sqrt(factor) for name in frame["term"]]
    near = np.maximum(out["estimate"].abs(), out["std_error"])
    parts = [(f"estimate_{library}", near, "estimate") for library in factors]
    parts += [(f"std_error_{library}", out["std_error"], "std_error") for library in factors]
    gaps: Floats = np.column_stack([(out[column] - out[own]).abs() / scale for column, scale, own in parts])
    out["difference"] = gaps.max(axis=1, initial=0.0)
    out["agrees"] = out["difference"] <= AGREEMENT
    out.attrs = {"tolerance": AGREEMENT, "variance_factors": factors, "covariance": kind}
    return out


def _kind(fit: Estimate) -> str:
    """CR2, CR3 and the jackknife have no counterpart in these libraries: the comparison is made on CR1."""
    return "CR1" if fit.vcov.kind in ("CR2", "CR2_IK", "CR3", "jackknife", "path") else fit.vcov.kind


def _conversion(fit: Estimate, kind: str, library: str) -> float:
    """Return what turns the variance that we ask of the library into ours.

    linearmodels is asked for clustered errors without effects in its count: G/(G-1) · (N-1)/(N-k), k slopes.
    statsmodels is asked for clustered errors without a correction: 1. Heteroskedastic errors: HC0 in
    statsmodels, N/(N-K) in linearmodels with every effect counted; iid: s² with N-K in both.
    """
    if kind in ("HC1", "iid"):
        return (
            fit.vcov.counts.n_obs / (fit.vcov.counts.n_obs - fit.vcov.counts.k_all)
            if (kind, library) == ("HC1", "statsmodels")
            else 1.0
        )
    ours = 1.0
    counts = fit.vcov.counts
    n, g = counts.n_obs, counts.n_clusters
    if kind == "CR1":
        ours = g / (g - 1) * (n - 1) / (n - counts.k_nested)
    slopes = int(fit.fitted().kept.sum())
    return ours if library == "statsmodels" else ours / (g / (g - 1) * (n - 1) / (n - slopes))


def _regressors(fit: Estimate) -> pd.DataFrame:
    """Return the terms that a program without a null-space analysis can take, by name."""
    regression = fit.fitted()
    used = [(term.name, slot) for term, slot in zip(fit.terms, fit.slots, strict=True) if slot is not None]
    return pd.DataFrame({name: regression.columns[:, slot] for name, slot in used if regression.kept[slot]})


def _panel(fit: Estimate, kind: str) -> Any:
    return _panel_ols(fit, kind) if fit.design.effects == "unit" else None


def _panel_ols(fit: Estimate, kind: str) -> Any:
    from linearmodels.panel import PanelOLS

    design = fit.design
    index = pd.MultiIndex.from_arrays([design.unit_codes, design.times], names=["unit", "time"])
    x = _regressors(fit).set_index(index)
    y = pd.DataFrame({design.outcome: np.array(design.y)}, index=index)
    w = None if design.w is None else pd.DataFrame({"w": np.array(design.w)}, index=index)
    model = PanelOLS(y, x, entity_effects=True, time_effects=True, weights=w)
    if kind == "iid":
        return model.fit(cov_type="unadjusted")
    if kind == "HC1":
        return model.fit(cov_type="robust")
    clusters = pd.DataFrame({"cluster": np.array(design.cluster_codes)}, index=index)
    return model.fit(
        cov_type="clustered", clusters=clusters, auto_df=False, count_effects=False, group_debias=True
    )


def _dummies_ols(fit: Estimate, kind: str) -> Any:
    import statsmodels.api as sm

    design = fit.design
    parts = [
        _regressors(fit),
        _indicators(design.effect_codes, "effect"),
        _indicators(design.time_codes, "time").iloc[:, 1:],
    ]
    if design.effects != "unit":
        cohorts = np.where(np.isnan(design.cohorts), -np.inf, design.cohorts)
        parts.append(
            _indicators(np.unique(cohorts, return_inverse=True)[1], "cohort").iloc[
                :, int(np.isinf(cohorts).any()) :
            ]
        )
    x = pd.concat(parts, axis=1)
    w = np.ones(design.n_obs) if design.w is None else np.array(design.w)
    model = sm.WLS(np.array(design.y), x, weights=w)
    if kind == "iid":
        return model.fit()
    if kind == "HC1":
        return model.fit(cov_type="HC0")
    groups = np.array(design.cluster_codes)
    return model.fit(cov_type="cluster", cov_kwds={"groups": groups, "use_correction": False}, use_t=True)


def _indicators(codes: NDArray[Any], name: str) -> pd.DataFrame:
    values = (codes[:, None] == np.arange(codes.max() + 1)).astype(np.float64)
    return pd.DataFrame(values, columns=[f"_{name}_{j}" for j in range(values.shape[1])])
