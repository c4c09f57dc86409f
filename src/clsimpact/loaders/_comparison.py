"""What every check of figures against figures comes to."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Comparison"]


class Comparison(NamedTuple):
    """One kind of check: how many pairs of figures were compared and how they came out."""

    check: str
    compared: int
    agree: int
    explained: int
    differ: int
    note: str
