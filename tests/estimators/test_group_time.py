"""Group-time effects: reference values, oracles of other packages, hand arithmetic."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from clsimpact.design import Design
from clsimpact.errors import DesignError
from clsimpact.estimators._group_time_nuisance import collinear
from clsimpact.estimators.group_time import group_time
from clsimpact.inference.sandwich import Counts, sandwich
from clsimpact.results import REFERENCE, Estimate
from tests.estimation_helpers import EXACT, council_design, made_up, mpdta
from tests.oracles.panels import PANELS

pytestmark = pytest.mark.usefixtures("usual_errors")

DIRECT = 1e-12
"""Means and least squares in double precision, against R's digits (about 16 of them)."""

LOGIT = 1e-10
"""R's logit stops at a relative change of the deviance of 1e-8, ours at the last digit: 4e-11 apart here."""

AGREE = 1e-8
"""Frozen values of two packages count as one up to this, relative to the larger of 1 and the value."""

CONTROL = {"nevertreated": "never", "notyettreated": "not_yet"}


def answer(fit: Estimate, kind: str, term: str) -> tuple[float, float]:
    """Estimate and standard error of one term of R's tables."""
    if kind == "gt":
        g, t = term.split(",")
        frame = fit.tidy().set_index("term").loc[[f"g={g},t={t}"]]
    elif term == "overall":
        frame = fit.aggregate(kind).overall
    else:
        letter = {"group": "g", "calendar": "t", "dynamic": "e"}[kind]
        frame = fit.aggregate(kind).tidy().set_index("term").loc[[f"{letter}={term}"]]
    return float(frame["estimate"].iloc[0]), float(frame["std_error"].iloc[0])


def wald(fit: Estimate) -> tuple[float, float]:
    """Joint test of every cell before adoption, and its p-value."""
    frame = fit.tidy().set_index("term")
    before = frame.index[(frame["event_time"] < 0) & frame["identified"]]
    b = frame.loc[before, "estimate"].to_numpy()
    w = float(b @ np.linalg.solve(fit.covariance.loc[before, before].to_numpy(), b))
    return w, float(stats.chi2.sf(w, len(b)))


@pytest.fixture(scope="module")
def r_values(reference: Path) -> pd.DataFrame:
    table = pd.read_csv(reference / "mpdta_r_reference.csv")
    return table[(table["package"] == "R did 2.5.0") & table["method"].str.startswith("cs_")]


def options_of(table: pd.DataFrame) -> list[str]:
    return sorted({name.split(":")[1] for name in table["method"] if ":" in name})


def test_every_value_of_r(r_values: pd.DataFrame) -> None:
    checked = 0
    for name in options_of(r_values):
        who, base, x, method = name.split("/")
        design = mpdta(covariates=["lpop"]) if x == "x~x" else mpdta()
        fit = group_time(design, control=CONTROL[who], base_period=base, method=method)  # type: ignore[arg-type]
        near = LOGIT if x == "x~x" and method != "reg" else DIRECT
        for row in r_values[r_values["method"].str.endswith(name)].itertuples():
            kind = row.method.split(":")[0].removeprefix("cs_")
            if kind == "wald_pre":
                w, p = wald(fit)
                assert w == pytest.approx(row.estimate, rel=1e-8)
                assert p == pytest.approx(row.se, abs=6e-6)
            else:
                estimate, error = answer(fit, kind, row.term)
                assert estimate == pytest.approx(row.estimate, abs=near), (name, row.method, row.term)
                if np.isnan(row.se):
                    assert np.isnan(error)
                else:
                    assert error == pytest.approx(row.se, abs=near), (name, row.method, row.term)
            checked += 1
    assert checked == 318


def test_anticipation_as_in_r(r_values: pd.DataFrame) -> None:
    with pytest.warns(UserWarning, match="20"):
        fit = group_time(mpdta(anticipation=1))
    rows = r_values[r_values["method"] == "cs_dynamic_anticip1"]
    for row in rows.itertuples():
        estimate, error = answer(fit, "dynamic", row.term)
        assert estimate == pytest.approx(row.estimate, abs=DIRECT)
        assert error == pytest.approx(row.se, abs=DIRECT)
    assert len(rows) == 6
    assert fit.aggregate("dynamic").overall["estimate"].iloc[0] == pytest.approx(-0.04473430, abs=5e-9)


def test_the_printed_reference_values() -> None:
    fit = group_time(mpdta())
    printed = {
        "simple": (-0.03995128, 0.01203401),
        "dynamic": (-0.07723982, 0.01996499),
        "group": (-0.03101828, 0.01244606),
        "calendar": (-0.04170043, 0.01597185),
    }
    for kind, values in printed.items():
        assert fit.aggregate(kind).overall[["estimate", "std_error"]].iloc[0].tolist() == pytest.approx(
            values, abs=5.1e-9
        )
    balanced = fit.aggregate("dynamic", balance=1).overall
    assert balanced[["estimate", "std_error"]].iloc[0].tolist() == pytest.approx(
        (-0.0287607602203782, 0.0136855825576824), abs=DIRECT
    )
    yet = group_time(mpdta(), control="not_yet").overall
    assert yet[["estimate", "std_error"]].iloc[0].tolist() == pytest.approx(
        (-0.03976363, 0.01205242), abs=5.1e-9
    )
    assert wald(fit) == pytest.approx((7.7912366, 0.16812), abs=5e-6)
    jackknife = fit.with_inference("jackknife").overall["std_error"].iloc[0]
    assert jackknife == pytest.approx(0.01211032894, abs=5e-12)


FILES = ("group_time", "group_time_options", "group_time_panels", "group_time_missing", "group_time_gaps")

APART = {
    "no_never": "dynamic:-",  # the others drop the last cohort, with its cells before adoption
    "gaps": "balanced:",  # the others look for the event time itself, not for a long enough panel
}
"""Terms on which conventions differ; docs/methodology/group_time.md says how."""


def frozen_rows(frozen: Path) -> pd.DataFrame:
    table = pd.concat([pd.read_csv(frozen / f"{name}.csv") for name in FILES], ignore_index=True)
    table = table[table["package"].str.contains(";") & ~table["options"].str.contains("cross_sections")]
    return table[table["estimate"].notna()]


def test_every_value_that_two_packages_agree_on(frozen: Path) -> None:
    table = frozen_rows(frozen)
    checked = 0
    for (panel, options), rows in table.groupby(["panel", "options"], sort=True):
        fit = asked(str(panel), dict(word.split("=") for word in str(options).split(";")))
        made = {"gt": fit, "balanced": fit.aggregate("dynamic", balance=1)}
        made |= {kind: fit.aggregate(kind) for kind in ("simple", "group", "calendar", "dynamic")}
        frames = {kind: numbers(found) for kind, found in made.items()}
        for term, held in rows.groupby("term"):
            if panel in APART and str(term).startswith(APART[str(panel)]):
                continue
            ours = frames[str(term).split(":")[0]][named(str(term))]
            gaps = [apart(ours, (row.estimate, row.std_error)) for row in held.itertuples()]
            singled = "x=x1" in str(options) and "gt:2018" in str(term)
            assert min(gaps) < (3e-5 if singled else 1e-6 if "x=" in str(options) else AGREE), (options, term)
            checked += 1
    assert checked > 1500


def asked(panel: str, options: dict[str, str]) -> Estimate:
    design = Design(
        PANELS[panel](),
        outcome="y",
        unit="unit",
        time="time",
        cohort="cohort",
        covariates=[options["x"]] if "x" in options else [],
        weights=options.get("weights"),
        cluster=options.get("cluster"),
        anticipation=int(options.get("anticipation", 0)),
        always_treated="keep",
    )
    return group_time(
        design,
        control=options["control"],  # type: ignore[arg-type]
        base_period=options["base"],  # type: ignore[arg-type]
        method=options["method"],  # type: ignore[arg-type]
        unbalanced=options.get("sample", "pairs"),  # type: ignore[arg-type]
    )


def numbers(fit: Estimate) -> dict[str, tuple[float, float]]:
    """Estimate and standard error of every term, and of the overall effect."""
    frames = pd.concat([fit.tidy(), fit.overall.assign(term="overall")])
    return dict(zip(frames["term"], zip(frames["estimate"], frames["std_error"], strict=True), strict=True))


def named(term: str) -> str:
    """Our name of a term of the frozen files."""
    kind, *rest = term.split(":")
    if kind == "simple" or rest[-1] == "overall":
        return "overall"
    if kind == "gt":
        return f"g={rest[0]},t={rest[1]}"
    letter = {"group": "g", "calendar": "t"}.get(kind, "e")
    return f"{letter}={rest[0]}"


def apart(ours: tuple[float, float], theirs: tuple[float, float]) -> float:
    """Largest difference; a standard error that is missing or zero on both sides is no difference."""
    error = abs(np.nan_to_num(ours[1]) - np.nan_to_num(theirs[1]))
    return float(max(abs(ours[0] - theirs[0]), error) / max(1.0, abs(theirs[0])))


def two_by_two(y: list[list[float]], cohorts: list[float], **options: object) -> Design:
    rows = [
        (i, t, g, value) for i, (g, values) in enumerate(zip(cohorts, y, strict=True))
        for t, value in enumerate(values, start=2000)
    ]  # fmt: skip
    panel = pd.DataFrame(rows, columns=["unit", "year", "cohort", "y"])
    return Design(panel, outcome="y", unit="unit", time="year", cohort="cohort", **options)  # type: ignore[arg-type]


def test_two_by_two_by_hand() -> None:
    """Changes 5 and 7 of the treated, 1, 2 and 3 of the controls: 6 - 2 = 4."""
    design = two_by_two([[2, 7], [1, 8], [0, 1], [3, 5], [4, 7]], [2001, 2001, np.nan, np.nan, np.nan])
    fit = group_time(design)
    frame = fit.tidy()
    assert frame["term"].tolist() == ["g=2001,t=2001"]
    assert frame["estimate"].iloc[0] == pytest.approx(4, abs=EXACT)
    # residuals -1, 1 over 2 and -1, 0, 1 over 3: 2/4 + 2/9
    assert frame["std_error"].iloc[0] == pytest.approx(np.sqrt(2 / 4 + 2 / 9), abs=EXACT)
    psi = fit.uncertainty.psi[:, 0]  # type: ignore[union-attr]
    assert psi == pytest.approx([-1 / 2, 1 / 2, 1 / 3, 0, -1 / 3], abs=EXACT)
    # CR2 is the error of Welch's t test, 2/(2*1) + 2/(3*2), with the degrees of freedom of equal variances
    cr2 = fit.with_inference("CR2")
    welch = stats.ttest_ind([5, 7], [1, 2, 3], equal_var=False)
    assert cr2.tidy()["std_error"].iloc[0] == pytest.approx(np.sqrt(1 + 1 / 3), abs=EXACT)
    assert cr2.tidy()["statistic"].iloc[0] == pytest.approx(welch.statistic, abs=EXACT)
    expected = (1 / 2 + 1 / 3) ** 2 / (1 / 4 / 1 + 1 / 9 / 2)
    assert cr2.vcov.df[0] == pytest.approx(expected, abs=1e-10)
    # without each unit in turn: 5, 3, then 6 - mean of two controls
    deviations = np.array([7 - 2, 5 - 2, 6 - 2.5, 6 - 2, 6 - 1.5]) - 4
    cr3 = fit.with_inference("CR3").tidy()["std_error"].iloc[0]
    assert cr3 == pytest.approx(np.sqrt((deviations**2).sum()), abs=EXACT)


def test_weights_by_hand() -> None:
    design = two_by_two([[0, 4], [0, 1], [0, 2], [0, 0]], [2001, 2001, np.nan, np.nan])
    panel = design.data.assign(w=np.repeat([3.0, 1.0, 1.0, 4.0], 2))
    weighted = Design(panel, outcome="y", unit="unit", time="year", cohort="cohort", weights="w")
    frame = group_time(weighted).tidy()
    assert frame["estimate"].iloc[0] == pytest.approx(13 / 4 - 2 / 5, abs=EXACT)


def test_universal_base_has_a_reference_row() -> None:
    fit = group_time(mpdta(), base_period="universal")
    frame = fit.tidy().set_index("term")
    assert len(frame) == 15
    base = frame.loc["g=2006,t=2005"]
    assert (base["estimate"], base["identified"], base["reason"]) == (0, False, REFERENCE)
    path = fit.aggregate("dynamic").tidy().set_index("term")
    assert path.loc["e=-1", "reason"] == REFERENCE
    assert fit.sample().set_index("term").loc["g=2004,t=2007", "periods"] == "2007 against 2003"


def test_a_cell_with_clusters_is_the_regression_on_two_means(frozen: Path) -> None:
    """CR2 with Satterthwaite degrees of freedom, CR3: clusters hold several units, of both sides."""
    panel = PANELS["balanced"]()
    design = Design(panel, outcome="y", unit="unit", time="time", cohort="cohort", cluster="region")
    fit = group_time(design)
    wide = panel.set_index(["unit", "time"])["y"].unstack()  # noqa: PD010
    facts = panel.drop_duplicates("unit").set_index("unit")
    for cohort, year, base in ((2017, 2019, 2016), (2020, 2015, 2014)):
        use = facts["cohort"].eq(cohort) | facts["cohort"].isna()
        d = facts.loc[use, "cohort"].eq(cohort).to_numpy(dtype=float)
        change = (wide[year] - wide[base])[use].to_numpy()
        clusters = pd.factorize(facts.loc[use, "region"])[0]
        x = np.column_stack([np.ones(d.size), d])
        influence = x @ np.linalg.inv(x.T @ x)
        residuals = change - x @ (influence.T @ change)
        basis = np.linalg.qr(x)[0]
        counts = Counts(n_obs=d.size, n_clusters=clusters.max() + 1, k_nested=2, k_all=2)
        for kind in ("CR2", "CR3"):
            ours = fit.with_inference(kind)
            at = [term.name for term in ours.terms].index(f"g={cohort},t={year}")
            found = sandwich(influence, residuals, basis, clusters, kind=kind, counts=counts)
            assert ours.vcov.matrix[at, at] == pytest.approx(found.matrix[1, 1], rel=1e-10)
            if kind == "CR2":
                assert ours.vcov.df[at] == pytest.approx(found.df[1], rel=1e-9)


def test_unknown_options_are_told_together() -> None:
    with pytest.raises(DesignError) as caught:
        group_time(mpdta(), control="nevr", method="drr")  # type: ignore[arg-type]
    assert len(caught.value.problems) == 2
    assert "did you mean 'never'" in str(caught.value)
    with pytest.raises(DesignError, match="not on offer"):
        group_time(mpdta(), inference="HC1")
    with pytest.raises(DesignError, match="CR2"):
        group_time(mpdta(covariates=["lpop"])).with_inference("CR2")


def test_two_clusters_are_enough_for_an_error() -> None:
    """G / (G - 1) is two."""
    data = made_up(years=(2014, 2015, 2016, 2017, 2018, 2019))
    data["half"] = data["region"].isin(["R0", "R2", "R4"])
    zero, one = (
        group_time(council_design(data, cluster="half"), inference=kind).overall["std_error"].item()
        for kind in ("CR0", "CR1")
    )
    assert zero > 0
    assert one == pytest.approx(np.sqrt(2) * zero, rel=1e-12)


def test_notes_say_who_is_compared() -> None:
    text = group_time(mpdta(), control="not_yet").summary()
    assert "309 units that adopt never or after 2007, and those that adopt after both periods" in text
    assert "CR0 = 1" in text
    assert "Sample: each effect uses" not in text
    gone = group_time(mpdta().restrict(np.arange(2500) != 7, reason="left out for a test"))
    assert "Sample: each effect uses the units seen in both of its periods" in gone.notes
    data = made_up()
    one = data[data["adoption_year"].notna() | (data["ons_code"] == "E003")]
    assert "1 council that adopts never or after 2021" in group_time(council_design(one)).notes[0]


def test_no_regression_of_another_library_is_claimed() -> None:
    fit = group_time(mpdta())
    assert fit.regression is None
    with pytest.raises(DesignError, match="not coefficients of one regression"):
        fit.verify()


def test_a_combination_has_the_error_and_degrees_of_freedom_of_the_average() -> None:
    """Fixed weights: the calendar mean of one period with one cohort, and of two cells of a cohort."""
    fit = group_time(mpdta()).with_inference("CR2")
    group = fit.aggregate("group").tidy().set_index("term").loc["g=2006"]
    row = fit.linear_combination({"g=2006,t=2006": 0.5, "g=2006,t=2007": 0.5}).iloc[0]
    for column in ("estimate", "std_error", "p_value"):
        assert row[column] == pytest.approx(group[column], rel=1e-10)


def test_as_many_rows_as_columns_can_be_told_apart() -> None:
    line = np.array([[1.0, 0.0], [1.0, 1.0]])
    assert not collinear(line, np.ones(2))
    assert collinear(line, np.array([1.0, 0.0])), "a row without weight says nothing"
    assert collinear(np.ones((2, 2)), np.ones(2))
