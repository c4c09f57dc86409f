"""A claim that is flipped in the truth flips its verdict; over twenty worlds: docs/flips.md."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from clsimpact.claims import CLAIMS

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

pytestmark = pytest.mark.once


def test_verdicts_follow_the_truth_of_one_world() -> None:
    import flips

    base, contrary = flips.verdicts(1, None), flips.verdicts(1, flips.WORLDS["contrary"])
    places = [(it.claim, it.outcome) for it in flips.FLIPS if it.world == "contrary"]
    assert [base[place] for place in places] == ["consistent"] * 4
    assert "consistent" not in {contrary[place] for place in places}
    assert contrary["C3", "funded_mid"] == "not consistent"


def test_the_page_has_a_line_for_every_claim(root: Path) -> None:
    text = (root / "docs" / "flips.md").read_text(encoding="utf-8")
    assert [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| C")] == list(
        CLAIMS
    )


def test_counts_add_up() -> None:
    import flips

    found = [
        dict.fromkeys(CLAIMS, ("consistent", "not consistent")),
        dict.fromkeys(CLAIMS, ("inconclusive",) * 2),
    ]
    assert flips.counts(found)[0].endswith("| 1 / 1 / 0 | 0 / 1 / 1 | 1 of 2 |")
