from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from clsimpact.errors import SourceError
from clsimpact.loaders import _book_limits as limits
from clsimpact.loaders.sheets import open_workbook
from tests.fuzz.grids import Grid, ods_archive, ods_content, packed, unpacked

SHEET = "xl/worksheets/sheet1.xml"


def book(tmp_path: Path, **parts: bytes) -> Path:
    """A workbook of four cells, with other parts in place of its own."""
    rows = [["area", "value"], ["Barnet", 7.0]]
    own = unpacked(Grid("xlsx", {"T1": rows}).render())
    path = tmp_path / "book.xlsx"
    path.write_bytes(packed({**own, **{name.replace("__", "/"): part for name, part in parts.items()}}))
    return path


def with_cell(tmp_path: Path, cell: bytes) -> Path:
    own = unpacked(book(tmp_path).read_bytes())[SHEET]
    return book(tmp_path, **{SHEET: own.replace(b"</sheetData>", cell + b"</sheetData>")})


def refused(path: Path) -> str:
    with pytest.raises(SourceError) as error:
        list(open_workbook(path))
    return str(error.value)


def test_an_ordinary_workbook_is_opened(tmp_path: Path) -> None:
    (sheet,) = open_workbook(book(tmp_path))
    assert sheet.rows[1] == ["Barnet", 7.0]


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (
            b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>',
            "reach to row 1,048,576 and column 16,384",
        ),
        (b'<row r="9"><c t="n" r="ZZZZZ99999999"><v>1</v></c></row>', "reach to row 99,999,999"),
    ],
)
def test_a_far_cell_is_refused_before_room_is_made_for_the_sheet(
    tmp_path: Path, cell: bytes, said: str
) -> None:
    assert said in refused(with_cell(tmp_path, cell))


def test_a_far_cell_of_a_narrow_sheet_is_read(tmp_path: Path) -> None:
    path = with_cell(tmp_path, b'<row r="9000"><c r="C9000"><v>1</v></c></row>')
    (sheet,) = open_workbook(path)
    assert len(sheet.rows) == 9000


def test_one_text_in_many_cells_is_counted_each_time(tmp_path: Path) -> None:
    own = unpacked(book(tmp_path).read_bytes())
    texts = own["xl/sharedStrings.xml"].replace(b">area<", b">" + b"a" * 1_000_000 + b"<")
    cells = b"".join(b'<c r="A%d" t="s"><v>0</v></c>' % row for row in range(3, 203))
    sheet = own[SHEET].replace(b"</sheetData>", b'<row r="3">' + cells + b"</row></sheetData>")
    said = refused(book(tmp_path, **{"xl__sharedStrings.xml": texts, SHEET: sheet}))
    assert "its cells repeat texts of 201," in said


def test_texts_that_are_announced_are_counted_before_room_is_made_for_them(tmp_path: Path) -> None:
    texts = unpacked(book(tmp_path).read_bytes())["xl/sharedStrings.xml"]
    texts = texts.replace(b'uniqueCount="3"', b'uniqueCount="4294967296"')
    assert "announces 4,294,967,296 texts" in refused(book(tmp_path, **{"xl__sharedStrings.xml": texts}))
    binary = b"\x9f\x01\x08" + (7).to_bytes(4, "little") + (99_000_000).to_bytes(4, "little")
    assert limits._announced("xl/sharedStrings.bin", binary) == 99_000_000


def ods(tmp_path: Path, row: str) -> Path:
    path = tmp_path / "book.ods"
    path.write_bytes(ods_archive(ods_content(f'<table:table table:name="T1">{row}</table:table>')))
    return path


def test_repeated_rows_and_cells_that_hold_something_are_counted(tmp_path: Path) -> None:
    cell = (
        '<table:table-cell table:number-columns-repeated="900" office:value-type="float" office:value="1"/>'
    )
    row = f'<table:table-row table:number-rows-repeated="70000">{cell}</table:table-row>'
    assert "reach to row 70,000 and column 900" in refused(ods(tmp_path, row))


def test_blank_rows_and_cells_to_the_end_of_the_sheet_are_layout(tmp_path: Path) -> None:
    cell = '<table:table-cell office:value-type="float" office:value="1"/>'
    end = '<table:table-cell table:style-name="a" table:number-columns-repeated="16383"/>'
    blank = f'<table:table-row table:number-rows-repeated="1048575">{end}</table:table-row>'
    (sheet,) = open_workbook(ods(tmp_path, f"<table:table-row>{cell}{end}</table:table-row>{blank}"))
    assert sheet.rows[0][0] == 1.0


def test_the_last_cell_of_a_binary_sheet_is_found() -> None:
    row = b"\x00\x11" + (1_048_575).to_bytes(4, "little") + bytes(13)
    cell = b"\x05\x10" + (16_383).to_bytes(4, "little") + bytes(12)
    assert limits._binary_extent(b"\x81\x01\x00" + row + cell) == (1_048_576, 16_384)


@pytest.mark.parametrize(
    "declared", [b"<!DOCTYPE x [<!ENTITY a 'b'>]>", b'<!DOCTYPE x SYSTEM "http://x/y.dtd">']
)
def test_document_types_are_refused(tmp_path: Path, declared: bytes) -> None:
    own = unpacked(book(tmp_path).read_bytes())[SHEET]
    said = refused(book(tmp_path, **{SHEET: own.replace(b"?>", b"?>" + declared)}))
    assert "declares a document type" in said


def test_too_much_too_many_and_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = book(tmp_path)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(SHEET, b"<other/>")
    assert f"the part '{SHEET}' stands twice" in refused(path)
    monkeypatch.setattr(limits, "MAX_BYTES", 500)
    assert "hold more than 500 bytes" in refused(path)
    monkeypatch.setattr(limits, "MAX_PARTS", 3)
    assert "the limit is 3" in refused(path)


def test_a_part_whose_checksum_is_wrong_is_not_read(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, part in unpacked(book(tmp_path).read_bytes()).items():
            archive.writestr(name, part)  # not compressed: the changed digit is the only trace
    path = tmp_path / "book.xlsx"
    path.write_bytes(stream.getvalue().replace(b"<v>7</v>", b"<v>8</v>"))
    assert "Bad CRC-32" in refused(path)
