"""The committed figures and what else a folder holds: what cannot be read costs only itself."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from clsimpact._paths import path_of
from clsimpact._progress import Progress
from clsimpact.errors import ClsimpactError
from clsimpact.loaders import compare_fingerprints, folder_sources, read_raw
from clsimpact.loaders.manifest import Source, load_manifest
from clsimpact.loaders.returns import concat_returns
from clsimpact.rebuild import load_returns

__all__ = ["Gathered", "gather_returns"]


@dataclass(frozen=True)
class Gathered:
    """Figures to estimate from, and what became of the files they come from.

    Attributes
    ----------
    returns
        The committed figures and those of the further publications that could be read.
    read
        The further publications.
    problems
        What could not be read, and why, one text a source.
    """

    returns: pd.DataFrame
    read: tuple[Source, ...]
    problems: tuple[str, ...]


def gather_returns(raw: str | os.PathLike[str], *, progress: Progress | None = None) -> Gathered:
    """Read the further publications of a folder and put them beside the committed figures.

    Parameters
    ----------
    raw
        Folder of publishers' files, as ``clsimpact fetch`` fills it. Files whose figures are committed are
        not read again; it need not exist.
    progress
        Called before each file with its name, its number and the number of files.

    Returns
    -------
    Gathered
        Figures, the publications read, and what could not be read. A file that is damaged or laid out
        otherwise costs the figures that need it, never the run.

    Examples
    --------
    >>> gather_returns("no-such-folder").read
    ()
    """
    folder = path_of(raw, "a folder of publications")
    tables, read, problems = [load_returns()], [], []
    further = list(_further(folder)) if folder.is_dir() else []
    for number, source in enumerate(further, start=1):
        if progress is not None:
            progress(source.file, number, len(further))
        try:
            compare_fingerprints(folder, [source])
            tables.append(read_raw(folder, [source])[source.id])
        except ClsimpactError as error:
            problems.append(f"{source.file} ({source.publication}): {error}")
        else:
            read.append(source)
    return Gathered(concat_returns(tables) if read else tables[0], tuple(read), tuple(problems))


def _further(folder: Path) -> Iterator[Source]:
    """Yield the publications of a folder whose figures are not committed; made-up ones are none."""
    for name, source in folder_sources(folder).items():
        if name not in load_manifest() and not source.simulated:
            yield source
