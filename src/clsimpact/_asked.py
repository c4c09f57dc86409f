"""What a user asks for, at the door: a result, a number, a level, weights; refused in words if it is none."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from numbers import Real
from typing import Any, Final

from clsimpact.errors import DesignError

__all__ = ["is_number", "kind_of", "level_problem", "require_result", "weights_of"]


_PLAIN: Final = {"ndarray": "array", "Series": "column (Series)", "Axes": "set of axes", "str": "text"}
"""What some kinds are called in a message."""


def is_number(value: Any) -> bool:
    """Say whether a value is a finite number, and no truth value.

    Examples
    --------
    >>> is_number(0.5), is_number("0.5"), is_number(True)
    (True, False, False)
    """
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def kind_of(value: object) -> str:
    """Say what a value is: itself if it is short, else its kind.

    Examples
    --------
    >>> kind_of(3), kind_of({"a": 1})
    ('3', 'a dict')
    """
    if value is None or isinstance(value, str | int | float):
        return repr(value)
    name = _PLAIN.get(type(value).__name__, type(value).__name__)
    return f"an {name}" if name[0] in "AEIOUaeiou" else f"a {name}"


def level_problem(level: Any) -> str:
    """Say what is wrong with a confidence level, or nothing.

    Examples
    --------
    >>> level_problem(0.95), level_problem(0.05)
    ('', 'level is 0.05; a level of 0.5 or more is needed (did you mean 0.95?)')
    """
    if not is_number(level) or not 0 < level < 1:
        return f"level is {kind_of(level)}; a number between 0 and 1 is needed"
    if level < 0.5:
        return f"level is {float(level):g}; a level of 0.5 or more is needed (did you mean {1 - level:g}?)"
    return ""


def require_result(fit: object, function: str) -> None:
    """Refuse what is no result of an estimator: a design or a table, say."""
    if not hasattr(fit, "terms"):
        raise DesignError(
            f"{function} takes a result, not {kind_of(fit)}.",
            repair=f"Estimate first: {function}(event_study(design)).",
        )


def weights_of(weights: Any, example: str) -> dict[Hashable, float]:
    """Return weights by name as plain numbers, or raise `DesignError`.

    Parameters
    ----------
    weights
        A mapping, or a pandas Series.
    example
        How such weights are written.

    Examples
    --------
    >>> weights_of({"e=0": 1}, "{'e=0': 0.5}")
    {'e=0': 1.0}
    """
    named = isinstance(weights, Mapping) or type(weights).__name__ == "Series"
    if not named:
        raise DesignError(
            f"The weights are {kind_of(weights)}, which does not say what each belongs to.",
            repair=f"Give each weight with its name: {example}.",
        )
    wrong = [
        f"{key!r}: {kind_of(value)} is no number" for key, value in weights.items() if not is_number(value)
    ]
    if wrong:
        raise DesignError("The weights are not all numbers.", wrong, repair=f"Write them as {example}.")
    return {key: float(value) for key, value in weights.items()}
