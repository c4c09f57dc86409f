"""Which checks there are, in the order of the argument, and how they are run."""

from __future__ import annotations

import importlib
import re
import traceback
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import pandas as pd

from clsimpact import _explain
from clsimpact._asked import is_number, kind_of
from clsimpact._estimator_names import in_sentence
from clsimpact._progress import listener
from clsimpact.diagnostics.report import CheckReport
from clsimpact.diagnostics.result import Advice, CheckResult, Found
from clsimpact.diagnostics.setting import Setting
from clsimpact.errors import ClsimpactWarning, DesignError, did_you_mean, list_some
from clsimpact.inference.blocks import checked_draws

__all__ = ["Check", "all_checks", "checks", "run_checks"]

Stage = Literal["design", "fit"]
Need = Literal["data", "adoption", "neighbours"]

_MODULES: tuple[str, ...] = (
    "comparison_weights",
    "overlap",
    "precision",
    "pre_trends",
    "sensitivity",
    "estimators_agree",
    "anticipation",
    "placebo_dates",
    "placebo_outcomes",
    "placebo_adopters",
    "leave_one_out",
    "leave_one_cohort",
    "dropped_years",
    "adoption_dates",
    "undated_adopters",
    "unknown_adopters",
    "denominator",
    "recording",
    "matching",
    "regional_shocks",
    "spill_overs",
)
"""One check per module, in the order in which a careful reader asks."""

_NEEDS = {
    "data": ("the panel with its other columns", "data=data"),
    "adoption": ("the list of adopters with the dates that the evidence allows", "adoption=adoption"),
    "neighbours": ("pairs of neighbouring units", "neighbours=neighbours"),
}


@dataclass(frozen=True)
class Check:
    """A check that can be run.

    Attributes
    ----------
    name : str
        What it is asked for by.
    title : str
    question : str
        What it tests, as a question.
    threat : str
        What goes wrong where it does not hold, in one sentence.
    stage : str
        ``"design"``: before any result is looked at; ``"fit"``: on a result.
    source : str
        Where the method is from.
    run : callable
        From a `Setting` to a `Found`.
    needs : tuple of str
        What the user has to hand over.
    """

    name: str
    title: str
    question: str
    threat: str
    stage: Stage
    source: str
    run: Callable[[Setting], Found]
    needs: tuple[Need, ...] = ()


@cache
def all_checks() -> dict[str, Check]:
    """Return every check by name, in order.

    Examples
    --------
    >>> list(all_checks())[3]
    'pre_trends'
    """
    found = [importlib.import_module(f"clsimpact.diagnostics.{name}").CHECK for name in _MODULES]
    return {check.name: check for check in found}


def checks() -> pd.DataFrame:
    """List the checks of a design and of a result: what each asks, and where its method is from.

    Returns
    -------
    pandas.DataFrame
        ``name, stage, title, question, threat, needs, source``. Those of stage ``design`` are run by
        ``design.check()``, all by ``fit.check()``; ``needs`` says what must be handed over.

    Examples
    --------
    >>> table = checks()
    >>> table.loc[table["stage"] == "design", "name"].tolist()
    ['comparison_weights', 'overlap', 'precision']
    """
    rows = [
        {
            "name": check.name,
            "stage": check.stage,
            "title": check.title,
            "question": check.question,
            "threat": check.threat,
            "needs": ", ".join(check.needs),
            "source": check.source,
        }
        for check in all_checks().values()
    ]
    return pd.DataFrame(rows)


def run_checks(
    setting: Setting,
    names: str | Iterable[str] | None,
    facts: Sequence[tuple[str, str]],
    *,
    progress: bool = False,
) -> CheckReport:
    """Run some checks, or all of the stage, and return what they say.

    Raises
    ------
    DesignError
        Unknown names, or checks of a result asked of a design; a margin that is no number above zero, or
        too few draws.
    """
    _check_numbers(setting)
    chosen = _chosen(setting, names)
    tell = listener(progress) or (lambda *_: None)
    results = []
    for done, check in enumerate(chosen, start=1):
        results.append(_run(check, setting))
        tell(check.title, done, len(chosen))
    design = setting.design
    what = in_sentence(setting.fit.estimator) if setting.fit else "design"
    subject = f"{what} of {_explain.in_sentence(design.outcome_label)}"
    return CheckReport(subject, design.simulated, tuple(facts), tuple(results), design.source)


def _check_numbers(setting: Setting) -> None:
    """Refuse a margin and draws that every check would stumble over, or take for something else."""
    checked_draws(setting.draws, setting.seed)
    margin = setting.margin
    if margin is None or (is_number(margin) and margin > 0):
        return
    raise DesignError(
        f"margin is {kind_of(margin)}; a number above 0 is needed.",
        repair="Give what is too small to matter as a number in the unit of the outcome, such as margin=20; "
        "a share of a mean has to be multiplied out.",
    )


def _chosen(setting: Setting, names: str | Iterable[str] | None) -> list[Check]:
    known = all_checks()
    stages = ("design",) if setting.fit is None else ("design", "fit")
    if names is None:
        return [check for check in known.values() if check.stage in stages]
    wanted = [names] if isinstance(names, str) else list(names)
    if not wanted:
        raise DesignError(
            "No check is named: the list of names is empty.",
            repair=f"Leave it out for all checks, or name some: {list_some(known, 40)}.",
        )
    problems = [
        f"{name!r} is no check{did_you_mean(str(name), list(known))}" for name in wanted if name not in known
    ]
    late = [name for name in wanted if name in known and known[name].stage not in stages]
    problems += [f"{name!r} needs a result: fit.check({name!r})" for name in late]
    if problems:
        raise DesignError("These checks cannot be run.", problems, repair=f"Checks: {list_some(known, 40)}.")
    return [known[name] for name in wanted]


def _run(check: Check, setting: Setting) -> CheckResult:
    lacking = [need for need in check.needs if getattr(setting, need) is None]
    if lacking:
        found = _lacking(check, lacking)
    else:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ClsimpactWarning)
                found = check.run(setting)
        except DesignError as error:
            found = _refused(check, error)
        except Exception as error:  # one check must not take the others down; its own function still raises
            found = _broken(error)
    about = (check.name, check.title, check.question, check.threat, check.source)
    return CheckResult(*about, found, setting.design.source)


def _lacking(check: Check, lacking: Sequence[str]) -> Found:
    """Say what has to be handed over."""
    words = " and ".join(_NEEDS[need][0] for need in lacking)
    given = ", ".join(_NEEDS[need][1] for need in check.needs)
    advice = Advice(f"Hand over {words}.", f'{_subject(check)}.check("{check.name}", {given})')
    return Found("cannot tell", f"Not run: {words} was not given.", advice=(advice,))


_CALL = re.compile(
    r"\bfit\.\w+\((?:[\"'][\w-]+[\"'])?\)|\bci\.\w+\(design(?:, \w+=(?:[\"'][\w-]+[\"']|\d+))*\)"
)
"""Code in the words of a repair."""


def _refused(check: Check, error: DesignError) -> Found:
    """Say why a check could not be run; the code is that of the repair, else shows what was checked."""
    text = " ".join([error.summary, *(f"({problem})" for problem in error.problems[:3])])
    named = _CALL.search(error.repair)
    shown = "print(design)" if check.stage == "design" else "print(fit.summary())"
    code = named.group() if named and check.stage == "fit" else shown
    return Found(
        "cannot tell",
        f"Could not be run: {text}",
        advice=(Advice(error.repair or "Look at the sample and how it was estimated.", code),),
    )


def _broken(error: Exception) -> Found:
    """Say that a check failed for a reason that it does not know: that is a fault of the library."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    said = str(error).strip().partition("\n")[0].rstrip(".")
    text = f"{type(error).__name__}{f' ({said})' if said else ''}"
    return Found(
        "cannot tell",
        f"Could not be run: an internal error, {text}, at line {place.lineno} of "
        f"{Path(place.filename).name}.",
        advice=(
            Advice(
                "Report it with these versions: a fault of the check, which says nothing about the data.",
                "print(ci.__version__, np.__version__, pd.__version__)",
            ),
        ),
    )


def _subject(check: Check) -> str:
    return "design" if check.stage == "design" else "fit"
