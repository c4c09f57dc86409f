"""What is broken: publications, cut down and whole, official and made-up, and other files of users."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from clsimpact import twfe
from clsimpact.datasets import example_design
from clsimpact.loaders.manifest import Source, all_sources, load_manifest, manifest_path
from clsimpact.report.study import default_path
from clsimpact.simulate.truth import Truth
from clsimpact.store import processed_folder
from tests.fuzz import cuts
from tests.fuzz.grids import Grid, packed
from tests.loaders.keyed_files import CLD_HEADINGS, SALT_HEADINGS, whole_file, write_rows

_LARGE = 6_000_000
"""Bytes: whole files up to this size are broken too."""
_SMALL = 20_000
_TABLES = ("T1", "T2", "T3", "T4", "T12", "T14", "T34", "T46", "Table 1", "Table 4")

_LOCK = f"""[salt_2014_15]
file = "SALT 2014-15.csv"
sha256 = "{"ab" * 32}"
bytes = 3
address = "https://example.org/a.csv"
date = "2026-01-01T00:00:00+00:00"
origin = "fetched"
"""
_CLAIMS = """[[claims]]
id = "fewer"
statement = "There were fewer."
outcomes = ["lemp"]

[[claims.tests]]
rule = "decrease"
first = 0
last = 4
"""


@dataclass(frozen=True)
class Seed:
    """A file that loads, and how it is read."""

    name: str
    file: str
    reader: str
    content: bytes
    source: Source | None = None
    grid: Grid | None = None
    beside: Mapping[str, bytes] = field(default_factory=dict)
    whole: bool = False

    @property
    def kind(self) -> str:
        """What the file is: csv, xlsx, ods, xls, xlsb, zip, toml or json."""
        return Path(self.file).suffix.removeprefix(".").lower()


def of_grid(name: str, file: str, source: Source, grid: Grid, **more: object) -> Seed:
    """Return the seed of a grid, read by the adapter of its record."""
    record = replace(source, file=file, sha256="")
    return Seed(name, file, "adapter", grid.render(), record, grid, **more)  # type: ignore[arg-type]


def every_seed(official: Path | None, simulated: Path | None) -> list[Seed]:
    """Return all seeds that can be made here, each of which loads."""
    found = [*own_seeds(), *made_seeds()]
    found += list(official_seeds(official)) if official else []
    found += list(simulated_seeds(simulated)) if simulated else []
    return found


def own_seeds() -> Iterator[Seed]:
    """Yield the files that a user writes or is handed: adoption, saved result, study, claims, manifests."""
    adoption = cuts.cut_small(processed_folder() / "adoption.csv", load_manifest()["ascof_codes"])
    yield Seed("adoption", "adoption.csv", "adoption", adoption.render(), grid=adoption)
    with tempfile.TemporaryDirectory() as folder:
        path = twfe(example_design()).save(Path(folder) / "twfe.json")
        yield Seed("saved result", "twfe.json", "estimate", path.read_bytes())
    study = default_path().read_bytes()
    yield Seed("study", "study.toml", "study", study)
    yield Seed("claims", "claims.toml", "claims", _CLAIMS.encode())
    manifest = manifest_path().read_text(encoding="utf-8").split("[[source]]")
    short = "[[source]]".join(manifest[:6])
    yield Seed("manifest", "manifest.toml", "manifest", short.encode())
    yield Seed("truth", "truth.toml", "truth", Truth().to_toml().encode())
    yield Seed("fetched", "fetched.toml", "lock", _LOCK.encode())


def made_seeds() -> Iterator[Seed]:
    """Yield small made-up CSVs that need no other file."""
    item = {"SHEET": "STS001", "TABLE": "1a", "AgeBand": "18 to 64", "RouteOfAccess": "99"}
    cld = {"UID": "7", "Measure": "STS001", "View": "Route of access", "AggregationLevel": "Detail"}
    cld |= {"AgeBand": "65 and over", "RouteOfAccess": "99", "HasUnpaidCarer": "99"}
    cld |= {"SequelToRequestGrouped": "Long-term support", "AccommodationStatusGroup": ""}
    yield _keyed("cld_requests_2024_25", 2024, cld, CLD_HEADINGS)
    yield _keyed("salt_2021_22", 2021, item, SALT_HEADINGS)


def _keyed(source_id: str, year: int, item: Mapping[str, str], headings: Mapping[str, str]) -> Seed:
    source = all_sources()[source_id]
    with tempfile.TemporaryDirectory() as folder:
        rows = whole_file(year, [item], headings)
        path = write_rows(Path(folder) / source.file, rows)
        grid = cuts.cut_csv(path, source)
    return of_grid(source_id, source.file, source, grid)


def official_seeds(folder: Path, *, only: Collection[str] = ()) -> Iterator[Seed]:
    """Yield the publishers' files, cut down, and those of them that are not too large, whole."""
    for source in load_manifest().values():
        if only and source.id not in only:
            continue
        path = folder / source.path
        cut = _cut(path, source)
        if cut is not None:
            file = path.with_suffix(f".{cut.kind}").name
            yield of_grid(source.id, file, source, cut)
        if path.stat().st_size < _LARGE:
            yield Seed(f"{source.id} (whole)", path.name, "adapter", path.read_bytes(), source, whole=True)


def _cut(path: Path, source: Source) -> Grid | None:
    """Return a cut-down file; old Excel files (xls) have no writer and are cut to an xlsx."""
    adapters: dict[str, Callable[[], Grid]] = {
        "pss_ex1_wide": lambda: cuts.cut_wide(path, source),
        "asc_fr_long": lambda: cuts.cut_csv(path, source),
        "deferred_payments": lambda: cuts.cut_csv(path, source),
        "ascof_csv": lambda: cuts.cut_csv(path, source),
        "lookup": lambda: cuts.cut_small(path, source),
        "deflator": lambda: cuts.cut_whole_csv(path, source),
        "data_tables": lambda: cuts.cut_tables(path, tables=_TABLES),
        "ascof_tables": lambda: cuts.cut_ascof(path),
        "ascof_open_data": lambda: cuts.cut_book(path),
        "population": lambda: cuts.cut_book(path, wanted=_persons),
        "deprivation": lambda: cuts.cut_book(path, sheets=20),
    }
    return adapters[source.adapter]() if source.adapter in adapters else None


def _persons(name: str) -> bool:
    return name in ("Mid-2015 Persons", "MYE2-All", "MYE2 - Persons", "MYE2 - All", "UK persons") or (
        "ersons" in name
    )


def simulated_seeds(folder: Path) -> Iterator[Seed]:
    """Yield the publications of a made-up set, cut down."""
    for source in load_manifest(folder / "manifest.toml").values():
        path = folder / source.path
        if path.suffix == ".xlsb":
            record = replace(source, sha256="")
            yield Seed(source.id, path.name, "adapter", path.read_bytes(), record, whole=True)
        elif path.suffix == ".zip":
            yield _pack(path, source)
        else:
            cut = cuts.cut_wide if source.adapter == "pss_ex1_wide" else cuts.cut_csv
            book = source.adapter == "data_tables"
            grid = cuts.cut_tables(path, tables=_TABLES) if book else cut(path, source)
            reference = path.with_name(f"{path.stem} reference data.csv")
            beside = {reference.name: reference.read_bytes()} if reference.is_file() else {}
            yield of_grid(source.id, path.name, source, grid, beside=beside)


def _pack(path: Path, source: Source) -> Seed:
    """Return a CSV data pack whose members are cut down."""
    members = {}
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            member = Path(archive.extract(name, folder))
            small = member.stat().st_size < _SMALL or member.suffix != ".csv"
            members[name] = member.read_bytes() if small else cuts.cut_csv(member, source).render()
    record = replace(source, file=path.name, sha256="")
    return Seed(source.id, path.name, "adapter", packed(members), record)
