"""Text as it may be shown: without characters that files cannot hold, or that turn what is beside them."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["only_printable", "printable"]

_UNPRINTABLE: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f"  # control characters, tab and ends of lines excepted
    "\u202a-\u202e\u2066-\u2069"  # marks that turn the direction of what follows, numbers too
    "\ud800-\udfff\ufffe\uffff]"  # halves of characters, and none at all
)
_INSTEAD: Final = "\ufffd"
_BYTES: Final = bytes(it for it in range(32) if it not in b"\t\n\r")


def printable(text: str) -> str:
    r"""Return text with a replacement mark in the place of what cannot be shown.

    XML, and so SVG and Word, has no control characters; marks of direction would show figures backwards.

    Examples
    --------
    >>> printable("Leeds\x00"), printable("York")
    ('Leeds�', 'York')
    """
    return _UNPRINTABLE.sub(_INSTEAD, text)


def only_printable(drawn: bytes) -> bytes:
    r"""Return an XML file without the control characters that it must not hold.

    Examples
    --------
    >>> only_printable(b"<text>a\x01b</text>")
    b'<text>ab</text>'
    """
    return drawn.translate(None, _BYTES)
