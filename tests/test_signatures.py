"""Public functions say what they take: explicit keywords, one order, and `ax=` on every plot."""

from __future__ import annotations

import importlib
import inspect
import itertools
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any, get_type_hints

import pytest

import clsimpact as ci
from clsimpact._deprecated import renamed
from clsimpact.results import Estimate
from clsimpact.saved import SavedEstimate

ORDER = (
    "design", "control", "weighting", "unbalanced", "leads", "lags", "inference", "level", "draws", "seed",
    "executor", "progress",
)  # fmt: skip
"""The order of what several functions take; other arguments may stand between."""

ESTIMATORS = (
    "did_m", "event_study", "extended_twfe", "group_time", "imputation", "local_projection", "stacked",
    "sun_abraham", "synthetic_did", "twfe", "two_stage",
)  # fmt: skip

OPEN = {
    "clsimpact.diagnostics.setting.Setting.has": "names of what a check was given",
    "clsimpact.loaders.sheets.Sheet.header_row": "words of a heading, as many as it has",
    "clsimpact.loaders.sheets.Sheet.column": "words of a heading, as many as it has",
    "clsimpact._status.known": "values with a status, as many as enter",
}
"""Functions that take any number of arguments, with the reason; all of them take words of one kind."""

NO_AXES = {
    "clsimpact.diagnostics.result.CheckResult.plot": "a figure of its own for each check, some of several",
}
"""Plots that return a figure with its words, and why."""


def modules() -> Iterator[Any]:
    yield ci
    for found in pkgutil.walk_packages(ci.__path__, "clsimpact."):
        if not any(part.startswith("_") for part in found.name.split(".")):
            yield importlib.import_module(found.name)


def callables() -> dict[str, Callable[..., Any]]:
    """Return public functions, and public methods of public classes, by name."""
    found: dict[str, Callable[..., Any]] = {}
    for module in modules():
        for name in getattr(module, "__all__", ()):
            thing = getattr(module, name)
            home = f"{getattr(thing, '__module__', '')}.{getattr(thing, '__qualname__', name)}"
            if getattr(thing, "_is_protocol", False):
                continue
            if inspect.isclass(thing) and home.startswith("clsimpact"):
                methods = {k: getattr(v, "__func__", v) for k, v in vars(thing).items()}
                own = {k: v for k, v in methods.items() if inspect.isfunction(v) and not k.startswith("_")}
                found |= {f"{home}.{key}": method for key, method in own.items()}
                if "__init__" in vars(thing):
                    found[home] = thing
            elif inspect.isfunction(thing):
                found[home] = thing
    return found


FOUND = callables()


def test_enough_is_looked_at() -> None:
    assert len(FOUND) > 300
    assert "clsimpact.results.Estimate.with_inference" in FOUND
    assert {f"clsimpact.estimators.{name}.{name}" for name in ESTIMATORS} <= set(FOUND)


@pytest.mark.parametrize("name", sorted(FOUND))
def test_keywords_are_explicit(name: str) -> None:
    kinds = {each.kind for each in inspect.signature(FOUND[name]).parameters.values()}
    assert inspect.Parameter.VAR_KEYWORD not in kinds
    assert (inspect.Parameter.VAR_POSITIONAL in kinds) == (name in OPEN)


def test_every_exception_exists_and_has_a_reason() -> None:
    assert set(OPEN) | set(NO_AXES) <= set(FOUND)
    assert all((OPEN | NO_AXES).values())


PUBLIC = {name: getattr(ci, name) for name in ci.__all__ if callable(getattr(ci, name))}
PUBLIC |= {name: function for name, function in FOUND.items() if ".results.Estimate." in name}
PUBLIC |= {name: function for name, function in FOUND.items() if ".SpecificationCurve." in name}


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_common_arguments_stand_in_one_order(name: str) -> None:
    names = [each for each in inspect.signature(PUBLIC[name]).parameters if each in ORDER]
    if (
        name == "specification_curve"
    ):  # there, how each specification is drawn up comes before how it is estimated
        names.remove("inference")
    assert names == sorted(names, key=ORDER.index)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_estimators_take_a_design_first_and_the_rest_by_name(name: str) -> None:
    first, *others = inspect.signature(getattr(ci, name)).parameters.values()
    assert first.name == "design"
    assert all(each.kind is inspect.Parameter.KEYWORD_ONLY for each in others)
    assert {"inference", "level"} <= {each.name for each in others}
    defaults = {each.name: each.default for each in others}
    assert (defaults["inference"], defaults["level"]) == ("auto", 0.95)


def test_one_name_has_one_type_of_default_across_estimators() -> None:
    seen: dict[str, set[Any]] = {}
    for name, word in itertools.product(ESTIMATORS, ("leads", "lags", "level", "inference", "seed")):
        parameter = inspect.signature(getattr(ci, name)).parameters.get(word)
        if parameter is not None:
            seen.setdefault(word, set()).add(parameter.default)
    assert {word: len(found) for word, found in seen.items()} == dict.fromkeys(seen, 1)


@pytest.mark.parametrize("name", sorted(name for name in FOUND if name.endswith(".plot")))
def test_every_plot_takes_axes_and_returns_them(name: str) -> None:
    signature = inspect.signature(FOUND[name])
    if name in NO_AXES:
        assert list(signature.parameters) == ["self"]
        return
    ax = signature.parameters["ax"]
    assert ax.kind is inspect.Parameter.KEYWORD_ONLY
    assert ax.default is None
    assert signature.return_annotation == "Axes"


def test_a_saved_estimate_has_the_same_signatures() -> None:
    for name in ("tidy", "sample", "summary", "explain", "plot", "save", "to_docx", "to_latex", "to_html"):
        mine, other = (inspect.signature(getattr(kind, name)) for kind in (SavedEstimate, Estimate))
        assert list(mine.parameters) == list(other.parameters)


class TestOldNames:
    """They go on working and say what to write instead."""

    def test_the_old_name_works_and_names_the_new_one(self) -> None:
        @renamed(old="new")
        def function(*, new: int = 1) -> int:
            """Say."""
            return new

        with pytest.warns(DeprecationWarning, match=r"function\(old=\.\.\.\) is now new=\.\.\.") as caught:
            assert function(old=3) == 3  # type: ignore[call-arg]
        assert caught[0].filename == __file__
        assert function(new=2) == 2
        assert function.__doc__ == "Say."
        assert list(inspect.signature(function).parameters) == ["new"]
        assert get_type_hints(function)["new"] is int

    def test_both_names_at_once_are_refused(self) -> None:
        @renamed(old="new")
        def function(*, new: int = 1) -> int:
            return new

        with pytest.raises(TypeError, match="got 'new' and its old name 'old'"):
            function(old=3, new=2)  # type: ignore[call-arg]

    def test_fetch_takes_its_old_name(self, tmp_path: Any) -> None:
        with pytest.warns(DeprecationWarning, match=r"fetch\(show_progress=\.\.\.\) is now progress="):
            ci.fetch_returns(years=["2019-20"], dest=tmp_path, offline=True, show_progress=False)  # type: ignore[call-arg]
