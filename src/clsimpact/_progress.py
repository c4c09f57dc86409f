"""How far a long function is: a bar in a terminal or a notebook, and nothing anywhere else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["Progress", "bar", "listener"]

Progress = Callable[[str, int, int], None]
"""Told of a step: its words, its number and the number of steps."""


def bar(**options: Any) -> Any:
    """Return a bar of tqdm, its widget in a notebook; it stays silent where nobody looks.

    Parameters
    ----------
    options
        As ``tqdm.tqdm`` takes them.
    """
    from tqdm.auto import tqdm

    widget = any(kind.__module__ == "tqdm.notebook" for kind in tqdm.__mro__)
    return tqdm(**{"disable": False if widget else None, **options})


def listener(progress: Progress | bool | None) -> Progress | None:
    """Return what is told of steps: a bar for ``True``, the function that was given, or nothing.

    Examples
    --------
    >>> listener(False) is None, listener(print) is print
    (True, True)
    """
    if not isinstance(progress, bool):
        return progress
    return _Bar() if progress else None


class _Bar:
    """A bar that opens with the first step and closes with the last."""

    def __init__(self) -> None:
        self.open: Any = None

    def __call__(self, words: str, step: int, total: int) -> None:
        if self.open is None:
            self.open = bar(total=total, leave=False)
        self.open.total, self.open.n = total, step
        self.open.set_description_str(words)
        if step >= total:
            self.open.close()
            self.open = None
