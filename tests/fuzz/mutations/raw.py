"""Bytes flipped, cut off, put in twice, taken out: what disks and networks do."""

from __future__ import annotations

from random import Random

from tests.fuzz.oracle import Mutated
from tests.fuzz.seeds import Seed

_INTERESTING = (b"\x00", b"\xff", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b'"', b"\n", b"\r", b",", b"\x1a")
_CHECKED = ("xlsx", "ods", "xlsb", "zip")
"""Kinds whose parts carry checksums: no figure may change without a word."""


def _promise(seed: Seed) -> str:
    return "subset" if seed.kind in _CHECKED else "any"


def flipped_bits(random: Random, seed: Seed) -> Mutated:
    """Flip one bit in up to eight bytes."""
    content = bytearray(seed.content)
    places = [random.randrange(len(content)) for _ in range(random.choice((1, 1, 1, 2, 4, 8)))]
    for place in places:
        content[place] ^= 1 << random.randrange(8)
    return Mutated(bytes(content), "flipped_bits", f"at {places}", _promise(seed))


def changed_bytes(random: Random, seed: Seed) -> Mutated:
    """Write up to sixteen random or notable bytes over others."""
    content = bytearray(seed.content)
    for _ in range(random.choice((1, 2, 4, 16))):
        place = random.randrange(len(content))
        new = random.choice((*_INTERESTING, bytes([random.randrange(256)])))
        content[place : place + len(new)] = new
    return Mutated(bytes(content), "changed_bytes", "", _promise(seed))


def truncated(random: Random, seed: Seed) -> Mutated:
    """Cut the end off, anywhere, at a power of two, or near the end."""
    size = len(seed.content)
    near = max(0, size - random.randrange(1, 40))
    kept = random.choice((0, 1, random.randrange(size), 1 << random.randrange(1, size.bit_length()), near))
    promise = "any" if seed.kind in ("csv", "xls", "toml", "json") else "subset"
    return Mutated(seed.content[: min(kept, size)], "truncated", f"to {kept}", promise)


def chunk_twice(random: Random, seed: Seed) -> Mutated:
    """Write a piece of the file a second time."""
    start, end = _piece(random, seed)
    content = seed.content[:end] + seed.content[start:end] + seed.content[end:]
    return Mutated(content, "chunk_twice", f"{start}:{end}", _promise(seed))


def chunk_lost(random: Random, seed: Seed) -> Mutated:
    """Take a piece of the file out."""
    start, end = _piece(random, seed)
    return Mutated(seed.content[:start] + seed.content[end:], "chunk_lost", f"{start}:{end}", _promise(seed))


def chunk_zeroed(random: Random, seed: Seed) -> Mutated:
    """Fill a piece of the file with zeros, as a failed write leaves it."""
    start, end = _piece(random, seed)
    content = seed.content[:start] + bytes(end - start) + seed.content[end:]
    return Mutated(content, "chunk_zeroed", f"{start}:{end}", _promise(seed))


def other_kind(random: Random, seed: Seed) -> Mutated:
    """Put something else behind the name: nothing, a web page, a picture, another format, noise."""
    noise = random.randbytes(random.choice((1, 7, 512, 9000)))
    content = random.choice(
        (
            b"",
            b"\n",
            b" ",
            b"\xef\xbb\xbf",
            b"<!DOCTYPE html><html><body>404 Not Found</body></html>\n",
            b"\x89PNG\r\n\x1a\n" + noise,
            b"PK\x05\x06" + bytes(18),
            b"PK\x03\x04" + noise,
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + noise,
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504) + noise,
            b"\x1f\x8b\x08" + noise,
            b"%PDF-1.7\n" + noise,
            noise,
        )
    )
    return Mutated(content, "other_kind", repr(content[:12]), "subset")


def _piece(random: Random, seed: Seed) -> tuple[int, int]:
    start = random.randrange(len(seed.content))
    length = random.choice((1, 2, 16, 200, 512, 4096))
    return start, min(len(seed.content), start + random.randrange(1, length + 1))


MUTATIONS = (flipped_bits, changed_bytes, truncated, chunk_twice, chunk_lost, chunk_zeroed, other_kind)
