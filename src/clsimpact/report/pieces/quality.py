"""What is odd about the returns, by rule."""

from __future__ import annotations

from clsimpact.quality import quality
from clsimpact.report._table import Table
from clsimpact.report.product import Product
from clsimpact.report.study_data import StudyData

__all__ = ["make"]


def make(data: StudyData) -> Product:
    """Count what a careful reader should know of the returns; nothing for a panel of the user's own."""
    product = Product()
    if data.returns is None:
        return product
    found = quality(data.returns, panel=data.panel).rules
    heads = {
        "title": "What was looked for",
        "looked_at": "Looked at",
        "found": "Found",
        "cannot_see": "What the rule cannot see",
    }
    notes = ("'clsimpact quality' lists each of them with council, year and cell.",)
    product.tables.append(
        Table(
            "quality",
            "What is odd about the returns",
            found[list(heads)].reset_index(drop=True),
            heads,
            notes,
            simulated=data.simulated,
        )
    )
    return product
