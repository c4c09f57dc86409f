"""One replication, and one on made-up publications, for all tests of the report."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest

import clsimpact as ci
from clsimpact.report.demo import demonstrate
from clsimpact.report.ledger import Ledger
from clsimpact.report.replicate import Report, replicate
from clsimpact.report.study import default_path


class Run(NamedTuple):
    """What one replication returned, wrote and said."""

    report: Report
    steps: list[tuple[str, int, int]]

    @property
    def folder(self) -> Path:
        return self.report.folder

    @property
    def ledger(self) -> Ledger:
        return self.report.ledger

    @property
    def page(self) -> str:
        return (self.folder / "report.html").read_text(encoding="utf-8")

    @property
    def log(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads((self.folder / "run.json").read_text(encoding="utf-8"))
        return read


def read_exactly(source: Any, **options: Any) -> pd.DataFrame:
    """A CSV with its numbers to the last digit, which pandas 2 gives only when asked to."""
    if pd.__version__.startswith("2."):
        options["float_precision"] = "round_trip"
    table: pd.DataFrame = pd.read_csv(source, **options)
    return table


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a report but those of the cache and of the clock."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "run.json" and ".steps" not in path.parts
    }


VOID = {"img", "br", "meta", "link", "hr", "input", "col"}


class Page(HTMLParser):
    """The elements of a page: tag, attributes, text inside, and the ``data-ledger`` they stand below."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str], list[str]]] = []
        self.texts: list[tuple[str, str, str]] = []
        self._open: list[int] = []
        self._section = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.elements.append((tag, given, []))
        if tag == "h2":
            self._section = given["id"]
        if tag not in VOID:
            self._open.append(len(self.elements) - 1)

    def handle_endtag(self, tag: str) -> None:
        while self._open and self.elements[self._open.pop()][0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        row = ""
        for place in self._open:
            self.elements[place][2].append(data)
            row = self.elements[place][1].get("data-ledger", row)
        self.texts.append((self._section, row, data))

    def all(self, tag: str) -> list[dict[str, str]]:
        return [given for name, given, _ in self.elements if name == tag]


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    steps: list[tuple[str, int, int]] = []
    folder = tmp_path_factory.mktemp("replication")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("CLSIMPACT_RAW", raising=False)
        report = replicate(folder, workers=2, progress=lambda *step: steps.append(step))
    return Run(report, steps)


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Run:
    steps: list[tuple[str, int, int]] = []
    folder = tmp_path_factory.mktemp("demo")
    study = demo_study(folder.parent)
    return Run(demonstrate(folder, study=study, workers=2, progress=lambda *it: steps.append(it)), steps)


def demo_study(folder: Path) -> Path:
    """The study of the project without what takes longest: the curve, and most checks."""
    text = default_path().read_text(encoding="utf-8")
    text = text.replace(', "curve"]', "]").replace('checks = "all"', 'checks = ["precision", "overlap"]')
    path = folder / "demo-study.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def page(run: Run) -> Page:
    return Page(run.page)


@pytest.fixture(scope="session")
def tagged() -> pd.DataFrame:
    return ci.tag_adoption(ci.load_panel(), ci.load_adoption())


SMALL = """
[study]
title = "Fuel and accidents in 40 towns"
question = "Did it help?"
programme = "Slow streets"
units = "towns"

[data]
panel = "panel.csv"
unit = "town"
time = "year"
cohort = "since"

[estimation]
estimator = "event_study"

[[outcomes]]
name = "accidents_18_64"
words = "accidents"
unit = "per 1,000"

[report]
figures = ["event_studies", "trends", "adoption"]
checks = ["precision"]

[[claims]]
id = "1"
statement = "Accidents fell by 3 at least"
source = "a leaflet"
outcomes = ["accidents_18_64"]
[[claims.tests]]
rule = "decrease"
first = 0
"""
"""A study whose every text has numbers: none of them may break the page."""


@pytest.fixture(scope="session")
def small_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small study of a panel of its own: forty towns, ten adopters, seven years."""
    folder = tmp_path_factory.mktemp("small")
    since = {town: (2014 if town < 6 else 2016) if town < 12 else None for town in range(40)}
    rows = [
        (
            f"T{town:02d}",
            year,
            since[town],
            20 + town % 7 + (year - 2010) * 0.3 + ((town * 7 + year * 13) % 11) * 0.2
            - (4 if (since[town] or 9999) <= year else 0),
        )
        for town in range(40)
        for year in range(2010, 2018)
    ]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["town", "year", "since", "accidents_18_64"])
    frame.to_csv(folder / "panel.csv", index=False)
    (folder / "study.toml").write_text(SMALL, encoding="utf-8")
    return folder / "study.toml"
