"""What every test may ask for."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import matplotlib as mpl
import pytest
from hypothesis import settings

from clsimpact.design import Design
from clsimpact.errors import ClsimpactError
from tests.estimation_helpers import council_design, made_up

mpl.use("Agg")
settings.register_profile("clsimpact", deadline=None)
settings.load_profile("clsimpact")

ROOT = Path(__file__).resolve().parents[1]


WITHOUT_REPAIR = {"RefusedError", "UnsteadyError"}
"""Errors to which the download adds the repair."""


@pytest.fixture(autouse=True)
def every_error_is_in_words() -> Iterator[None]:
    """Hold each error that a test provokes in its process to what the source promises: words and a repair.

    What is wrong is told at the end of the test, as the library may catch what is raised here.
    """
    plain, wrong = ClsimpactError.__init__, []

    def heard(self: ClsimpactError, summary: str, problems: Iterable[str] = (), *, repair: str = "") -> None:
        told = problems if isinstance(problems, str) else tuple(problems)
        unpickled = "\nRepair: " in str(summary) and not told
        needless = unpickled or type(self).__name__ in WITHOUT_REPAIR
        words = (summary, *told, *([] if needless else [repair]))
        if isinstance(told, str) or not all(isinstance(text, str) and text.strip() for text in words):
            wrong.append((type(self).__name__, summary, told, repair))
        plain(self, summary, told, repair=repair)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ClsimpactError, "__init__", heard)
        yield
    assert not wrong, "errors that lack words or a repair"


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


SHARED = Path(os.environ.get("CLSIMPACT_SHARED", ROOT.parent / "shared"))
"""Holds the publishers' files and textbook panels, which are not part of the repository."""

TEXTBOOK = ("bacon_castle.csv", "ehec.csv", "fixest_base_stagg.csv")


@pytest.fixture(scope="session")
def official() -> Path:
    """The publishers' files."""
    folder = SHARED / "data" / "official"
    if not folder.is_dir():
        pytest.skip(
            "the publishers' files are absent (CLSIMPACT_SHARED names the folder that holds data/official)"
        )
    return folder


@pytest.fixture(scope="session")
def reference() -> Path:
    """Textbook panels of other packages."""
    folder = SHARED / "reference" / "data"
    absent = [name for name in TEXTBOOK if not (folder / name).is_file()]
    if absent:
        panels = (
            f"textbook panel {absent[0]} is"
            if len(absent) == 1
            else f"textbook panels {', '.join(absent)} are"
        )
        pytest.skip(f"{panels} absent (CLSIMPACT_SHARED names the folder that holds reference/data)")
    return folder


@pytest.fixture(scope="session")
def frozen() -> Path:
    """Values of R on the panel that ships with the library."""
    return ROOT / "tests" / "reference"


@pytest.fixture(scope="session")
def lookalikes() -> dict[str, Design]:
    """Made-up panels of the shape of the textbook ones, unbalanced and with whole years missing."""
    castle = made_up(n_units=50, years=tuple(range(2010, 2022)), seed=21, share=0.85)
    ehec = made_up(n_units=46, years=(2012, 2013, 2014, 2015, 2017, 2018, 2020), seed=22, share=0.9)
    return {
        "plain": council_design(castle),
        "gaps": council_design(ehec),
        "covariate": council_design(ehec, covariates=["need"]),
        "weighted": council_design(castle, weights="size"),
        "weighted, gaps and covariate": council_design(ehec, weights="size", covariates=["need"]),
    }


@pytest.fixture(scope="module")
def usual_errors() -> Iterator[None]:
    """Estimators keep their usual errors whatever the number of adopters: for tests of those errors."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("MANY", "LARGE", "LEAST", "FEWEST_CONTROLS", "FEWEST_TOGETHER", "LEAST_TOGETHER"):
            patch.setattr(f"clsimpact._auto.{name}", -1)
        yield
