"""What coverage-guided fuzzing calls with bytes of its own: the CSV reader, printed values, financial years.

Each raises an `AssertionError` if what was read is not what is there, and lets any error pass on that is not
one of the library's.
"""

from __future__ import annotations

import tempfile
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pandas as pd

from clsimpact.errors import ClsimpactError, SourceError
from clsimpact.loaders._csv_categories import read_categories
from clsimpact.loaders.csvs import _plain_numbers, read_text_table
from clsimpact.loaders.manifest import Source, load_manifest
from clsimpact.loaders.values import read_figure
from clsimpact.years import parse_year, year_label

_MARKERS = {"[c]": "suppressed", "[x]": "not_submitted", ":": "not_submitted", "*": "suppressed"}


def _source(encoding: str) -> Source:
    return replace(load_manifest()["asc_fr_totals_2016_17"], encoding=encoding, markers=_MARKERS)


_PLAIN = _source("utf-8")


def check_value(content: bytes) -> None:
    """Read a cell: an independent reading of the digits, and the quick reading of columns, must agree."""
    text = content.decode("utf-8", errors="ignore")
    quick, plain = _plain_numbers([text], _PLAIN)
    try:
        figure = read_figure(text, _MARKERS)
    except ValueError:
        assert not plain[0], text
        return
    if figure is None or figure.value is None:
        assert not plain[0], text
        return
    expected = float(_independent(text))
    assert figure.value == expected, (text, figure, expected)
    assert not plain[0] or quick[0] == expected, (text, quick, expected)


def _independent(text: str) -> Decimal:
    """Return the number that a text spells: digits, point, exponent and sign, without what dresses them."""
    bare = "".join(
        str(unicodedata.decimal(letter)) if letter.isdecimal() else letter
        for letter in text.strip()
        if letter not in "£$%,() "
    )
    bare = "".join(bare.replace("\u2212", "-").split())
    number = Decimal(bare)
    return -number if text.strip().startswith("(") else number


def check_year(content: bytes) -> None:
    """Read a financial year: it must be written in the text, and come back from its label."""
    text = content.decode("utf-8", errors="ignore")
    try:
        year = parse_year(text)
    except ClsimpactError:
        return
    digits = [unicodedata.decimal(letter) for letter in text if letter.isdecimal()]
    assert len(digits) in (6, 8), text
    said = int("".join(map(str, digits[:4])))
    assert said == year, (text, year)
    if year >= 1000:
        assert parse_year(year_label(year)) == year, (text, year)


def check_csv(content: bytes) -> None:
    """Read a CSV both ways, cell by cell and as categories: the same table, or both refuse it."""
    encoding = "cp1252" if content[:1] == b"\x01" else "utf-8-sig"
    source = _source(encoding)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        path.write_bytes(content[1:])
        slow, fast = (_read(reader, path, source) for reader in (read_text_table, read_categories))
    assert (slow is None) == (fast is None), content
    if slow is None or fast is None:
        return
    assert list(slow.columns) == list(fast.columns), (list(slow.columns), list(fast.columns))
    assert slow.to_numpy().tolist() == fast.astype("object").to_numpy().tolist(), content


def _read(reader: Callable[[Path, Source], pd.DataFrame], path: Path, source: Source) -> pd.DataFrame | None:
    try:
        return reader(path, source)
    except SourceError:
        return None


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    "csv": check_csv,
    "values": check_value,
    "years": check_year,
}
"""Name of a folder of the corpus to what reads its files."""

WORDS: Mapping[str, tuple[str, ...]] = {
    "csv": (
        "\x02a,b\n1,2\n",
        '\x02a,b\n"1\n2","x"""\n',
        "\x01a,b\r\n\xe9,2\r\n",
        "\x02\n\na\n",
        "\x02\ufeffa,b\n1,",
    ),
    "values": ("1,284.73", "(12)", "£5", "5%", "1e3", "[c]", "\u22125", ".5", "\u0661", "-$3"),
    "years": ("2016-17", "2015/2016", "1999-00", "2016 to 2017", "201617", "2016\u201317", "\u0662016-17"),
}
"""What the corpus starts from."""
