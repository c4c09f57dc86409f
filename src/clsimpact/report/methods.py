"""The section on methods: what is estimated, by which equation, with which intervals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from clsimpact.report.document import Block, Equation, Heading, paragraph
from clsimpact.report.ledger import Ledger
from clsimpact.report.study import Study

__all__ = ["ESTIMATOR_WORDS", "method_blocks"]

_EVENT_STUDY: Final = Equation(
    r"y_{it} = \alpha_i + \lambda_t + \sum_{e \neq -1} \beta_e \, 1[t - g_i = e] + \varepsilon_{it}",
    "y_(i t) = alpha_i + lambda_t + sum_(e != -1) beta_e thin bold(1)[t - g_i = e] + epsilon_(i t)",
    "The outcome of unit i in year t is a unit effect plus a year effect plus, for each event time e "
    "except the reference, beta e for units that are e years from adoption, plus an error.",
)
_AVERAGE: Final = Equation(
    r"\theta_W = \frac{1}{|W|} \sum_{e \in W} \beta_e",
    "theta_W = 1 / abs(W) sum_(e in W) beta_e",
    "Theta of a window is the mean of beta over the event times of the window.",
)
_PERMUTATION: Final = Equation(
    r"p = \frac{1 + \#\{b : |t_b| \ge |t|\}}{1 + B}",
    "p = (1 + \\#{b : abs(t_b) >= abs(t)}) / (1 + B)",
    "The p-value is one plus the number of re-assignments whose studentised statistic is at least as "
    "large, over one plus the number of re-assignments.",
)
_GROUP_TIME: Final = Equation(
    r"ATT(g,t) = E[Y_t - Y_{g-1} \mid G = g] - E[Y_t - Y_{g-1} \mid C]",
    '"ATT"(g, t) = E[Y_t - Y_(g - 1) | G = g] - E[Y_t - Y_(g - 1) | C]',
    "The effect on cohort g in year t is the mean change of the cohort since the year before adoption, "
    "less that of the comparison units.",
)
ESTIMATOR_WORDS: Final = {
    "event_study": "two-way fixed effects with event times",
    "group_time": "group-time effects (Callaway and Sant'Anna)",
    "imputation": "imputation (Borusyak, Jaravel and Spiess)",
    "sun_abraham": "interaction-weighted effects (Sun and Abraham)",
    "two_stage": "two stages (Gardner)",
    "extended_twfe": "extended two-way fixed effects (Wooldridge)",
    "stacked": "stacked comparisons (Wing, Freedman and Hollingsworth)",
    "local_projection": "local projections (Dube, Girardi, Jordà and Taylor)",
    "did_m": "switchers against stayers (de Chaisemartin and D'Haultfœuille)",
}


def method_blocks(study: Study, ledger: Ledger) -> list[Block]:
    """Return the section on methods.

    Parameters
    ----------
    study
        What was asked.
    ledger
        With the rows of settings: level, margin share, re-assignments and seed.

    Returns
    -------
    list
        Blocks.
    """

    def say(text: str) -> Block:
        return paragraph(text, ledger)

    beside = "; ".join(ESTIMATOR_WORDS[name] for name in study.beside)
    blocks: list[Block] = [
        Heading("Methods", "methods"),
        say(f"Claims are judged by {ESTIMATOR_WORDS[study.estimator]}."),
        *_model(study, say),
        say(
            "A claim speaks of a window of event times; its effect there is the mean over the event "
            "times that the data identify, each counting once."
        ),
        _AVERAGE,
    ]
    if beside:
        blocks += [
            say(f"Beside it: {beside}. They do not compare adopters with earlier adopters."),
            _GROUP_TIME,
        ]
    blocks += [
        say(
            "Intervals hold at {{setting-level}}. By default the number of adopters decides how they are "
            "made, from a table of measured sizes: with few adopters adoption is re-assigned among units "
            "({{setting-draws}} times, seed {{setting-seed}}) and the studentised statistic compared. "
            "The ledger says for each number what was chosen and why."
        ),
        _PERMUTATION,
        say(
            "No difference and no increase are never read from a test that fails to reject. They are "
            "said where the interval excludes a difference that matters: the margin stated for the "
            "outcome, or {{setting-margin-share}} of its mean among comparison units. These margins are "
            "ours."
        ),
    ]
    return blocks


def _model(study: Study, say: Callable[[str], Block]) -> list[Block]:
    if study.estimator == "event_study":
        return [
            _EVENT_STUDY,
            say(
                "Effects are measured from the last year with figures before adoption. Two-way fixed "
                "effects mixes cohorts where their effects differ; the estimators beside it show by how "
                "much that matters."
            ),
        ]
    return [say("Its equation, assumption and variance are on its page in docs/methodology of the project.")]
