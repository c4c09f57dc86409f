"""Checks of options that several estimators share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clsimpact.design import Design
from clsimpact.errors import DesignError, did_you_mean

__all__ = ["require_choice", "require_design", "require_unit_effects", "require_whole"]


def require_design(design: object, estimator: str) -> None:
    """Refuse anything in place of a design: a table, say."""
    if not isinstance(design, Design):
        raise DesignError(
            f"{estimator} takes a design, not a {type(design).__name__}.",
            repair=f"Say who is compared with whom: {estimator}(Design(table, outcome=..., unit=..., "
            "time=..., cohort=...)).",
        )


def require_unit_effects(design: Design, estimator: str) -> None:
    """Refuse a design with effects of another column than the unit."""
    if design.effects != "unit":
        raise DesignError(
            f"{estimator} compares each unit with itself and cannot use effects={design.effects!r}.",
            repair="Leave effects out of Design, or use twfe or event_study.",
        )


def require_choice(name: str, value: object, known: Sequence[str]) -> None:
    """Refuse an option that is not one of ``known``."""
    if value not in known:
        raise DesignError(
            f"{name} is {value!r}{did_you_mean(str(value), known)}.",
            repair=f"Use one of {', '.join(repr(word) for word in known)}.",
        )


def require_whole(name: str, value: object, *, least: int) -> None:
    """Refuse what is neither None nor a whole number of at least ``least``."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if value is not None and (not whole or int(value) < least):  # type: ignore[call-overload]
        raise DesignError(
            f"{name} is {value!r}; a whole number of at least {least} is needed.",
            repair=f"Leave {name} out for all that there are.",
        )
