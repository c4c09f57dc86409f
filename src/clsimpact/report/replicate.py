"""Run a study: from its file to figures, tables, ledger and report."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from clsimpact._alone import alone_in
from clsimpact._display import card, folded, paragraphs
from clsimpact._paths import inside, path_of
from clsimpact._progress import Progress, listener
from clsimpact._version import __version__
from clsimpact.errors import SourceError
from clsimpact.report.collect import collect_ledger, every_table, write_tables
from clsimpact.report.compose import compose
from clsimpact.report.document import Document
from clsimpact.report.html import to_page
from clsimpact.report.ledger import Ledger
from clsimpact.report.pdf import to_pdf
from clsimpact.report.pieces.checks import PAGE
from clsimpact.report.steps import KEPT, Done, Step, forget, library_versions, run_steps
from clsimpact.report.study import Study, default_path, load_study
from clsimpact.report.study_data import keep, load_study_data
from clsimpact.store import csv_bytes, is_partial, sweep, write_bytes

__all__ = ["PAGE", "STEPS", "Report", "replicate", "report_folder", "run_study"]


STEPS: Final = (
    Step("curve", "estimate every combination of choices", "curve"),
    Step("quality", "look for what is odd about the returns", "quality"),
    Step("checks", "check what the main estimate rests on", "checks"),
    Step("claims", "estimate every outcome and judge every claim", "claims"),
    Step("records", "trace the figures to their cells and compare them", "records"),
    Step("estimators", "put estimators side by side", "estimators"),
    Step("choices", "vary the choices behind the main estimate", "choices"),
    Step("services", "draw the front door and spending by type", "services"),
    Step("adoption", "draw who adopted and when", "adoption"),
    Step("truth", "put the truth beside what was found", "truth"),
)
"""The steps of a report, those that take longest first."""

_ORDER: Final = (
    "claims",
    "truth",
    "adoption",
    "services",
    "estimators",
    "choices",
    "curve",
    "checks",
    "records",
    "quality",
)
_MARKER: Final = ".clsimpact-report"
_FOLDERS: Final = ("figures", "tables", "trace", "checks")
_PAGES: Final = (
    "report.html", "report.pdf", "ledger.json", "ledger.csv", "ledger.md", "checks.json", PAGE, "run.json",
)  # fmt: skip
_LAST: Final = ("ledger.json", "report.pdf", "report.html")
_BESIDE: Final = ("browser", "demo", "detection", "minimum_wage")
"""What other commands write below the folder of a report."""


@dataclass(frozen=True)
class Report:
    """A report that was written.

    Attributes
    ----------
    folder
        Where it is: ``report.html``, ``report.pdf``, ``ledger.json``, ``ledger.csv``, ``ledger.md``,
        ``figures/``, ``tables/``, ``trace/``, and ``run.json``, which alone differs between two runs.
    ledger
        Every number with where it comes from.
    document
        What the page says.
    seconds
        Step to how long it took; 0 where it was taken from an earlier run.
    warnings
        What the library warned of.

    Examples
    --------
    See :func:`replicate`.
    """

    folder: Path
    ledger: Ledger
    document: Document
    seconds: Mapping[str, float]
    warnings: tuple[str, ...]

    def _repr_html_(self) -> str:
        return card(
            paragraphs([f"Report written to {self.folder.as_posix()}: open report.html there."]),
            self.ledger._repr_html_(),
            folded("What the library warned of", paragraphs(self.warnings)),
        )


def replicate(
    out: str | os.PathLike[str] = "outputs",
    *,
    study: str | os.PathLike[str] | None = None,
    raw: str | os.PathLike[str] | None = None,
    workers: int = 1,
    fresh: bool = False,
    pdf: bool = True,
    progress: Progress | bool | None = None,
) -> Report:
    """Run a study and write its report.

    Parameters
    ----------
    out
        Folder to write to.
    study
        Study file (TOML); by default that of Community Led Support, ``study.toml`` of the project.
    raw
        Folder of further publications (``clsimpact fetch``). Those that can be read join the committed
        figures; the report names them, and those that cannot. Only for the official panel.
    workers
        Processes to run steps in. With more than one, call this under ``if __name__ == "__main__":``.
    fresh
        Make every step again; otherwise steps that an earlier run made from the same inputs are taken up.
    pdf
        Write ``report.pdf`` too; needs ``pip install clsimpact[report]``, as Word and workbook do. Without it
        these files are left out and ``run.json`` says so.
    progress
        True: a bar, in a terminal or a notebook. Or a function that is called with words, the number of steps
        done and the number of steps.

    Returns
    -------
    Report
        The same study and data give the same bytes, except for ``run.json``, which holds times.

    Raises
    ------
    SourceError
        If the folder holds other files, or another run writes to it.
    ClsimpactError
        If the study or its data cannot be used.

    Examples
    --------
    The study of the library takes about a minute. A small one, of a table and one outcome:

    >>> import tempfile
    >>> from clsimpact.datasets import load_mpdta
    >>> study = '''
    ... [study]
    ... title = "Minimum wages and teen employment"
    ... question = "What did the minimum wage do?"
    ... programme = "the minimum wage"
    ... units = "counties"
    ... [data]
    ... panel = "mpdta.csv"
    ... unit = "county"
    ... time = "year"
    ... cohort = "first_treat"
    ... [[outcomes]]
    ... name = "lemp"
    ... label = "Teen employment"
    ... unit = "log points"
    ... [[claims]]
    ... id = "W1"
    ... statement = "Employment falls"
    ... outcomes = ["lemp"]
    ... tests = [{ rule = "decrease", first = 0 }]
    ... [report]
    ... figures = []
    ... checks = []
    ... '''
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     load_mpdta().to_csv(Path(folder) / "mpdta.csv", index=False)
    ...     _ = (Path(folder) / "study.toml").write_text(study)
    ...     report = replicate(Path(folder) / "out", study=Path(folder) / "study.toml", pdf=False)
    >>> report.ledger["W1.lemp"].verdict
    'consistent'
    """
    where = default_path() if study is None else path_of(study, "a study file")
    asked = load_study(where)
    folder = report_folder(path_of(out, "a folder to write to"))
    with alone_in(folder):
        kept, further = _gathered(asked, raw, folder)
        return run_study(
            where,
            folder,
            kept=kept,
            choices=further,
            workers=workers,
            fresh=fresh,
            pdf=pdf,
            progress=listener(progress),
        )


def run_study(
    where: Path,
    folder: Path,
    *,
    kept: Path | None = None,
    choices: Mapping[str, str] | None = None,
    workers: int = 1,
    fresh: bool = False,
    pdf: bool = True,
    progress: Progress | None = None,
) -> Report:
    """Run the steps of a study on data that are at hand, and write the report.

    Parameters
    ----------
    where
        The study file.
    folder
        From :func:`report_folder`.
    kept
        Folder that :func:`clsimpact.report.study_data.keep` wrote to; without it the data of the study.
    choices
        Words for the ledger on what was decided before.
    workers, fresh, pdf, progress
        As in :func:`replicate`.

    Returns
    -------
    Report

    Raises
    ------
    ClsimpactError
        If the study or its data cannot be used. Steps that were done are taken up by the next run.
    """
    began, start = datetime.now(UTC), time.perf_counter()
    study = load_study(where)
    data = load_study_data(study, kept)
    steps = [step for step in STEPS if step.name != "truth" or data.effects is not None]
    done = run_steps(
        steps, study, data, folder, study_path=where, workers=workers, fresh=fresh, progress=progress
    )
    products = {it.step.name: it.product for it in sorted(done, key=lambda it: _ORDER.index(it.step.name))}
    files = {name: content for product in products.values() for name, content in product.files.items()}
    tables = every_table(products, simulated=data.simulated)
    missing = write_tables(tables, files, study, office=pdf)
    ledger = collect_ledger(data, products, files, tables, choices or {}, pdf=pdf and not missing)
    document = compose(study, products, ledger, products["records"].facts.get("sources", []))
    files["report.html"] = to_page(document, files).encode()
    if pdf and not missing:
        files["report.pdf"] = to_pdf(document, files)
    files |= _ledger_files(ledger)
    _write(folder, files)
    forget(done)
    caught = tuple(dict.fromkeys(words for product in products.values() for words in product.warnings))
    _log(folder, began, time.perf_counter() - start, done, caught, missing)
    seconds = {it.step.name: round(it.seconds, 3) for it in done}
    return Report(folder, ledger, document, seconds, caught)


def _ledger_files(ledger: Ledger) -> dict[str, bytes]:
    return {
        "ledger.json": ledger.to_json().encode(),
        "ledger.csv": csv_bytes(ledger.tidy()),
        "ledger.md": ledger.to_markdown().encode(),
    }


def report_folder(folder: Path) -> Path:
    """Make the folder of a report, or take one that an earlier run made; refuse a folder of other files.

    Raises
    ------
    SourceError
        If something else lies there, which a report would replace.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as place:
    ...     _ = (Path(place) / "thesis.txt").write_text("my thesis")
    ...     report_folder(Path(place))
    Traceback (most recent call last):
    clsimpact.errors.SourceError: The folder ... holds other files: thesis.txt.
    Repair: Name an empty or a new folder with --out.
    """
    if folder.exists() and not folder.is_dir():
        raise SourceError(f"{folder} is a file.", repair="Name a folder with --out.")
    if folder.is_dir() and not (folder / _MARKER).is_file():
        names = sorted(path.name for path in folder.iterdir())
        ours = {*_BESIDE, *((*_FOLDERS, *_PAGES) if "ledger.json" in names else ())}
        other = [name for name in names if name not in ours and not is_partial(name)]
        if other:
            raise SourceError(
                f"The folder {folder} holds other files: {', '.join(other[:6])}.",
                repair="Name an empty or a new folder with --out.",
            )
    write_bytes(folder / _MARKER, b"A report of clsimpact is written here; a new run replaces its files.\n")
    return folder


def _gathered(
    study: Study, raw: str | os.PathLike[str] | None, folder: Path
) -> tuple[Path | None, dict[str, str]]:
    """Read further publications beside the committed figures, where there are any."""
    if raw is None or study.data["panel"] != "official":
        return None, {}
    from clsimpact.gather import gather_returns
    from clsimpact.panel import build_panel
    from clsimpact.treatment import load_adoption

    gathered = gather_returns(raw)
    checked = "read beside the committed figures; adapters checked against the documented layout only"
    words = {f"publication {source.id}": checked for source in gathered.read}
    words |= {f"not read ({place})": text for place, text in enumerate(gathered.problems, start=1)}
    if not gathered.read:
        return None, words
    panel = build_panel(gathered.returns)
    sweep(folder / KEPT / "gathered")
    return keep(folder / KEPT / "gathered", panel, load_adoption(), gathered.returns), words


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Replace the files of an earlier report; the page is the last: it never leads to what is not there."""
    for name in reversed(_PAGES):
        (folder / name).unlink(missing_ok=True)
    for name in _FOLDERS:
        shutil.rmtree(folder / name, ignore_errors=True)
    for name in sorted(files, key=lambda it: (_LAST.index(it) if it in _LAST else -1, it)):
        write_bytes(inside(folder, name), files[name])


def _log(
    folder: Path, began: datetime, seconds: float, done: Sequence[Done], caught: Sequence[str], missing: str
) -> None:
    """Write what was run, when, for how long, and what was warned of."""
    values = {
        "started": began.isoformat(timespec="seconds"),
        "seconds": round(seconds, 2),
        "made_by": f"clsimpact {__version__}",
        "versions": library_versions(),
        "steps": [
            {
                "step": it.step.name,
                "what": it.step.words,
                "seconds": round(it.seconds, 3),
                "taken_up": it.kept,
            }
            for it in done
        ],
        "warnings": list(caught),
        "left_out": missing,
    }
    write_bytes(folder / "run.json", (json.dumps(values, indent=1, ensure_ascii=False) + "\n").encode())
