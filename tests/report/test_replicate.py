"""The whole replication: what is written, whether it is right, whether it is the same twice."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from numpy.typing import NDArray

import clsimpact as ci
from clsimpact.claims import CLAIMS, Judgement
from clsimpact.cli import main
from clsimpact.errors import DesignError
from clsimpact.inference.blocks import blocks_of
from clsimpact.outcomes import OUTCOMES
from clsimpact.plots.trends import trends_figure
from clsimpact.report import replicate as module
from clsimpact.report.ledger import Entry
from clsimpact.report.secondary import not_estimable
from clsimpact.results import Estimate
from clsimpact.store import processed_folder
from tests.estimation_helpers import SOLVER, council_design, made_up
from tests.figure_helpers import assert_legible
from tests.report.conftest import Run

ROUNDING = 1e-12
"""A mean of two numbers, taken in two ways: rounding in double precision only."""
CR2 = 1e-6
"""CR2 takes eigenvalues of near-singular blocks twice, on dummies here and on demeaned rows there."""

VERDICTS = {"consistent", "not consistent", "inconclusive", "not estimable"}


def entry(run: Run, claim: str, outcome: str) -> Entry:
    return next(e for e in run.ledger.entries if (e.claim, e.outcome) == (claim, outcome))


class TestWhatIsWritten:
    def test_every_file_is_there_and_not_empty(self, run: Run) -> None:
        written = {str(path.relative_to(run.folder)) for path in run.folder.rglob("*") if path.is_file()}
        assert written == {*run.ledger.files, "ledger.md", "ledger.json"}
        assert all((run.folder / name).stat().st_size > 100 for name in written)

    def test_one_entry_per_claim_and_outcome(self, run: Run) -> None:
        expected = [(claim.id, name) for claim in CLAIMS.values() for name in claim.outcomes]
        assert [(e.claim, e.outcome) for e in run.ledger.entries] == expected
        assert {e.verdict for e in run.ledger.entries} <= VERDICTS

    def test_figures_are_drawings(self, run: Run) -> None:
        for name in ("spending_event_study", "spending_trends"):
            base = run.folder / "figures" / name
            svg = base.with_suffix(".svg").read_text(encoding="utf-8")
            assert svg.count("<path") > 50
            assert "<dc:date>" not in svg
            png = base.with_suffix(".png").read_bytes()
            assert png.startswith(b"\x89PNG")
            assert len(png) > 20_000
            assert len(base.with_suffix(".txt").read_text(encoding="utf-8")) > 200

    def test_json_is_the_ledger(self, run: Run) -> None:
        read = json.loads((run.folder / "ledger.json").read_text(encoding="utf-8"))
        assert [e["verdict"] for e in read["entries"]] == [e.verdict for e in run.ledger.entries]
        assert len(read["sensitivity"]) == 11
        assert set(read["figures"]) == {"figures/spending_event_study.svg", "figures/spending_trends.svg"}

    def test_the_page_links_only_to_files_that_exist(self, run: Run) -> None:
        page = (run.folder / "ledger.md").read_text(encoding="utf-8")
        links = re.findall(r"\]\(([^)\s]+)\)", page)
        assert len(links) >= len(run.ledger.files)
        assert all((run.folder / link).is_file() for link in links)

    def test_inputs_are_the_committed_tables(self, run: Run) -> None:
        for name, digest in run.ledger.inputs.items():
            assert hashlib.sha256((processed_folder() / name).read_bytes()).hexdigest() == digest
        assert {"panel.parquet", "adoption.parquet"} <= set(run.ledger.inputs)

    def test_the_table_of_claims_is_the_ledger(self, run: Run) -> None:
        with (run.folder / "tables" / "claims.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        assert [row["verdict"] for row in rows] == [e.verdict for e in run.ledger.entries]
        found = next(row for row in rows if (row["claim"], row["outcome"]) == ("C4", "gce_per_adult"))
        assert float(found["estimate"]) == entry(run, "C4", "gce_per_adult").estimate

    def test_coverage_counts_every_area(self, run: Run, tagged: pd.DataFrame) -> None:
        table = pd.read_csv(run.folder / "tables" / "coverage.csv")
        per_year = table.groupby(["outcome", "year"])["areas"].sum()
        assert set(per_year) == set(tagged.groupby("year").size())
        assert set(table["outcome"]) == set(OUTCOMES)

    def test_no_trace_of_this_machine(self, run: Run) -> None:
        for name in ("ledger.md", "ledger.json"):
            assert str(run.folder) not in (run.folder / name).read_text(encoding="utf-8")

    def test_the_attribution_is_said_once(self, run: Run) -> None:
        assert run.ledger.attribution.count("National Statistics data") == 1
        assert "right 2016 to 2022" in run.ledger.attribution


class TestWhatCannotBeEstimated:
    def test_it_names_publication_table_and_years(self, run: Run) -> None:
        missing = [e for e in run.ledger.entries if e.verdict == "not estimable"]
        assert len(missing) == 14
        for e in missing:
            assert e.estimate is None
            assert "Adult Social Care Activity and Finance Report" in e.missing
            assert re.search(r"reference tables? T\d+.* \((STS001|LTS002b)\)", e.missing)
            assert "Social Services Activity" in e.missing
            assert "2014-15 to 2015-16;" in e.missing
            assert e.rule
            assert e.years_held == "2021-22"

    def test_nothing_is_called_no_effect_for_lack_of_figures(self, run: Run) -> None:
        assert {e.claim for e in run.ledger.entries if e.verdict != "not estimable"} == {"C4", "C5"}


def spending(tagged: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """The sample with a column per event time, but for the reference: each cohort's last year before."""
    data = tagged.loc[tagged["gce_per_adult"].notna(), ["ons_code", "year", "gce_per_adult", "adoption_year"]]
    data = data.astype({"adoption_year": "float64", "ons_code": "object"}).reset_index(drop=True)
    years = sorted(data["year"].unique())
    last = {c: max(y for y in years if y < c) for c in sorted(data["adoption_year"].dropna().unique())}
    event = data["year"] - data["adoption_year"]
    free = event.notna() & (data["year"] != data["adoption_year"].map(last))
    names = {}
    for time in sorted(event[free].unique()):
        name = f"d{'m' if time < 0 else 'p'}{abs(int(time))}"
        data[name] = (free & (event == time)).astype(float)
        names[name] = int(time)
    return data, names


def by_hand(
    X: NDArray[np.float64], y: NDArray[np.float64], groups: NDArray[np.int64], c: NDArray[np.float64]
) -> tuple[float, float]:
    """Estimate and CR2 standard error, written out on the full matrix of dummies."""
    bread = np.linalg.pinv(X.T @ X)
    residual_maker = np.eye(len(y)) - X @ bread @ X.T
    residuals = residual_maker @ y
    variance = 0.0
    for group in np.unique(groups):
        rows = np.flatnonzero(groups == group)
        values, vectors = np.linalg.eigh(residual_maker[np.ix_(rows, rows)])
        root = np.array([value**-0.5 if value > 1e-8 else 0.0 for value in values])
        weight = (vectors * root) @ vectors.T @ X[rows] @ bread @ c
        variance += float(weight @ residuals[rows]) ** 2
    return float(c @ bread @ X.T @ y), float(np.sqrt(variance))


REFITTED = 8
"""Re-assignments that are estimated again from dummies; the others come from the same lines."""


class TestTheNumbers:
    """A second computation from the committed panel, with dummies written out."""

    @pytest.mark.parametrize(("claim", "after"), [("C4", True), ("C5", False)])
    def test_estimate_and_interval(self, run: Run, tagged: pd.DataFrame, claim: str, after: bool) -> None:
        data, names = spending(tagged)
        formula = f"gce_per_adult ~ C(ons_code) + C(year) + {' + '.join(names)}"
        fitted = smf.ols(formula, data).fit()
        chosen = [name for name, time in names.items() if (time >= 0) == after]
        found = entry(run, claim, "gce_per_adult")
        np.testing.assert_allclose(found.estimate, fitted.params[chosen].mean(), rtol=SOLVER)
        c = np.array([(name in chosen) / len(chosen) for name in fitted.model.exog_names])
        groups = pd.factorize(data["ons_code"])[0]
        estimate, error = by_hand(fitted.model.exog, fitted.model.endog, groups, c)
        fit = module.fit_outcome(tagged, "gce_per_adult")
        assert fit.procedure is not None
        told = {term.name: term.event_time for term in fit.terms}
        share = np.array([(time in [names[k] for k in chosen]) / len(chosen) for time in told.values()])
        drawn = fit.procedure.run.numbers(share[:, None])
        edge = np.sort(np.abs(drawn.statistics[:, 0]))[-int(0.05 * 10_000)]
        ends = (estimate, estimate - edge * error, estimate + edge * error)
        np.testing.assert_allclose((found.estimate, found.conf_low, found.conf_high), ends, rtol=CR2)
        edge = np.sort(np.abs(drawn.statistics[:, 0]))[-int(0.10 * 10_000)]
        if after:
            assert f"bound {estimate + edge * error:+.1f} is not below" in found.rule

    def test_re_assignments_are_those_of_dummies(self, tagged: pd.DataFrame) -> None:
        """Residuals of the fit, adoption re-assigned: estimate over its CR2 error, from full matrices."""
        data, names = spending(tagged)
        fit = module.fit_outcome(tagged, "gce_per_adult")
        assert fit.procedure is not None
        run = fit.procedure.run
        formula = f"gce_per_adult ~ C(ons_code) + C(year) + {' + '.join(names)}"
        residuals = smf.ols(formula, data).fit().resid
        paths = run.assignments.draw(blocks_of(run.draws, seed=run.seed)[0])[:REFITTED]
        cohorts = np.append(np.nan, sorted(fit.design.cohort_sizes))
        after = np.array([(t.event_time or 0) >= 0 and t.event_time is not None for t in fit.terms])
        late_terms = after & fit.identified
        drawn = run.numbers(late_terms[:, None] / late_terms.sum())
        for own, expected in zip(paths, drawn.statistics[:, 0], strict=False):
            given = dict(zip(fit.design.units, cohorts[own], strict=True))
            moved = tagged[tagged["ons_code"].isin(given)]
            moved = moved.assign(adoption_year=moved["ons_code"].map(given))
            again, columns = spending(moved)
            again["left"] = residuals.to_numpy()
            model = smf.ols(f"left ~ C(ons_code) + C(year) + {' + '.join(columns)}", again)
            late = [name for name, time in columns.items() if time >= 0]
            c = np.array([(name in late) / len(late) for name in model.exog_names])
            estimate, error = by_hand(model.exog, model.endog, pd.factorize(again["ons_code"])[0], c)
            np.testing.assert_allclose(estimate / error, expected, rtol=CR2)

    def test_the_path_in_the_table(self, run: Run, tagged: pd.DataFrame) -> None:
        data, names = spending(tagged)
        fitted = smf.ols(f"gce_per_adult ~ C(ons_code) + C(year) + {' + '.join(names)}", data).fit()
        table = pd.read_csv(run.folder / "tables" / "spending_event_study.csv").set_index("event_time")
        ours = table.loc[list(names.values()), "estimate"]
        np.testing.assert_allclose(ours, fitted.params[list(names)], rtol=SOLVER)

    def test_the_verdict_follows_from_the_margin(self, run: Run, tagged: pd.DataFrame) -> None:
        controls = tagged.loc[tagged["adoption_year"].isna(), "gce_per_adult"]
        found = entry(run, "C4", "gce_per_adult")
        assert found.verdict == "inconclusive"
        assert f"{0.05 * controls.mean():+.1f}" in found.rule

    def test_sample_and_caveats_are_told(self, run: Run, tagged: pd.DataFrame) -> None:
        held = tagged[tagged["gce_per_adult"].notna()]
        found = entry(run, "C4", "gce_per_adult")
        n = held["ons_code"].nunique()
        assert found.sample == f"{n} councils, 5 of them adopters, {len(held)} rows"
        for words in ("incomplete", "COVID-19", "mixes cohorts"):
            assert words in found.caveat
        assert found.estimator.endswith("average over event times 0 to 5")


class TestTwice:
    def test_the_command_line_writes_the_same_bytes(
        self, run: Run, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("CLSIMPACT_RAW", raising=False)
        folder = tmp_path_factory.mktemp("again")
        assert main(["replicate", "--offline", "--out", str(folder)]) == 0
        for path in run.folder.rglob("*"):
            if path.is_file():
                name = path.relative_to(run.folder)
                assert (folder / name).read_bytes() == path.read_bytes(), name

    def test_progress_is_told_in_order(self, run: Run) -> None:
        words, numbers, totals = zip(*run.steps, strict=True)
        assert numbers == tuple(range(1, len(run.steps) + 1))
        assert set(totals) == {len(run.steps)}
        told = [word[:2] for word in words if re.match(r"C\d: ", word)]
        assert told == list(CLAIMS)


@pytest.fixture
def fit() -> Estimate:
    return ci.event_study(council_design(made_up(years=(2014, 2015, 2016, 2017))), inference="CR2")


class TestWindows:
    def test_the_average_is_over_the_window_only(self, fit: Estimate) -> None:
        found, words = module.find_effect(fit, CLAIMS["C1"])
        tidy = fit.tidy().set_index("event_time")["estimate"]
        np.testing.assert_allclose(found.estimate, tidy[[0, 1]].mean(), rtol=ROUNDING)
        assert words == "average over event times 0 to 1"
        assert found.low < found.low_90 < found.estimate < found.high_90 < found.high

    def test_a_window_without_figures_is_an_error_not_another_window(self, fit: Estimate) -> None:
        with pytest.raises(DesignError, match="no event time 2 and later is identified"):
            module.find_effect(fit, CLAIMS["C2"])

    def test_such_a_claim_is_not_estimable(self, tagged: pd.DataFrame) -> None:
        judged = module._judge(
            replace(CLAIMS["C2"], window=(40, None)), OUTCOMES["gce_per_adult"], tagged, {}, 0.05
        )
        assert (judged.verdict, judged.estimate) == ("not estimable", None)
        assert "event time 40 and later" in judged.rule

    def test_the_margin_is_handed_to_the_rule(self, tagged: pd.DataFrame) -> None:
        seen = []
        claim = replace(CLAIMS["C4"], judge=lambda f, m: seen.append(m) or Judgement("consistent", "asked"))
        module._judge(claim, OUTCOMES["gce_per_adult"], tagged, {}, 0.1)
        mean = tagged.loc[tagged["adoption_year"].isna(), "gce_per_adult"].mean()
        assert seen == [pytest.approx(0.1 * mean)]

    def test_no_figures_and_no_before_are_told_apart(self, tagged: pd.DataFrame) -> None:
        empty = tagged.assign(gce_per_adult=np.nan)
        assert not_estimable(empty, "gce_per_adult") == "no figures are held"
        late = tagged.assign(gce_per_adult=tagged["gce_per_adult"].where(tagged["year"] >= 2020))
        assert "both before and after" in not_estimable(late, "gce_per_adult")


class TestFigures:
    @pytest.mark.parametrize(
        ("numbers", "title"),
        [
            (
                (17.8, -22.4, 58.1),
                "Spending per adult after adoption: average effect between £22 lower and £58 higher",
            ),
            (
                (30.2, 19.4, 41.0),
                "Spending per adult rose by £30 on average after adoption (95% interval £19 to £41)",
            ),
            (
                (-30.2, -41.0, -19.4),
                "Spending per adult fell by £30 on average after adoption (95% interval £19 to £41)",
            ),
            (
                (0.5, -1.234, 2.2),
                "Spending per adult after adoption: average effect between £1.2 lower and £2.2 higher",
            ),
        ],
    )
    def test_title(self, numbers: tuple[float, float, float], title: str) -> None:
        assert module._spending_title(*numbers) == title

    def test_nothing_overlaps_and_the_title_has_two_lines(self, tagged: pd.DataFrame) -> None:
        fit = module.fit_outcome(tagged, "gce_per_adult")
        for made in (module._event_study(fit), trends_figure(tagged, "gce_per_adult")):
            assert_legible(made.figure)
            assert made.figure.texts[0].get_text().count("\n") <= 1

    def test_the_drawn_data_are_the_table(self, run: Run) -> None:
        drawn = pd.read_csv(run.folder / "figures" / "spending_event_study.csv")
        table = pd.read_csv(run.folder / "tables" / "spending_event_study.csv")
        np.testing.assert_array_equal(drawn["estimate"], table["estimate"])


def test_missing_numbers_become_none_in_records() -> None:
    table = pd.DataFrame({"a": [1.5, np.nan], "b": ["x", None], "n": [1, 2]})
    assert module._records(table) == ({"a": 1.5, "b": "x", "n": 1}, {"a": None, "b": None, "n": 2})


def test_figures_that_do_not_agree_stop_the_replication(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def differ(*, strict: bool) -> None:
        assert strict
        raise ci.errors.ReconciliationError("2 comparisons differ.")

    monkeypatch.setattr(module, "check", differ)
    folder = tmp_path_factory.mktemp("stopped")
    with pytest.raises(ci.errors.ReconciliationError):
        module.replicate(folder)
    assert list(folder.iterdir()) == []
