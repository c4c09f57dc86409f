"""The specification curve: every estimate is that of its estimator, and the test of the curve is exact."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest

import clsimpact as ci
from clsimpact import estimators
from clsimpact.design import Design
from clsimpact.diagnostics._specification_permutation import (
    STATISTICS,
    curve_statistics,
    drawn,
    paths_and_strata,
)
from clsimpact.diagnostics.specification_curve import (
    CHOICES,
    SpecificationCurve,
    specification_curve,
    study_specifications,
)
from clsimpact.errors import DesignError, PanelError
from clsimpact.inference.assignments import Assignments
from clsimpact.inference.blocks import Block

CLOSE = 1e-9
"""Errors of a combination of terms by two orders of summation: 1e-13 here."""

ENGINE = 1e-7
"""Re-assigned statistics by sums of products against refits: 1e-11 here."""

SIZE_SHARE = (0.005, 0.105)
"""Rejections of 150 null panels at 5%: within three binomial standard errors (0.018) of 0.05."""

SEEN = 0.8
"""Share of panels with an effect of three standard deviations that the test must find: it finds all here."""

YEARS = (2014, 2015, 2016, 2017, 2018)


def panel(
    *, n: int = 24, adopters: int = 5, effect: float = 0.0, seed: int = 1, noise: float = 1.0
) -> pd.DataFrame:
    """Make units in three regions; two ways to date adopters; ``y`` and a noisier ``z`` in the same unit."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(n):
        best = 2016 + i % 2 if i < adopters else np.nan
        late = best + 1 if i % 3 == 0 else best
        level, own = rng.normal(10, 2), noise if i < adopters else 1.0
        for t in YEARS:
            base = level + 0.3 * (t - 2014) + (effect if t >= best else 0.0) + own * rng.normal()
            region = "ABC"[(i * 7) % 3]
            rows.append((f"u{i:02d}", t, best, late, region, base, 2 * base + rng.normal(), rng.normal()))
    names = ["unit", "year", "best", "late", "region", "y", "z", "x"]
    made = pd.DataFrame(rows, columns=names)
    made.attrs["columns"] = {name: {"label": f"Outcome {name}", "unit": "pounds"} for name in ("y", "z")}
    made.attrs["source_line"] = "Source: made up."
    return made


ROLES: dict[str, Any] = {"unit": "unit", "time": "year"}
SAMPLES: dict[str, Any] = {"all": None, "no 2018": lambda rows: rows["year"] < 2018}
CONTROLS: dict[str, Any] = {"all": None, "no A": lambda rows: rows["region"] != "A"}
DATES = {"best": "best", "late": "late"}


def small(data: pd.DataFrame | None = None, **more: Any) -> SpecificationCurve:
    own = {"outcomes": ["y"], "cohort": "best", "estimators": ["twfe", "group_time"], **ROLES} | more
    return specification_curve(panel() if data is None else data, **own)


# --- estimates ----------------------------------------------------------------------------------------


def test_every_number_is_that_of_the_estimator_called_by_itself() -> None:
    data = panel()
    names = ("twfe", "event_study", "group_time", "imputation", "sun_abraham", "stacked")
    own: dict[str, Any] = {"samples": SAMPLES, "controls": CONTROLS, "cohort": DATES, "estimators": names}
    curve = specification_curve(data, outcomes=["y", "z"], inference=["path", "CR1"], **own, **ROLES)
    table = curve.tidy()
    assert len(table) == 2 * 2 * 2 * 2 * 6 * 2
    by_hand = list(product(("y", "z"), SAMPLES, CONTROLS, DATES, names, ("none",), ("path", "CR1")))
    assert list(table[list(CHOICES)].itertuples(index=False, name=None)) == by_hand
    for row in table.itertuples():
        keep = np.ones(len(data), dtype=bool) if row.sample == "all" else (data["year"] < 2018).to_numpy()
        if row.controls == "no A":
            last = 2018 if row.sample == "all" else 2017  # who adopts later is a control
            keep = keep & ((data["region"] != "A") | (data[row.dates] <= last)).to_numpy()
        design = Design(data[keep], outcome=row.outcome, cohort=row.dates, **ROLES)
        fit = getattr(estimators, row.estimator)(design, inference=row.inference)
        alone = fit.overall.iloc[0]
        assert row.estimate == alone["estimate"]
        for name in ("std_error", "conf_low", "conf_high", "p_value"):
            assert getattr(row, name) == pytest.approx(alone[name], rel=CLOSE, abs=1e-300), (row, name)
        assert row.n_treated == fit.design.n_treated
        assert (row.n_units, row.n_obs) == (len(fit.design.units), fit.design.n_obs)


def test_a_two_by_two_table_by_hand() -> None:
    """Adopters change by 5 and 3, others by 1, 2 and 0: 4 - 1 = 3; without the last control 4 - 1.5."""
    change = {"a": 5.0, "b": 3.0, "c": 1.0, "d": 2.0, "e": 0.0}
    rows = [(u, t, 1.0 if u in "ab" else np.nan, t * by) for u, by in change.items() for t in (0, 1)]
    data = pd.DataFrame(rows, columns=["unit", "year", "g", "y"])
    curve = specification_curve(
        data.assign(year=data["year"] + 2000, g=data["g"] + 2000), outcomes=["y"], cohort="g",
        estimators=["twfe"],
        samples={"all": None, "no e": lambda rows: rows["unit"] != "e"}, **ROLES,
    )  # fmt: skip
    assert curve.tidy()["estimate"].tolist() == pytest.approx([3.0, 2.5], abs=1e-12)
    assert curve.median == pytest.approx(2.75)
    assert curve.span == pytest.approx((2.5, 3.0))


def with_numbers(estimates: list[float], half: list[float]) -> SpecificationCurve:
    """Return a curve of 2 samples by 2 estimators with these numbers in place of its own."""
    curve = small(samples=SAMPLES)
    b, h = np.array(estimates), np.array(half)
    shown = np.isfinite(b)
    return replace(
        curve, table=curve.table.assign(estimate=b, conf_low=b - h, conf_high=b + h, identified=shown)
    )


def test_medians_shares_and_importance_by_hand() -> None:
    curve = with_numbers([1.0, 2.0, -3.0, 4.0], [0.5, 3.0, 1.0, np.nan])
    assert curve.median == 1.5
    shares = curve.shares()
    assert shares["estimates"].tolist() == [3, 1]
    assert shares["share"].tolist() == [0.75, 0.25]
    assert shares["significant"].tolist() == [1, 1]
    assert shares["share_significant"].tolist() == pytest.approx([1 / 3, 1 / 3])
    found = curve.importance().set_index("choice")
    # Mean 1, total 26. Samples: means 1.5 and 0.5, between 4 x 0.25. Estimators: -1 and 3, 4 x 4.
    assert found.loc["sample", "eta_squared"] == pytest.approx(1 / 26)
    assert found.loc["estimator", "eta_squared"] == pytest.approx(16 / 26)
    assert found.index.tolist() == ["estimator", "sample"]
    assert found.loc["estimator", ["lowest", "highest"]].tolist() == ["twfe", "group_time"]
    said = curve.summary()
    assert "3 of 4 estimates are positive; 1 of 3 intervals exclude zero on that side (1 as negative)" in said
    assert "The choice that matters most is estimator" in said
    assert "62% of the variance" in said


def test_words_count_what_has_no_estimate() -> None:
    curve = with_numbers([1.0, 2.0, np.nan, 4.0], [0.5, 0.5, 1.0, 0.5])
    assert "4 specifications: 3 have an estimate, 1 have none." in curve.summary()
    assert "All 3 estimates are positive; all intervals exclude zero on that side" in curve.summary()
    assert "<table" in curve._repr_html_()


def test_one_specification_has_no_choice_that_matters() -> None:
    curve = small(estimators=["twfe"])
    assert curve.importance().empty
    assert "matters most" not in curve.summary()
    assert curve.shares()["estimates"].sum() == 1


def test_quick_follows_auto_and_withholds_intervals_of_two_adopters() -> None:
    row = small(panel(adopters=2), estimators=["twfe"]).tidy().iloc[0]
    assert row["identified"]
    assert np.isnan(row["conf_low"])
    assert "2 treated clusters" in row["reason"]
    table = small(covariates={"none": (), "x": ("x",)}, estimators=["twfe", "imputation"]).tidy()
    assert table["method"].tolist()[:2] == ["path", "path"]
    assert table.loc[2, ["estimator", "covariates"]].tolist() == ["imputation", "none"]
    assert table["estimate"].notna().all()


def test_methods_that_draw_are_the_estimators_own() -> None:
    curve = small(estimators=["twfe"], inference=["permutation"], draws=199, seed=3)
    design = Design(panel(), outcome="y", cohort="best", **ROLES)
    fit = ci.twfe(design, inference="CR1").with_inference("permutation", draws=199, seed=3)
    row, alone = curve.tidy().iloc[0], fit.overall.iloc[0]
    assert row["p_value"] == alone["p_value"]
    assert row["conf_low"] == alone["conf_low"]


# --- what cannot be estimated -------------------------------------------------------------------------


def test_impossible_specifications_are_kept_with_their_reason() -> None:
    data = panel().assign(w=lambda rows: rows["y"].where(rows["year"] > 2017))
    curve = specification_curve(
        data, outcomes={"whole": "y", "one year": "w"}, cohort="best", outcome_units={"one year": "pounds"},
        controls={"all": None, "never": "never", "not yet": "not_yet"},
        estimators=["twfe", "imputation", "group_time", "sun_abraham"], **ROLES,
    )  # fmt: skip
    table = curve.tidy()
    assert len(table) == 2 * 3 * 4
    good = table[table["outcome"] == "whole"].set_index(["controls", "estimator"])["identified"]
    assert not good["never", "twfe"]
    assert not good["never", "imputation"]
    assert good["not yet", "imputation"]
    assert good["never", "sun_abraham"]
    assert not good["not yet", "sun_abraham"]
    assert good[["all"]].all()
    lost = table[~table["identified"]]
    assert (lost["reason"] != "").all()
    assert lost["estimate"].isna().all()
    assert not table.loc[table["outcome"] == "one year", "identified"].any()
    assert curve.failures["count"].sum() == len(lost)
    assert "twfe compares with everybody" in " ".join(lost["reason"])
    whole = table[table["outcome"] == "whole"].set_index(["controls", "estimator"])["estimate"]
    design = Design(data, outcome="y", cohort="best", **ROLES)
    alone = ci.group_time(design, control="not_yet", inference="CR0").overall["estimate"].iloc[0]
    assert whole["not yet", "group_time"] == alone
    assert whole["all", "group_time"] == whole["never", "group_time"]


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(PanelError, match="no column 'yy'") as found:
        small(outcomes=["yy"], cohort="besst", estimators=["twefe"])
    assert len(found.value.problems) == 3
    with pytest.raises(DesignError, match="filter failed") as more:
        small(
            samples={"bad": lambda rows: rows["nothing"] > 0, "short": lambda rows: [True]},
            controls={"odd": "nevr"}, inference={"x": 3},  # type: ignore[dict-item]
        )  # fmt: skip
    assert len(more.value.problems) == 4
    assert "did you mean 'never'" in str(more.value)


def test_frames_that_contradict_each_other_are_refused() -> None:
    data = panel()
    other = data.assign(y=data["y"] + (data["unit"] == "u03"))
    with pytest.raises(PanelError, match="5 values of 'y' differ"):
        small({"one": data, "two": other})
    with pytest.raises(PanelError, match="varies within u00"):
        small(data.assign(best=data["best"].where(data.index != 0)))
    with pytest.raises(PanelError, match="more than one row for u00 in 2014"):
        small(pd.concat([data, data.iloc[[0]]]))
    with pytest.raises(DesignError, match="Dates are given twice"):
        small({"one": data}, cohort=DATES)


# --- units --------------------------------------------------------------------------------------------


def test_outcomes_in_different_or_unknown_units_are_refused() -> None:
    data = panel()
    data.attrs["columns"]["z"]["unit"] = "people"
    with pytest.raises(DesignError, match="different units") as found:
        small(data, outcomes=["y", "z"])
    assert found.value.problems == ("y: pounds", "z: people")
    with pytest.raises(DesignError, match="unit not stated"):
        small(data, outcomes=["y", "x"])
    assert small(data, outcomes=["y", "x"], outcome_units={"x": "pounds"}).unit == "pounds"


def test_standardised_estimates_are_over_the_deviation_among_never_treated_rows() -> None:
    data = panel()
    plain = small(data, outcomes=["y", "z"]).tidy()
    curve = small(data, outcomes=["y", "z"], standardise=True)
    never = data[data["best"].isna()]
    scale = plain["outcome"].map({name: never[name].std() for name in ("y", "z")})
    for name in ("estimate", "std_error", "conf_low", "conf_high"):
        np.testing.assert_allclose(curve.table[name], plain[name] / scale, rtol=1e-14)
    np.testing.assert_array_equal(curve.table["p_value"], plain["p_value"])
    assert "never-treated rows" in curve.unit


# --- the test of the curve ----------------------------------------------------------------------------


def frames() -> dict[str, pd.DataFrame]:
    """Two ways to date adopters; one leaves out two units for their adoption, the other has them as controls.

    Unit u20 lacks ``z`` in 2018, u21 and u22 lack a row, and u06 adopts after the panel.
    """
    data = panel(n=26)
    data.loc[data["unit"] == "u06", ["best", "late"]] = 2020.0
    data.loc[(data["unit"] == "u20") & (data["year"] == 2018), "z"] = np.nan
    data = data[~(data["unit"].isin(["u21", "u22"]) & (data["year"] == 2017))]
    one = data[~data["unit"].isin(["u08", "u09"])].assign(first=lambda rows: rows["best"])
    return {"dropped": one.copy(), "controls": data.assign(first=data["late"])}


def again(data: dict[str, pd.DataFrame], source: dict[str, str]) -> SpecificationCurve:
    """Estimate everything anew where each unit has the adoption of its source."""
    whole = data["controls"]
    made = {}
    for name, frame in data.items():
        first = frame.groupby("unit")["first"].first()
        kept = whole[whole["unit"].map(source).isin(first.index)]
        made[name] = kept.assign(first=kept["unit"].map(source).map(first))
    return curve_of(made)


def curve_of(data: dict[str, pd.DataFrame]) -> SpecificationCurve:
    names = ("twfe", "group_time", "sun_abraham")
    return specification_curve(
        data, outcomes=["y", "z"], cohort="first", samples=SAMPLES, controls=CONTROLS, inference=["path"],
        estimators=names, standardise=True, **ROLES,
    )  # fmt: skip


@pytest.mark.once
def test_the_permutation_test_is_that_of_estimating_every_curve_again() -> None:
    data, draws, seed = frames(), 19, 4
    curve = curve_of(data)
    columns, why = curve._columns()
    assert not why
    assert len(columns) == 48
    request = curve._request
    found = drawn(request, columns, draws=draws, seed=seed, executor=None, progress=False)
    assert not found.refused
    paths, strata = paths_and_strata(request, [(c.cell, c.outcome) for c in columns])
    units = np.array(request.union.units)
    scale = np.array([c.scale for c in columns])
    by_hand = []
    for own in Assignments(paths, strata).draw(Block(seed, 0, draws)):
        source = {}
        for i, unit in enumerate(units):
            like = np.flatnonzero((paths == own[i]) & (strata == strata[i]))
            source[unit] = units[like[0]]
        made = again(data, source)
        table = made.table
        held = table["outcome"].map(request.scales)  # the test keeps the scales as observed
        used = table["estimate"] * table["outcome"].map(made._request.scales) / held
        t = table["estimate"] / table["std_error"]
        sure = (table["p_value"] < 0.05).to_numpy()
        by_hand.append(statistics_by_hand(used.to_numpy(), t.to_numpy(), sure))
    assert scale.size == len(curve.table)
    np.testing.assert_allclose(found.draws, np.array(by_hand), rtol=ENGINE, atol=ENGINE)
    observed = curve.table
    mine = statistics_by_hand(
        observed["estimate"].to_numpy(),
        (observed["estimate"] / observed["std_error"]).to_numpy(),
        (observed["p_value"] < 0.05).to_numpy(),
    )
    np.testing.assert_allclose(found.observed, mine, rtol=ENGINE)
    told = curve.permutation_test(draws=draws, seed=seed)
    larger = (np.abs(np.array(by_hand)) >= np.abs(mine) - 1e-9).sum(axis=0)
    assert told.table["p_value"].tolist() == ((1 + larger) / (1 + draws)).tolist()
    assert told.p_value == told.table["p_value"].iloc[0]


def statistics_by_hand(b: np.ndarray, t: np.ndarray, sure: np.ndarray) -> list[float]:
    up = np.mean(b > 0)
    side = b > 0 if up > 0.5 else b < 0
    share = np.mean(sure & side)
    if up == 0.5:
        share = max(np.mean(sure & (b > 0)), np.mean(sure & (b < 0)))
    return [np.median(t), np.mean(np.abs(t)), share, max(up, np.mean(b < 0)), np.median(b)]


def test_every_reassignment_is_enumerated_where_there_are_few() -> None:
    data = panel(n=7, adopters=0)
    data.loc[data["unit"].isin(["u00", "u01"]), "best"] = 2016.0
    curve = small(data, estimators=["twfe"], inference=["path"])
    test = curve.permutation_test(draws=199)
    assert test.enumerated
    assert (test.count, test.draws) == (21, 21)
    values = []
    for i in range(7):
        for j in range(i):
            chosen = data["unit"].isin([f"u{i:02d}", f"u{j:02d}"])
            moved = data.assign(best=np.where(chosen, 2016.0, np.nan))
            fit = ci.twfe(Design(moved, outcome="y", cohort="best", **ROLES), inference="path")
            values.append(abs(fit.overall["statistic"].iloc[0]))
    mine = abs(
        ci.twfe(Design(data, outcome="y", cohort="best", **ROLES), inference="path")
        .overall["statistic"]
        .iloc[0]
    )
    assert test.p_value == pytest.approx(np.mean(np.array(values) >= mine * (1 - 1e-9)))


def test_what_cannot_be_reassigned_is_left_out_and_said() -> None:
    curve = small(covariates={"none": (), "x": ("x",)}, inference=["path", "CR1"])
    test = curve.permutation_test(draws=99)
    assert test.n_specifications == 2
    assert sum(test.left_out.values()) == int(curve.table["identified"].sum()) - 2
    assert any("covariates (x)" in reason for reason in test.left_out)
    assert any("the same as another but for the inference" in reason for reason in test.left_out)
    assert "Left out of" in test.summary()
    assert "<table" in test._repr_html_()
    with pytest.raises(DesignError, match="covariates"):
        small(covariates={"x": ("x",)}).permutation_test(draws=99)


def test_adopters_alone_in_their_rows_cannot_be_moved() -> None:
    data = panel(n=12, adopters=3)
    gaps = {"u00": 2014, "u01": 2015, "u02": 2018}
    for unit, year in gaps.items():
        data = data[~((data["unit"] == unit) & (data["year"] == year))]
    with pytest.raises(DesignError, match="moves 0 of 3 units"):
        small(data, estimators=["twfe"], inference=["path"]).permutation_test(draws=99)


def rejections(*, panels: int, effect: float = 0.0, noise: float = 1.0) -> pd.Series:
    """Share of panels in which each statistic of the curve is significant at 5%."""
    out = []
    for seed in range(panels):
        data = panel(effect=effect, seed=1000 + seed, noise=noise)
        curve = small(
            data, cohort=DATES, samples=SAMPLES, estimators=["twfe", "event_study"], inference=["path"]
        )
        out.append(
            curve.permutation_test(draws=99, seed=seed).table.set_index("statistic")["p_value"] <= 0.05
        )
    return pd.concat(out, axis=1).mean(axis=1)


@pytest.mark.once
def test_the_test_of_the_curve_has_its_size() -> None:
    rate = rejections(panels=150)
    low, high = SIZE_SHARE
    assert rate[["median_t", "mean_abs_t", "median_estimate"]].between(low, high).all(), rate


def test_the_test_of_the_curve_sees_an_effect() -> None:
    assert rejections(panels=20, effect=3.0)["median_t"] >= SEEN


def test_noisy_adopters_mislead_the_median_estimate_more_than_the_median_t() -> None:
    rate = rejections(panels=60, noise=4.0)
    assert rate["median_estimate"] >= rate["median_t"] + 0.1, rate


def test_an_error_of_nothing_is_an_infinite_t() -> None:
    b, e = np.array([[1.0, 1.0, -2.0]]), np.array([[np.nan, 1.0, 1.0]])
    found = dict(zip(STATISTICS, curve_statistics(b, e, np.full(3, 50.0), 0.05)[0], strict=True))
    assert found["median_t"] == 1.0
    assert found["mean_abs_t"] == np.inf
    assert found["share_significant"] == pytest.approx(1 / 3)


# --- determinism --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def two_workers() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(2) as pool:
        yield pool


def test_the_same_bits_for_two_workers_and_shuffled_rows(two_workers: ProcessPoolExecutor) -> None:
    data = frames()
    plain = curve_of(data)
    own: dict[str, Any] = {"samples": SAMPLES, "controls": CONTROLS, "inference": ["path"], "cohort": "first"}
    own |= {"outcomes": ["y", "z"], "estimators": ("twfe", "group_time", "sun_abraham")}
    shuffled = {name: frame.sample(frac=1, random_state=7) for name, frame in data.items()}
    other = specification_curve(shuffled, standardise=True, **own, **ROLES, executor=two_workers)
    pd.testing.assert_frame_equal(plain.tidy(), other.tidy(), check_exact=True)
    one = plain.permutation_test(draws=600, seed=2).table
    two = other.permutation_test(draws=600, seed=2, executor=two_workers).table
    pd.testing.assert_frame_equal(one, two, check_exact=True)


def test_inputs_are_left_as_they_are() -> None:
    data = panel()
    before = data.copy(deep=True)

    def meddling(rows: pd.DataFrame) -> pd.Series:
        rows["y"] = 0.0
        return rows["year"] > 0

    curve = small(data, samples={"all": meddling})
    pd.testing.assert_frame_equal(data, before)
    assert curve.tidy()["estimate"].tolist() == small(before).tidy()["estimate"].tolist()
    handed = curve.tidy()
    handed.loc[:, "estimate"] = 0.0
    assert (curve.tidy()["estimate"] != 0).all()


def test_functions_of_the_user_are_estimators_too() -> None:
    later = partial(ci.group_time, control="not_yet")
    curve = small(estimators={"not yet": later, "twfe": "twfe"})
    design = Design(panel(), outcome="y", cohort="best", **ROLES)
    alone = ci.group_time(design, control="not_yet", inference="CR0").overall["estimate"].iloc[0]
    assert curve.tidy()["estimate"].iloc[0] == alone


# --- the library's own study --------------------------------------------------------------------------


def test_the_study_is_laid_out_on_the_official_panel() -> None:
    study = study_specifications(ci.load_panel(), ci.load_adoption(), outcomes=["gce_per_adult"])
    study["estimators"] = {"two-way": "twfe", "group-time": "group_time"}
    curve = specification_curve(**study)
    assert len(curve.table) == 1 * 4 * 3 * 6 * 2
    assert curve.table["identified"].all()
    assert curve.unit == "£ per adult, 2021-22 prices"
    design = Design(
        ci.tag_adoption(ci.load_panel(), ci.load_adoption()),
        outcome="gce_per_adult", unit="ons_code", time="year", cohort="adoption_year",
    )  # fmt: skip
    assert curve.main["estimate"] == ci.twfe(design, inference="CR1").overall["estimate"].iloc[0]
    assert "main" in curve.summary().lower()
    assert curve.permutation_test(draws=99, seed=1).n_paths == 12


def test_the_study_needs_its_columns() -> None:
    with pytest.raises(PanelError, match="gce_per_adlt"):
        study_specifications(ci.load_panel(), ci.load_adoption(), outcomes=["gce_per_adlt"])
