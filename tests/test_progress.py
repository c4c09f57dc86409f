"""Bars are drawn where somebody looks, and nothing is written anywhere else."""

from __future__ import annotations

import io
import sys

import pytest

import clsimpact as ci
from clsimpact._progress import bar, listener
from clsimpact.datasets import example_design


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def watched(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Put a terminal in the place of the error stream: within the test, as pytest has one of its own."""
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    return stream


def test_nothing_is_written_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    tell = listener(True)
    assert tell is not None
    tell("words", 1, 2)
    tell("words", 2, 2)
    example_design().check(["precision"], progress=True)
    ci.twfe(example_design()).with_inference("permutation", draws=99, progress=True)
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "")


def test_a_terminal_sees_words_and_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = watched(monkeypatch)
    example_design().check(["precision", "comparison_weights"], progress=True)
    assert "Precision" in terminal.getvalue()
    assert "2/2" in terminal.getvalue()


def test_a_terminal_sees_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = watched(monkeypatch)
    ci.twfe(example_design()).with_inference("permutation", draws=99, progress=True)
    assert "draws" in terminal.getvalue()


def test_without_progress_a_terminal_sees_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = watched(monkeypatch)
    example_design().check(["precision"])
    assert listener(False) is None
    assert listener(None) is None
    assert terminal.getvalue() == ""


def test_a_function_is_told_itself() -> None:
    told: list[tuple[str, int, int]] = []
    tell = listener(lambda *step: told.append(step))
    assert tell is not None
    tell("a", 1, 2)
    assert told == [("a", 1, 2)]


def test_a_bar_closes_with_the_last_step_and_opens_again(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = watched(monkeypatch)
    tell = listener(True)
    assert tell is not None
    for step in (1, 2):
        tell("first", step, 2)
    assert tell.open is None  # type: ignore[attr-defined]
    tell("second", 1, 3)
    assert tell.open.total == 3  # type: ignore[attr-defined]
    tell("second", 3, 3)
    assert "second" in terminal.getvalue()


def test_a_notebook_s_widget_is_not_silenced(monkeypatch: pytest.MonkeyPatch) -> None:
    """The class that tqdm takes in a notebook writes to a widget, whatever the streams are."""
    import tqdm.auto

    given: dict[str, object] = {}

    class Base:
        def __init__(self, **options: object) -> None:
            given.update(options)

    Base.__module__ = "tqdm.notebook"
    monkeypatch.setattr(tqdm.auto, "tqdm", type("Widget", (Base,), {}))
    bar(total=3)
    assert given == {"disable": False, "total": 3}
