"""Conley and Taber, Ferman and Pinto by StatsPAI on the merit-aid panel of Conley and Taber (2011).

Writes `tests/reference/merit_aid_statspai.csv`. Georgia alone: with one adopter every placebo is enumerated,
and StatsPAI's statistics are those of the papers; with several it draws controls without replacement.
``constant``, ``slope`` and ``var_treated`` are the variance by size and its value at Georgia's size.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pandas as pd

GEORGIA = 58
FOLDER = Path(__file__).parents[1] / "reference"


def georgia_alone() -> pd.DataFrame:
    """Shares in college by state and year: Georgia and the states without a programme."""
    panel = pd.read_csv(FOLDER / "merit_aid.csv", comment="#")
    panel = panel[(panel["first_year"] == 0) | (panel["state"] == GEORGIA)]
    adopted = (panel["first_year"] > 0) & (panel["year"] >= panel["first_year"])
    return panel.assign(share=panel["college"] / panel["people"], d=adopted.astype(int))


def by_statspai(method: str) -> Iterator[tuple[str, float]]:
    import statspai as sp

    found = sp.did_few_treated(
        georgia_alone(), y="share", id="state", time="year", treat="d", method=method, group_size="people"
    )
    yield "estimate", float(found.estimate)
    yield "p_value", float(found.pvalue)
    for fit in (found.model_info["variance_function"] or {}).values():
        yield "constant", float(fit["A"])
        yield "slope", float(fit["B"])
        yield "var_treated", float(fit["var_treated"])


def main() -> None:
    rows = [
        (method, term, repr(value), "StatsPAI", version("StatsPAI"))
        for method in ("conley_taber", "ferman_pinto")
        for term, value in by_statspai(method)
    ]
    table = pd.DataFrame(rows, columns=["method", "term", "value", "package", "version"])
    table.to_csv(FOLDER / "merit_aid_statspai.csv", index=False, lineterminator="\n")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
