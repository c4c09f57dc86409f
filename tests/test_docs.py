"""README and docs: every code block runs, generated pages are those of a run, what is public is described."""

from __future__ import annotations

import ast
import contextlib
import importlib
import inspect
import io
import re
import shlex
import shutil
import sys
import tomllib
import types
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import pandas as pd
import pytest

import clsimpact as ci
from clsimpact.cli import main

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(path for path in DOCS.rglob("*.md") if "_build" not in path.parts)]

ELSEWHERE = {
    "docs/how-this-could-be-wrong.md": "lines of advice; tests/diagnostics runs every one on this study",
}
"""Pages whose blocks are run by other tests."""

TUTORIALS = {"docs/tutorials/quick-start.md", "docs/tutorials/own-data.md", "README.md"}
"""Pages that stand on their own: nothing is there before their first block."""

BLOCK = re.compile(
    r"(?:^<!-- (?P<mark>[^\n]+?) -->\n)?^```(?P<kind>[\w{}-]*)[^\n]*\n(?P<text>.*?)^```",
    re.MULTILINE | re.DOTALL,
)
RUN = ("python", "sh", "toml")
"""Kinds of block that run. ``text`` after ``python`` is what that prints."""


class Block(NamedTuple):
    kind: str
    text: str
    mark: str
    line: int


def blocks(path: Path) -> list[Block]:
    text = path.read_text(encoding="utf-8")
    return [
        Block(it["kind"], it["text"], it["mark"] or "", text[: it.start()].count("\n") + 1)
        for it in BLOCK.finditer(text)
    ]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def with_code() -> list[Path]:
    return [it for it in PAGES if name_of(it) not in ELSEWHERE and any(b.kind in RUN for b in blocks(it))]


@pytest.fixture
def study() -> dict[str, Any]:
    """What pages speak of that do not begin at the beginning: the spending study."""
    panel, adoption = ci.load_panel(), ci.load_adoption()
    tagged = ci.tag_adoption(panel, adoption)
    design = ci.Design(tagged, outcome="gce_per_adult", unit="ons_code", time="year", cohort="adoption_year")
    known = {"panel": panel, "adoption": adoption, "tagged": tagged, "design": design}
    return {"ci": ci, "pd": pd, "fit": ci.event_study(design), **known}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of its own with the file that the tutorial offers."""
    shutil.copy(DOCS / "tutorials" / "falls.csv", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CLSIMPACT_RAW", raising=False)
    script = ModuleType("__page__")
    monkeypatch.setitem(sys.modules, "__page__", script)
    yield tmp_path
    plt.close("all")


def run_python(block: Block, names: dict[str, Any], where: str) -> str:
    printed = io.StringIO()
    tree = ast.parse(block.text, filename=where)
    ast.increment_lineno(tree, block.line)
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, where, "exec"), names)
    return printed.getvalue()


def run_shell(block: Block, where: str) -> None:
    for line in block.text.splitlines():
        words = shlex.split(line, comments=True)
        if not words:
            continue
        if words[0] == "make":
            targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
            assert words[1] in targets, f"{where}: {line}"
            continue
        assert words[0] == "clsimpact", (
            f"{where}: {line!r} is not run; say why in a comment '<!-- not run: … -->'"
        )
        with contextlib.redirect_stdout(io.StringIO()):
            assert main(words[1:]) == 0, f"{where}: {line}"


def squeezed(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("path", with_code(), ids=name_of)
@pytest.mark.usefixtures("folder")
def test_every_block_runs(path: Path, study: dict[str, Any]) -> None:
    names = {"__name__": "__page__"} | ({} if name_of(path) in TUTORIALS else study)
    printed = ""
    for block in blocks(path):
        where = f"{name_of(path)}, line {block.line}"
        if block.mark.startswith("not run: "):
            continue
        if block.mark.startswith("file: "):
            Path(block.mark.removeprefix("file: ")).write_text(block.text, encoding="utf-8")
        if block.kind == "python":
            printed = run_python(block, names, where)
        elif block.kind == "text" and printed:
            assert squeezed(block.text) == squeezed(printed), where
            printed = ""
        elif block.kind == "sh":
            run_shell(block, where)
        elif block.kind == "toml":
            tomllib.loads(block.text)


def test_a_block_that_is_not_run_says_why() -> None:
    marks = [block.mark for path in PAGES for block in blocks(path) if block.mark.startswith("not run")]
    assert marks
    for mark in marks:
        assert len(mark.removeprefix("not run: ").split()) >= 3, mark


def test_pages_elsewhere_are_there() -> None:
    for name in ELSEWHERE:
        assert (ROOT / name).is_file()


def test_a_wrong_block_is_noticed(study: dict[str, Any]) -> None:
    with pytest.raises(NameError):
        run_python(Block("python", "print(no_such_name)\n", "", 1), study, "a page")
    with pytest.raises(AssertionError, match="not run"):
        run_shell(Block("sh", "rm -rf outputs\n", "", 1), "a page")
    with pytest.raises(AssertionError, match="no-such-target"):
        run_shell(Block("sh", "make no-such-target\n", "", 1), "a page")


@pytest.fixture(scope="module")
def make_docs() -> Iterator[ModuleType]:
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        yield importlib.import_module("make_docs")
    finally:
        sys.path.remove(str(ROOT / "tools"))


@pytest.mark.parametrize(
    ("page", "maker"),
    [
        ("data-dictionary.md", "dictionary"),
        ("sources.md", "sources"),
        ("reconciliation.md", "reconciliation"),
        ("reference/verification.md", "verification"),
    ],
)
def test_generated_pages_are_those_of_a_run(page: str, maker: str, make_docs: ModuleType) -> None:
    assert (DOCS / page).read_text(encoding="utf-8") == getattr(make_docs, maker)(), "run 'make docs'"


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="argparse words its help by version of Python")
def test_the_page_of_commands_is_their_help(make_docs: ModuleType) -> None:
    page = (DOCS / "reference" / "command-line.md").read_text(encoding="utf-8")
    assert page == make_docs.command_line(), "run 'make docs'"


def test_the_file_of_the_tutorial_is_made_by_its_script() -> None:
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        falls = importlib.import_module("tutorial_data").falls()
    finally:
        sys.path.remove(str(ROOT / "tools"))
    held = pd.read_csv(DOCS / "tutorials" / "falls.csv").astype({"started": "Int64"})
    assert held["simulated"].all()
    pd.testing.assert_frame_equal(held, falls, check_dtype=False)


def listed() -> list[str]:
    """Return the names that the page of the Python interface lists."""
    text = (DOCS / "reference" / "api.md").read_text(encoding="utf-8")
    return [line.strip() for line in re.findall(r"^   [a-zA-Z][\w.]*$", text, re.MULTILINE)]


def found(dotted: str) -> Any:
    """Return a public object by its name below clsimpact."""
    module, _, name = dotted.rpartition(".")
    return getattr(importlib.import_module(f"clsimpact.{module}") if module else ci, name)


def test_everything_public_is_on_the_page_of_the_interface() -> None:
    names = listed()
    assert len(names) == len(set(names))
    assert {name for name in ci.__all__ if not name.startswith("__")} <= set(names)


LONG = {
    "demonstrate": "it takes two minutes; tests/report/test_demo.py runs it",
    "report.replicate.Report": "it is what replicate returns, whose example shows it",
}
"""What has no example of its own that runs, and why."""


MEMBERS = (types.FunctionType, property, cached_property, classmethod, staticmethod)


@pytest.mark.parametrize("dotted", listed())
def test_everything_public_has_an_example(dotted: str) -> None:
    """Examples are run as doctests (``--doctest-modules``); one that only says +SKIP is none."""
    thing = found(dotted)
    if dotted not in LONG:
        assert has_example(inspect.getdoc(thing) or ""), f"{dotted} has no example that runs"
    if inspect.isclass(thing) and not issubclass(thing, BaseException):
        for name, member in vars(thing).items():
            if not name.startswith("_") and isinstance(member, MEMBERS):
                assert has_example(inspect.getdoc(member) or ""), f"{dotted}.{name} has no example that runs"


def has_example(text: str) -> bool:
    lines = [line for line in text.splitlines() if line.lstrip().startswith(">>> ")]
    return any("doctest: +SKIP" not in line for line in lines)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("Say it.\n\n>>> say()\n'it'", True), ("Say it.", False), (">>> say()  # doctest: +SKIP", False)],
)
def test_examples_are_told_apart(text: str, expected: bool) -> None:
    assert has_example(text) is expected


def test_headings_of_troubleshooting_are_messages() -> None:
    text = (DOCS / "how-to" / "troubleshooting.md").read_text(encoding="utf-8")
    headings = re.findall(r'^## "(.+)"$', text, re.MULTILINE)
    assert len(headings) >= 8
    source = " ".join(path.read_text(encoding="utf-8") for path in (ROOT / "src" / "clsimpact").rglob("*.py"))
    for heading in headings:
        pattern = r"[^\n]{1,80}?".join(re.escape(part) for part in heading.split("…"))
        assert re.search(pattern, source), heading


def test_links_between_pages_lead_somewhere() -> None:
    broken = []
    for path in PAGES:
        text = re.sub(r"```.*?```|`[^`\n]*`", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        for link in re.findall(r"\]\(([^)\s]+)\)", text):
            target = link.partition("#")[0]
            if target and "://" not in target and not (path.parent / target).exists():
                broken.append(f"{name_of(path)}: {link}")
    assert broken == []
