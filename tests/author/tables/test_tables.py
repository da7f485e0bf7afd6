"""CSV, XLSX and DOCX → sheets: files made by the libraries that people's programs use, and hostile ones."""

from __future__ import annotations

import csv
import datetime
import io
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import docx
import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.author.tables import FORMATS, read_tables
from pipelines.author.tables.sheet import Reading, Row, Sheet
from pipelines.errors import UsageError

ROWS = [
    ("Question", "Answer"),
    ("What is 2 + 2?", "4; or so"),
    ('Who said "no"?', "Ada, twice\nor more"),
    ("متى؟", "「明日」 😀"),
    ("dash", "- a: b #c"),
]


def texts(sheet: Sheet) -> list[tuple[str, ...]]:
    return [row.cells for row in sheet.rows]


def read(path: Path, **reading: str) -> list[Sheet]:
    return read_tables(path, Reading(**reading))


def csv_bytes(rows: list[tuple[str, ...]], delimiter: str = ",", encoding: str = "utf-8") -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter).writerows(rows)
    return out.getvalue().encode(encoding)


# --- CSV -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_csv_in_each_encoding_and_delimiter(tmp_path: Path, delimiter: str, encoding: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(csv_bytes(ROWS, delimiter, encoding))
    (sheet,) = read(path)
    assert texts(sheet) == ROWS
    assert [row.number for row in sheet.rows] == [1, 2, 3, 4, 5]


CELL = st.text(
    st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from(',;|"\n'), max_size=12
)


@given(st.lists(st.tuples(CELL, CELL), min_size=1, max_size=5))
def test_csv_with_a_named_delimiter_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, ...]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(csv_bytes(rows, ";"))
    (sheet,) = read(path, delimiter=";")
    found = [cells or ("", "") for cells in texts(sheet)]
    if not rows[0][0].startswith("\ufeff"):
        assert found == rows


def test_cp1252_is_refused_until_it_is_named(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes("question,answer\nWo?,in der Küche – dort\n".encode("cp1252"))
    with pytest.raises(UsageError, match=r"line 2: this is not UTF-8\. .*--encoding cp1252"):
        read(path)
    assert texts(read(path, encoding="cp1252")[0])[1] == ("Wo?", "in der Küche – dort")


@pytest.mark.parametrize(
    ("data", "reading", "words"),
    [
        (b"a,b\n\0,c\n", {}, "NUL"),
        (b'a,b\n"c,d\n', {}, "row 2: this is not valid CSV"),
        (b'a,b\n"c"d,e\n', {}, "row 2: this is not valid CSV"),
        (b"a,b\n", {"delimiter": "::"}, "give one character"),
        (b"a,b\n", {"encoding": "klingon"}, "is not known"),
        (b"a," + b"x" * 1_000_001, {}, "field larger"),
        (b"a,b\n" * 50_001, {}, "more than 50000 rows"),
        (b"x" * 20_000_001, {}, "larger than 20 MB"),
    ],
)
def test_bad_csv_is_one_sentence(
    tmp_path: Path, data: bytes, reading: dict[str, str], words: str
) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(data)
    with pytest.raises(UsageError, match=words) as caught:
        read(path, **reading)
    assert "\n" not in str(caught.value)


# --- XLSX ----------------------------------------------------------------------------------------


def workbook(path: Path, **sheets: list[tuple[object, ...]]) -> openpyxl.Workbook:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return book


def test_xlsx_sheet_by_sheet(tmp_path: Path) -> None:
    path = tmp_path / "t.xlsx"
    workbook(path, One=ROWS, Two=[("a", None, "c"), (), ("d",)])
    one, two = read(path)
    assert (one.name, texts(one)) == ("One", ROWS)
    assert [(row.number, row.cells) for row in two.rows if any(row.cells)] == [
        (1, ("a", "", "c")),
        (3, ("d",)),
    ]


def test_xlsx_values_that_are_no_text_are_told(tmp_path: Path) -> None:
    path = tmp_path / "t.xlsx"
    values = [42, 3.0, 0.1, True, datetime.date(1759, 10, 16), datetime.datetime(2001, 1, 2, 3, 4)]
    workbook(path, One=[("q", value) for value in values])
    rows = read(path)[0].rows
    found = [row.cells[1] for row in rows]
    assert found[:4] == ["42", "3", "0.1", "TRUE"]
    assert found[5] == "2001-01-02 03:04"
    assert all(row.notes for row in rows)
    assert rows[0].notes == ("column 2 holds a number, written as '42'",)


def test_xlsx_hidden_sheets_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "t.xlsx"
    book = workbook(path, One=ROWS, Two=ROWS)
    book["Two"].sheet_state = "hidden"
    book.save(path)
    assert [sheet.name for sheet in read(path)] == ["One"]


def replaced(source: Path, path: Path, name: str, data: bytes) -> Path:
    """A copy of a zip file in which one member has other bytes, or is added."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for member in sorted({*old.namelist(), name}):
            new.writestr(member, data if member == name else old.read(member))
    return path


def shared(folder: Path, strings: bytes) -> Path:
    """A workbook as Excel writes it: its texts in a part of their own, cells that point there."""
    source = folder / "source.xlsx"
    workbook(source, One=[("Q", "A")])
    with zipfile.ZipFile(source) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml").decode()
        types = archive.read("[Content_Types].xml").decode()
    for number, text in enumerate("QA"):
        inline = f't="inlineStr"><is><t>{text}</t></is>'
        assert inline in sheet
        sheet = sheet.replace(inline, f't="s"><v>{number}</v>')
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
    part = f'<Override PartName="/xl/sharedStrings.xml" ContentType="{kind}"/></Types>'
    one, two, path = (folder / f"{name}.xlsx" for name in ("one", "two", "shared"))
    replaced(source, one, "xl/worksheets/sheet1.xml", sheet.encode())
    replaced(one, two, "[Content_Types].xml", types.replace("</Types>", part).encode())
    return replaced(two, path, "xl/sharedStrings.xml", strings)


def test_xlsx_with_shared_strings(tmp_path: Path) -> None:
    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    runs = "<si><r><t>Wh</t></r><r><t>y?</t></r></si><si><t>so</t></si>"
    path = shared(tmp_path, f'<sst xmlns="{space}">{runs}</sst>'.encode())
    assert texts(read(path)[0]) == [("Why?", "so")]


def test_xlsx_with_entities_in_its_strings_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read as XLSX"):
        read(shared(tmp_path, ENTITIES))


ENTITIES = (
    b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;">]>'
    b'<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
    b"<si><t>&b;&b;</t></si></sst>"
)


@pytest.mark.parametrize(
    ("member", "data"),
    [
        ("xl/worksheets/sheet1.xml", b"<worksheet"),
        ("xl/worksheets/sheet1.xml", ENTITIES),
        ("xl/workbook.xml", b""),
        ("[Content_Types].xml", b"<a/>"),
    ],
)
def test_a_broken_workbook_is_one_sentence(tmp_path: Path, member: str, data: bytes) -> None:
    source = tmp_path / "t.xlsx"
    workbook(source, One=ROWS)
    broken = replaced(source, tmp_path / "broken.xlsx", member, data)
    with pytest.raises(UsageError, match=r"broken\.xlsx cannot be read as XLSX") as caught:
        read(broken)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", ["xlsx", "docx"])
def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"bomb.{suffix}"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for number in range(11):
            archive.writestr(f"{number}.xml", bytes(10_000_000))
    assert path.stat().st_size < 1_000_000
    with pytest.raises(UsageError, match="would unpack to 110 MB"):
        read(path)


@pytest.mark.parametrize("suffix", ["xlsx", "docx"])
@pytest.mark.parametrize(
    "data", [b"", b"no zip", b"PK\x05\x06" + bytes(18), b"PK\x03\x04" + bytes(40)]
)
def test_what_is_no_such_file_is_one_sentence(tmp_path: Path, suffix: str, data: bytes) -> None:
    path = tmp_path / f"t.{suffix}"
    path.write_bytes(data)
    with pytest.raises(UsageError) as caught:
        read(path)
    assert re.search("damaged|no DOCX|cannot be read as XLSX", str(caught.value))


def test_a_row_far_down_is_too_many(tmp_path: Path) -> None:
    path = tmp_path / "t.xlsx"
    book = openpyxl.Workbook()
    book.active.cell(row=1_048_576, column=1, value="x")
    book.save(path)
    with pytest.raises(UsageError, match="more than 50000 rows"):
        read(path)


# --- DOCX ----------------------------------------------------------------------------------------


def document(path: Path, *tables: list[tuple[str, ...]]) -> None:
    made = docx.Document()
    made.add_paragraph("Text around the tables.")
    for rows in tables:
        table = made.add_table(rows=len(rows), cols=len(rows[0]))
        for row, cells in zip(table.rows, rows, strict=True):
            for cell, text in zip(row.cells, cells, strict=True):
                cell.text = text
    made.save(path)


def test_docx_table_by_table(tmp_path: Path) -> None:
    path = tmp_path / "t.docx"
    document(path, ROWS, [("a", "b", "c")])
    one, two = read(path)
    assert (one.name, texts(one)) == ("table 1", ROWS)
    assert two == Sheet("table 2", (Row(1, ("a", "b", "c")),))


def test_docx_merged_cells_and_several_paragraphs(tmp_path: Path) -> None:
    path = tmp_path / "t.docx"
    made = docx.Document()
    table = made.add_table(rows=2, cols=3)
    table.cell(0, 0).merge(table.cell(0, 1)).text = "wide"
    table.cell(0, 2).text = "narrow"
    table.cell(1, 0).text = "one"
    table.cell(1, 0).add_paragraph("two")
    table.cell(1, 2).text = "far"
    made.save(path)
    assert texts(read(path)[0]) == [("wide", "", "narrow"), ("one\ntwo", "", "far")]


def test_docx_struck_text_is_left_out(tmp_path: Path) -> None:
    source = tmp_path / "t.docx"
    document(source, [("KEEP", "x")])
    with zipfile.ZipFile(source) as archive:
        body = archive.read("word/document.xml").decode()
    run = "<w:r><w:t>KEEP</w:t></w:r>"
    assert run in body
    changed = f"{run}<w:del><w:r><w:delText>gone</w:delText><w:t>gone</w:t></w:r></w:del><w:ins>{run}</w:ins>"
    body = body.replace(run, changed)
    path = replaced(source, tmp_path / "new.docx", "word/document.xml", body.encode())
    assert texts(read(path)[0]) == [("KEEPKEEP", "x")]


def test_docx_with_entities_is_one_sentence(tmp_path: Path) -> None:
    source = tmp_path / "t.docx"
    document(source, ROWS)
    path = replaced(source, tmp_path / "new.docx", "word/document.xml", ENTITIES)
    with pytest.raises(UsageError, match="is damaged"):
        read(path)


def test_docx_nested_too_deep_is_one_sentence(tmp_path: Path) -> None:
    source = tmp_path / "t.docx"
    document(source, [("KEEP", "x")])
    with zipfile.ZipFile(source) as archive:
        body = archive.read("word/document.xml").decode()
    deep = "<w:r>" * 5000 + "<w:t>KEEP</w:t>" + "</w:r>" * 5000
    body = body.replace("<w:r><w:t>KEEP</w:t></w:r>", deep)
    with pytest.raises(UsageError, match="nested too deep"):
        read(replaced(source, tmp_path / "new.docx", "word/document.xml", body.encode()))


# --- all -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("t.xls", r"Save it as \.xlsx"),
        ("t.odt", r"Save it as \.docx"),
        ("t.pdf", "tables can be read from .csv"),
        ("missing.csv", "cannot be read: No such file"),
        ("folder.csv", "is not a file"),
    ],
)
def test_other_files_are_one_sentence(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(UsageError, match=words):
        read(tmp_path / name)


def test_every_module_of_a_format_is_registered() -> None:
    folder = Path(sys.modules[read_tables.__module__].__file__ or "").parent
    modules = {path.stem for path in folder.glob("*_file.py")}
    assert {function.__module__.rsplit(".", 1)[1] for function in FORMATS.values()} == modules


PROGRAM = """
import sys
for name in ("openpyxl", "defusedxml", "questionary"):
    sys.modules[name] = None
from pathlib import Path
from pipelines.author.tables import read_tables
from pipelines.author.tables.sheet import Reading
from pipelines.errors import UsageError
for path in sys.argv[1:]:
    try:
        print(len(read_tables(Path(path), Reading())))
    except UsageError as error:
        print(error)
"""


def test_without_the_libraries_csv_is_read_and_the_others_say_what_to_install(
    tmp_path: Path,
) -> None:
    (tmp_path / "t.csv").write_bytes(csv_bytes(ROWS))
    workbook(tmp_path / "t.xlsx", One=ROWS)
    document(tmp_path / "t.docx", ROWS)
    paths = [str(tmp_path / f"t.{suffix}") for suffix in ("csv", "xlsx", "docx")]
    words = [sys.executable, "-c", PROGRAM, *paths]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    first, *others = done.stdout.splitlines()
    assert first == "1"
    assert len(others) == 2
    assert all("pip install 'graft-taxonomy[author]'" in line for line in others)
