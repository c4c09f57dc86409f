"""One replication for all tests of the report."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest

import clsimpact as ci
from clsimpact.report.ledger import Ledger
from clsimpact.report.replicate import replicate


class Run(NamedTuple):
    """What one replication returned, wrote and said."""

    ledger: Ledger
    folder: Path
    steps: list[tuple[str, int, int]]


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    steps: list[tuple[str, int, int]] = []
    folder = tmp_path_factory.mktemp("replication")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("CLSIMPACT_RAW", raising=False)
        ledger = replicate(folder, progress=lambda *step: steps.append(step))
    return Run(ledger, folder, steps)


@pytest.fixture(scope="session")
def tagged() -> pd.DataFrame:
    return ci.tag_adoption(ci.load_panel(), ci.load_adoption())
