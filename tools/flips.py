"""Flip each claim in made-up worlds, and count how its verdict follows (make flips; docs/flips.md)."""

from __future__ import annotations

import argparse
import os
import platform
import textwrap
import warnings
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from clsimpact._version import __version__
from clsimpact.errors import ClsimpactWarning
from clsimpact.report.pieces.truth import compare_with_truth
from clsimpact.report.study import default_study
from clsimpact.report.study_data import made_up_data
from clsimpact.simulate.truth import DEFAULT_EFFECTS, Truth

ROOT = Path(__file__).resolve().parents[1]
VERDICTS = ("consistent", "inconclusive", "not consistent", "not estimable")


@dataclass(frozen=True)
class Flip:
    """A claim, the outcome it is judged by, and the world of :data:`WORLDS` in which it is false."""

    claim: str
    outcome: str
    words: str
    world: str


WORLDS = {
    "contrary": Truth(
        effects={
            "signposted": (-0.02,),
            "planned_share": (0.0, 0.0, -0.06),
            "funded_mid": (0.10,),
            "gce_per_adult": (100.0,),
        }
    ),
    "early": Truth(anticipation=1.0),
    "fading": Truth(effects={**DEFAULT_EFFECTS, "planned_share": (0.06, 0.06, 0.0)}),
}
"""Truths in which claims are false."""

FLIPS = (
    Flip("C1", "signposted", "signposting falls by two points, for good", "contrary"),
    Flip("C2", "planned_share", "planned reviews fall by six points from the second year on", "contrary"),
    Flip("C3", "funded_mid", "funded care rises by ten points", "contrary"),
    Flip("C4", "gce_per_adult", "spending rises by £100 per adult", "contrary"),
    Flip("C5", "funded_mid", "the whole effect is there a year before adoption", "early"),
    Flip("C5b", "planned_share", "the effect on planned reviews ends after two years", "fading"),
)


def verdicts(seed: int, truth: Truth | None) -> dict[tuple[str, str], str]:
    """Return the verdict on every claim and outcome in one world."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ClsimpactWarning)
        _, claims = compare_with_truth(made_up_data(default_study(), seed, truth))
    rows = claims.drop_duplicates(["claim", "outcome"])
    return {(row.claim, row.outcome): row.claim_verdict for row in rows.itertuples()}


def one_seed(seed: int) -> dict[str, tuple[str, str]]:
    """Return for each flip the verdict with the default truth and with the flipped one."""
    base = verdicts(seed, None)
    other = {name: verdicts(seed, truth) for name, truth in WORLDS.items()}
    places = {it.claim: (it.world, (it.claim, it.outcome)) for it in FLIPS}
    return {claim: (base[place], other[world][place]) for claim, (world, place) in places.items()}


def counts(found: list[Mapping[str, tuple[str, str]]]) -> list[str]:
    """Return a line of the table for every flip."""
    lines = []
    for it in FLIPS:
        before, after = (Counter(seed[it.claim][i] for seed in found) for i in (0, 1))
        flipped = sum(seed[it.claim][0] != seed[it.claim][1] for seed in found)
        cells = [" / ".join(str(side[verdict]) for verdict in VERDICTS[:3]) for side in (before, after)]
        changed = f"{flipped} of {len(found)}"
        lines.append(f"| {it.claim} | `{it.outcome}` | {it.words} | {cells[0]} | {cells[1]} | {changed} |")
    return lines


def page(found: list[Mapping[str, tuple[str, str]]]) -> str:
    """Return the page."""
    version = f"clsimpact {__version__}, Python {platform.python_version()}"
    text = (
        f"{len(found)} made-up worlds (seeds 1 to {len(found)}), 24 adopters. The study is run on each with "
        "the default truth, in which the claims hold, and with truths in which they do not. Counts are of "
        "worlds: consistent / inconclusive / not consistent. Margins are those of `study.toml`. A claim is "
        "*consistent* only where all its tests are, so a true claim is often inconclusive: C5, say, asks for "
        f"equivalence within two points before adoption. Made by `make flips` ({version})."
    )
    lines = [
        "# Do verdicts follow the truth?",
        "",
        *textwrap.wrap(text, 125),
        "",
        "| claim | judged by | what is true instead | claim true | claim false | verdict changed |",
        "|---|---|---|---|---|---|",
        *counts(found),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run every world and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "flips.md")
    given = parser.parse_args()
    with ProcessPoolExecutor(given.workers) as pool:
        found: list[Mapping[str, tuple[str, str]]] = list(pool.map(one_seed, range(1, given.seeds + 1)))
    text = page(found)
    given.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
