"""Write whole sets of made-up publications: each year in its layout, with a manifest and the truth."""

from __future__ import annotations

import functools
import json
import multiprocessing
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Final, Literal

from clsimpact._orphans import end_with_parent
from clsimpact._paths import path_of
from clsimpact._progress import Progress, listener
from clsimpact.errors import SourceError
from clsimpact.loaders.manifest import Source, all_sources, sha256_of
from clsimpact.simulate.asc_fr_csv import write_asc_fr_long
from clsimpact.simulate.asc_fr_old import write_asc_fr_2014_15, write_asc_fr_2015_16, write_asc_fr_2016_17
from clsimpact.simulate.publication import Book, Written, join_figures
from clsimpact.simulate.salt_csv import write_salt_csv
from clsimpact.simulate.truth import Truth
from clsimpact.simulate.workbook import write_workbook
from clsimpact.simulate.world import FIRST_YEAR, LAST_YEAR, World, simulate_world
from clsimpact.store import csv_bytes, write_bytes
from clsimpact.years import year_label

__all__ = ["MARK", "Publications", "publications", "record_of", "simulate"]

MARK: Final = "SIMULATED"
"""What every made-up file says in its name."""

Rows = Literal["study", "all"]

_README: Final = """SIMULATED returns, made up by clsimpact (seed {seed}).

Nothing here is about any real council's care: names, codes, boundaries and populations are real, every figure
is drawn at random around national totals. truth.toml says what was put in, adoption.csv who "adopted" when.

  clsimpact build --raw {folder} --out DIR     read them with the ordinary loaders
"""
_WORKBOOKS: Final = {2021: "asc_fr_salt_2021_22"}
_PACK_YEARS: Final = range(2018, 2021)
_ZIP_DATE: Final = (2000, 1, 1, 0, 0, 0)
"""Archives carry one fixed date, so that the same figures give the same bytes."""


@dataclass(frozen=True)
class Publications:
    """What was written: the folder, its sources and the world behind them.

    Attributes
    ----------
    folder
        Where the files lie; its ``manifest.toml`` describes them.
    sources
        Source id to manifest record.
    world
        The made-up world, with its truth.
    """

    folder: Path
    sources: Mapping[str, Source]
    world: World


def simulate(
    out: str | os.PathLike[str],
    *,
    seed: int = 1,
    truth: Truth | None = None,
    rows: Rows = "all",
    workers: int = 1,
    progress: Progress | bool | None = None,
) -> Publications:
    """Write made-up publications of 2014-15 to 2023-24 in the layouts of their years.

    Parameters
    ----------
    out
        Folder to write to. It must be empty, absent, or hold an earlier made-up set.
    seed
        The same seed, truth and version give the same bytes.
    truth
        What is put in: who adopts when, and to what effect. Default: the claims of the study.
    rows
        ``"all"`` writes finance files of their real size (about 500,000 rows a year); ``"study"`` only the
        spending that the study needs.
    workers
        Processes to write years in; the bytes are the same for any number. With more than one, call this
        under ``if __name__ == "__main__":``.
    progress
        True: a bar, in a terminal or a notebook. Or a function that is called before each file with its name,
        its number and the number of files; with several processes, after each year.

    Returns
    -------
    Publications
        Folder, manifest records and the world.

    Raises
    ------
    SourceError
        If the folder holds files that are not made up, or cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> made = simulate(folder, seed=1, rows="study")  # doctest: +SKIP
    >>> (made.folder / "manifest.toml").is_file()  # doctest: +SKIP
    True
    """
    folder = path_of(out, "a folder to write to")
    _refuse_official(folder)
    world = simulate_world(seed, truth)
    if workers > 1:
        sources = _side_by_side(world, folder, rows, workers, listener(progress))
    else:
        written = publications(world, folder, rows=rows, progress=listener(progress))
        sources = {it.id: it for it in (record_of(one, folder) for one in written)}
    write_bytes(folder / f"{MARK} truth.toml", world.truth.to_toml().encode())
    write_bytes(folder / f"{MARK} adoption.csv", csv_bytes(world.adoption()))
    readme = _README.format(seed=world.seed, folder=folder.name)
    write_bytes(folder / f"{MARK} README.txt", readme.encode())
    write_bytes(folder / "manifest.toml", _manifest(sources, world).encode())
    return Publications(folder, sources, world)


def _side_by_side(
    world: World, folder: Path, rows: Rows, workers: int, progress: Progress | None
) -> dict[str, Source]:
    """Write each year in a process of its own; a year's files share what they draw."""
    years = range(FIRST_YEAR, LAST_YEAR + 1)
    sources: dict[str, Source] = {}
    truth = world.truth.to_toml()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, initializer=end_with_parent) as pool:
        tasks = [pool.submit(_write_year, world.seed, truth, folder, rows, year) for year in years]
        for number, (year, task) in enumerate(zip(years, tasks, strict=True), start=1):
            sources |= {source.id: source for source in task.result()}
            if progress is not None:
                progress(f"publications of {year_label(year)}", number, len(years))
    return sources


def _write_year(seed: int, truth: str, folder: Path, rows: Rows, year: int) -> list[Source]:
    world = _world(seed, truth)
    steps = _steps(folder, rows, note=_note(world), years=range(year, year + 1))
    return [record_of(written, folder) for _, write in steps for written in write(world)]


@functools.lru_cache(maxsize=1)
def _world(seed: int, truth: str) -> World:
    return simulate_world(seed, Truth.from_toml(truth))


def publications(
    world: World, folder: Path, *, rows: Rows = "all", progress: Progress | None = None
) -> Iterator[Written]:
    """Write one file after the other, and yield each with the figures that it holds.

    Parameters
    ----------
    world
        The made-up world.
    folder
        Where to write.
    rows, progress
        As in :func:`simulate`.

    Yields
    ------
    Written
        The file, the id of the official record whose layout it has, and its tidy figures.
    """
    steps = list(_steps(folder, rows, note=_note(world)))
    for number, (name, write) in enumerate(steps, start=1):
        if progress is not None:
            progress(name, number, len(steps))
        yield from write(world)


def _note(world: World) -> str:
    return f"made up by clsimpact, seed {world.seed}"


def _refuse_official(folder: Path) -> None:
    """Refuse a folder in which something lies that was not made up here."""
    if folder.exists() and not folder.is_dir():
        raise SourceError(f"{folder} is a file.", repair="Name a folder.")
    foreign = [path.name for path in folder.rglob("*") if path.is_file() and not _is_ours(path)]
    if foreign:
        raise SourceError(
            f"{folder} holds files that are not made up.",
            sorted(foreign)[:8],
            repair="Name an empty folder: made-up and official files are never kept together.",
        )


def _is_ours(path: Path) -> bool:
    return path.name.startswith((MARK, ".")) or path.name == "manifest.toml"


def _steps(
    folder: Path, rows: Rows, *, note: str, years: range = range(FIRST_YEAR, LAST_YEAR + 1)
) -> Iterator[tuple[str, Callable[[World], list[Written]]]]:
    """Yield what is written, year by year: a name, and the function that writes it."""
    for year in years:
        label = year_label(year)
        if year in _PACK_YEARS:
            yield (
                f"CSV data pack {label}",
                lambda world, y=year: [_pack(world.book(y), folder, rows)],  # type: ignore[misc]
            )
        else:
            yield f"SALT {label}", lambda world, y=year: [_salt(world.book(y), folder)]  # type: ignore[misc]
            yield (
                f"ASC-FR {label}",
                lambda world, y=year: _asc_fr(world.book(y), folder, rows),  # type: ignore[misc]
            )
        if year >= 2016:
            yield (
                f"reference tables {label}",
                lambda world, y=year: [_workbook(world.book(y), folder, note)],  # type: ignore[misc]
            )


def _tag(year: int) -> str:
    return year_label(year).replace("-", "_")


def place_of(source_id: str, folder: Path) -> Path:
    """Return where the made-up counterpart of an official file lies."""
    official = Path(all_sources()[source_id].path)
    return folder / official.with_name(f"{MARK} {official.name}")


def _salt(book: Book, folder: Path) -> Written:
    return _at(place_of(f"salt_{_tag(book.year)}", folder), lambda path: write_salt_csv(book, path))


def _workbook(book: Book, folder: Path, note: str) -> Written:
    source_id = _WORKBOOKS.get(book.year, f"tables_{_tag(book.year)}")
    return _at(place_of(source_id, folder), lambda path: write_workbook(book, path, note=note))


def _asc_fr(book: Book, folder: Path, rows: Rows) -> list[Written]:
    old = {2014: write_asc_fr_2014_15, 2015: write_asc_fr_2015_16, 2016: write_asc_fr_2016_17}
    if book.year in old:
        where = folder / "nhs-digital" / year_label(book.year)
        where.mkdir(parents=True, exist_ok=True)
        return old[book.year](book, where)
    place = place_of(f"asc_fr_{_tag(book.year)}", folder)
    return [_at(place, lambda path: write_asc_fr_long(book, path, rows=rows))]


def _at(path: Path, write: Callable[[Path], Written]) -> Written:
    path.parent.mkdir(parents=True, exist_ok=True)
    return write(path)


def _pack(book: Book, folder: Path, rows: Rows) -> Written:
    """Write the two CSVs of a year into one archive: finance first, then activity."""
    source_id = f"csv_pack_{_tag(book.year)}"
    place, label = place_of(source_id, folder), year_label(book.year)
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        money = write_asc_fr_long(book, Path(scratch) / f"{MARK} ASC-FR Data File {label}.csv", rows=rows)
        activity = write_salt_csv(book, Path(scratch) / f"{MARK} SALT Data File {label}.csv")
        partial = place.with_name(f".{place.name}.partial")
        with zipfile.ZipFile(partial, "w") as archive:
            for written in (money, activity):
                member = zipfile.ZipInfo(written.path.name, date_time=_ZIP_DATE)
                member.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(member, written.path.read_bytes(), compresslevel=1)
        partial.replace(place)
    return Written(place, source_id, join_figures([money.figures, activity.figures]))


def record_of(written: Written, folder: Path) -> Source:
    """Return the manifest record of a made-up file: that of the official one, with what is different."""
    official = all_sources()[written.source_id.removeprefix("simulated_")]
    return replace(
        official,
        id=f"simulated_{official.id}",
        file=written.path.name,
        path=written.path.relative_to(folder).as_posix(),
        publication=f"{MARK}: in the layout of {official.publication}",
        publisher="made up by clsimpact",
        address="",
        sha256=sha256_of(written.path),
        licence="none needed: made up",
        attribution="SIMULATED: made up by clsimpact, not about any real council's care.",
        released="",
        revisions="",
        superseded_by="",
        status="made up",
        verified="made-up file",
        simulated=True,
        encoding=official.encoding,
    )


def _manifest(sources: Mapping[str, Source], world: World) -> str:
    """Return the manifest of the folder, in the form of ``data/raw/manifest.toml``."""
    head = (
        f"# {MARK} publications, {_note(world)}.\n"
        "# Read them with the ordinary loaders; they are never mixed with official ones.\n"
    )
    return "\n".join([head, *(_toml(source) for source in sources.values())])


def _toml(source: Source) -> str:
    lines = ["[[source]]"]
    for field in fields(source):
        value = getattr(source, field.name)
        if isinstance(value, Mapping):
            pairs = ", ".join(f"{json.dumps(key)} = {json.dumps(word)}" for key, word in value.items())
            lines.append(f"{field.name} = {{ {pairs} }}")
        elif value not in ("", None):
            lines.append(f"{field.name} = {json.dumps(value, ensure_ascii=False)}")
    return "\n".join(lines) + "\n"
