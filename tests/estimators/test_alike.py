"""What every estimator does alike: it names itself, refuses what is no design, and counts in integers."""

from __future__ import annotations

import pytest

import clsimpact as ci
from clsimpact.errors import DesignError
from tests.estimation_helpers import council_design, made_up

pytestmark = pytest.mark.usefixtures("usual_errors")

NAMES = (
    "twfe",
    "event_study",
    "group_time",
    "sun_abraham",
    "imputation",
    "two_stage",
    "extended_twfe",
    "stacked",
    "did_m",
    "synthetic_did",
    "local_projection",
)


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_it_names_itself_and_counts_in_whole_numbers(name: str) -> None:
    fit = getattr(ci, name)(council_design(made_up(n_units=24)))
    assert fit.estimator == name
    assert fit.total is None or fit.total.estimator == name
    counts = fit.sample()[["treated_units", "control_units"]]
    assert [str(each) for each in counts.dtypes] == ["Int64", "Int64"]
    assert counts.fillna(0).max().gt(0).all()


def test_what_is_no_design_is_refused_by_its_name(name: str) -> None:
    with pytest.raises(DesignError, match=rf"^{name}\b"):
        getattr(ci, name)(made_up(n_units=8))
