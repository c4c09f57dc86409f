"""Answers by draws, to the last bit: for tests that ask several workers, processes or clusters."""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

import numpy as np
import pandas as pd

from clsimpact.design import Design
from clsimpact.estimators import event_study
from clsimpact.estimators.group_time import group_time
from clsimpact.inference import Multiplier, Permutation, Wild
from clsimpact.inference.blocks import Block
from tests.estimation_helpers import council_design, made_up

DRAWS = 4500
"""Five blocks: more than any number of workers here."""

REFITS = 60
"""Three blocks of refits."""

METHODS: dict[str, Callable[[Design, Executor | None], Any]] = {
    "permutation": lambda design, pool: event_study(design).with_inference(
        "permutation", draws=DRAWS, seed=7, executor=pool
    ),
    "permutation, null imposed": lambda design, pool: event_study(design).with_inference(
        Permutation(impose_null=True), draws=DRAWS, seed=7, executor=pool
    ),
    "wild": lambda design, pool: event_study(design).with_inference(
        "wild", draws=DRAWS, seed=7, executor=pool
    ),
    "wild, Webb": lambda design, pool: event_study(design).with_inference(
        Wild(weights="webb"), draws=DRAWS, seed=7, executor=pool
    ),
    "multiplier": lambda design, pool: group_time(design).with_inference(
        "multiplier", draws=DRAWS, seed=7, executor=pool
    ),
    "multiplier, Webb": lambda design, pool: group_time(design).with_inference(
        Multiplier(weights="webb"), draws=DRAWS, seed=7, executor=pool
    ),
    "refits": lambda design, pool: group_time(design).with_inference(
        Permutation(refit=True), draws=REFITS, seed=7, executor=pool
    ),
}
NAMED = ("permutation", "wild", "multiplier")


def panel() -> pd.DataFrame:
    return made_up(n_units=40)


def bits(fit: Any) -> str:
    """Everything that the draws say, to the last bit."""
    found = hashlib.sha256()
    for frame in (fit.tidy(), fit.overall):
        for column in ("std_error", "statistic", "p_value", "conf_low", "conf_high"):
            found.update(frame[column].to_numpy(dtype=np.float64).tobytes())
    found.update(fit.procedure.run.numbers().statistics.tobytes())
    return found.hexdigest()


def said(rows: pd.DataFrame, names: tuple[str, ...], pool: Executor | None = None) -> dict[str, str]:
    """Build the design and ask by every named method."""
    design = council_design(rows)
    return {name: bits(METHODS[name](design, pool)) for name in names}


def killed(block: Block) -> int:
    """End the process in every block but the first."""
    if block.start:
        os.kill(os.getpid(), signal.SIGKILL)
    return block.size
