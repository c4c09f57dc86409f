"""The plug-in protocol of maketables: the numbers of the tidy frame under the names that it asks for."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

from clsimpact.datasets import example_design
from clsimpact.estimators import event_study, twfe
from clsimpact.estimators.group_time import group_time

if TYPE_CHECKING:
    from clsimpact.results import Estimate


@pytest.fixture(scope="module")
def fits() -> list[Estimate]:
    design = example_design()
    return [event_study(design), group_time(design).aggregate("dynamic"), group_time(design)]


def test_numbers_are_those_of_the_tidy_frame(fits: list[Estimate]) -> None:
    for fit in fits:
        found, tidy = fit.__maketables_coef_table__, fit.tidy()
        assert found.index.tolist() == tidy["term"].tolist()
        assert found.index.name == "Coefficient"
        for ours, theirs in zip(
            ("estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high"),
            ("b", "se", "t", "p", "ci95l", "ci95u"),
            strict=True,
        ):
            np.testing.assert_array_equal(found[theirs], tidy[ours].astype(float))


def test_intervals_are_named_by_their_level() -> None:
    fit = twfe(example_design(), inference="CR1").with_inference("CR1", level=0.9)
    assert fit.__maketables_coef_table__.columns.tolist()[-2:] == ["ci90l", "ci90u"]


def test_words_and_lines_below(fits: list[Estimate]) -> None:
    event, _, cells = fits
    assert event.__maketables_depvar__ == "Teen employment (log points)"
    assert event.__maketables_fixef_string__ == "county+year"
    assert cells.__maketables_fixef_string__ is None
    assert event.__maketables_var_labels__["e=-4"] == "Event time -4"
    assert cells.__maketables_var_labels__ == {}
    keys = event.__maketables_default_stat_keys__
    assert [event.__maketables_stat__(key) for key in keys] == [
        "event_study", 2500, 500, 191, "permutation",
    ]  # fmt: skip
    assert set(keys) <= set(event.__maketables_stat_labels__)
    assert event.__maketables_stat__("r2") is None
    assert event.__maketables_stat__("n_clusters") == 500


def test_a_covariance_names_its_clusters() -> None:
    fit = twfe(example_design(), inference="CR1")
    assert fit.__maketables_stat__("se_type") == "CR1 by county"
    assert fit.__maketables_vcov_info__ == {"vcov_type": "CR1", "clustervar": "county"}


def test_made_up_outcomes_are_marked() -> None:
    design = example_design()
    data = design.data.assign(simulated=True)
    made_up = type(design)(data, outcome="lemp", unit="county", time="year", cohort="first_treat")
    assert twfe(made_up).__maketables_depvar__ == "lemp (SIMULATED)"


def test_the_library_does_not_import_maketables() -> None:
    code = "import clsimpact.results, sys; sys.exit('maketables' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.filterwarnings("default")
def test_tables_of_maketables(fits: list[Estimate]) -> None:
    maketables = pytest.importorskip("maketables")
    shown = maketables.ETable(fits[:2], coef_fmt="b (se)").df
    texts = [str(cell) for cell in shown.to_numpy().ravel()]
    row = fits[0].tidy().set_index("term").loc["e=0"]
    assert any(text.startswith(f"{row['estimate']:.3f}") for text in texts)
    assert "Event time 0" in str(shown.index.tolist())
    assert "Teen employment (log points)" in str(shown.columns.tolist())
    assert "191" in texts
