"""The editions of the publisher's data tables, and what each table looks like: frozen facts, kept as data.

`editions.toml` says what moves from year to year, and from what that is known. `layouts/` holds the tables
of the 2021-22 edition as printed, with the meaning of every column, independent of the loaders.
"""

from __future__ import annotations

import csv
import functools
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any, Final, Literal

from clsimpact.errors import ClsimpactError, list_some
from clsimpact.years import year_label

__all__ = [
    "FIRST_YEAR",
    "Column",
    "Edition",
    "Heading",
    "Layout",
    "Line",
    "edition_of",
    "editions",
    "layouts",
]

FIRST_YEAR: Final = 2014
"""The first year that a made-up publication knows: the first of SALT and ASC-FR."""

_OFFSET: Final = re.compile(r"\{(-?\d+)\}")


@dataclass(frozen=True)
class Edition:
    """What one year's edition of the data tables looks like.

    Attributes
    ----------
    year
        Start year of the publication.
    official_id
        Manifest record of the publisher's file.
    file
        Name of the made-up file: that of the publisher, marked.
    header_row, first_column
        Where the header of every table begins, counted from 1.
    markers
        Shorthand to the status that it stands for.
    tables
        Number of a table in this edition to its number in 2021-22.
    seen
        What is ``documented`` of the edition, what ``inferred`` and what is ``ours``.
    """

    year: int
    official_id: str
    file: str
    header_row: int
    first_column: int
    markers: Mapping[str, str]
    tables: Mapping[int, int]
    seen: Mapping[str, str]

    @property
    def source_id(self) -> str:
        """Id of the made-up file."""
        return f"simulated_{self.official_id}"

    def in_words(self, text: str) -> str:
        """Write the offsets of a frozen text as the years of this edition.

        Examples
        --------
        >>> edition_of(2017).in_words("{-1} and {0}")
        '2016-17 and 2017-18'
        """
        return _OFFSET.sub(lambda match: year_label(max(self.year + int(match[1]), FIRST_YEAR)), text)


@dataclass(frozen=True)
class Heading:
    """A label of a header: where it stands from the first cell of the header, and how far it is merged."""

    label: str
    row: int
    column: int
    wide: int = 1
    deep: int = 1


@dataclass(frozen=True)
class Column:
    """What a column of figures means: its measure, words, and year as an offset from the edition's."""

    at: int
    measure: str
    says: Mapping[str, str]
    year: int = 0


@dataclass(frozen=True)
class Line:
    """A row of a table that lists no councils: its place below the header, labels, area and words."""

    at: int
    labels: Sequence[str]
    ons_code: str
    says: Mapping[str, str]


@dataclass(frozen=True)
class Layout:
    """One table of the 2021-22 edition as printed, without its figures.

    Attributes
    ----------
    number, title, years
        Its heading; years as offsets, for example ``{-1} and {0}``.
    rows
        ``areas``: England, regions and councils; ``listed``: the rows of :attr:`lines`; ``years``: one row
        a year.
    header, depth
        Its labels, and how many rows they fill.
    columns, lines
        What its columns and its listed rows mean.
    unit, unit_at
        The line on units and the column where it stands.
    council_types
        Whether council types stand between England and the regions.
    and_also_at
        Column that holds the words "and also", if any.
    sources, notes
        What stands below the figures.
    """

    number: int
    title: str
    years: str
    rows: Literal["areas", "listed", "years"]
    header: Sequence[Heading]
    depth: int
    columns: Sequence[Column]
    lines: Sequence[Line] = ()
    unit: str = ""
    unit_at: int = 0
    council_types: bool = False
    and_also_at: int | None = None
    sources: Sequence[str] = ()
    notes: Sequence[str] = field(default=())

    @property
    def first_year(self) -> int:
        """Offset of the first year of a table that compares years, else 0."""
        return min(column.year for column in self.columns)


def edition_of(year: int) -> Edition:
    """Return the edition of a year.

    Parameters
    ----------
    year
        Start year of the publication.

    Returns
    -------
    Edition
        Its layout.

    Raises
    ------
    ClsimpactError
        If the publisher issued no combined workbook for that year.

    Examples
    --------
    >>> edition_of(2022).header_row, edition_of(2023).first_column, edition_of(2018).tables[48]
    (5, 2, 50)
    """
    known = editions()
    if year not in known:
        raise ClsimpactError(
            f"There is no edition of the data tables for {year_label(year)}.",
            repair=f"Ask for one of {list_some([year_label(one) for one in known])}.",
        )
    return known[year]


@functools.cache
def editions() -> Mapping[int, Edition]:
    """Return every edition of the data tables.

    Returns
    -------
    Mapping
        Start year to :class:`Edition`, in the order of years.

    Examples
    --------
    >>> list(editions())
    [2016, 2017, 2018, 2019, 2020, 2021, 2022, 2023]
    """
    records = tomllib.loads(_text("editions.toml"))["edition"]
    return {record["year"]: _edition(record) for record in records}


def _edition(record: Mapping[str, Any]) -> Edition:
    withheld = ("suppressed", "not_submitted")
    return Edition(
        year=record["year"],
        official_id=record["official"],
        file=f"SIMULATED {record['file']}",
        header_row=record["header_row"],
        first_column=record["first_column"],
        markers={record[status]: status for status in withheld},
        tables={number: old for number, old in enumerate(_numbers(record["tables"]), start=1) if old},
        seen=record["seen"],
    )


def _numbers(text: str) -> Iterator[int]:
    """Yield the numbers of `1-3 - 7`: 1, 2, 3, 0, 7."""
    for part in text.split():
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1) if first else [0]


@functools.cache
def layouts() -> Mapping[int, Layout]:
    """Return the layout of every table of the 2021-22 edition.

    What a book is asked follows from it: ``figures(column.measure, {**line.says, **column.says}, areas,
    year=edition.year + column.year)`` for every column, and for every line of a table that lists no
    councils. Where a figure is in another unit than its measure, the words hold ``unit``: ``proportion`` or
    ``percent`` (100 times a proportion). Table 4 asks for England by year, and for its last two rows with
    ``statistic`` "Percentage change", ``unit`` "proportion" and ``detail`` "Percentage change from 2014-15
    to 2021-22" (the label of the row).

    Returns
    -------
    Mapping
        Number of the table in 2021-22 to :class:`Layout`.

    Examples
    --------
    >>> layouts()[12].title, layouts()[12].council_types
    ('Number of requests for support received from new clients per 100,000 adults, by age band', True)
    """
    columns: dict[int, list[Column]] = {}
    for row in csv.DictReader(_text("layouts/columns.csv").splitlines()):
        column = Column(int(row["column"]), row["measure"], _says(row["words"]), int(row["year"] or 0))
        columns.setdefault(int(row["table"]), []).append(column)
    lines: dict[int, list[Line]] = {}
    for row in csv.DictReader(_text("layouts/rows.csv").splitlines()):
        labels = tuple(label.strip() for label in row["labels"].split("|"))
        line = Line(int(row["row"]), labels, row["area"], _says(row["words"]))
        lines.setdefault(int(row["table"]), []).append(line)
    tables = tomllib.loads(_text("layouts/tables.toml"))["table"]
    return {
        one["number"]: _layout(one, columns[one["number"]], lines.get(one["number"], [])) for one in tables
    }


def _layout(record: Mapping[str, Any], columns: Sequence[Column], lines: Sequence[Line]) -> Layout:
    header = [
        Heading(label, row, *place) for row, labels in enumerate(record["header"]) for label, *place in labels
    ]
    rest = {name: value for name, value in record.items() if name != "header"}
    return Layout(**rest, header=header, depth=len(record["header"]), columns=columns, lines=lines)


def _says(words: str) -> dict[str, str]:
    """Read `dimension=word; dimension=word`."""
    return dict(part.split("=", 1) for part in words.split("; ")) if words else {}


def _text(name: str) -> str:
    return (resources.files("clsimpact.simulate") / name).read_text(encoding="utf-8")
