"""The whole study on made-up returns, whose truth is known: the same report, with the truth beside it."""

from __future__ import annotations

import hashlib
import io
import json
import multiprocessing
import os
import re
import shutil
import tempfile
import tomllib
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Final

import pandas as pd

from clsimpact._alone import alone_in
from clsimpact._orphans import end_with_parent
from clsimpact._paths import path_of
from clsimpact._progress import Progress, listener
from clsimpact.errors import ClsimpactError
from clsimpact.loaders import compare_fingerprints, folder_sources, read_raw
from clsimpact.loaders.manifest import Source
from clsimpact.loaders.returns import concat_returns
from clsimpact.panel import build_panel
from clsimpact.rebuild import SIMULATED_YEARS, load_returns
from clsimpact.report.replicate import Report, report_folder, run_study
from clsimpact.report.steps import KEPT, library_digest, library_versions
from clsimpact.report.study import default_path, load_study
from clsimpact.report.study_data import digest, keep
from clsimpact.simulate.publish import MARK, simulate
from clsimpact.simulate.truth import Truth
from clsimpact.store import write_bytes
from clsimpact.treatment import load_adoption

__all__ = ["demonstrate"]

_WHOLE: Final = "whole.txt"
"""Written last: what the kept data were made from."""


def demonstrate(
    out: str | os.PathLike[str] = "outputs/demo",
    *,
    seed: int = 1,
    truth: Truth | None = None,
    study: str | os.PathLike[str] | None = None,
    workers: int = 1,
    fresh: bool = False,
    pdf: bool = True,
    progress: Progress | bool | None = None,
) -> Report:
    """Make publications up, read them with the ordinary loaders, and run the study on them.

    Parameters
    ----------
    out
        Folder to write to: the report, and ``publications/`` (the made-up files).
    seed, truth
        As in :func:`clsimpact.simulate.simulate`.
    study
        A study file; by default that of Community Led Support. Its panel and adopters are the made-up ones.
    workers, fresh, pdf, progress
        As in :func:`clsimpact.replicate`. Publications that an earlier run made up here from the same seed
        and truth are taken up.

    Returns
    -------
    Report
        Marked SIMULATED throughout, with the truth beside each estimate. The same seed and truth give the
        same bytes, except for ``run.json``.

    Raises
    ------
    SourceError
        If the folder cannot be written, holds other files, or another run writes to it.
    DesignError
        If the truth leaves too few adopters to estimate.

    Examples
    --------
    It takes about a minute and a half.

    >>> report = demonstrate("outputs/demo", seed=1)  # doctest: +SKIP
    >>> print(report.ledger["number-inside"].text)  # doctest: +SKIP
    """
    asked = _made_up(default_path() if study is None else path_of(study, "a study file"))
    folder = report_folder(path_of(out, "a folder to write to"))
    tell = listener(progress)
    with alone_in(folder), tempfile.TemporaryDirectory() as scratch:
        kept = _made_up_data(folder, seed, truth, workers, tell)
        where = Path(scratch) / "study.toml"
        write_bytes(where, asked.encode())
        return run_study(where, folder, kept=kept, workers=workers, fresh=fresh, pdf=pdf, progress=tell)


def _made_up_data(
    folder: Path, seed: int, truth: Truth | None, workers: int, progress: Progress | None
) -> Path:
    """Write publications, read them, keep what was read; or take up what an earlier run did of this."""
    place, kept = folder / "publications", folder / KEPT / "made-up"
    key = _key(seed, truth or Truth())
    if _is_whole(place, kept, key):
        return kept
    shutil.rmtree(kept, ignore_errors=True)
    made = simulate(place, seed=seed, truth=truth, rows="study", workers=workers, progress=progress)
    returns = _read(made.folder, workers, progress)
    panel = build_panel(returns, years=SIMULATED_YEARS)
    adoption = load_adoption(made.folder / f"{MARK} adoption.csv")
    effects: pd.DataFrame = made.world.effects()
    keep(kept, panel, adoption, None, effects)
    write_bytes(kept / "returns.parquet", _parquet(returns))
    write_bytes(kept / _WHOLE, f"{key} {digest(place / 'manifest.toml')}".encode())
    return kept


def _key(seed: int, truth: Truth) -> str:
    parts = (str(seed), truth.to_toml(), library_digest(), json.dumps(library_versions()))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _is_whole(place: Path, kept: Path, key: str) -> bool:
    """Say whether an earlier run wrote and read the same publications, and they are still there."""
    manifest, whole = place / "manifest.toml", kept / _WHOLE
    if not (manifest.is_file() and whole.is_file()):
        return False
    if whole.read_text(encoding="utf-8") != f"{key} {digest(manifest)}":
        return False
    try:
        compare_fingerprints(place, folder_sources(place).values())
    except ClsimpactError:
        return False
    return True


def _read(folder: Path, workers: int, progress: Progress | None) -> pd.DataFrame:
    """Read publications with the ordinary loaders, in several processes if there are: the same table."""
    if workers < 2:
        return load_returns(folder, progress=progress)
    sources = [source for source in folder_sources(folder).values() if source.adapter != "lookup"]
    compare_fingerprints(folder, sources)
    tables = []
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, initializer=end_with_parent) as pool:
        tasks = [pool.submit(_read_one, folder, source) for source in sources]
        for number, (source, task) in enumerate(zip(sources, tasks, strict=True), start=1):
            if progress is not None:
                progress(source.file, number, len(sources))
            tables.append(task.result())
    return concat_returns(tables)


def _read_one(folder: Path, source: Source) -> pd.DataFrame:
    return read_raw(folder, [source])[source.id]


def _parquet(returns: pd.DataFrame) -> bytes:
    """Write returns so that words stay categories: a tenth of the time, and what reads them is faster too."""
    stream = io.BytesIO()
    returns.to_parquet(stream, compression="zstd", index=False)
    return stream.getvalue()


def _made_up(path: Path) -> str:
    """Return the study with the made-up panel and adopters in place of its own."""
    text = load_study(path).text
    for name in ("panel", "adoption"):
        text = re.sub(rf"(?m)^(\s*{name}\s*=\s*)[\"']official[\"']", r'\1"simulated"', text)
    table = tomllib.loads(text)["data"]
    if table["panel"] != "simulated" or table.get("adoption") != "simulated":
        raise ClsimpactError(
            f"{path.name} is no study of the official panel and list of adopters.",
            repair='Made-up publications need panel = "official" and adoption = "official" in [data].',
        )
    return text
