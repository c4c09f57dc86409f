"""TOML that somebody else wrote: whatever is wrong with it is one kind of error."""

from __future__ import annotations

import tomllib
from typing import Any

__all__ = ["parse_toml"]


def parse_toml(text: str) -> dict[str, Any]:
    """Read a TOML document.

    Parameters
    ----------
    text
        The document.

    Returns
    -------
    dict
        Its tables.

    Raises
    ------
    tomllib.TOMLDecodeError
        If it is no TOML, or is nested or has numbers beyond what Python reads.

    Examples
    --------
    >>> parse_toml("a = 1")
    {'a': 1}
    >>> parse_toml("a = " + "[" * 100_000)
    Traceback (most recent call last):
    tomllib.TOMLDecodeError: it is nested too deeply
    """
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise tomllib.TOMLDecodeError("it is nested too deeply") from None
    except tomllib.TOMLDecodeError:
        raise
    except ValueError as error:  # a whole number of thousands of digits
        raise tomllib.TOMLDecodeError(str(error)) from error
