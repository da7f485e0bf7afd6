"""Numbers and addresses of people, and what comes close."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines.sensitive.identities import luhn
from tests.check.builders import KNOWLEDGE, run, skill, told, write, write_knowledge, write_skill

PEOPLE = {
    "e-mail": ["bob@mail.org", "b.o+x@mail.co.uk", "jürgen@müller.de", "李@邮箱.中国"],
    "telephone": [
        "+49 30 901820",
        "+1 (212) 736-5000",
        "+442083661177",
        "0044 20 8366 1177",
        "(030) 90 18 20",
        "212-736-5000",
        "0800 123 4567",
        "030/901820",
        "03-3213-1111",
        "+81 3-3213-1111",
        "＋８１ ３ ３２１３ １１１１",
    ],
    "card": ["4111 1111 1111 1111", "5500-0055-5555-5559", "378282246310005", "4111111111111111"],
    "IBAN": ["GB29 NWBK 6016 1331 9268 19", "DE89370400440532013000", "NL91 ABNA 0417 1643 00"],
    "Spanish": ["12345678Z", "X1234567L", "12345678-z"],
    "Dutch": ["111222333", "1234.56.782"],
    "Chinese": ["11010519491231002X", "11010519491231002x"],
    "US social": ["219-09-9999"],
    "Brazilian": ["529.982.247-25"],
    "Polish": ["44051401359"],
    "French": ["2 55 08 14 168 025 38", "255081416802538"],
}
NOBODY = [
    "ada@example.org",
    "root@host.test",
    "git@github.com",
    "ada@users.noreply.github.com",
    "an @mention and a price @ 5.00",
    "user@localhost",
    "+1 202-555-0143",
    "020 7946 0018",
    "9,192,631,770 periods",
    "299792458 m/s",
    "2024-01-02 and 1914-1918",
    "ISBN 978-3-16-148410-0",
    "4111 1111 1111 1112",
    "GB29 NWBK 6016 1331 9268 18",
    "12345678A",
    "123456789",
    "$111222333",
    "3.111222333",
    "0x111222333ab",
    "000-12-3456",
    "529.982.247-26",
    "U+1F600",
    "3.14159265358979",
    "order 208, table 6, 14 June at 9",
    "Boston, MA 02110-1301, USA",
    "192.168.100.200",
    "+48.8566, +2.3522",
    "1111111111111111",
    "population: 300000000",
]


@pytest.mark.parametrize(
    ("kind", "text"), [(kind, text) for kind, texts in PEOPLE.items() for text in texts]
)
def test_people(tmp_path: Path, kind: str, text: str) -> None:
    value = json.dumps(f"Ask at {text}, please.", ensure_ascii=False)
    write_skill(tmp_path, skill().replace("Word 2.", value))
    found = run(tmp_path).findings
    assert [(f.rule, f.severity, f.line, f.column) for f in found] == [
        ("personal-data", "warning", 10, 21)
    ]
    assert kind in found[0].message
    assert text not in found[0].message


@pytest.mark.parametrize("text", NOBODY)
def test_nobody(tmp_path: Path, text: str) -> None:
    value = json.dumps(f"Ask at {text}, please.")
    write_skill(tmp_path, skill().replace("Word 2.", value))
    assert told(tmp_path) == []


def test_a_resident_number_is_checked_by_its_date_and_its_last_digit(tmp_path: Path) -> None:
    for number in ("110105194912310021", "110105194913310026"):
        write_skill(tmp_path, skill().replace("Word 2.", f"Number {number} it is"))
        assert told(tmp_path) == []


def test_in_a_document_at_its_line(tmp_path: Path) -> None:
    write_knowledge(tmp_path)
    text = "# Danube\n\nIt flows.\nAsk bob@mail.org,\nor call +49 30 901820.\n"
    write(tmp_path, f"{KNOWLEDGE}/danube.md", text)
    found = [(f.path, f.line, f.column) for f in run(tmp_path).findings]
    assert found == [(f"{KNOWLEDGE}/danube.md", 4, 5), (f"{KNOWLEDGE}/danube.md", 5, 9)]


def test_thousands_are_told_in_a_few_lines(tmp_path: Path) -> None:
    many = "".join(f"      bob{number}@mail.org\n" for number in range(8_000))
    write_skill(tmp_path, skill() + "    context: |\n" + many)
    assert [f.rule for f in run(tmp_path).findings].count("personal-data") == 20


def test_luhn() -> None:
    assert luhn("79927398713")
    assert not any(luhn(f"7992739871{digit}") for digit in "012456789")
