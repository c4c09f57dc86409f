from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clsimpact.loaders.values import Figure, read_figure

MARKERS = {"[c]": "suppressed", "[x]": "not_submitted", "-": "not_applicable", "Yes": "text_answer"}


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        (3, 3.0),
        (0.0, 0.0),
        ("0", 0.0),
        (" 1,284.73", 1284.73),
        ("-5", -5.0),
        ("−5", -5.0),
        ("1.5E+3", 1500.0),
    ],
)
def test_plain_numbers(cell: object, value: float) -> None:
    assert read_figure(cell, MARKERS) == Figure(value, "published", None)


@pytest.mark.parametrize(
    ("cell", "value"), [("(12)", -12.0), ("£1,000", 1000.0), ("$0.00", 0.0), ("-£5", -5.0), ("45%", 45.0)]
)
def test_odd_spellings_are_numbers(cell: str, value: float) -> None:
    figure = read_figure(cell, MARKERS)
    assert figure is not None
    assert (figure.value, figure.status) == (value, "published")


@pytest.mark.parametrize(
    ("cell", "status"), [(" [c] ", "suppressed"), ("-", "not_applicable"), ("Yes", "text_answer")]
)
def test_shorthand_has_a_status_and_no_value(cell: str, status: str) -> None:
    assert read_figure(cell, MARKERS) == Figure(None, status, cell.strip())


def test_blank_is_layout_unless_the_file_says_otherwise() -> None:
    assert read_figure("", MARKERS) is None
    assert read_figure(None, MARKERS) is None
    assert read_figure("  ", {"": "not_submitted"}) == Figure(None, "not_submitted", "(blank)")


@pytest.mark.parametrize("cell", ["[z]", "n/a", "12 people", "1.2.3", "12 (13)", "[C]", "--", True])
def test_anything_else_is_refused(cell: object) -> None:
    with pytest.raises(ValueError, match="neither a number nor known shorthand"):
        read_figure(cell, MARKERS)


@given(st.integers(-(10**12), 10**12))
def test_thousands_separators_change_nothing(number: int) -> None:
    assert read_figure(f"{number:,}", {}) == Figure(float(number), "published", None)


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e15, max_value=1e15))
def test_numbers_pass_unchanged(number: float) -> None:
    assert read_figure(number, MARKERS) == Figure(number, "published", None)
