r"""What is large enough to matter: one rule for all checks that ask whether a fault changes a conclusion.

With a margin, the margin. Without one, for the estimate with its interval :math:`[l, u]`:

.. math:: \min\{|l|, |u|\} \text{ if zero lies outside, but at most } (u - l) / 4 .

A bias as large as the distance from zero to the interval makes 'there is an effect' a chance finding, however
large the estimate is. A bias of a quarter of the width, about one standard error, leaves an interval of 95%
with a coverage of 83%; where zero lies inside, it alone is the rule.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from clsimpact._check import number

if TYPE_CHECKING:
    from clsimpact.diagnostics.setting import Setting

__all__ = ["QUARTER", "Matter", "matter_of"]

Floats = NDArray[np.float64]

QUARTER = 0.25
"""Share of the width of an interval that a bias may have."""


@dataclass(frozen=True)
class Matter:
    """What is large enough to matter.

    Attributes
    ----------
    size : float
        In the unit of the outcome; NaN where nothing says it.
    words : str
        What it is, with the number.
    given : bool
        Whether it is a margin that was given: then a fault within it is too small to matter even if it is
        certain.
    """

    size: float
    words: str
    given: bool = False

    def within(self, low: Floats | float, high: Floats | float) -> NDArray[np.bool_]:
        """Whether intervals leave no room for a fault of this size, each: two one-sided tests."""
        inside = (np.asarray(low) > -self.size) & (np.asarray(high) < self.size)
        return np.asarray(np.isfinite(self.size) & inside)

    def holds(self, low: Floats | float, high: Floats | float) -> bool:
        """Whether all of them do."""
        return bool(self.within(low, high).all())


def matter_of(setting: Setting) -> Matter:
    """Return the margin; else what brings a clear interval to zero, or a quarter of its width.

    Examples
    --------
    >>> from clsimpact.datasets import example_design
    >>> from clsimpact.diagnostics.setting import Setting
    >>> from clsimpact.estimators import twfe
    >>> fit = twfe(example_design())
    >>> matter_of(Setting(fit.design, fit, margin=0.02)).words
    'the margin of 0.02'
    """
    if setting.margin is not None:
        size = abs(setting.margin)
        return Matter(size, f"the margin of {number(size)}", given=True)
    effect = setting.effect
    if not effect.known:
        return Matter(np.nan, "")
    quarter = (effect.high - effect.low) * QUARTER
    reach = min(abs(effect.low), abs(effect.high))
    if effect.clear and reach < quarter:
        return Matter(reach, f"what would bring the interval of the effect to zero ({number(reach)})")
    return Matter(quarter, f"a quarter of the width of the interval of the effect ({number(quarter)})")
