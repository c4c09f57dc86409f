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

_CHOICES: Final[Mapping[str, Mapping[str, Any]]] = {
    "main: best date, first exposed year, undated and always treated dropped": {},
    "earliest date that the evidence allows": {"date": "earliest"},
    "latest date that the evidence allows": {"date": "latest"},
    "first full year after adoption": {"part_year": "first_full"},
    "undated adopters as controls": {"undated": "control"},
    "undated adopters treated from the latest possible year": {"undated": "treated_from_latest"},
}
_TINY: Final = ("E09000001", "E06000053")
_SAMPLES: Final[Mapping[str, Callable[[pd.DataFrame], pd.DataFrame]]] = {
    "without 2020-21": lambda panel: panel[panel["year"] != 2020],
    "without 2020-21 and 2021-22": lambda panel: panel[panel["year"] < 2020],
    "without City of London and Isles of Scilly": lambda panel: panel[~panel["ons_code"].isin(_TINY)],
}


def sensitivity_table(outcome: str = "gce_per_adult") -> pd.DataFrame:
    """Estimate the static effect under alternative choices.

    Parameters
    ----------
    outcome
        Outcome column of the panel.

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
    panel, adoption = load_panel(), load_adoption()
    rows = [_row(name, tag_adoption(panel, adoption, **choice), outcome) for name, choice in _CHOICES.items()]
    main = tag_adoption(panel, adoption)
    rows += [_row(name, keep(main), outcome) for name, keep in _SAMPLES.items()]
    unchanged = tag_adoption(load_panel(boundaries="drop"), adoption)
    rows.append(_row("areas that changed boundaries dropped", unchanged, outcome))
    words = "region and adopter-cohort effects in place of council effects"
    rows.append(_row(words, main, outcome, effects="region"))
    return pd.DataFrame(rows)


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
