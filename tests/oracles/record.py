"""How every oracle script writes what a package answered.

A script calls :meth:`Recorder.run` once for each package, panel and set of options; a package that refuses or
fails leaves a line in ``failures`` and the others go on. ``save`` writes one raw file for each family and
interpreter; ``collect.py`` joins the raw files into ``tests/reference``.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import math
import sys
import time
import warnings
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path

import pandas as pd

COLUMNS = ("panel", "estimator", "options", "term", "estimate", "std_error", "package", "version")
Answer = Iterable[tuple[str, float, float]]


class Recorder:
    """Answers of packages for one family of estimators."""

    def __init__(self, family: str) -> None:
        parser = argparse.ArgumentParser(description=f"Ask the packages for {family}.")
        parser.add_argument("raw", type=Path, help="folder for raw answers")
        parser.add_argument(
            "--only", default="", help="run only this package (its answers get a raw file of their own)"
        )
        chosen = parser.parse_args()
        self.family, self.folder, self.only = family, chosen.raw, chosen.only
        self.rows: list[tuple[str, ...]] = []
        self.failures: list[str] = []

    def run(
        self,
        package: str,
        panel: str,
        estimator: str,
        options: str,
        ask: Callable[[], Answer],
        *,
        found: str | None = None,
    ) -> None:
        """Ask one package; what it prints is thrown away, what it refuses is noted.

        ``found`` is the version of a package that is not Python's.
        """
        if self.only and package != self.only:
            return
        started = time.perf_counter()
        try:
            with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
                warnings.simplefilter("ignore")
                answers = [(term, float(est), float(se)) for term, est, se in ask()]
        except ModuleNotFoundError:
            return
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a panic of compiled code is no Exception
            words = " ".join(f"{type(error).__name__}: {error}".split())[:160]
            self.failures.append(f"{package} | {panel} | {estimator} | {options} | {words}")
            return
        if time.perf_counter() - started > 20:
            self.failures.append(f"{package} | {panel} | {estimator} | {options} | slow: more than 20 s")
        for term, est, se in answers:
            numbers = (_number(est), _number(se))
            self.rows.append((panel, estimator, options, term, *numbers, package, found or version(package)))

    def save(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        where = self.only or f"py{sys.version_info.major}{sys.version_info.minor}"
        tag = f"{self.family}.{where}"
        table = pd.DataFrame(self.rows, columns=list(COLUMNS))
        table.to_csv(self.folder / f"{tag}.csv", index=False)
        (self.folder / f"{tag}.failures.txt").write_text("\n".join(self.failures) + "\n", encoding="utf-8")
        counts = f"{len(table)} answers, {len(self.failures)} failures"
        sys.stdout.write("\n".join([counts, *self.failures]) + "\n")


def _number(value: float) -> str:
    """Every digit of a double; nothing for what is not a number."""
    return "" if math.isnan(value) else repr(value)


def described(**options: object) -> str:
    """``control=never;base=varying``: the options in the order given, those that are None left out."""
    return ";".join(f"{name}={value}" for name, value in options.items() if value is not None)


def zero_coded(panel: pd.DataFrame) -> pd.DataFrame:
    """The panel with never treated as cohort 0, as most packages want it."""
    return panel.assign(cohort=panel["cohort"].fillna(0).astype(int))


def treated(panel: pd.DataFrame) -> pd.DataFrame:
    """The panel with a column ``d``: one from the year of adoption on."""
    return zero_coded(panel).assign(d=(panel["time"] >= panel["cohort"]).astype(int))
