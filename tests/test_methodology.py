"""Every public estimator has a page that says what it does, and no page names what is gone."""

from __future__ import annotations

import importlib
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

import clsimpact
import clsimpact.estimators

HEADINGS = (
    "Estimand",
    "Assumptions",
    "Equation as implemented",
    "Variance",
    "Sample and edge cases",
    "Oracles",
    "Differences found",
    "Source",
)

FOLDERS = ("estimators", "decomposition")
"""Packages whose public functions need a page."""

BESIDE = ("honest_did", "minimum_detectable_effects", "pre_trend_power", "specification_curve")
"""Further public functions with a method of their own."""

DOTTED = re.compile(r"\b(?:clsimpact|ci)((?:\.[A-Za-z_]\w*)+)")
PATH = re.compile(r"^(?:tests|src|docs|benchmarks|notebooks)/[\w./-]+")


def public() -> list[str]:
    """Return the estimators and decompositions that a user can call."""
    homes = {
        name for name, home in clsimpact._HOME.items() if home.partition(":")[0].split(".")[0] in FOLDERS
    }
    return sorted(homes | set(clsimpact.estimators.__all__) | {"bacon", "twfe_weights", *BESIDE})


def is_there(dotted: str) -> bool:
    """Return whether ``.name.name`` after ``clsimpact`` is a module, an object or an attribute of one."""
    found: object = clsimpact
    path = "clsimpact"
    for name in dotted.strip(".").split("."):
        path = f"{path}.{name}"
        if name in getattr(found, "__dataclass_fields__", {}):
            found = None
            continue
        try:
            found = getattr(found, name) if hasattr(found, name) else importlib.import_module(path)
        except ImportError:
            return False
    return True


def page_problems(text: str, name: str, root: Path) -> list[str]:
    """Return what is wrong with one page."""
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    heads = re.findall(r"^(#{1,2}) (.+)$", prose, flags=re.MULTILINE)
    first = [words for level, words in heads if level == "#"]
    found = []
    if len(first) != 1 or not first[0].endswith(f"(`clsimpact.{name}`)"):
        found.append(f"{name}: the first heading is not '# <title> (`clsimpact.{name}`)'")
    if tuple(words for level, words in heads if level == "##") != HEADINGS:
        found.append(f"{name}: the headings are not those of the template, in their order")
    code = re.findall(r"```.*?```", text, flags=re.DOTALL)
    spans = re.findall(r"`([^`\n]+)`", prose)
    named = [dotted for part in (*code, *spans) for dotted in DOTTED.findall(part)]
    found += [f"{name}: clsimpact{dotted} is gone" for dotted in named if not is_there(dotted)]
    for span in spans:
        match = PATH.match(span)
        if match and not (root / match.group().rstrip(".")).exists():
            found.append(f"{name}: {match.group()} is gone")
    return found + oracle_problems(text, name)


def oracle_problems(text: str, name: str) -> list[str]:
    """Return what the table of oracles lacks."""
    section = text.partition("## Oracles")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    found = [] if len(rows) >= 3 else [f"{name}: no table of oracles"]
    if not re.search(r"\b20\d\d-\d\d-\d\d\b", section):
        found.append(f"{name}: the oracles have no date")
    if not re.search(r"\b\d+\.\d+(\.\d+)?\b", re.sub(r"\b20\d\d-\d\d-\d\d\b|-?\d+\.\d{4,}", "", section)):
        found.append(f"{name}: the oracles have no version")
    return found


def problems(folder: Path, names: Sequence[str], root: Path) -> list[str]:
    """Return what is wrong with the folder of pages."""
    found = []
    for name in names:
        path = folder / f"{name}.md"
        found += (
            page_problems(path.read_text("utf-8"), name, root) if path.is_file() else [f"{name}: no page"]
        )
    pages = sorted(path.stem for path in folder.glob("*.md") if path.stem != "README")
    index = sorted(set(re.findall(r"\]\((\w+)\.md\)", (folder / "README.md").read_text("utf-8"))))
    if index != pages:
        found.append(f"README lists {index}, the folder holds {pages}")
    found += [f"{name}: a page of nothing public" for name in pages if name not in names]
    return found


def test_every_public_estimator_has_its_page(root: Path) -> None:
    assert problems(root / "docs" / "methodology", public(), root) == []


def test_names_in_the_index_exist(root: Path) -> None:
    text = (root / "docs" / "methodology" / "README.md").read_text("utf-8")
    gone = [dotted for span in re.findall(r"`([^`\n]+)`", text) for dotted in DOTTED.findall(span)]
    assert [dotted for dotted in gone if not is_there(dotted)] == []


GOOD = "\n".join(
    [
        "# Two-way fixed effects (`clsimpact.twfe`)",
        *(
            f"\n## {head}\n\nWords on `clsimpact.results.Estimate.total` in `tests/conftest.py`."
            for head in HEADINGS
        ),
    ]
).replace(
    "## Oracles\n",
    "## Oracles\n\n| quantity | program |\n|---|---|\n| -0.03654894 | R fixest 0.14.2, 2026-11-23 |\n",
)


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    (tmp_path / "twfe.md").write_text(GOOD, "utf-8")
    (tmp_path / "README.md").write_text("[`clsimpact.twfe`](twfe.md)", "utf-8")
    return tmp_path


def test_a_good_folder_passes(pages: Path, root: Path) -> None:
    assert problems(pages, ["twfe"], root) == []


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("## Variance", "## Variances", "headings are not those of the template"),
        ("## Estimand", "", "headings are not those of the template"),
        ("clsimpact.twfe", "clsimpact.twef", "the first heading is not"),
        (
            "clsimpact.results.Estimate.total",
            "clsimpact.results.Estimate.sum",
            "Estimate.sum is gone",
        ),
        ("clsimpact.results.Estimate.total", "ci.no_such_name(design)", "no_such_name is gone"),
        ("tests/conftest.py", "tests/no_such_file.py", "tests/no_such_file.py is gone"),
        ("2026-11-23", "today", "no date"),
        ("0.14.2", "", "no version"),
        ("|", "", "no table of oracles"),
    ],
)
def test_a_page_that_is_wrong_is_named(pages: Path, root: Path, old: str, new: str, words: str) -> None:
    (pages / "twfe.md").write_text(GOOD.replace(old, new), "utf-8")
    assert words in "\n".join(problems(pages, ["twfe"], root))


def test_a_missing_page_is_named(pages: Path, root: Path) -> None:
    assert problems(pages, ["bacon", "twfe"], root) == ["bacon: no page"]


def test_the_index_must_list_the_pages(pages: Path, root: Path) -> None:
    (pages / "README.md").write_text("nothing", "utf-8")
    assert problems(pages, ["twfe"], root) == ["README lists [], the folder holds ['twfe']"]
    (pages / "old.md").write_text("left behind", "utf-8")
    assert "old: a page of nothing public" in problems(pages, ["twfe"], root)


@pytest.mark.parametrize(
    ("dotted", "there"),
    [
        (".twfe", True),
        (".results.Estimate.aggregate", True),
        (".inference.influence.Influence", True),
        (".estimators.event_study", True),
        (".results.Nothing", False),
        (".nowhere.at_all", False),
    ],
)
def test_what_counts_as_there(dotted: str, there: bool) -> None:
    assert is_there(dotted) is there
