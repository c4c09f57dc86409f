"""Old names that go on working, with a message that names the new one."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["renamed"]

F = TypeVar("F", bound=Callable[..., Any])


def renamed(**names: str) -> Callable[[F], F]:
    """Let a function take arguments by their old names.

    Parameters
    ----------
    names
        Old name to new name.

    Returns
    -------
    callable
        A decorator. The signature shows the new names only.

    Examples
    --------
    >>> @renamed(colour="color")
    ... def paint(*, color="red"):
    ...     return color
    >>> paint(color="blue")
    'blue'
    """

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def call(*given: Any, **named: Any) -> Any:
            for old, new in names.items():
                if old not in named:
                    continue
                if new in named:
                    raise TypeError(
                        f"{function.__name__}() got {new!r} and its old name {old!r}: give {new!r}."
                    )
                text = (
                    f"{function.__name__}({old}=...) is now {new}=...; the old name will go in version 1.0."
                )
                warnings.warn(text, DeprecationWarning, stacklevel=2)
                named[new] = named.pop(old)
            return function(*given, **named)

        return call  # type: ignore[return-value]

    return decorate
