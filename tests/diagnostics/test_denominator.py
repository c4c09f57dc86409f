"""Numerator and denominator apart."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import clsimpact as ci
from clsimpact.diagnostics._outcome_parts import named_parts
from clsimpact.diagnostics.denominator import CHECK, effect_on_log, run
from clsimpact.diagnostics.registry import _run as run_check
from clsimpact.diagnostics.setting import Setting
from clsimpact.outcomes import EVERY_OUTCOME
from tests.diagnostics.measurement_helpers import (
    check_words,
    contacts_counted,
    request_panel,
    setting_of,
)

EXACT = 1e-9
"""Relative: the split is an identity of linear estimates."""


def since(panel: pd.DataFrame) -> pd.Series[bool]:
    return panel["year"] >= panel["adoption_year"]


def test_a_denominator_that_moves_is_found_with_its_part() -> None:
    panel = request_panel()
    setting = setting_of(contacts_counted(panel, since(panel)), "funded_mid")
    found = run(setting)
    assert found.verdict == "does not hold"
    assert found.numbers["denominator_estimate"] == pytest.approx(np.log(1.3), abs=0.02)
    assert found.numbers["part_of_denominator"] == pytest.approx(1, abs=0.15)
    assert "the numerator is not seen to" in found.finding
    assert "requests" in found.finding
    check_words(found, setting)


def test_without_a_fault_it_is_excluded_where_it_would_matter() -> None:
    setting = setting_of(request_panel(seed=3), "funded_mid", margin=0.02)
    found = run(setting)
    assert found.verdict == "holds"
    assert "is excluded" in found.finding
    assert found.numbers["matters"] == pytest.approx(np.log1p(0.02 / setting.design.y.mean()), rel=EXACT)
    check_words(found, setting)


def test_noise_is_not_taken_for_an_answer() -> None:
    setting = setting_of(request_panel(seed=3, noise=0.4), "funded_mid", margin=0.002)
    found = run(setting)
    assert found.verdict == "cannot tell"
    assert "includes moves that matter" in found.finding
    check_words(found, setting)


@pytest.mark.parametrize("estimator", [ci.event_study, ci.group_time, ci.twfe])
def test_the_parts_add_up_and_are_what_the_estimator_says(estimator) -> None:  # type: ignore[no-untyped-def]
    panel = request_panel(units=40, adopters=10)
    setting = setting_of(panel, "funded_mid", estimator=estimator)
    n = run(setting).numbers
    assert float(n["share_estimate"] or 0) == pytest.approx(
        float(n["numerator_estimate"] or 0) - float(n["denominator_estimate"] or 0), rel=1e-6, abs=1e-12
    )
    logs = setting_of(panel.assign(x=np.log(panel["requests"])), "x", estimator=estimator)
    assert n["denominator_estimate"] == pytest.approx(logs.effect.estimate, rel=EXACT)
    head = panel.assign(x=np.log(panel["requests"] / panel["population_18_plus"]))
    assert n["per_head_estimate"] == pytest.approx(
        setting_of(head, "x", estimator=estimator).effect.estimate, rel=EXACT
    )


def test_both_parts_can_move() -> None:
    panel = request_panel()
    panel.loc[since(panel), ["signposted_count", "no_service_count", "funded_mid_count"]] *= 1.4
    from tests.diagnostics.measurement_helpers import counted

    setting = setting_of(counted(panel), "funded_mid")
    found = run(setting)
    assert found.verdict == "does not hold"
    assert "Both parts move" in found.finding


def test_a_change_too_small_to_matter_is_no_alarm() -> None:
    panel = request_panel(noise=0.002)
    panel.loc[since(panel), "other_count"] *= 1.02
    from tests.diagnostics.measurement_helpers import counted

    setting = setting_of(counted(panel), "funded_mid", margin=0.02)
    found = run(setting)
    assert float(found.numbers["denominator_p_value"] or 1) < 0.05
    assert found.verdict == "holds"


def test_a_ratio_named_by_the_data() -> None:
    panel = request_panel().assign(rate=lambda d: d["signposted_count"] / d["other_count"])
    unknown = setting_of(panel, "rate")
    said = run(unknown)
    assert said.verdict == "cannot tell"
    assert "not known to be a share" in said.finding
    check_words(said, unknown)
    panel = request_panel().assign(rate=lambda d: d["signposted_count"] / d["other_count"])
    panel.attrs["parts"] = {"rate": ("signposted_count", "other_count")}
    found = run(setting_of(panel, "rate", margin=10.0))
    assert found.verdict == "holds"
    assert "other count" in found.finding


def test_the_numerator_is_made_where_the_panel_lacks_it() -> None:
    panel = request_panel()
    one = run(setting_of(panel, "funded_mid")).numbers
    two = run(setting_of(panel.drop(columns="funded_mid_count"), "funded_mid")).numbers
    assert two["numerator_estimate"] == pytest.approx(one["numerator_estimate"], rel=1e-6)


def test_what_is_not_there() -> None:
    panel = request_panel()
    bare = run_check(CHECK, setting_of(panel.drop(columns="requests"), "funded_mid"))
    assert bare.verdict == "cannot tell"
    assert "no column requests" in bare.finding
    empty = panel.assign(requests=np.nan, requests_status="not_held")
    told = run_check(CHECK, setting_of(empty, "funded_mid"))
    assert told.verdict == "cannot tell"
    assert "not_held" in told.finding
    setting = setting_of(panel, "funded_mid")
    none = run_check(CHECK, Setting(setting.design, setting.fit))
    assert none.verdict == "cannot tell"
    assert "data=data" in none.advice[0].code


def test_too_few_adopters_for_an_interval() -> None:
    setting = setting_of(request_panel(adopters=2), "funded_mid")
    told = run_check(CHECK, setting)
    assert told.verdict == "cannot tell"
    assert "No interval" in told.finding


def test_rows_without_both_parts_are_counted() -> None:
    panel = request_panel()
    panel.loc[panel.index[:3], "requests"] = np.nan
    found = run(setting_of(panel, "funded_mid"))
    assert "3 rows without both parts are left out" in found.finding
    assert found.numbers["rows"] == len(panel) - 3


def test_every_share_of_the_library_has_parts_that_it_knows() -> None:
    for name in EVERY_OUTCOME:
        parts = named_parts(name)
        if parts is None:
            continue
        known = {*EVERY_OUTCOME, "population_18_plus", "population_18_64", "population_65_plus"}
        assert parts.denominator in known, name
        assert parts.numerator in known or parts.derived, name
    assert named_parts("signposted_18_64") is not None
    assert named_parts("gce") is None


def test_figure_marks_the_denominator() -> None:
    found = run(setting_of(request_panel(), "funded_mid"))
    assert found.table is not None
    assert found.table.loc[found.table["marked"], "part"].tolist() == ["denominator"]
    assert found.draw is not None
    assert "denominator" in found.draw().title.lower()


def log_rate(unit: str | None) -> Setting:
    """The log of a rate of about one, whose mean is near zero."""
    panel = request_panel().assign(rate=lambda d: np.log(d["signposted_count"] / d["no_service_count"]))
    panel.attrs["parts"] = {"rate": ("signposted_count", "no_service_count")}
    design = ci.Design(
        panel, outcome="rate", unit="ons_code", time="year", cohort="adoption_year", outcome_unit=unit
    )
    return Setting(design, ci.event_study(design), panel, margin=0.05, draws=199)


@pytest.mark.parametrize("unit", ["log points", None])
def test_a_margin_of_a_log_is_not_set_against_its_mean(unit: str | None) -> None:
    """Declared or not: the outcome is seen to be the log of its parts."""
    setting = log_rate(unit)
    assert abs(setting.design.y.mean()) < 0.05
    found = run(setting)
    assert found.numbers["matters"] == 0.05
    assert "+5.1%" in found.finding


def test_advice_estimates_as_the_result_did() -> None:
    """Weights and anticipation stay."""
    panel = request_panel().assign(size=lambda d: d["population_18_plus"])
    design = ci.Design(
        contacts_counted(panel, since(panel)), outcome="funded_mid", unit="ons_code", time="year",
        cohort="adoption_year", weights="size", anticipation=1,
    )  # fmt: skip
    data = contacts_counted(panel, since(panel))
    setting = Setting(design, ci.event_study(design), data, draws=99)
    found = run(setting)
    code = found.advice[0].code
    assert code.startswith("ci.diagnostics.denominator.effect_on_log(fit, data, 'funded_mid_count')")
    made = effect_on_log(setting.estimate, data, "funded_mid_count")
    assert (made.design.weights, made.design.anticipation) == ("size", 1)
    logs = np.log(setting.column("funded_mid_count").to_numpy(dtype=float))
    by_hand = ci.event_study(design.with_outcome(logs))
    assert made.overall["estimate"].iloc[0] == pytest.approx(by_hand.overall["estimate"].iloc[0], rel=EXACT)
    check_words(found, setting)
