"""Make docs/mistakes.md: what the library says of each mistake of tests/mistakes.py."""

from __future__ import annotations

import re
import sys
import tempfile
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.mistakes import MISTAKES, Mistake, said  # noqa: E402

KINDS = {
    "error": "error",
    "warning": "warning",
    "command": "error of the command line",
    "result": "words in the result",
}
LINES, WIDTH = 12, 110
"""How much of a long message stands on the page."""


def message(mistake: Mistake) -> str:
    """Return what the library says, without the folder in which the mistake was made."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch).resolve()
        return said(mistake, folder).replace(f"{folder}/", "").replace(str(folder), ".")


def page() -> str:
    """Return the page: a table of all mistakes, then each with its message."""
    lines = [
        "# Mistakes, and what the library says",
        "",
        f"{len(MISTAKES)} realistic mistakes, and the message that each gives: what is wrong, where, and how to repair it. The",
        "first start from the textbook panel of `ci.load_mpdta()`. Made by `tools/mistakes.py`; a test compares this page with a",
        "run, and checks each message. Long lines are broken here, and long lists shortened.",
        "[Troubleshooting](how-to/troubleshooting.md) has more words about some.",
        "",
        "| about | mistake | what is given |",
        "|---|---|---|",
        *(f"| {it.group} | [{it.words}](#{slug(it.words)}) | {KINDS[it.kind]} |" for it in MISTAKES),
    ]
    for group, mistakes in groupby(MISTAKES, key=lambda it: it.group):
        lines += ["", f"## {group}"]
        for it in mistakes:
            lines += ["", f"### {it.words}", "", "```text", *shown(message(it)), "```"]
    return "\n".join(lines) + "\n"


def slug(heading: str) -> str:
    """Return the anchor that a heading has on the site and on GitHub alike."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def shown(text: str) -> list[str]:
    """Return the lines of a message, broken where they are long, without the middle of a long list."""
    lines = text.rstrip().splitlines()
    if len(lines) > LINES:
        lines = [*lines[: LINES - 3], f"  … {len(lines) - LINES + 2} more lines", lines[-1]]
    return [part for line in lines for part in broken(line)]


def broken(line: str) -> list[str]:
    """Break a line at blanks; what follows is indented."""
    parts = []
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    while len(line) > WIDTH and " " in line[len(indent) : WIDTH]:
        cut = line.rindex(" ", len(indent), WIDTH)
        parts.append(line[:cut])
        line = indent + line[cut + 1 :]
    return [*parts, line]


if __name__ == "__main__":
    (ROOT / "docs" / "mistakes.md").write_text(page(), encoding="utf-8")
