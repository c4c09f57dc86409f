"""Which files are broken in which ways: the same number and seed give the same files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

from tests.fuzz.mutations import MUTATIONS
from tests.fuzz.mutations.rows import is_list
from tests.fuzz.oracle import Mutated
from tests.fuzz.seeds import Seed

_WHOLE = 0.01
"""Share of broken files that are whole publications: they take a hundred times as long."""
_QUICK = 3
"""How many times as often files are taken that are read in a few milliseconds."""


def cases(seeds: Sequence[Seed], *, files: int, seed: int) -> Iterator[tuple[Seed, Mutated]]:
    """Yield broken files, seed by seed and mutation by mutation in random order.

    Every case has a generator of its own, so that case 5,000 can be made again without the 4,999 before it.
    """
    for number in range(files):
        yield case(seeds, number=number, seed=seed)


def case(seeds: Sequence[Seed], *, number: int, seed: int) -> tuple[Seed, Mutated]:
    """Return one broken file."""
    random = Random(f"{seed}:{number}")
    large = [it for it in seeds if _is_large(it)]
    small = [it for it in seeds if not _is_large(it)]
    group = large if large and random.random() < _WHOLE else small
    while True:
        chosen = random.choices(
            group, [_QUICK if it.kind in ("toml", "json") or is_list(it) else 1 for it in group]
        )[0]
        mutation = random.choice(list(MUTATIONS.values()))
        mutated = mutation(random, chosen)
        if mutated is not None and mutated.content != chosen.content:
            return chosen, mutated


def _is_large(seed: Seed) -> bool:
    return len(seed.content) > 200_000
