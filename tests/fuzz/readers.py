"""How each kind of file is read, and the figures in it as a table."""

from __future__ import annotations

import functools
import importlib
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from clsimpact import load_adoption
from clsimpact.claims.reading import load_claims
from clsimpact.errors import LayoutError
from clsimpact.fetch import read_lock
from clsimpact.loaders import _complete, data_tables
from clsimpact.loaders.manifest import load_manifest
from clsimpact.report.study import load_study
from clsimpact.saved import load_estimate
from clsimpact.simulate.truth import Truth
from tests.fuzz.seeds import Seed

_CHECKED = ("_keyed_csv", "asc_fr_long", "ascof_official_csv", "deferred_payments", "pss_ex1_wide")
"""Adapters that refuse a file that is not whole."""


class Readers:
    """Reads files; what a cut-down file lacks is no news, anything more is.

    The problems of the unbroken file, which lacks most councils, are learned once for each seed. After that
    they are passed over and all others are raised, so a row that was taken out is still reported.
    """

    def __init__(self) -> None:
        self._known: dict[str, set[str]] = {}
        self._seed = ""
        self._learning = False
        for name in _CHECKED:
            module = importlib.import_module(f"clsimpact.loaders.{name}")
            module.raise_incomplete = self._raise_incomplete  # type: ignore[attr-defined]
        data_tables.read = functools.partial(data_tables.read, partial=True)

    def _raise_incomplete(self, file: str, problems: Iterable[str]) -> None:
        found = list(problems)
        if self._learning:
            self._known.setdefault(self._seed, set()).update(found)
            return
        known = self._known.get(self._seed, set())
        _complete.raise_incomplete(file, [problem for problem in found if problem not in known])

    def learn(self, seed: Seed, path: Path) -> pd.DataFrame:
        """Read the unbroken file."""
        self._learning = True
        try:
            return self.read(seed, path)
        finally:
            self._learning = False

    def read(self, seed: Seed, path: Path) -> pd.DataFrame:
        """Read a file as the seed is read, without warnings."""
        self._seed = seed.name
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _READERS[seed.reader](seed, path)


def _adapter(seed: Seed, path: Path) -> pd.DataFrame:
    if seed.source is None:
        raise LayoutError("A seed of an adapter has a manifest record.", repair="Give it one.")
    module = importlib.import_module(f"clsimpact.loaders.{seed.source.adapter}")
    table: pd.DataFrame = module.read(path, seed.source)
    return table


def _estimate(_: Seed, path: Path) -> pd.DataFrame:
    estimate = load_estimate(path)
    table: pd.DataFrame = estimate.tidy()
    return pd.DataFrame(table)


def _study(_: Seed, path: Path) -> pd.DataFrame:
    return pd.DataFrame({"study": [load_study(path).title]})


def _claims(_: Seed, path: Path) -> pd.DataFrame:
    return pd.DataFrame({"claim": list(load_claims(path))})


def _manifest(_: Seed, path: Path) -> pd.DataFrame:
    return _records({name: asdict(source) for name, source in load_manifest(path).items()})


def _lock(_: Seed, path: Path) -> pd.DataFrame:
    return _records({name: asdict(entry) for name, entry in read_lock(path.parent).items()})


def _truth(_: Seed, path: Path) -> pd.DataFrame:
    return pd.DataFrame(
        {"truth": [Truth.from_toml(path.read_text(encoding="utf-8", errors="replace")).to_toml()]}
    )


def _records(found: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame([{"record": name, "says": str(record)} for name, record in found.items()])


_READERS: dict[str, Callable[[Seed, Path], pd.DataFrame]] = {
    "adapter": _adapter,
    "adoption": lambda _, path: load_adoption(path),
    "claims": _claims,
    "estimate": _estimate,
    "lock": _lock,
    "manifest": _manifest,
    "study": _study,
    "truth": _truth,
}
