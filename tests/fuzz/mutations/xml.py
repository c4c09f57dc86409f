"""What can be hidden in the XML of a workbook: entities, document types, references to elsewhere."""

from __future__ import annotations

import re
from random import Random

from tests.fuzz.grids import packed, unpacked
from tests.fuzz.oracle import Mutated
from tests.fuzz.seeds import Seed

_LAUGHS = "".join(
    f'<!ENTITY l{level} "{f"&l{level - 1};" * 10}">' if level else '<!ENTITY l0 "1111111111">'
    for level in range(10)
)
_TYPES = {
    "billion laughs": (f"<!DOCTYPE x [{_LAUGHS}]>", "&l9;"),
    "quadratic": (f'<!DOCTYPE x [<!ENTITY q "{"7" * 60_000}">]>', "&q;" * 5_000),
    "external file": ('<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>', "&e;"),
    "external address": (
        '<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd" [<!ENTITY e SYSTEM "http://127.0.0.1:9/">]>',
        "&e;",
    ),
    "parameter entity": ('<!DOCTYPE x [<!ENTITY % p SYSTEM "http://127.0.0.1:9/p"> %p;]>', "&p;"),
    "entity for a number": ('<!DOCTYPE x [<!ENTITY n "77777">]>', "&n;"),
    "entity without a meaning": ("", "&nothing;"),
}


def _parts(seed: Seed) -> dict[str, bytes] | None:
    return unpacked(seed.content) if seed.kind in ("xlsx", "ods") and not seed.whole else None


def entities(random: Random, seed: Seed) -> Mutated | None:
    """Declare entities, harmful or not, and use them in a cell."""
    parts = _parts(seed)
    if parts is None:
        return None
    name = random.choice([name for name in parts if name.endswith((".xml", ".rels"))])
    what, (kind, use) = random.choice(list(_TYPES.items()))
    text = parts[name].decode("utf-8")
    at = text.find("?>") + 2 if text.startswith("<?xml") else 0
    values = [found.span(1) for found in re.finditer(r"<(?:v|t|text:p)>([^<]*)</", text)]
    if values:
        start, end = random.choice(values)
        text = text[:start] + use + text[end:]
    parts[name] = (text[:at] + kind + text[at:]).encode()
    return Mutated(packed(parts), "entities", f"{what} in {name}", "place")


def broken_markup(random: Random, seed: Seed) -> Mutated | None:
    """Open, close, nest and repeat elements wrongly, in an archive whose checksums are right."""
    parts = _parts(seed)
    if parts is None:
        return None
    name = random.choice([name for name in parts if name.endswith(".xml")])
    text = parts[name].decode("utf-8")
    place = random.randrange(len(text))
    tags = [found.span() for found in re.finditer(r"<[^>]+>", text)]
    start, end = random.choice(tags)
    depth = random.choice((50, 5_000, 100_000))
    text = random.choice(
        (
            text[:place],
            text[:start] + text[end:],
            text[:end] + text[start:end] + text[end:],
            text[:end] + "<x>" * depth + text[end:],
            text[:place] + "]]><![CDATA[" + text[place:],
            text[:place] + "<!-- " + text[place:],
            text[:place] + "&#0;" + text[place:],
            text[:place] + "&#xFFFFFFFF;" + text[place:],
            "",
        )
    )
    parts[name] = text.encode()
    return Mutated(packed(parts), "broken_markup", name)


def attributes(random: Random, seed: Seed) -> Mutated | None:
    """Give numbers in attributes (rows, columns, styles, counts, repeats) absurd values."""
    parts = _parts(seed)
    if parts is None:
        return None
    name = random.choice([name for name in parts if name.endswith(".xml")])
    text = parts[name].decode("utf-8")
    numbers = [found.span(1) for found in re.finditer(r'="([A-Z]{0,3}\d+(?::[A-Z]+\d+)?)"', text)]
    if not numbers:
        return None
    start, end = random.choice(numbers)
    absurd = (
        "-1",
        "0",
        "4294967296",
        "99999999999999999999",
        "XFD1048576",
        "A1:XFD1048576",
        "A0",
        "ZZZZ1",
        "1e9",
    )
    new = random.choice((*absurd, "", "B2", "C3", "7"))
    parts[name] = (text[:start] + new + text[end:]).encode()
    return Mutated(packed(parts), "attributes", f"{name}: {text[start:end]} -> {new}")


def external_links(random: Random, seed: Seed) -> Mutated | None:
    """Refer to other files and addresses: linked workbooks, parts outside the archive, absolute targets."""
    parts = _parts(seed)
    if parts is None or seed.kind != "xlsx":
        return None
    target = random.choice(
        ("file:///etc/passwd", "http://127.0.0.1:9/book.xlsx", "../../../../etc/passwd", "/dev/zero")
    )
    name = random.choice([name for name in parts if name.endswith(".rels")])
    text = parts[name].decode("utf-8")
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/externalLinkPath"
    added = (
        f'<Relationship Id="rId990" Type="{kind}" Target="{target}" TargetMode="External"/></Relationships>'
    )
    if random.random() < 0.5:
        text = text.replace("</Relationships>", added)
    else:
        text = re.sub(r'Target="[^"]*"', f'Target="{target}"', text, count=random.choice((1, 0)))
    parts[name] = text.encode()
    return Mutated(packed(parts), "external_links", f"{target} in {name}")


MUTATIONS = (entities, broken_markup, attributes, external_links)
