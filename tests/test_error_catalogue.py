"""Every error and warning says what is wrong and how to repair it; the source is read for it."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import NamedTuple

import pytest

import clsimpact
from clsimpact import errors

SOURCE = Path(clsimpact.__file__).parent
OURS = {
    name
    for name, it in vars(errors).items()
    if inspect.isclass(it) and issubclass(it, errors.ClsimpactError | errors.ClsimpactWarning)
}
WARNINGS = {name for name in OURS if name.endswith("Warning")}

INSIDE = {
    "diagnostics": "what a check cannot do becomes its finding, which has advice and a line of code",
    "_forms.py": "becomes the reason why a method of inference was not chosen",
    "_refit.py": "becomes the finding of a check, or the reason why a method was not chosen",
}
"""Places whose errors no user sees as they are, and what becomes of them."""

BARE = {
    "_deprecated.py": "a call with both names of an argument is a programming error",
    "_save_format.py": "saved.py says it with the file, the place and the repair",
    "saved.py": "load_estimate says it with the file, the place and the repair",
    "loaders": "the reader collects it with file, sheet and cell, and raises a LayoutError",
    "report/ledger.py": "what a mapping raises for a key that is not there",
    "simulate": "the writer asks a book for what it does not know: a programming error",
}
"""Places that raise errors of Python itself, and why."""


class Raised(NamedTuple):
    where: str
    name: str
    call: ast.Call


def raised() -> list[Raised]:
    """Return every error that the library raises, and every warning that it gives."""
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        where = path.relative_to(SOURCE).as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                if isinstance(node.exc.func, ast.Name):
                    found.append(Raised(f"{where}:{node.lineno}", node.exc.func.id, node.exc))
            elif isinstance(node, ast.Call) and ast.unparse(node.func) == "warnings.warn":
                kinds = [it.id for it in ast.walk(node) if isinstance(it, ast.Name) and it.id in WARNINGS]
                found += [Raised(f"{where}:{node.lineno}", kind, node) for kind in kinds]
    return found


RAISED = raised()
ERRORS = [it for it in RAISED if it.name in OURS - WARNINGS]


def reason(it: Raised, declared: dict[str, str]) -> str:
    """Return why a place is excepted, or nothing."""
    for place, words in declared.items():
        if it.where.startswith((f"{place}:", f"{place}/")):
            return words
    return ""


def place(it: Raised) -> str:
    return f"{it.where} {it.name}"


def test_there_are_many() -> None:
    assert len(ERRORS) > 300
    assert len([it for it in RAISED if it.name in WARNINGS]) > 3
    assert len(OURS) >= 11


@pytest.mark.parametrize("it", ERRORS, ids=place)
def test_an_error_says_how_to_repair_it(it: Raised) -> None:
    repair = [keyword.value for keyword in it.call.keywords if keyword.arg == "repair"]
    if not repair:
        assert reason(it, INSIDE), f"{it.where}: {ast.unparse(it.call)[:120]} has no repair"
        return
    text = _text(repair[0])
    if text is not None:
        assert len(text.split()) >= 2, f"{it.where}: {text!r} says nothing to do"


@pytest.mark.parametrize("it", ERRORS, ids=place)
def test_an_error_says_what_is_wrong(it: Raised) -> None:
    assert it.call.args, f"{it.where} says nothing"
    text = _text(it.call.args[0])
    if text is not None and not reason(it, INSIDE):
        assert len(text.split()) >= 3, f"{it.where}: {text!r} is no sentence"


def _text(node: ast.expr) -> str | None:
    """Return a text as written, with braces where values stand; nothing where it is computed."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(str(it.value) if isinstance(it, ast.Constant) else "{}" for it in node.values)
    return None


def test_errors_of_python_are_raised_where_it_is_declared() -> None:
    bare = [
        it
        for it in RAISED
        if it.name in ("ValueError", "KeyError", "TypeError", "RuntimeError", "IndexError")
    ]
    assert [place(it) for it in bare if not reason(it, BARE)] == []


@pytest.mark.parametrize("declared", [INSIDE, BARE], ids=["inside", "bare"])
def test_no_exception_is_stale(declared: dict[str, str]) -> None:
    used = set()
    for it in RAISED:
        lacks = not any(keyword.arg == "repair" for keyword in it.call.keywords)
        mine = (
            it.name in OURS - WARNINGS
            if declared is INSIDE
            else it.name.endswith("Error") and it.name not in OURS
        )
        if lacks and mine:
            used |= {name for name in declared if it.where.startswith((f"{name}:", f"{name}/"))}
    assert set(declared) <= used


@pytest.mark.parametrize("name", sorted(OURS))
def test_every_class_is_described(name: str) -> None:
    assert name in errors.__all__
    assert ">>>" in (inspect.getdoc(getattr(errors, name)) or "")
