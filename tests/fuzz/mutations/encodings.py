"""The same text in another encoding, with marks, blanks and breaks that editors and programs add."""

from __future__ import annotations

from random import Random

from tests.fuzz.mutations.rows import is_list
from tests.fuzz.oracle import Mutated
from tests.fuzz.seeds import Seed

_TEXT = ("csv", "toml", "json")
_ENCODINGS = (
    "utf-16",
    "utf-16-le",
    "utf-16-be",
    "utf-32",
    "utf-8-sig",
    "cp1252",
    "cp437",
    "cp037",
    "shift_jis",
)
_INVALID = (b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80", b"\x80", b"\xc0\xaf", b"\x81")
_BREAKS = ("\r\n", "\r", "\n", "\x85", "\u2028", "\x0b", "\x0c", "\n\n", "\r\r\n")


def _text(seed: Seed) -> str | None:
    if seed.kind not in _TEXT:
        return None
    return seed.content.decode(seed.source.encoding if seed.source else "utf-8")


def other_encoding(random: Random, seed: Seed) -> Mutated | None:
    """Save the text in another encoding."""
    text = _text(seed)
    if text is None:
        return None
    encoding = random.choice(_ENCODINGS)
    # A list without figures may come with question marks in its names; they are shown as they stand.
    promise = "any" if is_list(seed) else "subset"
    return Mutated(text.encode(encoding, errors="replace"), "other_encoding", encoding, promise)


def invalid_bytes(random: Random, seed: Seed) -> Mutated | None:
    """Put bytes into the text that no UTF-8 has."""
    if seed.kind not in _TEXT:
        return None
    place, wrong = random.randrange(len(seed.content)), random.choice(_INVALID)
    content = seed.content[:place] + wrong + seed.content[place:]
    return Mutated(content, "invalid_bytes", f"{wrong!r} at {place}", "place")


def byte_order_marks(random: Random, seed: Seed) -> Mutated | None:
    """Put byte order marks before the text, once or several times, or within it."""
    text = _text(seed)
    if text is None:
        return None
    place = random.choice((0, 0, random.randrange(len(text))))
    marked = text[:place] + "\ufeff" * random.choice((1, 1, 2, 3)) + text[place:]
    return Mutated(marked.encode("utf-8"), "byte_order_marks", f"at {place}", "place")


def other_breaks(random: Random, seed: Seed) -> Mutated | None:
    """End lines in another way."""
    text = _text(seed)
    if text is None:
        return None
    mark = random.choice(_BREAKS)
    encoding = seed.source.encoding if seed.source else "utf-8"
    content = mark.join(text.splitlines()) + mark
    return Mutated(content.encode(encoding, errors="replace"), "other_breaks", repr(mark), "subset")


def nuls(random: Random, seed: Seed) -> Mutated | None:
    """Put NUL characters into the text, one or a run of them."""
    if seed.kind not in _TEXT:
        return None
    place = random.randrange(len(seed.content) + 1)
    content = seed.content[:place] + bytes(random.choice((1, 1, 3, 600))) + seed.content[place:]
    return Mutated(content, "nuls", f"at {place}", "place")


MUTATIONS = (other_encoding, invalid_bytes, byte_order_marks, other_breaks, nuls)
