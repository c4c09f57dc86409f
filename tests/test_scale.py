"""Growth is fitted right, the page is that of the numbers, and a tiny run gives rows (`make scale`)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

from _scale_growth import beyond, growth, quicker_from, reach, upper  # noqa: E402
from _scale_page import number, page  # noqa: E402

SIZES = [100.0, 400.0, 1600.0, 6400.0, 25_600.0]
PROGRAM = """
import json, sys
sys.path.insert(0, sys.argv[1])
import scale
sizes = [scale.Size(units=100), scale.Size(units=20_000)]
print(json.dumps(list(scale.grown("twfe", "units", sizes))))
"""


@pytest.mark.parametrize("exponent", [0.8, 1.0, 2.7])
def test_the_exponent_of_a_power_law_is_found(exponent: float) -> None:
    found = growth(SIZES, [3.0 * n**exponent for n in SIZES])
    assert found is not None
    assert found.exponent == pytest.approx(exponent, abs=1e-12)
    assert found.error < 1e-10


def test_the_error_is_that_of_least_squares() -> None:
    """Slope and error of four points by the textbook, against numpy's covariance."""
    rng = np.random.default_rng(0)
    values = [1e-9, *(n**1.3 * np.exp(0.1 * rng.normal()) for n in SIZES[1:])]
    found = growth(SIZES, values)
    assert found is not None
    assert (found.points, found.start) == (4, SIZES[1])
    (slope, _), covariance = np.polyfit(np.log(SIZES[1:]), np.log(values[1:]), 1, cov=True)
    assert found.exponent == pytest.approx(slope)
    assert found.error == pytest.approx(covariance[0, 0] ** 0.5)


def test_sizes_that_the_constant_rules_are_not_fitted() -> None:
    values = [5.0 + 0.001 * n for n in SIZES]
    assert upper(values).tolist() == [False, False, False, False, True]
    assert growth(SIZES, values) is None
    longer = [*SIZES, 102_400.0, 409_600.0]
    found = growth(longer, [5.0 + 0.001 * n for n in longer])
    assert found is not None
    assert found.start == 25_600
    assert 0.9 < found.exponent < 1


def test_a_size_that_looks_large_below_one_that_looks_small_is_not_fitted() -> None:
    assert upper([1.0, 9.0, 2.0, 8.0, 9.0]).tolist() == [False, False, False, True, True]
    assert upper([0.0, 3.0, 12.0], floor=2.0).tolist() == [False, False, True]


def test_the_line_is_carried_on_to_a_size_and_to_a_limit() -> None:
    values = [2.0 * n**1.5 for n in SIZES]
    found = growth(SIZES, values)
    assert found is not None
    assert beyond(SIZES, values, found, 1e6) == pytest.approx(2e9)
    assert reach(SIZES, values, found, 2e9) == pytest.approx(1e6)


def test_quicker_from_the_size_after_which_it_always_is() -> None:
    assert quicker_from([1, 2, 3, 4], [1.0, 9.0, 1.0, 1.0], [2.0, 2.0, 2.0, 2.0]) == 3
    assert quicker_from([1, 2], [1.0, 9.0], [2.0, 2.0]) is None


@pytest.mark.parametrize(
    ("value", "text"), [(0.00523, "0.0052"), (1234.0, "1,200"), (12.34, "12"), (0.0, "0"), (np.inf, "–")]
)
def test_numbers_in_words(value: float, text: str) -> None:
    assert number(value) == text


def test_the_page_is_that_of_the_numbers(root: Path) -> None:
    found = pd.read_csv(root / "docs" / "scale.csv")
    assert page(found) == (root / "docs" / "scale.md").read_text(encoding="utf-8")


def test_a_result_that_differs_is_told(root: Path) -> None:
    found = pd.read_csv(root / "docs" / "scale.csv")
    assert "**NO**" not in page(found)
    found.loc[found["part"].eq("hundred") & found["executor"].eq("dask"), "bits"] = "other"
    assert "**NO**" in page(found)
    assert "equal to the last bit" not in page(found)


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="peak memory is read as Linux tells it")
def test_a_tiny_run_gives_rows_and_the_larger_panel_takes_more(root: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, str(root / "benchmarks")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    small, large = json.loads(done.stdout.strip().splitlines()[-1])
    assert (small["size"], large["size"]) == (100, 20_000)
    assert 0 < small["processor_seconds"] < large["processor_seconds"]
    # The table of 160,000 rows alone has 5 MB.
    assert small["megabytes"] + 5 < large["megabytes"] < 100
