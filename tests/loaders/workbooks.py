"""Small made-up workbooks for tests, written by hand as OpenDocument spreadsheets."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from xml.sax.saxutils import escape

from clsimpact.loaders.manifest import Source, load_manifest

_NAMES = " ".join(
    f'xmlns:{short}="urn:oasis:names:tc:opendocument:xmlns:{long}:1.0"'
    for short, long in (("office", "office"), ("table", "table"), ("text", "text"))
)


def write_ods(path: Path, sheets: Mapping[str, Sequence[Sequence[object]]]) -> Path:
    """Write sheets of numbers, text and blanks."""
    body = "".join(
        f'<table:table table:name="{escape(name)}">{"".join(map(_row, rows))}</table:table>'
        for name, rows in sheets.items()
    )
    content = (
        f'<?xml version="1.0" encoding="UTF-8"?><office:document-content {_NAMES} office:version="1.2">'
        f"<office:body><office:spreadsheet>{body}</office:spreadsheet></office:body></office:document-content>"
    )
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    manifest = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
        f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{kind}"/></manifest:manifest>'
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", kind)
        archive.writestr("content.xml", content)
        archive.writestr("META-INF/manifest.xml", manifest)
    return path


def _row(cells: Sequence[object]) -> str:
    return f"<table:table-row>{''.join(map(_cell, cells))}</table:table-row>"


def _cell(cell: object) -> str:
    if cell is None or cell == "":
        return "<table:table-cell/>"
    if isinstance(cell, int | float):
        return f'<table:table-cell office:value-type="float" office:value="{cell}"/>'
    text = escape(str(cell))
    return f'<table:table-cell office:value-type="string"><text:p>{text}</text:p></table:table-cell>'


def write_csv(path: Path, rows: Sequence[Sequence[object]]) -> Path:
    """Write rows as CSV; no cell may hold a comma or a quotation mark."""
    text = "".join(",".join(str(cell) for cell in row) + "\n" for row in rows)
    path.write_text(text, encoding="utf-8")
    return path


def record(source_id: str, path: Path, **changes: object) -> Source:
    """The manifest record of a publication, for a made-up file in its layout."""
    return replace(load_manifest()[source_id], file=path.name, **changes)  # type: ignore[arg-type]


def edit_strings(path: Path, target: Path, old: str, new: str) -> Path:
    """Copy an xlsx workbook, with the shared texts that equal ``old`` changed to ``new``."""
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as copy:
        for name in source.namelist():
            content = source.read(name)
            if name == "xl/sharedStrings.xml":
                before = re.compile(rf"(<t(?: [^>]*)?>){re.escape(escape(old))}(?=\s*</t>)")
                text, times = before.subn(rf"\g<1>{escape(new)}", content.decode("utf-8"))
                if not times:
                    raise ValueError(f"no text of {path.name} is {old!r}")
                content = text.encode("utf-8")
            copy.writestr(name, content)
    return target
