r"""Who might have adopted instead: re-assignments of adoption paths to units.

A re-assignment permutes the adoption paths among units of a stratum, so that every cohort keeps its size.
Units that are observed in different periods are always in different strata: an estimate then weighs the rows
of a cohort and stratum in the same way under each re-assignment. The identity counts as one of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clsimpact.inference.blocks import Block

__all__ = ["Assignments", "Small"]

Ints = NDArray[np.int64]
Small = NDArray[np.int16]


@dataclass(frozen=True)
class Assignments:
    """Adoption paths of units, and the strata within which they may be permuted.

    Attributes
    ----------
    paths : integer array (N)
        Adoption path (cohort) of each unit, 0 for units that do not adopt in the panel.
    strata : integer array (N)
        Only units of one stratum exchange paths.
    dates_only : bool
        Permute among adopters only: who adopts stays, when is permuted.

    Examples
    --------
    >>> four = Assignments(np.array([1, 0, 0, 2]), np.zeros(4, dtype=np.int64))
    >>> four.count
    12
    >>> Assignments(four.paths, four.strata, dates_only=True).count
    2
    """

    paths: Ints
    strata: Ints
    dates_only: bool = False

    @property
    def groups(self) -> tuple[NDArray[np.intp], ...]:
        """Units of each stratum that can exchange paths: those with two paths or more."""
        adopts: NDArray[np.bool_] = self.paths > 0
        moving = adopts if self.dates_only else np.ones(self.paths.size, dtype=bool)
        found = [np.flatnonzero(moving & (self.strata == s)) for s in np.unique(self.strata)]
        return tuple(units for units in found if np.unique(self.paths[units]).size > 1)

    @property
    def count(self) -> int:
        """Number of distinct re-assignments, the identity among them."""
        total = 1
        for units in self.groups:
            ways = math.factorial(units.size)
            for size in np.unique(self.paths[units], return_counts=True)[1]:
                ways //= math.factorial(int(size))
            total *= ways
        return total

    @property
    def movable(self) -> int:
        """Number of adopters that some re-assignment moves."""
        return int(sum((self.paths[units] > 0).sum() for units in self.groups))

    def draw(self, block: Block) -> Small:
        """Return random re-assignments (block.size, N): the path of each unit."""
        rng = block.generator()
        out = np.tile(self.paths.astype(np.int16), (block.size, 1))
        for units in self.groups:
            out[:, units] = rng.permuted(out[:, units], axis=1)
        return out

    def every(self) -> Small:
        """Return every re-assignment (count, N), the identity among them.

        Examples
        --------
        >>> Assignments(np.array([1, 0, 0]), np.zeros(3, dtype=np.int64)).every().tolist()
        [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
        """
        out = self.paths.astype(np.int16)[None]
        for units in self.groups:
            values, sizes = np.unique(self.paths[units], return_counts=True)
            ways = np.array(list(_arrangements(list(values[::-1]), list(sizes[::-1]))), dtype=np.int16)
            out = np.repeat(out, len(ways), axis=0)
            out[:, units] = np.tile(ways, (len(out) // len(ways), 1))
        return out


def _arrangements(values: list[int], sizes: list[int]) -> Iterator[tuple[int, ...]]:
    """Yield the distinct orders of values that occur ``sizes`` times each."""
    if not any(sizes):
        yield ()
        return
    for i, size in enumerate(sizes):
        if size:
            left = [*sizes[:i], size - 1, *sizes[i + 1 :]]
            for rest in _arrangements(values, left):
                yield (int(values[i]), *rest)
