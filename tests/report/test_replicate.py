"""The whole replication: what is written, whether it is right, where it comes from, and the same twice."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from numpy.typing import NDArray

import clsimpact as ci
from clsimpact.claims import CLAIMS
from clsimpact.errors import ClsimpactError, SourceError
from clsimpact.inference.blocks import blocks_of
from clsimpact.report.ledger import Row
from clsimpact.report.pieces import records
from clsimpact.report.pieces._common import fit_of
from clsimpact.report.replicate import STEPS, replicate
from clsimpact.report.study import default_study
from clsimpact.report.study_data import StudyData, load_study_data
from clsimpact.report.words import number_tokens
from clsimpact.store import processed_folder
from tests.estimation_helpers import SOLVER
from tests.report.conftest import Page, Run, contents, read_exactly

CR2 = 1e-6
"""CR2 takes eigenvalues of near-singular blocks twice, on dummies here and on demeaned rows there."""
ROUNDING = 1e-12
"""One division and two sums in another order: rounding in double precision only."""
PRINTED = 0.005
"""Numbers are printed with three figures: half a unit of the third, relative, is less than this."""

VERDICTS = {"consistent", "not consistent", "inconclusive", "not estimable"}


@pytest.fixture(scope="module")
def data_of_the_study() -> StudyData:
    return load_study_data(default_study())


class TestWhatIsWritten:
    def test_every_file_is_there_and_not_empty(self, run: Run) -> None:
        written = set(contents(run.folder)) - {".clsimpact-report"}
        assert written == {*run.ledger.files, "ledger.md", "ledger.json"}
        assert all((run.folder / name).stat().st_size > 100 for name in written)
        named = {name for row in run.ledger.rows for name in (*row.files, row.trace) if name}
        assert named <= written

    def test_one_row_per_claim_and_outcome(self, run: Run) -> None:
        expected = [(claim.id, name) for claim in CLAIMS.values() for name in claim.outcomes]
        assert [(row.claim, row.outcome) for row in run.ledger.of_kind("claim")] == expected
        assert {row.verdict for row in run.ledger.of_kind("claim")} <= VERDICTS

    def test_figures_are_drawings_with_words_and_data(self, run: Run) -> None:
        rows = list(run.ledger.of_kind("figure"))
        wanted = {"choices", "curve", "adoption", "map", "front-door", "spending-types"}
        wanted |= {f"{kind}-gce_per_adult" for kind in ("path", "trends", "estimators")}
        assert {f"figure-{name}" for name in wanted} <= {row.id for row in rows}
        for row in rows:
            base = run.folder / "figures" / row.id.removeprefix("figure-")
            svg = base.with_suffix(".svg").read_text(encoding="utf-8")
            assert svg.count("<path") > 30
            assert "<dc:date>" not in svg
            assert base.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
            alternative = base.with_suffix(".txt").read_text(encoding="utf-8").strip()
            assert len(alternative) > 60
            assert alternative in row.text
            assert len(read_exactly(base.with_suffix(".csv"))) >= 1

    def test_json_is_the_ledger(self, run: Run) -> None:
        read = json.loads((run.folder / "ledger.json").read_text(encoding="utf-8"))
        assert [Row.read(row) for row in read["rows"]] == list(run.ledger.rows)
        assert read["simulated"] is False
        assert "made_up" not in read

    def test_pages_of_the_ledger_link_only_to_files_that_exist(self, run: Run) -> None:
        page = (run.folder / "ledger.md").read_text(encoding="utf-8")
        links = re.findall(r"\]\(<([^>]+)>\)", page)
        assert len(links) >= len(run.ledger.files)
        assert all((run.folder / link).is_file() for link in links)

    def test_inputs_are_the_committed_tables(self, run: Run) -> None:
        for name, digest in run.ledger.inputs.items():
            assert hashlib.sha256((processed_folder() / name).read_bytes()).hexdigest() == digest
        assert set(run.ledger.inputs) == {"panel.parquet", "adoption.parquet", "returns.parquet"}

    def test_the_table_of_claims_is_the_ledger(self, run: Run) -> None:
        with (run.folder / "tables" / "claims.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        for claim in ("C4", "C5"):
            row, found = run.ledger[f"{claim}.gce_per_adult"], next(it for it in rows if it["claim"] == claim)
            assert (row.estimate, row.conf_low, row.conf_high) == tuple(
                float(found[name]) for name in ("estimate", "low", "high")
            )
        assert [row["claim"] for row in rows] == list(CLAIMS)

    def test_coverage_counts_rows_and_councils(self, run: Run, tagged: pd.DataFrame) -> None:
        table = read_exactly(run.folder / "tables" / "coverage.csv")
        held = tagged[tagged["gce_per_adult"].notna()]
        found = table[table["outcome"].eq("Gross current expenditure per adult")].iloc[0]
        assert (found["rows"], found["units"]) == (len(held), held["ons_code"].nunique())
        assert found["adopters"] == held.loc[held["adoption_year"].notna(), "ons_code"].nunique()

    def test_no_trace_of_this_machine(self, run: Run) -> None:
        for name, content in contents(run.folder).items():
            if name.endswith((".html", ".json", ".csv", ".md", ".txt", ".tex")):
                assert str(run.folder) not in content.decode(), name
                assert str(Path.home()) + "/" not in content.decode(), name

    def test_the_attribution_is_said_once(self, run: Run) -> None:
        assert run.ledger.attribution.count("National Statistics data") == 1
        assert "right 2016 to 2022" in run.ledger.attribution

    def test_the_log_says_what_ran(self, run: Run) -> None:
        assert {it["step"] for it in run.log["steps"]} == {step.name for step in STEPS} - {"truth"}
        assert not any(it["taken_up"] for it in run.log["steps"])
        assert run.log["left_out"] == ""
        assert set(run.report.seconds) == {it["step"] for it in run.log["steps"]}
        assert all(it["seconds"] > 0 for it in run.log["steps"])

    def test_figures_of_the_library_agree_with_each_other(self, run: Run) -> None:
        assert run.ledger["number-differ"].text == "0"
        assert run.ledger["number-compared"].estimate == ci.check()["compared"].sum()


class TestWhatCannotBeEstimated:
    def test_it_names_publication_table_and_years(self, run: Run) -> None:
        missing = [row for row in run.ledger.of_kind("claim") if row.verdict == "not estimable"]
        wanted = [(claim.id, name) for claim in CLAIMS.values() for name in claim.outcomes]
        lost = [it for it in wanted if it[1] != "gce_per_adult"]
        assert [(row.claim, row.outcome) for row in missing] == lost
        for row in missing:
            assert row.estimate is None
            assert "Adult Social Care Activity and Finance Report" in row.missing
            assert re.search(r"reference tables? T\d+.* \((STS001|LTS002b)\)", row.missing)
            assert "Social Services Activity" in row.missing
            assert "2014-15 to 2015-16;" in row.missing
            assert "one year only (2021-22)" in row.rule
            assert row.text.startswith("This cannot be estimated")

    def test_nothing_is_called_no_effect_for_lack_of_figures(self, run: Run) -> None:
        claims = {row.claim for row in run.ledger.of_kind("claim") if row.verdict != "not estimable"}
        assert claims == {"C4", "C5"}


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
    def test_estimate_and_interval(
        self, run: Run, tagged: pd.DataFrame, data_of_the_study: StudyData, claim: str, after: bool
    ) -> None:
        data, names = spending(tagged)
        formula = f"gce_per_adult ~ C(ons_code) + C(year) + {' + '.join(names)}"
        fitted = smf.ols(formula, data).fit()
        chosen = [name for name, time in names.items() if (time >= 0) == after]
        found = run.ledger[f"{claim}.gce_per_adult"]
        np.testing.assert_allclose(found.estimate, fitted.params[chosen].mean(), rtol=SOLVER)
        c = np.array([(name in chosen) / len(chosen) for name in fitted.model.exog_names])
        groups = pd.factorize(data["ons_code"])[0]
        estimate, error = by_hand(fitted.model.exog, fitted.model.endog, groups, c)
        fit = fit_of(data_of_the_study, "gce_per_adult")
        assert fit.procedure is not None
        told = {term.name: term.event_time for term in fit.terms}
        share = np.array([(time in [names[k] for k in chosen]) / len(chosen) for time in told.values()])
        drawn = fit.procedure.run.numbers(share[:, None])
        edge = np.sort(np.abs(drawn.statistics[:, 0]))[-int(0.05 * 10_000)]
        ends = (estimate, estimate - edge * error, estimate + edge * error)
        np.testing.assert_allclose((found.estimate, found.conf_low, found.conf_high), ends, rtol=CR2)
        if after:
            edge = -np.sort(drawn.statistics[:, 0])[int(0.05 * 10_000) - 1]
            assert f"bound {estimate + edge * error:+.1f} is not below" in found.rule

    def test_re_assignments_are_those_of_dummies(
        self, tagged: pd.DataFrame, data_of_the_study: StudyData
    ) -> None:
        """Residuals of the fit, adoption re-assigned: estimate over its CR2 error, from full matrices."""
        data, names = spending(tagged)
        fit = fit_of(data_of_the_study, "gce_per_adult")
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

    def test_the_path_that_is_drawn(self, run: Run, tagged: pd.DataFrame) -> None:
        data, names = spending(tagged)
        fitted = smf.ols(f"gce_per_adult ~ C(ons_code) + C(year) + {' + '.join(names)}", data).fit()
        table = read_exactly(run.folder / "figures" / "path-gce_per_adult.csv").set_index("event_time")
        ours = table.loc[list(names.values()), "estimate"]
        np.testing.assert_allclose(ours, fitted.params[list(names)], rtol=SOLVER)

    def test_the_verdict_follows_from_the_margin(self, run: Run, tagged: pd.DataFrame) -> None:
        controls = tagged.loc[tagged["adoption_year"].isna(), "gce_per_adult"]
        found = run.ledger["C4.gce_per_adult"]
        assert found.verdict == "inconclusive"
        assert f"{0.05 * controls.mean():+.1f}" in found.rule

    def test_sample_estimator_and_inference_are_told(
        self, run: Run, tagged: pd.DataFrame, data_of_the_study: StudyData
    ) -> None:
        held = tagged[tagged["gce_per_adult"].notna()]
        found = run.ledger["C4.gce_per_adult"]
        n = held["ons_code"].nunique()
        years = "2014-15, 2016-17 to 2017-18, 2020-21 to 2021-22"
        assert found.sample == f"{n} councils, 5 of them adopters, {len(held)} rows; {years}"
        assert found.estimator == "event_study"
        assert "permutation" in found.inference
        assert found.window == "event times 0 to 5"
        assert (found.level, found.unit) == (0.95, "£ per adult, 2021-22 prices")
        fit = fit_of(data_of_the_study, "gce_per_adult")
        assert fit.procedure is not None
        assert run.ledger["setting-draws"].numbers == {"9,999": fit.procedure.run.draws}
        assert run.ledger["setting-seed"].numbers == {"0": fit.procedure.run.seed}


def summary(page: Page) -> list[tuple[str, str]]:
    """Each number of the summary, with the row it is marked with."""
    return [
        (token, row)
        for section, row, text in page.texts
        if section == "summary"
        for token in number_tokens(text)
    ]


@pytest.fixture(scope="module")
def cells(run: Run) -> pd.DataFrame:
    names = {run.ledger[f"{claim}.gce_per_adult"].trace for claim in ("C4", "C5")}
    assert names == {"trace/gce_per_adult.csv"}
    return read_exactly(run.folder / names.pop(), dtype={"council_code": str}, keep_default_na=False)


class TestEachNumberOfTheSummary:
    """From what is printed to the ledger, and from there to the cells of the returns."""

    def test_it_is_in_its_row(self, run: Run, page: Page) -> None:
        found = summary(page)
        assert {"5", "138", "+£17.8", "−£23.1", "+£58.7", "95%", "£23.5"} <= {token for token, _ in found}
        for token, name in found:
            row = run.ledger[name]
            value = float(re.sub(r"[£,%+]", "", token).replace("−", "-"))
            assert token in row.numbers, (token, name)
            assert row.numbers[token] == pytest.approx(value, rel=PRINTED), (token, name)
            assert row.trace, (token, name)
            assert (run.folder / row.trace).is_file()

    def test_numbers_of_claims_are_those_of_the_estimate(self, run: Run) -> None:
        for claim in ("C4", "C5"):
            row = run.ledger[f"{claim}.gce_per_adult"]
            for value in (row.estimate, row.conf_low, row.conf_high, row.margin):
                assert value in row.numbers.values()

    def test_counts_can_be_counted_again(self, run: Run, tagged: pd.DataFrame) -> None:
        units = read_exactly(run.folder / run.ledger["number-adopters"].trace)
        for role, name in (("adopter", "adopters"), ("comparison", "comparison")):
            assert run.ledger[f"number-{name}"].estimate == units["role"].eq(role).sum()
        assert set(units["ons_code"]) == set(tagged["ons_code"])
        checks = read_exactly(run.folder / run.ledger["number-checks-holds"].trace)
        for verdict in ("holds", "does not hold", "cannot tell"):
            row = run.ledger[f"number-checks-{verdict.replace(' ', '-')}"]
            assert row.estimate == checks["verdict"].eq(verdict).sum()

    def test_each_cell_is_in_the_returns(self, cells: pd.DataFrame) -> None:
        returns = ci.load_returns()
        places = ["source_id", "table", "cell"]
        wanted = cells[[*places, "value"]].drop_duplicates()
        held = returns[returns["source_id"].isin(set(wanted["source_id"]))][[*places, "value"]].astype(
            dict.fromkeys(places, str)
        )
        found = wanted.merge(held.drop_duplicates(), on=[*places, "value"], how="left", indicator=True)
        assert len(wanted) > 1_500
        assert found["_merge"].eq("both").all(), found[found["_merge"].ne("both")]

    def test_the_outcome_of_every_council_follows_from_its_cells(
        self, cells: pd.DataFrame, tagged: pd.DataFrame
    ) -> None:
        price = cells.assign(value=cells["value"].astype(float)).groupby(["ons_code", "year", "part"])[
            "value"
        ]
        form = {"index": ["ons_code", "year"], "columns": "part", "values": "value"}
        single = price.first().reset_index().pivot_table(**form)
        added = price.sum().reset_index().pivot_table(**form)
        people = added["population_18_64"] + added["population_65_plus"]
        real = added["gce"] * single["deflator_base"] / single["deflator"]
        again = (1_000 * real / people).rename("again").reset_index()
        held = tagged.loc[
            tagged["gce_per_adult"].notna(), ["ons_code", "year", "gce_per_adult", "adoption_year"]
        ]
        both = held.merge(again, on=["ons_code", "year"], how="outer")
        assert len(both) == len(held)
        np.testing.assert_allclose(
            both["again"].astype(float), both["gce_per_adult"].astype(float), rtol=1e-9
        )

    def test_the_margin_follows_from_the_cells(self, run: Run, tagged: pd.DataFrame) -> None:
        mean = tagged.loc[tagged["adoption_year"].isna(), "gce_per_adult"].mean()
        assert run.ledger["C4.gce_per_adult"].margin == pytest.approx(0.05 * mean, rel=ROUNDING)


class TestTwice:
    @pytest.mark.once
    def test_another_folder_and_one_process_give_the_same_bytes(
        self, run: Run, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("CLSIMPACT_RAW", raising=False)
        again = replicate(tmp_path_factory.mktemp("again"), workers=1)
        one, other = contents(run.folder), contents(again.folder)
        assert list(one) == list(other)
        assert [name for name in one if one[name] != other[name]] == []

    def test_a_second_run_takes_every_step_up(self, run: Run) -> None:
        before, log = contents(run.folder), (run.folder / "run.json").read_bytes()
        again = Run(replicate(run.folder), [])
        try:
            assert all(it["taken_up"] for it in again.log["steps"])
            assert set(again.report.seconds.values()) == {0.0}
            assert contents(run.folder) == before
            assert again.report.ledger == run.ledger
        finally:
            (run.folder / "run.json").write_bytes(log)

    def test_progress_is_told_in_order(self, run: Run) -> None:
        words, numbers, totals = zip(*run.steps, strict=True)
        assert numbers == tuple(range(1, len(run.steps) + 1))
        assert set(totals) == {len(run.steps)}
        assert set(words) == {step.words for step in STEPS if step.name != "truth"}


class TestFolder:
    def test_other_files_are_never_replaced(self, small_study: Path, tmp_path: Path) -> None:
        for name in ("thesis.txt", "figures/mine.svg"):
            folder = tmp_path / name.partition(".")[0].replace("/", "-")
            (folder / name).parent.mkdir(parents=True)
            (folder / name).write_text("mine", encoding="utf-8")
            with pytest.raises(SourceError, match="holds other files"):
                replicate(folder, study=small_study)
            assert (folder / name).read_text(encoding="utf-8") == "mine"

    def test_a_file_is_no_folder(self, small_study: Path, tmp_path: Path) -> None:
        (tmp_path / "out").write_text("x", encoding="utf-8")
        with pytest.raises(SourceError, match="is a file"):
            replicate(tmp_path / "out", study=small_study)

    def test_a_study_that_is_not_there_makes_no_folder(self, tmp_path: Path) -> None:
        with pytest.raises(ClsimpactError, match="no file"):
            replicate(tmp_path / "out", study=tmp_path / "none.toml")
        assert not (tmp_path / "out").exists()

    def test_files_of_an_older_report_go(self, small_study: Path, tmp_path: Path) -> None:
        out = tmp_path / "out"
        first = replicate(out, study=small_study, pdf=False)
        stale = [out / "figures" / "old.svg", out / "trace" / "old.csv", out / "report.pdf"]
        for path in stale:
            path.write_text("old", encoding="utf-8")
        before = {it.name for it in (out / ".steps").iterdir()}
        text = small_study.read_text(encoding="utf-8").replace('"trends", ', "")
        other = small_study.with_name("other.toml")
        other.write_text(text, encoding="utf-8")
        second = replicate(out, study=other, pdf=False)
        assert not any(path.exists() for path in stale)
        assert "figure-trends-accidents_18_64" in {row.id for row in first.ledger.rows}
        assert "figure-trends-accidents_18_64" not in {row.id for row in second.ledger.rows}
        assert not before & {it.name for it in (out / ".steps").iterdir()}
        assert not (out / "figures" / "trends-accidents_18_64.svg").exists()


def test_figures_that_do_not_agree_stop_the_replication(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data_of_the_study: StudyData
) -> None:
    def differ(*, strict: bool) -> None:
        assert strict
        raise ci.errors.ReconciliationError("2 comparisons differ.", repair="Look at both.")

    monkeypatch.setattr("clsimpact.loaders.reconcile.check", differ)
    with pytest.raises(ci.errors.ReconciliationError):
        records.make(data_of_the_study)


def test_a_study_of_another_programme_has_no_word_of_councils(small_study: Path, tmp_path: Path) -> None:
    report = replicate(tmp_path / "out", study=small_study, pdf=False)
    page = (report.folder / "report.html").read_text(encoding="utf-8")
    assert "Fuel and accidents in 40 towns" in page
    shown = re.sub(r"base64,[^\"]+|<style>.*?</style>|<script>.*?</script>", "", page, flags=re.DOTALL)
    assert "council" not in shown.lower()
    assert report.ledger["1.accidents_18_64"].verdict == "consistent"
