"""Make docs/mistakes.md: what the library says of each mistake of tests/mistakes.py."""

from __future__ import annotations

import sys
import tempfile
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.mistakes import MISTAKES, Mistake, said  # noqa: E402


def message(mistake: Mistake) -> str:
    """Return what the library says, without the folder in which the mistake was made."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch).resolve()
        return said(mistake, folder).replace(f"{folder}/", "").replace(str(folder), ".")


def page() -> str:
    """Return the page, with a heading for each group."""
    lines = [
        "# Mistakes, and what the library says",
        "",
        f"{len(MISTAKES)} realistic mistakes, and the message that each gives: what is wrong, where, and how to repair it. The",
        "first tables start from the textbook panel of `ci.load_mpdta()`. Made by `tools/mistakes.py`; a test compares this page",
        "with a run, and checks each message. [Troubleshooting](how-to/troubleshooting.md) has more words about some.",
    ]
    for group, mistakes in groupby(MISTAKES, key=lambda it: it.group):
        lines += ["", f"## {group}", "", "| mistake | what is said |", "|---|---|"]
        lines += [f"| {it.words} | {_cell(message(it))} |" for it in mistakes]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    """Return a message as a cell: lines stay lines, and code stays what it is."""
    return "<br>".join(f"`{line.strip()}`" for line in text.replace("|", "\\|").splitlines() if line.strip())


if __name__ == "__main__":
    (ROOT / "docs" / "mistakes.md").write_text(page(), encoding="utf-8")
