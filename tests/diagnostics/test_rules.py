"""The table of rules in docs/credibility.md: every check is in it, with the limits that its module has."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

import clsimpact as ci

PAGE = Path(__file__).resolve().parents[2] / "docs" / "credibility.md"

KINDS = {"test", "limit", "conclusion"}

LIMITS = {
    "comparison_weights": (("comparison_weights", "FORBIDDEN", "{:.0%}"),
                           ("comparison_weights", "NEGATIVE", "{:.0%}")),
    "overlap": (("overlap", "LEVEL", "at {:.0%}"), ("overlap", "MATTERS", "of {:g} standard deviation")),
    "precision": (("_planned", "FEWEST_ADOPTERS", "fewer than {} adopters"),
                  ("precision", "SHARE", "{:.0%} of"), ("precision", "POWERS", "{0[0]:.0%} of studies")),
    "pre_trends": (("pre_trends", "LEVEL", "at {:.0%}"),),
    "sensitivity": (("sensitivity", "ENOUGH", "smaller than {:g} times"),),
    "estimators_agree": (("estimators_agree", "LEVEL", "at {:.0%}"),),
    "anticipation": (("_judged", "ALPHA", "at {:.0%}"),),
    "placebo_dates": (("_judged", "ALPHA", "at {:.0%}"),),
    "placebo_outcomes": (("_judged", "ALPHA", "at {:.0%}"),),
    "placebo_adopters": (("placebo_adopters", "LEVEL", "at {:.0%}"),
                         ("placebo_adopters", "TWICE", "{:g} times the level")),
    "leave_one_out": (("_judged", "ALPHA", "{:.0%} over all"),
                      ("leave_one_out", "MOVES", "more than {:.0%}")),
    "leave_one_cohort": (("_judged", "ALPHA", "at {:.0%}"),),
    "dropped_years": (("_judged", "ALPHA", "at {:.0%}"),),
    "unknown_adopters": (("_contaminated", "PLAUSIBLE", "at most {:.0%}"),),
    "denominator": (("denominator", "LEVEL", "at {:.0%}"), ("denominator", "TRIFLE", "{:.0%} of the larger"),
                    ("denominator", "HALF", "{:.0%} of the larger")),
    "recording": (("_breaks", "LEVEL", "at {:.0%}"), ("_recording_words", "MATTERS", "more than {:.0%}")),
    "matching": (("matching", "LEVEL", "at {:.0%}"), ("matching", "BALANCED", "within {:g} standard")),
    "regional_shocks": (("regional_shocks", "LEVEL", "at {:.0%}"),),
    "spill_overs": (("spill_overs", "LEVEL", "at {:.0%}"),),
}  # fmt: skip
"""Numbers of each row, by the constants that decide; rows that are not here have none."""


def rows() -> dict[str, list[str]]:
    """Return the cells of each row by check."""
    text = PAGE.read_text(encoding="utf-8").split("<!-- rules: begin -->")[1].split("<!-- rules: end -->")[0]
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0].strip("`"): row[1:] for row in cells}


def test_every_check_has_its_rule_in_order() -> None:
    assert list(rows()) == ci.checks()["name"].tolist()
    assert all(len(row) == 3 and row[0] in KINDS and row[1] and row[2] for row in rows().values())


@pytest.mark.parametrize("name", LIMITS)
def test_the_numbers_of_a_rule_are_those_that_decide(name: str) -> None:
    text = " ".join(rows()[name])
    for module, constant, form in LIMITS[name]:
        value = getattr(importlib.import_module(f"clsimpact.diagnostics.{module}"), constant)
        assert form.format(value) in text


def test_limits_are_not_told_as_tests() -> None:
    """Checks that state a limit do not claim an error rate: what the page said before of all of them."""
    kinds = {name: row[0] for name, row in rows().items()}
    limits = ("comparison_weights", "precision", "sensitivity", "unknown_adopters")
    assert {kinds[name] for name in limits} == {"limit"}
    assert {kinds[name] for name in ("adoption_dates", "undated_adopters")} == {"conclusion"}
    assert "Does not hold**: a test at 5%" not in PAGE.read_text(encoding="utf-8")
