"""An effect, and what contaminated controls do to it: numbers only (formula in `_exposure`)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from clsimpact.diagnostics._adoption_list import is_council
from clsimpact.diagnostics._conclusion import within
from clsimpact.diagnostics._exposure import Exposure
from clsimpact.diagnostics.result import Number, Verdict
from clsimpact.diagnostics.setting import Setting

__all__ = ["PLAUSIBLE", "SHARES", "SIMILAR", "Contaminated"]

PLAUSIBLE = 0.20
"""Share of controls that may be unknown adopters. More than 25 of some 150 English councils, 17%, tried one
similar programme alone (Three Conversations), and fewer than half of the sites of Community Led Support are
known by name."""

SIMILAR = 25
"""Councils, at least, that tried that similar programme."""

SHARES = (0.05, 0.10, PLAUSIBLE)
"""Shares of contaminated controls in the tables."""

OPPOSITE = (-0.5, -1.0, -2.0)
"""Effects of unknown adopters, relative to an estimate told from zero, that would speak against it."""


@dataclass(frozen=True, eq=False)
class Contaminated:
    """An effect, and what contaminated controls do to it."""

    setting: Setting
    exposure: Exposure

    @property
    def against(self) -> tuple[float, float]:
        """Effect of unknown adopters that speaks against the conclusion, and the end at stake.

        An effect told from zero: one as large and opposite, and the end near zero. Else: one as large as the
        far end, which hides as much, and the end that would have to cross zero.
        """
        effect = self.setting.effect
        if effect.clear:
            return -effect.estimate, effect.low if effect.low > 0 else effect.high
        return (effect.high, effect.low) if effect.estimate >= 0 else (effect.low, effect.high)

    @cached_property
    def tipping(self) -> tuple[float, float]:
        """Contaminated controls that bring that end to zero: drawn at random, and the fewest at worst."""
        delta, end = self.against
        if delta == 0:
            return np.inf, np.inf
        return self.exposure.needed(abs(end / delta)), self.exposure.needed_at_worst(abs(end / delta))

    def kept(self, share: float) -> float:
        """Share of a common effect that the estimate shows."""
        return 1 - self.exposure.kappa * self.counted(share) / self.exposure.n

    def counted(self, share: float) -> int:
        """Return the number of controls of a share."""
        return max(1, round(share * self.exposure.n))

    def corrected(self, share: float) -> tuple[float, float, float]:
        """Estimate and interval if this share of controls had the same effect."""
        effect, kept = self.setting.effect, self.kept(share)
        if kept <= 0:
            return np.nan, np.nan, np.nan
        return effect.estimate / kept, effect.low / kept, effect.high / kept

    @cached_property
    def verdict(self) -> Verdict:
        """Whether a plausible share leaves the conclusion as it is."""
        effect, margin = self.setting.effect, self.setting.margin
        if effect.clear:
            return "holds" if self.tipping[0] > PLAUSIBLE * self.exposure.n else "does not hold"
        if not within(effect, margin) or margin is None:
            return "cannot tell"
        _, low, high = self.corrected(PLAUSIBLE)
        return "holds" if max(abs(low), abs(high)) <= margin else "does not hold"

    def numbers(self) -> dict[str, Number]:
        """Return the numbers behind the words."""
        random, worst = self.tipping
        m = self.counted(PLAUSIBLE)
        out: dict[str, Number] = {
            "controls": self.exposure.n,
            "kappa": self.exposure.kappa,
            "plausible_share": PLAUSIBLE,
            "plausible_controls": m,
            "estimate": self.setting.effect.estimate,
            "conf_low": self.setting.effect.low,
            "conf_high": self.setting.effect.high,
            "effect_against": self.against[0],
            "needed_at_random": random,
            "needed_share": random / self.exposure.n,
            "needed_at_worst": worst,
        }
        for share in SHARES:
            out[f"shown_at_{share:.0%}"] = self.kept(share)
        kept = 1 - self.exposure.worst(m)
        return out | {"shown_at_worst": kept, "sd_of_draw": self.exposure.spread(m)}

    def table(self) -> pd.DataFrame:
        """Return corrected estimates: the same effect, then others, by number of contaminated controls."""
        effect, exposure = self.setting.effect, self.exposure
        rows = [self.row("none", np.nan, 0, effect.estimate, effect.low, effect.high)]
        for m in self.sizes():
            kept = 1 - exposure.mean * m
            ends = np.array([effect.estimate, effect.low, effect.high]) / (kept if kept > 0 else np.nan)
            rows.append(self.row("the same", np.nan, m, *ends))
        for delta, words in self.effects():
            for m in self.sizes():
                shift = delta * exposure.mean * m
                ends = np.array([effect.estimate, effect.low, effect.high]) + shift
                rows.append(self.row(words, delta, m, *ends))
        return pd.DataFrame(rows)

    def row(
        self, words: str, delta: float, m: int, estimate: float, low: float, high: float
    ) -> dict[str, object]:
        """Return one row of the table; ``sd_of_draw`` is what the draw of controls adds."""
        size = self.setting.effect.estimate if np.isnan(delta) else delta
        row: dict[str, object] = {"unknown_effect": words, "effect": delta, "contaminated": m}
        row |= {"share": m / self.exposure.n, "estimate": estimate, "conf_low": low, "conf_high": high}
        return row | {
            "sd_of_draw": abs(size) * self.exposure.spread(m) if m else 0.0,
            "excludes_zero": bool(low > 0 or high < 0),
        }

    def sizes(self) -> list[int]:
        """Numbers of contaminated controls in the table."""
        known = {self.counted(share) for share in SHARES}
        if is_council(self.setting.design) and self.exposure.n > SIMILAR:
            known.add(SIMILAR)
        return sorted(known)

    def effects(self) -> list[tuple[float, str]]:
        """Effects of unknown adopters in the table."""
        effect, margin = self.setting.effect, self.setting.margin
        if effect.clear:
            return [(times * effect.estimate, f"{times:g} times the estimate") for times in OPPOSITE]
        out = [(effect.high, "the upper end"), (effect.low, "the lower end")]
        if margin is not None:
            out += [(margin, "the margin"), (-margin, "minus the margin")]
        return out
