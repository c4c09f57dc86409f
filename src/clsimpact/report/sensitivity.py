"""How far the spending estimate depends on choices that a careful reader would question."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any, Final

import pandas as pd

from clsimpact.design import Design
from clsimpact.errors import SampleWarning
from clsimpact.estimators.twfe import twfe
from clsimpact.panel import load_panel
from clsimpact.treatment import load_adoption, tag_adoption

__all__ = ["sensitivity_table"]

_USUAL: Final[Mapping[str, str]] = {
    "date": "adoption_year", "part_year": "first_exposed", "undated": "drop", "always_treated": "drop",
}  # fmt: skip
_WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "date": {
        "adoption_year": "best date",
        "earliest": "earliest date that the evidence allows",
        "latest": "latest date that the evidence allows",
    },
    "part_year": {"first_exposed": "first exposed year", "first_full": "first full year after adoption"},
    "undated": {
        "drop": "undated adopters dropped",
        "control": "undated adopters as controls",
        "treated_from_latest": "undated adopters treated from the latest possible year",
    },
}
_MAIN: Final = "main: best date, first exposed year, undated and always treated dropped"
_TINY: Final = ("E09000001", "E06000053")
_SAMPLES: Final[Mapping[str, Callable[[pd.DataFrame], pd.DataFrame]]] = {
    "without 2020-21": lambda panel: panel[panel["year"] != 2020],
    "without 2020-21 and 2021-22": lambda panel: panel[panel["year"] < 2020],
    "without City of London and Isles of Scilly": lambda panel: panel[~panel["ons_code"].isin(_TINY)],
}


def sensitivity_table(
    outcome: str = "gce_per_adult",
    *,
    panel: pd.DataFrame | None = None,
    adoption: pd.DataFrame | None = None,
    base: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Estimate the static effect under alternative choices.

    Parameters
    ----------
    outcome
        Outcome column of the panel.
    panel, adoption
        By default the official panel and the committed list of adopters.
    base
        How adopters are tagged in the first row (:func:`clsimpact.tag_adoption`); others change one choice.

    Returns
    -------
    pandas.DataFrame
        ``choice, estimate, conf_low, conf_high, p_value, treated, councils, rows``: two-way fixed effects
        with the inference that the number of adopters calls for, in the outcome's unit.

    Raises
    ------
    PanelError
        If the panel has no such column.
    DesignError
        If a choice leaves nothing to compare.

    Examples
    --------
    >>> len(sensitivity_table())
    11
    """
    dropped = load_panel(boundaries="drop") if panel is None else None
    panel = load_panel() if panel is None else panel
    adoption = load_adoption() if adoption is None else adoption
    chosen: Any = {**_USUAL, **(base or {})}
    main = tag_adoption(panel, adoption, **chosen)
    rows = [_row(_main_words(chosen), main, outcome)]
    for key, options in _WORDS.items():
        for option, words in options.items():
            if option != chosen[key]:
                rows.append(_row(words, tag_adoption(panel, adoption, **{**chosen, key: option}), outcome))
    rows += [_row(name, keep(main), outcome) for name, keep in _SAMPLES.items()]
    if dropped is not None:
        words = "areas that changed boundaries dropped"
        rows.append(_row(words, tag_adoption(dropped, adoption, **chosen), outcome))
    words = "region and adopter-cohort effects in place of council effects"
    rows.append(_row(words, main, outcome, effects="region"))
    return pd.DataFrame(rows)


def _main_words(chosen: Mapping[str, str]) -> str:
    """Say in words what the first row rests on."""
    if dict(chosen) == dict(_USUAL):
        return _MAIN
    words = [options[chosen[key]] for key, options in _WORDS.items()]
    always = "dropped" if chosen["always_treated"] == "drop" else "kept"
    return f"main: {', '.join(words)}, always treated {always}"


def _row(name: str, tagged: pd.DataFrame, outcome: str, *, effects: str = "unit") -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SampleWarning)
        design = Design(
            tagged, outcome=outcome, unit="ons_code", time="year", cohort="adoption_year", effects=effects
        )
        fit = twfe(design)
    row = fit.overall.iloc[0]
    return {
        "choice": name,
        **{key: float(row[key]) for key in ("estimate", "conf_low", "conf_high", "p_value")},
        "treated": fit.design.n_treated,
        "councils": len(fit.design.units),
        "rows": fit.design.n_obs,
    }
