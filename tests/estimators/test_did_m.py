"""DID_M and its dynamic effects: values of the authors' program, arithmetic by hand, and hard panels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from hypothesis import given, settings
from hypothesis import strategies as st

from clsimpact.design import Design
from clsimpact.errors import DesignError
from clsimpact.estimators.did_m import did_m
from clsimpact.estimators.local_projection import local_projection
from clsimpact.results import REFERENCE, Estimate
from tests.estimation_helpers import council_design, made_up, mpdta
from tests.oracles import panels

pytestmark = pytest.mark.usefixtures("usual_errors")

SAME = 1e-9
"""Values of the other program come with 16 digits; both sum in double precision."""

SLOPES = 5e-3
"""With covariates the other program treats the estimated slopes a little differently in its errors."""

REFERENCE_VALUES = {
    ("mpdta", ""): {
        "e=0": (-0.01892219908342498, 0.01206768574538973),
        "e=1": (-0.05358934738483171, 0.01703984166072579),
        "e=2": (-0.13627434632867746, 0.03622635771178949),
        "e=3": (-0.10081136308540373, 0.035100423727741914),
        "overall": (-0.039763625623043634, 0.011826269260941663),
        "e=-2": (0.024268903414507464, 0.014487173951950802),
        "e=-3": (-0.0037692936737140632, 0.03170316503473776),
    },
    ("balanced", ""): {
        "e=0": (-2.733553340705497, 0.4409358108645165),
        "e=1": (-3.005164543184655, 0.43400962787913716),
        "e=4": (-3.2585077673846157, 0.9028317463300581),
        "e=-2": (0.3483631628743376, 0.4567007507167227),
        "e=-3": (0.22263006176804026, 0.4453642657270657),
        "overall5": (-3.039472284928726, 0.4679515005768612),
    },
    ("balanced", "weights=wt"): {
        "e=0": (-2.6110380979195384, 0.45818842883272587),
        "e=2": (-3.6037829920134423, 0.6291084949752133),
        "e=-2": (0.19797783140040692, 0.3429599693264806),
        "overall3": (-3.059796850227519, 0.4339149519518657),
    },
    ("balanced", "cluster=region"): {
        "e=0": (-2.733553340705497, 0.4365104523194823),
        "e=1": (-3.005164543184655, 0.4114778487508379),
        "e=-3": (0.22263006176804026, 0.4063932693753595),
        "overall3": (-2.9951053086407944, 0.40451433687285254),
    },
    ("missing", ""): {
        "e=0": (-2.6905469478082256, 0.48237658222613683),
        "e=1": (-3.225775606829595, 0.41164405273543314),
        "e=2": (-3.2159330271521327, 0.6789193782988041),
        "e=-2": (0.06668470307247368, 0.5020502488502618),
        "e=-3": (0.2023314730983672, 0.4741302509986532),
        "overall3": (-3.0445538882003405, 0.42467535518785804),
    },
    ("missing", "weights=wt"): {
        "e=1": (-3.3128990242408114, 0.43340615969906254),
        "e=-3": (0.17754283402515558, 0.587662301758355),
        "overall3": (-3.0939871644795938, 0.4140337961045507),
    },
    ("no_never", ""): {
        "e=0": (-3.212456209773627, 0.27335043282963195),
        "e=2": (-3.118543928711485, 0.7909116015344512),
        "e=4": (-2.721403453333332, 1.2922305273079366),
        "e=-3": (0.7061545095424839, 0.4465416553394823),
        "overall5": (-3.1518669375849453, 0.31178071277794345),
    },
    ("late", ""): {
        "e=0": (-2.733553340705497, 0.4409358108645165),
        "overall5": (-3.039472284928726, 0.4679515005768612),
    },
}
"""Estimates and standard errors of py-did-multiplegt-dyn 0.1.9 (polars 1) on the made-up panels, 2026-11-23.
``missing`` was given to it with the rows kept and the outcome missing; ``overall3`` has three effects."""


def made(panel: pd.DataFrame, **options: Any) -> Design:
    return Design(panel, outcome="y", unit="unit", time="time", cohort="cohort", **options)


def rows(fit: Estimate) -> pd.DataFrame:
    return fit.tidy().set_index("term")


@pytest.mark.parametrize(("panel", "option"), list(REFERENCE_VALUES))
def test_the_values_of_the_authors_program(panel: str, option: str) -> None:
    options = dict([option.split("=")]) if option else {}
    held = made(getattr(panels, panel)(), **options)
    for term, (estimate, error) in REFERENCE_VALUES[panel, option].items():
        if term.startswith("overall"):
            got = did_m(held, effects=int(term[7:]) if term[7:] else None).overall.iloc[0]
        else:
            got = rows(did_m(held)).loc[term]
        assert got["estimate"] == pytest.approx(estimate, rel=SAME), term
        assert got["std_error"] == pytest.approx(error, rel=SAME), term


def test_periods_are_ranks_for_the_authors_program() -> None:
    """It counts observed periods; on a panel without gaps in the calendar we agree with it."""
    panel = panels.gaps()
    rank = {t: i for i, t in enumerate(sorted(panel["time"].unique()))}
    first = panel["cohort"].replace({2017.0: 2018.0, 2019.0: 2020.0})
    panel = panel.assign(time=panel["time"].map(rank) + 1, cohort=first.map(rank) + 1)
    fit = rows(did_m(made(panel)))
    assert fit.loc["e=0", "estimate"] == pytest.approx(-2.9222688803122994, rel=SAME)
    assert fit.loc["e=0", "std_error"] == pytest.approx(0.4667214227771896, rel=SAME)
    assert fit.loc["e=2", "std_error"] == pytest.approx(0.8755506069494771, rel=SAME)
    assert fit.loc["e=-3", "estimate"] == pytest.approx(0.08096695805626515, rel=SAME)


def test_the_frozen_values(frozen: Path) -> None:
    """Values that two or three programs agree on; of their rows the ones on panels without missing rows."""
    table = pd.read_csv(frozen / "did_m.csv", keep_default_na=False)
    fits: dict[tuple[str, str], pd.DataFrame] = {}
    checked = 0
    for row in table[table["panel"].isin(["mpdta", "balanced", "late", "no_never"])].itertuples():
        if "did_multiplegt" not in row.package:
            continue
        key = (row.panel, row.options)
        if key not in fits:
            option = dict(part.split("=") for part in row.options.split(";"))
            held = made(getattr(panels, row.panel)(), weights=option.get("weights"))
            fit = did_m(held, effects=int(option["effects"]), placebos=int(option["placebos"]))
            fits[key] = pd.concat([fit.tidy(), fit.overall]).set_index("term")
        kind, _, number = row.term.partition(":")
        event = {"effect": int(number or 0) - 1, "placebo": -1 - int(number or 0)}
        got = fits[key].loc["ATT" if kind == "average" else f"e={event[kind]}"]
        assert got["estimate"] == pytest.approx(float(row.estimate), rel=SAME, abs=SAME), row
        assert got["std_error"] == pytest.approx(float(row.std_error), rel=SAME), row
        checked += 1
    assert checked >= 30


def test_covariates_follow_the_authors_program() -> None:
    """Estimates agree exactly; standard errors to a fraction of a per cent (see the methodology page)."""
    fit = rows(did_m(made(panels.balanced(), covariates=["x2"])))
    expected = {
        "e=0": (-2.958413713981916, 0.35621962985760325),
        "e=1": (-3.106445299520659, 0.3737812205041053),
        "e=2": (-3.506500290409647, 0.4987675610099696),
        "e=-2": (-0.011856022719635461, 0.3352966527304894),
    }
    for term, (estimate, error) in expected.items():
        assert fit.loc[term, "estimate"] == pytest.approx(estimate, rel=SAME)
        assert fit.loc[term, "std_error"] == pytest.approx(error, rel=SLOPES)


def test_covariates_are_taken_out_with_slopes_of_changes() -> None:
    """A cohort that adopts in the second period has the first as its base."""
    panel = panels.balanced()
    panel.loc[panel["cohort"] == 2016, "cohort"] = 2015
    fit = rows(did_m(made(panel, covariates=["x2"])))
    steps = panel.sort_values(["unit", "time"]).assign(
        **{f"d{name}": lambda d, name=name: d.groupby("unit")[name].diff() for name in ("y", "x2")}
    )
    before = steps[~(steps["cohort"] <= steps["time"]) & steps["dy"].notna()]
    slope = smf.ols("dy ~ dx2 + C(time)", before).fit().params["dx2"]
    plain = rows(did_m(made(panel.assign(y=panel["y"] - slope * panel["x2"]))))
    assert np.allclose(fit["estimate"], plain["estimate"], rtol=SAME, equal_nan=True)


def by_hand() -> pd.DataFrame:
    """Two councils adopt in 3, one in 4, two never; changes are easy to add up."""
    outcomes = {
        "A": (3, [1, 2, 6, 9]),
        "B": (3, [2, 2, 4, 5]),
        "C": (4, [0, 1, 2, 7]),
        "D": (np.nan, [5, 5, 6, 7]),
        "E": (np.nan, [4, 6, 6, 8]),
    }
    return pd.DataFrame(
        [(u, t + 1, g, float(y)) for u, (g, ys) in outcomes.items() for t, y in enumerate(ys)],
        columns=["unit", "time", "cohort", "y"],
    )


def test_arithmetic_by_hand() -> None:
    fit = did_m(made(by_hand()))
    got = rows(fit)
    # In 3: A and B change by 4 and 2, C, D, E by 1, 1, 0. In 4: C by 5, D and E by 1 and 2.
    first, second = 3 - 2 / 3, 5 - 1.5
    # From 2 to 4: A and B by 7 and 3, D and E by 2 and 2.
    third = 5 - 2
    assert got.loc["e=0", "estimate"] == pytest.approx((2 * first + second) / 3)
    assert got.loc["e=1", "estimate"] == pytest.approx(third)
    assert fit.overall["estimate"].iloc[0] == pytest.approx((2 * first + second + 2 * third) / 5)
    # Placebos: from 2 back to 1 for A and B, with C, D, E untreated in 3; from 3 back to 2 for C, with D, E.
    before = (2 * ((-1 + 0) / 2 - (-1 + 0 - 2) / 3) + (-1 - (-1 + 0) / 2)) / 3
    assert got.loc["e=-2", "estimate"] == pytest.approx(before)
    assert np.isnan(got.loc["e=-3", "estimate"])
    assert got.loc["e=-3", "reason"] == "no placebo for 1: its mirror image, 5, lies after the panel"
    assert got.loc["e=-1", "reason"] == REFERENCE
    # e=1: deviations +-2 of two switchers and 0 of two controls, each times sqrt(2), over 2.
    assert got.loc["e=1", "std_error"] == pytest.approx(np.sqrt(2 * (np.sqrt(2) * 2 / 2) ** 2))
    assert got.loc["e=0", ["n_units", "n_obs"]].tolist() == [3, 3]


def test_errors_with_a_lone_control_by_hand() -> None:
    """A lone control deviates from the mean of all who are compared: by itself it has no deviation."""
    panel = by_hand()
    got = rows(did_m(made(panel[panel["unit"].isin(["A", "B", "D"])])))
    # In 3: A and B change by 4 and 2, D by 1; the mean of the three is 7/3.
    switchers = 2 * (np.sqrt(2) * 1 / 2) ** 2
    assert got.loc["e=0", "std_error"] == pytest.approx(np.sqrt(switchers + 3 / 2 * (1 - 7 / 3) ** 2))
    # From 2 to 4: A and B by 7 and 3, D by 2; the mean is 4.
    switchers = 2 * (np.sqrt(2) * 2 / 2) ** 2
    assert got.loc["e=1", "std_error"] == pytest.approx(np.sqrt(switchers + 3 / 2 * (2 - 4) ** 2))


def test_the_sample_is_stated() -> None:
    panel = by_hand()
    fit = did_m(made(panel[~((panel["unit"] == "B") & (panel["time"] == 4))]))
    sample = fit.sample().set_index("term")
    assert sample.loc["e=1", "treated_units"] == 1
    assert "B (not observed" in sample.loc["e=1", "left_out"]
    assert sample.loc["e=0", "periods"] == "2 to 3 (cohort 3), 3 to 4 (cohort 4)"
    assert "one treated" in rows(fit).loc["e=1", "reason"]


def test_effects_and_placebos_choose_terms() -> None:
    terms = did_m(mpdta(), effects=2, placebos=1).tidy()["term"].tolist()
    assert terms == ["e=-2", "e=-1", "e=0", "e=1"]
    assert did_m(mpdta(), placebos=0).tidy()["term"].tolist()[0] == "e=-1"


def test_other_averages_have_the_same_cells() -> None:
    fit = did_m(mpdta())
    assert fit.aggregate("simple").overall["estimate"].iloc[0] == fit.overall["estimate"].iloc[0]
    assert fit.aggregate("group").tidy()["term"].tolist() == ["g=2004", "g=2006", "g=2007"]
    dynamic = fit.aggregate("dynamic", leads=0).overall["estimate"].iloc[0]
    assert dynamic == pytest.approx(rows(fit).loc[["e=0", "e=1", "e=2", "e=3"], "estimate"].mean())


@pytest.mark.parametrize("panel", ["mpdta", "balanced", "missing", "gaps", "no_never"])
def test_not_yet_treated_effects_are_those_of_equal_weights(panel: str) -> None:
    held = made(getattr(panels, panel)())
    one, two = rows(did_m(held)), rows(local_projection(held, weighting="equal"))
    after = [t for t in two.index if t.startswith("e=") and not t.startswith("e=-")]
    assert np.allclose(one.loc[after, "estimate"], two.loc[after, "estimate"], rtol=SAME, equal_nan=True)


@pytest.mark.parametrize("option", [{}, {"cluster": "region"}, {"weights": "w"}])
def test_leaving_out_clusters_is_refitting(option: dict[str, str]) -> None:
    held = made(panels.missing(), **option)
    fit = did_m(held).with_inference("CR3")
    again = []
    for g in range(held.n_clusters):
        part = did_m(held.restrict(held.cluster_codes != g, reason="left out"))
        again.append([*rows(part).reindex(rows(fit).index)["estimate"], part.overall["estimate"].iloc[0]])
    moved = np.array(again) - [*rows(fit)["estimate"], fit.overall["estimate"].iloc[0]]
    error = np.sqrt((moved**2).sum(axis=0))
    known = rows(fit)["identified"].to_numpy(dtype=bool)
    assert np.allclose(rows(fit)["std_error"][known], error[:-1][known], rtol=SAME, equal_nan=True)
    assert fit.overall["std_error"].iloc[0] == pytest.approx(error[-1], rel=SAME)
    share = (held.n_clusters - 1) / held.n_clusters
    jackknife = did_m(held, inference="jackknife").overall["std_error"].iloc[0]
    assert jackknife == pytest.approx(np.sqrt(share) * error[-1], rel=SAME)


@pytest.mark.parametrize("kind", ["simple", "group", "calendar", "dynamic"])
@pytest.mark.parametrize("option", [{}, {"weights": "w"}])
def test_averages_without_each_cluster_are_refitted_averages(kind: Any, option: dict[str, str]) -> None:
    panel = panels.missing()
    held = made(panel.assign(w=panel["w"] / 9), cluster="region", **option)
    found = did_m(held).aggregate(kind).with_inference("CR3").overall
    assert np.isfinite(found["std_error"]).all()
    again = [
        did_m(held.restrict(held.cluster_codes != g, reason="left out")).aggregate(kind).overall["estimate"]
        for g in range(held.n_clusters)
    ]
    error = np.sqrt(((np.array(again) - found["estimate"].to_numpy()) ** 2).sum(axis=0))
    assert found["std_error"].to_numpy() == pytest.approx(error, rel=SAME)


def test_a_lone_council_has_no_leave_one_out_error_and_is_named() -> None:
    panel = made_up()
    panel.loc[(panel["adoption_year"] == 2017) & (panel["ons_code"] != "E001"), "adoption_year"] = np.nan
    fit = rows(did_m(council_design(panel)).with_inference("CR3"))
    lost = fit[fit["reason"].str.contains("no CR3 error")]
    assert len(lost) > 0
    assert lost["std_error"].isna().all()
    assert lost["reason"].str.contains(r"Council 1 \(E001\)").all()


def test_the_factor_of_the_errors_is_said() -> None:
    texts = {kind: did_m(mpdta(), inference=kind).vcov.factor_text for kind in ("CR1", "jackknife", "CR3")}
    assert texts == {
        "CR1": "CR1 = 500/499 = 1.0020",
        "jackknife": "jackknife = 499/500 = 0.9980",
        "CR3": "CR3 = 1",
    }


def test_no_average_offers_what_its_cells_do_not() -> None:
    for kind in ("group", "simple"):
        assert did_m(mpdta()).aggregate(kind).uncertainty.kinds == did_m(mpdta()).uncertainty.kinds


def test_covariates_leave_no_closed_form_without_each_cluster() -> None:
    held = made(panels.balanced(), covariates=["x2"])
    for kind in ("CR3", "jackknife"):
        with pytest.raises(DesignError, match=f"'{kind}' is not on offer for this estimator"):
            did_m(held, inference=kind)


def test_a_cohort_of_one_region_has_no_leave_one_out_error() -> None:
    """What is left of its mass without the region is nothing, though sums of weights are rounded."""
    panel = made_up()
    panel.loc[panel["adoption_year"] == 2017, "adoption_year"] = np.nan
    panel.loc[panel["ons_code"].isin(["E001", "E003", "E004", "E005"]), "adoption_year"] = 2017
    held = council_design(panel, cluster="region", weights="size")
    fit = rows(did_m(held).aggregate("group").with_inference("CR3"))
    assert fit["std_error"].isna().tolist() == [False, True, False]
    assert fit.loc["g=2017", "reason"].startswith("no CR3 error: there is no estimate without Council 0")


def test_anticipation_moves_the_base() -> None:
    held = made(panels.balanced(), anticipation=1)
    fit = did_m(held)
    got = rows(fit)
    assert got.loc["e=-2", "reason"] == REFERENCE
    assert got.loc["e=-1", "identified"]
    shifted = panels.balanced().assign(cohort=lambda d: d["cohort"] - 1)
    plain = rows(did_m(made(shifted)))
    assert got.loc["e=1", "estimate"] == pytest.approx(plain.loc["e=2", "estimate"], rel=SAME)
    cells = did_m(held).aggregate("calendar").tidy()
    assert cells["cohort"].isna().all()
    assert fit.overall["n_obs"].iloc[0] == held.treated.sum() - held.n_treated


def test_gaps_count_calendar_periods() -> None:
    fit = did_m(council_design(made_up()))
    got = rows(fit)
    panel = made_up().set_index(["ons_code", "year"])["cost"].unstack()  # noqa: PD010
    cohort = made_up().groupby("ons_code")["adoption_year"].first()
    treated, clean = cohort == 2018, cohort.isna()
    change = panel[2020] - panel[2017]
    assert got.loc["e=2", "estimate"] == pytest.approx(change[treated].mean() - change[clean].mean())
    assert "2016: 2014" in fit.notes[0]


MOVED = 1e-6
"""Relative. Outcomes near 100 are scaled by up to 50 and moved by up to 180: differences of them keep ten
digits of sixteen, and a wrong formula moves the first ones. Reference rows have no error on either side."""

TINY = 1e-9
"""Absolute, for an estimate of about zero in units in which the noise is 2."""


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), scale=st.floats(0.1, 50), shift=st.floats(-100, 100))
def test_constants_shift_nothing_and_scale_scales(seed: int, scale: float, shift: float) -> None:
    panel = made_up(seed=seed % 50, share=0.9)
    rng = np.random.default_rng(seed)
    units, years = panel["ons_code"].unique(), panel["year"].unique()
    own = panel["ons_code"].map(dict(zip(units, rng.normal(0, 20, len(units)), strict=True)))
    common = panel["year"].map(dict(zip(years, rng.normal(0, 20, len(years)), strict=True)))
    moved = panel.assign(cost=scale * panel["cost"] + own + common + shift).sample(frac=1, random_state=seed)
    one, two = rows(did_m(council_design(panel))), rows(did_m(council_design(moved)))
    assert np.isfinite(one.loc[one["identified"], ["estimate", "std_error"]]).all(axis=None)
    for column in ("estimate", "std_error"):
        assert np.allclose(scale * one[column], two[column], rtol=MOVED, atol=TINY, equal_nan=True)


def test_weights_of_two_are_two_copies() -> None:
    panel = panels.balanced()
    twice = pd.concat([panel, panel[panel["unit"] % 3 == 0].assign(unit=lambda d: d["unit"] + 1000)])
    weighted = panel.assign(w=1.0 + (panel["unit"] % 3 == 0))
    one, two = rows(did_m(made(weighted, weights="w"))), rows(did_m(made(twice)))
    assert np.allclose(one["estimate"], two["estimate"], rtol=SAME, equal_nan=True)


@pytest.mark.parametrize("covariates", [[], ["x2"]])
def test_the_scale_of_weights_changes_nothing(covariates: list[str]) -> None:
    panel = panels.missing()
    one, two = (
        rows(did_m(made(panel.assign(wt=scale * panel["wt"]), weights="wt", covariates=covariates)))
        for scale in (1.0, 1e-3)
    )
    numbers = ["estimate", "std_error"]
    assert np.allclose(one[numbers], two[numbers], rtol=MOVED, atol=TINY, equal_nan=True)


def test_unusable_options_are_refused() -> None:
    with pytest.raises(DesignError, match="effects is 0"):
        did_m(mpdta(), effects=0)
    with pytest.raises(DesignError, match="placebos is -1"):
        did_m(mpdta(), placebos=-1)
    gap = panels.balanced().query("(cohort == 2018 or cohort != cohort) and time != 2018")
    with pytest.raises(DesignError, match=r"No cohort and period can be compared.\nRepair: Ask for more"):
        did_m(made(gap), effects=1, placebos=0)
    with pytest.raises(DesignError, match="did you mean 'cohort'"):
        did_m(mpdta(), inference="cohrt")
    with pytest.raises(DesignError, match="Leave effects out of Design"):
        did_m(council_design(made_up(), effects="region"))
    with pytest.raises(DesignError, match="'x1'"):
        did_m(made(panels.balanced(), covariates=["x1"]))


@pytest.mark.parametrize("level", [0.0, 7.3e6, 1e12])
def test_a_covariate_that_moves_alike_everywhere_is_refused(level: float) -> None:
    """What is left of it when period effects are taken out is rounding."""
    panel = panels.balanced()
    prices = panel.assign(price=level + 100 * 1.037 ** (panel["time"] - 2014) + panel["x1"])
    with pytest.raises(DesignError, match="covariate 'price'"):
        did_m(made(prices, covariates=["x2", "price"]))


def test_covariates_that_cannot_be_told_apart_are_refused() -> None:
    held = council_design(made_up().assign(twice=lambda d: 2 * d["need"]), covariates=["need", "twice"])
    with pytest.raises(DesignError, match="these do not move by themselves") as told:
        did_m(held)
    assert told.value.problems == ("covariate 'need'", "covariate 'twice'")


def test_a_panel_without_a_comparison_names_councils() -> None:
    panel = by_hand()
    everyone = panel[panel["cohort"] == 3]
    with pytest.raises(DesignError, match="still untreated in 3"):
        did_m(made(everyone))
    late = panel[(panel["cohort"] != 3) | (panel["time"] >= 3)]
    only = late[late["cohort"] != 4]
    with pytest.raises(DesignError, match=r"cohort 3 is not observed before adoption \(A, B\)"):
        did_m(made(only, always_treated="keep"))
