"""Averages of effects by cohort and period: which cells, which weights, which words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clsimpact.errors import DesignError
from clsimpact.estimators._cells import Cells, Effects, Plan, cell_name, plan_of
from clsimpact.inference.influence import Influence
from clsimpact.inference.sandwich import Counts
from clsimpact.results import REFERENCE
from tests.estimation_helpers import EXACT, mpdta

pytestmark = pytest.mark.usefixtures("usual_errors")


def cells_of(*, universal: bool = False) -> Cells:
    """Cohort 2011 of two units, cohort 2013 of three; periods 2010 to 2014."""
    found = [(2011, t) for t in range(2011, 2015)] + [(2013, t) for t in range(2011, 2015)]
    found += [(2011, 2010), (2013, 2010)] if universal else []
    found.sort()
    cohorts, periods = (np.array(column, dtype=np.int64) for column in zip(*found, strict=True))
    units = np.where(cohorts == 2011, 2, 3)
    reference = universal & (periods == cohorts - 1)
    reasons = tuple(REFERENCE if ref else "" for ref in reference)
    return Cells(cohorts, periods, units.astype(float), units, units, ~reference, reference, reasons)


def without(cells: Cells, *gone: tuple[int, int]) -> Cells:
    """The same with some cells not identified."""
    out = np.array([(g, t) in gone for g, t in zip(cells.cohorts, cells.periods, strict=True)])
    reasons = tuple("nobody was seen" if lost else why for lost, why in zip(out, cells.reasons, strict=True))
    return replace(cells, identified=cells.identified & ~out, reasons=reasons)


def weights_of(plan: Plan, cells: Cells, term: str) -> dict[str, float]:
    at = [t.name for t in plan.terms].index(term)
    names = [cell_name(int(g), int(t)) for g, t in zip(cells.cohorts, cells.periods, strict=True)]
    return {name: w for name, w in zip(names, plan.weights[:, at], strict=True) if w}


def test_simple_by_hand() -> None:
    """Four cells of weight 2 and two of weight 3: 14 in all."""
    cells = cells_of()
    plan = plan_of(cells, "simple")
    found = weights_of(plan, cells, "ATT")
    assert found["g=2011,t=2012"] == pytest.approx(2 / 14, abs=EXACT)
    assert found["g=2013,t=2014"] == pytest.approx(3 / 14, abs=EXACT)
    assert len(found) == 6
    assert plan.terms[0].n_units == 5
    assert plan.terms[0].n_obs == 14


def test_dynamic_by_hand() -> None:
    cells = cells_of()
    plan = plan_of(cells, "dynamic")
    assert [t.event_time for t in plan.terms] == [-2, -1, 0, 1, 2, 3]
    assert weights_of(plan, cells, "e=1") == pytest.approx({"g=2011,t=2012": 2 / 5, "g=2013,t=2014": 3 / 5})
    assert weights_of(plan, cells, "e=3") == pytest.approx({"g=2011,t=2014": 1.0})
    assert plan.total == pytest.approx([0, 0, 0.25, 0.25, 0.25, 0.25])


def test_group_and_calendar_by_hand() -> None:
    cells = cells_of()
    group = plan_of(cells, "group")
    assert weights_of(group, cells, "g=2013") == pytest.approx({"g=2013,t=2013": 0.5, "g=2013,t=2014": 0.5})
    assert group.total == pytest.approx([2 / 5, 3 / 5])
    calendar = plan_of(cells, "calendar")
    assert weights_of(calendar, cells, "t=2012") == pytest.approx({"g=2011,t=2012": 1.0})
    assert weights_of(calendar, cells, "t=2013") == pytest.approx(
        {"g=2011,t=2013": 0.4, "g=2013,t=2013": 0.6}
    )
    assert calendar.total == pytest.approx([0.25] * 4)


def test_a_balanced_window_keeps_cohorts_seen_long_enough() -> None:
    cells = cells_of()
    plan = plan_of(cells, "dynamic", balance=2)
    assert [t.name for t in plan.terms] == ["e=0", "e=1", "e=2"]
    assert weights_of(plan, cells, "e=0") == {"g=2011,t=2011": 1.0}
    with pytest.raises(DesignError, match="no cohort and period"):
        plan_of(cells, "dynamic", balance=9)


def test_the_window_ends_where_effects_can_be_estimated() -> None:
    """Nobody is untreated in 2014: cohort 2013 is then seen for no period after adoption."""
    cells = without(cells_of(), (2011, 2014), (2013, 2014))
    plan = plan_of(cells, "dynamic", balance=1)
    assert weights_of(plan, cells, "e=0") == {"g=2011,t=2011": 1.0}
    assert weights_of(plan, cells, "e=1") == {"g=2011,t=2012": 1.0}


def test_leads_and_lags() -> None:
    plan = plan_of(cells_of(), "dynamic", leads=1, lags=1)
    assert [t.name for t in plan.terms] == ["e=-1", "e=0", "e=1"]
    made = effects_of(mpdta_cells()).aggregate("dynamic", leads=1, lags=1)
    assert made.tidy()["term"].tolist() == ["e=-1", "e=0", "e=1"]
    with pytest.raises(DesignError, match="dynamic"):
        plan_of(cells_of(), "group", leads=1)


def test_the_overall_effect_of_a_window_does_not_speak_of_what_lies_outside() -> None:
    effects = effects_of(without(mpdta_cells(), (2004, 2007)))
    assert effects.aggregate("dynamic", lags=2).overall["reason"].item() == ""
    whole = effects.aggregate("dynamic").overall["reason"].item()
    assert whole == "without g=2004,t=2007: nobody was seen"


def test_averages_of_more_cells_than_fit_are_refused() -> None:
    m = 20_000
    numbers = np.arange(m)
    one, yes = np.ones(m, dtype=np.int64), np.ones(m, dtype=bool)
    cells = Cells(numbers, numbers, one.astype(float), one, one, yes, ~yes, ("",) * m)
    with pytest.raises(DesignError, match="20,000 cohorts in 20,000 periods need a table of 3 GB"):
        plan_of(cells, "group")


def test_a_reference_is_zero_and_counts_in_no_overall_effect() -> None:
    plan = plan_of(cells_of(universal=True), "dynamic")
    reference = next(t for t in plan.terms if t.name == "e=-1")
    assert reference.reason == REFERENCE
    assert plan.total[[t.name for t in plan.terms].index("e=-1")] == 0


def test_a_cell_that_is_gone_is_named() -> None:
    cells = without(cells_of(), (2011, 2012), (2013, 2014))
    plan = plan_of(cells, "simple")
    assert plan.terms[0].reason == "without g=2011,t=2012, g=2013,t=2014: nobody was seen"
    lone = plan_of(cells, "dynamic")
    gone = next(t for t in lone.terms if t.name == "e=1")
    assert gone.reason == "nobody was seen"
    assert lone.total == pytest.approx([0, 0, 1 / 3, 0, 1 / 3, 1 / 3])


def test_what_all_cells_of_an_average_share_is_said_once() -> None:
    cells = cells_of()
    assert {t.reason for t in plan_of(cells, "dynamic").terms} == {""}
    shared = replace(cells, reasons=("one adopter",) * len(cells.reasons))
    reasons = {t.name: t.reason for t in plan_of(shared, "dynamic").terms}
    assert reasons["e=0"] == "each cohort: one adopter"
    assert reasons["e=3"] == "one adopter"


def effects_of(cells: Cells) -> Effects:
    rng = np.random.default_rng(1)
    m = cells.cohorts.size
    values = rng.normal(size=m)
    psi = rng.normal(size=(500, m))
    held = Influence(values, psi, np.arange(500), Counts(n_obs=2500, n_clusters=500, k_nested=m, k_all=m))
    return Effects(
        estimator="made up",
        design=mpdta(),
        cells=cells,
        estimates=np.where(cells.identified, values, np.nan),
        averaged=lambda _, w: held.combine(w),
        covariance="CR0",
        level=0.9,
        equation="none",
    )


def test_a_combination_offers_what_its_numbers_do() -> None:
    held = Influence(np.ones(2), np.ones((9, 2)), np.arange(9), Counts(18, 9, 2, 2))
    assert held.combine(np.ones((2, 1))).kinds == held.kinds == ("CR0", "CR1")


def mpdta_cells() -> Cells:
    cells = cells_of()
    return replace(cells, cohorts=cells.cohorts - 7, periods=cells.periods - 7)


def test_averages_are_weighted_sums_with_the_matching_errors() -> None:
    cells = mpdta_cells()
    effects = effects_of(cells)
    every = effects.aggregate("cells")
    for kind in ("simple", "group", "calendar", "dynamic"):
        plan = plan_of(cells, kind)
        made = effects.aggregate(kind)
        assert made.estimates == pytest.approx(effects.estimates @ plan.weights, abs=EXACT)
        expected = plan.weights.T @ every.vcov.matrix @ plan.weights
        assert made.vcov.matrix == pytest.approx(expected, abs=1e-9)
        total = plan.weights @ plan.total
        assert made.overall["estimate"].iloc[0] == pytest.approx(effects.estimates @ total, abs=EXACT)
    assert made.level == 0.9


def test_nothing_after_adoption_is_told() -> None:
    cells = mpdta_cells()
    after = [(int(g), int(t)) for g, t in zip(cells.cohorts, cells.periods, strict=True) if t >= g]
    fit = effects_of(without(cells, *after)).aggregate("dynamic")
    row = fit.overall.iloc[0]
    assert np.isnan(row["estimate"])
    assert not row["identified"]
    assert row["reason"].endswith("nobody was seen")


def test_the_overall_effect_counts_the_rows_that_it_weighs() -> None:
    """Four cells of two rows and two of three; without one of each, nine rows of both cohorts."""
    cells = mpdta_cells()
    whole = effects_of(cells).aggregate("dynamic").overall.iloc[0]
    assert (whole["n_obs"], whole["n_units"]) == (14, 5)
    fewer = effects_of(without(cells, (2004, 2005), (2006, 2007))).aggregate("dynamic").overall.iloc[0]
    assert (fewer["n_obs"], fewer["n_units"]) == (9, 5)
    only = effects_of(without(cells, *((2004, t) for t in range(2004, 2008)))).aggregate("dynamic").overall
    assert (only["n_obs"].iloc[0], only["n_units"].iloc[0]) == (6, 3)


def test_a_term_that_is_not_identified_has_no_place_in_the_covariance() -> None:
    made = effects_of(without(mpdta_cells(), (2004, 2007))).aggregate("dynamic")
    assert [term.name for term, slot in zip(made.terms, made.slots, strict=True) if slot is None] == ["e=3"]
    frame = made.tidy().set_index("term")
    assert frame["std_error"].isna().tolist() == [name == "e=3" for name in frame.index]


def test_rows_belong_to_the_averages_of_their_cells() -> None:
    made = effects_of(mpdta_cells()).aggregate("group")
    assert [term.name for term in made.terms] == ["g=2004", "g=2006"]
    assert [term.cohort for term in made.terms] == [2004, 2006]
    data = made.design.data.assign(term=made.row_terms)
    treated = data["year"] >= data["first_treat"]
    for cohort, term in ((2004, 0), (2006, 1)):
        assert (data.loc[treated & (data["first_treat"] == cohort), "term"] == term).all()
    assert (data.loc[~data["first_treat"].isin([2004, 2006]), "term"] == -1).all()


def test_rows_belong_to_their_cells() -> None:
    design = mpdta()
    cells = replace(
        mpdta_cells(), cohorts=np.repeat([2004, 2006], 4), periods=np.tile([2004, 2005, 2006, 2007], 2)
    )
    rows = cells.row_terms(design)
    for i in (0, 7, 500, 2499):
        g, t = design.cohorts[i], design.times[i]
        same = np.flatnonzero((cells.cohorts == g) & (cells.periods == t))
        assert rows[i] == (same[0] if same.size else -1)
    held = design.restrict(np.arange(design.n_obs) % 7 != 3, reason="for a test")
    assert np.array_equal(cells.row_terms(held), rows[np.arange(design.n_obs) % 7 != 3])
    plan = plan_of(cells, "group")
    assert set(plan.row_terms(rows)[design.cohorts == 2006]) <= {-1, 1}


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.data())
def test_weights_sum_to_one_whatever_is_gone(data: st.DataObject) -> None:
    cells = cells_of(universal=data.draw(st.booleans()))
    names = list(zip(cells.cohorts.tolist(), cells.periods.tolist(), strict=True))
    cells = without(cells, *data.draw(st.sets(st.sampled_from(names))))
    for kind in ("simple", "group", "calendar", "dynamic"):
        plan = plan_of(cells, kind)
        sums = plan.weights.sum(axis=0)
        assert np.all((np.abs(sums - 1) < EXACT) | (sums == 0))
        assert abs(plan.total.sum() - 1) < EXACT or not plan.total.any()
        assert not plan.weights[~(cells.identified | cells.reference)].any()
        empty = [t for t, total in zip(plan.terms, sums, strict=True) if total == 0]
        assert all(len(t.reason) > 10 for t in empty)
