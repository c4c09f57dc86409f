"""The report in a browser: no error, no request, no barrier, and what the script adds."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests_browser.conftest import SHOTS

STUDIES = ("official", "simulated", "second")
LOOKS = [(1280, "light"), (1280, "dark"), (360, "light"), (360, "dark")]


@pytest.fixture(params=STUDIES)
def address(request: pytest.FixtureRequest, reports: dict[str, Path]) -> tuple[str, str]:
    return request.param, reports[request.param].as_uri()


def opened(browser: Browser, where: str, width: int, scheme: Any, *, script: bool = True) -> Page:
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=script
    )
    page = context.new_page()
    page.goto(where)
    return page


def test_no_console_message_and_no_request(browser: Browser, address: tuple[str, str]) -> None:
    page = browser.new_page()
    messages: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(address[1])
    page.wait_for_timeout(300)
    assert messages == []
    assert [url for url in requests if not url.startswith("data:")] == [address[1]]
    page.close()


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_axe_finds_no_violation(
    browser: Browser, address: tuple[str, str], axe: str, width: int, scheme: str
) -> None:
    page = opened(browser, address[1], width, scheme)
    page.evaluate("document.querySelectorAll('details').forEach(it => { it.open = true; })")
    page.evaluate(axe)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    told = [
        f"{it['id']}: {it['help']}: {node['target']} {node['failureSummary'][:200]}"
        for it in found["violations"]
        for node in it["nodes"][:5]
    ]
    assert not told, "\n".join(told)
    assert found["testEngine"]["name"] == "axe-core"
    page.context.close()


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_nothing_is_wider_than_the_screen(
    browser: Browser, address: tuple[str, str], width: int, scheme: str
) -> None:
    page = opened(browser, address[1], width, scheme)
    page.evaluate("document.querySelectorAll('details').forEach(it => { it.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.evaluate("document.querySelectorAll('details').forEach(it => { it.open = false; })")
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"{address[0]}-{width}-{scheme}.png", full_page=True, timeout=120_000)
    page.context.close()


def test_figures_show_values_under_the_pointer(browser: Browser, address: tuple[str, str]) -> None:
    page = opened(browser, address[1], 1280, "light")
    spot = page.locator(".spot").first
    spot.scroll_into_view_if_needed()
    spot.hover()
    shown = spot.evaluate("it => getComputedStyle(it, '::after').content")
    assert shown.strip('"') == spot.get_attribute("data-value")
    page.context.close()


def test_tables_sort_by_number(browser: Browser, address: tuple[str, str]) -> None:
    page = opened(browser, address[1], 1280, "light")
    head = page.locator("#table-estimators th", has_text="Average over years").first
    cells = "#table-estimators tbody td:nth-child(3)"

    def numbers() -> list[float]:
        return [float(it) for it in page.locator(cells).evaluate_all("all => all.map(it => it.dataset.sort)")]

    before = numbers()
    assert len(before) > 1
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert numbers() == sorted(before)
    head.locator("button").click()
    assert numbers() == sorted(before, reverse=True)
    page.context.close()


def test_a_number_leads_to_its_row_of_the_ledger(browser: Browser, address: tuple[str, str]) -> None:
    page = opened(browser, address[1], 1280, "light")
    link = page.locator("a.n").first
    target = str(link.get_attribute("href"))
    link.click()
    assert page.locator(target).is_visible()
    assert link.inner_text() in page.locator(target).inner_text()
    page.context.close()


def test_it_says_the_same_without_the_script(browser: Browser, address: tuple[str, str]) -> None:
    with_script = opened(browser, address[1], 1280, "light")
    without = opened(browser, address[1], 1280, "light", script=False)
    words = [" ".join(page.locator("main").inner_text().split()) for page in (with_script, without)]
    assert words[0] == words[1]
    with_script.context.close()
    without.context.close()


def test_it_prints_whole(browser: Browser, address: tuple[str, str]) -> None:
    page = opened(browser, address[1], 1280, "light")
    SHOTS.mkdir(parents=True, exist_ok=True)
    target = SHOTS / f"{address[0]}-printed.pdf"
    page.pdf(
        path=target, format="A4", margin={"top": "15mm", "bottom": "15mm", "left": "15mm", "right": "15mm"}
    )
    text = subprocess.run(
        ["pdftotext", "-layout", target, "-"], capture_output=True, text=True, check=True
    ).stdout
    assert "How this could be wrong" in text
    assert "What to do:" in text, "the folded checks are printed open"
    assert ("SIMULATED" in text) == (address[0] == "simulated")
    page.context.close()


def test_the_second_study_speaks_of_its_own_units(reports: dict[str, Path]) -> None:
    folder = reports["second"].parent
    for path in sorted(folder.rglob("*")):
        if (
            path.is_file()
            and ".steps" not in path.parts
            and path.suffix in (".html", ".json", ".md", ".csv", ".txt")
        ):
            assert "council" not in path.read_text(encoding="utf-8").casefold(), path.name
