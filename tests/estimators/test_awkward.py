"""Awkward inputs and hard panels: a stated sample, or a sentence that names rows, units and the repair."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

import clsimpact as ci
from clsimpact.design import Design
from clsimpact.errors import DesignError, PanelError, SampleWarning
from clsimpact.results import REFERENCE, Estimate

pytestmark = pytest.mark.usefixtures("usual_errors")

Fit = Callable[[Design], Estimate]

ESTIMATORS: dict[str, Fit] = {
    "twfe": ci.twfe,
    "event_study": ci.event_study,
    "group_time never": ci.group_time,
    "group_time not yet": lambda d: ci.group_time(d, control="not_yet"),
    "group_time universal": lambda d: ci.group_time(d, base_period="universal"),
    "sun_abraham": ci.sun_abraham,
    "imputation": ci.imputation,
    "two_stage": ci.two_stage,
    "extended_twfe": ci.extended_twfe,
    "stacked": ci.stacked,
    "did_m": ci.did_m,
    "synthetic_did": ci.synthetic_did,
    "local_projection": ci.local_projection,
}

NEEDS_BALANCE = ("synthetic_did",)
NEEDS_NEVER = ("group_time never", "group_time universal")

SAME = 1e-9
"""Two codings of one panel differ by the order of sums only, relative to estimates of size one."""


def base(seed: int = 3) -> pd.DataFrame:
    """Sixty councils over eight years, twenty adopters in three cohorts, effects that grow."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(60):
        cohort = {0: 2017.0, 1: 2018.0, 2: 2020.0}.get(i % 9, np.nan)
        level, noise = rng.normal(0, 2), 0.0
        for t in range(2014, 2022):
            noise = 0.5 * noise + rng.normal()
            y = level + 0.3 * (t - 2014) + noise + (1 + 0.2 * (t - cohort) if t >= cohort else 0)
            rows.append((i, f"Council {i:02d}", t, cohort, y))
    return pd.DataFrame(rows, columns=["unit", "name", "year", "cohort", "y"])


def design(panel: pd.DataFrame, **options: object) -> Design:
    return Design(panel, outcome="y", unit="unit", time="year", cohort="cohort", **options)  # type: ignore[arg-type]


def answer(name: str, held: Design) -> Estimate | str:
    """The estimate, or the text of the refusal."""
    try:
        return ESTIMATORS[name](held)
    except DesignError as error:
        return str(error)


def overall(fit: Estimate) -> float:
    return float(fit.overall["estimate"].iloc[0])


def honest(fit: Estimate) -> None:
    """No silent zero, no unexplained hole, no error of zero."""
    for frame in (fit.tidy(), fit.overall):
        known = frame["identified"].to_numpy(dtype=bool)
        assert np.isfinite(frame.loc[known, "estimate"]).all()
        rest = frame[~known]
        reference = rest["reason"].str.startswith(REFERENCE)
        assert (rest.loc[reference, "estimate"] == 0).all()
        assert rest.loc[~reference, "estimate"].isna().all()
        assert (rest["reason"].str.len() > 10).all()
        unsure = frame[known & ~(frame["std_error"] > 0)]
        assert (unsure["reason"].str.len() > 10).all(), unsure
    sample = fit.sample()
    assert len(sample) == len(fit.tidy())


@pytest.fixture(params=list(ESTIMATORS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_balanced_panel(name: str) -> None:
    fit = ESTIMATORS[name](design(base()))
    honest(fit)
    assert 0.3 < overall(fit) < 3


def test_missing_rows_have_a_stated_sample(name: str) -> None:
    panel = base().sample(frac=0.95, random_state=1)
    if name in NEEDS_BALANCE:
        with pytest.raises(DesignError, match=r"Council \d\d") as caught:
            ESTIMATORS[name](design(panel))
        assert "complete" in str(caught.value)
        return
    fit = ESTIMATORS[name](design(panel))
    honest(fit)
    assert 0.3 < overall(fit) < 3


def test_missing_outcomes_are_missing_rows(name: str) -> None:
    panel = base()
    holes = panel.index[[5, 100, 300]]
    panel.loc[holes, "y"] = np.nan
    with_holes = design(panel)
    assert len(with_holes.dropped) == 3
    without = design(panel.drop(holes))
    if name in NEEDS_BALANCE:
        with pytest.raises(DesignError, match="Council"):
            ESTIMATORS[name](with_holes)
        return
    one, two = ESTIMATORS[name](with_holes), ESTIMATORS[name](without)
    assert overall(one) == pytest.approx(overall(two), rel=SAME)
    assert "missing y" in one.summary()


@pytest.mark.parametrize("code", [np.nan, np.inf, 0.0])
def test_never_treated_codes(name: str, code: float) -> None:
    panel = base()
    coded = panel.assign(cohort=panel["cohort"].fillna(code))
    expected = overall(ESTIMATORS[name](design(panel)))
    assert overall(ESTIMATORS[name](design(coded))) == expected


def test_text_ids_and_shuffled_rows(name: str) -> None:
    panel = base()
    text = panel.assign(unit="E" + panel["unit"].astype(str).str.zfill(3)).sample(frac=1, random_state=2)
    assert overall(ESTIMATORS[name](design(text))) == overall(ESTIMATORS[name](design(panel)))


def test_duplicated_rows_are_refused(name: str) -> None:
    panel = base()
    twice = pd.concat([panel, panel.iloc[[7]]])
    with pytest.raises(PanelError, match=r"Council 00.*2021"):
        ESTIMATORS[name](design(twice))


def test_a_cohort_that_changes_is_refused(name: str) -> None:
    panel = base()
    panel.loc[panel.index[3], "cohort"] = 2019
    with pytest.raises(DesignError, match="Council 00"):
        ESTIMATORS[name](design(panel))


def test_always_treated_units_leave_by_name_or_are_kept_out(name: str) -> None:
    panel = base()
    panel.loc[panel["unit"].isin([3, 12]), "cohort"] = 2014
    without = overall(ESTIMATORS[name](design(panel[~panel["unit"].isin([3, 12])])))
    with pytest.warns(SampleWarning, match=r"Council 03.*Council 12"):
        dropped = design(panel)
    assert overall(ESTIMATORS[name](dropped)) == pytest.approx(without, rel=SAME)
    kept = answer(name, design(panel, always_treated="keep"))
    if isinstance(kept, str):
        assert "Council 03" in kept
        return
    honest(kept)
    if name not in ("twfe", "event_study"):
        assert overall(kept) == pytest.approx(without, rel=1e-6)


def test_units_first_treated_after_the_panel_are_controls(name: str) -> None:
    panel = base()
    later = panel.copy()
    later.loc[later["unit"].isin([4, 13, 22]), "cohort"] = 2023
    one, two = ESTIMATORS[name](design(later)), ESTIMATORS[name](design(panel))
    assert overall(one) == pytest.approx(overall(two), rel=SAME)


def one_unit_cohort() -> pd.DataFrame:
    panel = base()
    panel.loc[panel["unit"] == 3, "cohort"] = 2019.0
    return panel


def single_before() -> pd.DataFrame:
    panel = base()
    panel.loc[panel["unit"].isin([3, 12, 21]), "cohort"] = 2015.0
    return panel


def no_never() -> pd.DataFrame:
    panel = base()
    return panel[panel["cohort"].notna()]


def everyone_at_the_end() -> pd.DataFrame:
    panel = base()
    return panel.assign(cohort=panel["cohort"].fillna(2021.0))


def empty_event_time() -> pd.DataFrame:
    """No cohort is seen at event times -1 and 2: those years are missing for it."""
    panel = base()
    event = panel["year"] - panel["cohort"]
    return panel[~event.isin([2])]


def seen_once() -> pd.DataFrame:
    panel = base()
    lone = panel["unit"].isin([5, 9])
    return panel[~lone | (panel["year"] == 2018)]


def empty_years() -> pd.DataFrame:
    panel = base()
    panel.loc[panel["year"].isin([2016, 2019]), "y"] = np.nan
    return panel


def late_entry_of_a_cohort() -> pd.DataFrame:
    """One cohort has no row before adoption."""
    panel = base()
    return panel[(panel["cohort"] != 2018) | (panel["year"] >= 2018)]


HARD = {
    "one-unit cohort": one_unit_cohort,
    "one pre-period": single_before,
    "no never treated": no_never,
    "everyone treated at the end": everyone_at_the_end,
    "empty event time": empty_event_time,
    "councils seen once": seen_once,
    "empty years": empty_years,
    "a cohort without a before": late_entry_of_a_cohort,
}


@pytest.mark.parametrize("which", list(HARD))
def test_hard_panels_answer_or_say_why(name: str, which: str) -> None:
    """An estimate with its sample, or an error that names councils or years and a repair."""
    panel = HARD[which]()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SampleWarning)
        held = design(panel)
    fit = answer(name, held)
    if isinstance(fit, str):
        assert "Council" in fit or "20" in fit, fit
        assert len(fit) > 40
        return
    honest(fit)
    assert fit.summary()
    assert fit.explain()
    for kind in ("CR1", "CR2", "CR3", "jackknife"):
        if fit.uncertainty is not None and kind in fit.uncertainty.kinds:
            honest(fit.with_inference(kind))


def test_where_no_unit_is_never_treated_nothing_is_invented() -> None:
    """Effects after the last cohort adopts are not identified by any comparison with the untreated."""
    fit = ci.imputation(design(no_never()))
    cells = fit.aggregate("calendar").tidy().set_index("term")
    assert not cells.loc["t=2020", "identified"]
    assert not cells.loc["t=2021", "identified"]
    assert abs(overall(fit)) < 4


def test_the_tests_here_would_notice() -> None:
    """`honest` refuses a silent zero."""
    fit = ci.twfe(design(base()))
    broken = Estimate(**{**vars(fit), "identified": np.array([False]), "estimates": np.array([0.0])})
    with pytest.raises(AssertionError):
        honest(broken)
