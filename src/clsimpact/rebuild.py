"""From the publishers' files to the committed tables: returns, panel, adoption, CSV twins and metadata."""

from __future__ import annotations

import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path
from typing import Any, Final

import pandas as pd

from clsimpact._alone import alone_in
from clsimpact._display_data import shown_as_returns
from clsimpact._paths import path_of
from clsimpact._progress import Progress, listener
from clsimpact._replaced import finish, replaced
from clsimpact.dictionary import column_facts
from clsimpact.errors import SourceError
from clsimpact.loaders import compare_fingerprints, folder_sources, raw_folder, read_raw
from clsimpact.loaders.manifest import Source
from clsimpact.loaders.returns import COLUMNS, DIMENSIONS, STATUSES, concat_returns
from clsimpact.panel import build_panel, drop_columns_not_held
from clsimpact.store import processed_folder, read_parquet, write_csv, write_metadata, write_parquet
from clsimpact.treatment import ADOPTION_COLUMNS, load_adoption

__all__ = ["build", "load_returns"]

SIMULATED_YEARS: Final = (2014, 2023)
"""First and last year of made-up publications (start years)."""
_LICENCE: Final = "https://www.nationalarchives.gov.uk/doc/open-government-licence/version/3/"
_RETURN_WORDS: Final = {
    "year": (
        "start year of the financial year (of the mid-year for populations, of the release for deprivation)"
    ),
    "ons_code": "ONS code of the area",
    "cassr_code": "social-care code of the council, or letter of the council type",
    "name": "name of the area",
    "level": "council, district, region, council_type, england or other",
    "return_": "the return that the figure comes from",
    "measure": "what is counted or measured",
    "value": "the figure; empty where the status is neither published nor estimated",
    "unit": "unit of the value",
    "status": "; ".join(f"{status}: {meaning}" for status, meaning in STATUSES.items()),
    "marker": "what was printed in place of a number, or beside it",
    "source_id": "file, as named in data/raw/manifest.toml",
    "table": "sheet of the workbook, or the CSV file",
    "cell": "address of the cell, or of the cells that were added",
}


def load_returns(
    raw: str | os.PathLike[str] | None = None,
    *,
    accept_changed: bool = False,
    progress: Progress | bool | None = None,
) -> pd.DataFrame:
    """Load every published figure that the library reads, in one tidy table.

    Parameters
    ----------
    raw
        Folder with the publishers' files, to read them anew; if omitted, the committed table is loaded.
        Further publications that lie there (``clsimpact fetch``) are read as well. The folder may also be one
        of made-up publications (``clsimpact simulate``).
    accept_changed
        Read files whose SHA-256 is not the one of the manifest too, with a warning. Look first whether they
        are a newer release: a damaged file may give wrong figures.
    progress
        True: a bar, in a terminal or a notebook. Or a function that is called before each file with its name,
        its number and the number of files.

    Returns
    -------
    pandas.DataFrame
        One row per published figure: :data:`clsimpact.loaders.returns.COLUMNS`. ``value`` is missing where
        the publisher printed no number, and ``status`` says why. Rows of councils, regions, council types
        and England are told apart by ``level``.

    Raises
    ------
    SourceError
        If a file is absent, cannot be opened, or differs from the manifest and is not accepted.
    LayoutError
        If a file is not laid out as declared, or rows or councils are missing or stand twice.

    Warns
    -----
    SourceWarning
        If a file differs from the manifest and is accepted.

    Examples
    --------
    >>> returns = load_returns()
    >>> workbook = returns.query("source_id == 'asc_fr_salt_2021_22'")
    >>> requests = workbook.query("table == 'T1' and measure == 'requests'")
    >>> requests.query("level == 'council' and age_band == '18 to 64'")["value"].sum().item()
    607625.0
    """
    folder = None if raw is None else raw_folder(_named(raw))
    if folder is None:
        return shown_as_returns(read_parquet("returns"))
    sources = _sources(folder, lookups=False)
    compare_fingerprints(folder, sources, accept_changed=accept_changed)
    return shown_as_returns(concat_returns(read_raw(folder, sources, progress=listener(progress)).values()))


def _named(raw: str | os.PathLike[str] | None) -> str | os.PathLike[str] | None:
    """Return a folder that is named, as a path; nothing and an empty name stay as they are."""
    return raw if raw is None or raw == "" else path_of(raw, "the folder of the publishers' files")


def _sources(folder: Path, *, lookups: bool) -> list[Source]:
    return [source for source in folder_sources(folder).values() if (source.adapter == "lookup") == lookups]


def build(
    raw: str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] | None = None,
    *,
    accept_changed: bool = False,
    progress: Progress | bool | None = None,
) -> dict[str, Path]:
    """Rebuild the committed tables.

    Parameters
    ----------
    raw
        Folder with the publishers' files; default ``CLSIMPACT_RAW``. Without either, the returns are taken as
        they are and only panel and adoption are made anew.
    out
        Where to write; default the folder of committed data, in a checkout only.
    accept_changed
        Read files whose SHA-256 is not the one of the manifest too, with a warning. Look first whether they
        are a newer release: a damaged file may give wrong figures.
    progress
        True: a bar, in a terminal or a notebook. Or a function that is called before each file with its name,
        its number and the number of files.

    Returns
    -------
    dict
        Name of each table to the Parquet file written. Two runs on the same files write the same bytes.

    Raises
    ------
    SourceError
        If a file is absent, cannot be opened, or differs from the manifest and is not accepted; if the
        tables cannot be written to ``out``, another run writes there, or it is not given outside a checkout.
    LayoutError
        If a file is not laid out as declared, or rows or councils are missing or stand twice.

    Warns
    -----
    SourceWarning
        If a file differs from the manifest and is accepted.

    Examples
    --------
    >>> build("no-such-folder")
    Traceback (most recent call last):
    clsimpact.errors.SourceError: There is no folder no-such-folder.
    Repair: Name the folder that holds the publishers' files.
    """
    source = raw_folder(_named(raw))
    if source is not None and any(item.simulated for item in folder_sources(source).values()):
        return _build_made_up(source, out, listener(progress))
    if source is not None:
        compare_fingerprints(source, folder_sources(source).values(), accept_changed=accept_changed)
    folder = _out_folder(out)
    with alone_in(folder):
        finish(folder)
        returns = load_returns(source, accept_changed=accept_changed, progress=progress)
        if source is not None:
            read_raw(source, _sources(source, lookups=True))
        panel = drop_columns_not_held(build_panel(returns))
        adoption = load_adoption(processed_folder() / "adoption.csv")
        with replaced(folder) as place:
            if source is not None or folder != processed_folder():
                _write_returns(returns, place)
            _write_described("panel", panel, _panel_words(), place)
            _write_described("adoption", adoption, ADOPTION_COLUMNS, place)
    return {name: folder / f"{name}.parquet" for name in ("returns", "panel", "adoption")}


def _write_described(name: str, table: pd.DataFrame, words: dict[str, str], folder: Path) -> None:
    """Write a table, its CSV twin, and what its columns are."""
    write_parquet(table, folder / f"{name}.parquet")
    write_csv(table, folder / f"{name}.csv")
    write_metadata(folder / f"{name}.csv-metadata.json", _metadata(name, table, words))


def _build_made_up(
    source: Path, out: str | os.PathLike[str] | None, progress: Progress | None
) -> dict[str, Path]:
    """Write the tables of made-up publications, under names that say so."""
    if out is None:
        raise SourceError(
            f"{source} holds made-up publications.",
            repair="Name a folder of their own: give --out DIR (out=DIR). "
            "They never replace the official data.",
        )
    folder = _out_folder(out)
    with alone_in(folder):
        returns = load_returns(source, progress=progress)
        adoption = load_adoption(next(source.glob("* adoption.csv")))
        panel = build_panel(returns, years=SIMULATED_YEARS)
        tables = {"returns": returns, "panel": panel, "adoption": adoption}
        with replaced(folder) as place:
            for name, table in tables.items():
                write_parquet(table, place / f"simulated_{name}.parquet")
                if name != "returns":
                    write_csv(table, place / f"simulated_{name}.csv")
    return {name: folder / f"simulated_{name}.parquet" for name in tables}


def _out_folder(out: str | os.PathLike[str] | None) -> Path:
    """Return where to write, after trying that it can be written."""
    folder = processed_folder() if out is None else path_of(out, "a folder to write to")
    if out is None and Path(str(resources.files("clsimpact"))) in folder.parents:
        raise SourceError(
            "An installed package is not rebuilt in its place.",
            repair="Name a folder: give --out DIR (out=DIR).",
        )
    nearest = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    try:
        with tempfile.TemporaryFile(dir=nearest):
            pass
    except OSError as error:
        raise SourceError(
            f"The tables cannot be written to {folder}.",
            [f"{nearest}: {error.strerror or error}"],
            repair="Name a folder that can be written: give --out DIR (out=DIR).",
        ) from error
    return folder


def _write_returns(returns: pd.DataFrame, folder: Path) -> None:
    write_parquet(returns, folder / "returns.parquet")
    with ThreadPoolExecutor() as pool:
        twins = [
            pool.submit(write_csv, rows, folder / "returns" / f"{source_id}.csv.xz")
            for source_id, rows in returns.groupby("source_id", sort=False, observed=True)
        ]
    for twin in twins:
        twin.result()
    write_metadata(folder / "returns-metadata.json", _returns_metadata(list(returns["source_id"].unique())))


def _panel_words() -> dict[str, str]:
    facts = column_facts()
    return {
        name: f"{fact.definition}{f' [{fact.unit}]' if fact.unit else ''}" for name, fact in facts.items()
    }


_TITLES: Final = {
    "panel": (
        "Adult social care in English councils, 2014-15 to 2022-23: "
        "one row per council area and financial year"
    ),
    "adoption": (
        "Councils that adopted Community Led Support, with evidence and the earliest and latest possible year"
    ),
}


_ORIGINS: Final = {
    "panel": (
        "Contains information from NHS England, ONS, HM Treasury and MHCLG "
        "under the Open Government Licence v3.0"
    ),
    "adoption": "clsimpact developers, from the public sources named in each row",
}


def _metadata(name: str, table: pd.DataFrame, words: dict[str, str]) -> dict[str, Any]:
    keys = {"panel": ["ons_code", "year"], "adoption": ["ons_code"]}[name]
    return {
        "@context": ["http://www.w3.org/ns/csvw", {"@language": "en"}],
        "url": f"{name}.csv",
        "dc:title": _TITLES[name],
        "dc:license": {"@id": _LICENCE},
        "dc:source": _ORIGINS[name],
        "tableSchema": {
            "columns": [_column(table, column, words[column]) for column in table.columns],
            "primaryKey": keys,
        },
    }


def _column(table: pd.DataFrame, name: str, words: str) -> dict[str, Any]:
    kind = "string"
    if pd.api.types.is_integer_dtype(table[name]):
        kind = "integer"
    elif pd.api.types.is_float_dtype(table[name]):
        kind = "number"
    return {"name": name, "titles": name, "dc:description": words, "datatype": kind}


def _returns_metadata(source_ids: list[str]) -> dict[str, Any]:
    words = {
        **dict.fromkeys(DIMENSIONS, "what the figure is broken down by; Total is the total over it"),
        **_RETURN_WORDS,
    }
    kinds = {"year": "integer", "value": "number"}
    columns = [
        {"name": name, "titles": name, "dc:description": words[name], "datatype": kinds.get(name, "string")}
        for name in COLUMNS
    ]
    return {
        "@context": ["http://www.w3.org/ns/csvw", {"@language": "en"}],
        "dc:title": "Figures published on adult social care in England, one row per figure",
        "dc:license": {"@id": _LICENCE},
        "rdfs:comment": (
            "Each table is an xz-compressed CSV of the figures of one source file; "
            "together they are returns.parquet."
        ),
        "tableSchema": {"columns": columns},
        "tables": [{"url": f"returns/{source_id}.csv.xz"} for source_id in source_ids],
    }
