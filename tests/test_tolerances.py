"""Every tolerance has a name and a reason, and stands on its page."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import clsimpact as ci

ROOT = Path(__file__).resolve().parents[1]
SOURCE = Path(ci.__file__).parent


@pytest.fixture(scope="module")
def tolerances() -> Iterator[ModuleType]:
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        yield importlib.import_module("tolerances")
    finally:
        sys.path.remove(str(ROOT / "tools"))


def test_no_small_number_without_a_name_and_a_reason(tolerances: ModuleType) -> None:
    modules = tolerances.modules()
    assert len(modules) > 300
    assert [it for name, source in modules.items() for it in tolerances.unnamed(source, name)] == []


@pytest.mark.parametrize(
    "source",
    [
        "def f(x):\n    return x < 1e-9\n",
        "def f(x):\n    return x < 0.001\n",
        "def f(x, tol=1e-6):\n    return x < tol\n",
        "def f(x):\n    return x < 1 - 1e-12\n",
        "def f(x):\n    return x < 2.0**-40\n",
        "SMALL = 1e-9\n",
        'SMALL = 1e-9\n\nOTHER = 3\n"""Why."""\n',
        'class A:\n    SMALL = 1e-9\n    """Why."""\n',
        "same = np.isclose(x, y)\n",
        "same = np.allclose(x, y, atol=0)\n",
        "v = np.linalg.pinv(m, hermitian=True)\n",
        "r = np.linalg.matrix_rank(m)\n",
    ],
)
def test_others_are_noticed(source: str, tolerances: ModuleType) -> None:
    assert len(tolerances.unnamed(source, "a.py")) == 1


@pytest.mark.parametrize(
    "source",
    [
        'SMALL = 1e-9\n"""Why."""\n',
        '_SMALL: Final = 1e-9\n"""Why."""\n',
        "# Why.\nSMALL = 1e-9\n",
        "#: Why.\nSMALL = 1e-9\n",
        'MOST, NEAR = 9, 1 - 1e-9\n"""Why."""\n',
        "def f(x):\n    return x < 0.01\n",
        "same = np.isclose(x, y, rtol=SMALL)\n",
    ],
)
def test_constants_with_a_reason_pass(source: str, tolerances: ModuleType) -> None:
    assert tolerances.unnamed(source, "a.py") == []


def test_further_constants_and_exceptions_are_there(tolerances: ModuleType) -> None:
    modules = tolerances.modules()
    for name, wanted in tolerances.STEPS.items():
        reasons = {it.name: it.reason for it in tolerances.constants(modules[name])}
        assert all(reasons.get(it) for it in wanted), name
    for name, value in tolerances.EXCEPTIONS:
        assert f"{value:g}" in modules[name], name


def test_the_page_is_that_of_the_source(tolerances: ModuleType) -> None:
    page = (ROOT / "docs" / "reference" / "tolerances.md").read_text(encoding="utf-8")
    assert page == tolerances.page(), "run 'make docs'"
