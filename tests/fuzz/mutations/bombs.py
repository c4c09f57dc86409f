"""Small files that unpack to large ones."""

from __future__ import annotations

import io
import zipfile
from random import Random

from tests.fuzz.grids import ods_archive, ods_content, packed, unpacked
from tests.fuzz.oracle import Mutated
from tests.fuzz.seeds import Seed

_MEGABYTES = (64, 300, 2_000)
_REPEATS = (
    (1_048_576, 16_384),
    (1_048_576, 1),
    (1, 4_000_000_000),
    (4_000_000_000, 1),
    (70_000, 900),
    (18_446_744_073_709_551_616, 2),
)


def _zeros(megabytes: int) -> bytes:
    """Return an archive of one part full of zeros, without ever holding the part."""
    stream = io.BytesIO()
    with (
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("bomb.csv", "w", force_zip64=True) as member,
    ):
        for _ in range(megabytes):
            member.write(b"0" * 1_000_000)
    return stream.getvalue()


def zip_bomb(random: Random, seed: Seed) -> Mutated | None:
    """Blow up a part of an archive, or an archive of one part, to hundreds of megabytes."""
    if seed.kind not in ("zip", "xlsx", "ods", "xlsb") or random.random() < 0.9:
        return None
    megabytes = random.choice(_MEGABYTES)
    if random.random() < 0.3 or seed.kind == "xlsb":
        return Mutated(_zeros(megabytes), "zip_bomb", f"{megabytes} MB alone", "subset")
    parts = unpacked(seed.content)
    chosen = random.choice([name for name in parts if name.endswith((".xml", ".csv"))])
    content, stream = parts.pop(chosen), io.BytesIO()
    fill = random.choice((b" ", b"0", b"<row/>", b"\n"))
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, part in parts.items():
            archive.writestr(zipfile.ZipInfo(name), part, zipfile.ZIP_DEFLATED)
        with archive.open(chosen, "w", force_zip64=True) as member:
            middle = content.rfind(b"<")
            member.write(content[:middle])
            for _ in range(megabytes):
                member.write(fill * (1_000_000 // len(fill)))
            member.write(content[middle:])
    return Mutated(stream.getvalue(), "zip_bomb", f"{megabytes} MB of {fill!r} in {chosen}", "place")


def repeat_bomb(random: Random, seed: Seed) -> Mutated | None:
    """Have rows and cells of an OpenDocument sheet repeated millions of times."""
    if seed.kind != "ods":
        return None
    rows, cells = random.choice(_REPEATS)
    value = random.choice(('office:value-type="float" office:value="1"', ""))
    inner = f'<table:table-cell table:number-columns-repeated="{cells}" {value}/>'
    row = f'<table:table-row table:number-rows-repeated="{rows}">{inner}</table:table-row>'
    text = unpacked(seed.content)["content.xml"].decode("utf-8")
    if random.random() < 0.2:
        content = ods_archive(ods_content(f'<table:table table:name="Contents">{row}</table:table>'))
    else:
        at = random.choice([place for place in range(len(text)) if text.startswith("</table:table>", place)])
        content = ods_archive(text[:at] + row + text[at:])
    return Mutated(content, "repeat_bomb", f"{rows} x {cells} {value[:20]}", "place")


def many_members(random: Random, seed: Seed) -> Mutated | None:
    """Add thousands of members to an archive."""
    if seed.kind not in ("zip", "xlsx", "ods", "xlsb") or random.random() < 0.8:
        return None
    parts = unpacked(seed.content)
    more = {f"xl/media/{number}.csv": b"x" for number in range(random.choice((300, 20_000)))}
    return Mutated(packed({**parts, **more}), "many_members", str(len(more)), "same")


def shared_bomb(random: Random, seed: Seed) -> Mutated | None:
    """Have one shared text of a megabyte stand in every cell of a sheet."""
    if seed.kind != "xlsx" or seed.whole or random.random() < 0.8:
        return None
    parts = unpacked(seed.content)
    name = "xl/sharedStrings.xml"
    if name not in parts:
        return None
    size = random.choice((100_000, 1_000_000))
    texts = parts[name].split(b"<t", 1)
    parts[name] = texts[0] + b"<t>" + b"x" * size + b"</t></si><si><t" + texts[1]
    sheet = random.choice([part for part in parts if part.startswith("xl/worksheets/sheet")])
    start = parts[sheet].rfind(b"</sheetData>")
    row = b"".join(b'<c t="s"><v>0</v></c>' for _ in range(200))
    parts[sheet] = parts[sheet][:start] + b"<row>" + row + b"</row>" + parts[sheet][start:]
    return Mutated(packed(parts), "shared_bomb", str(size))


MUTATIONS = (zip_bomb, repeat_bomb, many_members, shared_bomb)
