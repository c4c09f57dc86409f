"""The report as a whole: official figures, the same for any order, and a page that needs nothing else."""

from __future__ import annotations

import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from clsimpact.errors import PanelError
from clsimpact.loaders.returns import concat_returns
from clsimpact.quality import RULES, QualityReport, quality
from clsimpact.quality.words import rules_markdown
from clsimpact.store import read_parquet
from tests.quality.tables import CODES, ODD, as_table, figure, populations, requests
from tests.quality.test_rules import with_total

LARGEST_PAGE = 3_000_000
"""Bytes: what a council's mail server and a phone still take."""


@pytest.fixture(scope="module")
def returns() -> pd.DataFrame:
    return read_parquet("returns")


@pytest.fixture(scope="module")
def official(returns) -> QualityReport:
    return quality(returns, panel=read_parquet("panel"))


@pytest.fixture(scope="module")
def page(official) -> str:
    return official.to_html()


class Page(HTMLParser):
    """Counts tags, keeps ids and links, and the open tags that were never closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags[tag] += 1
        self.attributes.append((tag, dict(attrs)))
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


class TestOfficial:
    @staticmethod
    def absent(report: QualityReport, name: str) -> list[tuple[str, int]]:
        rows = report.findings.query("rule == 'submitted' and severity == 'warn' and name == @name")
        return sorted(zip(rows["return_"], rows["year"], strict=True))

    def test_hackney(self, official):
        expected = [("ASC-FR", 2020), ("ASC-FR", 2021), ("SALT", 2020), ("SALT", 2021)]
        assert self.absent(official, "Hackney") == expected

    def test_swindon_and_rochdale(self, official):
        assert self.absent(official, "Swindon") == [("ASC-FR", 2021)]
        assert self.absent(official, "Rochdale") == [("ASC-FR", 2020)]

    def test_totals_that_hold_them(self, official):
        rows = official.findings.query("rule == 'imputed' and year >= 2020 and name != 'England'")
        names = {
            name: set(zip(part["return_"], part["year"], strict=True)) for name, part in rows.groupby("name")
        }
        assert names == {
            "London": {("ASC-FR", 2020), ("ASC-FR", 2021), ("SALT", 2020), ("SALT", 2021)},
            "North West": {("ASC-FR", 2020)},
            "South West": {("ASC-FR", 2021)},
        }

    def test_no_total_of_the_2021_22_workbook_is_off(self, official):
        assert official.findings.query("rule == 'totals' and year > 2014").empty

    def test_regions_of_one_ascof_measure_changed_places(self, official):
        rows = official.findings.query("rule == 'revised'")
        assert set(rows["measure"]) == {"carers_easy_to_find_information"}
        assert sorted(rows["value"]) == pytest.approx(sorted(rows["reference"]))

    def test_requests_that_more_than_doubled(self, official, returns):
        t2 = returns[returns["table"].eq("T2") & returns["measure"].eq("requests")]
        t2 = t2[t2["name"].eq("Gloucestershire") & t2["age_band"].eq("18 to 64")].set_index("year")["value"]
        assert t2[2021] > 2 * t2[2020]
        rows = official.findings.query("name == 'Gloucestershire' and year == 2021")
        rows = rows[rows["measure"] == "requests_18_64"]
        assert {"jump", "requests_level"} <= set(rows["rule"])
        assert (
            rows.query("rule == 'jump'")["value"].item()
            > 2 * rows.query("rule == 'jump'")["reference"].item()
        )

    def test_coverage_counted_again(self, official, returns):
        code, year = "E08000035", 2021
        mine = returns[
            returns["ons_code"].eq(code) & returns["year"].eq(year) & returns["return_"].eq("SALT")
        ]
        row = official.coverage.query("ons_code == @code and year == @year and return_ == 'SALT'").iloc[0]
        for status in ("published", "suppressed", "not_submitted", "not_applicable", "estimated"):
            assert row[status] == int(mine["status"].eq(status).sum())
        assert row["figures"] == len(mine)
        assert not official.coverage.duplicated(["ons_code", "year", "return_"]).any()

    def test_summary_counted_again(self, official):
        words = official.summary()
        counts = Counter(official.findings["severity"])
        head = f"{len(official.findings):,} findings: {counts['warn']:,} warn, {counts['look']:,} look"
        assert head in words
        for rule in RULES:
            many = int((official.findings["rule"] == rule.name).sum())
            line = next(line for line in words.splitlines() if line.startswith(f"  {rule.title}: "))
            assert f"{many:,} found" in line if many else "none found" in line or "nothing to look at" in line

    def test_rates_that_rounding_moves_counted_again(self, official, returns):
        # Requests of people aged 18 to 64 in T2 of the workbook: 2.5 is a twentieth of 50 and less.
        rows = returns[returns["table"].eq("T2") & returns["measure"].eq("requests")]
        rows = rows[rows["level"].eq("council") & rows["age_band"].eq("18 to 64") & (rows["value"] <= 50)]
        withheld = returns[returns["table"].eq("T2") & returns["measure"].eq("requests")]
        withheld = withheld[withheld["age_band"].eq("18 to 64") & withheld["status"].eq("suppressed")]
        expected = {(str(r.ons_code), int(r.year)) for r in pd.concat([rows, withheld]).itertuples()}
        mine = official.findings.query("rule == 'rounding' and measure == 'requests_18_64'")
        assert set(zip(mine["ons_code"], mine["year"], strict=True)) == expected

    def test_a_finding_of_one_figure_names_its_cell(self, official, returns):
        finding = official.findings.query(
            "rule == 'jump' and return_ == 'SALT' and measure == 'requests_18_64'"
        )
        row = finding.iloc[0]
        cell = returns[
            returns["source_id"].eq(row["source_id"])
            & returns["table"].eq(row["table"])
            & returns["cell"].eq(row["cell"])
        ]
        assert cell["ons_code"].tolist() == [row["ons_code"]]
        assert cell["measure"].tolist() == ["requests"]


class TestAnyTable:
    def test_the_same_for_any_order_and_type(self):
        table = as_table([*requests([2016, 2017], {(ODD, 2017): 3.0}), *populations()])
        before = table.copy(deep=True)
        one = quality(table)
        words = {name: "object" for name in table if name not in ("year", "value")}
        for other in (table.sample(frac=1, random_state=3), table.astype(words)):
            two = quality(other)
            pd.testing.assert_frame_equal(one.findings, two.findings)
            pd.testing.assert_frame_equal(one.coverage, two.coverage)
            assert one.to_html() == two.to_html()
        assert len(one.findings) > 0
        pd.testing.assert_frame_equal(table, before)

    def test_a_table_that_is_none(self):
        with pytest.raises(PanelError, match="no column 'cell'"):
            quality(as_table(requests([2016])).drop(columns="cell"))

    def test_a_table_without_councils(self):
        rows = [row | {"level": "district"} for row in requests([2016])]
        with pytest.raises(PanelError, match="no council figure"):
            quality(as_table(rows))
        with pytest.raises(PanelError, match="no council figure"):
            quality(as_table(populations()))

    def test_what_could_not_be_looked_at_is_said(self):
        words = quality(as_table([*requests([2016]), *populations()])).summary()
        assert "Jumps: nothing to look at (it needs changes)." in words

    def test_csv(self, tmp_path):
        report = quality(as_table(with_total(100)))
        written = report.to_csv(tmp_path / "out")
        assert sorted(written) == ["coverage", "findings", "rules", "summary"]
        assert pd.read_csv(written["findings"])["words"].tolist() == report.findings["words"].tolist()
        assert written["summary"].read_text(encoding="utf-8").startswith(report.summary())


class TestPage:
    def test_needs_nothing_else(self, page):
        assert len(page.encode()) < LARGEST_PAGE
        assert not re.search(r"<script|<link|<img|<iframe|@import|url\(|\ssrc=|\son\w+=", page)

    def test_is_well_formed(self, page):
        parsed = Page(page)
        assert parsed.open == []
        assert parsed.attributes[0] == ("html", {"lang": "en-GB"})
        assert parsed.tags["h1"] == 1

    def test_links_lead_somewhere(self, page):
        found = Page(page).attributes
        ids = [attributes["id"] for _, attributes in found if "id" in attributes]
        assert len(ids) == len(set(ids))
        links = {str(attributes["href"]) for tag, attributes in found if tag == "a"}
        assert {link.removeprefix("#") for link in links} <= set(ids)
        assert {rule.name for rule in RULES} <= set(ids)

    def test_tables_are_labelled(self, page):
        parsed = Page(page)
        assert parsed.tags["caption"] == parsed.tags["table"] > 0
        scopes = {attributes.get("scope") for tag, attributes in parsed.attributes if tag == "th"}
        assert scopes == {"col", "row", "rowgroup"}

    def test_every_finding_is_on_it(self, official, page):
        rows = re.findall(
            r'<tr><th scope="row">[^<]*</th><td class="(?:warn|look|note)">(?:warn|look|note)</td>', page
        )
        assert len(rows) == len(official.findings)

    def test_meaning_is_not_by_colour_alone(self, page):
        for kind, text in re.findall(r'<td class="(warn|look|note|none|blank)">([^<]*)</td>', page):
            assert text.split()[0] == ("–" if kind == "blank" else kind)

    def test_the_heat_table_holds_hackney(self, page):
        salt = page[page.index('id="councils-salt"') :]
        row = re.search(r"Hackney</th>(.*?)</tr>", salt)
        assert row is not None
        assert re.findall(r">([^<]+)</td>", row[1])[1:] == ["warn 1", "warn 1"]

    def test_names_are_escaped(self):
        rows = [*with_total(100), figure("<i>&", 2016, "requests", 1.0, table="<script>alert(1)</script>")]
        text = quality(as_table(rows)).to_html()
        assert "<script" not in text
        assert "<i>" not in text
        assert "&lt;i&gt;&amp;" in text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
        assert "T&lt;2&gt;" in text

    def test_sources_are_named(self, page):
        assert "Contains information from NHS England" in page
        assert "Open Government Licence v3.0" in page
        assert "SIMULATED" not in page


class TestSimulated:
    @pytest.fixture
    def report(self) -> QualityReport:
        rows = [row | {"source_id": "simulated_salt_2016_17"} for row in with_total(100)]
        return quality(as_table(rows))

    def test_says_so(self, report):
        text = report.to_html()
        assert report.simulated
        assert "SIMULATED" in report.summary().splitlines()[0]
        assert re.search(r"<title>SIMULATED", text)
        assert re.search(r'<p class="simulated"', text)
        assert re.search(r"@media print.*SIMULATED: made-up figures", text, re.DOTALL)
        assert "NHS England" not in text

    def test_captions_say_so(self, report):
        captions = re.findall(r"<caption[^>]*><span>([^<]*)", report.to_html())
        assert captions
        assert all(caption.startswith("SIMULATED. ") for caption in captions)

    def test_files_say_so(self, report, tmp_path):
        written = report.to_csv(tmp_path)
        assert all(path.name.startswith("SIMULATED ") for path in written.values())
        assert pd.read_csv(written["coverage"])["simulated"].all()

    def test_official_figures_beside_them_do_not_hide_it(self):
        made_up = as_table([row | {"source_id": "simulated_salt"} for row in requests([2016])])
        assert quality(concat_returns([made_up, as_table(requests([2017]))])).simulated


def test_the_documentation_holds_every_rule():
    where = Path(__file__).parents[2] / "docs" / "quality.md"
    if not where.is_file():
        pytest.skip("the documentation is not part of an installed package")
    assert rules_markdown() in where.read_text(encoding="utf-8")


def test_the_north_east_has_twelve_councils():
    assert len(CODES) == 12
