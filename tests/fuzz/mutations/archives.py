"""Archives with members that lead out, stand twice, are links, are locked or lie about themselves."""

from __future__ import annotations

import io
import struct
import zipfile
from random import Random

from tests.fuzz.grids import unpacked
from tests.fuzz.oracle import Mutated
from tests.fuzz.seeds import Seed

ESCAPED = "clsimpact-fuzz-escaped"
"""What a member is called that leads out of the folder: it must never be written."""
_NAMES = (
    *(
        f"../{ESCAPED}",
        f"../../{ESCAPED}",
        f"/tmp/{ESCAPED}",
        f"..\\{ESCAPED}",
        f"C:\\{ESCAPED}",
        f"x/../../{ESCAPED}",
    ),
    *(
        f"./{ESCAPED}.csv/../../../{ESCAPED}",
        "",
        ".",
        "..",
        "a" * 300,
        "con",
        "x\x00.csv",
        "\u202e.csv",
        "dir/",
    ),
)
_ARCHIVES = ("zip", "xlsx", "ods", "xlsb")


def member_names(random: Random, seed: Seed) -> Mutated | None:
    """Rename a member, or add one, to lead out of the folder."""
    if seed.kind not in _ARCHIVES:
        return None
    parts = unpacked(seed.content)
    name = random.choice(_NAMES)
    old = random.choice([*parts, ""])
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in parts.items():
            archive.writestr(_info(name if member == old else member), content, zipfile.ZIP_DEFLATED)
        if not old:
            archive.writestr(_info(name), b"escaped", zipfile.ZIP_DEFLATED)
    # A figure of a data pack names the member that it stands in.
    promise = "any" if old and seed.kind == "zip" else "subset"
    return Mutated(stream.getvalue(), "member_names", f"{old!r} -> {name[:40]!r}", promise)


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("x")
    info.filename = name
    return info


def member_kinds(random: Random, seed: Seed) -> Mutated | None:
    """Make a member a link, a device, encrypted, or of a way of packing that nobody knows."""
    if seed.kind not in _ARCHIVES:
        return None
    parts = unpacked(seed.content)
    chosen = random.choice(list(parts))
    mode = random.choice((0o120777, 0o020666, 0o060666, 0o010666, 0o140777))
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in parts.items():
            info = zipfile.ZipInfo(member)
            if member == chosen:
                info.create_system, info.external_attr = 3, mode << 16
                content = random.choice((content, b"/etc/passwd", b"../../.."))
            archive.writestr(info, content, zipfile.ZIP_DEFLATED)
    packed = bytearray(stream.getvalue())
    what = random.choice(("link", "flag", "method"))
    heads = [at for at in range(len(packed) - 4) if packed[at : at + 4] == b"PK\x01\x02"]
    if what != "link" and heads:
        head = random.choice(heads)
        place, value = (head + 8, 1) if what == "flag" else (head + 10, random.choice((1, 9, 12, 14, 93, 99)))
        packed[place : place + 2] = struct.pack("<H", value)
    return Mutated(bytes(packed), "member_kinds", f"{what} {chosen}")


def member_twice(random: Random, seed: Seed) -> Mutated | None:
    """Put a member in twice, the second time empty, shorter or with other digits."""
    if seed.kind not in _ARCHIVES:
        return None
    parts = unpacked(seed.content)
    chosen = random.choice(list(parts))
    other = random.choice((b"", parts[chosen][: len(parts[chosen]) // 2], parts[chosen].replace(b"1", b"2")))
    members = [*parts.items(), (chosen, other)]
    if random.random() < 0.5:
        members.insert(0, members.pop())
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in members:
            archive.NameToInfo.pop(member, None)  # or the writer warns
            archive.writestr(zipfile.ZipInfo(member), content, zipfile.ZIP_DEFLATED)
    return Mutated(stream.getvalue(), "member_twice", chosen, "subset")


def directory_lies(random: Random, seed: Seed) -> Mutated | None:
    """Change sizes, checksums and offsets in the directory of the archive."""
    if seed.kind not in _ARCHIVES:
        return None
    content = bytearray(seed.content)
    heads = [at for at in range(len(content) - 4) if content[at : at + 4] in (b"PK\x01\x02", b"PK\x05\x06")]
    if not heads:
        return None
    head = random.choice(heads)
    offset = random.choice((8, 10, 12, 16, 20, 24, 28, 30, 42))
    value = random.choice((0, 1, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, random.randrange(1 << 32)))
    content[head + offset : head + offset + 4] = struct.pack("<I", value)
    return Mutated(bytes(content), "directory_lies", f"{offset}: {value}", "subset")


MUTATIONS = (member_names, member_kinds, member_twice, directory_lies)
