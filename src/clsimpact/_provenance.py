"""Where a panel comes from: real or made up, its sources, and the real denominators of made-up returns."""

from __future__ import annotations

import functools
from collections.abc import Hashable, Iterable
from typing import Any, Final

import pandas as pd

from clsimpact._content import SIMULATED
from clsimpact._shared import shared
from clsimpact._version import __version__
from clsimpact.dictionary import column_facts
from clsimpact.errors import PanelError, list_some
from clsimpact.loaders.manifest import Source, all_sources, load_manifest
from clsimpact.loaders.returns import as_text
from clsimpact.store import read_parquet
from clsimpact.years import year_label

__all__ = ["denominators", "is_simulated", "provenance"]

CARE: Final = ("SALT", "ASC-FR", "PSS-EX1", "ASCOF")
"""The returns that say what councils did. Populations, prices and deprivation are real in every panel."""
_CONTEXT: Final = ("MYE", "GDP deflator", "IoD")
_LICENCE: Final = "https://www.nationalarchives.gov.uk/doc/open-government-licence/version/3/"
_SOURCE_LINE: Final = (
    "Source: NHS England (formerly NHS Digital), ONS and HM Treasury, Open Government Licence v3.0"
)
_SIMULATED_LINE: Final = "SIMULATED: made up by clsimpact, not about any real council's care"
_KEYS: Final = (
    "id",
    "publication",
    "publisher",
    "years",
    "file",
    "sha256",
    "licence",
    "attribution",
    "status",
    "address",
)


def is_simulated(returns: pd.DataFrame) -> bool:
    """Say whether the returns are made up; refuse a table that mixes made-up and official returns of care.

    Parameters
    ----------
    returns
        A returns table.

    Returns
    -------
    bool
        Whether the returns of councils' care are made up.

    Raises
    ------
    PanelError
        If some are and some are not, with the sources of both kinds.
    """
    care = returns["return_"].isin(CARE).fillna(False).astype(bool)
    ids = sorted(returns.loc[care, "source_id"].dropna().unique())
    made_up = [name for name in ids if name.startswith(SIMULATED)]
    official = [name for name in ids if not name.startswith(SIMULATED)]
    if made_up and official:
        raise PanelError(
            "The returns mix simulated and official figures of councils' care.",
            [f"simulated: {list_some(made_up, 6)}", f"official: {list_some(official, 6)}"],
            repair="Keep one kind: the rows whose source_id begins with 'simulated_', or the others.",
        )
    return bool(made_up)


def denominators(returns: pd.DataFrame, *, simulated: bool) -> pd.DataFrame:
    """Return the figures of populations, prices and deprivation; for made-up returns, the real ones.

    Parameters
    ----------
    returns
        A returns table.
    simulated
        Whether its returns of care are made up. Then what it lacks is taken from the committed returns.

    Returns
    -------
    pandas.DataFrame
        Rows of a returns table.
    """
    real = returns["return_"].isin(_CONTEXT) & ~returns["source_id"].isin(_simulated_ids(returns))
    held = as_text(returns[real.fillna(False).astype(bool)])
    if not simulated:
        return held
    committed = _committed()
    lacking = committed[~committed["return_"].isin(held["return_"].unique())]
    return pd.concat([held.astype("object"), lacking.astype("object")], ignore_index=True)


def _simulated_ids(returns: pd.DataFrame) -> list[str]:
    return [name for name in returns["source_id"].dropna().unique() if name.startswith(SIMULATED)]


@functools.cache
def _committed() -> pd.DataFrame:
    """Return the committed figures of populations, prices and deprivation. Not to be changed."""
    return denominators(read_parquet("returns"), simulated=False)


def provenance(
    boundaries: str, years: tuple[int, int], used: Iterable[str] = (), *, simulated: bool = False
) -> dict[Hashable | None, Any]:
    """Return what a panel's ``attrs`` say.

    Parameters
    ----------
    boundaries, years
        As in :func:`clsimpact.build_panel`.
    used
        Ids of the sources whose figures entered, besides those of the manifest.
    simulated
        Whether the returns are made up.

    Returns
    -------
    dict
        Title, licence, attribution, sources and the meaning of the columns.
    """
    window = f"{year_label(years[0])} to {year_label(years[1])}"
    title = f"dult social care in English councils, {window}"
    sources = _made_up_sources(used) if simulated else _official_sources(used)
    statements = dict.fromkeys(source["attribution"] for source in sources)
    return {
        "title": f"SIMULATED a{title}" if simulated else f"A{title}",
        "simulated": simulated,
        "boundaries": boundaries,
        "prices": "2021-22",
        "made_by": f"clsimpact {__version__}",
        "licence": f"Open Government Licence v3.0 ({_LICENCE})",
        "attribution": [statement for statement in statements if statement],
        "source_line": _SIMULATED_LINE if simulated else _SOURCE_LINE,
        "sources": shared(sources),
        "columns": shared(
            {name: {"label": fact.label, "unit": fact.unit} for name, fact in column_facts().items()}
        ),
    }


def _record(source: Source) -> dict[str, str]:
    return {key: str(getattr(source, key)) for key in _KEYS}


def _official_sources(used: Iterable[str]) -> list[dict[str, str]]:
    """Return the sources of the committed figures, then those that a user has added."""
    committed = {name: it for name, it in load_manifest().items() if it.adapter != "lookup"}
    added = sorted(set(used) - set(committed))
    known = [all_sources()[name] for name in added if name in all_sources()]
    return [_record(source) for source in (*committed.values(), *known)]


def _made_up_sources(used: Iterable[str]) -> list[dict[str, str]]:
    """Return the made-up sources, marked as such, and the real ones beside them."""
    real = [it for it in load_manifest().values() if it.return_ in _CONTEXT]
    records = []
    for name in sorted(name for name in used if name.startswith(SIMULATED)):
        imitated = all_sources().get(name.removeprefix(SIMULATED))
        record = dict.fromkeys(_KEYS, "") | {
            "id": name,
            "publication": f"SIMULATED, in the form of: {imitated.publication if imitated else 'unknown'}",
            "publisher": "clsimpact",
            "years": imitated.years if imitated else "",
            "status": "made up, not official",
        }
        records.append(record)
    return [*records, *(_record(source) for source in real)]
