"""From the publishers' files to the committed tables: returns, panel, adoption, CSV twins and metadata."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import pandas as pd

from clsimpact.dictionary import column_facts
from clsimpact.loaders import raw_folder, read_raw
from clsimpact.loaders.manifest import load_manifest
from clsimpact.loaders.returns import COLUMNS, DIMENSIONS, STATUSES
from clsimpact.panel import build_panel
from clsimpact.store import processed_folder, read_parquet, write_csv, write_metadata, write_parquet
from clsimpact.treatment import ADOPTION_COLUMNS, load_adoption

__all__ = ["build", "load_returns"]

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


def load_returns(raw: str | os.PathLike[str] | None = None) -> pd.DataFrame:
    """Load every published figure that the library reads, in one tidy table.

    Parameters
    ----------
    raw
        Folder with the publishers' files, to read them anew; if omitted, the committed table is loaded.

    Returns
    -------
    pandas.DataFrame
        One row per published figure: :data:`clsimpact.loaders.returns.COLUMNS`. ``value`` is missing where
        the publisher printed no number, and ``status`` says why. Rows of councils, regions, council types
        and England are told apart by ``level``.

    Raises
    ------
    SourceError
        If a file is absent or cannot be opened.
    LayoutError
        If a file is not laid out as declared.

    Examples
    --------
    >>> returns = load_returns()
    >>> workbook = returns.query("source_id == 'asc_fr_salt_2021_22'")
    >>> requests = workbook.query("table == 'T1' and measure == 'requests'")
    >>> requests.query("level == 'council' and age_band == '18 to 64'")["value"].sum().item()
    607625.0
    """
    if raw is None:
        return read_parquet("returns")
    figures = [source for source in load_manifest().values() if source.adapter != "lookup"]
    folder = raw_folder(raw)
    tables = read_raw(folder, figures) if folder is not None else {}
    return pd.concat(tables.values(), ignore_index=True)


def build(
    raw: str | os.PathLike[str] | None = None, out: str | os.PathLike[str] | None = None
) -> dict[str, Path]:
    """Rebuild the committed tables.

    Parameters
    ----------
    raw
        Folder with the publishers' files; default ``CLSIMPACT_RAW``. Without either, the returns are taken as
        they are and only panel and adoption are made anew.
    out
        Where to write; default the folder of committed data.

    Returns
    -------
    dict
        Name of each table to the Parquet file written. Two runs on the same files write the same bytes.

    Raises
    ------
    SourceError
        If a file is absent or cannot be opened.
    LayoutError
        If a file is not laid out as declared.

    Examples
    --------
    >>> build("no-such-folder")
    Traceback (most recent call last):
    clsimpact.errors.SourceError: There is no folder no-such-folder.
    Repair: Name the folder that holds the publishers' files.
    """
    folder = Path(out) if out is not None else processed_folder()
    source = raw_folder(raw)
    returns = load_returns(source) if source is not None else read_parquet("returns")
    if source is not None:
        read_raw(source, [entry for entry in load_manifest().values() if entry.adapter == "lookup"])
    panel, adoption = build_panel(returns), load_adoption(processed_folder() / "adoption.csv")
    written = {name: folder / f"{name}.parquet" for name in ("returns", "panel", "adoption")}
    if source is not None or folder != processed_folder():
        write_parquet(returns, written["returns"])
        with ThreadPoolExecutor() as pool:
            twins = [
                pool.submit(write_csv, rows, folder / "returns" / f"{source_id}.csv.xz")
                for source_id, rows in returns.groupby("source_id", sort=False)
            ]
        for twin in twins:
            twin.result()
        write_metadata(
            folder / "returns-metadata.json", _returns_metadata(list(returns["source_id"].unique()))
        )
    for name, table, words in (("panel", panel, _panel_words()), ("adoption", adoption, ADOPTION_COLUMNS)):
        write_parquet(table, written[name])
        write_csv(table, folder / f"{name}.csv")
        write_metadata(folder / f"{name}.csv-metadata.json", _metadata(name, table, words))
    return written


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
