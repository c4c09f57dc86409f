"""Every error and warning says what is wrong, where, and how to repair it; the source is read for it."""

from __future__ import annotations

import ast
import builtins
import inspect
import re
from pathlib import Path
from typing import NamedTuple

import pytest

import clsimpact
from clsimpact import errors
from clsimpact.fetch import _policy

SOURCE = Path(clsimpact.__file__).parent
PUBLIC = {
    name
    for name, it in vars(errors).items()
    if inspect.isclass(it) and issubclass(it, errors.ClsimpactError | errors.ClsimpactWarning)
}
OURS = PUBLIC | {
    name
    for name, it in vars(_policy).items()
    if inspect.isclass(it) and issubclass(it, errors.ClsimpactError)
}
WARNINGS = {name for name in OURS if name.endswith("Warning")}
PYTHONS = {
    name for name, it in vars(builtins).items() if inspect.isclass(it) and issubclass(it, Exception)
} - {"KeyboardInterrupt", "SystemExit"}

NO_REPAIR = {
    "RefusedError": "the download adds the address and the repair (fetch/_run.py)",
    "UnsteadyError": "the download tries again, then adds the address and the repair (fetch/_run.py)",
}
"""Errors without a repair of their own, and where it comes from."""

NO_STOP = {
    "claims/effects.py": "becomes the reason why a claim is not estimable, within a sentence",
    "diagnostics/result.py": "ends in the finding, which is whole sentences",
    "fetch/_run.py": "ends in the sentence of another error",
}
"""Places where a summary is no sentence, or its end stands elsewhere."""

NO_PLACE = {
    "the table as a whole is the place, and there is one": (
        "The columns have several levels.",
        "The panel has no rows.",
        "The panel has rows without ons_code or year.",
        "Some frames are made up and others are not.",
        "The panel has no number to match units by.",
        "The panel has no column to compare units by.",
        "There is one period: no trend can be drawn.",
        "Official and made-up figures cannot be drawn together: one of returns and panel is simulated.",
    ),
    "the result or the design as a whole is the place, and there is one": (
        "Every unit adopts within the panel: nobody is taken as never treated.",
        "No specification can be re-assigned without refits.",
        "The variance of the estimate is not known from comparison units.",
        "Breaks cannot be told from other changes in fewer than three periods.",
        "No cohort and period can be compared.",
        "No cohort is observed before adoption.",
        "An average within a file is not saved by itself.",
        "Clustered errors need two clusters or more.",
        "There is no cohort and period to average.",
        "No event time is left to estimate.",
    ),
    "the argument is named in plain words": (
        "sigma is not symmetric.",
        "sigma is not positive definite: some combination of coefficients would be known without error.",
        "path is not an array of numbers.",
        "A slope and a path are given.",
        "A row and weights were given.",
        "The neighbours are no table of pairs.",
        "The data are no pandas DataFrame, nor a mapping of labels to DataFrames.",
        "A sub-cluster lies in several clusters.",
        "Further years are not planned with weights or covariates.",
        "CR2_IK is not defined with weights: its random effect is the same on all rows of a cluster.",
    ),
    "the download adds the address (fetch/_run.py)": (
        "The body is empty.",
        "The body is no .xls workbook.",
        "The server did not say where the file ends, so that half of it could pass for the whole.",
        "The body holds zero bytes, as a damaged file does.",
        "The body was not checked.",
        "The server continued another file than the one begun: started again.",
    ),
}
"""Summaries that name no column, file or value, by reason."""

BARE = {
    "__init__.py": "what a module raises for a name that it has not; it suggests the nearest",
    "_deprecated.py": "a call with both names of an argument is a programming error",
    "_save_format.py": "saved.py says it with the file, the place and the repair",
    "_saved_parts.py": "load_estimate says it with the file, the place and the repair",
    "saved.py": "load_estimate says it with the file, the place and the repair",
    "_shared.py": "what a mapping raises that cannot be changed",
    "decomposition/bacon.py": "a check of its own arithmetic",
    "loaders/_ascof.py": "the reader collects it with the cell, and raises a LayoutError",
    "loaders/_headings.py": "the reader collects it with the sheet, and raises a LayoutError",
    "loaders/data_tables.py": "the reader collects it with sheet and row, and raises a LayoutError",
    "loaders/labels.py": "the reader collects it with its place, and raises a LayoutError",
    "loaders/pss_ex1_wide.py": "the reader collects it with the row, and raises a LayoutError",
    "loaders/values.py": "the reader collects it with the cell, and raises a LayoutError",
    "report/ledger.py": "what a mapping raises for a key that is not there",
    "simulate/_answers.py": "the writer asks a book for what it does not know: a programming error",
    "simulate/_cubes.py": "the writer asks a book for what it does not know: a programming error",
    "simulate/asc_fr_csv.py": "the writer asks for a layout of another year: a programming error",
    "simulate/book.py": "the writer asks a book for what it does not know: a programming error",
    "simulate/xlsb.py": "more rows than a made-up workbook can have: a programming error",
}
"""Places that raise errors of Python itself, and why."""


class Made(NamedTuple):
    """An error or a warning that is made somewhere in the source."""

    path: str
    line: int
    name: str
    call: ast.Call

    @property
    def given(self) -> list[ast.expr]:
        return [*self.call.args, *(it.value for it in self.call.keywords)]


def made() -> list[Made]:
    """Return every error that is made, raised at once or later, and every warning that is given."""
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        where = path.relative_to(SOURCE).as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = ast.unparse(node.func).rpartition(".")[2]
            if name in OURS - WARNINGS:
                found.append(Made(where, node.lineno, name, node))
            elif name == "warn":
                kinds = [it.id for it in ast.walk(node) if isinstance(it, ast.Name) and it.id in WARNINGS]
                found += [Made(where, node.lineno, kind, node) for kind in kinds]
    return found


def raised() -> list[tuple[str, int, ast.Call]]:
    """Return file, line and call of every ``raise name(...)``."""
    return [
        (path.relative_to(SOURCE).as_posix(), node.lineno, node.exc)
        for path in sorted(SOURCE.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call)
    ]


MADE, RAISED = made(), raised()
ERRORS = [it for it in MADE if it.name not in WARNINGS]


def label(it: Made) -> str:
    return f"{it.path}:{it.line} {it.name}"


def text_of(node: ast.expr) -> str | None:
    """Return a text as written, with braces where values stand; nothing where it is computed."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(str(it.value) if isinstance(it, ast.Constant) else "{}" for it in node.values)
    return None


def repair_of(it: Made) -> ast.expr | None:
    return next((keyword.value for keyword in it.call.keywords if keyword.arg == "repair"), None)


def names_something(it: Made) -> bool:
    """Whether a value stands in the message, or code says which argument is meant."""
    fixed = [text_of(node) for node in it.given]
    if any(text is None or "{}" in text for text in fixed):
        return True
    return bool(re.search(r"\w\(|\w=|'\w|[-\w]+\.toml|--\w", " ".join(filter(None, fixed))))


def test_there_are_many() -> None:
    assert len(ERRORS) > 450
    assert len(MADE) - len(ERRORS) >= 7
    assert len(PUBLIC) >= 11


@pytest.mark.parametrize("it", ERRORS, ids=label)
def test_an_error_says_what_is_wrong(it: Made) -> None:
    assert it.call.args, "it says nothing"
    text = text_of(it.call.args[0])
    if text is None:
        return
    assert len(text.split()) >= 3, f"{text!r} is no sentence"
    if it.path not in NO_STOP:
        assert text.endswith((".", "?")), f"{text!r} is no full sentence"


@pytest.mark.parametrize("it", ERRORS, ids=label)
def test_an_error_says_where(it: Made) -> None:
    if not names_something(it):
        text = text_of(it.call.args[0])
        assert any(text in texts for texts in NO_PLACE.values()), f"{text!r} names nothing"


@pytest.mark.parametrize("it", ERRORS, ids=label)
def test_an_error_says_how_to_repair_it(it: Made) -> None:
    repair = repair_of(it)
    if it.name in NO_REPAIR and repair is None:
        return
    assert repair is not None, "there is no repair"
    text = text_of(repair)
    if text is not None:
        assert len(text.split()) >= 2, f"{text!r} says nothing to do"
        assert text.endswith((".", ")", "]", "?", "{}")), f"{text!r} is no full sentence"


@pytest.mark.parametrize("it", [it for it in MADE if it.name in WARNINGS], ids=label)
def test_a_warning_is_a_sentence(it: Made) -> None:
    text = text_of(it.call.args[0])
    assert text is None or (text.endswith(".") and "{}" in text), f"{text!r} says too little"


def test_errors_that_a_function_makes_are_errors_of_the_library() -> None:
    makers = {
        node.name
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.returns is not None
        if ast.unparse(node.returns) in OURS
    }
    known = OURS | PYTHONS | makers | {"ArgumentTypeError"}
    unknown = [
        f"{path}:{line} {ast.unparse(call.func)}"
        for path, line, call in RAISED
        if ast.unparse(call.func).rpartition(".")[2] not in known
        and not any(keyword.arg == "repair" for keyword in call.keywords)
    ]
    private = ("loaders/_asc_fr.py", "fetch/_transfer.py", "_toml.py")  # caught by all that call them
    assert [it for it in unknown if not it.startswith(private)] == []


def test_errors_of_python_are_raised_where_it_is_declared() -> None:
    bare = [f"{path}:{line}" for path, line, call in RAISED if ast.unparse(call.func) in PYTHONS]
    assert [it for it in bare if it.partition(":")[0] not in BARE] == []


def test_no_exception_is_stale() -> None:
    bare = {path for path, _, call in RAISED if ast.unparse(call.func) in PYTHONS}
    assert set(BARE) - bare == set()
    assert set(NO_REPAIR) <= {it.name for it in ERRORS if repair_of(it) is None}
    unfinished = {
        it.path
        for it in ERRORS
        if it.call.args and not (text_of(it.call.args[0]) or ".").endswith((".", "?"))
    }
    assert set(NO_STOP) <= unfinished
    placeless = {text_of(it.call.args[0]) for it in ERRORS if not names_something(it)}
    assert {text for texts in NO_PLACE.values() for text in texts} <= placeless


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_every_class_is_described(name: str) -> None:
    assert name in errors.__all__
    assert ">>>" in (inspect.getdoc(getattr(errors, name)) or "")
