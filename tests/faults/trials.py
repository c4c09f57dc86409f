"""The commands that are tried, on small inputs: how each is called, and what an undisturbed run writes."""

from __future__ import annotations

import re
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from clsimpact.store import WHOLE, is_partial, processed_folder, read_table, write_parquet
from tests.faults.client import Runner
from tests.fetch import server as serving
from tests.fetch.server import Handler, Server, source, table, workbook

COMMANDS = ("fetch", "build", "replicate", "functions")
FILES = {
    "one.xlsx": workbook(600_000),
    "two.csv": table(20_000),
    "three.xlsx": workbook(200_000, seed=2),
    "four.csv": table(500),
}
FEW = ("gdp_deflator_2023_12", "asc_overview_2022", "population_mid_2022", "population_mid_2021")
PAUSE = 0.01
"""Seconds between two pieces of a body, so that a download lasts."""
PIECE = 64 * 1024

STUDY = """
[study]
title = "Fuel and accidents in 40 towns"
question = "Did it help?"
programme = "Slow streets"
units = "towns"
[data]
panel = "panel.csv"
unit = "town"
time = "year"
cohort = "since"
[estimation]
estimator = "event_study"
[[outcomes]]
name = "accidents"
words = "accidents"
unit = "per 1,000"
[report]
figures = ["event_studies"]
checks = []
[[claims]]
id = "1"
statement = "Accidents fell"
source = "a leaflet"
outcomes = ["accidents"]
[[claims.tests]]
rule = "decrease"
first = 0
"""


@dataclass
class Trial:
    """A command on small inputs.

    Attributes
    ----------
    name
        The command.
    words
        How it is called, without the folder.
    request
        What the runner must know besides.
    usual
        What an undisturbed run leaves, by name.
    seconds
        How long one took: the moments to kill at lie within.
    """

    name: str
    words: tuple[str, ...]
    request: dict[str, Any]
    usual: dict[str, bytes] = field(default_factory=dict)
    seconds: float = 0.0

    def call(self, folder: Path) -> list[str]:
        """Return the words of the command line."""
        return [self.words[0], *self.words[1:], str(folder)]

    def measure(self, runner: Runner, folder: Path) -> None:
        """Run undisturbed, and remember what it left and how long it took."""
        ending = runner.run(self.call(folder), **self.request)
        assert ending.status == 0, ending.said
        self.usual, self.seconds = contents(folder), ending.seconds

    def differing(self, folder: Path) -> list[str]:
        """Return the names of the files that are not those of an undisturbed run.

        A function that writes one file does not know what else lies in its folder: what it left half written
        when it was killed stays there, hidden and under a name of its own.
        """
        found = contents(folder)
        if self.name == "functions":
            found = {name: content for name, content in found.items() if not is_partial(name)}
        names = found.keys() | self.usual.keys()
        return sorted(f"{name} differs" for name in names if found.get(name) != self.usual.get(name))

    def problems(self, folder: Path, before: dict[str, bytes] | None = None) -> list[str]:
        """Return what a reader could take for whole in a folder after a fault, although it is not."""
        found = {name: content for name, content in contents(folder).items() if not hidden(name)}
        if self.name == "build" and before is not None:
            old = {name: content for name, content in before.items() if not hidden(name)}
            new = {name: content for name, content in self.usual.items() if not hidden(name)}
            refused = (folder / WHOLE).is_dir()
            return [] if found in (old, new) or refused else ["old tables beside new ones"]
        return [name for name, content in found.items() if content != self.usual.get(name)]


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder, hidden ones too; without the log of a run, which holds times."""
    files = (path for path in folder.rglob("*") if path.is_file())
    held = {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
    held.pop("run.json", None)
    if "fetched.toml" in held:
        held["fetched.toml"] = re.sub(rb'date = "[\d-]+"', b'date = "2000-01-01"', held["fetched.toml"])
    return held


def hidden(name: str) -> bool:
    """Return whether a file is none that a reader opens; the record of a fetch changes file by file."""
    return name.startswith(".") or "/." in name or name == "fetched.toml"


def trials(server: Server, scratch: Path) -> dict[str, Trial]:
    """Return every command on its small inputs."""
    server.routes = {f"/{name}": [slowly(content)] for name, content in FILES.items()}
    records = [asdict(source(server, name)) for name in FILES]
    small, study = _small_tables(scratch), _study(scratch)
    return {
        "fetch": Trial("fetch", ("fetch", "--dest"), {"records": records}),
        "build": Trial("build", ("build", "--out"), small),
        "replicate": Trial("replicate", ("replicate", "--study", str(study), "--workers", "1", "--out"), {}),
        "functions": Trial("functions", ("functions",), {}),
    }


def _small_tables(scratch: Path) -> dict[str, str]:
    """Write the returns of few publications and a year of the panel; return where."""
    returns = read_table(processed_folder() / "returns.parquet", categories=True)
    panel = read_table(processed_folder() / "panel.parquet")
    small = {"returns": returns[returns["source_id"].isin(FEW)], "panel": panel[panel["year"] == 2019]}
    places = {name: scratch / "small" / f"{name}.parquet" for name in small}
    for name, rows in small.items():
        write_parquet(rows, places[name])
    return {name: str(place) for name, place in places.items()}


def _study(scratch: Path) -> Path:
    rows = [
        (
            f"T{town:02d}",
            year,
            since,
            20 + town % 7 + ((town * 7 + year * 13) % 11) * 0.2 - 4 * (since <= year),
        )
        for town in range(40)
        for year in range(2010, 2018)
        for since in [(2014 if town < 6 else 2016) if town < 12 else 9999]
    ]
    frame = pd.DataFrame(rows, columns=["town", "year", "since", "accidents"])
    folder = scratch / "study"
    folder.mkdir(parents=True)
    frame.assign(since=frame["since"].where(frame["since"] < 9999)).to_csv(folder / "panel.csv", index=False)
    (folder / "study.toml").write_text(STUDY, encoding="utf-8")
    return folder / "study.toml"


def slowly(content: bytes, etag: str = '"one"') -> serving.Behaviour:
    """Serve a body in pieces with pauses, and continue a download that was begun."""

    def behave(handler: Handler) -> None:
        begun, start = handler.headers.get("Range", ""), 0
        if begun and handler.headers.get("If-Range") == etag:
            start = int(begun.removeprefix("bytes=").removesuffix("-"))
            span = f"bytes {start}-{len(content) - 1}/{len(content)}"
            handler.head(206, Content_Length=len(content) - start, Content_Range=span, ETag=etag)
        else:
            handler.head(200, Content_Length=len(content), ETag=etag)
        for place in range(start, len(content), PIECE):
            handler.wfile.write(content[place : min(place + PIECE, len(content))])
            time.sleep(PAUSE)

    return behave
