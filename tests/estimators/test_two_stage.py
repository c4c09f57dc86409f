"""Two-stage difference in differences: reference values, other packages, a two-step regression by hand."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from clsimpact.design import Design
from clsimpact.errors import DesignError
from clsimpact.estimators.imputation import imputation
from clsimpact.estimators.two_stage import two_stage
from clsimpact.results import REFERENCE, Estimate
from tests.estimation_helpers import EXACT, ORACLE, mpdta
from tests.oracles.panels import PANELS

pytestmark = pytest.mark.usefixtures("usual_errors")

ITERATED = 5e-9
"""R and its first stage stop their iterations that far from the solution."""

PACKAGES = 1e-10
"""Packages that agree solve directly or to 1e-12; standard errors are compared relatively."""

DENSE = 1e-8
"""Dense pseudo-inverses of 200 columns, written out in the test."""

OPTIONS = {"x=x2": {"covariates": ["x2"]}, "weights=w": {"weights": "w"}}


def design_of(panel: pd.DataFrame, **options: object) -> Design:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Design(panel, outcome="y", unit="unit", time="time", cohort="cohort", **options)  # type: ignore[arg-type]


def numbers(fit: Estimate, term: str) -> tuple[float, float]:
    frame = fit.overall if term == "ATT" else fit.tidy().set_index("term").loc[[term]]
    return float(frame["estimate"].iloc[0]), float(frame["std_error"].iloc[0])


def asked(panel: str, options: str) -> Design:
    data, words = PANELS[panel](), options.split(";")
    if "sample=identified" in words:
        data = data[data["time"] < data["cohort"].max()]
    keywords = {k: v for word in words if word in OPTIONS for k, v in OPTIONS[word].items()}
    return design_of(data, **keywords)


@pytest.mark.parametrize(
    ("term", "estimate", "error"),
    [
        ("ATT", -0.04770992, 0.01347841),
        ("e=-4", -0.00984916, 0.00900093),
        ("e=-3", 0.00953579, 0.00636690),
        ("e=-2", 0.00764359, 0.00601725),
        ("e=0", -0.03106692, 0.01364307),
        ("e=1", -0.05223485, 0.01896384),
        ("e=2", -0.13607811, 0.03534197),
        ("e=3", -0.10470747, 0.03376585),
    ],
)
def test_values_of_r_did2s(term: str, estimate: float, error: float) -> None:
    got = numbers(two_stage(mpdta()), term)
    assert got == pytest.approx((estimate, error), abs=ORACLE)


def test_full_precision_of_r(reference: Path) -> None:
    table = pd.read_csv(reference / "mpdta_r_reference.csv")
    table = table[table["package"] == "R did2s 1.2.0"]
    assert len(table) == 8
    fit = two_stage(mpdta())
    for row in table.itertuples():
        estimate, error = numbers(fit, "ATT" if row.term == "ATT" else f"e={row.term}")
        assert abs(estimate - row.estimate) < ITERATED
        assert abs(error / row.se - 1) < ITERATED


def test_values_of_other_packages(frozen: Path) -> None:
    """Values that two packages share. Units that adopt after the panel have no leads here."""
    table = pd.read_csv(frozen / "imputation.csv").fillna({"options": ""})
    table = table[(table["estimator"] == "two_stage") & table["package"].str.contains(";")]
    seen = 0
    for (panel, options), part in table.groupby(["panel", "options"]):
        design = asked(str(panel), str(options))
        later = bool((~design.in_window & ~np.isnan(design.unit_cohorts)).any())
        fit = two_stage(design)
        for row in part.itertuples():
            event = 0 if row.term == "att" else int(str(row.term).partition(":")[2])
            if event == -1 or (event < 0 and later):
                continue
            estimate, error = numbers(fit, "ATT" if row.term == "att" else f"e={event}")
            assert abs(estimate - row.estimate) < PACKAGES * max(1, abs(row.estimate)), (panel, options, row)
            assert abs(error / row.std_error - 1) < PACKAGES, (panel, options, row)
            seen += 1
    assert seen > 90


def by_hand(design: Design, term_of: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Both stages and the sandwich with dense matrices; ``term_of`` has the term of each row."""
    data = design.data.reset_index(drop=True)
    w = np.ones(len(data)) if design.w is None else design.w
    x1 = np.column_stack(
        [
            pd.get_dummies(data["unit"]).to_numpy(float),
            pd.get_dummies(data["time"]).to_numpy(float)[:, 1:],
            design.X,
        ]
    )
    first = np.where(data["treated"].to_numpy()[:, None], 0.0, x1)
    bread = np.linalg.pinv(first.T @ (w[:, None] * first))
    gap = data["y"].to_numpy() - x1 @ (bread @ (first.T @ (w * data["y"].to_numpy())))
    terms = sorted(term_of.dropna().unique())
    x2 = np.column_stack([(term_of == t).to_numpy(float) for t in terms])
    outer = np.linalg.inv(x2.T @ (w[:, None] * x2))
    theta = outer @ (x2.T @ (w * gap))
    second = (w * (gap - x2 @ theta))[:, None] * x2
    error = np.where(data["treated"], 0.0, w * gap)[:, None] * first
    rows = second - error @ bread @ (x1.T @ (w[:, None] * x2))
    scores = pd.DataFrame(rows @ outer).groupby(design.cluster_codes).sum().to_numpy()
    return theta, np.sqrt((scores**2).sum(axis=0))


@pytest.mark.parametrize("kind", ["simple", "calendar", "dynamic"])
def test_both_stages_by_hand(kind: str) -> None:
    """With weights, covariates, holes and clusters above units."""
    design = design_of(PANELS["missing"](), weights="w", covariates=["x2"], cluster="region")
    data = design.data
    after = data["treated"]
    term_of = {
        "simple": pd.Series(1.0, data.index).where(after),
        "calendar": data["time"].where(after).astype(float),
        "dynamic": data["event_time"].where(data["event_time"] != -1),
    }[kind]
    theta, error = by_hand(design, term_of)
    frame = two_stage(design).aggregate(kind).tidy()
    frame = frame[frame["identified"] & (frame["term"] != "x2")]
    assert frame["estimate"].to_numpy() == pytest.approx(theta, rel=DENSE)
    assert frame["std_error"].to_numpy() == pytest.approx(error, rel=DENSE)


def test_leads_are_means_of_residuals_and_smaller() -> None:
    fit, other = two_stage(mpdta()).tidy(), imputation(mpdta()).tidy()
    assert fit.loc[fit["event_time"] == -1, "reason"].item() == REFERENCE
    assert abs(fit["estimate"][1]) < abs(other["estimate"][1])
    assert "shrunk" in two_stage(mpdta()).summary()


def test_overall_and_averages_are_those_of_imputation() -> None:
    one, two = imputation(mpdta()), two_stage(mpdta())
    for kind in ("simple", "group", "calendar"):
        a, b = one.aggregate(kind), two.aggregate(kind)
        assert a.tidy()["estimate"].to_numpy() == pytest.approx(b.tidy()["estimate"].to_numpy(), abs=EXACT)
        assert a.overall["estimate"].item() == pytest.approx(b.overall["estimate"].item(), abs=EXACT)


@pytest.mark.parametrize("kind", ["group", "calendar", "dynamic"])
def test_overall_effects_are_combinations_of_coefficients(kind: str) -> None:
    fit = two_stage(design_of(PANELS["missing"]())).aggregate(kind)
    frame = fit.tidy()
    mine = frame[frame["identified"] & (frame["event_time"].fillna(0) >= 0)]
    share = np.full(len(mine), 1 / len(mine))
    if kind == "group":
        periods = frame["cohort"].map(lambda g: 2022 - g).to_numpy(float)
        share = mine["n_obs"].to_numpy(float) / periods
        share /= share.sum()
    at = mine.index.to_numpy()
    error = np.sqrt(share @ fit.vcov.matrix[np.ix_(at, at)] @ share)
    assert fit.overall["estimate"].item() == pytest.approx(share @ mine["estimate"], rel=1e-12)
    assert fit.overall["std_error"].item() == pytest.approx(error, rel=1e-12)


def test_jackknife_is_that_of_imputation_after_adoption() -> None:
    one, two = imputation(mpdta(), inference="jackknife"), two_stage(mpdta(), inference="jackknife")
    assert numbers(two, "ATT")[1] == pytest.approx(0.01355264462, abs=1e-11)
    assert numbers(two, "e=1")[1] == pytest.approx(numbers(one, "e=1")[1], rel=1e-11)


@pytest.mark.parametrize("unit", [3, 13, 90])
def test_leads_without_a_unit(unit: int) -> None:
    """In closed form against the estimator run again."""
    data = PANELS["missing"]()
    fit = two_stage(design_of(data, covariates=["x2"]))
    closed = fit.uncertainty.left_out()[list(fit.design.units).index(unit)]
    again = two_stage(design_of(data[data["unit"] != unit], covariates=["x2"])).tidy().set_index("term")
    for slot, term in zip(fit.slots, fit.terms, strict=True):
        if slot is not None:
            assert closed[slot] == pytest.approx(again.loc[term.name, "estimate"], abs=1e-11)


def test_window_and_sample() -> None:
    fit = two_stage(mpdta(), leads=2, lags=1)
    assert [t.name for t in fit.terms] == ["e=-2", "e=-1", "e=0", "e=1"]
    assert numbers(fit, "ATT") == pytest.approx(numbers(two_stage(mpdta()), "ATT"), abs=EXACT)
    sample = fit.sample().set_index("term")
    assert sample.loc["e=0", "treated_units"] == 191
    assert "2004, 2006, 2007" in sample.loc["e=0", "periods"]


def test_no_never_treated() -> None:
    """Years when everybody is treated have no residual: not 6.32, and not zero."""
    fit = two_stage(design_of(PANELS["no_never"]()))
    calendar = fit.aggregate("calendar").tidy().set_index("term")
    assert np.isnan(calendar.loc["t=2021", "estimate"])
    assert "no unit is untreated in 2021" in calendar.loc["t=2021", "reason"]
    short = two_stage(design_of(PANELS["no_never"]().query("time < 2021")))
    assert numbers(fit, "ATT") == pytest.approx(numbers(short, "ATT"), abs=1e-11)


def test_anticipation() -> None:
    fit = two_stage(design_of(PANELS["gaps"](), anticipation=1))
    frame = fit.tidy().set_index("term")
    assert frame.loc["e=-2", "reason"] == REFERENCE
    assert frame.loc["e=-1", "identified"]
    rows = fit.design.event_time >= 0
    assert fit.overall["n_obs"].item() == rows.sum()


def test_one_treated_unit_says_so() -> None:
    frame = two_stage(design_of(PANELS["balanced"]())).aggregate("group").tidy().set_index("term")
    assert "one treated unit" in frame.loc["g=2018", "reason"]


@pytest.mark.parametrize("options", [{"inference": "leave_one_out"}, {"leads": True}, {"level": 0}])
def test_bad_options(options: dict[str, object]) -> None:
    with pytest.raises(DesignError):
        two_stage(mpdta(), **options)  # type: ignore[arg-type]


def test_other_effects_are_refused() -> None:
    with pytest.raises(DesignError, match="two_stage needs unit effects"):
        two_stage(design_of(PANELS["balanced"](), effects="region"))
