"""How much of a return is withheld because counts are small, and which outcomes that hits."""

from __future__ import annotations

from typing import Any, Final

import pandas as pd

from clsimpact.errors import list_some
from clsimpact.quality._findings import Found, Rule, as_findings, each
from clsimpact.quality._material import Material

__all__ = ["RULE"]

HALF: Final = 0.5
"""From half of the cells on, most breakdowns of the council cannot be used at all."""
_PRISON: Final = "sequel_prison"
"""Nearly every council's count is small: to name it each time would hide the others."""


def _find(material: Material) -> Found:
    table = material.coverage
    table = table[table["given"] > 0]
    share = table["suppressed"] / table["given"]
    usual = share.groupby([table["return_"], table["year"]]).transform("median")
    table = table.assign(value=share, reference=usual)
    hit = _parts_hit(material)
    keys = zip(table["ons_code"], table["year"], table["return_"], strict=True)
    table["parts"] = [hit.get((code, int(year), return_), ()) for code, year, return_ in keys]
    much = (table["value"] >= HALF) & (table["reference"] < HALF)
    table = table.assign(much=much)[(table["suppressed"] > 0) & (much | (table["parts"].map(len) > 0))]
    severity = table["much"].map({True: "look", False: "note"})
    words = [_words(row) for row in each(table)]
    return Found(as_findings(table.assign(severity=severity, words=words)), int(share.size))


def _parts_hit(material: Material) -> dict[tuple[str, int, str], tuple[str, ...]]:
    """Return the figures behind the outcomes, and the panel's outcomes, that are withheld."""
    parts = material.parts
    small = parts[parts["status"].eq("suppressed") & ~parts["part"].str.startswith(_PRISON)]
    found: dict[tuple[str, int, str], tuple[str, ...]] = {}
    for row in each(small):
        key = (str(row.code), int(str(row.year)), str(row.return_))
        found[key] = (*found.get(key, ()), str(row.part))
    for key in _outcomes_hit(material.panel):
        code, year, outcome = key
        place = (code, year, "SALT")
        found[place] = (*found.get(place, ()), f"outcome {outcome}")
    return found


def _outcomes_hit(panel: pd.DataFrame | None) -> list[tuple[str, int, str]]:
    if panel is None:
        return []
    columns = [name for name in panel if str(name).endswith("_status")]
    long = panel.melt(["ons_code", "year"], columns, var_name="outcome", value_name="status")
    long = long[long["status"].eq("suppressed")]
    return [
        (code, int(str(row.year)), str(row.outcome).removesuffix("_status"))
        for row in each(long)
        for code in str(row.ons_code).split("+")
    ]


def _words(row: Any) -> str:
    words = f"{row.suppressed:,} of {row.given:,} figures are withheld ({row.value:.0%}; the middle council "
    words += f"{row.reference:.0%})."
    return f"{words} Among them: {list_some(row.parts, 6)}." if row.parts else words


RULE: Final = Rule(
    name="suppressed",
    title="Withheld because small",
    looks_at="Figures withheld, over all figures that the council gave, by year and return; and which of the "
    "figures behind the outcomes (requests, sequels, clients, reviews) are among them. Sequels in prison are "
    "left out: nearly every council's are withheld.",
    threshold="Half of the figures (look), where the middle council has fewer: most breakdowns are then of "
    "no use. Less, if a figure behind an outcome is hit (note).",
    false_alarms="",
    cannot_see="The withheld count itself: it is any number from 0 to 4. A return of which most is "
    "withheld from every council is not listed here; the coverage shows it.",
    source="Notes of the 2021-22 data tables: values from 0 to 4 are withheld.",
    unit="councils by year and return",
    find=_find,
)
"""Share of withheld figures."""
