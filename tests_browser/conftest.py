"""The pages that are looked at, and a browser to look at them with: make test-browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
AXE = Path(os.environ.get("CLSIMPACT_AXE", ROOT / ".browser" / "axe.min.js"))
SHOTS = ROOT / "outputs" / "browser"
"""Pictures of every page, to be looked at."""


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    assert found, "no Chromium is installed: apt-get install chromium"
    with sync_playwright() as play:
        opened = play.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def axe() -> str:
    return AXE.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The report of the study, of the study on made-up returns, and of the second study."""
    from clsimpact.report.demo import demonstrate
    from clsimpact.report.replicate import replicate

    given = os.environ.get("CLSIMPACT_REPORTS")
    if given:
        return {path.name: path / "report.html" for path in sorted(Path(given).iterdir()) if path.is_dir()}
    folder = tmp_path_factory.mktemp("reports")
    second = ROOT / "examples" / "minimum_wage" / "study.toml"
    replicate(folder / "official", workers=2)
    demonstrate(folder / "simulated", workers=2)
    replicate(folder / "second", study=second, workers=2)
    return {name: folder / name / "report.html" for name in ("official", "simulated", "second")}
