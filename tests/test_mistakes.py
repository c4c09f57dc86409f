"""Each realistic mistake gives a message that a person who does not program can act on."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

import pytest

from tests.mistakes import MISTAKES, Mistake, said

ROOT = Path(__file__).resolve().parents[1]

INTERNAL = (
    "Traceback", "KeyError", "TypeError", "ValueError", "ndarray", "dtype", "codec", "<class", "NoneType", "object at 0x", "site-packages",
    "lambda", "__init__", "clsimpact/", ".py",
)  # fmt: skip
LONGEST = 6000
"""Letters; the longest lists every file that a folder lacks."""


def name_of(mistake: Mistake) -> str:
    return mistake.words


def test_there_are_many_and_each_once() -> None:
    assert len(MISTAKES) >= 60
    assert len({it.words for it in MISTAKES}) == len(MISTAKES)


@pytest.mark.parametrize("mistake", MISTAKES, ids=name_of)
def test_the_message_can_be_acted_on(mistake: Mistake, tmp_path: Path) -> None:
    text = said(mistake, tmp_path)
    for name in mistake.names:
        assert name in text, f"{name!r} is not named"
    for word in INTERNAL:
        assert word not in text, f"{word!r} is of no use to the reader"
    assert len(text) <= LONGEST
    if mistake.suggests:
        assert re.search(r"did you mean .*" + re.escape(repr(mistake.suggests)), text), (
            "nothing near is suggested"
        )
    if mistake.kind == "error" and "has no attribute" not in text:
        assert re.search(r"^Repair: \S.*[.)\]?'\"]$", text, re.MULTILINE), "no way to repair it"


def test_two_faults_are_told_together(tmp_path: Path) -> None:
    for words in (
        "Two columns are mistyped at once",
        "Two columns are text",
        "A claim lacks its tests, and a field is mistyped",
    ):
        (mistake,) = (it for it in MISTAKES if it.words == words)
        assert len(re.findall(r"^  - ", said(mistake, tmp_path), re.MULTILINE)) >= 2


def test_a_mistake_of_which_nothing_is_said_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="nothing is said"):
        said(Mistake("x", "nothing is wrong", lambda: None, ()), tmp_path)


@pytest.mark.skipif(
    sys.version_info[:2] != (3, 11), reason="argparse words its messages by version of Python"
)
def test_the_page_is_what_the_run_says() -> None:
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        made = importlib.import_module("mistakes").page()
    finally:
        sys.path.remove(str(ROOT / "tools"))
    assert (ROOT / "docs" / "mistakes.md").read_text(encoding="utf-8") == made, "run 'make docs'"
