"""Run the steps of a study: side by side, each kept by the hash of what it was made from."""

from __future__ import annotations

import functools
import hashlib
import importlib
import json
import multiprocessing
import platform
import shutil
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

from clsimpact._orphans import end_with_parent
from clsimpact._progress import Progress
from clsimpact._version import __version__
from clsimpact.errors import ClsimpactError, SourceError
from clsimpact.report.ledger import Row
from clsimpact.report.product import Product, read_product, write_product
from clsimpact.report.study import Study, load_study
from clsimpact.report.study_data import StudyData, load_study_data

__all__ = ["Done", "Step", "forget", "library_digest", "library_versions", "run_steps", "step_key"]


KEPT: Final = ".steps"
"""Folder below that of the report in which steps are kept."""
_LIBRARIES: Final = ("numpy", "pandas", "scipy", "statsmodels", "matplotlib", "pyarrow")


@dataclass(frozen=True)
class Step:
    """A step of a study.

    Attributes
    ----------
    name, words
        What it is called, and what is said while it runs.
    function
        The module of :mod:`clsimpact.report.pieces` whose ``make`` makes it.
    """

    name: str
    words: str
    function: str


@dataclass(frozen=True)
class Done:
    """A step that is done.

    Attributes
    ----------
    step, product, folder
        What was made, and where it is kept.
    seconds
        How long that took; 0 where it was taken from an earlier run.
    kept
        Whether it was.
    """

    step: Step
    product: Product
    folder: Path
    seconds: float
    kept: bool


def run_steps(
    steps: Sequence[Step],
    study: Study,
    data: StudyData,
    out: Path,
    *,
    study_path: Path,
    workers: int = 1,
    fresh: bool = False,
    progress: Progress | None = None,
) -> list[Done]:
    """Run steps, or take them up where an earlier run on the same inputs left off.

    Parameters
    ----------
    steps
        In the order of the report.
    study, data
        What is asked, and of what.
    out
        Folder of the report; steps are kept in ``.steps`` below it.
    study_path
        File of the study, for other processes.
    workers
        How many processes; 1 runs in this one.
    fresh
        Make every step again.
    progress
        Called with words, the number of steps done and the number of steps.

    Returns
    -------
    list of Done
        In the order of the steps. The same inputs give the same products, however many workers there are.
        What was done when a step fails, or the run is stopped, is kept for the next run.

    Raises
    ------
    ClsimpactError
        What a step raises; `SourceError` if it cannot be kept.
    """
    tell = progress or (lambda *_: None)
    folders = {step.name: out / KEPT / f"{step.name}-{step_key(step, study, data)}" for step in steps}
    done: dict[str, Done] = {}
    for step in [] if fresh else steps:
        product = read_product(folders[step.name])
        if product is not None:
            done[step.name] = Done(step, product, folders[step.name], 0.0, kept=True)
    wanted = [step for step in steps if step.name not in done]
    for step, seconds in _made(wanted, folders, study_path, data, workers, tell, len(done), len(steps)):
        product = read_product(folders[step.name])
        if product is None:
            raise SourceError(
                f"What the step {step.name!r} wrote to {folders[step.name]} cannot be read again.",
                repair="Look whether the disk is full, or something else writes to this folder.",
            )
        done[step.name] = Done(step, product, folders[step.name], seconds, kept=False)
    return [done[step.name] for step in steps]


def forget(done: Sequence[Done]) -> None:
    """Remove what earlier runs kept of the same steps from other inputs."""
    for it in done:
        for folder in it.folder.parent.glob(f"{it.step.name}-*"):
            if folder != it.folder:
                shutil.rmtree(folder, ignore_errors=True)


def _made(
    wanted: Sequence[Step],
    folders: Mapping[str, Path],
    study_path: Path,
    data: StudyData,
    workers: int,
    tell: Progress,
    before: int,
    total: int,
) -> Iterator[tuple[Step, float]]:
    """Make steps in this process or in others, and yield each when it is done."""
    if workers < 2 or len(wanted) < 2:
        for number, step in enumerate(wanted, start=before + 1):
            tell(step.words, number, total)
            yield step, _make(step, data, folders[step.name])
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(wanted)), context, initializer=end_with_parent) as pool:
        waiting: dict[Future[float], Step] = {}
        for step in wanted:
            task = pool.submit(_make_apart, step, str(study_path), data.kept, folders[step.name])
            waiting[task] = step
        number = before
        try:
            while waiting:
                ready, _ = wait(waiting, return_when=FIRST_COMPLETED)
                for task in ready:
                    step = waiting.pop(task)
                    seconds = _result(task, step)
                    number += 1
                    tell(step.words, number, total)
                    yield step, seconds
        except BaseException:
            for task in waiting:
                task.cancel()
            raise


def _result(task: Future[float], step: Step) -> float:
    try:
        return task.result()
    except BrokenProcessPool as error:
        raise ClsimpactError(
            f"A process was stopped from outside while the step {step.name!r} or one beside it was made: "
            "often there is too little memory.",
            repair="Run it again with fewer processes (--workers 1): steps that were done are taken up.",
        ) from error


@functools.lru_cache(maxsize=1)
def _data_of(study_path: str, kept: Path | None) -> StudyData:
    """Load what a study works on, once in a process."""
    return load_study_data(load_study(study_path), kept)


def _make_apart(step: Step, study_path: str, kept: Path | None, folder: Path) -> float:
    return _make(step, _data_of(study_path, kept), folder)


def _make(step: Step, data: StudyData, folder: Path) -> float:
    """Make a step and write what it made; return the seconds it took."""
    start = time.perf_counter()
    piece = importlib.import_module(f"clsimpact.report.pieces.{step.function}")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        product: Product = piece.make(data)
    ours = [w for w in caught if w.category.__module__.startswith("clsimpact")]
    product.warnings = [str(w.message).splitlines()[0] for w in ours]
    product.rows = [Row.read({**asdict(row), "step": step.name}) for row in product.rows]
    write_product(product, folder)
    return time.perf_counter() - start


def step_key(step: Step, study: Study, data: StudyData) -> str:
    """Return the hash of everything that a step depends on: the study, the inputs, the library, versions."""
    parts = [step.name, step.function, study.text, library_digest(), json.dumps(library_versions())]
    parts += [f"{name}={value}" for name, value in sorted(data.inputs.items())]
    if data.study.data["panel"] == "simulated" and not data.inputs:
        parts.append("simulated")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


@functools.cache
def library_digest() -> str:
    """Return the hash of the library's own files.

    Examples
    --------
    >>> len(library_digest())
    64
    """
    root = Path(__file__).resolve().parents[1]
    made = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        if path.is_file() and path.suffix in (".py", ".toml", ".csv", ".json", ".j2"):
            made.update(str(path.relative_to(root)).encode())
            made.update(path.read_bytes())
    return made.hexdigest()


def library_versions() -> dict[str, str]:
    """Return the versions of the library, of Python, and of what numbers and figures depend on.

    Examples
    --------
    >>> list(library_versions())
    ['clsimpact', 'Python', 'numpy', 'pandas', 'scipy', 'statsmodels', 'matplotlib', 'pyarrow']
    """
    versions = {"clsimpact": __version__, "Python": platform.python_version()}
    return versions | {name: metadata.version(name) for name in _LIBRARIES}
