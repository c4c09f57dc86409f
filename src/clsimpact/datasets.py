"""Example data that ship with the library, for examples and tests that need no network."""

from __future__ import annotations

import io
from importlib import resources
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from clsimpact.design import Design

__all__ = ["example_design", "load_mpdta"]


def load_mpdta() -> pd.DataFrame:
    """County teen employment in the United States, 2003-2007: the textbook staggered panel.

    500 counties over five years; 191 raised their minimum wage above the federal one in 2004 (20), 2006 (40)
    or 2007 (131), and 309 did not. The data of Callaway and Sant'Anna (2021), "Difference-in-Differences with
    multiple time periods", Journal of Econometrics (doi 10.1016/j.jeconom.2020.12.001), as they ship with the
    R package ``did`` under the name ``mpdta``; columns renamed, the redundant ``treat`` left out.

    Returns
    -------
    pandas.DataFrame
        2,500 rows sorted by county and year: ``county`` (identifier), ``year``, ``lemp`` (log of teen
        employment), ``lpop`` (log of population in thousands), ``first_treat`` (year of the first increase;
        0 = never). ``attrs`` hold labels, units and the source line.

    Examples
    --------
    >>> panel = load_mpdta()
    >>> panel.shape
    (2500, 5)
    >>> panel["first_treat"].value_counts().sort_index().div(5).astype(int).to_dict()
    {0: 309, 2004: 20, 2006: 40, 2007: 131}
    """
    packaged = resources.files("clsimpact") / "data_examples" / "mpdta.parquet"
    panel = pd.read_parquet(io.BytesIO(packaged.read_bytes()))
    panel.attrs["source_line"] = "Source: Callaway and Sant'Anna (2021), data set mpdta."
    panel.attrs["columns"] = {
        "lemp": {"label": "Teen employment", "unit": "log points"},
        "lpop": {"label": "Population", "unit": "log of thousands"},
    }
    return panel


def example_design() -> Design:
    """Return the design of the textbook panel, as the examples of the library use it.

    Returns
    -------
    Design
        Of `load_mpdta`: log teen employment by county and year, cohorts of the first minimum-wage increase.

    Examples
    --------
    >>> example_design()
    Design of lemp: 500 units (191 treated, 309 never treated), 5 periods 2003-2007, 2500 rows
    """
    from clsimpact.design import Design

    return Design(load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat")
