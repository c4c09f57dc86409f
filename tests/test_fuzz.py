"""A short run of the fuzzer with fixed numbers (`make fuzz` is the long one)."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from tests.conftest import SHARED
from tests.fuzz.grids import Place
from tests.fuzz.mutations import MUTATIONS
from tests.fuzz.oracle import Mutated, broken_promises
from tests.fuzz.plan import case
from tests.fuzz.pool import Reader
from tests.fuzz.seeds import Seed, made_seeds, official_seeds, own_seeds
from tests.fuzz.targets import TARGETS, WORDS
from tests.fuzz.worker import GOOD

CORPUS = Path(__file__).parent / "fuzz" / "corpus"

FILES = 900
"""How many broken files are read, always the same ones: about 75 seconds."""
PUBLICATIONS = (
    "pss_ex1_unit_costs_2014_15",
    "asc_fr_activity_2016_17",
    "ascof_tables_2024_25",
    "deprivation_2019",
)


@pytest.fixture(scope="module")
def seeds() -> list[Seed]:
    found = [*own_seeds(), *made_seeds()]
    official = SHARED / "data" / "official"
    if official.is_dir():
        found += official_seeds(official, only=PUBLICATIONS)
    return found


def test_broken_files_load_what_is_left_or_are_refused(seeds: list[Seed]) -> None:
    outcomes, wrong = Counter[str](), []
    with Reader(seeds, seconds=60.0) as reader:
        for number in range(FILES):
            seed, mutated = case(seeds, number=number, seed=2)
            verdict = reader.verdict(seed, mutated)
            outcomes[verdict.outcome] += 1
            if verdict.outcome not in GOOD:
                wrong.append(f"{number}: {seed.name} {mutated.mutation} {mutated.note}: {verdict}")
    assert not wrong, "\n".join(wrong)
    assert outcomes["loaded"] > 0
    assert outcomes["refused"] > outcomes["loaded"] / 10


def test_cases_can_be_made_again_alone(seeds: list[Seed]) -> None:
    first, again = (case(seeds, number=7, seed=3) for _ in range(2))
    assert first[0].name == again[0].name
    assert first[1] == again[1]


@pytest.mark.parametrize("target", TARGETS)
def test_the_corpus_of_coverage_guided_fuzzing_is_read_as_it_must_be(target: str) -> None:
    files = sorted((CORPUS / target).iterdir())
    assert len(files) >= len(WORDS[target])
    for path in files:
        TARGETS[target](path.read_bytes())


def test_every_mutation_says_what_it_does() -> None:
    assert all((mutation.__doc__ or "").strip() for mutation in MUTATIONS.values())


def test_the_reader_finds_a_process_that_does_not_answer() -> None:
    seed = next(own_seeds())
    with Reader([seed], seconds=0.0) as reader:
        mutated = case([seed], number=1, seed=1)[1]
        assert reader.verdict(seed, mutated).outcome == "hung"


def test_the_oracle_sees_a_figure_that_changed() -> None:
    """Loaders are right; so the oracle is given tables that a wrong one would have returned."""
    before = pd.DataFrame({"table": "T1", "cell": ["A1", "A2"], "measure": "m", "value": [1.0, 2.0]})
    place = Place("T1", 0, 0)
    wrong = before.assign(value=[0.0, 2.0])
    assert broken_promises(before, wrong, Mutated(b"", "blanked", "", "cell", place))
    assert not broken_promises(before, before.iloc[1:], Mutated(b"", "blanked", "", "cell", place))
    assert broken_promises(before, before.iloc[:1], Mutated(b"", "blanked", "", "cell", place))
    assert broken_promises(before, wrong, Mutated(b"", "row_lost", "", "subset"))
    assert not broken_promises(before, before.iloc[:1], Mutated(b"", "row_lost", "", "subset"))
    assert broken_promises(before, before.iloc[:1], Mutated(b"", "nuls", "", "same"))
    assert broken_promises(before, wrong, Mutated(b"", "nuls", "", "place"))
