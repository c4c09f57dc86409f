"""What came of a fetch: one outcome a source, in words and as a table."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Final

import pandas as pd

from clsimpact.errors import SourceError, did_you_mean
from clsimpact.loaders.manifest import load_manifest

__all__ = ["STATUSES", "FetchReport", "Outcome"]

STATUSES: Final[dict[str, str]] = {
    "fetched": "downloaded and checked",
    "verified": "already there and checked: nothing was downloaded",
    "kept offline": "not there, and not asked for because the run was offline",
    "no address known": "not there, and the manifest has no address for it",
    "failed": "could not be had, or was refused",
}
"""What can come of one source."""


@dataclass(frozen=True)
class Outcome:
    """What came of one source.

    Attributes
    ----------
    source_id
        Id of the manifest's record.
    status
        One of :data:`STATUSES`.
    message
        What happened, where, and how to repair it.
    path
        Where the file lies, or would lie.
    bytes, sha256
        Its size and fingerprint; 0 and empty if there is no file to be trusted.
    """

    source_id: str
    status: str
    message: str
    path: str
    bytes: int = 0
    sha256: str = ""


@dataclass(frozen=True)
class FetchReport:
    """What came of a fetch.

    Attributes
    ----------
    folder
        The raw folder.
    chosen
        Why it is this folder.
    outcomes
        One per source, in the order of the manifest.
    """

    folder: Path
    chosen: str
    outcomes: tuple[Outcome, ...]

    @property
    def ok(self) -> bool:
        """Whether no source failed; a source without a known address is no failure of the run."""
        return all(outcome.status != "failed" for outcome in self.outcomes)

    def __getitem__(self, source_id: str) -> Outcome:
        """Return the outcome of one source."""
        for outcome in self.outcomes:
            if outcome.source_id == source_id:
                return outcome
        known = [outcome.source_id for outcome in self.outcomes]
        raise SourceError(
            f"The run did not concern {source_id!r}{did_you_mean(source_id, known)}.",
            repair="Name one of the sources of the run: to_frame() lists them.",
        )

    def to_frame(self) -> pd.DataFrame:
        """Return one row a source.

        Returns
        -------
        pandas.DataFrame
            The columns are the attributes of :class:`Outcome`.
        """
        columns = [field.name for field in fields(Outcome)]
        return pd.DataFrame([asdict(outcome) for outcome in self.outcomes], columns=columns)

    def summary(self) -> str:
        """Return the report in words: what there is, then each source that is not there.

        Returns
        -------
        str
            Several lines. Sources without a known address whose figures ship with the library are counted,
            not listed.
        """
        counts = Counter(outcome.status for outcome in self.outcomes)
        size = sum(outcome.bytes for outcome in self.outcomes if outcome.status == "fetched")
        first = f"{self.folder} ({self.chosen}): {_plural(len(self.outcomes), 'source')}"
        lines = [first, *(f"  {counts[status]:>3} {status}: {STATUSES[status]}" for status in STATUSES)]
        lines = [line for line in lines if not line.startswith("    0 ")]
        if size:
            lines[0] += f", {size / 1e6:,.1f} MB downloaded"
        held = [name for name in self._named("no address known") if name in load_manifest()]
        if held:
            lines.append(f"Of those without an address, the figures of {len(held)} ship with the library.")
        for status in ("failed", "no address known", "kept offline"):
            for name in self._named(status):
                if name not in held:
                    lines.append(f"{status}: {name}: {self[name].message}")
        return "\n".join(lines)

    def _named(self, status: str) -> list[str]:
        return [outcome.source_id for outcome in self.outcomes if outcome.status == status]


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"
