"""What the spending estimate rests on: every check, as a page, as values, and as figures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from clsimpact.diagnostics.report import CheckReport
from clsimpact.results import Estimate
from clsimpact.store import write_bytes, write_csv
from clsimpact.treatment import load_adoption

__all__ = ["PAGE", "spending_checks", "write_checks"]

PAGE = "how-this-could-be-wrong.md"
"""Name of the page, here and in docs/."""


def spending_checks(
    fit: Estimate, panel: pd.DataFrame, tagged: pd.DataFrame, margin_share: float
) -> CheckReport:
    """Run every check on the spending estimate.

    Parameters
    ----------
    fit
        The event study of spending per adult.
    panel
        The panel with all councils, adopters without a date included.
    tagged
        The panel that was estimated.
    margin_share
        What is too small to matter, as a share of the outcome's mean among comparison councils.
    """
    outcome = fit.design.outcome
    margin = margin_share * float(tagged.loc[tagged["adoption_year"].isna(), outcome].mean())
    return fit.check(data=panel, adoption=load_adoption(), margin=margin)


def write_checks(found: CheckReport, folder: Path) -> Iterator[str]:
    """Write page, values, table and figures, and return their names."""
    (folder / "checks").mkdir(parents=True, exist_ok=True)
    (folder / "tables").mkdir(parents=True, exist_ok=True)
    write_bytes(folder / PAGE, found.to_markdown().encode())
    values = json.dumps(found.to_dict(), indent=1, ensure_ascii=False, allow_nan=False)
    write_bytes(folder / "checks.json", f"{values}\n".encode())
    write_csv(found.tidy(), folder / "tables" / "checks.csv")
    yield from (PAGE, "checks.json", "tables/checks.csv")
    for result in found:
        if result.found.draw is None:
            continue
        figure = result.plot()
        for suffix in ("svg", "png"):
            figure.save(folder / "checks" / f"{result.name}.{suffix}")
            yield f"checks/{result.name}.{suffix}"
        write_bytes(folder / "checks" / f"{result.name}.txt", f"{figure.alt_text}\n".encode())
        yield f"checks/{result.name}.txt"
