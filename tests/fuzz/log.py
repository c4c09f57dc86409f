"""One line of text for every broken file that was read."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from pathlib import Path

from tests.fuzz.oracle import Mutated
from tests.fuzz.seeds import Seed
from tests.fuzz.worker import Verdict

_MOST = 300


@dataclass(frozen=True)
class Line:
    """A broken file: its number, what it was made from and how, and what became of it."""

    number: int
    seed: str
    kind: str
    mutation: str
    outcome: str
    seconds: float
    peak: int
    note: str
    detail: str

    @classmethod
    def of(cls, number: int, seed: Seed, mutated: Mutated, verdict: Verdict) -> Line:
        """Return the line of a case."""
        mebibytes = verdict.peak >> 20
        what = (number, seed.name, seed.kind, mutated.mutation, verdict.outcome)
        return cls(*what, round(verdict.seconds, 3), mebibytes, _plain(mutated.note), _plain(verdict.detail))

    def words(self) -> str:
        """Return the line for a terminal."""
        return f"{self.number}: {self.seed}, {self.mutation} ({self.note}): {self.outcome} {self.detail}"


def _plain(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)[:_MOST]


def write_line(log: Path, line: Line) -> None:
    """Add a line to a log."""
    with log.open("a", encoding="utf-8") as stream:
        stream.write("\t".join(str(word) for word in astuple(line)) + "\n")


def read_log(log: Path) -> list[Line]:
    """Return the lines of a log; none if it does not exist."""
    if not log.is_file():
        return []
    found = []
    for text in log.read_text(encoding="utf-8").splitlines():
        number, seed, kind, mutation, outcome, seconds, peak, note, detail = text.split("\t")
        found.append(
            Line(int(number), seed, kind, mutation, outcome, float(seconds), int(peak), note, detail)
        )
    return found
