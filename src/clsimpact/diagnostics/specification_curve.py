r"""Specification curve: every defensible version of an estimate at once (Simonsohn, Simmons and Nelson 2020).

A specification is one option of each choice: outcome, sample, controls, dates, estimator, covariates,
inference. All combinations are estimated; the curve shows them sorted, the panel below it which options each
is made of. Specifications share their data, so their agreement is not that of independent studies: how
unusual the whole curve is says the permutation test.

Source: Simonsohn, Simmons and Nelson (2020), Specification curve analysis, Nature Human Behaviour 4, doi
10.1038/s41562-020-0912-z.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from functools import partial

import numpy as np
import pandas as pd

from clsimpact._tidy import checked_level
from clsimpact.diagnostics._specification_fit import Fitted, Piece, cells, fit_block
from clsimpact.diagnostics._specification_inputs import (
    CHOICES,
    Controls,
    Estimator,
    Request,
    RowFilter,
    combinations,
    requested,
)
from clsimpact.diagnostics._specification_result import SpecificationCurve
from clsimpact.diagnostics._specification_study import StudySpecifications, study_specifications
from clsimpact.diagnostics._specification_verdict import CurveTest
from clsimpact.inference.blocks import blocks_of, checked_draws, checked_executor, run_blocks
from clsimpact.inference.methods import Method

__all__ = [
    "CHOICES",
    "CurveTest",
    "SpecificationCurve",
    "StudySpecifications",
    "specification_curve",
    "study_specifications",
]

NUMBERS = ("estimate", "std_error", "conf_low", "conf_high", "p_value")
COUNTS = ("n_treated", "n_units", "n_obs")
ESTIMATORS = ("twfe", "event_study", "group_time", "imputation", "sun_abraham", "stacked")


def specification_curve(
    data: pd.DataFrame | Mapping[str, pd.DataFrame],
    *,
    outcomes: Sequence[str] | Mapping[str, str],
    unit: str,
    time: str,
    cohort: str | Mapping[str, str],
    names: str | None = None,
    samples: Mapping[str, RowFilter | None] | None = None,
    controls: Mapping[str, Controls] | None = None,
    estimators: Sequence[str] | Mapping[str, str | Estimator] = ESTIMATORS,
    covariates: Mapping[str, Sequence[str]] | None = None,
    inference: Sequence[str] | Mapping[str, str | Method] = ("quick",),
    weights: str | None = None,
    cluster: str | None = None,
    anticipation: int = 0,
    standardise: bool = False,
    outcome_units: Mapping[str, str] | None = None,
    source: str | None = None,
    level: float = 0.95,
    draws: int = 999,
    seed: int = 0,
    executor: Executor | None = None,
    progress: bool = False,
) -> SpecificationCurve:
    """Estimate the effect of adoption under every combination of choices.

    Each specification is the overall effect (`Estimate.overall`) of one estimator on one design; it means
    what that estimator says, under its assumptions. What cannot be estimated is kept with the reason. The
    first option of every choice makes up the main specification.

    Parameters
    ----------
    data
        A panel in long form, or several by label, which then are the options of ``dates``: frames of the same
        figures that date adoption differently, such as several results of `clsimpact.tag_adoption`. A unit
        that a frame leaves out is left out for its adoption.
    outcomes
        Columns, or columns by label: definitions, age bands.
    unit, time, names
        Columns of the unit, of the period and of the name of a unit.
    cohort
        Column of the first treated period (missing, infinite or 0: never). Several by label, with one frame,
        are the options of ``dates``.
    samples
        Filters by label: each takes the rows (all columns) and returns True for those that stay; None keeps
        all. A filter must not look at adoption (the permutation test takes it as a fact of the unit): leave
        such rows out of a frame of ``data``, or use ``controls``.
    controls
        Rules by label. None or ``"all"``: as the estimator does. ``"never"``, ``"not_yet"``: handed to
        estimators that have the option ``control`` (refused by others unless it is what they do anyway);
        ``"never"`` also leaves out units that adopt after the sample. A filter: rows of controls that stay;
        units that adopt by the sample's last period always stay.
    estimators
        Names, or by label a name or a function such as ``functools.partial(ci.group_time,
        control="not_yet")``, which is called as ``function(design, inference=...)``.
    covariates
        Columns by label, such as ``{"none": (), "deprivation": ("imd_2019",)}``.
    inference
        Names, or methods by label, as in `Estimate.with_inference`, or ``"quick"``: what ``"auto"`` chooses,
        but errors around one path (*path*: CR2, Satterthwaite) where ``"auto"`` would draw. Path errors held
        their size in the same measurements (``docs/size.md``) and cost no draws; a permutation interval for
        each of a thousand specifications takes minutes. As under ``"auto"`` an interval is withheld with
        fewer than three treated clusters.
    weights, cluster, anticipation
        As in `clsimpact.Design`, the same for all specifications.
    standardise
        Divide estimates by the standard deviation of the outcome among rows of units that adopt under no
        definition of dates. Needed where outcomes have different units.
    outcome_units
        Units by label of the outcome, where the data do not carry them.
    source
        Source line of the figure; that of the data by default.
    level, draws, seed
        Confidence level; draws of methods that draw.
    executor
        Any `concurrent.futures.Executor`: the numbers are the same for any number of workers. Functions of
        your own must be picklable for processes; filters need not be.
    progress
        Show a bar.

    Returns
    -------
    SpecificationCurve

    Raises
    ------
    PanelError
        Columns that are lacking, repeated rows, frames that contradict each other.
    DesignError
        Unknown estimators, rules or methods, filters that fail; outcomes in different or unknown units
        without ``standardise``. All problems are raised together.

    Notes
    -----
    Simonsohn, Simmons and Nelson (2020), doi 10.1038/s41562-020-0912-z. ``docs/methodology``.

    Examples
    --------
    >>> from clsimpact.datasets import load_mpdta
    >>> curve = specification_curve(
    ...     load_mpdta(), outcomes=["lemp"], unit="county", time="year", cohort="first_treat",
    ...     samples={"all years": None, "before 2007": lambda rows: rows["year"] < 2007},
    ...     estimators=["twfe", "imputation"],
    ... )
    >>> curve.tidy()[["sample", "estimator", "estimate"]].round(4)
            sample   estimator  estimate
    0    all years        twfe   -0.0365
    1    all years  imputation   -0.0477
    2  before 2007        twfe   -0.0226
    3  before 2007  imputation   -0.0457
    """
    draws, seed = checked_draws(draws, seed)
    checked_executor(executor)
    request = requested(
        data, unit=unit, time=time, cohort=cohort, names=names, outcomes=outcomes, samples=samples,
        controls=controls, estimators=estimators, covariates=covariates, inference=inference,
        weights=weights, cluster=cluster, anticipation=anticipation, standardise=standardise,
        outcome_units=outcome_units, source=source, level=checked_level(level), draws=draws, seed=seed,
    )  # fmt: skip
    blocks = blocks_of(len(cells(request)), seed=0, size=1)
    run = partial(fit_block, request)
    found = run_blocks(
        run, blocks, executor=executor, progress=progress, label="samples and dates", threads=False
    )
    fitted, pieces = dict[tuple[str, ...], tuple[Fitted, int]](), list[Piece]()
    for cell in (part for block in found for part in block):
        fitted |= {row.labels: (row, row.piece + len(pieces) if row.piece >= 0 else -1) for row in cell.rows}
        pieces += cell.pieces
    order = [fitted[labels] for labels in combinations(request)]
    return SpecificationCurve(
        table=_table([row for row, _ in order], request),
        unit=request.unit_text,
        level=request.level,
        source=request.source,
        simulated=request.simulated,
        standardised=request.standardised,
        _request=request,
        _pieces=tuple(pieces),
        _at=tuple((piece, row.obstacle) for row, piece in order),
    )


def _table(rows: Sequence[Fitted], request: Request) -> pd.DataFrame:
    """Build the tidy frame, in the unit of the curve."""
    made = pd.DataFrame([dict(zip(CHOICES, row.labels, strict=True)) for row in rows])
    scale = made["outcome"].map(request.scales).to_numpy(dtype=float)
    for name in NUMBERS:
        values = np.array([row.numbers.get(name, np.nan) for row in rows], dtype=float)
        made[name] = values / (1.0 if name == "p_value" else scale)
    for name in COUNTS:
        made[name] = pd.array([row.numbers.get(name) for row in rows], dtype="Int64")
    made["method"] = [row.numbers.get("method", "") for row in rows]
    made["identified"] = [bool(row.numbers["identified"]) for row in rows]
    return made.assign(reason=[row.numbers["reason"] for row in rows])
