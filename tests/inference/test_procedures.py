"""The door: from a method's name to p-values, bands, joint tests, equivalence and families of results."""

from __future__ import annotations

import re
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from clsimpact import families
from clsimpact._auto import FEWEST_TOGETHER, LEAST, LEAST_TOGETHER, NEARLY
from clsimpact._forms import forms_of
from clsimpact._sizes import HOLDS, Rate, nearest, rates
from clsimpact.datasets import example_design
from clsimpact.design import Design
from clsimpact.errors import DesignError, FewTreatedWarning
from clsimpact.estimators import event_study, twfe
from clsimpact.estimators.did_m import did_m
from clsimpact.estimators.extended_twfe import extended_twfe
from clsimpact.estimators.group_time import group_time
from clsimpact.estimators.imputation import imputation
from clsimpact.estimators.local_projection import local_projection
from clsimpact.estimators.stacked import stacked
from clsimpact.estimators.sun_abraham import sun_abraham
from clsimpact.estimators.synthetic_did import synthetic_did
from clsimpact.inference import (
    ConleyTaber,
    FermanPinto,
    Multiplier,
    Permutation,
    Wild,
    conley_taber,
    ferman_pinto,
    two_one_sided,
    two_one_sided_draws,
    wild,
)
from clsimpact.inference.blocks import Block
from clsimpact.inference.wild import signs
from tests.estimation_helpers import EXACT, council_design, five_units, made_up
from tests.inference.test_linear import unbalanced

SAME = 1e-9
"""Relative: the same statistic by refits and by types, or by two estimators that agree (1e-12 seen)."""

DRAWS = 399
"""Enough for intervals at 95%, balanced over a dozen terms with rank two."""

CRITICAL = 0.06
"""Nearly four standard errors of the 95% quantile of the largest of seven |t|: 0.0145 with our 9,999 draws
(as it varies between seeds) and 0.009 with the 25,000 of R."""

MEASURED = 0.75
"""The mean rate over all kinds of panel lies this near to 5 (points): it is known to about 0.15."""

ADOPTERS = [f"E{i:03d}" for i in (0, 1, 2, 8, 9, 10, 16, 17, 18, 24)]


def few(n: int, **options: Any) -> Design:
    """Forty councils of which n adopt, in 2016, 2017 and 2018 in turn."""
    panel = made_up(n_units=40)
    panel["adoption_year"] = panel["adoption_year"].where(panel["ons_code"].isin(ADOPTERS[:n]))
    return council_design(panel, **options)


@pytest.fixture(scope="module")
def ten() -> Design:
    return few(10)


@pytest.fixture(scope="module")
def cells(ten: Design) -> Any:
    return group_time(ten, inference="CR2")


@pytest.fixture(scope="module")
def dynamic(cells: Any) -> Any:
    return cells.aggregate("dynamic")


@pytest.fixture(scope="module")
def path_of_ten(ten: Design) -> Any:
    return event_study(ten).with_inference("permutation", draws=DRAWS, seed=2)


NAMES = ("CR0", "CR1", "CR2", "CR3", "HC1", "iid", "jackknife", "CR2_IK")
MORE = ("auto", "path", "permutation", "wild", "multiplier", "conley_taber", "ferman_pinto")


@pytest.mark.parametrize("bad", ["permuttion", "CR9", "bootstrap", "", 3, None])
def test_unknown_methods_are_told_every_known_one(bad: Any, ten: Design) -> None:
    with pytest.raises(DesignError, match=re.escape(f"{bad!r} is not on offer")) as found:
        twfe(ten).with_inference(bad)
    assert found.value.repair == f"Use one of {', '.join((*NAMES, *MORE))}."
    assert ("did you mean 'permutation'" in str(found.value)) == (bad == "permuttion")


@pytest.mark.parametrize("estimator", [twfe, group_time, synthetic_did])
def test_estimators_are_told_every_known_method_too(estimator: Any, ten: Design) -> None:
    words = re.escape("'permutatoin' is not on offer (did you mean 'permutation'?)")
    with pytest.raises(DesignError, match=words) as found:
        estimator(ten, inference="permutatoin")
    assert all(name in str(found.value) for name in MORE)
    with pytest.raises(DesignError, match="ferman_pinto needs the size of each unit"):
        estimator(ten, inference="ferman_pinto")


def test_one_date_cannot_be_permuted() -> None:
    one = noise(60, {2019: 6})
    with pytest.raises(DesignError, match="All adopters adopt in 2019: there are no dates") as found:
        twfe(one).with_inference(Permutation(who="dates"))
    assert 'who="units"' in found.value.repair


@pytest.mark.parametrize("n", [3, 10])
@pytest.mark.parametrize("ask", ["bands", "joint_test"])
def test_what_is_asked_is_checked_first(ask: str, n: int) -> None:
    """Whether or not bands are shown for so few adopters."""
    fit = event_study(noise(150, {2018: n - 1, 2019: 1}))
    with pytest.raises(DesignError, match="terms 'bogus' are not known"):
        getattr(fit, ask)("bogus")
    with pytest.raises(DesignError, match="statistic 'nope'"):
        getattr(fit, ask)("all", statistic="nope")


def test_provenance_identifies_the_inference(ten: Design) -> None:
    """What is there is enough to make the numbers again."""
    region = {unit: str(i % 2) for i, unit in enumerate(ten.units)}
    asked = Permutation(who="dates", strata=region)
    fit = twfe(ten).with_inference(asked, draws=299, seed=8)
    found = fit.provenance["estimate"]["inference"]
    assert (found["asked"], found["method"]) == ("permutation", "permutation")
    assert (found["draws"], found["seed"]) == (299, 8)
    again = twfe(ten).with_inference(
        Permutation(**found["options"]), draws=found["draws"], seed=found["seed"]
    )
    pd.testing.assert_frame_equal(again.tidy(), fit.tidy())
    found["options"]["strata"].clear()
    assert fit.provenance["estimate"]["inference"]["options"]["strata"] == region
    auto = twfe(ten)
    found = auto.provenance["estimate"]["inference"]
    assert (found["asked"], found["method"], found["draws"]) == ("auto", "permutation", 9999)
    assert found["why"] == auto.why
    plain = twfe(ten, inference="CR2").provenance["estimate"]["inference"]
    assert plain == {
        "asked": "CR2", "method": "CR2", "options": {}, "draws": None, "seed": None, "why": "", "refused": "",
    }  # fmt: skip
    assert twfe(few(2)).provenance["estimate"]["inference"]["refused"].startswith("2 treated clusters")


@pytest.mark.parametrize("name", ["permutation", "wild", "auto"])
@pytest.mark.parametrize(
    ("draws", "seed", "words"), [(18, 0, "draws is 18"), (99, -1, "seed is -1"), (9.5, 0, "9.5")]
)
def test_draws_and_seeds_that_cannot_be(name: str, draws: Any, seed: int, words: str, ten: Design) -> None:
    with pytest.raises(DesignError, match=words):
        twfe(ten).with_inference(name, draws=draws, seed=seed)


@pytest.mark.parametrize("level", [0.5, 0.95])
@pytest.mark.parametrize(
    "method", ["path", "permutation", "wild", "multiplier", "conley_taber", "CR0", "jackknife", "auto"]
)
@pytest.mark.filterwarnings("ignore::clsimpact.errors.FewTreatedWarning")  # of CR0 and the jackknife
def test_every_method_takes_the_level(method: str, level: float, dynamic: Any) -> None:
    fit = dynamic.with_inference(method, draws=DRAWS, level=level)
    other = dynamic.with_inference(method, draws=DRAWS, level=0.8)
    again = other.with_inference(method, draws=DRAWS, level=level)
    for frame, wider in ((fit.tidy(), other.tidy()), (fit.overall, other.overall)):
        width = (frame["conf_high"] - frame["conf_low"]).dropna()
        assert len(width) > 0
        assert ((width < (wider["conf_high"] - wider["conf_low"])[width.index]) == (level < 0.8)).all()
    pd.testing.assert_frame_equal(fit.tidy(), again.tidy())
    assert (fit.level, fit.total.level) == (level, level)


@pytest.mark.parametrize("n", [3, 5, 10])
@pytest.mark.parametrize("estimator", [twfe, event_study, imputation, group_time])
def test_auto_chooses_a_method_that_was_measured_to_hold(estimator: Any, n: int) -> None:
    fit = estimator(few(n))
    assert (fit.asked, fit.method) == ("auto", "permutation")
    assert fit.why.startswith(f"{n} treated clusters: studentised permutation")
    assert abs(nearest(fit.estimator, n)["permutation"].mean - 5) <= MEASURED
    assert n >= LEAST == min(rates(fit.estimator))
    summary = " ".join(fit.summary().split())
    assert f"Inference: auto, {fit.why}" in summary
    assert np.isfinite(fit.overall[["p_value", "conf_low", "conf_high"]].to_numpy(float)).all()


@pytest.mark.parametrize(("n", "words"), [(1, "one treated council"), (2, "2 treated clusters")])
@pytest.mark.parametrize("estimator", [twfe, group_time])
def test_auto_with_one_or_two_adopters_shows_no_interval(estimator: Any, n: int, words: str) -> None:
    fit = estimator(few(n))
    assert fit.why == fit.refused
    assert fit.refused.startswith(f"{words}: no interval holds")
    for frame in (fit.tidy(), fit.overall):
        assert frame["estimate"].notna().any()
        assert frame[["p_value", "conf_low", "conf_high"]].isna().all(axis=None)
        assert frame.loc[frame["identified"], "reason"].str.len().gt(0).all()
    assert fit.refused.split(":")[0] in fit.summary()
    for ask in (fit.joint_test, lambda: fit.equivalence(1.0)):
        with pytest.raises(DesignError, match="no interval holds"):
            ask()
    assert fit.bands().loc[:, "band_low":].isna().all(axis=None)  # type: ignore[misc]
    assert "no interval holds" in fit.bands().attrs["bands"]


@pytest.mark.parametrize("method", ["permutation", "path", "wild"])
def test_what_auto_refuses_can_be_asked_for_by_name(method: str) -> None:
    refused = group_time(few(2))
    found = refused.with_inference(method, draws=DRAWS)
    assert (found.refused, found.total.refused, found.why) == ("", "", "")
    assert found.overall[["p_value", "conf_low", "conf_high"]].notna().all(axis=None)
    assert found.with_inference("auto").refused == refused.refused


def test_auto_with_many_adopters_permutes_while_that_is_quick() -> None:
    fit = twfe(example_design())
    assert fit.method == "permutation"
    assert fit.why.startswith("191 treated clusters: studentised permutation of adoption")


def test_auto_of_a_large_panel_is_the_usual_covariance() -> None:
    """More than 2,000 units, and more than 50 adopters behind every number; a thin cohort changes that."""
    rng = np.random.default_rng(0)
    first = np.where(np.arange(2100) < 900, 2018 + np.arange(2100) % 2, 0)
    panel = pd.DataFrame({
        "unit": np.repeat(np.arange(2100), 4), "year": np.tile(np.arange(2016, 2020), 2100),
        "first": np.repeat(first, 4), "y": rng.normal(size=8400),
    })  # fmt: skip
    roles = {"outcome": "y", "unit": "unit", "time": "year", "cohort": "first"}
    fit = event_study(Design(panel, **roles))
    assert (fit.method, fit.procedure) == ("CR1", None)
    assert fit.why == (
        "900 treated clusters, 450 or more behind every number, and 1200 others are many: CR1, the usual "
        "errors of event_study, by convention (docs/size.md: large panels)"
    )
    joint = fit.joint_test("before")
    assert (joint["test"].item(), joint["n_terms"].item()) == ("balanced", 2)
    again = fit.with_inference("permutation", draws=99).with_inference("auto")
    assert (again.procedure, again.refused) == (None, "")
    thin = panel.assign(first=np.where(panel["unit"] == 0, 2017, panel["first"]))
    assert event_study(Design(thin, **roles)).method == "permutation"


OBSTACLES = [
    ({"weights": "size"}, "rows are weighted by size"),
    ({"covariates": ["need"]}, "covariates (need) move the estimate"),
    ({"cluster": "region"}, "errors are clustered by region"),
]


@pytest.mark.parametrize(("options", "words"), OBSTACLES)
def test_auto_of_two_way_effects_without_permutation(options: dict[str, Any], words: str) -> None:
    """Quietly: a warning that says to use auto would be an error here."""
    panel = made_up(n_units=FEWEST_TOGETHER)
    fit = event_study(council_design(panel, **options))
    assert (fit.method, fit.asked) == ("wild", "auto")
    assert f"no permutation, as {words}" in fit.why
    plain = event_study(council_design(panel, **options)).with_inference("wild")
    lone = fit.tidy()["n_units"] == 1
    pd.testing.assert_frame_equal(fit.tidy()[~lone], plain.tidy()[~lone])
    assert words in " ".join(fit.summary().split())
    if "cluster" in options:
        with pytest.raises(DesignError, match="with 10 clusters it was measured to fail"):
            fit.joint_test("before")
        return
    assert fit.joint_test("before")["test"].item() == "wald"
    assert fit.bands()["band_low"].isna().all()
    assert "null imposed" in fit.bands().attrs["bands"]
    assert fit.equivalence(20.0).p_value < 0.05


@pytest.mark.parametrize(
    ("estimator", "method"), [(imputation, "CR2"), (sun_abraham, "CR2"), (stacked, ""), (did_m, "")]
)
def test_auto_of_others_without_permutation(estimator: Any, method: str) -> None:
    """What was measured to hold, or nothing; no joint test, and no interval for one adopter."""
    panel = made_up(n_units=64).query("ons_code != 'E001' or year != 1")
    fit = estimator(council_design(panel, covariates=["need"]))
    assert fit.asked == "auto"
    rate = nearest(fit.estimator, fit.design.n_treated_clusters)
    if method:
        assert fit.method == method
        assert rate[method].mean <= NEARLY
        assert fit.overall["conf_low"].notna().all()
        assert (fit.tidy()["conf_low"].isna() | (fit.tidy()["n_units"].fillna(9) > 1)).all()
    else:
        assert fit.refused == fit.why
        assert "Permutation(refit=True)" in fit.refused
        assert fit.overall["conf_low"].isna().all()
    path = fit.aggregate("dynamic") if fit.aggregator else fit
    for ask in (path.joint_test, lambda: path.joint_test("all")):
        with pytest.raises(DesignError, match=r"joint test"):
            ask()
    assert path.bands()["band_low"].isna().all()


def test_auto_with_few_to_compare_with_shows_no_interval() -> None:
    panel = made_up(n_units=40)
    kept = panel["adoption_year"].notna() | panel["ons_code"].isin(["E003", "E004", "E005", "E006"])
    fit = group_time(council_design(panel[kept]))
    assert fit.refused.startswith("4 clusters to compare with: no interval was measured to hold (from 5 on)")
    assert fit.overall["conf_low"].isna().all()


def test_auto_with_few_units_makes_no_bands() -> None:
    panel = made_up(n_units=40)
    fit = event_study(council_design(panel[panel["ons_code"] < "E024"]))
    assert fit.overall["conf_low"].notna().all()
    assert "with 24 clusters it was measured to fail" in fit.bands().attrs["bands"]
    with pytest.raises(DesignError, match="with 24 clusters it was measured to fail"):
        fit.joint_test("before")


def test_auto_with_one_heavy_adopter_shows_no_interval() -> None:
    """Leverage: one council with nearly all the weight is one council."""
    panel = made_up(n_units=64)
    heavy = panel.assign(size=np.where(panel["ons_code"] == "E001", 1e4, 1.0))
    fit = event_study(council_design(heavy, weights="size"))
    assert "adopters count as 1.0 equal ones" in fit.refused
    assert fit.overall["conf_low"].isna().all()


def test_auto_of_synthetic_weights_and_of_few_re_assignments() -> None:
    fit = synthetic_did(few(10))
    assert fit.method == "path"
    assert "the weights of units and periods depend on the outcomes" in fit.why
    assert synthetic_did(noise(120, {2019: 60})).method == "path"  # however many adopt
    panel = made_up(n_units=40)
    lone = (panel["ons_code"] == "E000") & (panel["year"] == 2020)
    fit = twfe(council_design(panel[~lone]))
    assert fit.method == "path"
    assert "1 adopter cannot be moved: nobody else is observed in the same periods" in fit.why
    few_ways = panel[panel["ons_code"].isin([f"E{i:03}" for i in (0, 8, 16, 3, 4, 5, 6, 7, 11, 12)])]
    fit = twfe(council_design(few_ways))
    assert fit.method == "path"
    assert "there are 120 re-assignments only (400 are needed)" in fit.why


@pytest.mark.parametrize("kind", ["CR1", "CR3"])
def test_a_method_that_rejects_too_often_warns_with_its_measured_rate(kind: str) -> None:
    rate = rates("twfe")[5][kind]
    assert rate.most > HOLDS
    words = f"5 treated clusters: with 5, a nominal 5% test .* {kind} rejected {rate} of the time"
    with pytest.warns(FewTreatedWarning, match=words) as caught:
        twfe(few(5), inference=kind)
    assert "Use inference=" in str(caught[0].message)
    with pytest.warns(FewTreatedWarning, match=words):
        twfe(few(5)).with_inference(kind)


@pytest.mark.parametrize(
    ("estimator", "n", "method", "measured"),
    [(imputation, 5, "multiplier", "CR0"), (event_study, 3, Wild(impose_null=False), "wild_unrestricted")],
)
def test_draws_that_reject_too_often_warn_with_their_measured_rate(
    estimator: Any, n: int, method: Any, measured: str
) -> None:
    fit = estimator(few(n))
    rate = rates(fit.estimator)[n][measured]
    assert rate.mean > NEARLY
    with pytest.warns(FewTreatedWarning, match=f"rejected {rate} of the time"):
        fit.with_inference(method, draws=DRAWS)


def test_auto_never_warns(recwarn: pytest.WarningsRecorder) -> None:
    for more in ({"weights": "one"}, {"covariates": ["x"]}, {"cluster": "region"}):
        for estimator in (twfe, event_study, imputation):
            estimator(noise(60, {2018: 3, 2019: 3}, **more)).overall  # noqa: B018 - it is the look that counts
    assert [str(w.message) for w in recwarn] == []


def test_permutation_of_the_coefficient_warns() -> None:
    for fit in (twfe(few(5)), stacked(few(10))):
        with pytest.warns(FewTreatedWarning, match="permutation of the coefficient|Permutation of the coeff"):
            fit.with_inference(Permutation(statistic="coefficient"), draws=DRAWS)


def test_methods_that_hold_or_many_adopters_do_not_warn(recwarn: pytest.WarningsRecorder) -> None:
    assert rates("twfe")[10]["CR2"].most <= HOLDS
    twfe(few(10), inference="CR2")
    twfe(few(5)).with_inference("permutation", draws=DRAWS)
    twfe(few(5)).with_inference("conley_taber", draws=DRAWS)
    twfe(example_design(), inference="CR1")
    assert [str(w.message) for w in recwarn] == []


def test_the_table_of_sizes() -> None:
    table = rates("twfe")
    assert sorted(table) == [3, 5, 10, 25]
    assert all(0 <= rate.least <= rate.most <= 100 for row in table.values() for rate in row.values())
    assert table[5]["CR1"].least > table[25]["CR1"].most
    assert nearest("twfe", 7) == table[5]  # 7/5 is less than 10/7
    assert nearest("twfe", 8) == table[10]
    assert nearest("twfe", 0) == table[3]
    assert nearest("nothing", 5) == {}
    assert str(Rate(5, 1.0, 2.25, 1.5)) == "1.0-2.2%"
    assert str(Rate(5, 2.0, 2.0, 2.0)) == "2.0%"


@pytest.mark.parametrize("method", ["permutation", "wild", "multiplier", "path", "auto", "CR0", "jackknife"])
@pytest.mark.parametrize("kind", ["dynamic", "group", "simple"])
@pytest.mark.filterwarnings("ignore::clsimpact.errors.FewTreatedWarning")  # of CR0 and the jackknife
def test_averages_keep_the_inference(method: str, kind: str, cells: Any) -> None:
    how = {"draws": DRAWS, "seed": 4, "level": 0.9}
    fit = cells.with_inference(method, **how).aggregate(kind)
    direct = cells.aggregate(kind).with_inference(method, **how)
    pd.testing.assert_frame_equal(fit.tidy(), direct.tidy())
    pd.testing.assert_frame_equal(fit.overall, direct.overall)
    assert (fit.asked, fit.level, fit.method) == (direct.asked, 0.9, direct.method)
    assert method in (fit.asked, fit.method)


def test_combinations_and_averages_use_the_draws(path_of_ten: Any) -> None:
    fit, names = path_of_ten, [term.name for term in path_of_ten.terms]
    row = fit.linear_combination({"e=0": 0.5, "e=3": -2.0}, label="odd").iloc[0]
    forms = forms_of(event_study(fit.design, inference="CR2"))
    weights = np.zeros((len(names), 1))
    weights[[names.index("e=0"), names.index("e=3")], 0] = 0.5, -2.0
    drawn = fit.procedure.run.numbers()
    own = event_study(fit.design, inference="CR2").linear_combination({"e=0": 0.5, "e=3": -2.0}).iloc[0]
    assert row["std_error"] == pytest.approx(own["std_error"], rel=SAME)
    assert row["estimate"] == pytest.approx(own["estimate"], rel=SAME)
    mixed = fit.procedure.run.numbers(weights)
    assert row["p_value"] == mixed.p_values()[0]
    assert (row["conf_low"], row["conf_high"]) == tuple(end[0] for end in mixed.intervals(0.95))
    assert mixed.statistics.shape == (DRAWS, 1)
    assert not np.array_equal(mixed.statistics[:, 0], drawn.statistics[:, names.index("e=0")])
    assert forms.by_type.combine(weights).df[0] == pytest.approx(own_df(fit, weights), rel=SAME)
    post = {f"e={e}": 1 / 6 for e in range(6)}
    assert fit.average()["p_value"].item() == fit.linear_combination(post)["p_value"].item()
    assert fit.overall["p_value"].item() == fit.average()["p_value"].item()


def own_df(fit: Any, weights: np.ndarray) -> float:
    cr2 = event_study(fit.design, inference="CR2")
    slots = [i for i, slot in enumerate(cr2.slots) if slot is not None and cr2.identified[i]]
    inner = np.zeros((len(slots), 1))
    for i in slots:
        inner[cr2.slots[i], 0] = weights[i, 0]
    return float(cr2.uncertainty.combine(inner).covariance("CR2").df[0])


@pytest.mark.parametrize(("terms", "n"), [("before", 3), ("after", 6), ("all", 9), (["e=0", "e=2"], 2)])
@pytest.mark.parametrize("statistic", ["balanced", "sup_t", "wald", None])
def test_joint_tests(terms: Any, n: int, statistic: str | None, path_of_ten: Any) -> None:
    row = path_of_ten.joint_test(terms, statistic=statistic).iloc[0]
    assert (row["n_terms"], row["test"], row["left_out"]) == (n, statistic or "balanced", "")
    assert 1 / (1 + DRAWS) <= row["p_value"] <= 1
    assert "permutation of adoption among councils, studentised; 399 of" in row["inference"]
    shown = path_of_ten.tidy().set_index("term")
    names = row["terms"].split(", ")
    if statistic in ("sup_t", "balanced"):
        assert row["statistic"] == pytest.approx(shown.loc[names, "statistic"].abs().max(), rel=EXACT)
    if statistic == "sup_t":
        drawn = np.abs(path_of_ten.procedure.run.numbers().statistics)[
            :, [shown.index.get_loc(x) for x in names]
        ]
        assert row["p_value"] == (1 + (drawn.max(axis=1) >= row["statistic"] * (1 - SAME)).sum()) / (
            1 + DRAWS
        )


def test_joint_test_of_one_term_is_its_own_test(path_of_ten: Any) -> None:
    own = path_of_ten.tidy().set_index("term").loc["e=2", "p_value"]
    for statistic in ("balanced", "sup_t", "wald"):
        assert path_of_ten.joint_test(["e=2"], statistic=statistic)["p_value"].item() == own


def test_joint_tests_without_draws(ten: Design) -> None:
    """F with the least degrees of freedom, and the largest of simulated t."""
    fit = event_study(ten, inference="CR2")
    row = fit.joint_test("before").iloc[0]
    leads = [i for i, t in enumerate(fit.terms) if t.event_time < -1 and fit.identified[i]]
    b, v, df = fit.estimates[leads], fit.vcov.matrix[np.ix_(leads, leads)], fit.vcov.df[leads].min()
    value = float(b @ np.linalg.solve(v, b))
    assert row["statistic"] == pytest.approx(value, rel=SAME)
    assert row["p_value"] == pytest.approx(stats.f.sf(value / 3, 3, df), rel=SAME)
    assert row["inference"] == f"CR2, F with 3 and {df:.4g} degrees of freedom"
    own = fit.tidy().set_index("term").loc["e=2", "p_value"]
    one = fit.joint_test(["e=2"], statistic="sup_t")["p_value"].item()
    assert one == pytest.approx(own, abs=4 * (own * (1 - own) / 9999) ** 0.5 + 1e-4)


@pytest.mark.parametrize("method", ["CR1", "permutation", "wild"])
def test_a_singular_joint_test_does_not_depend_on_levels_and_common_trends(method: str) -> None:
    """15 terms of 9 units: what rounding leaves where the covariance is zero must not be inverted."""
    noise = np.random.default_rng(0).normal(size=(9, 16))
    unit, year = np.indices(noise.shape)
    found = []
    for size in (0.0, 1e3, 1e6):
        panel = pd.DataFrame({"unit": unit.ravel(), "year": 2000 + year.ravel()})
        panel["adopted"] = np.where(panel["unit"] < 4, 2008.0, np.nan)
        panel["y"] = (size * (1 + 0.3 * unit + 0.01 * year) + noise).ravel()
        design = Design(panel, outcome="y", unit="unit", time="year", cohort="adopted")
        with pytest.warns(FewTreatedWarning) if method == "CR1" else nullcontext():
            fit = event_study(design).with_inference(method)
        found.append(fit.joint_test("all", statistic="wald")[["statistic", "p_value"]].to_numpy()[0])
    assert 0 < found[0][0] < 10
    np.testing.assert_allclose(found, [found[0]] * 3, rtol=1e-8)


@pytest.mark.parametrize(
    ("method", "statistic", "words"),
    [
        (Multiplier(), "wald", "takes no covariance anew"),
        (ConleyTaber(), None, "conley_taber has no distribution of several terms"),
        (Wild(parts="rows"), "wald", "drawn by clusters, not by rows"),
        (Permutation(refit=True), "wald", "without refits only"),
        (Permutation(statistic="coefficient"), "wald", "re-assigned studentised"),
        ("permutation", "largest", "statistic 'largest' is not known"),
        ("CR2", "largest", "statistic 'largest' is not known"),
    ],
)
def test_joint_tests_that_no_draws_make(method: Any, statistic: str | None, words: str, dynamic: Any) -> None:
    fit = dynamic.with_inference(method, draws=DRAWS)
    with pytest.raises(DesignError, match=words):
        fit.joint_test("before", statistic=statistic)


def test_joint_tests_of_the_multiplier_and_of_rows_judge_each_term_by_its_draws(dynamic: Any) -> None:
    for method in (Multiplier(), Wild(parts="rows")):
        row = dynamic.with_inference(method, draws=DRAWS).joint_test("after").iloc[0]
        assert row["test"] == "balanced"
        assert 0 < row["p_value"] < 1


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ("befor", "did you mean 'before'"),
        (["e=9"], "no terms"),
        ([], "No term is left"),
        (["e=-1"], "No term is left"),
    ],
)
def test_terms_that_are_none(terms: Any, words: str, path_of_ten: Any) -> None:
    with pytest.raises(DesignError, match=words):
        path_of_ten.joint_test(terms)
    with pytest.raises(DesignError, match=words):
        path_of_ten.bands(terms)


@pytest.mark.parametrize("statistic", ["balanced", "sup_t", None])
@pytest.mark.parametrize(
    "method", ["permutation", Wild(impose_null=False), "CR2", Permutation(impose_null=True)]
)
def test_bands_are_wider_than_intervals(method: Any, statistic: str | None, ten: Design) -> None:
    fit = event_study(ten).with_inference(method, draws=DRAWS, seed=1)
    frame = fit.bands(statistic=statistic)
    inside = frame["band_low"].notna()
    assert frame.loc[~inside, "term"].tolist() == ["e=-1"]
    base = (
        fit
        if not isinstance(method, Permutation)
        else event_study(ten).with_inference("permutation", draws=DRAWS, seed=1)
    )
    assert (frame["band_low"] <= base.tidy()["conf_low"] + EXACT)[inside].all()
    assert (frame["band_high"] >= base.tidy()["conf_high"] - EXACT)[inside].all()
    middle = (frame["band_low"] + frame["band_high"])[inside] / 2
    np.testing.assert_allclose(middle, frame["estimate"][inside], rtol=SAME)
    spread = np.ptp(frame["critical"][inside])
    assert (spread < EXACT) == (statistic == "sup_t")
    words = "sup-t" if statistic == "sup_t" else "balanced sup-t"
    assert frame.attrs["bands"] == f"simultaneous over 9 terms, {words}, 95%"
    pd.testing.assert_frame_equal(frame[fit.tidy().columns], fit.tidy(), check_flags=False)


def test_bands_and_the_joint_test_agree(path_of_ten: Any) -> None:
    """Zero lies outside some band just where the joint test rejects, for three leads and six lags."""
    verdicts = set()
    for terms in ("before", "after"):
        for statistic in ("sup_t", "balanced"):
            frame = path_of_ten.bands(terms, statistic=statistic)
            outside = ((frame["band_low"] > 0) | (frame["band_high"] < 0)).any()
            p = path_of_ten.joint_test(terms, statistic=statistic)["p_value"].item()
            assert outside == (p <= 0.05)
            verdicts.add(bool(outside))
    assert verdicts == {True, False}


def test_terms_of_fewer_than_three_adopters_have_no_band() -> None:
    """Three adopt in 2016, two in 2017: of these alone are four and three years after... and before."""
    panel = made_up(n_units=40)
    late, early = panel["ons_code"].isin(["E001", "E009"]), panel["ons_code"].isin(["E000", "E008", "E016"])
    panel["adoption_year"] = np.select([early, late], [2016.0, 2017.0], np.nan)
    fit = event_study(council_design(panel), inference="permutation")
    frame = fit.bands()
    thin = frame["n_units"].lt(3) & frame["identified"]
    assert frame.loc[thin, "term"].tolist() == ["e=-3", "e=3"]
    assert (frame["band_low"].notna() == (frame["identified"] & ~thin)).all()
    assert frame.attrs["bands"].endswith("without e=-3, e=3 (fewer than 3 adopters)")
    assert fit.joint_test("all")["left_out"].item() == "e=-3, e=3 (fewer than 3 adopters)"


def test_terms_without_an_error_have_no_band_and_enter_no_joint_test() -> None:
    """Leaving out the only council of a cohort leaves no estimate: the jackknife has no error there."""
    panel = made_up(n_units=40)
    lone = (panel["adoption_year"] == 2016) & (panel["ons_code"] != "E000")
    panel["adoption_year"] = panel["adoption_year"].mask(lone)
    fit = group_time(council_design(panel), inference="jackknife")
    frame = fit.bands()
    bare = frame["std_error"].isna() & frame["identified"]
    assert frame.loc[bare, "cohort"].unique().tolist() == [2016]
    assert (frame["band_low"].notna() == (frame["identified"] & ~bare)).all()
    for statistic in ("wald", "sup_t", "balanced"):
        row = fit.joint_test("all", statistic=statistic).iloc[0]
        assert row["n_terms"] == (~bare).sum()
        assert "(no jackknife error)" in row["left_out"]
        assert 0 <= row["p_value"] <= 1


def test_bands_that_cannot_be_made(ten: Design) -> None:
    fit = event_study(ten)
    with pytest.raises(DesignError, match="statistic 'wald' makes no bands"):
        fit.bands(statistic="wald")
    with pytest.raises(DesignError, match="No bands: conley_taber has none"):
        fit.with_inference("conley_taber", draws=DRAWS).bands()
    with pytest.raises(DesignError, match="No bands: the bootstrap with the null imposed"):
        fit.with_inference("wild", draws=DRAWS).bands()
    with pytest.raises(DesignError, match="99 draws are too few to balance 9 terms"):
        fit.with_inference("permutation", draws=99).bands()


def test_auto_with_three_adopters_tells_of_the_leads_only() -> None:
    panel = made_up(n_units=FEWEST_TOGETHER)
    three = panel["ons_code"].isin(["E001", "E009", "E017"])
    fit = event_study(council_design(panel.assign(adoption_year=panel["adoption_year"].where(three))))
    assert LEAST_TOGETHER > fit.design.n_treated == 3
    assert 0 < fit.joint_test("before")["p_value"].item() <= 1
    for terms in ("after", "all"):
        with pytest.raises(DesignError, match=f"with 3 adopters .*others from {LEAST_TOGETHER} on"):
            fit.joint_test(terms)
    assert fit.bands()["band_low"].isna().all()
    assert fit.with_inference("permutation", draws=DRAWS).joint_test("after")["p_value"].notna().all()


def test_critical_value_of_callaway_and_santanna() -> None:
    """R did 2.5.0 on mpdta, dynamic, 25,000 draws: 2.557. It draws signs, and divides by a robust spread."""
    fit = group_time(example_design()).aggregate("dynamic")
    found = fit.with_inference(Multiplier(weights="rademacher"), seed=1)
    frame = found.bands(statistic="sup_t")
    assert np.ptp(frame["critical"]) == 0
    assert abs(frame["critical"].iloc[0] - 2.557) < CRITICAL
    drawn = found.procedure.run.numbers().statistics[:, :7]
    spread = np.subtract(*np.quantile(drawn, [0.75, 0.25], axis=0)) / (2 * stats.norm.ppf(0.75))
    assert abs(np.quantile(np.abs(drawn / spread).max(axis=1), 0.95) - 2.557) < CRITICAL


def test_multiplier_by_brute_force(ten: Design) -> None:
    fit = group_time(ten, inference="CR0")
    found = fit.with_inference("multiplier", draws=DRAWS, seed=6)
    scores = fit.uncertainty.scores[:, [fit.slots[i] for i in np.flatnonzero(fit.identified)]]
    error = np.sqrt((scores**2).sum(axis=0))
    drawn = np.abs(signs(Block(6, 0, DRAWS), ten.n_clusters, "rademacher") @ (scores / error))
    tidy = found.tidy()[fit.identified]
    np.testing.assert_allclose(tidy["std_error"], error, rtol=SAME)
    expected = (1 + (drawn >= np.abs(tidy["statistic"].to_numpy()) * (1 - SAME)).sum(axis=0)) / (1 + DRAWS)
    shown = tidy["p_value"].notna().to_numpy()
    assert shown.sum() > 5
    assert tidy["p_value"][shown].tolist() == expected[shown].tolist()
    with pytest.raises(DesignError, match="twfe has no influence functions"):
        twfe(ten).with_inference("multiplier")


@pytest.mark.parametrize("statistic", ["t", "coefficient"])
def test_refits_equal_sums_over_types(statistic: str, ten: Design) -> None:
    """25 draws are one block of either, so that the re-assignments are the same."""
    fit = event_study(ten, inference="CR2")
    by_type = fit.with_inference(Permutation(statistic=statistic), draws=25, seed=3)
    by_refit = fit.with_inference(Permutation(statistic=statistic, refit=True), draws=25, seed=3)
    one, two = by_type.procedure.run.numbers(), by_refit.procedure.run.numbers()
    there = fit.identified
    np.testing.assert_allclose(one.statistics[:, there], two.statistics[:, there], rtol=SAME, atol=SAME)
    np.testing.assert_allclose(one.observed[there], two.observed[there], rtol=SAME)
    pd.testing.assert_frame_equal(by_type.tidy(), by_refit.tidy(), rtol=SAME)
    assert by_type.average()["p_value"].item() == by_refit.average()["p_value"].item()


def test_refits_where_types_cannot_help(ten: Design) -> None:
    """Weighted rows, by brute force: effects taken out at their event times, every panel estimated again."""
    design = few(10, weights="size")
    fit = twfe(design).with_inference(Permutation(refit=True), draws=25, seed=3)
    assert "by refits" in fit.procedure.run.words
    path = event_study(design, inference="CR0")
    effects = np.append(np.nan_to_num(path.estimates), 0.0)[path.row_terms]
    clean = design.with_outcome(design.y - effects)
    ways = fit.procedure.run.assignments
    cohorts = np.array([np.nan, 2016, 2017, 2018])[ways.draw(Block(3, 0, 25))]
    brute = []
    for given in cohorts:
        again = twfe(clean.with_cohorts(given), inference="CR2")
        brute.append(again.estimates[0] / np.sqrt(again.vcov.matrix[0, 0]))
    np.testing.assert_allclose(fit.procedure.run.numbers().statistics[:, 0], brute, rtol=SAME)
    observed = twfe(design, inference="CR2").tidy()["statistic"].item()
    assert fit.tidy()["statistic"].item() == pytest.approx(observed, rel=SAME)
    assert fit.tidy()["p_value"].item() == (1 + (np.abs(brute) >= abs(observed)).sum()) / 26


@pytest.mark.parametrize("method", ["path", "permutation", "wild", "conley_taber"])
def test_estimators_that_agree_have_the_same_inference(method: str, ten: Design) -> None:
    """Sun-Abraham and Callaway-Sant'Anna with never-treated controls: one number, one working regression."""
    one = sun_abraham(ten).with_inference(method, draws=DRAWS, seed=5).overall.iloc[0]
    other = group_time(ten).with_inference(method, draws=DRAWS, seed=5).overall.iloc[0]
    for column in ("estimate", "p_value", "conf_low", "conf_high"):
        assert one[column] == pytest.approx(other[column], rel=SAME)
    assert np.isfinite(one["p_value"])


def test_wild_of_sun_abraham_is_that_of_its_rows(ten: Design) -> None:
    fit = sun_abraham(ten).with_inference(Wild(weights="webb"), draws=DRAWS, seed=5)
    drawn = wild(forms_of(sun_abraham(ten, inference="CR1")).by_row, draws=DRAWS, seed=5, weights="webb")
    p, low = drawn.p_values(), drawn.intervals(0.95)[0]
    shown = fit.tidy()["p_value"].notna().to_numpy()
    assert shown.sum() > 5
    assert fit.tidy()["p_value"][shown].tolist() == p[:-1][shown].tolist()
    assert fit.tidy()["conf_low"][shown].tolist() == low[:-1][shown].tolist()
    assert fit.overall["p_value"].item() == p[-1]
    words = "wild cluster bootstrap, null imposed, webb by clusters, 399 draws, seed 5"
    assert fit.procedure.run.words == words
    assert words in " ".join(fit.summary().split())


def test_words_say_what_was_enumerated() -> None:
    fit = twfe(council_design(made_up(n_units=8)), inference="CR1")
    assert fit.with_inference("wild", draws=256).procedure.run.words.endswith("all 256 vectors of signs")
    assert fit.with_inference("wild", draws=255).procedure.run.words.endswith("255 draws, seed 0")
    found = fit.with_inference("permutation", draws=400).procedure.run
    assert "; all 336 re-assignments" in found.words
    assert found.numbers().enumerated


def placebo(design: Design) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
    """Estimate, residuals of controls and weights of adopters, of two-way fixed effects by lstsq."""
    units, years = (
        np.eye(len(design.units))[design.unit_codes],
        np.eye(len(design.periods))[design.time_codes],
    )
    x = np.hstack([design.treated.astype(float)[:, None], units, years])
    solve = np.linalg.pinv(x)
    left = (design.y - x @ (solve @ design.y)).reshape(len(design.units), -1)
    rows = solve[0].reshape(len(design.units), -1)
    adopts = ~np.isnan(design.unit_cohorts)
    return float(solve[0] @ design.y), left[~adopts], rows[adopts], adopts


def test_conley_taber_through_the_door(ten: Design) -> None:
    estimate, residuals, weights, _ = placebo(ten)
    expected = conley_taber(estimate, residuals, weights, level=0.9, draws=DRAWS, seed=7)
    row = twfe(ten).with_inference("conley_taber", level=0.9, draws=DRAWS, seed=7).tidy().iloc[0]
    assert row["p_value"] == expected.p_value
    assert [row["conf_low"], row["conf_high"]] == pytest.approx(
        [expected.conf_low, expected.conf_high], rel=SAME
    )


def test_conley_taber_of_one_adopter() -> None:
    """The one method that shows an interval then: for a number that rests on its outcomes."""
    fit = twfe(few(1)).with_inference("conley_taber", draws=DRAWS)
    row = fit.tidy().iloc[0]
    assert np.isfinite(row[["p_value", "conf_low", "conf_high"]].to_numpy(float)).all()
    for method in ("wild", "path"):
        found = twfe(few(1)).with_inference(method, draws=DRAWS).tidy().iloc[0]
        assert np.isnan(found["conf_low"])
        assert found["reason"].startswith("one adopter")
    with pytest.raises(DesignError, match="Re-assignment moves 1 adopter"):
        twfe(few(1)).with_inference("permutation")


def test_ferman_pinto_through_the_door(ten: Design) -> None:
    sizes = {unit: 10.0 + 7 * i for i, unit in enumerate(ten.units)}
    estimate, residuals, weights, adopts = placebo(ten)
    size = np.array(list(sizes.values()))
    expected = ferman_pinto(estimate, residuals, weights, size[~adopts], size[adopts], draws=DRAWS, seed=7)
    row = twfe(ten).with_inference(FermanPinto(size=sizes), draws=DRAWS, seed=7).tidy().iloc[0]
    assert row["p_value"] == expected.p_value
    assert [row["conf_low"], row["conf_high"]] == pytest.approx(
        [expected.conf_low, expected.conf_high], rel=SAME
    )
    with pytest.raises(DesignError, match="ferman_pinto needs the size of each unit"):
        twfe(ten).with_inference("ferman_pinto")
    with pytest.raises(DesignError, match=r"Units have no size(.|\n)*Council 39 \(E039\)"):
        twfe(ten).with_inference(FermanPinto(size=dict.fromkeys(ten.units[:39], 1.0)))


def test_equivalence_by_draws_and_by_t(path_of_ten: Any, ten: Design) -> None:
    drawn = path_of_ten.procedure.run.numbers()
    at = [term.name for term in path_of_ten.terms].index("e=2")
    expected = two_one_sided_draws(
        float(path_of_ten.estimates[at]),
        float(drawn.errors[at]),
        drawn.statistics[:, at],
        margin=9.0,
        level=0.95,
    )
    assert path_of_ten.equivalence(9.0, row="e=2").p_value == pytest.approx(expected.p_value, abs=EXACT)
    assert path_of_ten.equivalence(9.0, row="e=2").conf_low == pytest.approx(expected.conf_low, rel=SAME)
    cr2 = twfe(ten, inference="CR2")
    own = cr2.tidy().iloc[0]
    plain = two_one_sided(
        own["estimate"], own["std_error"], float(cr2.vcov.df[0]), margin=(-9.0, 2.0), level=0.9
    )
    assert cr2.equivalence((-9.0, 2.0), level=0.9) == plain


@pytest.mark.parametrize("method", [Permutation(impose_null=True), Wild()])
def test_equivalence_imposes_each_margin_where_the_method_does(method: Any, ten: Design) -> None:
    fit = event_study(ten).with_inference(method, draws=DRAWS, seed=2)
    at = [term.name for term in fit.terms].index("e=2")
    drawn = fit.procedure.run.numbers()
    line, estimate, error = drawn.lines[at], fit.estimates[at], drawn.errors[at]
    found = fit.equivalence((-9.0, 4.0), row="e=2")
    for p, margin, side in ((found.p_low, -9.0, 1), (found.p_high, 4.0, -1)):
        delta = (estimate - margin) / error
        assert side * delta > 0
        beyond = (side * line.at(delta) >= side * delta * (1 - 1e-9)).sum()
        assert p == (1 + beyond) / (1 + DRAWS)
    # the ends are the margins that are just not ruled out
    step = 1e-6 * error
    assert fit.equivalence((found.conf_low - step, 99.0), row="e=2").p_low <= 0.05
    assert fit.equivalence((found.conf_low + step, 99.0), row="e=2").p_low > 0.05
    assert fit.equivalence((-99.0, found.conf_high + step), row="e=2").p_high <= 0.05
    assert fit.equivalence((-99.0, found.conf_high - step), row="e=2").p_high > 0.05


@pytest.mark.parametrize("method", [Permutation(impose_null=True), Wild(), Wild(impose_null=False)])
def test_one_hypothesis_needs_no_adjustment(method: Any, ten: Design) -> None:
    """Adjusted p-values are by the draws of the p-values themselves, never below them."""
    fit = event_study(ten).with_inference(method, draws=DRAWS, seed=2)
    for terms in (None, "e=2"):
        row = families.romano_wolf({"a": fit}, terms=terms).iloc[0]
        assert row["p_adjusted"] == pytest.approx(row["p_value"], abs=EXACT)
    names = ["e=0", "e=1", "e=2", "e=3"]
    rows = families.romano_wolf({"a": fit}, terms=names)
    assert (rows["p_adjusted"] >= rows["p_value"] - EXACT).all()


def test_a_row_without_a_p_value_has_no_adjusted_one(ten: Design) -> None:
    fit = event_study(ten).with_inference("permutation", draws=DRAWS, seed=2)
    rows = families.romano_wolf({"a": fit}, terms=["e=-1", "e=1"])
    assert rows["p_adjusted"].isna().tolist() == [True, False]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda: Permutation(statistic="studentised"),
            "statistic is 'studentised'; known: 't', 'coefficient'",
        ),
        (lambda: Permutation(who="date"), "did you mean 'dates'"),
        (lambda: Permutation(strata="region"), "strata is 'region'; one value for each unit"),
        (lambda: Wild(parts="row"), "did you mean 'rows'"),
        (lambda: Wild(weights="normal"), "weights is 'normal'"),
        (lambda: Multiplier(weights="web"), "did you mean 'webb'"),
        (lambda: FermanPinto(size=3), "size is 3; one value for each unit"),
    ],
)
def test_options_that_do_not_exist_are_refused(make: Any, words: str) -> None:
    with pytest.raises(DesignError, match=re.escape(words)):
        make()


def test_other_things_that_cannot_be_meant(ten: Design) -> None:
    fit = event_study(ten).with_inference("permutation", draws=DRAWS)
    for ask, words in (
        (lambda: fit.joint_test(5), "terms is 5"),
        (lambda: fit.equivalence("a"), "margin is 'a'"),
        (lambda: fit.with_inference("CR2", level="a"), "level is 'a'"),
        (lambda: fit.with_inference("wild", executor=4), "executor is 4"),
        (lambda: families.holm([fit]), "no results to adjust"),
        (lambda: families.holm({"a": fit}, terms="e=77"), "a has no terms 'e=77'"),
        (lambda: group_time(few(5)).with_inference("permutation").joint_test(), "Average them first"),
    ):
        with pytest.raises(DesignError, match=re.escape(words)):
            ask()  # type: ignore[no-untyped-call]


def test_conley_taber_shows_no_error_of_another_method(ten: Design) -> None:
    frame = event_study(ten).with_inference("conley_taber", draws=DRAWS).tidy()
    assert frame["p_value"].notna().sum() > 0
    assert frame[["std_error", "statistic"]].isna().all(axis=None)
    assert not frame["reason"].str.contains("too narrow").any()


def test_refits_are_made_once(monkeypatch: pytest.MonkeyPatch, ten: Design) -> None:
    """The overall effect, combinations and joint tests follow from the numbers that were kept."""
    count = []
    fit = event_study(ten)
    again = fit.again
    assert again is not None
    fit = replace(fit, again=lambda design: (count.append(1), again(design))[1])
    found = fit.with_inference(Permutation(refit=True), draws=49, seed=1)
    found.tidy()
    made = len(count)
    assert made == 49
    found.overall, found.linear_combination({"e=0": 1.0, "e=1": -1.0}), found.joint_test("before")
    found.bands(statistic="sup_t", level=0.5), found.equivalence(10.0)
    assert len(count) == made


def test_an_executor_stays_with_the_result(ten: Design) -> None:
    """What is asked later uses it too; once it is shut down, numbers are computed here, and are the same."""
    from concurrent.futures import ThreadPoolExecutor

    class Counting(ThreadPoolExecutor):
        count = 0

        def submit(self, *args: Any, **options: Any) -> Any:
            Counting.count += 1
            return super().submit(*args, **options)

    plain = event_study(ten).with_inference("wild", draws=2000, seed=1)
    with Counting(2) as pool:
        fit = event_study(ten).with_inference("wild", draws=2000, seed=1, executor=pool)
        made = Counting.count
        assert made == 2
        overall = fit.overall
        assert Counting.count == made + 2
    pd.testing.assert_frame_equal(overall, plain.overall)
    combination = {"e=0": 1.0, "e=1": 1.0}
    pd.testing.assert_frame_equal(fit.linear_combination(combination), plain.linear_combination(combination))


@pytest.mark.parametrize("statistic", ["t", "coefficient"])
def test_synthetic_weights_are_permuted_by_refits(statistic: Any) -> None:
    fit = synthetic_did(few(5)).with_inference(Permutation(statistic=statistic, refit=True), draws=39, seed=1)
    row = fit.overall.iloc[0]
    assert fit.procedure is not None
    drawn: Any = fit.procedure.run.numbers()
    assert np.isfinite(drawn.statistics).all()
    beyond = (np.abs(drawn.statistics[:, -1]) >= np.abs(drawn.observed[-1])).sum()
    assert 0 < beyond < 39
    assert row["p_value"] == pytest.approx((1 + beyond) / 40)
    assert -np.inf < row["conf_low"] < row["estimate"] < row["conf_high"] < np.inf


def test_counts_of_thousands_of_digits_are_written() -> None:
    from math import comb

    from clsimpact._runs import _many

    assert _many(comb(20_000, 3_500)) == "5.5 × 10^4025"
    assert [_many(n) for n in (10**7 - 1, 10**7, 10**21 - 1, 10**21)] == [
        "9,999,999", "1.0 × 10^7", "9.9 × 10^20", "1.0 × 10^21",
    ]  # fmt: skip


def test_equivalence_of_the_overall_effect(cells: Any, path_of_ten: Any) -> None:
    fit = cells.with_inference("permutation", draws=DRAWS, seed=2)
    drawn = fit.procedure.run.numbers()
    expected = two_one_sided_draws(
        float(fit.total.estimates[0]),
        float(drawn.errors[-1]),
        drawn.statistics[:, -1],
        margin=4.0,
        level=0.95,
    )
    found = fit.equivalence(4.0)
    assert found.p_value == pytest.approx(expected.p_value, abs=EXACT)
    assert found.largest_not_ruled_out == pytest.approx(expected.largest_not_ruled_out, rel=SAME)
    weights = np.array([[0.0 if t.event_time < 0 else 1 / 6] for t in path_of_ten.terms])
    mean = path_of_ten.procedure.run.numbers(weights)
    number = path_of_ten.overall["estimate"].item()
    expected = two_one_sided_draws(number, float(mean.errors[0]), mean.statistics[:, 0], margin=4.0)
    found = path_of_ten.equivalence(4.0)
    assert found.conf_high == pytest.approx(expected.conf_high, rel=SAME)
    assert found.p_value == pytest.approx(expected.p_value, abs=EXACT)
    assert path_of_ten.equivalence(50.0).equivalent


def test_equivalence_that_cannot_be_tested(ten: Design, path_of_ten: Any) -> None:
    with pytest.raises(DesignError, match="'e=8' is no term"):
        path_of_ten.equivalence(1.0, row="e=8")
    with pytest.raises(DesignError, match="conley_taber has no distribution"):
        twfe(ten).with_inference("conley_taber", draws=DRAWS).equivalence(1.0)
    five = Design(five_units(), outcome="y", unit="unit", time="time", cohort="cohort")
    fit = event_study(five.restrict(five.times < 3, reason="one year less"), inference="CR1")
    gone = fit.identified & np.array([t.event_time < 0 for t in fit.terms])
    with pytest.raises(DesignError, match="No effect after adoption is identified"):
        replace(fit, identified=gone).equivalence(1.0)


@pytest.fixture(scope="module")
def family(ten: Design) -> dict[str, Any]:
    """Two outcomes of the same councils, by draws that go together."""
    other = ten.with_outcome(ten.y + np.random.default_rng(1).normal(0, 3, size=ten.n_obs))
    designs = {"cost": ten, "noisy": other}
    return {k: event_study(d).with_inference("permutation", draws=DRAWS, seed=2) for k, d in designs.items()}


def test_holm_by_hand(family: dict[str, Any]) -> None:
    found = families.holm(family, terms=["e=0", "e=2"])
    assert found[["label", "term"]].to_numpy().tolist() == [
        [k, t] for k in ("cost", "noisy") for t in ("e=0", "e=2")
    ]
    p = found["p_value"].to_numpy()
    order = np.argsort(p, kind="stable")
    by_hand = np.minimum(1, np.maximum.accumulate(p[order] * [4, 3, 2, 1]))
    assert found["p_adjusted"].to_numpy()[order].tolist() == pytest.approx(by_hand.tolist(), abs=EXACT)
    overall = families.holm(family)
    assert overall["p_value"].tolist() == [fit.overall["p_value"].item() for fit in family.values()]
    assert len(overall) == 2


def test_romano_wolf_by_hand(family: dict[str, Any]) -> None:
    """Step down: the largest statistic against the largest of all draws, the next against the others."""
    terms = ["e=0", "e=2"]
    found = families.romano_wolf(family, terms=terms)
    place = [[term.name for term in family["cost"].terms].index(name) for name in terms]
    runs = [fit.procedure.run.numbers() for fit in family.values()]
    observed = np.abs(np.concatenate([run.observed[place] for run in runs]))
    drawn = np.abs(np.hstack([run.statistics[:, place] for run in runs]))
    order, expected, least = np.argsort(-observed), np.zeros(4), 0.0
    for step, j in enumerate(order):
        left = drawn[:, order[step:]].max(axis=1)
        least = max(least, (1 + (left >= observed[j] * (1 - SAME)).sum()) / (1 + DRAWS))
        expected[j] = least
    assert found["p_adjusted"].tolist() == pytest.approx(expected.tolist(), abs=EXACT)
    assert (found["p_adjusted"] >= found["p_value"]).all()
    assert (found["p_adjusted"] <= families.holm(family, terms=terms)["p_adjusted"] + 4 / DRAWS).all()


def test_romano_wolf_of_overall_effects_and_of_signs(ten: Design, family: dict[str, Any]) -> None:
    found = families.romano_wolf(family)
    assert len(found) == 2
    assert (found["p_adjusted"] >= found["p_value"]).all()
    signs_of = {
        k: imputation(f.design).with_inference("wild", draws=DRAWS, seed=2) for k, f in family.items()
    }
    assert (families.romano_wolf(signs_of)["p_adjusted"] > 0).all()


def test_draws_that_do_not_go_together(ten: Design, family: dict[str, Any]) -> None:
    cost = family["cost"]
    plain = event_study(ten)
    other = event_study(council_design(unbalanced(40)))
    turned = event_study(ten.with_cohorts(ten.unit_cohorts[::-1]))
    cases = {
        "seed": (
            plain.with_inference("permutation", draws=DRAWS, seed=3),
            "another method, number of draws or seed",
        ),
        "draws": (
            plain.with_inference("permutation", draws=DRAWS + 1, seed=2),
            "another method, number of draws",
        ),
        "method": (plain.with_inference("wild", draws=DRAWS, seed=2), "another method"),
        "none": (plain.with_inference("path"), r"no draws \(path\)"),
        "placebo": (
            plain.with_inference("conley_taber", draws=DRAWS, seed=2),
            "conley_taber re-assigns nothing",
        ),
        "dates": (turned.with_inference("permutation", draws=DRAWS, seed=2), "other units or adoption dates"),
        "units": (other.with_inference("permutation", draws=DRAWS, seed=2), "other units or adoption dates"),
    }
    for label, (fit, words) in cases.items():
        with pytest.raises(DesignError, match=f"do not go together(.|\n)*{label}: {words}"):
            families.romano_wolf({"cost": cost, label: fit})
    with pytest.raises(DesignError, match="no draws"):
        families.romano_wolf({"none": plain.with_inference("CR2")})


def test_families_that_are_none(family: dict[str, Any]) -> None:
    for adjust in (families.holm, families.romano_wolf):
        with pytest.raises(DesignError, match="There are no results"):
            adjust({})
        with pytest.raises(DesignError, match="cost has no terms 'e=9'"):
            adjust(family, terms=["e=0", "e=9"])


@pytest.mark.parametrize("statistic", ["wald", "balanced", "sup_t"])
def test_joint_tests_say_that_effects_are_taken_out(ten: Design, statistic: str) -> None:
    """No joint test imposes hypotheses on single numbers, whatever those numbers themselves have."""
    path = event_study(ten).with_inference(Permutation(impose_null=True), draws=DRAWS, seed=2)
    assert "each hypothesis imposed" in path.summary()
    found, usual = (fit.joint_test("after", statistic=statistic) for fit in (path, twin(path)))
    assert "effects taken out at their estimates" in found["inference"].item()
    pd.testing.assert_frame_equal(found, usual)


def twin(path: Any) -> Any:
    """The same draws without a null imposed."""
    return path.with_inference(Permutation(), draws=DRAWS, seed=2)


def noise(n: int = 60, cohorts: dict[int, int] | None = None, **more: Any) -> Design:
    """Pure noise; ``cohorts`` says how many adopt when, ``region`` which region a unit is in."""
    sizes = {2018: 1, 2019: 5} if cohorts is None else cohorts
    first = np.zeros(n, dtype=np.int64)
    first[: sum(sizes.values())] = np.repeat(list(sizes), list(sizes.values()))
    rng = np.random.default_rng(7)
    region = more.pop("region", lambda unit: unit % 20)(np.arange(n))
    columns = {
        "unit": np.repeat(np.arange(n), 8), "year": np.tile(np.arange(2015, 2023), n),
        "first": np.repeat(first, 8), "region": np.repeat(region, 8), "y": rng.normal(size=8 * n),
        "x": rng.normal(size=8 * n), "one": np.ones(8 * n),
    }  # fmt: skip
    return Design(pd.DataFrame(columns), outcome="y", unit="unit", time="year", cohort="first", **more)


@pytest.mark.parametrize("estimator", [imputation, sun_abraham])
def test_auto_hides_what_a_covariance_cannot_see(estimator: Any) -> None:
    """Effects of cohorts of one adopter each, in an estimator that fits each cohort: no interval."""
    fit = estimator(noise(100, {2018: 1, 2019: 1, 2020: 1, 2022: 4}, weights="one"))
    assert fit.method == "CR2"
    path = (fit.aggregate("dynamic") if fit.total is not None and estimator is sun_abraham else fit).tidy()
    row = path[path["event_time"] == 2].iloc[0]
    assert row["n_units"] == 3
    assert np.isnan(row["conf_low"])
    assert np.isnan(row["p_value"])
    assert "too narrow" in row["reason"]
    assert np.isfinite(fit.overall["conf_low"].item())


def test_auto_counts_treated_clusters_behind_a_number() -> None:
    """Five adopters in one region are one treated cluster; 180 in three regions are three."""
    one = imputation(
        noise(600, {2018: 5, 2021: 60}, cluster="region", region=lambda u: np.where(u < 5, 0, u % 100 + 1))
    )
    row = one.tidy().query("event_time == 4").iloc[0]
    assert row["n_units"] == 5
    assert np.isnan(row["conf_low"])
    three = twfe(noise(3600, {2019: 180}, cluster="region", region=lambda u: u // 60))
    assert three.design.n_treated_clusters == 3
    assert three.method == "wild"


@pytest.mark.parametrize("method", ["auto", "wild", "CR2"])
def test_a_number_on_one_treated_cluster_has_no_interval(method: str) -> None:
    """Two councils of one region stand behind the last event time: they are one treated cluster."""
    wide = noise(80, {2017: 2, 2018: 4, 2019: 4}, cluster="region", region=lambda u: u // 2)
    fit = event_study(wide)
    assert fit.method == "wild"
    fit = fit.with_inference(method, draws=DRAWS)
    frame = fit.tidy().set_index("term")
    last = frame.loc["e=5"]
    assert (last["n_units"], wide.n_treated_clusters) == (2, 5)
    assert np.isnan(last["conf_low"]) == np.isnan(last["p_value"]) == (method != "CR2")
    assert np.isfinite(frame.loc["e=4", "conf_low"])
    mixed = fit.linear_combination({"e=5": 1.0}).iloc[0]
    assert np.isnan(mixed["conf_low"]) == (method != "CR2")
    assert np.isfinite(fit.linear_combination({"e=4": 0.5, "e=5": 0.5})["conf_low"].item())
    if method != "CR2":
        assert last["reason"].startswith("one treated cluster: its own variation")
        assert mixed["reason"].startswith("one treated cluster")


def test_a_covariate_is_no_number_on_one_adopter() -> None:
    fit = twfe(noise(60, {2019: 1}, covariates=["x"])).with_inference("wild", draws=DRAWS)
    frame = fit.tidy().set_index("term")
    assert np.isnan(frame.loc["treated", "conf_low"])
    assert np.isfinite(frame.loc["x", "conf_low"])


def test_averages_on_one_treated_cluster_have_no_interval() -> None:
    """By period: in the first only the two councils of one region have adopted."""
    wide = noise(120, {2017: 2, 2018: 4, 2019: 4}, cluster="region", region=lambda u: u // 2)
    path = imputation(wide)
    assert path.method == "CR2"
    assert np.isnan(path.linear_combination({"e=5": 1.0})["conf_low"].item())
    fit = path.aggregate("calendar").tidy().set_index("term")
    assert np.isnan(fit.loc["t=2017", "conf_low"])
    assert np.isfinite(fit.loc["t=2018", "conf_low"])


def test_auto_compares_within_clusters() -> None:
    fit = twfe(noise(200, {2019: 19, 2020: 1}, cluster="region", region=lambda u: u % 10))
    assert not fit.refused


@pytest.mark.parametrize("more", [{"weights": "one"}, {"covariates": ["x"]}])
@pytest.mark.parametrize("estimator", [stacked, local_projection, sun_abraham, extended_twfe, imputation])
def test_equivalence_of_overall_effects_by_cr2(estimator: Any, more: dict[str, Any]) -> None:
    fit = estimator(noise(60, {2018: 4, 2019: 4}, **more))
    kind = "CR2" if "CR2" in fit.uncertainty.kinds else "CR1"
    for part in (fit, fit.aggregate("dynamic")) if fit.aggregator else (fit,):
        found = part.with_inference(kind).equivalence(5.0)
        row = part.with_inference(kind, level=0.9).overall.iloc[0]
        assert (found.conf_low, found.conf_high) == pytest.approx(
            (row["conf_low"], row["conf_high"]), rel=1e-6
        )


def test_equivalence_needs_an_interval() -> None:
    fit = event_study(noise(100))
    assert np.isnan(fit.tidy().query("term == 'e=4'")["conf_low"].item())
    with pytest.raises(DesignError, match="No test: one adopter"):
        fit.equivalence(10.0, row="e=4")


def test_named_terms_before_adoption_are_tested_with_three_adopters() -> None:
    fit = event_study(noise(100, {2018: 2, 2019: 2}))
    named = fit.joint_test(["e=-3", "e=-2"])
    assert named["n_terms"].item() == 2
    with pytest.raises(DesignError, match="only the test of the terms before adoption"):
        fit.joint_test(["e=-2", "e=0"])
    with pytest.raises(DesignError, match="terms is array"):
        event_study(noise(100)).joint_test(np.array(["e=-3"]))  # type: ignore[arg-type]
    with pytest.raises(DesignError, match="These are no terms"):
        event_study(noise(100)).joint_test([1, 2])  # type: ignore[list-item]


def test_results_with_an_executor_can_be_pickled(ten: Design) -> None:
    import pickle
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        fit = event_study(ten).with_inference("permutation", draws=99, executor=pool)
        back = pickle.loads(pickle.dumps(fit))
    pd.testing.assert_frame_equal(back.tidy(), fit.tidy())


def test_signs_of_other_clusters_do_not_go_together() -> None:
    plain = twfe(noise(60)).with_inference("wild", draws=99)
    wide = twfe(noise(60, cluster="region")).with_inference("wild", draws=99)
    with pytest.raises(DesignError, match="b: other clusters"):
        families.romano_wolf({"a": plain, "b": wide})


def test_signs_of_rows_go_together_on_the_same_rows_only(ten: Design) -> None:
    """A multiplier per row: a panel that lacks another year has other rows, though as many of each unit."""
    rows = {"draws": 99, "seed": 2}
    early, late = (ten.restrict(ten.times != year, reason="one year less") for year in (2014, 2021))
    one, two = (event_study(d, inference="CR1") for d in (early, late))
    of_rows = [fit.with_inference(Wild(parts="rows"), **rows) for fit in (one, two)]
    with pytest.raises(DesignError, match="b: other rows, and each row has a multiplier of its own"):
        families.romano_wolf({"a": of_rows[0], "b": of_rows[1]}, terms=["e=0"])
    found = families.romano_wolf({"a": of_rows[0], "b": of_rows[0]}, terms=["e=0"])
    assert found["p_adjusted"].iloc[0] == found["p_adjusted"].iloc[1]
    by_cluster = {k: fit.with_inference("wild", **rows) for k, fit in (("a", one), ("b", two))}
    assert families.romano_wolf(by_cluster, terms=["e=0"])["p_adjusted"].notna().all()


def test_a_broken_executor_is_told(ten: Design) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def boom() -> None:
        raise RuntimeError("no worker")

    with ThreadPoolExecutor(1, initializer=boom) as pool:
        for _ in range(2):
            with pytest.raises(DesignError, match="executor"):
                event_study(ten).with_inference("wild", draws=2000, executor=pool)
    with pytest.raises(DesignError, match="an executor is needed"):
        event_study(ten).with_inference("wild", executor=ThreadPoolExecutor)  # type: ignore[arg-type]
