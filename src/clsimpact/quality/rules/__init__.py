"""One rule a file; each looks, speaks, and changes nothing."""

from __future__ import annotations

from typing import Final

from clsimpact.quality._findings import Rule
from clsimpact.quality.rules import codes, jump, outlier, revised, rounding, submitted, suppressed
from clsimpact.quality.rules.breaks import ALLOCATION, LEVEL
from clsimpact.quality.rules.imputed import IMPUTED, TOTALS

__all__ = ["RULES"]

RULES: Final[tuple[Rule, ...]] = (
    submitted.RULE,
    suppressed.RULE,
    IMPUTED,
    TOTALS,
    revised.RULE,
    outlier.RULE,
    jump.RULE,
    LEVEL,
    ALLOCATION,
    rounding.RULE,
    codes.RULE,
)
"""Every rule, in the order of the report."""
