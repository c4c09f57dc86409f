"""Estimating another design as a result was estimated."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from clsimpact.errors import DesignError

if TYPE_CHECKING:
    from clsimpact.design import Design
    from clsimpact.results import Estimate

__all__ = ["asked_again"]


def asked_again(fit: Estimate) -> Callable[[Design], Estimate]:
    """Return the function that estimates another design as a result was.

    Raises
    ------
    DesignError
        If the result does not know how.
    """
    if fit.again is None:
        raise DesignError(
            f"{fit.estimator} cannot be asked again.",
            repair="Use the result as an estimator of the library returned it.",
        )
    return fit.again
