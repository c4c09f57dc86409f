"""The page of the checks of the spending study is written from a run, and nothing else."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pandas as pd
import pytest

import clsimpact as ci
from clsimpact.diagnostics.report import CheckReport
from clsimpact.report.pieces.checks import PAGE, run_checks
from clsimpact.report.study import default_study
from clsimpact.report.study_data import load_study_data
from tests.report.conftest import Run

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))


@pytest.fixture(scope="module")
def report() -> CheckReport:
    return run_checks(load_study_data(default_study()), "gce_per_adult")


def test_every_check_but_honest_did_ran_and_advice_that_is_given_runs(report: CheckReport) -> None:
    assert [result.name for result in report] == ci.checks()["name"].tolist()
    panel, adoption = ci.load_panel(), ci.load_adoption()
    tagged = ci.tag_adoption(panel, adoption)
    roles = {"outcome": "gce_per_adult", "unit": "ons_code", "time": "year", "cohort": "adoption_year"}
    design = ci.Design(tagged, **roles)
    names = {"ci": ci, "np": __import__("numpy"), "pd": pd, "design": design, "fit": ci.event_study(design)}
    names |= {"data": panel, "adoption": adoption}
    for result in report:
        # Nine coefficients of five adopters have no covariance of full rank, which HonestDiD needs.
        not_run = result.finding.startswith("Could not be run")
        assert not_run == (result.name == "sensitivity"), result.finding
        for item in result.advice:
            exec(item.code, dict(names))


def test_the_committed_page_is_that_of_this_run(report: CheckReport, root: Path) -> None:
    assert (root / "docs" / PAGE).read_text(encoding="utf-8") == report.to_markdown()


def test_the_list_of_checks_in_the_documentation_is_that_of_the_library(root: Path) -> None:
    import credibility

    page = (root / "docs" / "credibility.md").read_text(encoding="utf-8")
    assert credibility.with_list(page) == page


def test_files_of_the_report_hold_what_the_checks_said(report: CheckReport, run: Run) -> None:
    values = json.loads((run.folder / "checks.json").read_text(encoding="utf-8"))
    assert [check["verdict"] for check in values["checks"]] == report.tidy()["verdict"].tolist()
    assert (run.folder / PAGE).read_text(encoding="utf-8") == report.to_markdown()
    drawn = {path.stem for path in (run.folder / "figures").glob("check-*.svg")}
    assert drawn == {f"check-{result.name}" for result in report if result.found.draw is not None}
