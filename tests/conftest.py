"""What every test may ask for."""

from __future__ import annotations

import os
from pathlib import Path

import matplotlib as mpl
import pytest

mpl.use("Agg")

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the publishers' files and reference values, which is not part of the repository."""
    folder = Path(os.environ.get("CLSIMPACT_SHARED", ROOT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip("the shared folder is absent (set CLSIMPACT_SHARED)")
    return folder


@pytest.fixture(scope="session")
def official(shared: Path) -> Path:
    """The publishers' files."""
    folder = shared / "data" / "official"
    if not folder.is_dir():
        pytest.skip("the publishers' files are absent (CLSIMPACT_SHARED has no data/official)")
    return folder


@pytest.fixture(scope="session")
def reference(shared: Path) -> Path:
    """Textbook panels and reference values."""
    return shared / "reference" / "data"
