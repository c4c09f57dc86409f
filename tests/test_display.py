"""What a notebook shows: captions, sources, folded detail, escaped words, and the same bytes each time."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
import pytest

import clsimpact as ci
from clsimpact._display import card, folded, grid, pairs
from clsimpact.inference import Permutation
from clsimpact.report.ledger import Ledger, Row
from clsimpact.report.replicate import Report
from tests.estimation_helpers import council_design, made_up

HOSTILE = "<script>alert(1)</script>"
VOID = {"br"}


def design(**options: object) -> ci.Design:
    words = {"outcome_label": HOSTILE, "outcome_unit": "£ & <p>", "source": f"Source: {HOSTILE}"}
    panel = made_up().assign(name=lambda frame: frame["name"] + HOSTILE)
    return council_design(panel, **{**words, **options})


def ledger(*, simulated: bool = False) -> Ledger:
    claim = Row("c", "claim", HOSTILE, "t", "f", claim="C<1>", estimate=1.0, conf_low=0.0, conf_high=2.0)
    number = Row("n", "number", "councils", "143", "len")
    return Ledger(
        f"Study {HOSTILE}", simulated, (claim, number), {"a": "0"}, {"v": "1"}, {"k": "w"}, (), "Us."
    )


def curve() -> object:
    return ci.specification_curve(
        made_up(), outcomes=["cost"], unit="ons_code", time="year", cohort="adoption_year",
        estimators=["twfe", "group_time"], source=f"Source: {HOSTILE}",
    )  # fmt: skip


def report() -> Report:
    return Report(Path("out"), ledger(), None, {}, (f"Mind {HOSTILE}",))  # type: ignore[arg-type]


SHOWN: dict[str, Callable[[], object]] = {
    "design": design,
    "twfe": lambda: ci.twfe(design()),
    "event study": lambda: ci.event_study(design()),
    "group time": lambda: ci.group_time(design()),
    "comparison": lambda: ci.compare([ci.twfe(design()), ci.event_study(design())], labels=[HOSTILE, "b"]),
    "checks": lambda: ci.twfe(design()).check("precision"),
    "check": lambda: ci.twfe(design()).check("precision")["precision"],
    "claims": lambda: ci.evaluate_claims({"gce_per_adult": ci.event_study(design())}),
    "honest": lambda: ci.honest_did(ci.event_study(design())),
    "power": lambda: ci.pre_trend_power(ci.event_study(design())),
    "bacon": lambda: ci.bacon(whole()),
    "weights": lambda: ci.twfe_weights(design()),
    "ledger": ledger,
    "report": report,
    "curve": curve,
    "curve test": lambda: curve().permutation_test(draws=19),  # type: ignore[attr-defined]
    "quality": lambda: ci.quality_report(few_returns()),
    "panel": ci.load_panel,
    "returns": lambda: ci.load_returns(),
}
"""Everything that a notebook shows, made of words that would be harmful if they were not escaped."""


def whole() -> ci.Design:
    return ci.Design(ci.load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat")


def few_returns() -> pd.DataFrame:
    returns = ci.load_returns()
    return returns[returns["source_id"] == "asc_fr_salt_2021_22"]


class Balance(HTMLParser):
    """Whether every element that is opened is closed, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.add(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("name", SHOWN)
@pytest.mark.filterwarnings("ignore::clsimpact.errors.ClsimpactWarning")
def test_everything_is_escaped_balanced_and_the_same_twice(name: str) -> None:
    shown = SHOWN[name]()
    page = shown._repr_html_()  # type: ignore[attr-defined]
    assert "<script" not in page
    assert '<p>"' not in page
    assert "0x" not in page
    held = Balance()
    held.feed(page)
    assert not held.open
    assert held.seen <= {
        "div", "table", "caption", "thead", "tbody", "tr", "th", "td", "p", "small", "strong", "details",
        "summary", "ul", "li", "pre", "code", "br",
    }  # fmt: skip
    assert page == SHOWN[name]()._repr_html_()  # type: ignore[attr-defined]
    assert "<details>" in page or name == "power"


def test_pieces_say_nothing_where_there_is_nothing() -> None:
    assert folded("More", "") == ""
    assert card() == '<div class="clsimpact"></div>'
    assert "<caption" not in grid("", [], [["a", "1"]], align="lr")
    assert "b" not in pairs([("a", "x"), ("b", "")]).replace("table", "").replace("body", "")
    assert card(simulated=True).startswith('<div class="clsimpact"><p><strong>SIMULATED</strong>')


def test_what_is_made_up_says_so() -> None:
    panel = ci.simulated_panel(years=(2018, 2020))
    assert "<strong>SIMULATED</strong>" in panel._repr_html_()
    assert "SIMULATED" in ledger(simulated=True)._repr_html_()
    assert "SIMULATED" not in ledger()._repr_html_()
    official = ci.load_panel()
    assert "SIMULATED" not in official._repr_html_()


def test_a_panel_tells_what_it_is_and_which_years_are_there() -> None:
    panel = ci.load_panel()
    page = panel._repr_html_()
    assert "150 council areas × 9 years" in page
    assert "Gross current expenditure per adult (£ per adult, 2021-22 prices)" in page
    assert "Source: NHS England" in page
    assert ">2022-23</th>" in page
    assert "Hartlepool" in page


def test_returns_tell_figures_files_and_years() -> None:
    returns = ci.load_returns()
    page = returns._repr_html_()
    assert f"{len(returns):,} figures" in page
    assert "PSS-EX1" in page
    assert "Crown copyright" in page


def test_a_tagged_panel_shows_adoption() -> None:
    tagged = ci.tag_adoption(ci.load_panel(), ci.load_adoption())
    page = tagged._repr_html_()
    assert "Adopted (start of the financial year)" in page


class TestPlainFrames:
    """The frames that the loaders hand out are plain pandas frames in every other respect."""

    def test_type_and_equality(self) -> None:
        panel = ci.load_panel()
        plain = pd.DataFrame(panel)
        assert type(panel) is pd.DataFrame
        pd.testing.assert_frame_equal(panel, plain)
        pd.testing.assert_frame_equal(plain, panel)
        assert "_repr_html_" not in panel.columns

    @pytest.mark.parametrize(
        "made",
        [
            lambda frame: frame.copy(),
            copy.copy,
            copy.deepcopy,
            lambda frame: pickle.loads(pickle.dumps(frame)),
            lambda frame: frame.head(3),
            lambda frame: frame[frame["year"] == 2016],
            lambda frame: nw.from_native(frame).to_native(),
        ],
    )
    def test_whatever_is_made_of_one_works_and_keeps_attributes(
        self, made: Callable[[pd.DataFrame], pd.DataFrame]
    ) -> None:
        panel = ci.load_panel()
        other = made(panel)
        assert type(other) is pd.DataFrame
        assert other.attrs == panel.attrs
        assert "Hartlepool" in other._repr_html_() or len(other) > 3

    def test_parquet_and_processes(self, tmp_path: Path) -> None:
        panel = ci.load_panel().iloc[:, :12]
        full = ci.load_panel()
        full.attrs = {}
        full.to_parquet(tmp_path / "panel.parquet")
        pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "panel.parquet"), full)
        with ProcessPoolExecutor(1) as pool:
            assert pool.submit(len, panel).result() == len(panel)

    def test_a_frame_that_is_no_panel_any_more_is_shown_by_pandas(self) -> None:
        panel = ci.load_panel()
        del panel["year"]
        assert "dataframe" in panel._repr_html_()

    def test_nothing_is_kept_alive(self) -> None:
        import gc
        import weakref

        panel = ci.load_panel()
        there = weakref.ref(panel)
        del panel
        gc.collect()
        assert there() is None


SCRIPT = """
import sys, hashlib, warnings
warnings.simplefilter("ignore")
import clsimpact as ci
panel = ci.load_panel()
tagged = ci.tag_adoption(panel, ci.load_adoption())
design = ci.Design(tagged, outcome="gce_per_adult", unit="ons_code", time="year", cohort="adoption_year")
fits = [ci.twfe(design, inference="CR1"), ci.event_study(design, inference="CR1")]
parts = [panel, tagged, design, *fits, ci.compare(fits), fits[0].check("precision")]
sys.stdout.write(hashlib.sha256("".join(x._repr_html_() for x in parts).encode()).hexdigest())
"""


def test_the_same_bytes_under_any_hash_seed() -> None:
    found = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT], env={"PYTHONHASHSEED": seed, "PATH": ""}, text=True,
            capture_output=True, check=True,
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(found) == 1
    assert len(found.pop()) == 64


def test_missing_values_stay_empty() -> None:
    panel = ci.load_panel()
    page = panel._repr_html_()
    assert "nan" not in page.lower().replace("financial", "").replace("finan", "")
    assert np.isnan(panel["gce"]).any()


def test_an_estimate_by_draws_says_how_they_were_made() -> None:
    page = ci.twfe(design(), inference=Permutation()).with_inference(Permutation(), draws=99)._repr_html_()
    assert "p-values and intervals" in page
    assert "99 of" in page


class TestWords:
    """Cards speak in words: the names of columns and terms are told, or not used."""

    def test_terms_are_explained(self) -> None:
        mpdta = ci.Design(ci.load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat")
        assert (
            "<p>e: years since adoption (0 is the first treated).</p>" in ci.event_study(mpdta)._repr_html_()
        )
        cells = ci.group_time(mpdta)._repr_html_()
        assert "<p>g: cohort, by its first treated period; t: period.</p>" in cells
        assert "std_error" not in cells
        assert "outcome: lemp; unit: county; time: year; cohort: first_treat" in cells
        overall = ci.twfe(mpdta)._repr_html_()
        assert "<p>e:" not in overall
        assert ". Treated -0.0365 (95% interval" in overall

    def test_captions_name_the_outcome(self) -> None:
        fit = ci.event_study(whole(), inference="CR1")
        shown: list[Any] = [
            ci.bacon(whole()), ci.twfe_weights(whole()), ci.honest_did(fit), ci.pre_trend_power(fit)
        ]  # fmt: skip
        for found in shown:
            page = found._repr_html_()
            assert "Teen employment" in page
            assert "lemp" not in page
            assert "lemp" in repr(found)

    def test_notes_of_a_comparison_are_sentences(self) -> None:
        page = ci.compare([ci.twfe(design()), ci.event_study(design())])._repr_html_()
        assert "<p>Only " in page
        assert "<p>only " not in page

    def test_returns_and_quality(self) -> None:
        returns = ci.load_returns()
        page = returns._repr_html_()
        assert ">total expenditure</td>" in page
        assert ">not submitted</th>" in page
        assert '<th scope="col" style="white-space:nowrap">2014-15</th>' in page
        found = ci.quality_report(few_returns())._repr_html_()
        assert ">Area</th>" in found
        assert '>Not submitted</th><td style="text-align:left">Swindon</td>' in found
