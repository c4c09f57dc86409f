"""Results on disk: the same numbers to the last bit, and nothing that a stranger's file could do."""

from __future__ import annotations

import copy
import io
import json
import pickle
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import clsimpact as ci
from clsimpact import _save_format as form
from clsimpact._check import kind_label
from clsimpact.errors import ClsimpactError, DesignError, SourceError
from clsimpact.inference import Wild
from clsimpact.saved import NOT_HELD, SavedEstimate
from tests.estimation_helpers import council_design, made_up

HOSTILE = "<script>alert(1)</script>"
pytestmark = pytest.mark.filterwarnings("ignore::clsimpact.errors.ClsimpactWarning")


def design(**options: Any) -> ci.Design:
    panel = made_up().assign(name=lambda frame: frame["name"] + HOSTILE)
    panel.attrs = {"attribution": [HOSTILE], "made": {2004: (1, None, np.float64("inf"))}}
    return council_design(panel, **{"outcome_label": HOSTILE, "outcome_unit": "£", **options})


FITS: dict[str, Callable[[], Any]] = {
    "twfe": lambda: ci.twfe(design()),
    "event study": lambda: ci.event_study(design(covariates=["need"])),
    "cr2": lambda: ci.event_study(design(), inference="CR2"),
    "group time": lambda: ci.group_time(design()),
    "jackknife": lambda: ci.stacked(design(), inference="auto"),
    "wild": lambda: ci.twfe(design()).with_inference(Wild(), draws=99),
    "synthetic": lambda: ci.synthetic_did(whole()),
    "did_m": lambda: ci.did_m(whole()),
    "made up": lambda: ci.twfe(simulated()),
}


def whole() -> ci.Design:
    return ci.Design(ci.load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat")


def simulated() -> ci.Design:
    panel = made_up()
    panel.attrs = {"simulated": True, "source_line": "SIMULATED: made up"}
    return council_design(panel)


@pytest.mark.parametrize("name", FITS)
def test_everything_a_reader_needs_comes_back_bit_for_bit(name: str, tmp_path: Path) -> None:
    fit = FITS[name]()
    found = ci.load_estimate(fit.save(tmp_path / "fit.json"))
    exact: dict[str, Any] = {"check_exact": True}
    pd.testing.assert_frame_equal(found.tidy(), fit.tidy(), **exact)
    pd.testing.assert_frame_equal(found.overall, fit.overall, check_index_type=False, **exact)
    pd.testing.assert_frame_equal(found.sample(), fit.sample(), **exact)
    pd.testing.assert_frame_equal(found.covariance, fit.covariance, **exact)
    assert found.vcov.matrix.tobytes() == fit.vcov.matrix.tobytes()
    assert found.vcov.df.tobytes() == fit.vcov.df.tobytes()
    assert found.estimates.tobytes() == fit.estimates.tobytes()
    assert (found.vcov.kind, found.vcov.factor_text, found.vcov.counts, found.vcov.lost) == (
        fit.vcov.kind, fit.vcov.factor_text, fit.vcov.counts, fit.vcov.lost,
    )  # fmt: skip
    assert found.terms == fit.terms
    assert found.provenance == fit.provenance
    for key in ("method", "level", "estimator", "notes", "equation", "why", "refused", "nobs"):
        assert getattr(found, key) == getattr(fit, key)
    assert found.design.simulated == fit.design.simulated
    assert found.design.periods == fit.design.periods
    assert (found.summary(), found.explain(), repr(found)) == (fit.summary(), fit.explain(), repr(fit))
    assert found._repr_html_() == fit._repr_html_()
    assert found.to_html() == fit.to_html()
    assert found.made_by.startswith("clsimpact ")
    mine, other = (each.plot(ax=Figure().add_subplot()) for each in (found, fit))
    assert [t.get_text() for t in mine.texts] == [t.get_text() for t in other.texts]
    if fit.aggregator is not None:
        for kind in found.aggregates:
            pd.testing.assert_frame_equal(found.aggregate(kind).tidy(), fit.aggregate(kind).tidy(), **exact)


def test_averages_by_cohort_and_period_are_held(tmp_path: Path) -> None:
    found = ci.load_estimate(ci.group_time(design()).save(tmp_path / "a.json"))
    assert list(found.aggregates) == ["simple", "group", "calendar", "dynamic"]
    with pytest.raises(DesignError, match=r"did you mean 'dynamic'.*\n.*refit from the data"):
        found.aggregate("dynamics")
    with pytest.raises(DesignError, match="Save the whole"):
        found.aggregate("dynamic").save(tmp_path / "b.json")


def test_the_same_result_gives_the_same_bytes_and_saves_again(tmp_path: Path) -> None:
    one = ci.event_study(design()).save(tmp_path / "new" / "1.json")
    two = ci.event_study(design()).save(tmp_path / "2.json")
    again = ci.load_estimate(one).save(tmp_path / "3.json")
    assert one.read_bytes() == two.read_bytes() == again.read_bytes()


@pytest.mark.parametrize("name", NOT_HELD)
def test_what_needs_the_data_says_so(name: str, saved: SavedEstimate) -> None:
    with pytest.raises(DesignError, match="Refit from the data"):
        getattr(saved, name)


def test_python_is_told_that_it_is_not_there(saved: SavedEstimate) -> None:
    assert not hasattr(saved, "verify")
    assert hasattr(saved, "tidy")


class TestBoundsOfASavedResult:
    @pytest.fixture
    def fit(self) -> ci.Estimate:
        return ci.event_study(whole())

    @pytest.fixture
    def held(self, fit: ci.Estimate, tmp_path: Path) -> SavedEstimate:
        return ci.load_estimate(fit.save(tmp_path / "fit.json"))

    def test_bounds_are_those_of_the_result(self, fit: ci.Estimate, held: SavedEstimate) -> None:
        """Same degrees of freedom, same bounds."""
        both = [ci.honest_did(it, df=30, grid=[0.5]) for it in (fit, held)]
        pd.testing.assert_frame_equal(both[0].tidy(), both[1].tidy(), check_exact=True)
        assert both[0].summary() == both[1].summary()
        assert both[1].plot(ax=Figure().add_subplot()).get_xlabel()

    def test_degrees_of_freedom_are_the_least_of_the_event_times(
        self, fit: ci.Estimate, held: SavedEstimate
    ) -> None:
        found = ci.honest_did(held, grid=[0.5])
        after = [df for term, df in zip(held.terms, held.vcov.df, strict=True) if (term.event_time or 0) >= 0]
        assert found.df == min(after) < ci.honest_did(fit, grid=[0.5]).df
        assert "the least of its event times" in " ".join(found.notes)

    def test_the_power_of_the_pre_test_is_that_of_the_result(
        self, fit: ci.Estimate, held: SavedEstimate
    ) -> None:
        assert ci.pre_trend_power(held).summary() == ci.pre_trend_power(fit).summary()

    def test_what_has_to_be_estimated_again_says_so(self, tmp_path: Path) -> None:
        held = ci.load_estimate(ci.group_time(whole()).save(tmp_path / "fit.json"))
        with pytest.raises(DesignError, match="Estimate again from the data"):
            ci.honest_did(held)
        flat = ci.group_time(whole(), base_period="universal").save(tmp_path / "flat.json")
        assert ci.pre_trend_power(ci.load_estimate(flat)).path.n_pre > 1


def test_other_names_are_attribute_errors(saved: SavedEstimate) -> None:
    assert not hasattr(saved, "no_such_thing")
    assert copy.copy(saved).tidy().equals(saved.tidy())
    assert pickle.loads(pickle.dumps(saved)).tidy().equals(saved.tidy())


def test_copies_do_not_reach_what_is_held(saved: SavedEstimate) -> None:
    mine = saved.tidy()
    mine.loc[0, "estimate"] = 99.0
    saved.provenance["data"] = None
    assert saved.tidy().loc[0, "estimate"] != 99.0
    assert saved.provenance["data"] is not None
    with pytest.raises(ValueError, match="read-only"):
        saved.estimates[0] = 1.0


def test_labels_are_escaped_after_loading(saved: SavedEstimate) -> None:
    for page in (saved._repr_html_(), saved.to_html()):
        assert "<script" not in page
        assert "&lt;script&gt;" in page


@pytest.fixture
def saved(tmp_path: Path) -> SavedEstimate:
    return ci.load_estimate(ci.twfe(design()).save(tmp_path / "twfe.json"))


def record() -> dict[str, Any]:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        held: dict[str, Any] = json.loads(ci.twfe(design()).save(Path(folder) / "a.json").read_text())
    return held


def changed(*keys: Any, value: Any) -> bytes:
    """Return the bytes of a saved estimate, one member of it changed."""
    held = record()
    at = held
    for key in keys[:-1]:
        at = at[key]
    at[keys[-1]] = value
    return json.dumps(held).encode()


def column(name: str, value: Any) -> bytes:
    """Return the bytes of a saved estimate, one cell of its table changed."""
    return changed("estimate", "tidy", name, "values", 0, value=value)


def bomb(name: str) -> bytes:
    """Return a small archive that unpacks to much, under a name that leaves the folder."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, b"0" * 10_000_000)
    return held.getvalue()


HOSTILES: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "no JSON"),
    "truncated": (lambda: json.dumps(record()).encode()[:-200], "not all of it is there"),
    "a zip bomb": (lambda: bomb("fit.json"), "archive or another binary file"),
    "a path that leaves the folder": (lambda: bomb("../../fit.json"), "archive or another binary file"),
    "a pickle": (lambda: pickle.dumps({"a": 1}), "no JSON"),
    "no UTF-8": (lambda: b'{"a": "\xff"}', "no JSON"),
    "deeply nested": (lambda: b"[" * 200_000, "no JSON"),
    "a very long number": (lambda: b'{"format": ' + b"9" * 10_000 + b"}", "no JSON"),
    "bare NaN": (lambda: b'{"format": NaN}', "bare word NaN"),
    "a member twice": (lambda: b'{"format": 1, "format": 2}', "stands twice"),
    "other JSON": (lambda: b"[1, 2]", "no estimate"),
    "another format": (lambda: changed("format", value="else"), "no estimate"),
    "a version to come": (lambda: changed("version", value=2), "version 2"),
    "a version in words": (lambda: changed("version", value="1"), "version '1'"),
    "an unknown member": (lambda: changed("estimate", "run", value="x"), "unknown 'run'"),
    "an unknown part": (lambda: changed("code", value="x"), "unknown 'code'"),
    "no part": (lambda: changed("estimate", value={}), "has no estimator"),
    "text for a number": (lambda: changed("estimate", "level", value="0.95"), "level: '0.95' is no number"),
    "yes for a number": (lambda: changed("estimate", "level", value=True), "level: True is no number"),
    "a level of two": (lambda: changed("estimate", "level", value=2), "not between 0 and 1"),
    "a number for text": (lambda: changed("estimate", "estimator", value=3), "estimator: 3 is no text"),
    "texts as estimates": (lambda: changed("estimate", "estimates", value=["a"]), "'a' is no number"),
    "too many estimates": (lambda: changed("estimate", "estimates", value=[1.0, 2.0]), "not equally many"),
    "a matrix that is not square": (
        lambda: changed("estimate", "vcov", "matrix", value=[[1.0, 2.0]]), "not square",
    ),
    "a wrong kind of column": (
        lambda: changed("estimate", "tidy", "estimate", "kind", value="text"), "tidy: column 'estimate'",
    ),
    "whole numbers as estimates": (
        lambda: changed("estimate", "tidy", "estimate", value={"kind": "whole", "values": [1]}),
        "estimate: of the wrong kind",
    ),
    "an unknown kind": (
        lambda: changed("estimate", "tidy", "estimate", "kind", value="object"), "unknown kind 'object'",
    ),
    "a column less": (lambda: changed("estimate", "tidy", value={}), "columns are not"),
    "a huge whole number": (
        lambda: changed("estimate", "design", "n_obs", value=10**30), "is no whole number",
    ),
    "a strange average": (lambda: changed("aggregates", "../x", value={}), "averages can be"),
    "an unknown mark": (lambda: changed("estimate", "provenance", value={"$eval": "1"}), "'$eval'"),
    "a key that is a list": (
        lambda: changed("estimate", "provenance", value={"$pairs": [[[1], 2]]}), "no pair",
    ),
    "a key that holds a list": (
        lambda: changed("estimate", "provenance", value={"$pairs": [[{"$tuple": [[1]]}, 2]]}), "hash",
    ),
    "provenance without end": (
        lambda: changed("estimate", "provenance", value=json.loads("[" * 100 + "]" * 100)), "too deeply",
    ),
    "rows that do not fit": (lambda: changed("estimate", "shown", "rows", value=[["a"]]), "not as long"),
    "another estimate": (lambda: changed("estimate", "estimates", 0, value=99.0), "estimates: not those of"),
    "another estimate in the table": (lambda: column("estimate", 99.0), "estimates: not those of the table"),
    "an error below zero": (lambda: column("std_error", -1.0), "a standard error is not above zero"),
    "a p-value of seven": (lambda: column("p_value", 7.0), "a p-value is not between 0 and 1"),
    "an interval turned": (lambda: column("conf_low", 9.0), "an interval ends below its start"),
    "units below zero": (lambda: column("n_units", -5), "a number of units or rows is below zero"),
    "units of another number": (lambda: column("n_units", 5), "n_units: not that of the table"),
    "another term": (lambda: column("term", "e=0"), "terms: not those of the table"),
    "not identified": (lambda: column("identified", False), "identified: not as in the table"),
    "made up unsaid": (lambda: changed("estimate", "design", "simulated", value=True), "not said alike"),
    "more treated than units": (
        lambda: changed("estimate", "design", "n_treated", value=10**6), "numbers of units or rows that",
    ),
    "a mark that steers terminals": (
        lambda: changed("estimate", "words", "summary", value="\x1b[2J"), "control mark U+001B",
    ),
    "half a character": (lambda: changed("estimate", "words", "short", value="\ud800"), "U+D800"),
    "writing turned round": (lambda: changed("estimate", "why", value="\u202eabc"), "U+202E"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILES)
def test_a_file_that_is_not_ours_is_refused_with_words(name: str, tmp_path: Path) -> None:
    make, words = HOSTILES[name]
    path = tmp_path / "given.json"
    path.write_bytes(make())
    with pytest.raises(SourceError) as caught:
        ci.load_estimate(path)
    assert words in str(caught.value)
    assert "Repair: " in str(caught.value)
    assert "given.json" in str(caught.value)
    assert [each.name for each in tmp_path.iterdir()] == ["given.json"]


def test_many_members_are_read_in_time_that_grows_with_their_number(tmp_path: Path) -> None:
    """A pair of every two would take an hour."""
    path = tmp_path / "many.json"
    names = ", ".join(f'"{i}": 0' for i in range(400_000))
    path.write_text(f'{{{names}, "399999": 0}}')
    with pytest.raises(SourceError, match="'399999' stands twice"):
        ci.load_estimate(path)


def test_a_unit_in_dollars_is_drawn_as_it_stands(tmp_path: Path) -> None:
    fit = ci.twfe(council_design(made_up(), outcome_label="$\\bad$ of $1", outcome_unit="$ per head"))
    loaded = ci.load_estimate(fit.save(tmp_path / "a.json"))
    for shown in (fit, loaded):
        ax = shown.plot(ax=Figure().add_subplot())
        ax.figure.canvas.draw()


def test_a_large_file_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "large.json"
    with path.open("wb") as file:
        file.truncate(form.MOST_BYTES + 1)
    with pytest.raises(SourceError, match="at most 50,000,000"):
        ci.load_estimate(path)
    with pytest.raises(SourceError, match="There is no file"):
        ci.load_estimate(tmp_path / "none.json")


def test_html_in_a_stranger_s_file_is_shown_as_text(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(changed("estimate", "shown", "caption", value=HOSTILE))
    assert "<script" not in ci.load_estimate(path)._repr_html_()


class TestTables:
    """The same table for Word, LaTeX, Markdown, HTML and the clipboard."""

    def test_every_format_marks_what_is_made_up(self, tmp_path: Path) -> None:
        import docx

        fit = ci.twfe(simulated())
        for text in (fit.to_html(), fit.to_latex(), fit.to_markdown()):
            assert "SIMULATED" in text
        words = docx.Document(str(fit.to_docx(tmp_path / "a.docx"))).paragraphs[0].text
        assert "SIMULATED" in words

    def test_word_is_deterministic_and_has_the_cells(self, tmp_path: Path) -> None:
        import docx

        fit = ci.event_study(design())
        one, two = fit.to_docx(tmp_path / "1.docx"), fit.to_docx(tmp_path / "2.docx")
        assert one.read_bytes() == two.read_bytes()
        cells = [row.cells[0].text for row in docx.Document(str(one)).tables[0].rows]
        assert cells == ["Term", *(term.name for term in fit.terms)]

    def test_errors_and_intervals_are_said_to_come_from_where_they_do(self) -> None:
        drawn, plain = ci.twfe(design()), ci.twfe(design(), inference="CR2")
        assert drawn.method == "permutation"
        assert (
            f"Standard errors: {kind_label(drawn.vcov.kind)}. p-values and intervals: permutation."
            in drawn.to_latex()
        )
        assert "Standard errors, p-values and intervals: CR2." in plain.to_markdown()

    def test_two_results_have_two_labels(self) -> None:
        found = [re.findall(r"label{(.*?)}", each(design()).to_latex()) for each in (ci.twfe, ci.event_study)]
        assert found == [["tab:estimate-twfe-cost"], ["tab:estimate-event-study-cost"]]

    def test_comparisons_have_them_too(self, tmp_path: Path) -> None:
        both = ci.compare([ci.twfe(design()), ci.event_study(design())])
        assert "Two-way event study" in both.to_latex()
        assert "<script" not in both.to_html()
        assert both.to_docx(tmp_path / "a.docx").stat().st_size > 1000
        assert both.to_markdown().startswith("**Effect of adoption on")

    def test_the_clipboard_gets_tabs_and_no_formula(self, monkeypatch: pytest.MonkeyPatch) -> None:
        held: list[str] = []
        monkeypatch.setattr("pandas.io.clipboard.clipboard_set", held.append)
        panel = made_up().rename(columns={"need": "=1+1"})
        ci.twfe(council_design(panel, covariates=["=1+1"])).to_clipboard()
        lines = held[0].splitlines()
        assert lines[0].startswith("Effect of adoption on")
        assert lines[1].split("\t")[:2] == ["Term", "Estimate"]
        assert any(line.startswith("'=1+1\t") for line in lines)
        assert not any(line.startswith("=") for line in lines)

    def test_without_a_clipboard_it_says_what_to_do(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from pandas.errors import PyperclipException

        def nothing(text: str) -> None:
            raise PyperclipException("none here")

        monkeypatch.setattr("pandas.io.clipboard.clipboard_set", nothing)
        with pytest.raises(ClsimpactError, match=r"no clipboard[\s\S]*Repair: Write a file"):
            ci.twfe(design()).to_clipboard()
