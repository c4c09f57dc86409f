"""Writes the data tables of a year as one made-up workbook, in the layout of that year's edition.

Labels, headings and what each column means are frozen facts (:mod:`clsimpact.simulate.editions`); the
figures are those of the book and are written to the last digit. Every sheet says that they are made up.
"""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import xlsxwriter
from xlsxwriter.worksheet import Worksheet

from clsimpact._status import Known
from clsimpact.errors import ClsimpactError
from clsimpact.loaders.labels import measures
from clsimpact.simulate.editions import FIRST_YEAR, Edition, Layout, edition_of, layouts
from clsimpact.simulate.publication import TIDY_COLUMNS, Book, Written
from clsimpact.years import year_label

__all__ = ["MARK", "write_workbook"]

MARK: Final = "SIMULATED: made-up figures, not published by NHS England"
"""What every sheet of a made-up workbook says."""

_CREATED: Final = dt.datetime(2024, 1, 1)  # noqa: DTZ001 - a fixed date, so that the same figures give the same bytes
_AREA: Final = ("ons_code", "cassr_code", "name", "level")
_BLANK: Final = " "  # the publisher's empty layout cells hold one blank
_FORMATS: Final[dict[str, dict[str, Any]]] = {
    "mark": {"bold": True, "font_color": "#C00000"},
    "title": {"bold": True, "font_size": 12},
    "heading": {"bold": True, "text_wrap": True, "align": "center", "valign": "top", "border": 1},
    "label": {"valign": "top"},
    "unit": {"align": "right"},
    "number": {"num_format": "#,##0"},
    "ratio": {"num_format": "0.00"},
    "share": {"num_format": "0.0%"},
    "withheld": {"align": "right"},
}


class _ExactWorksheet(Worksheet):  # type: ignore[misc]
    """A worksheet that keeps every digit: the library rounds to 16, and 17 are needed to name a double."""

    def _xml_number_element(self, number: float, attributes: Sequence[tuple[str, Any]] = ()) -> None:
        about = "".join(f' {key}="{value}"' for key, value in attributes)
        self.fh.write(f"<c{about}><v>{number!r}</v></c>")


@dataclass(frozen=True)
class _Rows:
    """Rows of a table that say the same but for their area: where they stand below the header."""

    areas: pd.DataFrame
    at: Sequence[int]
    says: Mapping[str, str] = field(default_factory=dict)
    year: int | None = None


class _Figures:
    """The figures written so far: an entry for each of thousands of questions, and one table at the end."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.answers: list[tuple[pd.DataFrame, Known]] = []

    def add(self, rows: _Rows, measure: str, says: Mapping[str, str], known: Known, **place: Any) -> None:
        """Keep what was written in some rows of one column."""
        registry = measures()[measure]
        about = {"measure": measure, "return_": registry["return_"], "unit": registry["unit"]}
        self.asked.append({**about, **says, **place})
        self.answers.append((rows.areas, known))

    def table(self) -> pd.DataFrame:
        """Return the figures in the columns of the returns table."""
        sizes = [len(known.value) for _, known in self.answers]
        columns = pd.DataFrame(self.asked, dtype="object").iloc[np.repeat(np.arange(len(sizes)), sizes)]
        filled = {
            **{name: np.concatenate([areas[name].to_numpy() for areas, _ in self.answers]) for name in _AREA},
            "value": np.concatenate([known.value for _, known in self.answers]),
            "status": np.concatenate([known.status for _, known in self.answers]),
        }
        frame = columns.reset_index(drop=True).assign(**filled).reindex(columns=list(TIDY_COLUMNS))
        return frame.astype("object")


@dataclass
class _Page:
    """A sheet on its way: what it shows, where its table begins, and the styles of its cells."""

    sheet: Any
    layout: Layout
    edition: Edition
    number: int
    styles: Mapping[str, Any]

    @property
    def top(self) -> int:
        """First row of the header, counted from 0."""
        return self.edition.header_row - 1

    @property
    def left(self) -> int:
        """First column of the table, counted from 0."""
        return self.edition.first_column - 1

    def write(self, row: int, column: int, content: str | float, style: str | None = None) -> None:
        """Write a cell whose place is counted from the first cell of the header."""
        put = self.sheet.write_string if isinstance(content, str) else self.sheet.write_number
        put(self.top + row, self.left + column, content, self.styles[style] if style else None)

    def merge(self, row: int, column: int, size: tuple[int, int], label: str, style: str) -> None:
        """Write a label over a block of cells, rows by columns."""
        if size == (1, 1):
            return self.write(row, column, label, style)
        first, start = self.top + row, self.left + column
        end = (first + size[0] - 1, start + size[1] - 1)
        self.sheet.merge_range(first, start, *end, label, self.styles[style])
        return None


def write_workbook(book: Book, path: Path, *, edition: Edition | None = None, note: str = "") -> Written:
    """Write the data tables of a book's year as one workbook.

    Parameters
    ----------
    book
        The figures. What it is asked is stated in :func:`clsimpact.simulate.editions.layouts`.
    path
        The file to write. Its name must begin with ``SIMULATED``; that of the publisher, so marked, is
        ``edition_of(book.year).file``.
    edition
        The layout; that of the book's year if omitted.
    note
        What the title sheet says of how the figures were made up, for example the seed.

    Returns
    -------
    Written
        The file, the id of its source and every figure in it, as printed: ``table`` is the sheet; an
        estimated figure is published and one that does not apply is not submitted, since the publisher's
        tables have no marks of their own for these.

    Raises
    ------
    ClsimpactError
        If the name of the file does not say that it is made up, the publisher issued no workbook for the
        year, the edition is of another year, or the book gives a figure that the edition cannot print.
    KeyError
        If the book does not know a figure of the tables.

    Examples
    --------
    A book of ones, and of the tables the fourth alone:

    >>> import tempfile
    >>> from dataclasses import replace
    >>> class Ones:
    ...     year = 2021
    ...     def areas(self, first_year=None, *, council_types=False):
    ...         return pd.DataFrame([["england", "E92000001", None, "England"]],
    ...             columns=["level", "ons_code", "cassr_code", "name"])
    ...     def figures(self, measure, says, areas, *, year=None):
    ...         return Known(np.ones(len(areas)), np.array(["published"] * len(areas), dtype="object"))
    >>> small = replace(edition_of(2021), tables={4: 4})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     written = write_workbook(Ones(), Path(folder) / small.file, edition=small)
    >>> written.source_id, written.figures["year"].min(), len(written.figures)
    ('simulated_asc_fr_salt_2021_22', 2014, 20)
    """
    edition = edition or edition_of(book.year)
    if not path.name.startswith("SIMULATED"):
        raise ClsimpactError(
            f"{path.name!r} does not say that the workbook is made up.", repair=f"Call it {edition.file!r}."
        )
    if edition.year != book.year:
        raise ClsimpactError(
            f"The edition is of {year_label(edition.year)}, the book of {year_label(book.year)}.",
            repair="Leave the edition out, or give that of the book's year.",
        )
    figures = _Figures()
    plain = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    content = io.BytesIO()  # on an error the library would write what there is: no file comes of that
    with xlsxwriter.Workbook(content, plain) as workbook:
        _say_what_it_is(workbook, edition, note)
        styles = {name: workbook.add_format(look) for name, look in _FORMATS.items()}
        _write_front(workbook, edition, note, styles)
        for number, frozen in edition.tables.items():
            sheet = workbook.add_worksheet(f"T{number}", _ExactWorksheet)
            page = _Page(sheet, layouts()[frozen], edition, number, styles)
            _write_table(page, book, figures)
    path.write_bytes(content.getvalue())
    return Written(path, edition.source_id, figures.table())


def _say_what_it_is(workbook: Any, edition: Edition, note: str) -> None:
    about = {
        "title": f"SIMULATED data tables {year_label(edition.year)}",
        "subject": MARK,
        "author": "clsimpact",
        "keywords": "SIMULATED, made up",
        "comments": f"{MARK}. {note}".strip(),
        "created": _CREATED,
    }
    workbook.set_properties(about)


def _write_front(workbook: Any, edition: Edition, note: str, styles: Mapping[str, Any]) -> None:
    """Write the title, the list of tables and the notes."""
    year = year_label(edition.year)
    title = [
        f"SIMULATED Adult Social Care Activity and Finance: England {year}",
        "Data Tables",
        "",
        "Every figure in this file was made up by clsimpact to try its loaders and estimators. "
        "None is about the care of any real council.",
        f"In the layout of the data tables that NHS England publishes. {note}".strip(),
    ]
    tables = [
        f"T{number}: {layouts()[old].title}, {edition.in_words(layouts()[old].years)}"
        for number, old in edition.tables.items()
    ]
    notes = [
        *(f"{marker} {_MEANING[status]}" for marker, status in edition.markers.items()),
        "SALT: numbers are presented to the nearest five, with values of 0 to 4 suppressed.",
        "ASC-FR: neither rounded nor suppressed. £ Thousands, but for unit costs.",
    ]
    for name, lines in {"Title": title, "Contents": tables, "Notes and Definitions": notes}.items():
        sheet = workbook.add_worksheet(name, _ExactWorksheet)
        sheet.write_string(0, 0, MARK, styles["mark"])
        sheet.write_string(2, 0, name if name != "Title" else lines[0], styles["title"])
        for row, line in enumerate(lines[1:] if name == "Title" else lines, start=3):
            sheet.write_string(row, 0, line)


_MEANING: Final = {
    "suppressed": "indicates data less than 5.",
    "not_submitted": "indicates data not submitted.",
}


def _write_table(page: _Page, book: Book, figures: _Figures) -> None:
    """Write one table, column by column, and keep its figures."""
    kinds = {"areas": _area_rows, "listed": _listed_rows, "years": _year_rows}
    groups, labels = kinds[page.layout.rows](page, book)
    _write_head(page)
    body = page.layout.depth
    last = max(labels)
    for at in range(last + 1):
        _write_labels(page, body + at, labels.get(at, ()))
    for column in page.layout.columns:
        for rows in groups:
            says = {**rows.says, **column.says}
            year = page.edition.year + column.year if rows.year is None else rows.year
            known = _as_printed(book.figures(column.measure, says, rows.areas, year=year))
            _write_figures(page, column.at, [body + at for at in rows.at], column.measure, says, known)
            figures.add(rows, column.measure, says, known, year=year, table=f"T{page.number}")
    _write_foot(page, body + last + 2)


def _as_printed(known: Known) -> Known:
    """Return figures with the statuses that the publisher's tables can show."""
    status = np.where(known.status == "estimated", "published", known.status)
    return known._replace(status=np.where(status == "not_applicable", "not_submitted", status))


def _write_head(page: _Page) -> None:
    """Write what stands above the figures."""
    layout, edition = page.layout, page.edition
    page.sheet.write_string(max(page.top - 5, 0), page.left, "Return to contents")
    title = f"Table {page.number}: {layout.title}, {edition.in_words(layout.years)}"
    page.write(-3, 0, title, "title")
    page.write(-2, 0, MARK, "mark")
    if layout.unit:
        page.write(-1, layout.unit_at, layout.unit, "unit")
    for head in layout.header:
        page.merge(head.row, head.column, (head.deep, head.wide), edition.in_words(head.label), "heading")
    page.sheet.set_column(page.left, page.left + 4, 16)
    page.sheet.freeze_panes(page.top + layout.depth, 0)


def _write_labels(page: _Page, row: int, labels: Sequence[str]) -> None:
    """Write the cells left of the figures; a label that blanks follow runs over them."""
    filled = len(labels)
    while filled and not labels[filled - 1]:
        filled -= 1
    for column, label in enumerate(labels[:filled]):
        if column == filled - 1:
            page.merge(row, column, (1, len(labels) - column), label, "label")
        elif label:
            page.write(row, column, label, "label")
    if not filled or not labels[0]:
        page.write(row, 0, _BLANK)
    if filled and page.layout.and_also_at is not None:
        page.write(row, page.layout.and_also_at, "and also")


def _write_foot(page: _Page, row: int) -> None:
    """Write what stands below the figures."""
    layout, edition = page.layout, page.edition
    sources = [edition.in_words(line).removeprefix("Source: ") for line in layout.sources]
    lines = [f"Source: made up by clsimpact in the layout of {line}" for line in sources]
    lines += ["", "Notes:", *layout.notes]
    lines += [f"{marker} {_MEANING[status]}" for marker, status in edition.markers.items()]
    if any("SALT" in line for line in layout.sources):
        lines.append("Some data may not sum due to rounding.")
    for line in [*lines, "", MARK]:
        if line:
            page.write(row, 0, line)
        row += 1


def _area_rows(page: _Page, book: Book) -> tuple[list[_Rows], dict[int, Sequence[str]]]:
    """Return the rows of a table of councils: England, types, regions, councils, with blanks between."""
    layout = page.layout
    first = book.year + layout.first_year if layout.first_year else None
    areas = book.areas(first, council_types=layout.council_types).reset_index(drop=True).astype("object")
    block = areas["level"].ne(areas["level"].shift()).cumsum()
    at = (areas.index + block).tolist()
    labels = [_area_labels(area) for area in areas.itertuples()]
    return [_Rows(areas, at)], dict(zip(at, labels, strict=True))


def _area_labels(area: Any) -> Sequence[str]:
    if area.level == "council":
        return area.ons_code, area.cassr_code, area.name, area.region_code, area.region
    code = area.cassr_code if area.level == "council_type" else area.ons_code
    return "", "", "", code, area.name


def _listed_rows(page: _Page, book: Book) -> tuple[list[_Rows], dict[int, Sequence[str]]]:
    """Return the rows of a table that lists no councils, those of the same words together."""
    areas = book.areas().astype("object")
    areas = areas.set_index(areas["ons_code"].rename(None))
    alike: dict[tuple[tuple[str, str], ...], list[tuple[int, str]]] = {}
    for line in page.layout.lines:
        alike.setdefault(tuple(line.says.items()), []).append((line.at, line.ons_code))
    groups = [
        _Rows(
            areas.loc[[code for _, code in some]].reset_index(drop=True), [at for at, _ in some], dict(says)
        )
        for says, some in alike.items()
    ]
    return groups, {line.at: line.labels for line in page.layout.lines}


def _year_rows(page: _Page, book: Book) -> tuple[list[_Rows], dict[int, Sequence[str]]]:
    """Return England by year, and its changes from the year before and from the first year."""
    areas, last = book.areas(), page.edition.year
    england = areas[areas["level"] == "england"].reset_index(drop=True)
    years = enumerate(range(FIRST_YEAR, last + 1), start=1)
    labels: dict[int, Sequence[str]] = {at: [year_label(year)] for at, year in years}
    groups = [_Rows(england, [at], year=FIRST_YEAR + at - 1) for at in labels]
    after = len(labels) + 2
    for at, start in enumerate((last - 1, FIRST_YEAR), start=after):
        label = f"Percentage change from {year_label(start)} to {year_label(last)}"
        says = {"detail": label, "statistic": "Percentage change", "unit": "proportion"}
        groups.append(_Rows(england, [at], says, last))
        labels[at] = [label]
    return groups, labels


def _write_figures(
    page: _Page, column: int, at: Sequence[int], measure: str, says: Mapping[str, str], known: Known
) -> None:
    """Write one figure a row: a number, a percentage as text, or the shorthand for its status."""
    shorthand = {status: marker for marker, status in page.edition.markers.items()}
    unit = says.get("unit", measures()[measure]["unit"])
    style = "share" if unit == "proportion" else "ratio" if "per client" in unit else "number"
    for row, value, status in zip(at, known.value.tolist(), known.status.tolist(), strict=True):
        if status == "published" and np.isfinite(value):
            page.write(row, column, _percent(value) if unit == "percent" else value, style)
        elif status in shorthand:
            page.write(row, column, shorthand[status], "withheld")
        else:
            raise ClsimpactError(
                f"T{page.number}: {measure} {dict(says)} is {value} and {status!r}.",
                repair=f"Give a number, or one of {', '.join(shorthand)}.",
            )


def _percent(value: float) -> str:
    """Write a percentage in as few digits as name it.

    Examples
    --------
    >>> _percent(37.0), _percent(0.1)
    ('37%', '0.1%')
    """
    return f"{int(value) if value.is_integer() else value!r}%"
