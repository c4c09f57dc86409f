from __future__ import annotations

import pickle

import pytest

from clsimpact import errors
from clsimpact.errors import ClsimpactError, did_you_mean, list_some
from clsimpact.fetch._policy import RefusedError


def test_message_says_what_where_and_how() -> None:
    error = ClsimpactError("It failed.", (place for place in ["Leeds 2016", "York 2017"]), repair="Mend it.")
    assert str(error) == "It failed.\n  - Leeds 2016\n  - York 2017\nRepair: Mend it."
    assert (error.summary, error.problems, error.repair) == (
        "It failed.",
        ("Leeds 2016", "York 2017"),
        "Mend it.",
    )


def test_message_of_a_summary_alone() -> None:
    error = RefusedError("It failed.")
    assert str(error) == "It failed."
    assert error.problems == ()


@pytest.mark.parametrize("name", [name for name in errors.__all__ if name.endswith("Error")])
def test_every_error_is_one_of_ours_and_a_value_error(name: str) -> None:
    kind = getattr(errors, name)
    assert issubclass(kind, ClsimpactError)
    assert issubclass(kind, ValueError)
    assert "where" in str(kind("what", ["where"], repair="how"))


@pytest.mark.parametrize("name", [name for name in errors.__all__ if name.endswith("Warning")])
def test_every_warning_is_one_of_ours(name: str) -> None:
    assert issubclass(getattr(errors, name), errors.ClsimpactWarning)
    assert issubclass(getattr(errors, name), UserWarning)


def test_errors_can_be_sent_between_processes() -> None:
    error = pickle.loads(pickle.dumps(ClsimpactError("It failed.", ["here"], repair="Mend it.")))
    assert "It failed." in str(error)


@pytest.mark.parametrize(
    ("items", "limit", "text"),
    [
        ([], 12, ""),
        (["a"], 1, "a"),
        (["a", "b"], 1, "a and 1 more"),
        (range(14), 12, "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 2 more"),
        ((word for word in "abc"), 3, "a, b, c"),
    ],
)
def test_list_some(items: list[object], limit: int, text: str) -> None:
    assert list_some(items, limit) == text


def test_did_you_mean_orders_by_nearness() -> None:
    known = ["gce", "gce_real", "gce_per_adult"]
    assert did_you_mean("gce_per_adlut", known) == " (did you mean 'gce_per_adult' or 'gce_real'?)"
    assert did_you_mean("gce_per_adlut", known, how_many=1) == " (did you mean 'gce_per_adult'?)"
    assert did_you_mean("population", known) == ""
    assert did_you_mean("E0600028", ["E06000028", "E06000029", "E09000028"], how_many=2).count("E0") == 2
    assert did_you_mean("anything", []) == ""
