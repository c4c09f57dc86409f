"""A process that has imported the library and runs commands in forks of itself, with faults as it is told.

It reads one request a line (JSON) and answers with two lines: the number of the process, and, when that has
ended, its status. So a run begins at once, and can be killed at a moment of its own work.
"""

from __future__ import annotations

import importlib
import json
import locale
import os
import resource
import signal
import subprocess
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from clsimpact import cli, rebuild, store
from clsimpact.errors import ClsimpactError
from clsimpact.fetch import _choose, _policy, _run
from clsimpact.loaders.manifest import Source
from clsimpact.report.replicate import STEPS

MOVES = ("os.rename", "os.mkdir")
TAKES = ("os.remove", "os.rmdir")


LATER = (
    "encodings.utf_8_sig",
    "docx", "gptables", "typst", "latex2mathml.converter", "matplotlib.backends.backend_svg",
    "matplotlib.backends.backend_pdf", "clsimpact.plots", "clsimpact.estimators", "clsimpact.datasets",
    *(f"clsimpact.report.pieces.{step.function}" for step in STEPS),
)  # fmt: skip
"""What commands import when they need it: here before, so that a run is its own work only."""


def main() -> None:
    """Serve requests until the input ends."""
    warnings.simplefilter("ignore")
    for name in LATER:
        importlib.import_module(name)
    for line in sys.stdin:
        request = json.loads(line)
        if "mount" in request:
            found = subprocess.run(["mount", *request["mount"]], check=False, capture_output=True)
            _answer(0, found.returncode)
            continue
        child = os.fork()
        if child == 0:
            _apart(request)
        _answer(child)
        _answer(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def _answer(*numbers: int) -> None:
    sys.stdout.writelines(f"{number}\n" for number in numbers)
    sys.stdout.flush()


def _apart(request: dict[str, Any]) -> None:
    """Run one request in this process, and end it."""
    status = 99
    try:
        sys.stdin.close()
        log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(log, 1)
        os.dup2(log, 2)
        _surround(request)
        status = _run_words(request["words"], request)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _surround(request: dict[str, Any]) -> None:
    """Set up what surrounds the run: variables, clock zone, locale, user, limits, faults."""
    os.environ.update(request.get("environ", {}))
    time.tzset()
    locale.setlocale(locale.LC_ALL, "")
    if "fault" in request:
        sys.addaudithook(_Fault(**request["fault"]))
    if "largest" in request:
        resource.setrlimit(resource.RLIMIT_FSIZE, (request["largest"], request["largest"]))
    if "user" in request:
        os.setgroups([])
        os.setgid(request["user"])
        os.setuid(request["user"])


class _Fault:
    """Counts what is done below a folder, and fails or kills the process before the n-th time."""

    def __init__(self, folder: str, at: int, code: int, counted: str = "") -> None:
        self.folder, self.at, self.code, self.counted, self.count = folder, at, code, counted, 0

    def __call__(self, event: str, given: tuple[Any, ...]) -> None:
        if not self._concerns(event, given):
            return
        self.count += 1
        if self.counted:
            Path(self.counted).write_text(str(self.count), encoding="ascii")
        if self.count == self.at and self.code:
            raise OSError(self.code, os.strerror(self.code), str(given[0]))
        if self.count == self.at:
            os.kill(os.getpid(), signal.SIGKILL)

    def _concerns(self, event: str, given: tuple[Any, ...]) -> bool:
        if event == "open":
            writes = isinstance(given[2], int) and given[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        else:
            writes = event in MOVES or (event in TAKES and not self.code)
        return bool(writes) and isinstance(given[0], (str, bytes, os.PathLike)) and self._below(given[0])

    def _below(self, path: Any) -> bool:
        return f"{Path(os.fsdecode(path)).absolute()}/".startswith(f"{self.folder}/")


def _run_words(words: list[str], request: dict[str, Any]) -> int:
    if words[0] == "functions":
        return _functions(Path(words[1]))
    if words[0] == "build" and "returns" in request:
        _make_small(request["returns"], request["panel"])
    if words[0] == "fetch":
        _serve_from(request["records"])
    return cli.main(words)


def _make_small(returns: str, panel: str) -> None:
    """Let a build read few returns, and take a panel that is made: what is tried is how it writes."""
    rebuild.read_parquet = lambda _: store.read_table(Path(returns), categories=True)
    rebuild.build_panel = lambda _: store.read_table(Path(panel))
    rebuild.drop_columns_not_held = lambda table: table


def _serve_from(records: list[dict[str, Any]]) -> None:
    """Let a fetch know these records only, and be quick about servers that do not answer."""
    sources = {record["id"]: Source(**record) for record in records}
    _choose.all_sources = _run.all_sources = lambda: sources
    host = frozenset(record["address"].split("/")[2] for record in records)
    limits = {
        "schemes": frozenset({"http"}),
        "connect_timeout": 5.0,
        "read_timeout": 0.5,
        "waits": (0.0, 0.0),
    }
    _run.Policy = lambda hosts: _policy.Policy(hosts=host, **limits)  # type: ignore[misc,arg-type]
    _choose._RETURNS.update(record["return_"] for record in records)  # type: ignore[attr-defined]


def _functions(folder: Path) -> int:
    """Write what functions write: a result, figures, tables for Word and spreadsheets, findings."""
    try:
        for write in _writers(folder):
            write()
    except ClsimpactError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _writers(folder: Path) -> Iterator[Callable[[], Any]]:
    from clsimpact.datasets import example_design
    from clsimpact.estimators import event_study
    from clsimpact.plots import event_study_figure
    from clsimpact.report.tables import Table, to_docx, to_workbook
    from clsimpact.store import write_csv

    fit = event_study(example_design(), inference="CR2")
    figure = event_study_figure(fit)
    frame = pd.DataFrame({"x": [1.5, 2.5], "y": [3.0, 4.0]})
    table = Table("costs", "Costs", frame, {"x": "Costs (£)", "y": "Days"})
    yield lambda: fit.save(folder / "fit.json")
    yield lambda: fit.to_docx(folder / "fit.docx")
    for kind in ("svg", "png", "pdf"):
        yield lambda kind=kind: figure.save(folder / f"figure.{kind}")
    yield lambda: to_docx([table], folder / "tables.docx")
    yield lambda: to_workbook([table], folder / "tables.xlsx", title="Costs")
    yield lambda: write_csv(pd.concat([frame] * 500), folder / "costs.csv.xz")


if __name__ == "__main__":
    main()
