"""The study on made-up returns: is the truth found, and does everything say that it is made up?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import clsimpact as ci
from clsimpact.claims import CLAIMS
from clsimpact.errors import ClsimpactError
from clsimpact.loaders import folder_sources
from clsimpact.report import demo as module
from clsimpact.report.demo import demonstrate
from clsimpact.report.pieces.truth import compare_with_truth
from clsimpact.report.study import default_path, default_study
from clsimpact.report.study_data import made_up_data
from clsimpact.simulate.truth import Truth
from tests.report.conftest import Page, Run, contents, demo_study, read_exactly

pytestmark = pytest.mark.once

DEFAULT = Truth()
"""What a world without a truth file holds."""
DIGITS = 1e-9
"""The table shows shares in per cent: one multiplication."""


@pytest.fixture(scope="module")
def points(demo: Run) -> pd.DataFrame:
    return read_exactly(demo.folder / "tables" / "truth-path.csv")


def effects(outcome: str, times: pd.Series[int]) -> list[float]:
    return [DEFAULT.effect(outcome, int(time), cohort=2016) for time in times]


class TestTruth:
    def test_the_table_is_the_truth_put_in(self, demo: Run, points: pd.DataFrame) -> None:
        labels = {"signposted": 100.0, "planned_share": 100.0, "funded_mid": 100.0, "gce_per_adult": 1.0}
        panel = ci.load_panel()
        for name, factor in labels.items():
            label = panel.attrs["columns"][name]["label"]
            rows = points[points["outcome"].eq(label)]
            assert len(rows) >= 8, name
            expected = [factor * effect for effect in effects(name, rows["event_time"])]
            np.testing.assert_allclose(rows["truth"], expected, atol=DIGITS, err_msg=name)

    def test_the_table_of_claims_has_every_test(self, demo: Run) -> None:
        table = read_exactly(demo.folder / "tables" / "truth.csv")
        names = {outcome.name for outcome in default_study().outcomes}
        wanted = [
            (claim.id, name)
            for claim in CLAIMS.values()
            for name in claim.outcomes
            for test in claim.tests
            if name in names and (not test.outcomes or name in test.outcomes)
        ]
        assert table["claim"].tolist() == [claim for claim, _ in wanted]
        held = table["low"].le(table["truth"]) & table["high"].ge(table["truth"])
        assert table["inside"].eq("yes").tolist() == held.tolist()
        funded = table[table["claim"].eq("C3")].iloc[0]
        assert funded["truth"] == pytest.approx(-10, abs=DIGITS)
        spending = table[table["claim"].eq("C4")].iloc[0]
        assert spending["truth"] == 0

    def test_most_intervals_hold_it(self, demo: Run, points: pd.DataFrame) -> None:
        """With 95% intervals, fewer than three quarters of some forty points would be very unlikely."""
        inside = points["inside"].eq("yes")
        assert len(inside) > 30
        assert inside.mean() > 0.75
        assert demo.ledger["number-inside"].text.startswith(f"{inside.sum()} of {len(inside)} points")
        low = points["low"].le(points["truth"]) & points["high"].ge(points["truth"])
        assert low.tolist() == inside.tolist()

    def test_a_changed_truth_is_followed(self) -> None:
        """The comparison is against what was put in, not against a fixed list."""
        data = made_up_data(replace(default_study(), outcomes=default_study().outcomes[2:3]), 1)
        assert data.truth is not None
        shifted = data.truth.assign(effect=data.truth["effect"] + data.truth["event_time"].ge(0) * 0.5)
        path, claims = compare_with_truth(replace(data, truth=shifted))
        assert not path.loc[path["event_time"] >= 0, "inside"].any()
        known = compare_with_truth(data)[1]
        late = claims["claim"].eq("C3")
        np.testing.assert_allclose(claims.loc[late, "truth"], known.loc[late, "truth"] + 0.5, atol=DIGITS)

    def test_without_a_truth_there_is_nothing_to_compare(self) -> None:
        with pytest.raises(ClsimpactError, match="No truth is known"):
            compare_with_truth(replace(made_up_data(default_study(), 1), truth=None))


class TestMark:
    def test_the_page_and_every_figure_say_simulated(self, demo: Run) -> None:
        page = Page(demo.page)
        assert demo.ledger.simulated
        body = next(given for tag, given, _ in page.elements if tag == "body")
        assert body["class"] == "simulated"
        head = next("".join(text) for tag, _, text in page.elements if tag == "title")
        assert head.startswith("SIMULATED")
        assert demo.page.count("SIMULATED: made-up figures, not official statistics") >= 1
        for tag, _, text in page.elements:
            if tag == "caption" and "".join(text) != "Replication ledger":
                assert "".join(text).startswith("SIMULATED"), "".join(text)

    def test_every_figure_has_the_mark_across_it(self, demo: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        """The word is drawn as paths: what every drawing of the demo shares, and none of an official one."""
        drawn = {path.stem: path for path in (demo.folder / "figures").glob("*.svg")}
        assert len(drawn) > 12
        for name, path in drawn.items():
            assert "opacity: 0.16" in path.read_text(encoding="utf-8"), name
            words = path.with_suffix(".txt").read_text(encoding="utf-8")
            source = next(it for it in demo.report.document.ledger.rows if it.id == f"figure-{name}").text
            assert "SIMULATED" in words or "SIMULATED" in source, name

    def test_files_for_others_say_so(self, demo: Run) -> None:
        read = json.loads((demo.folder / "ledger.json").read_text(encoding="utf-8"))
        assert next(iter(read)) == "made_up"
        assert "SIMULATED" in read["made_up"]
        assert (demo.folder / "ledger.md").read_text(encoding="utf-8").startswith("# SIMULATED")
        for path in (demo.folder / "tables").iterdir():
            if path.suffix in (".html", ".tex", ".md"):
                assert "SIMULATED" in path.read_text(encoding="utf-8"), path.name
        publications = [path for path in (demo.folder / "publications").rglob("*") if path.is_file()]
        assert len(publications) > 25
        assert all(path.name.startswith("SIMULATED") or path.name == "manifest.toml" for path in publications)

    def test_every_page_of_the_pdf_says_so(self, demo: Run) -> None:
        from tests.report.test_pdf import text_of

        pages = text_of(demo.folder / "report.pdf").split("\f")[:-1]
        assert len(pages) > 15
        assert all("SIMULATED: made-up figures" in page for page in pages)

    def test_an_official_report_says_it_nowhere(self, run: Run) -> None:
        for name, content in contents(run.folder).items():
            if name.endswith((".html", ".json", ".csv", ".md", ".txt", ".tex")):
                assert b"SIMULATED" not in content.replace(b'content: "SIMULATED"', b""), name
            if name.endswith(".svg"):
                assert b"opacity: 0.16" not in content, name

    def test_words_of_a_made_up_panel_say_so(self) -> None:
        data = made_up_data(default_study(), 1)
        fit = ci.event_study(data.design("funded_mid"))
        assert fit.design.simulated
        assert "SIMULATED" in fit.summary()
        assert any(text.get_text() == "SIMULATED" for text in fit.plot().texts)
        assert fit.provenance["data"]["simulated"] is True


class TestRuns:
    def test_a_second_run_takes_everything_up(self, demo: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        before, log = contents(demo.folder), (demo.folder / "run.json").read_bytes()

        def never(*_: object, **__: object) -> None:
            raise AssertionError("made again")

        monkeypatch.setattr(module, "simulate", never)
        again = Run(demonstrate(demo.folder, study=demo_study(demo.folder.parent)), [])
        assert all(it["taken_up"] for it in again.log["steps"])
        assert contents(demo.folder) == before
        (demo.folder / "run.json").write_bytes(log)

    def test_publications_that_were_touched_are_made_again(
        self, demo: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        place, kept = demo.folder / "publications", demo.folder / ".steps" / "made-up"
        key = module._key(1, Truth())
        assert module._is_whole(place, kept, key)
        assert not module._is_whole(place, kept, module._key(2, Truth()))
        assert not module._is_whole(place, kept, module._key(1, Truth(n_adopters=8)))
        file = next(place.rglob("SIMULATED SALT 2014-15.csv"))
        content = file.read_bytes()
        try:
            file.write_bytes(content + b" ")
            assert not module._is_whole(place, kept, key)
        finally:
            file.write_bytes(content)
        assert module._is_whole(place, kept, key)

    def test_several_processes_read_the_same_table(self, demo: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        place = demo.folder / "publications"
        by_size = sorted(folder_sources(place).items(), key=lambda it: (place / it[1].path).stat().st_size)
        few: Mapping[str, object] = dict(by_size[:2])
        monkeypatch.setattr(module, "folder_sources", lambda _: few)
        monkeypatch.setattr("clsimpact.rebuild.folder_sources", lambda _: few)
        one, two = module._read(place, 1, None), module._read(place, 2, None)
        pd.testing.assert_frame_equal(one, two)

    def test_a_study_of_other_data_is_refused(self, small_study: Path, tmp_path: Path) -> None:
        with pytest.raises(ClsimpactError, match="no study of the official panel"):
            demonstrate(tmp_path / "out", study=small_study)
        assert not (tmp_path / "out").exists()

    @pytest.mark.parametrize("quote", ['"', "'"])
    def test_the_made_up_data_take_the_place_of_the_official(self, tmp_path: Path, quote: str) -> None:
        text = default_path().read_text(encoding="utf-8").replace('"official"', f"{quote}official{quote}")
        (tmp_path / "study.toml").write_text(text.replace("panel =", "panel   ="), encoding="utf-8")
        made = module._made_up(tmp_path / "study.toml")
        assert made.count('"simulated"') == 2 + text.count('"simulated"')
