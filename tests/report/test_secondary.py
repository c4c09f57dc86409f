"""Outcomes without a claim: an estimate where one can be made, no interval that one council cannot carry."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

import clsimpact as ci
from clsimpact.report.secondary import not_estimable, secondary_table

SAME = 1e-8
"""Two exact solutions of one least-squares problem differ by rounding only."""


@pytest.fixture(scope="module")
def tagged() -> pd.DataFrame:
    return ci.tag_adoption(ci.load_panel(), ci.load_adoption())


@pytest.fixture(scope="module")
def table(tagged: pd.DataFrame) -> pd.DataFrame:
    return secondary_table(tagged).set_index("outcome")


def test_no_outcome_of_a_claim_is_among_them(table: pd.DataFrame) -> None:
    assert not {"gce_per_adult", "signposted", "planned_share", "funded_mid"} & set(table.index)
    assert {"direct_payments", "requests_per_100k", "no_service"} <= set(table.index)


def test_one_adopter_gets_an_estimate_and_no_interval(tagged: pd.DataFrame, table: pd.DataFrame) -> None:
    row = table.loc["direct_payments"]
    assert row["treated"] == 1
    assert "Thurrock" in row["remark"]
    assert pd.isna(row["conf_low"])
    held = tagged[tagged["direct_payments"].notna()]
    always = set(held.loc[held["adoption_year"].le(held["year"].min()).fillna(False), "ons_code"])
    sample = pd.DataFrame(held[~held["ons_code"].isin(always)])
    plain = pd.DataFrame(
        {name: np.asarray(sample[name], dtype=kind) for name, kind in
         {"ons_code": object, "year": int, "treated": float, "direct_payments": float}.items()}
    )  # fmt: skip
    oracle = smf.ols("direct_payments ~ treated + C(ons_code) + C(year)", plain).fit()
    assert row["estimate"] == pytest.approx(oracle.params["treated"], rel=SAME)


def test_figures_without_a_before_are_not_estimated(table: pd.DataFrame) -> None:
    assert pd.isna(table.loc["requests_per_100k", "estimate"])
    assert "before and after" in table.loc["no_service", "remark"]


def test_reasons_name_what_is_held(tagged: pd.DataFrame) -> None:
    assert not_estimable(tagged, "gce_per_adult") == ""
    assert "2021-22" in not_estimable(tagged, "signposted")
    nothing = tagged.assign(signposted=np.nan)
    assert not_estimable(nothing, "signposted") == "no figures are held"


def test_outcomes_that_other_claims_speak_of_are_left_out(tagged: pd.DataFrame, table: pd.DataFrame) -> None:
    other = secondary_table(tagged, claimed={"direct_payments"}).set_index("outcome")
    assert "direct_payments" not in other.index
    assert "signposted" in other.index
    assert set(table.index) - set(other.index) == {"direct_payments"}
