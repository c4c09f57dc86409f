"""What a made-up publication is: figures asked from a book, and files that hold them with what they hold.

A *book* knows every figure of one financial year and nothing of files. A *writer* knows one layout: it asks
the book for the figures, writes the file, and returns what it wrote as tidy figures. A loader that reads the
file must give those figures back: neither knows how the other spells a label.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import pandas as pd

from clsimpact._status import Known
from clsimpact.loaders.labels import measures
from clsimpact.loaders.returns import COLUMNS

__all__ = ["TIDY_COLUMNS", "Book", "Written", "join_figures", "tidy_figures"]

TIDY_COLUMNS: Final[tuple[str, ...]] = tuple(
    column for column in COLUMNS if column not in ("marker", "source_id", "cell")
)
"""The columns of the returns table without those that depend on where in a file a figure stands."""


class Book(Protocol):
    """Every figure of one year as its publisher would print it: rounded, and withheld where small."""

    @property
    def year(self) -> int:
        """Start year of the financial year."""

    def areas(self, first_year: int | None = None, *, council_types: bool = False) -> pd.DataFrame:
        """Return the rows of a table, in the publisher's order.

        Parameters
        ----------
        first_year
            For a table that compares years: its first year. Councils of any of its years are listed.
        council_types
            Whether council types stand between England and the regions.

        Returns
        -------
        pandas.DataFrame
            Columns ``level, ons_code, cassr_code, name, region_code, region``: England, council types (their
            letter is the ``cassr_code``; no ONS code), regions, then councils by region and social-care code.
        """

    def figures(
        self, measure: str, says: Mapping[str, str], areas: pd.DataFrame, *, year: int | None = None
    ) -> Known:
        """Return one figure for every area.

        Parameters
        ----------
        measure
            A measure of ``loaders/measures.toml``.
        says
            What it is broken down by, in the words of the returns table: dimension to word. ``Total`` and an
            absent dimension both mean all of it. ``statistic`` (``Share of row total``, ``Percentage
            change``) asks for what is derived from it.
        areas
            Rows as :meth:`areas` returns them (any subset, any order).
        year
            Start year; that of the book if omitted.

        Returns
        -------
        Known
            Value (NaN where withheld) and status of each area, aligned to ``areas``. A council that did not
            exist in that year or did not submit is ``not_submitted``; small counts are ``suppressed``.

        Raises
        ------
        KeyError
            If the measure or a word of ``says`` is not known: never a silent zero.
        """


@dataclass(frozen=True)
class Written:
    """A file that was written: where it is, which record of the manifest describes it, what it holds."""

    path: Path
    source_id: str
    figures: pd.DataFrame


def tidy_figures(
    areas: pd.DataFrame, measure: str, says: Mapping[str, Any], known: Known, *, year: int, table: str
) -> pd.DataFrame:
    """Return the figures of one column of a file in the columns of the returns table.

    Parameters
    ----------
    areas
        The areas, as :meth:`Book.areas` returns them.
    measure
        A measure of ``loaders/measures.toml``, which says its unit and return.
    says
        Dimension to word; may hold ``unit`` where a figure is in another unit than its measure.
    known
        Value and status of each area.
    year
        Start year of the figures.
    table
        Sheet of the workbook, or name of the CSV.

    Returns
    -------
    pandas.DataFrame
        :data:`TIDY_COLUMNS`, one row an area.
    """
    registry = measures()[measure]
    frame = areas[["ons_code", "cassr_code", "name", "level"]].reset_index(drop=True)
    frame = frame.assign(year=year, measure=measure, return_=registry["return_"], unit=registry["unit"])
    frame = frame.assign(**says, value=known.value, status=known.status, table=table)
    return frame.reindex(columns=list(TIDY_COLUMNS))


def join_figures(parts: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Put tidy figures under each other."""
    return pd.concat([part.astype("object") for part in parts], ignore_index=True)
