from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from clsimpact._toml import parse_toml
from clsimpact.claims.reading import load_claims
from clsimpact.errors import ClsimpactError
from clsimpact.fetch import read_lock
from clsimpact.loaders.manifest import load_manifest
from clsimpact.report.study import load_study
from clsimpact.simulate.truth import Truth

DEEP = "a = " + "[" * 100_000
LONG = "a = " + "9" * 5_000
READERS: dict[str, Callable[[Path], object]] = {
    "claims": load_claims,
    "lock": lambda path: read_lock(path.parent),
    "manifest": load_manifest,
    "study": load_study,
    "truth": lambda path: Truth.from_toml(path.read_text()),
}


@pytest.mark.parametrize("text", [DEEP, LONG, "a = "])
def test_whatever_is_wrong_is_one_kind_of_error(text: str) -> None:
    with pytest.raises(tomllib.TOMLDecodeError):
        parse_toml(text)


@pytest.mark.parametrize("text", [DEEP, LONG])
@pytest.mark.parametrize("reader", READERS)
def test_every_toml_file_that_is_too_much_is_refused(tmp_path: Path, reader: str, text: str) -> None:
    path = tmp_path / "fetched.toml"
    path.write_text(text)
    with pytest.raises(ClsimpactError, match=r"too deeply|digits"):
        READERS[reader](path)
