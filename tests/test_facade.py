"""``import clsimpact``: every public name is there, explained, and imported only when used."""

from __future__ import annotations

import importlib
import inspect
import json
import subprocess
import sys
from types import ModuleType

import pytest

import clsimpact as ci

OBJECTS = [name for name in ci.__all__ if name != "__version__"]
HEAVY = ("pandas", "numpy", "matplotlib", "statsmodels", "linearmodels", "scipy", "pyarrow", "tqdm")


def fresh(code: str) -> str:
    """Run code in a new interpreter and return what it prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout


@pytest.mark.parametrize("name", OBJECTS)
def test_every_name_is_callable_and_explained(name: str) -> None:
    thing = getattr(ci, name)
    assert callable(thing)
    assert not isinstance(thing, ModuleType)
    words = inspect.getdoc(thing) or ""
    assert len(words.splitlines()[0]) > 20
    assert "Examples\n--------" in words
    told = "Parameters\n----------" in words or "Attributes\n----------" in words
    assert told == bool(inspect.signature(thing).parameters)
    assert ">>> " in words


@pytest.mark.parametrize("name", OBJECTS)
def test_options_have_names(name: str) -> None:
    kinds = {parameter.kind for parameter in inspect.signature(getattr(ci, name)).parameters.values()}
    assert inspect.Parameter.VAR_KEYWORD not in kinds


def test_all_is_sorted_and_what_dir_lists() -> None:
    assert sorted(ci.__all__) == dir(ci)
    assert len(set(ci.__all__)) == len(ci.__all__)


def test_every_home_is_a_public_name_and_back() -> None:
    assert set(ci._HOME) == set(OBJECTS)


def test_an_unknown_name() -> None:
    with pytest.raises(AttributeError, match="module 'clsimpact' has no attribute 'event_studdy'"):
        ci.event_studdy  # noqa: B018


def test_no_public_name_is_hidden_by_a_module() -> None:
    """Importing a module binds it to its package, so none there may be called like a public name."""
    for home in set(ci._HOME.values()):
        importlib.import_module(f"clsimpact.{home.partition(':')[0]}")
    assert [name for name in OBJECTS if isinstance(getattr(ci, name), ModuleType)] == []


def test_import_is_light() -> None:
    code = f"import clsimpact, sys, json; print(json.dumps([m for m in {HEAVY!r} if m in sys.modules]))"
    assert json.loads(fresh(code)) == []


def test_listing_names_imports_nothing() -> None:
    code = "import clsimpact, sys; dir(clsimpact); print('pandas' in sys.modules)"
    assert fresh(code).strip() == "False"


def test_estimates_do_not_need_the_plots() -> None:
    use = "clsimpact.event_study; clsimpact.load_panel"
    code = f"import clsimpact, sys; {use}; print('matplotlib' in sys.modules)"
    assert fresh(code).strip() == "False"


def test_the_lines_of_the_module_docstring_run() -> None:
    lines = [line[4:] for line in (ci.__doc__ or "").splitlines() if line.startswith(">>> ")]
    assert len(lines) == 5
    space: dict[str, object] = {}
    exec("\n".join(lines), space)
    assert repr(space["fit"]).startswith("event_study of gce_per_adult")
