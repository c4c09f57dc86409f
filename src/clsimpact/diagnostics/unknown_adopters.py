r"""Unknown adopters among the controls: how many, with what effect, would change the conclusion.

A control that adopted unknown to the analyst carries an effect of its own. For an estimate that is linear
in the outcomes (module ``_exposure``) :math:`m` of :math:`N` controls with effect :math:`\delta`, drawn at
random with dates like those of the known adopters, move it on average by :math:`-\delta\kappa m/N`. So

- with the *same* effect as known adopters the estimate is too small by the factor :math:`1-\kappa m/N`, and
  estimate and interval are corrected by dividing by it: no such number turns a sign or takes zero out of an
  interval;
- with another effect :math:`\delta` the corrected estimate is :math:`\hat\tau+\delta\kappa m/N`, the
  tipping table.

Beside the mean over random draws stands the worst case: the controls, and the date, that matter most.

*Holds*: an effect told from zero would need more than ``PLAUSIBLE`` of the controls to be unknown adopters
with an effect as large and opposite before its interval reached zero; or an effect within the margin stays
within it when corrected for that share. *Does not hold*: less is enough. *Cannot tell*: the estimate is
neither told from zero nor known to lie within a margin, so there is no conclusion that contamination could
change. The data do not show unknown adopters: the check says how much their number matters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from clsimpact._check import number, plural
from clsimpact.diagnostics._adoption_list import is_council
from clsimpact.diagnostics._conclusion import within
from clsimpact.diagnostics._contaminated import PLAUSIBLE, SHARES, SIMILAR, Contaminated
from clsimpact.diagnostics._exposure import Exposure, exposure_of
from clsimpact.diagnostics._placebo import margin_advice
from clsimpact.diagnostics.registry import Check
from clsimpact.diagnostics.result import Advice, Found, Verdict
from clsimpact.diagnostics.setting import Setting
from clsimpact.errors import DesignError
from clsimpact.plots._figure import EventStudyFigure
from clsimpact.plots.forest import forest_figure

__all__ = ["CHECK"]


def run(setting: Setting) -> Found:
    """Say what unknown adopters would do to estimate, interval and conclusion."""
    if not setting.effect.known:
        raise DesignError(
            "The result has no interval, so no conclusion that unknown adopters could change.",
            repair="See the reasons in fit.summary().",
        )
    return _Told(Contaminated(setting, exposure_of(setting.design, setting.point))).found()


@dataclass(frozen=True, eq=False)
class _Told:
    """What contaminated controls do, in words, advice and a figure."""

    known: Contaminated

    @property
    def setting(self) -> Setting:
        return self.known.setting

    @property
    def exposure(self) -> Exposure:
        return self.known.exposure

    @property
    def verdict(self) -> Verdict:
        return self.known.verdict

    def found(self) -> Found:
        """Return the verdict with everything behind it."""
        table = self.known.table()
        words = " ".join(filter(None, (self.same_words(), self.tipping_words(), self.council_words())))
        advice = () if self.verdict == "holds" else self.advice()
        return Found(self.verdict, words, self.known.numbers(), table, advice, lambda: self.draw(table))

    def same_words(self) -> str:
        """Say what unknown adopters with the same effect do."""
        setting, effect, n = self.setting, self.setting.effect, self.exposure.n
        estimate, low, high = self.known.corrected(PLAUSIBLE)
        head = (
            f"If {self.known.counted(PLAUSIBLE)} of the {n} {setting.word}s taken as untreated "
            f"({PLAUSIBLE:.0%}) were unknown adopters, at random, at dates like the known ones and with the "
            "same effect, the estimate would show"
        )
        if not np.isfinite(estimate):
            return f"{head} nothing of it."
        return (
            f"{head} {self.known.kept(PLAUSIBLE):.0%} of it: corrected, {setting.value(estimate)} "
            f"({number(low)} to {number(high)}) instead of {number(effect.estimate)} "
            f"({number(effect.low)} to {number(effect.high)})."
        )

    def tipping_words(self) -> str:
        """Say how many, with what effect, would change the conclusion."""
        effect, delta = self.setting.effect, number(self.known.against[0])
        if effect.clear:
            return (
                "Such adopters make an effect look small and cannot have made this one; for its interval "
                f"to reach zero it takes {self.count_words()} with the opposite effect, {delta} each."
            )
        return (
            "Both ends of the interval grow alike, so no number of them turns 'not told from zero'; it takes "
            f"{self.count_words()} with an effect of {delta} each, the far end of the interval, to hide a "
            f"difference from zero. {self.margin_words()}"
        )

    def margin_words(self) -> str:
        """Say what the margin makes of it."""
        effect, margin = self.setting.effect, self.setting.margin
        if margin is None:
            return "Whether the wider interval matters cannot be said without a margin."
        if not within(effect, margin):
            return f"The interval exceeds the margin of {number(margin)} even if no control is one."
        seen = "stays within" if self.verdict == "holds" else "leaves"
        return f"The corrected interval {seen} the margin of {number(margin)}."

    def count_words(self) -> str:
        """Write how many controls it takes, at random and at worst."""
        n, (random, worst) = self.exposure.n, self.known.tipping
        if random > n:
            text = f"more than all {n} of them"
        else:
            count = int(np.ceil(random))
            text = f"{count} of {n} ({count / n:.0%}) at random"
        if np.isfinite(worst) and worst < min(np.ceil(random), n + 1):
            counts = "one that counts" if worst == 1 else f"{int(worst)} that count"
            return f"{text} (at worst the {counts} most, at the date that does)"
        return text

    def council_words(self) -> str:
        """Say what is known of English councils."""
        if not is_council(self.setting.design):
            return ""
        share = min(SIMILAR / self.exposure.n, 1)
        return (
            f"For scale: more than {SIMILAR} English councils tried a similar programme, Three "
            "Conversations: "
            f"{share:.0%} of the controls, if all are among them."
        )

    def advice(self) -> tuple[Advice, ...]:
        """Say how to do without controls of unknown status, or how to state a margin."""
        design, out = self.setting.design, []
        if self.verdict == "cannot tell" and self.setting.margin is None:
            out.append(margin_advice(self.setting, "unknown_adopters"))
        if len(design.cohort_sizes) > 1:
            code = (
                "ci.group_time(design.restrict(~np.isnan(design.cohorts), reason='known adopters only'), "
                "control='not_yet').summary()"
            )
            out.append(
                Advice("Compare known adopters with those that adopt later: their status is known.", code)
            )
        if not out:
            word = self.setting.word
            text = f"Find out which of the {self.exposure.n} {word}s taken as untreated had such a programme."
            out.append(Advice(text, "np.array(design.unit_names, dtype=object)[~design.in_window].tolist()"))
        return tuple(out)

    def draw(self, table: pd.DataFrame) -> EventStudyFigure:
        """Draw estimate and interval corrected for unknown adopters."""
        title = {
            "holds": "Unknown adopters in plausible numbers would not change the conclusion",
            "does not hold": "A plausible number of unknown adopters would change the conclusion",
            "cannot tell": "Unknown adopters would hide part of an effect",
        }[self.verdict]
        least = self.known.counted(SHARES[1])
        drawn = table[table["effect"].isna() | (table["contaminated"] >= least)]
        lines = drawn.assign(label=self.labels(drawn), marked=drawn["effect"].notna())
        return forest_figure(
            lines[["label", "estimate", "conf_low", "conf_high", "marked"]],
            design=self.setting.design,
            title=title,
            subtitle=f"Overall effect if so many of {self.exposure.n} controls were unknown adopters, at "
            "random; "
            f"{100 * self.setting.estimate.level:.4g}% intervals; dashed: as estimated",
            reference=self.setting.effect.estimate,
        )

    def labels(self, table: pd.DataFrame) -> list[str]:
        """Return the words of each line: how many, with what effect."""
        out = []
        for m, effect in zip(table["contaminated"].tolist(), table["effect"].tolist(), strict=True):
            size = "the same" if np.isnan(effect) else number(effect)
            out.append(f"{plural(int(m), self.setting.word)}, effect {size}" if m else "as estimated")
        return out


CHECK = Check(
    name="unknown_adopters",
    title="Unknown adopters among the controls",
    question="How many unknown adopters, with what effect, would change the conclusion?",
    threat="A list of adopters is rarely complete: controls that adopted too pull the estimate towards zero.",
    stage="fit",
    source="Lewbel 2007, doi 10.1111/j.1468-0262.2006.00756.x; Denteh and Kédagni 2022, arXiv 2207.11890 "
    "(misclassified treatment)",
    run=run,
)
