"""``graft trace``: every row of a real release leads back to the text that it was made from."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

from pipelines.artifacts import canonical_json, write_atomic
from pipelines.cli import main
from pipelines.cli.trace import printable
from pipelines.records import Json
from tests.support.flow import KEEPER, MILL, ROOT, TOWER, Site, grown_site, run_directory

Graft = Callable[..., tuple[int, str, str]]
SCHEMA = json.loads((ROOT / "schema" / "trace.json").read_bytes())


@pytest.fixture
def site(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    return grown_site(tmp_path_factory.getbasetemp()).copy(tmp_path / "site")


@pytest.fixture
def graft(site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Graft:
    monkeypatch.chdir(site.path)

    def run(*words: str) -> tuple[int, str, str]:
        code = main(["trace", *words, "--taxonomy", "repo/taxonomy"])
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


def traced(graft: Graft, what: str) -> Json:
    code, out, err = graft(what, "--format", "json")
    assert (code, err) == (0, "")
    found: Json = json.loads(out)
    jsonschema.validate(found, SCHEMA)
    return found


def released(site: Site, leaf: str) -> list[Json]:
    entry = site.head().leaves[leaf]
    return [json.loads(line) for line in site.target.read_blob(entry.data_hash).splitlines()]


def line_of(site: Site, path: str, number: int) -> str:
    return (site.path / "repo" / path).read_text("utf-8").splitlines()[number - 1]


def test_a_row_of_a_document_leads_to_its_lines_prompt_and_answer(site: Site, graft: Graft) -> None:
    rows = [row for row in released(site, TOWER) if row["document"]]
    for row in (rows[0], rows[-1]):
        found = traced(graft, row["id"])
        assert found["messages"] == row["messages"]
        assert (found["leaf"], found["contributor"]) == (TOWER, "ada")
        assert found["releases"] == [site.head().release]
        assert found["commit"] == site.head().taxonomy_commit
        assert found["runs"] == [run_directory(site).name]
        (seed,) = found["seeds"]
        assert seed["path"] == f"taxonomy/{TOWER}/qna.yaml"
        assert line_of(site, seed["path"], seed["line"]).lstrip().startswith("- ")
        document = (site.taxonomy / row["document"]).read_text("utf-8")
        first, last = found["document"]["lines"]
        assert found["document"]["text"] == document[slice(*row["span"])]
        assert found["document"]["text"] in "\n".join(document.splitlines()[first - 1 : last])
        (call,) = found["calls"]
        assert row["messages"][1]["content"] in call["answer"]
        assert found["document"]["text"].strip() in call["prompt"][0]["content"]
        assert (call["task"], call["model"]) == ("ask_document", "extractive")


def test_the_beginning_of_an_id_is_enough_where_it_is_one_row_s(site: Site, graft: Graft) -> None:
    row = released(site, KEEPER)[0]
    head = row["id"][:20]
    assert traced(graft, head)["row"] == row["id"]
    assert graft("f" * 32)[0] == 1
    twin = canonical_json({**row, "id": head + "0" * 12}) + b"\n"
    write_atomic(Path("runs/other/dataset/rows/h.jsonl"), twin)
    code, _, told = graft(head)
    assert (code, "2 rows begin with" in told, "give more of the id" in told) == (1, True, True)
    assert traced(graft, row["id"])["row"] == row["id"]
    assert traced(graft, head + "0" * 12)["contributor"] is None


def test_a_row_of_every_leaf_and_flow_can_be_traced(site: Site, graft: Graft) -> None:
    for leaf in site.head().leaves:
        by_phase = {row["phase"]: row for row in released(site, leaf)}
        for row in by_phase.values():
            found = traced(graft, row["id"])
            assert all(seed["line"] for seed in found["seeds"])
            assert all(call["answer"] for call in found["calls"])
            assert bool(found["document"]) == bool(row["document"])
            assert graft(row["id"])[0] == 0


def test_what_is_no_longer_there_is_said(site: Site, graft: Graft) -> None:
    row = next(row for row in released(site, MILL) if row["document"])
    shutil.rmtree(site.path / ".graft")
    shutil.rmtree(site.path / "runs")
    found = traced(graft, row["id"])
    assert found["runs"] == []
    assert [call["answer"] for call in found["calls"]] == [None]
    _, out, _ = graft(row["id"])
    assert "the call store no longer has it" in out
    assert not (site.path / ".graft").exists()


def test_an_edited_leaf_s_rows_lead_to_the_lines_of_their_commit(site: Site, graft: Graft) -> None:
    row = next(row for row in released(site, MILL) if row["document"])
    before = traced(graft, row["id"])
    qna = site.taxonomy / MILL / "qna.yaml"
    qna.write_text(qna.read_text("utf-8").replace("Sum up", "Say"), encoding="utf-8")
    document = site.taxonomy / row["document"]
    document.write_text("# Another\n\nAll is new.\n", encoding="utf-8")
    site.repo.commit("Edited")
    after = traced(graft, row["id"])
    assert after["seeds"][0]["commit"] == before["commit"]
    assert after["seeds"][0]["line"] == before["seeds"][0]["line"]
    assert after["document"] == before["document"]


def test_a_leaf_lists_its_rows_however_its_path_is_given(site: Site, graft: Graft) -> None:
    found = traced(graft, KEEPER)
    (content,) = found["contents"]
    assert sorted(row["row"] for row in content["rows"]) == [
        r["id"] for r in released(site, KEEPER)
    ]
    first, second = site.target.tags()
    assert content["releases"] == [first, second]
    assert found["since"] == {"leaf": first, "content": first}
    assert f"in the model since {first}\n" in graft(KEEPER)[1]
    assert traced(graft, TOWER)["since"] == {"leaf": second, "content": second}
    site.target.rollback(first)
    assert traced(graft, TOWER)["since"] == {"leaf": None, "content": None}
    assert "not in the last release" in graft(TOWER)[1]
    site.target.rollback(second)
    for given in (f"{KEEPER}/", f"repo/taxonomy/{KEEPER}/qna.yaml"):
        assert traced(graft, given) == found
    _, out, _ = graft(KEEPER)
    assert all(row["row"] in out for row in content["rows"])
    code, _, told = graft("knowledge/not/there")
    assert (code, "no release holds rows of the leaf" in told) == (1, True)


def test_a_veto_is_shown(site: Site, graft: Graft) -> None:
    row = released(site, KEEPER)[0]
    veto = {"row": row["id"], "leaf": KEEPER, "reason": "wrong", "by": "ada"}
    (site.path / "repo" / "vetoes.jsonl").write_text(json.dumps(veto))
    assert traced(graft, row["id"])["vetoed"] == "vetoed: wrong (ada)"
    assert "VETOED" in graft(KEEPER)[1]


def test_a_terminal_obeys_nothing_that_is_printed() -> None:
    assert printable("a\x1b[31mb\r\u202ec\nd\te") == "a\\x1b[31mb\\r\\u202ec\nd\te"
    assert printable("naïve 日本 – €") == "naïve 日本 – €"
