"""Rows that nobody may be taught: at generation, and where a release holds them already."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from pipelines.cli import main
from pipelines.errors import GraftError
from pipelines.records import Json
from pipelines.release.verify import verify
from pipelines.vetoes import load_vetoes
from tests.support.flow import FERRY, KEEPER, LEAVES, MILL, ROOT, Site, run_directory, zero_site

ROW = "0123456789abcdef0123456789abcdef"


def veto(**changed: object) -> bytes:
    whole = {"row": ROW, "leaf": MILL, "reason": "it is wrong", "by": "ada", **changed}
    return json.dumps(whole).encode() + b"\n"


# --- the file ------------------------------------------------------------------------------------


def test_a_file_of_vetoes_is_read_and_the_first_reason_told(tmp_path: Path) -> None:
    path = tmp_path / "vetoes.jsonl"
    path.write_bytes(
        veto() + b"\n" + veto(reason="again") + veto(row="f" * 32, leaf="/" + FERRY + "/")
    )
    found = load_vetoes(path)
    assert found.by_row[ROW].told == "vetoed: it is wrong (ada)"
    assert found.leaves == {MILL, FERRY}
    assert load_vetoes(None).by_row == {}


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"not json\n", "no JSON"),
        (b"[" * 100_000 + b"\n", "no JSON"),
        (b"\xff\n", "no JSON"),
        (b"[]\n", "exactly the keys"),
        (veto(extra="x"), "exactly the keys"),
        (veto(row="abc"), "32 hexadecimal digits"),
        (veto(row=ROW.upper()), "32 hexadecimal digits"),
        (veto(reason=" "), "reason must be text"),
        (veto(by=None), "by must be text"),
        (veto(reason="x" * 501), "reason must be text"),
        (veto(reason="a\nb"), "reason holds a character"),
        (veto(reason="\x1b[31m"), "reason holds a character"),
    ],
)
def test_a_bad_veto_is_told_with_its_line(tmp_path: Path, line: bytes, told: str) -> None:
    path = tmp_path / "vetoes.jsonl"
    path.write_bytes(veto() + line)
    with pytest.raises(GraftError, match=told) as caught:
        load_vetoes(path)
    assert str(caught.value).startswith(f"{path}:2: ")
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/generation.md"])
def test_the_vetoes_in_the_documentation_are_sound(tmp_path: Path, page: str) -> None:
    told = [line.strip() for line in (ROOT / page).read_text("utf-8").splitlines()]
    (example,) = [line for line in told if line.startswith('{"row"')]
    path = tmp_path / "vetoes.jsonl"
    path.write_text(example, encoding="utf-8")
    (found,) = load_vetoes(path).by_row.values()
    assert found.told == "vetoed: the year is wrong (ada)"


# --- a release, and what is vetoed afterwards ------------------------------------------------------


@pytest.fixture
def zero(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    return zero_site(tmp_path_factory.getbasetemp()).copy(tmp_path / "site")


def released(site: Site, leaf: str) -> list[Json]:
    entry = site.head().leaves[leaf]
    return [json.loads(line) for line in site.target.read_blob(entry.data_hash).splitlines()]


def write_vetoes(site: Site, *lines: bytes) -> None:
    (site.path / "repo" / "vetoes.jsonl").write_bytes(b"".join(lines))


def test_a_released_row_that_is_vetoed_goes_and_only_its_leaf_changes(zero: Site) -> None:
    before = zero.head()
    rows = released(zero, MILL)
    gone = rows[3]["id"]
    write_vetoes(zero, veto(row=gone))
    done = zero.graft("run")
    assert done.returncode == 0, done.stderr
    assert "1 of them by vetoes" in done.stderr
    after = zero.head()
    assert after.release != before.release
    assert [row["id"] for row in released(zero, MILL)] == [r["id"] for r in rows if r["id"] != gone]
    for leaf in LEAVES:
        same = after.leaves[leaf].data_hash == before.leaves[leaf].data_hash
        assert same == (leaf != MILL)
        assert after.leaves[leaf].asked_hash == before.leaves[leaf].asked_hash
    made = run_directory(zero) / "dataset"
    (reject,) = map(json.loads, (made / "rejects.jsonl").read_bytes().splitlines())
    assert reject["reason"] == "vetoed: it is wrong (ada)"
    assert json.loads(reject["text"])["id"] == gone
    ledger = json.loads((made / "ledger.json").read_bytes())
    assert (ledger["steps"][-1]["in"], ledger["steps"][-1]["filtered"]) == (len(rows), 1)
    assert ledger["calls"]["made"] == 0
    assert verify(zero.target, after.release) == []
    # Honoured now, so that there is nothing left to do, however often it is asked.
    assert "Nothing to do." in zero.graft("run").stdout
    assert zero.head() == after


def test_what_a_reviewer_sees_on_the_way_to_a_veto(zero: Site) -> None:
    """The id from `graft trace`, a line by hand, and the plan; then a slip in that line."""
    told = zero.graft("trace", MILL).stdout
    gone = re.findall(r"^  ([0-9a-f]{32})  ", told, re.MULTILINE)[2]
    assert "VETOED" not in told
    line = f'{{"row": "{gone}", "leaf": "{MILL}", "reason": "the year is wrong", "by": "ada"}}\n'
    write_vetoes(zero, line.encode())
    assert "vetoed:      the year is wrong (ada)" in zero.graft("trace", gone[:12]).stdout
    (marked,) = [one for one in zero.graft("trace", MILL).stdout.splitlines() if "VETOED" in one]
    assert gone in marked
    assert f"learn {MILL} (corrected)" in zero.graft("run", "--plan").stdout
    write_vetoes(zero, line.replace(gone, gone[:12]).encode())
    for words in (("trace", MILL), ("run", "--plan")):
        done = zero.graft(*words)
        assert (done.returncode, done.stdout) == (1, "")
        (sentence,) = done.stderr.splitlines()
        assert sentence.endswith(
            "vetoes.jsonl:1: row must be the whole id of a training row, 32 hexadecimal digits."
        )


def test_a_veto_of_no_row_of_the_release_is_nothing_to_do(zero: Site) -> None:
    write_vetoes(zero, veto(), veto(row="a" * 32, leaf="knowledge/not/there"))
    assert "Nothing to do." in zero.graft("run").stdout


def test_a_vetoed_row_is_left_out_of_every_later_generation(zero: Site) -> None:
    """The leaf is edited, so that its rows are made anew: the veto holds, under whatever leaf."""
    keep = [row for row in released(zero, KEEPER) if "Quillon" not in json.dumps(row)]
    gone = keep[0]["id"]
    write_vetoes(zero, veto(row=gone, leaf="knowledge/not/there"))
    file = zero.taxonomy / KEEPER / "qna.yaml"
    file.write_text(file.read_text("utf-8").replace("Quillon", "Quillan"), encoding="utf-8")
    zero.repo.commit("Another town")
    done = zero.graft("run")
    assert done.returncode == 0, done.stderr
    ids = [row["id"] for row in released(zero, KEEPER)]
    assert keep[1]["id"] in ids
    assert gone not in ids
    made = run_directory(zero) / "dataset"
    rejects = [json.loads(line) for line in (made / "rejects.jsonl").read_bytes().splitlines()]
    assert [r["step"] for r in rejects if r["reason"].startswith("vetoed: ")] == ["row"]


def test_a_leaf_of_which_every_row_is_vetoed_stops_with_its_name(zero: Site) -> None:
    rows = released(zero, KEEPER)
    write_vetoes(zero, *(veto(row=row["id"], leaf=KEEPER) for row in rows))
    done = zero.graft("run")
    assert done.returncode == 1
    assert f"{KEEPER}: every row of it is vetoed; delete the leaf instead." in done.stderr
    assert len(zero.target.tags()) == 1


def test_a_bad_file_stops_the_run(
    zero: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_vetoes(zero, b"{}\n")
    monkeypatch.chdir(zero.path)
    assert main(zero.words("run")) == 1
    assert "vetoes.jsonl:1: A veto has exactly the keys" in capsys.readouterr().err
