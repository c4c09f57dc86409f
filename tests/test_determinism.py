"""The same inputs give the same bytes, whatever hash seed, threads, time zone, locale and order of rows."""

from __future__ import annotations

import json
import locale
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("determinism_program.py")
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

SETTINGS = {
    "plain": (0, 1, "UTC", "C.UTF-8", 0),
    "east, two threads": (1, 2, "Asia/Tokyo", "C", 1),
    "west, three threads": (2, 3, "America/St_Johns", "POSIX", 2),
    "German, four threads": (3, 4, "Europe/Berlin", "de_DE.UTF-8", 3),
    "Turkish": (4, 1, "Europe/Istanbul", "tr_TR.UTF-8", 4),
}
"""Hash seed, threads, time zone, locale, and seed of the order of rows (0: as they are)."""


def run(name: str, folder: Path) -> dict[str, str]:
    """Return the digest of everything that the program makes; a locale that is not there is that of C."""
    seed, threads, zone, language, shuffle = map(str, SETTINGS[name])
    environment = {
        **{
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("LC_", "COV_", "CLSIMPACT"))
        },
        **dict.fromkeys(THREADS, threads),
        "PYTHONHASHSEED": seed,
        "TZ": zone,
        "LANG": language,
        "LC_ALL": language,
        "MPLBACKEND": "Agg",
        "PYTHONWARNINGS": "ignore",
    }
    words = [sys.executable, str(PROGRAM), str(folder), shuffle]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return run("plain", tmp_path_factory.mktemp("plain"))


def test_everything_is_looked_at(plain: dict[str, str]) -> None:
    assert {"panel", "panel built", "svg", "png", "ledger.json", "report.html", "report.pdf"} <= set(plain)
    assert len(plain) > 50


@pytest.mark.parametrize("name", [name for name in SETTINGS if name != "plain"])
def test_the_bytes_are_the_same(name: str, plain: dict[str, str], tmp_path: Path) -> None:
    found = run(name, tmp_path)
    assert found.keys() == plain.keys()
    assert [key for key, value in found.items() if value != plain[key]] == []


def test_a_difference_would_be_seen(plain: dict[str, str]) -> None:
    assert len(set(plain.values())) > 40


def test_the_library_does_not_change_the_locale() -> None:
    before = locale.setlocale(locale.LC_ALL)
    import clsimpact as ci

    ci.twfe(
        ci.Design(ci.load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat")
    ).summary()
    assert locale.setlocale(locale.LC_ALL) == before
