"""Ways to break a file, one idea a module; each takes a random generator and a seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random

from tests.fuzz.mutations import archives, bombs, cells, encodings, headers, raw, rows, sheets, texts, xml
from tests.fuzz.oracle import Mutated
from tests.fuzz.seeds import Seed

Mutation = Callable[[Random, Seed], Mutated | None]

MUTATIONS: Mapping[str, Mutation] = {
    mutation.__name__: mutation
    for module in (raw, encodings, cells, rows, headers, sheets, xml, archives, bombs, texts)
    for mutation in module.MUTATIONS
}
"""Name to mutation. One returns nothing where it has no meaning for a seed."""
