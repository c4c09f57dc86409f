"""What no estimator takes is refused in its own name."""

from __future__ import annotations

import pytest

from clsimpact import estimators
from clsimpact.errors import DesignError
from tests.estimation_helpers import council_design, made_up


@pytest.mark.parametrize("name", estimators.__all__)
def test_what_is_no_design_is_refused_in_the_name_of_the_estimator(name: str) -> None:
    with pytest.raises(DesignError, match=f"^{name} takes a design, not a DataFrame"):
        getattr(estimators, name)(made_up())


@pytest.mark.parametrize("name", ["event_study", "imputation", "two_stage", "stacked", "local_projection"])
def test_a_window_that_cannot_be_is_named(name: str) -> None:
    design = council_design(made_up(n_units=40, seed=22))
    with pytest.raises(DesignError, match=r"^lags is -1"):
        getattr(estimators, name)(design, lags=-1)
    with pytest.raises(DesignError, match=r"^leads is 0"):
        getattr(estimators, name)(design, leads=0)


@pytest.mark.parametrize("name", ["did_m", "local_projection", "stacked", "imputation", "two_stage"])
def test_effects_of_a_column_are_refused_in_the_name_of_the_estimator(name: str) -> None:
    with pytest.raises(DesignError, match=rf"\b{name}\b"):
        getattr(estimators, name)(council_design(made_up(), effects="region"))


@pytest.mark.parametrize("name", ["local_projection", "stacked", "group_time", "extended_twfe"])
def test_an_unknown_control_is_named(name: str) -> None:
    with pytest.raises(DesignError, match=r"\bcontrol (is )?'nver'"):
        getattr(estimators, name)(council_design(made_up(n_units=40, seed=22)), control="nver")


@pytest.mark.parametrize("control", ["never", "not_yet"])
def test_the_comparison_is_on_record(control: str) -> None:
    fit = estimators.extended_twfe(council_design(made_up(n_units=40, seed=22)), control=control)  # type: ignore[arg-type]
    assert fit.options["control"] == control
    assert "never adopt, or adopt after 2021" in fit.notes[0]
