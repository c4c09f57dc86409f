"""The report of checks: names, verdicts, terminal, HTML, values, page; and what is not handed over."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pytest

import clsimpact as ci
from clsimpact.diagnostics import registry
from clsimpact.diagnostics.registry import Check, all_checks, run_checks
from clsimpact.diagnostics.report import CheckReport
from clsimpact.diagnostics.result import Advice, CheckResult, Found, plain
from clsimpact.diagnostics.setting import Setting
from clsimpact.errors import DesignError
from tests.diagnostics.check_helpers import design, panel, setting


def result(name: str, verdict: str, finding: str = "Found <this>.", **given: object) -> CheckResult:
    found = Found(verdict, finding, **given)  # type: ignore[arg-type]
    return CheckResult(name, f"Title of {name}", "Is it so?", "Else it is not.", "Somebody 2020", found)


REPORT = CheckReport(
    "event_study of cost",
    True,
    (("info", "20 units"), ("warning", "Only 3 adopters.")),
    (
        result("one", "holds", numbers={"p": 0.25, "none": np.nan}),
        result("two", "does not hold", advice=(Advice("Do this.", "fit.summary()"),)),
        result("three", "cannot tell"),
    ),
)


def test_the_list_of_checks_says_what_each_is_for() -> None:
    table = ci.checks()
    assert table["name"].is_unique
    assert table["name"].tolist() == list(registry._MODULES)
    for column in ("title", "question", "threat", "source"):
        assert table[column].str.len().min() > 8
    assert table["question"].str.endswith("?").all()
    assert table["threat"].str.endswith(".").all()
    assert not table["source"].str.endswith(".").any()
    assert set(table["stage"]) == {"design", "fit"}


def test_a_terminal_sees_verdicts_findings_and_lines_of_code() -> None:
    text = str(REPORT)
    assert text.startswith("SIMULATED: Checks of the event_study of cost")
    assert "\nDOES NOT HOLD: Title of two (two)\n  Found <this>.\n  -> Do this.\n     fit.summary()" in text
    assert max(map(len, text.split("\n"))) <= 110
    assert repr(REPORT) == text


def test_jupyter_sees_html_with_everything_escaped() -> None:
    page = REPORT._repr_html_()
    assert "Found &lt;this&gt;." in page
    assert "<this>" not in page
    assert page.count("<details>") == 4
    assert "1 does not hold, 1 cannot tell, 1 holds" in page
    assert "<td>not available</td>" in page
    assert "<summary><strong>holds</strong>" in result("one", "holds")._repr_html_()
    assert "<strong>SIMULATED</strong>" in page


def test_values_are_those_that_json_can_hold() -> None:
    values = json.loads(json.dumps(REPORT.to_dict(), allow_nan=False))
    assert values["checks"][0]["numbers"] == {"p": 0.25, "none": None}
    assert values["checks"][1]["advice"] == [{"text": "Do this.", "code": "fit.summary()"}]
    assert values["sample"][1] == {"level": "warning", "text": "Only 3 adopters."}
    assert values["simulated"] is True


KEPT = {
    "a number": (np.float64(1.5), 1.5),
    "infinity": (np.inf, None),
    "no time": (pd.NaT, None),
    "text": ("x", "x"),
    "a truth": (np.bool_(True), 1),
    "a date": (pd.Timestamp("2020-01-01"), "2020-01-01 00:00:00"),
}


@pytest.mark.parametrize(("value", "kept"), KEPT.values(), ids=KEPT)
def test_plain_values(value: object, kept: object) -> None:
    assert plain(value) == kept


def test_the_page_has_the_worst_first_and_every_sentence_from_the_checks() -> None:
    page = REPORT.to_markdown()
    heads = [line for line in page.split("\n") if line.startswith("#")]
    assert heads == [
        "# How this analysis could be wrong",
        "## What does not hold", "### Title of two (`two`)",
        "## What cannot be told from these data", "### Title of three (`three`)",
        "## What was tested and holds", "### Title of one (`one`)",
        "## Warnings about the sample",
    ]  # fmt: skip
    assert "**SIMULATED: the data behind this page are made up.**" in page
    assert "- Only 3 adopters." in page
    assert "  fit.summary()" in page


def test_single_results_are_found_by_name() -> None:
    assert REPORT["two"].verdict == "does not hold"
    assert len(REPORT) == 3
    with pytest.raises(DesignError, match="did you mean 'three'"):
        REPORT["thre"]
    with pytest.raises(DesignError, match="nothing to draw"):
        REPORT["one"].plot()
    assert REPORT.tidy()["verdict"].tolist() == ["holds", "does not hold", "cannot tell"]


def test_tables_are_copies() -> None:
    one = result("one", "holds", table=pd.DataFrame({"a": [1]}))
    held = one.table
    assert held is not None
    held["a"] = 2
    assert one.table["a"].tolist() == [1]  # type: ignore[index]


def fake(run, **given: object) -> Check:  # type: ignore[no-untyped-def]
    return Check("fake", "Fake", "Is it?", "Else not.", "fit", "Nobody", run, **given)  # type: ignore[arg-type]


def test_what_was_not_handed_over_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    check = fake(lambda given: Found("holds", "Fine."), needs=("data", "adoption"))
    monkeypatch.setattr(registry, "all_checks", lambda: {"fake": check})
    data = panel(units=12, adopters=4)
    fit = ci.event_study(design(data))
    found = run_checks(Setting(fit.design, fit, data), "fake", ())["fake"]
    assert found.verdict == "cannot tell"
    assert "the dates that the evidence allows was not given" in found.finding
    assert found.advice[0].code == 'fit.check("fake", data=data, adoption=adoption)'
    whole = run_checks(Setting(fit.design, fit, data, data), "fake", ())["fake"]
    assert whole.verdict == "holds"


def test_a_refusal_is_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(given: Setting) -> Found:
        raise DesignError("It cannot be.", ["because"], repair="Mend it.")

    monkeypatch.setattr(registry, "all_checks", lambda: {"fake": fake(refuse)})
    found = run_checks(setting(panel(units=12, adopters=4)), None, ())["fake"]
    assert (found.verdict, found.finding) == ("cannot tell", "Could not be run: It cannot be. (because)")
    assert found.advice[0].text == "Mend it."


@pytest.mark.parametrize(
    "error",
    [
        ZeroDivisionError(),
        ValueError("shapes"),
        np.linalg.LinAlgError("Singular matrix."),
        IndexError(),
        KeyError("x"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_check_that_breaks_does_not_take_the_others_down(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """The report names the error; the function of the check itself still raises it."""

    def fail(given: Setting) -> Found:
        raise error

    other = replace(fake(lambda given: Found("holds", "Fine.")), name="other")
    monkeypatch.setattr(registry, "all_checks", lambda: {"fake": fake(fail), "other": other})
    given = setting(panel(units=12, adopters=4))
    report = run_checks(given, None, ())
    assert [one.verdict for one in report] == ["cannot tell", "holds"]
    finding = report["fake"].finding
    assert finding.startswith(f"Could not be run: an internal error, {type(error).__name__}")
    assert finding.endswith("of test_report.py.")
    assert "fault of the check" in report["fake"].advice[0].text
    exec(report["fake"].advice[0].code, {"ci": ci, "np": np, "pd": pd})
    with pytest.raises(type(error)):
        fake(fail).run(given)


REPAIRS = {
    "code in the repair": ("Look at fit.tidy().", "fit.tidy()"),
    "another estimator": (
        'Use one base period: ci.group_time(design, base_period="universal").',
        'ci.group_time(design, base_period="universal")',
    ),
    "with its argument": ('Name one if you must: fit.with_inference("CR2").', 'fit.with_inference("CR2")'),
    "no code": ("Hand over a fuller panel.", "print(fit.summary())"),
    "code with a gap": ("Use fit.check(..., data=panel).", "print(fit.summary())"),
}


@pytest.mark.parametrize(("repair", "code"), REPAIRS.values(), ids=REPAIRS)
def test_the_code_of_a_refusal_is_that_of_its_repair(
    monkeypatch: pytest.MonkeyPatch, repair: str, code: str
) -> None:
    def refuse(given: Setting) -> Found:
        raise DesignError("It cannot be.", repair=repair)

    monkeypatch.setattr(registry, "all_checks", lambda: {"fake": fake(refuse)})
    found = run_checks(setting(panel(units=12, adopters=4)), None, ())["fake"]
    assert (found.advice[0].text, found.advice[0].code) == (repair, code)


def test_tables_may_be_of_any_kind_that_a_design_reads() -> None:
    data = panel(units=12, adopters=4)
    made = design(data)
    given = Setting(made, data=pl.from_pandas(data), neighbours=pl.from_pandas(data).lazy())  # type: ignore[arg-type]
    assert given.column("region").tolist() == data["region"].tolist()
    assert given.has("cost")
    assert given.constant("region")["E00000007"] == "Region 2"
    assert isinstance(given.neighbours, pd.DataFrame)
    result = made.check("overlap", data=pl.from_pandas(data), draws=99)["overlap"]  # type: ignore[arg-type]
    assert result.to_dict() == made.check("overlap", data=data, draws=99)["overlap"].to_dict()


def test_ids_of_another_kind_than_the_design_has_are_told() -> None:
    data = panel(units=12, adopters=4)
    data["site"] = data["ons_code"].str[1:].astype(int)
    made = ci.Design(data, outcome="cost", unit="site", time="year", cohort="adoption_year")
    for written in (data["site"].astype(str), data["site"].astype(str).astype(object), data["site"] + 10**7):
        given = Setting(made, data=data.assign(site=written))
        with pytest.raises(DesignError, match="cannot be matched") as caught:
            given.column("region")
        assert "site: the design has 0 (int)" in caught.value.problems[0]
    floats = Setting(made, data=data.assign(site=data["site"].astype(float)))
    assert floats.column("region").tolist() == data["region"].tolist()


def test_names_that_are_wrong_are_told_together() -> None:
    with pytest.raises(DesignError) as caught:
        design(panel(units=12, adopters=4)).check(["precisions", "pre_trends", "overlap"])
    assert caught.value.problems == (
        "'precisions' is no check (did you mean 'precision'?)",
        "'pre_trends' needs a result: fit.check('pre_trends')",
    )


def test_a_design_is_checked_without_results_and_a_result_with_everything() -> None:
    made = design(panel())
    assert [one.name for one in made.check()] == [n for n, c in all_checks().items() if c.stage == "design"]
    assert made.check("precision").items[0][1].startswith("600 rows: 60 councils")


def test_columns_are_laid_beside_the_rows_of_the_design() -> None:
    data = panel(units=12, adopters=4)
    given = Setting(design(data), data=data.sample(frac=1, random_state=1))
    assert given.column("cost").to_numpy().tolist() == given.design.y.tolist()
    assert given.constant("region")["E00000007"] == "Region 2"
    with pytest.raises(DesignError, match="did you mean 'region'"):
        given.column("regoin")
    twice = Setting(design(data), data=pd.concat([data, data.head(1)]))
    with pytest.raises(DesignError, match="several rows for one ons_code and year"):
        twice.column("cost")


def test_outcomes_that_are_missing_leave_the_sample() -> None:
    data = panel(units=12, adopters=4)
    given = Setting(design(data), data=data)
    values = given.column("cost").where(np.arange(len(data)) != 5)
    made = given.with_values(values, reason="no figure")
    assert made.n_obs == len(data) - 1
    assert made.dropped["reason"].tolist() == ["no figure"]
    assert given.with_values(given.column("cost"), reason="").n_obs == len(data)
    left = given.without([0, 3], reason="left out")
    assert len(left.units) == 10
    assert given.names([0, 1]) == "Council 0 (E00000000), Council 1 (E00000001)"


def test_checks_say_the_same_with_any_executor_and_order_of_rows() -> None:
    data = panel(units=30, adopters=8)
    names = ["estimators_agree", "comparison_weights"]
    one = ci.event_study(design(data)).check(names, draws=99).to_dict()
    shuffled = ci.event_study(design(data.sample(frac=1, random_state=3)))
    with ThreadPoolExecutor(2) as pool:
        assert shuffled.check(names, draws=99, executor=pool).to_dict() == one


def test_names_from_data_are_no_markup_on_the_page() -> None:
    """Units and outcomes may be called anything: the page shows what they are called."""
    odd = result(
        "one", "does not hold", "Unit <script>x & *y* [z](u) `q` _r_ of gce_per_adult.",
        advice=(Advice("Look at <b>x</b>.", "design.restrict('``` x')"),),
    )  # fmt: skip
    page = CheckReport("event_study of <y>", False, (("warning", "<i>few</i>"),), (odd,)).to_markdown()
    assert "<" not in page
    assert "Unit &lt;script&gt;x &amp; \\*y\\* \\[z\\](u) \\`q\\` \\_r\\_ of gce_per_adult." in page
    assert "- Look at &lt;b&gt;x&lt;/b&gt;." in page
    assert "  ````python\n  design.restrict('``` x')\n  ````" in page
    assert "- &lt;i&gt;few&lt;/i&gt;" in page
