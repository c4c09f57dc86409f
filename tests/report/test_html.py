"""The page: one file that asks nobody, that anybody can read, and whose numbers are in the ledger."""

from __future__ import annotations

import base64
import re
from itertools import pairwise
from urllib.parse import unquote

import pytest

from clsimpact.errors import ClsimpactError
from clsimpact.report.document import Document, Heading, Paragraph, Run
from clsimpact.report.html import check_numbers, to_page
from clsimpact.report.ledger import Ledger, Row
from tests.report.conftest import Page
from tests.report.conftest import Run as Replication

LEDGER = Ledger("t", False, (Row("n", "number", "units", "143", "f"),), {}, {}, {}, (), "")


class TestNumbers:
    @pytest.mark.parametrize(
        "page",
        [
            '<p>There are <a data-ledger="n">143</a> in 2016-17 (C1, CR2, STS001a)</p>',
            '<div data-ledger="n"><p>at<br/>last <b>143</b></p></div>',
            '<div data-ledger="n"></span>143</div>',
            '<img alt="143 dots" data-ledger="n">',
            '<table data-ledger="ledger"><tr><td>99</td></tr></table>',
            "<style>p { width: 99px }</style><pre><code>draws=999</code></pre><script>1 + 1</script>",
        ],
    )
    def test_what_comes_from_the_ledger_passes(self, page: str) -> None:
        check_numbers(page, LEDGER)

    @pytest.mark.parametrize(
        "page",
        [
            "<p>There are 143</p>",
            '<p><a data-ledger="n">144</a></p>',
            '<p><a data-ledger="m">143</a></p>',
            '<p><a data-ledger="n">143</a> of 150</p>',
            '<img alt="7 dots">',
            '<div data-ledger="n"><img alt="7 dots"></div>',
            '<a aria-label="7%">x</a>',
            '<span data-value="Year 1: 7.2"></span>',
            '<abbr title="by 7">x</abbr>',
            "<table><tr><td>£7</td></tr></table>",
            '<p data-ledger="n">143</p><p>143</p>',
            "<title>143 councils</title>",
        ],
    )
    def test_every_other_number_is_refused(self, page: str) -> None:
        with pytest.raises(ClsimpactError, match="not in the ledger"):
            check_numbers(page, LEDGER)

    def test_the_page_that_was_written_is_checked(self, run: Replication) -> None:
        changed = run.page.replace(">138</a>", ">139</a>", 1)
        assert changed != run.page
        with pytest.raises(ClsimpactError, match="139"):
            check_numbers(changed, run.ledger)


class TestPage:
    def test_nothing_is_asked_of_anybody(self, run: Replication, page: Page) -> None:
        for tag, given, _ in page.elements:
            for name in ("src", "srcset", "poster", "data", "action", "background"):
                assert given.get(name, "data:").startswith("data:"), (tag, given)
            if "href" in given and tag != "a":
                assert given["href"].startswith("data:")
            assert not re.search(r"url\((?!data:)", given.get("style", ""))
        for tag, _, inside in page.elements:
            text = "".join(inside)
            if tag == "style":
                assert not re.search(r"@import|url\(", text)
            if tag == "script":
                assert not re.search(r"fetch\(|XMLHttpRequest|import\(|https?:", text)
        assert "default-src 'none'" in run.page

    def test_pictures_have_words_and_are_inside(self, run: Replication, page: Page) -> None:
        pictures = page.all("img")
        drawn = {row.id for row in run.ledger.of_kind("figure")}
        assert len(pictures) == len(drawn) > 20
        for it in pictures:
            assert len(it["alt"]) > 60
            head, _, body = it["src"].partition(",")
            assert head == "data:image/svg+xml;base64"
            assert b"<svg" in base64.b64decode(body)
        shown = {it["data-ledger"] for it in page.all("figure")}
        assert shown == drawn

    def test_ids_are_unique_and_links_lead_somewhere(self, run: Replication, page: Page) -> None:
        ids = [given["id"] for _, given, _ in page.elements if "id" in given]
        assert len(ids) == len(set(ids)), {name for name in ids if ids.count(name) > 1}
        for _, given, _ in page.elements:
            for name in given.get("aria-labelledby", "").split():
                assert name in ids
        addresses = [it["href"] for it in page.all("a")]
        assert len(addresses) > 200
        for address in addresses:
            if address.startswith("#"):
                assert unquote(address[1:]) in ids, address
            elif not address.startswith("https://"):
                assert (run.folder / unquote(address)).is_file(), address

    def test_it_works_without_its_script(self, page: Page) -> None:
        for tag, given, _ in page.elements:
            assert "hidden" not in given, (tag, given)
            assert not any(name.startswith("on") for name in given)
            assert "none" not in given.get("style", "")
        styles = "".join(next(text for tag, _, text in page.elements if tag == "style"))
        screen = styles.partition("@media print")[0]
        assert "display: none" not in screen
        assert "visibility: hidden" not in screen
        assert "<button" not in "".join(tag for tag, *_ in page.elements)

    def test_headings_go_down_one_level_at_a_time(self, page: Page) -> None:
        levels = [int(tag[1]) for tag, _, _ in page.elements if re.fullmatch(r"h[1-6]", tag)]
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(after - before <= 1 for before, after in pairwise(levels))
        assert page.all("html")[0]["lang"] == "en-GB"

    def test_tables_have_captions_and_headings(self, page: Page) -> None:
        tables = [i for i, (tag, *_) in enumerate(page.elements) if tag == "table"]
        assert len(tables) > 10
        for i in tables:
            assert page.elements[i + 1][0] == "caption"
        assert all("scope" in it for it in page.all("th"))

    def test_every_number_of_the_ledger_is_in_it(self, run: Replication, page: Page) -> None:
        ids = {given.get("id") for _, given, _ in page.elements}
        assert {f"row-{row.id}" for row in run.ledger.rows} <= ids

    def test_texts_of_a_study_are_escaped(self) -> None:
        words = '<script>alert("x")</script> & 5'
        rows = (
            Row("setting-title", "setting", "title", words, "f"),
            Row("setting-question", "setting", "q", words, "f"),
        )
        ledger = Ledger(words, False, rows, {}, {}, {}, (), "")
        blocks = (Heading(words.replace("5", ""), "a"), Paragraph((Run(words, row="setting-title"),)))
        made = to_page(Document(words, words, False, blocks, ledger), {})
        assert "<script>alert" not in made
        assert made.count("&lt;script&gt;") >= 4
