r"""Whether the programme 'moves' outcomes that it cannot have moved.

Each placebo outcome takes the place of the outcome, in the same rows where it is known, and is estimated as
the result was. It is judged by re-assigned adoption (`clsimpact.diagnostics._judged`) and adjusted by Holm.
Units differ, so effects are compared as shares of the *residual spread* :math:`\hat\sigma`, the standard
deviation of an outcome net of unit and period effects: a placebo effect matters if
:math:`|\hat\delta|/\hat\sigma_{placebo}` is as large as what matters for the outcome itself is of its
:math:`\hat\sigma`.

Which outcomes: the columns named in ``data.attrs["placebo_outcomes"]``. Without that, of a panel of
councils: the share of adults aged 65 or over and the logarithm of the number of adults (who lives in an
area is not moved by how its council answers requests for help), and the shares of adults with a learning
disability in paid work and in settled homes (long-standing circumstances, not the front door's). These are
our choice; whether a programme can move them is for the user to say.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clsimpact._again import asked_again
from clsimpact._check import number, plural
from clsimpact.design import Design
from clsimpact.diagnostics import _placebo
from clsimpact.diagnostics._judged import ALPHA, Judged, judge, placed, row_weights
from clsimpact.diagnostics.registry import Check
from clsimpact.diagnostics.result import Advice, Found, Number, Verdict
from clsimpact.diagnostics.setting import Setting, effect_of
from clsimpact.errors import ClsimpactWarning, DesignError, list_some
from clsimpact.estimators._grid import TwoWay, grid_of
from clsimpact.inference.multiplicity import holm
from clsimpact.plots._figure import EventStudyFigure
from clsimpact.plots.forest import forest_figure

__all__ = ["CHECK", "DEFAULTS", "run"]

Floats = NDArray[np.float64]
Series = pd.Series

NAME = "placebo_outcomes"
KEY = "placebo_outcomes"

STILL = 1e-9
"""Residual spread below this share of the spread of a placebo outcome: it does not move over time.

Solvers leave 1e-12; seven digits of which the last changes in one row of a thousand leave 3e-9."""


@dataclass(frozen=True)
class Default:
    """A placebo outcome of a panel of councils: its words, the columns it needs, and how it is made."""

    label: str
    columns: tuple[str, ...]
    make: Callable[[Setting], Any]


DEFAULTS = (
    Default(
        "share of adults aged 65 or over",
        ("population_65_plus", "population_18_plus"),
        lambda s: s.column("population_65_plus") / s.column("population_18_plus"),
    ),
    Default(
        "number of adults (logarithm)",
        ("population_18_plus",),
        lambda s: np.log(s.column("population_18_plus").astype(float)),
    ),
    Default(
        "adults with a learning disability in paid work",
        ("learning_disability_employment",),
        lambda s: s.column("learning_disability_employment"),
    ),
    Default(
        "adults with a learning disability in a settled home",
        ("learning_disability_settled_home",),
        lambda s: s.column("learning_disability_settled_home"),
    ),
)
"""Outcomes that a programme at the front door of adult social care should not move."""


@dataclass(frozen=True)
class Placebo:
    """One placebo outcome, judged."""

    label: str
    judged: Judged
    sigma: float
    adopters: int


def run(setting: Setting) -> Found:
    """Estimate effects on outcomes that the programme cannot have moved."""
    wanted = _wanted(setting)
    if not wanted:
        return _none(setting)
    placebos, lost = [], []
    for label, values in wanted:
        try:
            placebos.append(_one(setting, label, values))
        except DesignError as error:
            lost.append(f"{label} ({error.summary.rstrip('.')})")
    if not placebos:
        return _none(setting, lost)
    return _found(setting, placebos, lost)


def _wanted(setting: Setting) -> list[tuple[str, Any]]:
    """Return label and values of each placebo outcome: the user's, else the defaults that are there."""
    data, design = setting.data, setting.design
    if data is None:
        return []
    named = data.attrs.get(KEY)
    if named:
        listed = [named] if isinstance(named, str) else list(named)
        words = data.attrs.get("columns", {})
        return [
            (str(words.get(name, {}).get("label") or name), setting.column(name))
            for name in listed
            if name != design.outcome
        ]
    if design.unit != "ons_code":
        return []
    return [(d.label, d.make(setting)) for d in DEFAULTS if setting.has(*d.columns)]


def _one(setting: Setting, label: str, values: Any) -> Placebo:
    design = setting.with_values(values, reason=f"no {label}")
    behind = _placebo.adopters_in(design)
    if behind < _placebo.LEAST:
        raise DesignError(
            f"fewer than {_placebo.LEAST} adopters before and after.", repair=f"Leave {label} out."
        )
    sigma = _sigma(design)
    if not sigma > STILL * float(design.y.std()):
        raise DesignError("it does not move over time.", repair=f"Leave {label} out.")
    return Placebo(label, _judged(setting, design), sigma, behind)


def _judged(setting: Setting, design: Design) -> Judged:
    again, level = asked_again(setting.estimate), setting.estimate.level
    how: Any = {"level": level, "draws": setting.draws, "seed": setting.seed}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ClsimpactWarning)
        try:
            same = design.n_obs == setting.design.n_obs
            fit = setting.estimate if same else again(design)
            weights = placed(design, fit.design, row_weights(fit))
        except DesignError:
            found = np.array(effect_of(again(design).with_inference("auto", **how)))[:, None]
            half = (found[2] - found[1]) / 2
            return Judged(found[0], found[1], found[2], found[3], found[3], half * 1.43, "own")
        return _placebo.varying(judge(design, weights[:, None], **how))


def _sigma(design: Design) -> float:
    """Residual spread: standard deviation net of unit and period effects."""
    grid = grid_of(design)
    left = TwoWay(grid.mass).residuals(grid.y)[grid.seen]
    return float(np.sqrt(np.mean(left**2)))


def _found(setting: Setting, placebos: list[Placebo], lost: list[str]) -> Found:
    matter, own = _placebo.matter_of(setting), _sigma(setting.design)
    scale = np.array([one.sigma for one in placebos])
    parts = [np.array([getattr(one.judged, key)[0] for one in placebos]) for key in JUDGED]
    estimate, low, high, p_values, detectable = parts
    adjusted = holm(p_values)
    share = _placebo.Matter(matter.size / own, matter.words, matter.given)
    verdict = _placebo.verdict_of(adjusted, low / scale, high / scale, share)
    table = pd.DataFrame(
        {
            "label": [one.label for one in placebos],
            "estimate": estimate / scale,
            "conf_low": low / scale,
            "conf_high": high / scale,
            "raw_estimate": estimate,
            "raw_low": low,
            "raw_high": high,
            "p_value": p_values,
            "p_adjusted": adjusted,
            "detectable": detectable / scale,
            "residual_spread": scale,
            "adopters": [one.adopters for one in placebos],
            "marked": adjusted < ALPHA,
        }
    )
    numbers = _numbers(table) | {"matters": share.size, "residual_spread": own, "outcomes": len(placebos)}
    words = _words(setting, table, verdict, share, lost)
    advice = _advice(setting, verdict)
    return Found(verdict, words, numbers, table, advice, lambda: _draw(setting, table, verdict, share))


JUDGED = ("estimates", "low", "high", "p_values", "detectable")


def _numbers(table: pd.DataFrame) -> dict[str, Number]:
    names = ("estimate", "conf_low", "conf_high", "p_adjusted", "detectable")
    return {f"{name}: {row.label}": getattr(row, name) for row in table.itertuples() for name in names}


def _words(
    setting: Setting, table: pd.DataFrame, verdict: Verdict, share: _placebo.Matter, lost: list[str]
) -> str:
    level = f"{100 * setting.estimate.level:.4g}%"
    said = [
        f"{row['label']} {number(row['estimate'])} ({level} interval "
        f"{_placebo.ends(row['conf_low'], row['conf_high'])}, adjusted p "
        f"{_placebo.p_words(row['p_adjusted'])})"
        for row in (table[table["marked"]] if table["marked"].any() else table).to_dict("records")
    ]
    text = (
        f"'Effects' on {plural(len(table), 'outcome')} that adoption should not move, in residual standard "
        f"deviations: {'; '.join(said)}."
    )
    if verdict == "does not hold":
        text += (
            " Something else than the programme changed in adopters at that time, or the comparison differs."
        )
    elif verdict == "holds" and table["marked"].any():
        text += f" All of their intervals lie within {number(share.size)}, which is what {share.words} is of "
        text += "the outcome itself: too small to matter."
    else:
        text += f" {_placebo.found_words(table['detectable'].to_numpy(dtype=float), 'an effect')}"
        same = f"{number(share.size)}, which is what {share.words} is of the outcome itself"
        if not np.isfinite(share.size):
            text += "; nothing says what would matter, as the effect has no interval and there is no margin."
        elif verdict == "holds":
            text += f", and the intervals leave no room for {same}."
        else:
            text += f"; {same}, is not ruled out."
    return text + (f" Not tested: {list_some(lost, 6)}." if lost else "")


def _advice(setting: Setting, verdict: Verdict) -> tuple[Advice, ...]:
    if verdict == "holds":
        return ()
    if verdict == "cannot tell":
        return (_placebo.margin_advice(setting, NAME), _name_them(setting))
    if setting.design.unit == "ons_code" and setting.has("region"):
        return (
            Advice("Compare councils of one region only.", 'fit.check("regional_shocks", data=data)'),
            Advice("Compare with councils that were alike before.", 'fit.check("matching", data=data)'),
        )
    return (Advice("Compare with units that were alike before.", 'fit.check("matching", data=data)'),)


def _name_them(setting: Setting) -> Advice:
    """Advise to name placebo outcomes, with columns of the panel that might be some."""
    found = _candidates(setting)
    known = [name for name in NATURAL if name in found]
    text = (
        "Name outcomes that the programme cannot have moved: this list holds columns that you might replace."
    )
    if not found:
        text = (
            "Name outcomes that the programme cannot have moved: this panel has no column that might be one, "
            "so merge one in and put its name in place of the outcome's."
        )
    names = (known or found or [setting.design.outcome])[:3]
    return Advice(text, f'data = data.copy(); data.attrs["{KEY}"] = {names!r}')


NATURAL = ("population_65_plus", "population_18_64", "learning_disability_employment")

MOST_ROWS = 20_000
"""Rows that columns are looked at in: more say no more of whether a column moves."""

SAME_ORDER = 0.95
"""Rank correlation from which on a column is the outcome in other words: its logarithm, its share."""


def _candidates(setting: Setting) -> list[str]:
    """Return numeric columns without a role that move by themselves where nobody has adopted."""
    data, design = setting.data, setting.design
    if data is None:
        return []
    roles = {design.outcome, design.unit, design.time, design.cohort, design.cluster, design.weights}
    roles |= {*design.covariates, design.effects, "simulated"}
    numeric = [str(name) for name in data.select_dtypes("number").columns if str(name) not in roles]
    return [name for name in numeric if _moves(setting, name)]


def _moves(setting: Setting, name: str) -> bool:
    """Whether a column varies net of unit and period effects in rows of units that do not adopt.

    A dummy of adoption, the time since, and a true effect that a made-up panel carries do not vary there.
    Where every unit adopts, rows before adoption are looked at. What ranks rows as the outcome does is left
    out.
    """
    design = setting.design
    still = ~design.in_window[design.unit_codes] if not design.in_window.all() else ~design.treated
    values = pd.to_numeric(setting.column(name), errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    there = still & np.isfinite(values)
    rows = np.flatnonzero(there)[:MOST_ROWS]
    if rows.size < 3 or np.ptp(values[rows]) == 0:
        return False
    ranks = pd.DataFrame({"x": values[rows], "y": design.y[rows]}).rank()
    if abs(np.corrcoef(ranks.to_numpy().T)[0, 1]) > SAME_ORDER:
        return False
    left = values[rows] - values[rows].mean()
    for _ in range(ROUNDS):
        for codes in (design.unit_codes[rows], design.time_codes[rows]):
            left = left - (np.bincount(codes, left) / np.maximum(np.bincount(codes), 1))[codes]
    return bool(left.std() > SMALL * values[rows].std())


ROUNDS = 30
"""Times that unit and period means are taken out in turn: one is exact where nothing is missing."""

SMALL = 1e-3
"""Share of a column's spread that is left net of effects, below which it does not move by itself.

Figures that are printed to three digits leave less than that by their rounding alone."""


def _none(setting: Setting, lost: list[str] | None = None) -> Found:
    words = "No placebo outcome is known: the data name none that adoption cannot have moved."
    if lost:
        words = f"No placebo outcome could be estimated: {list_some(lost, 6)}."
    return Found("cannot tell", words, advice=(_name_them(setting),))


def _draw(
    setting: Setting, table: pd.DataFrame, verdict: Verdict, share: _placebo.Matter
) -> EventStudyFigure:
    title = {
        "does not hold": "Outcomes that adoption cannot move, moved with it",
        "holds": "Outcomes that adoption cannot move, did not move with it",
        "cannot tell": "Effects on outcomes that adoption cannot move are not ruled out",
    }[verdict]
    level = f"{100 * setting.estimate.level:.4g}%"
    known = f"; {number(share.size)} would matter" if np.isfinite(share.size) else ""
    return forest_figure(
        table,
        design=setting.design,
        title=title,
        subtitle=f"Placebo outcomes, estimated as the outcome was, {level} intervals{known}",
        axis="Effect (standard deviations net of unit and period effects)",
    )


CHECK = Check(
    name=NAME,
    title="Placebo outcomes",
    question="Did outcomes move that the programme cannot have moved?",
    threat="If they did, something else happened to adopters, and the effect is in part that.",
    stage="fit",
    source="Lipsitch, Tchetgen Tchetgen and Cohen 2010, doi 10.1097/EDE.0b013e3181d61eeb (negative control "
    "outcomes); Holm 1979",
    run=run,
    needs=("data",),
)
