"""What a step makes: rows, figures, tables, files and facts; and how that is kept, whole or not at all."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import pandas as pd

from clsimpact._check import number
from clsimpact._paths import inside
from clsimpact._printable import only_printable
from clsimpact.errors import SourceError
from clsimpact.plots._figure import EventStudyFigure
from clsimpact.report._table import Table
from clsimpact.report.ledger import Row
from clsimpact.store import csv_bytes, write_bytes

__all__ = ["Drawn", "Product", "draw", "read_product", "write_product"]

_LIST: Final = "product.json"
"""Written last: a folder without it is half written."""
_DPI: Final = 150
_MOST_SPOTS: Final = 60


@dataclass(frozen=True)
class Drawn:
    """A figure of the report: its words, and the name of its files below ``figures/``.

    Attributes
    ----------
    id
        Name of the files ``figures/<id>.svg``, ``.png``, ``.csv`` and ``.txt``.
    title, subtitle, source, alt_text
        Words beside it.
    spots
        Points with their values: left and top in per cent of the drawing, and what is shown there.
    width, height
        Inches.
    """

    id: str
    title: str
    subtitle: str
    source: str
    alt_text: str
    spots: tuple[tuple[float, float, str], ...] = ()
    width: float = 10.0
    height: float = 6.0


@dataclass
class Product:
    """What a step makes: rows of the ledger, figures, tables, files and facts for the report.

    Attributes
    ----------
    rows, figures, tables
        As the report shows them.
    files
        Name below the report's folder to content.
    facts
        What other parts of the report need to know; JSON can hold it.
    warnings
        What the library warned of, a line each.
    """

    rows: list[Row] = field(default_factory=list)
    figures: list[Drawn] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def draw(
    product: Product,
    name: str,
    figure: EventStudyFigure,
    *,
    function: str,
    inputs: tuple[str, ...] = (),
    outcome: str = "",
    verdict: str = "",
    trace: str = "",
) -> Row:
    """Add a figure to a product: its drawings, data, text alternative, and its row of the ledger.

    Parameters
    ----------
    product
        What is added to.
    name
        Of the files, and after ``figure-`` of the row.
    figure
        What was drawn.
    function, inputs, outcome, verdict, trace
        Of the row: see :class:`clsimpact.report.ledger.Row`.

    Returns
    -------
    Row
        The row, which is the last of the product.

    Examples
    --------
    >>> from clsimpact.datasets import example_design
    >>> from clsimpact.plots.cohort_trends import cohort_trends_figure
    >>> product = Product()
    >>> draw(product, "trends", cohort_trends_figure(example_design()), function="f").files
    ('figures/trends.svg', 'figures/trends.png', 'figures/trends.csv', 'figures/trends.txt')
    """
    for suffix in ("svg", "png"):
        product.files[f"figures/{name}.{suffix}"] = _drawing(figure, suffix)
    product.files[f"figures/{name}.csv"] = csv_bytes(figure.data)
    product.files[f"figures/{name}.txt"] = f"{figure.alt_text}\n".encode()
    width, height = (float(inches) for inches in figure.figure.get_size_inches())
    words = (figure.title, figure.subtitle, figure.source, figure.alt_text)
    made = Drawn(name, *words, tuple(_spots(figure)), width, height)
    product.figures.append(made)
    row = Row(
        f"figure-{name}", "figure", figure.title,
        " ".join([*words, *(shown for _, _, shown in made.spots)]), function, inputs,
        outcome=outcome, verdict=verdict, trace=trace,
        files=tuple(f"figures/{name}.{suffix}" for suffix in ("svg", "png", "csv", "txt")),
    )  # fmt: skip
    product.rows.append(row)
    return row


def _drawing(figure: EventStudyFigure, suffix: str) -> bytes:
    from clsimpact.plots.style import style

    buffer = io.BytesIO()
    undated: Any = {"Date": None} if suffix == "svg" else {"Software": None}
    with style():
        figure.figure.savefig(buffer, format=suffix, dpi=_DPI, metadata=undated)
    return only_printable(buffer.getvalue()) if suffix == "svg" else buffer.getvalue()


def _spots(figure: EventStudyFigure) -> Iterator[tuple[float, float, str]]:
    """Yield where the estimates of a path stand in the drawing, and their values."""
    data = figure.data
    if not {"event_time", "estimate", "conf_low", "conf_high"} <= set(data) or len(data) > _MOST_SPOTS:
        return
    if data["event_time"].duplicated().any() or data["event_time"].isna().any():
        return
    for row in data.to_dict("records"):
        if not pd.notna(row["estimate"]):
            continue
        at = figure.axes.transData.transform((float(row["event_time"]), float(row["estimate"])))
        x, y = figure.figure.transFigure.inverted().transform(at)
        words = f"Year {row['event_time']}: {number(row['estimate'])}"
        if pd.notna(row["conf_low"]):
            words += f" ({number(row['conf_low'])} to {number(row['conf_high'])})"
        yield round(100 * float(x), 2), round(100 * (1 - float(y)), 2), words


def write_product(product: Product, folder: Path) -> None:
    """Write a product whole or not at all: its list, with the hash of every file, is the last file.

    Parameters
    ----------
    product
        What a step made.
    folder
        Emptied before.
    """
    shutil.rmtree(folder, ignore_errors=True)
    for name, content in product.files.items():
        write_bytes(inside(folder / "files", name), content)
    values = {
        "rows": [asdict(row) for row in product.rows],
        "figures": [asdict(figure) for figure in product.figures],
        "tables": [_table_to_dict(table) for table in product.tables],
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in product.files.items()},
        "facts": product.facts,
        "warnings": product.warnings,
    }
    write_bytes(folder / _LIST, json.dumps(values, ensure_ascii=False).encode())


def read_product(folder: Path) -> Product | None:
    """Read what a step made.

    Returns
    -------
    Product or None
        ``None`` where the folder is absent, half written, or holds other files than were written.

    Examples
    --------
    >>> read_product(Path("no-such-folder")) is None
    True
    """
    try:
        values = json.loads((folder / _LIST).read_text(encoding="utf-8"))
        files = {name: inside(folder / "files", name).read_bytes() for name in values["files"]}
        if any(hashlib.sha256(files[name]).hexdigest() != made for name, made in values["files"].items()):
            return None
        return Product(
            [Row.read(row) for row in values["rows"]],
            [Drawn(**{**it, "spots": tuple(map(tuple, it["spots"]))}) for it in values["figures"]],
            [_table_of(it) for it in values["tables"]],
            files,
            values["facts"],
            values["warnings"],
        )
    except (OSError, SourceError, ValueError, KeyError, TypeError):
        return None


def _table_to_dict(table: Table) -> dict[str, Any]:
    """Return a table as plain values: numbers as they are, to the last digit."""
    frame = {
        name: {"type": str(table.frame[name].dtype), "values": _plain(table.frame[name])}
        for name in table.columns
    }
    words = {key: getattr(table, key) for key in ("id", "title", "notes", "source", "simulated")}
    return {**words, "columns": dict(table.columns), "decimals": dict(table.decimals), "frame": frame}


def _plain(column: pd.Series[Any]) -> list[Any]:
    return [None if value is pd.NA or value is None else value for value in column.tolist()]


def _table_of(values: Mapping[str, Any]) -> Table:
    frame = {name: pd.Series(it["values"], dtype=it["type"]) for name, it in values["frame"].items()}
    return Table(**{**values, "notes": tuple(values["notes"]), "frame": pd.DataFrame(frame)})
