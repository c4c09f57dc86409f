"""The table of sources: what each file is, who reads it, and what its adapter was checked against."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import pandas as pd

from clsimpact.loaders.manifest import VERIFIED, Source, all_sources, load_manifest

__all__ = ["NOT_READ", "WORDS", "sources", "sources_markdown", "sources_text"]

NOT_READ: Final = "not read"
"""What is said of a file that no adapter reads, whatever is documented of its layout."""

WORDS: Final[dict[str, str]] = {
    **VERIFIED,
    NOT_READ: "no adapter reads it: it can be fetched, and gives no figures",
}
"""The words of the column ``verified``, and what each means."""


def sources(folder: str | os.PathLike[str] | None = None) -> pd.DataFrame:
    """Return one row for every publication that the library knows.

    Parameters
    ----------
    folder
        A raw folder: fingerprints that ``clsimpact fetch`` recorded there count as known.

    Returns
    -------
    pandas.DataFrame
        ``id``, ``years``, ``publication``, ``publisher``, ``return_``, ``file``, ``adapter``; ``verified``,
        what the adapter was checked against for this file (:data:`WORDS`); ``held``, whether its figures are
        committed; ``address``, empty where none is known; ``superseded_by``; ``sha256``, who knows its
        fingerprint (``manifest``, ``fetched.toml``, or empty); ``status`` and ``licence``. The files held
        come first, in the order of the manifests.

    Raises
    ------
    SourceError
        If the folder's ``fetched.toml`` cannot be read.

    Examples
    --------
    >>> table = sources().set_index("id")
    >>> table.loc["tables_2019_20", ["adapter", "verified", "sha256"]].tolist()
    ['data_tables', 'documented layout', '']
    >>> table.loc["ascof_timeseries_2022_23", "verified"]
    'not read'
    """
    recorded: Iterable[str] = ()
    if folder is not None:
        from clsimpact.fetch import read_lock

        recorded = read_lock(Path(folder))
    return pd.DataFrame([_row(source, recorded) for source in all_sources().values()])


def _row(source: Source, recorded: Iterable[str]) -> dict[str, object]:
    known = "manifest" if source.sha256 else "fetched.toml" if source.id in recorded else ""
    return {
        "id": source.id,
        "years": source.years,
        "publication": source.publication,
        "publisher": source.publisher,
        "return_": source.return_,
        "file": source.file,
        "adapter": source.adapter,
        "verified": source.verified if source.adapter else NOT_READ,
        "held": source.id in load_manifest(),
        "address": source.address,
        "superseded_by": source.superseded_by,
        "sha256": known,
        "status": source.status,
        "licence": source.licence,
    }


def sources_text(folder: str | os.PathLike[str] | None = None) -> str:
    """Return the table for a terminal: grouped by what the adapters were checked against.

    Parameters
    ----------
    folder
        See :func:`sources`.

    Returns
    -------
    str
        A heading a group, then one line a source.

    Examples
    --------
    >>> print(sources_text().splitlines()[0])
    publisher's file (...): the adapter has read the publisher's own file...
    """
    rows = sources(folder).to_dict("records")
    width = max(len(row["id"]) for row in rows)
    reads = max(len(row["adapter"]) for row in rows)
    order = list(WORDS)
    blocks = []
    for word, group in groupby(
        sorted(rows, key=lambda row: order.index(row["verified"])), key=lambda row: str(row["verified"])
    ):
        members = list(group)
        lines = [
            f"  {row['id']:<{width}}  {row['years']:<20}  {row['adapter'] or '–':<{reads}}  {_remarks(row)}"
            for row in members
        ]
        blocks.append("\n".join([f"{word} ({len(members)}): {WORDS[word]}", *map(str.rstrip, lines)]))
    return "\n\n".join(blocks)


def _remarks(row: Mapping[Any, Any]) -> str:
    """Return what else must be known of a source: its figures, its address, its fingerprint, its re-issue."""
    held = "figures committed" if row["held"] else "not held"
    address = "address known" if row["address"] else "no address known"
    known = f"SHA-256 in {row['sha256']}" if row["sha256"] else "SHA-256 not known"
    later = [f"superseded by {row['superseded_by']}"] if row["superseded_by"] else []
    return "; ".join([held, address, known, *later])


def sources_markdown(folder: str | os.PathLike[str] | None = None) -> str:
    """Return the table in Markdown, with the meaning of its words above it.

    Parameters
    ----------
    folder
        See :func:`sources`.

    Returns
    -------
    str
        A list of the words of the column *checked against*, then one row a source; no line at its end.

    Examples
    --------
    >>> sources_markdown().splitlines()[-1].split(" | ")[4:7]
    ['`cld_csv`', 'documented layout', 'not held']
    """
    table = sources(folder)
    counts = table["verified"].value_counts()
    lines = [f"- *{word}* ({counts[word]}): {meaning}" for word, meaning in WORDS.items() if word in counts]
    heads = ["id", "file", "publication", "years", "adapter", "checked against", "figures", "SHA-256"]
    heads += ["superseded by", "status", "licence"]
    lines += ["", f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    lines += [f"| {' | '.join(_cells(row))} |" for row in table.to_dict("records")]
    return "\n".join(lines)


def _cells(row: Mapping[Any, Any]) -> list[str]:
    cells = [
        f"`{row['id']}`",
        f"[{row['file']}](<{row['address']}>)" if row["address"] else row["file"],
        f"{row['publication']} ({row['publisher']})",
        row["years"],
        f"`{row['adapter']}`" if row["adapter"] else "–",
        row["verified"],
        "committed" if row["held"] else "not held",
        row["sha256"] or "not known",
        f"`{row['superseded_by']}`" if row["superseded_by"] else "–",
        row["status"],
        row["licence"],
    ]
    return [cell.replace("|", "\\|") for cell in cells]
