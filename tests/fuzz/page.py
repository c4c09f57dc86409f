"""What a run found, as docs/fuzzing.md and a table docs/fuzzing.csv."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from clsimpact import __version__
from clsimpact.store import write_csv
from tests.fuzz.log import Line
from tests.fuzz.mutations import MUTATIONS
from tests.fuzz.worker import GOOD

_HEAD = """# Broken files

Every loader has read files that were broken on purpose: the publishers' files (cut down to a few councils,
and some whole), made-up publications, and the files that users write or are handed (adopters, saved results,
study, claims, manifests). Each was read in a process of its own with 1 GiB of memory beside what Python and
the libraries hold, and {seconds} seconds. A file must load with the figures that can still be read, or be
refused by an error of the library that says what is wrong. It must not crash, hang, take more memory, write
anything, raise another exception, or change a figure without a word.

What may be read from a broken file is known for most ways to break it. A cell that can no longer be read must
be missing or reported, and every other figure stay as it was. Rows that are moved, lost or written twice,
other encodings, and damage that the checksums of an archive show may bring no figure that was not there. Only
where nothing can tell a wrong figure from a right one (a flipped bit turned a 3 into a 7 in a CSV) is any
table accepted; the fingerprints of the manifest notice that when files are read with `load_returns`.

Made by `make fuzz` (seed {seed}, clsimpact {version}, Python {python}). The same numbers are in
[fuzzing.csv](fuzzing.csv).

"""


def write_page(lines: Sequence[Line], docs: Path, *, seed: int, seconds: float = 60.0) -> None:
    """Write the page and the table.

    Parameters
    ----------
    lines
        What a run found; where a number stands twice the last counts.
    docs
        The folder of the documentation.
    seed, seconds
        Of the run.
    """
    last = {line.number: line for line in lines}
    found = pd.DataFrame(last.values())
    facts = {"version": __version__, "python": platform.python_version(), "seed": seed}
    text = _HEAD.format(seconds=f"{seconds:.0f}", **facts)
    text += "\n".join([*_summary(found), "", *_by_mutation(found), "", *_by_kind(found), "", *_wrong(found)])
    text += "\n" + Path(__file__).with_name("findings.md").read_text(encoding="utf-8")
    (docs / "fuzzing.md").write_text(text.rstrip() + "\n", encoding="utf-8")
    write_csv(_counts(found, ["kind", "mutation", "outcome"]), docs / "fuzzing.csv")


def _counts(found: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    return found.groupby(keys, sort=True).size().reset_index(name="files")


def _summary(found: pd.DataFrame) -> Iterator[str]:
    outcomes = found["outcome"].value_counts()
    bad = int(outcomes.drop(list(GOOD), errors="ignore").sum())
    yield (
        f"**{len(found):,} broken files**, made from {found['seed'].nunique()} files in "
        f"{found['mutation'].nunique()} ways: {outcomes.get('loaded', 0):,} loaded, "
        f"{outcomes.get('refused', 0):,} were refused, {bad:,} did what they must not."
    )
    yield (
        f"The longest took {found['seconds'].max():.1f} s, half of them less than "
        f"{1000 * found['seconds'].median():.0f} ms; the most memory was {found['peak'].max():,} MiB."
    )


def _by_mutation(found: pd.DataFrame) -> Iterator[str]:
    yield from (
        "| broken by | what is done | files | loaded | refused | else |",
        "|---|---|---:|---:|---:|---:|",
    )
    for name, mutation in MUTATIONS.items():
        words = (mutation.__doc__ or "").strip().splitlines()[0].rstrip(".")
        yield f"| `{name}` | {words} | {_cells(found[found['mutation'] == name])} |"


def _by_kind(found: pd.DataFrame) -> Iterator[str]:
    yield from ("| kind of file | files | loaded | refused | else |", "|---|---:|---:|---:|---:|")
    for kind, rows in found.groupby("kind"):
        yield f"| {kind} | {_cells(rows)} |"


def _cells(rows: pd.DataFrame) -> str:
    good = [int(rows["outcome"].eq(outcome).sum()) for outcome in GOOD]
    return " | ".join(f"{number:,}" for number in (len(rows), *good, len(rows) - sum(good)))


def _wrong(found: pd.DataFrame) -> Iterator[str]:
    wrong = found[~found["outcome"].isin(GOOD)]
    if len(wrong):
        yield from ("## Not as it should be", "")
        yield from (
            f"- {row.number}: {row.seed}, `{row.mutation}`: {row.outcome}. {row.detail}"
            for row in wrong.head(40).itertuples()
        )
